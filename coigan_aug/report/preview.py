"""The page beside a synthetic set: what was made, whether it looks and lies like the real defects, what was rejected."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.errors import DataError
from coigan_aug.evaluation.crispness import chosen, compared, measure_crispness
from coigan_aug.evaluation.crops import find_instances
from coigan_aug.evaluation.numbers import CrispOf
from coigan_aug.files import write_bytes
from coigan_aug.folders import Folders
from coigan_aug.prepare.kept import kept_objects
from coigan_aug.prepare.objects import find_objects
from coigan_aug.report.commands import commands_of
from coigan_aug.report.crops import Beside, beside
from coigan_aug.report.distributions import SMALL, state_of, words_of
from coigan_aug.report.figure import colour
from coigan_aug.report.first_look import FirstLook, first_look
from coigan_aug.report.fit import FEW, TITLES, ClassFit, fits_of
from coigan_aug.report.gather import known_runs, run_of
from coigan_aug.report.html import fill
from coigan_aug.report.inventory import take_inventory
from coigan_aug.report.notes import Notes
from coigan_aug.report.rejection import RejectedPart, rejected_part
from coigan_aug.report.results import CLASSES
from coigan_aug.report.words import BASES, ERASED_BY, as_sentence, drawn_by, engine_words, made_of, missing_of
from coigan_aug.store.card import Card, DrawnBy
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.rejected import Rejected

PREVIEW = "preview.html"
MOST_BYTES = 5_000_000
CLOSE_UPS = 8
MEASURED = 24  # defects of a class whose grain and edges are measured
SOUND, POOR = 0.7, 0.5  # median IoU of what changed with its mask
MANY = 0.5  # of what was drawn

SECTIONS = {
    "look": "Real beside synthetic",
    "verdict": "What to know",
    "beside": "More of them, close up",
    "made": "What was made",
    "rejected": "What was rejected",
    "masks": "What the masks hold",
    "fit": "Where and how large",
    "repeat": "Do it again",
}


@dataclass(frozen=True, kw_only=True)
class MadeRow:
    """A class: its synthetic defects in all and by engine; `missing` were asked for and given up."""

    name: str
    colour: str
    defects: int
    missing: int
    by_engine: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MaskRow:
    """A class: how what really changed overlaps the mask that was asked for, and of how many defects.

    `median` is the median IoU of the two, `shown` the median share of the mask that changed, 0..1; `grain` and `edge` are
    those of some of the defects over those of real ones (1: as crisp). None where not known.
    """

    name: str
    colour: str
    median: float
    shown: float | None
    n: int | None
    grain: float | None
    edge: float | None

    @property
    def words(self) -> str:
        """What that means for the masks."""
        if self.median >= SOUND:
            return "the mask is what changed"
        if self.shown is not None and self.shown >= SOUND:
            return "all of the mask changed, and some of the margin round it"
        return "roughly what changed" if self.median >= POOR else "much of the mask looks as before"

    @property
    def warning(self) -> str:
        """What to look at before the masks are trusted; nothing where there is no such thing."""
        if self.median >= POOR or (self.shown is not None and self.shown >= SOUND):
            return ""
        if self.shown is not None:
            return f"only {self.shown:.0%} of a mask changed, in the middle of all: {self.words}."
        return f"{self.words}: mask and change share {self.median:.0%} of what they cover together."


@dataclass(frozen=True, kw_only=True)
class Preview:
    """All sections; one without anything to show is None or empty.

    `lead` are the sentences that the page begins with; `stands_out` says what to look at before the set is used.
    """

    title: str
    lead: tuple[str, ...]
    look: FirstLook | None
    images: int
    defects: int
    share: float
    erased: float | None
    engines: tuple[str, ...]
    rows: tuple[MadeRow, ...]
    facts: tuple[tuple[str, Any], ...]
    beside: tuple[Beside, ...]
    fits: tuple[ClassFit, ...]
    least_area: int
    masks: tuple[MaskRow, ...]
    rejected: RejectedPart
    commands: tuple[tuple[str, str], ...]
    stands_out: tuple[str, ...]
    measured_by: str
    notes: Mapping[str, Sequence[str]]


def write_preview(
    out: Path, *, workspace: Folders, real: Dataset, synthetic: Dataset, card: Card, rejected: Sequence[Rejected]
) -> Path:
    """Write the preview of a synthetic set as `out`/preview.html and return its path.

    One file of at most MOST_BYTES with its pictures inside. What the card does not say is left out.

    Args:
        workspace: where its run lies, and its cache.
        real: the data set that it was made from; its training images count.
        synthetic: the records of what was made; the images and thumbnails lie in its image root.
        card: of the set.
    """
    preview = compose_preview(
        out.resolve().name, workspace=workspace, real=real, synthetic=synthetic, card=card, rejected=rejected
    )
    shown = {
        "look": preview.look,
        "verdict": True,
        "made": True,
        "beside": preview.beside,
        "fit": any(fit.real and fit.synthetic for fit in preview.fits),
        "masks": preview.masks,
        "rejected": preview.rejected.screened is not None,
        "repeat": True,
    }
    values = {
        "preview": preview,
        "sections": {name: title for name, title in SECTIONS.items() if shown[name]},
        "quantities": TITLES,
        "small": SMALL,
        "few": FEW,
        "option": workspace.option,
        "words_of": words_of,
        "state_of": state_of,
    }
    write_bytes(out / PREVIEW, fill("preview.html.j2", values, most_bytes=MOST_BYTES).encode())
    return out / PREVIEW


def compose_preview(
    title: str, *, workspace: Folders, real: Dataset, synthetic: Dataset, card: Card, rejected: Sequence[Rejected]
) -> Preview:
    """Work out what a preview shows; arguments as `write_preview` takes them."""
    notes, runs = Notes(), known_runs(workspace)
    objects = kept_objects(real, scale=1.0, root=workspace.cache)
    inventory, made = take_inventory(real, objects=objects), find_objects(synthetic, range(len(synthetic)), scale=1.0)
    of_train = [item for position in real.indices("train") for item in objects[position]]
    colours = {item.name: colour(item) for item in real.classes}
    engines = Counter(
        (a.label, str(a.attributes.get("engine", card.engine))) for record in synthetic for a in record.annotations
    )
    names = tuple(dict.fromkeys(engine for _, engine in engines))
    rows = []
    for item in real.classes:
        counts = tuple(engines[item.name, engine] for engine in names)
        missing = missing_of(card).get(item.name, 0)
        rows.append(
            MadeRow(name=item.name, colour=colour(item), defects=sum(counts), missing=missing, by_engine=counts)
        )
    least_area = round(card.settings.get("data", {}).get("min_area") or 1)
    fits = tuple(fits_of(real, synthetic, objects=of_train, made=made, least_area=least_area, most=CLASSES))
    both = [name for name in card.effective if name in real.names and name in synthetic.names]
    crisp = _crisp(real, synthetic, both[:CLASSES], least_area)
    masks = tuple(
        MaskRow(
            name=name,
            colour=colours.get(name, "#808080"),
            median=effective.median,
            shown=effective.shown,
            n=effective.n,
            **crisp.get(name, {"grain": None, "edge": None}),
        )
        for name, effective in card.effective.items()
    )
    lost = rejected_part(synthetic, rejected, card.screening, colours=colours, notes=notes)
    if card.data not in (None, real.manifest["sha256"]):
        notes.add("made", "Made from another state of the data set than the one that is in the workspace now.")
    lead = (made_of(synthetic, card), as_sentence(drawn_by(synthetic, card, runs)), lost.words)
    return Preview(
        title=title,
        lead=tuple(sentence for sentence in lead if sentence),
        look=first_look(real, inventory, synthetic, notes=notes, made=made),
        images=len(synthetic),
        defects=sum(engines.values()),
        share=len(synthetic) / max(len(synthetic) + len(real.indices("train")), 1),
        erased=card.bases.erased_share,
        engines=names,
        rows=tuple(rows),
        facts=tuple(_facts(card, names)),
        beside=tuple(beside(real, inventory, synthetic, notes=notes, made=made, count=CLOSE_UPS)),
        fits=fits,
        least_area=least_area,
        masks=masks,
        rejected=lost,
        commands=commands_of(
            workspace,
            dataset=real,
            runs=[run for run in runs if run.name == run_of(synthetic, card)],
            sets=[(title, card, synthetic.manifest["provenance"].get("made_by", ""))],
        ),
        stands_out=tuple(_stands_out(fits, masks, lost, card)),
        measured_by=card.bases.measured_by,
        notes=notes.by_section,
    )


def _crisp(
    real: Dataset, synthetic: Dataset, names: Sequence[str], least_area: int
) -> dict[str, dict[str, float | None]]:
    """Measure grain and edge of some objects of each class over those of real training objects."""
    measured: list[list[CrispOf]] = []
    for dataset, positions in ((real, real.indices("train")), (synthetic, range(len(synthetic)))):
        found = find_instances(dataset, positions, min_area=least_area)
        each = [chosen(found, dataset.names.index(name), most=MEASURED) for name in names]
        with contextlib.suppress(DataError):  # an image is gone; the close-ups say so
            measured.append([measure_crispness(dataset, items) for items in each])
    if len(measured) < 2:
        return {}
    ratios = (compared(made, train) for train, made in zip(*measured, strict=True))
    return {name: {"grain": of.grain, "edge": of.edge} for name, of in zip(names, ratios, strict=True)}


def _facts(card: Card, engines: Sequence[str]) -> Iterator[tuple[str, Any]]:
    generator, bases = card.generator or DrawnBy(), card.bases
    yield "Made by", "; ".join(engine_words(name) for name in engines)
    yield "Run", generator.run
    yield "Drawn on", BASES.get(bases.kind or "", bases.kind or "")
    yield "How they were erased", ERASED_BY.get(bases.erased_by or "", bases.erased_by)
    yield "Margin", None if card.margin_px is None else f"{card.margin_px:g} px round each mask"
    yield "Promise", card.promise
    yield "Format", card.format
    yield "Program", card.program
    yield "Checksum of the model", generator.sha256
    yield "Checksum of the plan", card.plan_sha256


def _stands_out(fits: Sequence[ClassFit], masks: Sequence[MaskRow], lost: RejectedPart, card: Card) -> Iterator[str]:
    """Yield what a person should look at before using the set, a sentence each."""
    missing = card.screening.missing if card.screening else None
    for fit in fits:
        given_up = (missing or {}).get(fit.item.name, 0)
        got = card.defects.get(fit.item.name, fit.synthetic)
        if given_up:
            yield f"{fit.item.name}: asked for {got + given_up:,}, got {got:,}: no try at the others was kept."
        elif missing is None and fit.real and not fit.synthetic:  # nobody knows what an early version was asked for
            yield f"{fit.item.name}: none were made."
        apart = [words_of(comparison) for comparison in fit.compared if state_of(comparison) == "apart"]
        if apart:
            yield f"{fit.item.name}: {'; '.join(apart)} than the real ones."
    yield from (f"{row.name}: {row.warning}" for row in masks if row.warning)
    for item in lost.rows:
        if item.share > MANY:
            yield f"{item.name}: {item.share:.0%} of what was drawn was rejected."
