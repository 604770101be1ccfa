"""What each section of a report shows, from the material of a workspace; no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coigan_aug.errors import DataError
from coigan_aug.evaluation.result import Result
from coigan_aug.files import inside
from coigan_aug.imaging import Pixels, read_rgb
from coigan_aug.prepare.objects import DefectObject, find_objects
from coigan_aug.report import plots, score_plots, scores
from coigan_aug.report.crops import CloseUp, Evolution, close_ups, evolution
from coigan_aug.report.figure import colour
from coigan_aug.report.gather import Material, SyntheticSet
from coigan_aug.report.inventory import ClassInventory, Inventory, take_inventory
from coigan_aug.store.dataset import Dataset

CLASSES = 20
EXAMPLES = 4
PROBLEMS = 12
PICTURES = 8
PAIRS = 8
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Shown:
    """A picture with the words under it."""

    title: str
    pixels: Pixels


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The sentence that decides; `state` is "gain", "loss" or "none" by where the interval lies."""

    sentence: str
    state: str
    bar: Markup | None
    found: scores.Difference | None
    seeds: int


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The data set: counts, charts, places (class, chart, largest share), and what was odd at the import."""

    inventory: Inventory
    charts: tuple[tuple[str, Markup], ...]
    places: tuple[tuple[ClassInventory, Markup], ...]
    imported: Mapping[str, Any]
    problems: tuple[str, ...]
    more_problems: int


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A class: real and synthetic defects close up, with the number there are of each."""

    name: str
    colour: str
    real: tuple[CloseUp, ...]
    synthetic: tuple[CloseUp, ...]
    real_count: int
    synthetic_count: int


