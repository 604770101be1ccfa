"""What the sections on results show: the verdict, quality and benefit, and the pictures beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from coigan_aug.errors import DataError
from coigan_aug.evaluation.numbers import FINDING, NAMING, TITLES, ArmScores, Benefit, Quality
from coigan_aug.evaluation.result import Result
from coigan_aug.files import inside
from coigan_aug.imaging import Pixels, read_rgb
from coigan_aug.report import score_plots, scores
from coigan_aug.report.notes import Notes
from coigan_aug.report.quality import Compared, comparisons_of, shown_together, tables_of
from coigan_aug.report.scores import Table

_TOTALS = ("pixel_ap", "found_10", "ap", "iou")  # measures of which every comparison is shown
CLASSES = 20
PICTURES = 8
PAIRS = 8


@dataclass(frozen=True)
class Shown:
    """A picture with the words above it."""

    title: str
    pixels: Pixels


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The sentences that decide, of finding and of naming; `state` is "gain", "loss" or "none" by the first one's interval."""

    sentences: tuple[str, ...]
    state: str
    bar: Markup | None
    difference: scores.Difference | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class QualityPart:
    """A quality result: its comparisons, charts (title, chart), further tables (title, words, table), and pictures."""

    result: Result[Quality]
    compared: tuple[Compared, ...]
    charts: tuple[tuple[str, Markup], ...]
    tables: tuple[tuple[str, str, Table], ...]
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class BenefitPart:
    """A benefit result: charts of means, differences class by class and in all, charts of classes, pictures."""

    result: Result[Benefit]
    means: tuple[tuple[str, Markup], ...]
    forests: tuple[tuple[str, Markup], ...]
    totals: tuple[scores.Difference, ...]
    tables: tuple[tuple[str, Table], ...]
    classes: tuple[tuple[str, str, Markup], ...]
    pictures: tuple[Shown, ...]


def speaks_of(item: Shown, *words: str) -> bool:
    """Tell whether one of the words, in small letters, is in a picture's title."""
    return any(word in item.title.lower() for word in words)


def pictures_of(result: Result[Any] | None, section: str, notes: Notes) -> list[Shown]:
    """Read the pictures beside a result; one that can't be read becomes a note."""
    out = []
    for title, name in result.pictures[:PICTURES] if result else ():
        try:
            out.append(Shown(title, read_rgb(inside(result.folder, name))))  # type: ignore[union-attr]
        except DataError as error:
            notes.add(section, f"The picture “{title}” can't be shown: {error.message}")
    if result and len(result.pictures) > PICTURES:
        notes.add(section, f"{len(result.pictures) - PICTURES} more pictures are in {result.folder}.")
    return out


def verdict_of(result: Result[Benefit] | None, colours: Mapping[str, str]) -> Verdict | None:
    """Return what a benefit result decides; None without a result."""
    if result is None:
        return None
    difference = scores.headline(result.numbers, scores.differences_of(result.numbers, colours))
    low, high = difference.estimate.ends if difference else (0.0, 0.0)
    return Verdict(
        sentences=tuple(f"{kind.capitalize()}: {text}." for kind, text in result.numbers.verdicts.items() if text)
        or (result.verdict,),
        state="gain" if low > 0 else "loss" if high < 0 else "none",
        bar=score_plots.verdict_bar(difference) if difference else None,
        difference=difference,
        seeds=len(result.numbers.seeds),
    )


def quality_part(
    result: Result[Quality] | None, colours: Mapping[str, str], pictures: tuple[Shown, ...]
) -> QualityPart | None:
    """Return what the section on quality shows; None without a result."""
    if result is None:
        return None
    compared = comparisons_of(result.numbers, colours)
    return QualityPart(
        result=result,
        compared=tuple(compared),
        charts=tuple(_distance_charts(compared)),
        tables=tuple(tables_of(result.numbers)),
        pictures=pictures,
    )


def _distance_charts(compared: Sequence[Compared]) -> Iterator[tuple[str, Markup]]:
    for features, items in shown_together(compared).items():
        few, key = items[: CLASSES + 2], re.sub("[^a-z0-9]", "-", features.lower())
        kid = [(item.label, item.colour, item.kid, item.kid_floor) for item in few if item.kid or item.kid_floor]
        fid = [(item.label, item.colour, item.fid, item.fid_floor) for item in few if item.fid or item.fid_floor]
        if kid:
            yield f"KID × 1000, {features}", score_plots.distances(kid, f"kid-{key}", "KID × 1000")
        if fid:
            yield f"FID, {features}", score_plots.distances(fid, f"fid-{key}", "FID")


def benefit_part(
    result: Result[Benefit] | None, colours: Mapping[str, str], pictures: tuple[Shown, ...]
) -> BenefitPart | None:
    """Return what the section on benefit shows; None without a result."""
    if result is None:
        return None
    arms, about = result.numbers.arms, result.numbers.about
    every = scores.differences_of(result.numbers, colours)
    deciding = "ap" if any(group[0].measure == "ap" for group in every) else "iou"
    pairs = [group for group in every if group[0].measure == deciding and about in (None, group[0].arm)][:PAIRS]
    reach = [row.estimate for group in pairs for row in group]
    names = list(dict.fromkeys(name for arm in arms for name in arm.iou))[:CLASSES]
    shades = [colours.get(name, "#808080") for name in names]
    return BenefitPart(
        result=result,
        means=tuple(_mean_charts(arms)),
        forests=tuple(
            (
                f"{group[0].arm} − {group[0].against}",
                score_plots.forest(group[: CLASSES + 1], f"forest{k}", reach=reach),
            )
            for k, group in enumerate(pairs)
        ),
        totals=tuple(row for group in every for row in group if row.label is None and row.measure in _TOTALS),
        tables=tuple(_measure_tables(arms)),
        classes=tuple(
            (name, shade, score_plots.class_scores(name, shade, arms, f"class{k}"))
            for k, (name, shade) in enumerate(zip(names, shades, strict=True))
        ),
        pictures=pictures,
    )


def _measure_tables(arms: Sequence[ArmScores]) -> Iterator[tuple[str, Table]]:
    """Yield finding, then naming: an arm a row; nothing for results of earlier versions."""
    known = [arm for arm in arms if arm.measures]
    names = list(dict.fromkeys(name for arm in known for name in arm.ap))[:CLASSES]
    if not known:
        return
    finding = (*FINDING, "clean_alarms")
    yield (
        "Finding: is there any defect? %",
        Table(
            ("Trained on", *(TITLES[name] for name in finding)),
            tuple((arm.name, *(_interval(arm, name) for name in finding)) for arm in known),
        ),
    )
    yield (
        "Naming: which class? Pixel AP, %",
        Table(
            ("Trained on", *(TITLES[name] for name in NAMING), *names),
            tuple(
                (
                    arm.name,
                    *(_interval(arm, name) for name in NAMING),
                    *(scores.value_of(scores.percents(arm.ap).get(name)) for name in names),
                )
                for arm in known
            ),
        ),
    )


def _interval(arm: ArmScores, measure: str) -> str:
    return scores.with_interval(scores.percent(arm.measures.get(measure)))


def _mean_charts(arms: Sequence[ArmScores]) -> Iterator[tuple[str, Markup]]:
    if any(scores.percent(arm.mean_iou) for arm in arms):
        yield "Mean IoU of each arm", score_plots.mean_scores(arms)
    if any(arm.clean_false_positives is not None for arm in arms):
        yield "False alarms on clean images", score_plots.clean_area(arms)
    if len({arm.share for arm in arms if arm.source != "real"}) > 1:
        yield "How much of it", score_plots.share_sweep(arms)
