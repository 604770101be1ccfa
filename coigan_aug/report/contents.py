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
from coigan_aug.prepare.kept import kept_objects
from coigan_aug.prepare.objects import find_objects
from coigan_aug.report import plots
from coigan_aug.report.commands import commands_of
from coigan_aug.report.crops import Beside, Evolution, beside, evolution
from coigan_aug.report.figure import colour
from coigan_aug.report.first_look import FirstLook, first_look
from coigan_aug.report.gather import Material, SyntheticSet
from coigan_aug.report.inventory import ClassInventory, Inventory, shown_classes, take_inventory
from coigan_aug.report.notes import Notes, check_runs, check_states
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
from coigan_aug.report.words import as_sentence, drawn_by, made_of, screened_words

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
class SetRow:
    """A synthetic set: images and defects, what made them, and what the screen did."""

    name: str
    images: int
    defects: int
    drawn_by: str
    screened: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """All sections; one without anything to show is None or empty.

    `lead` are the sentences that the page begins with, `notes` sentences by section.
    """

    title: str
    lead: tuple[str, ...]
    material: Material
    look: FirstLook | None
    drawn: SyntheticSet | None
    sets: tuple[SetRow, ...]
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
    inventory = _inventory(material)
    colours = {row.item.name: colour(row.item) for row in inventory.classes} if inventory else {}
    quality, benefit, drawn = material.newest(Quality), material.newest(Benefit), material.drawn()
    metrics = material.training.metrics if material.training else ()
    weights = material.training.start.settings.get("train") if material.training else None
    check_states(material, notes)
    check_runs(material, notes)
    pictures = pictures_of(quality, "quality", notes)
    seen = pictures_of(benefit, "benefit", notes)
    nearest = tuple(item for item in pictures if speaks_of(item, "nearest", "memor"))
    where = tuple(item for item in seen if speaks_of(item, "cam", "look"))
    provenance = material.dataset.manifest["provenance"] if material.dataset else {}
    rejected, verdict = _rejected(drawn, colours, notes), verdict_of(benefit, colours)
    look, close = _pictures(material, inventory, drawn, notes)
    return Contents(
        title=Path(str(provenance.get("source", ""))).stem or "this workspace",
        lead=tuple(_lead(material, drawn, rejected, verdict)),
        material=material,
        look=look,
        drawn=drawn,
        sets=tuple(_sets(material)),
        verdict=verdict,
        data=_data(inventory, material.imported) if inventory else None,
        curves=tuple(plots.training_curves(metrics, train=weights)) if len(metrics) > 1 else (),
        samples=_samples(material, notes),
        beside=close,
        nearest=nearest,
        quality=quality_part(quality, colours, tuple(item for item in pictures if item not in nearest)),
        benefit=benefit_part(benefit, colours, tuple(item for item in seen if item not in where)),
        where=where,
        rejected=rejected,
        thesis=material.newest(Thesis),
        commands=commands_of(
            material.workspace,
            dataset=material.dataset,
            runs=material.runs,
            sets=[(item.name, item.card, item.command) for item in material.synthetic],
            results=material.results,
            page=command,
        ),
        notes=notes.by_section,
    )


def _inventory(material: Material) -> Inventory | None:
    if material.dataset is None:
        return None
    objects = kept_objects(material.dataset, scale=1.0, root=material.workspace.cache)
    return take_inventory(material.dataset, objects=objects)


def _lead(
    material: Material, drawn: SyntheticSet | None, rejected: RejectedPart | None, verdict: Verdict | None
) -> Iterator[str]:
    """Yield what the report is about, a sentence each: the set that is shown, what made it, the screen, the verdict."""
    if drawn is None:
        yield "No synthetic images have been made yet."
    else:
        made = made_of(drawn.dataset, drawn.card)
        yield f"The set {drawn.name}: {made}"
        by = as_sentence(drawn_by(drawn.dataset, drawn.card, material.runs))
        yield from (words for words in (by, rejected.words if rejected else "") if words)
    yield verdict.sentences[0] if verdict else "Whether they help a segmenter is not measured yet."


def _sets(material: Material) -> Iterator[SetRow]:
    for item in material.synthetic:
        defects = sum(len(record.annotations) for record in item.dataset)
        yield SetRow(
            name=item.name,
            images=len(item.dataset),
            defects=defects,
            drawn_by=drawn_by(item.dataset, item.card, material.runs) or "not said",
            screened=screened_words(item.card.screening, rejected=len(item.rejected), kept=defects),
        )


# The data


def _data(inventory: Inventory, imported: Mapping[str, Any]) -> DataPart:
    few = shown_classes(inventory, most=CLASSES)
    charts = [("Object sizes", plots.object_sizes(few)), ("Shapes", plots.aspect_ratios(few))] if few.objects else []
    if len(few.classes) > 1:
        charts = [("Class balance", plots.class_balance(few)), *charts]
    if len(set(few.groups)) > 1:
        charts += [("Groups that the split keeps together", plots.group_sizes(few))]
    problems = [_problem(item) for item in imported.get("problems") or ()]
    return DataPart(
        inventory=inventory,
        charts=tuple(charts),
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
        window = material.training.start.settings["data"]["window"] if material.training else 0
        samples = evolution(paths, window=window)
    except DataError as error:
        notes.add("samples", error.message)
        return None
    if paths and samples is None:
        notes.add("samples", "The sample sheets have another layout than this program writes; they are not shown.")
    return samples


def _pictures(
    material: Material, inventory: Inventory | None, drawn: SyntheticSet | None, notes: Notes
) -> tuple[FirstLook | None, tuple[Beside, ...]]:
    """Return what the page begins with, and the close-ups further down."""
    if inventory is None or material.dataset is None or drawn is None:
        return None, ()
    made = find_objects(drawn.dataset, range(len(drawn.dataset)), scale=1.0)
    look = first_look(material.dataset, inventory, drawn.dataset, notes=notes, made=made)
    return look, tuple(beside(material.dataset, inventory, drawn.dataset, notes=notes, made=made))


def _rejected(drawn: SyntheticSet | None, colours: Mapping[str, str], notes: Notes) -> RejectedPart | None:
    if drawn is None:
        return None
    return rejected_part(drawn.dataset, drawn.rejected, drawn.card.screening, colours=colours, notes=notes)
