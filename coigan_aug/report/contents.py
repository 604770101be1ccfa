"""What each section of a report shows, from the material of a workspace; no markup."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coigan_aug.errors import DataError
from coigan_aug.evaluation.result import Result
from coigan_aug.prepare.objects import DefectObject, find_objects
from coigan_aug.report import plots, scores
from coigan_aug.report.crops import CloseUp, Evolution, close_ups, evolution
from coigan_aug.report.figure import colour
from coigan_aug.report.gather import Material, SyntheticSet
from coigan_aug.report.inventory import ClassInventory, Inventory, take_inventory
from coigan_aug.report.notes import Notes, check_states
from coigan_aug.report.results import (
    CLASSES,
    BenefitPart,
    QualityPart,
    Shown,
    Verdict,
    benefit_part,
    pictures_of,
    quality_part,
    speaks_of,
    verdict_of,
)
from coigan_aug.store.dataset import Dataset

EXAMPLES = 4
PROBLEMS = 12


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
    check_states(material, notes)
    pictures = pictures_of(quality, "quality", notes)
    seen = pictures_of(benefit, "benefit", notes)
    nearest = tuple(item for item in pictures if speaks_of(item, "nearest", "memor"))
    where = tuple(item for item in seen if speaks_of(item, "cam", "look"))
    return Contents(
        title=_title(material),
        material=material,
        drawn=drawn,
        verdict=verdict_of(benefit, colours),
        data=_data(inventory, material.imported) if inventory else None,
        curves=tuple(plots.training_curves(metrics)) if len(metrics) > 1 else (),
        samples=_samples(material, notes),
        beside=tuple(_beside(material, inventory, drawn, notes)),
        nearest=nearest,
        quality=quality_part(quality, colours, tuple(item for item in pictures if item not in nearest)),
        benefit=benefit_part(benefit, colours, tuple(item for item in seen if item not in where)),
        where=where,
        thesis=material.newest("thesis"),
        commands=tuple(_commands(material, command)),
        notes=notes.by_section,
    )


def _title(material: Material) -> str:
    provenance = material.dataset.manifest["provenance"] if material.dataset else {}
    return Path(str(provenance.get("source", ""))).stem or "this workspace"


# The data


def shown_classes(inventory: Inventory) -> Inventory:
    """Return an inventory of at most CLASSES classes: those with most objects, in their order."""
    most = sorted(inventory.classes, key=lambda own: -len(own.objects))[:CLASSES]
    kept = tuple(own for own in inventory.classes if any(own is other for other in most))
    return dataclasses.replace(inventory, classes=kept)


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
