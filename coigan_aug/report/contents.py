"""What each section of a report shows, from the material of a workspace; no markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from coigan_aug.errors import DataError
from coigan_aug.evaluation.numbers import Benefit, Quality, Thesis
from coigan_aug.evaluation.result import Result
from coigan_aug.report import plots
from coigan_aug.report.crops import Beside, Evolution, beside, evolution
from coigan_aug.report.figure import colour
from coigan_aug.report.gather import Material, SyntheticSet
from coigan_aug.report.inventory import ClassInventory, Inventory, shown_classes, take_inventory
from coigan_aug.report.notes import Notes, check_states
from coigan_aug.report.rejection import RejectedPart, rejected_part
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
    rejected: RejectedPart | None
    thesis: Result[Thesis] | None
    commands: tuple[tuple[str, str], ...]
    notes: Mapping[str, Sequence[str]]


def compose(material: Material, *, command: str) -> Contents:
    """Work out what a report shows.

    Args:
        command: the one that makes this report.
    """
    notes = Notes()
    inventory = take_inventory(material.dataset) if material.dataset else None
    colours = {row.item.name: colour(row.item) for row in inventory.classes} if inventory else {}
    quality, benefit, drawn = material.newest(Quality), material.newest(Benefit), material.drawn()
    metrics = material.training.metrics if material.training else ()
    check_states(material, notes)
    pictures = pictures_of(quality, "quality", notes)
    seen = pictures_of(benefit, "benefit", notes)
    nearest = tuple(item for item in pictures if speaks_of(item, "nearest", "memor"))
    where = tuple(item for item in seen if speaks_of(item, "cam", "look"))
    provenance = material.dataset.manifest["provenance"] if material.dataset else {}
    return Contents(
        title=Path(str(provenance.get("source", ""))).stem or "this workspace",
        material=material,
        drawn=drawn,
        verdict=verdict_of(benefit, colours),
        data=_data(inventory, material.imported) if inventory else None,
        curves=tuple(plots.training_curves(metrics)) if len(metrics) > 1 else (),
        samples=_samples(material, notes),
        beside=_beside(material, inventory, drawn, notes),
        nearest=nearest,
        quality=quality_part(quality, colours, tuple(item for item in pictures if item not in nearest)),
        benefit=benefit_part(benefit, colours, tuple(item for item in seen if item not in where)),
        where=where,
        rejected=_rejected(drawn, colours, notes),
        thesis=material.newest(Thesis),
        commands=tuple(_commands(material, command)),
        notes=notes.by_section,
    )


# The data


def _data(inventory: Inventory, imported: Mapping[str, Any]) -> DataPart:
    few = shown_classes(inventory, most=CLASSES)
    problems = [_problem(item) for item in imported.get("problems") or ()]
    return DataPart(
        inventory=inventory,
        charts=(
            ("Class balance", plots.class_balance(few)),
            ("Object sizes", plots.object_sizes(few)),
            ("Shapes", plots.aspect_ratios(few)),
            ("Groups that the split keeps together", plots.group_sizes(few)),
        ),
        places=tuple(
            (row, plots.places(row.places, row.item, f"place{k}")) for k, row in enumerate(few.classes) if row.objects
        ),
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
        samples = evolution(paths)
    except DataError as error:
        notes.add("samples", error.message)
        return None
    if paths and samples is None:
        notes.add("samples", "The sample sheets have another layout than this program writes; they are not shown.")
    return samples


def _beside(
    material: Material, inventory: Inventory | None, drawn: SyntheticSet | None, notes: Notes
) -> tuple[Beside, ...]:
    if inventory is None or material.dataset is None or drawn is None:
        return ()
    return tuple(beside(material.dataset, inventory, drawn.dataset, notes=notes))


def _rejected(drawn: SyntheticSet | None, colours: Mapping[str, str], notes: Notes) -> RejectedPart | None:
    if drawn is None or not (drawn.rejected or drawn.card.screening):
        return None
    return rejected_part(drawn.dataset, drawn.rejected, drawn.card.screening, colours=colours, notes=notes)


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
        yield f"the run {material.training.name}", material.training.start.command or ""
    yield from ((f"the synthetic set {item.name}", item.command) for item in material.synthetic)
    for kind, command_line in {result.kind: result.command for result in material.results}.items():
        yield f"the {kind} result", command_line
    yield "this report", command