@dataclass(frozen=True, kw_only=True)
class QualityPart:
    """A quality result: its rows, charts (title, chart), further tables by name, and pictures."""

    result: Result
    spaces: tuple[Mapping[str, Any], ...]
    charts: tuple[tuple[str, Markup], ...]
    tables: tuple[tuple[str, scores.Table], ...]
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class BenefitPart:
    """A benefit result: arms, charts of means, differences by pair of arms, charts of classes, pictures."""

    result: Result
    arms: tuple[scores.Arm, ...]
    means: tuple[tuple[str, Markup], ...]
    forests: tuple[tuple[str, Markup], ...]
    classes: tuple[tuple[str, str, Markup], ...]
    pictures: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All sections; one without anything to show is None or empty. `notes` are sentences by section."""

    title: str
    material: Material
    drawn: SyntheticSet | None
    verdict: Verdict | None
    data: DataPart | None
    curves: tuple[tuple[str, Markup], ...]
    samples: Evolution | None
    beside: tuple[Beside, ...]
    nearest: tuple[Shown, ...]
    quality: QualityPart | None
    benefit: BenefitPart | None
    where: tuple[Shown, ...]
    thesis: Result | None
    commands: tuple[tuple[str, str], ...]
    notes: Mapping[str, Sequence[str]]


class Notes:
    """Sentences that a section adds about what it could not show, by section."""

    def __init__(self) -> None:
        self.by_section: dict[str, list[str]] = {}

    def add(self, section: str, sentence: str) -> None:
        """Add a sentence to a section, once."""
        own = self.by_section.setdefault(section, [])
        if sentence not in own:
            own.append(sentence)


def compose(material: Material, *, command: str) -> Contents:
    """Work out what a report shows.

    Args:
        command: the one that makes this report.
    """
    notes = Notes()
    inventory = take_inventory(material.dataset) if material.dataset else None
    colours = {own.item.name: colour(own.item) for own in inventory.classes} if inventory else {}
    quality, benefit, drawn = material.newest("quality"), material.newest("benefit"), material.drawn()
    metrics = material.training.metrics if material.training else ()
    _check_states(material, notes)
    pictures = _pictures(quality, "quality", notes)
    seen = _pictures(benefit, "benefit", notes)
    nearest = tuple(item for item in pictures if _speaks_of(item, "nearest", "memor"))
    where = tuple(item for item in seen if _speaks_of(item, "cam", "look"))
    return Contents(
        title=_title(material),
        material=material,
        drawn=drawn,
        verdict=_verdict(benefit, colours),
        data=_data(inventory, material.imported) if inventory else None,
        curves=tuple(plots.training_curves(metrics)) if len(metrics) > 1 else (),
        samples=_samples(material, notes),
        beside=tuple(_beside(material, inventory, drawn, notes)),
        nearest=nearest,
        quality=_quality(quality, colours, tuple(item for item in pictures if item not in nearest)),
        benefit=_benefit(benefit, colours, tuple(item for item in seen if item not in where)),
        where=where,
        thesis=material.newest("thesis"),
        commands=tuple(_commands(material, command)),
        notes=notes.by_section,
    )


def _title(material: Material) -> str:
    provenance = material.dataset.manifest["provenance"] if material.dataset else {}
    return Path(str(provenance.get("source", ""))).stem or "this workspace"


def _check_states(material: Material, notes: Notes) -> None:
    """Say where a part was made from another state of the data set than the one that is there."""
    now = material.dataset.manifest["sha256"] if material.dataset else None
    drawn = material.drawn()
    made: list[tuple[str, Any]] = [("beside", drawn.card.get("data"))] if drawn else []
    made += [("run", material.training.start.get("data"))] if material.training else []
    for kind in ("quality", "benefit"):
        result = material.newest(kind)
        made += [(kind, value) for value in _data_checksums(result.measured_on)] if result else []
    for section, then in made:
        if now and then and then != now:
            notes.add(section, "Made from another state of the data set than the one that is in the workspace now.")


def _data_checksums(measured_on: Mapping[str, Any]) -> Iterator[str]:
    for name, value in measured_on.items():
        inner = value.values() if isinstance(value, Mapping) else [value]
        if name.startswith("data"):
            yield from (item for item in inner if isinstance(item, str) and _CHECKSUM.fullmatch(item))


def _speaks_of(item: Shown, *words: str) -> bool:
    return any(word in item.title.lower() for word in words)


def _pictures(result: Result | None, section: str, notes: Notes) -> list[Shown]:
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


def _verdict(result: Result | None, colours: Mapping[str, str]) -> Verdict | None:
    if result is None:
        return None
    found = scores.headline(result.numbers, scores.differences_of(result.numbers, colours))
    low, high = found.estimate.ends if found else (0.0, 0.0)
    return Verdict(
        sentence=result.verdict,
        state="gain" if low > 0 else "loss" if high < 0 else "none",
        bar=score_plots.verdict_bar(found) if found else None,
        found=found,
        seeds=len(result.numbers.get("seeds") or ()),
    )


# The data


def shown_classes(inventory: Inventory) -> Inventory:
    """Return an inventory of at most CLASSES classes: those with most objects, in their order."""
    most = sorted(inventory.classes, key=lambda own: -len(own.objects))[:CLASSES]
    kept = tuple(own for own in inventory.classes if any(own is other for other in most))
    return Inventory(**{**vars(inventory), "classes": kept})


def _data(inventory: Inventory, imported: Mapping[str, Any]) -> DataPart:
    few = shown_classes(inventory)
    problems = [_problem(item) for item in scores.listing(imported.get("problems"))]
    return DataPart(
        inventory=inventory,
        charts=(
            ("Class balance", plots.class_balance(few)),
            ("Object sizes", plots.object_sizes(few)),
            ("Shapes", plots.aspect_ratios(few)),
            ("Groups that the split keeps together", plots.group_sizes(few)),
        ),
        places=tuple((own, plots.places(own, f"place{k}")) for k, own in enumerate(few.classes) if own.objects),
        imported=imported,
        problems=tuple(problems[:PROBLEMS]),
        more_problems=max(len(problems) - PROBLEMS, 0),
    )


def _problem(item: Mapping[str, Any]) -> str:
    row = f":{item['row']}" if item.get("row") is not None else ""
    return f"{item.get('file', '')}{row}: {item.get('what', '')}; {item.get('done', '')}"


# Pictures


def _samples(material: Material, notes: Notes) -> Evolution | None:
    paths = material.training.samples if material.training else ()
    try:
        found = evolution(paths)
    except DataError as error:
        notes.add("samples", error.message)
        return None
    if paths and found is None:
        notes.add("samples", "The sample sheets have another layout than this program writes; they are not shown.")
    return found


def _beside(
    material: Material, inventory: Inventory | None, drawn: SyntheticSet | None, notes: Notes
) -> Iterator[Beside]:
    if inventory is None or material.dataset is None or drawn is None:
        return
    made = find_objects(drawn.dataset, range(len(drawn.dataset)), scale=1.0)
    train = set(material.dataset.indices("train"))
    for own in shown_classes(inventory).classes:
        real = [found for found in own.objects if found.position in train]
        name = own.item.name
        label = drawn.dataset.names.index(name) if name in drawn.dataset.names else -1
        synthetic = [found for found in made if found.label == label]
        if real or synthetic:
            yield Beside(
                name=name,
                colour=colour(own.item),
                real=_close_ups(material.dataset, real, notes),
                synthetic=_close_ups(drawn.dataset, synthetic, notes),
                real_count=len(real),
                synthetic_count=len(synthetic),
            )
    if len(inventory.classes) > CLASSES:
        notes.add("beside", f"The {CLASSES} classes with most objects of {len(inventory.classes)} are shown.")


def _close_ups(dataset: Dataset, objects: Sequence[DefectObject], notes: Notes) -> tuple[CloseUp, ...]:
    try:
        return tuple(close_ups(dataset, objects, count=EXAMPLES))
    except DataError as error:
        notes.add("beside", f"Some pictures can't be shown: {error.message}")
        return ()


# Results


def _quality(result: Result | None, colours: Mapping[str, str], pictures: tuple[Shown, ...]) -> QualityPart | None:
    if result is None:
        return None
    spaces = scores.listing(result.numbers.get("spaces"))
    tables = ((name, scores.as_table(value)) for name, value in result.numbers.items() if name != "spaces")
    return QualityPart(
        result=result,
        spaces=tuple(spaces),
        charts=tuple(_distance_charts(spaces, colours)),
        tables=tuple((name, table) for name, table in tables if table),
        pictures=pictures,
    )


def _distance_charts(spaces: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> Iterator[tuple[str, Markup]]:
    for features in dict.fromkeys(str(space.get("features", "?")) for space in spaces):
        for measure in ("kid", "fid"):
            own = [space for space in spaces if str(space.get("features", "?")) == features]
            found = scores.distances_of(own, measure, colours)
            if found:
                key = f"{measure}-{re.sub('[^a-z0-9]', '-', features.lower())}"
                yield f"{measure.upper()}, {features}", score_plots.distances(found, key, measure.upper())


def _benefit(result: Result | None, colours: Mapping[str, str], pictures: tuple[Shown, ...]) -> BenefitPart | None:
    if result is None:
        return None
    arms = scores.arms_of(result.numbers)
    pairs = scores.differences_of(result.numbers, colours)[:PAIRS]
    reach = [found.estimate for own in pairs for found in own]
    names = list(dict.fromkeys(name for arm in arms for name in arm.iou))[:CLASSES]
    shade = {name: colours.get(name, "#808080") for name in names}
    bars = [
        (name, shade[name], score_plots.class_scores(name, shade[name], arms, f"c{k}")) for k, name in enumerate(names)
    ]
    return BenefitPart(
        result=result,
        arms=tuple(arms),
        means=tuple(_mean_charts(arms)),
        forests=tuple(
            (f"{own[0].arm} − {own[0].against}", score_plots.forest(own[: CLASSES + 1], f"forest{k}", reach=reach))
            for k, own in enumerate(pairs)
        ),
        classes=tuple(bars),
        pictures=pictures,
    )


def _mean_charts(arms: Sequence[scores.Arm]) -> Iterator[tuple[str, Markup]]:
    if any(arm.mean_iou for arm in arms):
        yield "Mean IoU of each arm", score_plots.mean_scores(arms)
    if any(arm.clean is not None for arm in arms):
        yield "False alarms on clean images", score_plots.clean_area(arms)
    if len({arm.share for arm in arms if arm.source != "real"}) > 1:
        yield "How much of it", score_plots.share_sweep(arms)


# Commands


def _commands(material: Material, command: str) -> Iterator[tuple[str, str]]:
    """Yield what each command did and the command, in their order; what one command did twice comes once."""
    seen: set[str] = set()
    for what, line in _all_commands(material, command):
        if line and line not in seen:
            seen.add(line)
            yield what, line


def _all_commands(material: Material, command: str) -> Iterator[tuple[str, str]]:
    if material.dataset is not None:
        yield "the data set", str(material.dataset.manifest["provenance"].get("command", ""))
    if material.training is not None:
        yield f"the run {material.training.name}", str(material.training.start.get("command", ""))
    yield from ((f"the synthetic set {item.name}", item.command) for item in material.synthetic)
    for kind in dict.fromkeys(result.kind for result in material.results):
        result = material.newest(kind)
        yield f"the {kind} result", result.command if result else ""
    yield "this report", command
