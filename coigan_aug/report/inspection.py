"""The page of an inspection: numbers as charts, examples of each class with their masks, and what is wrong or odd."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from coigan_aug.data.findings import KINDS, by_kind
from coigan_aug.data.inspecting import Inspection
from coigan_aug.files import write_bytes
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.report import plots
from coigan_aug.report.crops import CloseUp, close_ups, whole_image
from coigan_aug.report.html import fill
from coigan_aug.report.inventory import ClassInventory, Inventory, shown_classes, take_inventory
from coigan_aug.report.results import CLASSES
from coigan_aug.store.dataset import Dataset

MOST_BYTES = 10_000_000
EXAMPLES = 16
LISTED = 40
PICTURED = 8
GROUPS, OF_GROUP = 4, 6

SECTIONS = {
    "found": "Wrong or odd",
    "classes": "The classes",
    "places": "Where they lie",
    "images": "The images",
    "split": "The split",
    "examples": "Examples",
}


@dataclass(frozen=True, kw_only=True)
class Odd:
    """Findings of one kind: a title, whether they are errors, some of them, how many more, pictures of some."""

    title: str
    error: bool
    listed: tuple[str, ...]
    more: int
    pictures: tuple[CloseUp, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """All that the page shows; what is not there is empty. `rows` pairs each class' inventory with its statistics."""

    title: str
    inventory: Inventory
    counts: tuple[tuple[str, Markup], ...]
    places: tuple[tuple[ClassInventory, Markup], ...]
    images: tuple[tuple[str, Markup], ...]
    odd: tuple[Odd, ...]
    groups: tuple[tuple[CloseUp, ...], ...]
    examples: tuple[tuple[ClassInventory, tuple[CloseUp, ...]], ...]


def write_inspection(path: Path, inspection: Inspection, dataset: Dataset) -> Path:
    """Write the page of an inspection, one file of at most MOST_BYTES with its pictures inside, and return its path.

    Args:
        dataset: what was inspected.
    """
    page = compose_inspection(inspection, dataset)
    shown = {
        "found": True,
        "classes": page.counts,
        "places": page.places,
        "images": page.images or page.groups,
        "split": inspection.split is not None,
        "examples": page.examples,
    }
    statistics = {row.name: row for row in inspection.statistics}
    counts = {row.name: row for row in inspection.classes}
    values = {
        "page": page,
        "inspection": inspection,
        "sections": {name: title for name, title in SECTIONS.items() if shown[name]},
        "rows": [(row, counts[row.item.name], statistics[row.item.name]) for row in page.inventory.classes],
    }
    write_bytes(path, fill("inspection.html.j2", values, most_bytes=MOST_BYTES).encode())
    return path


def compose_inspection(inspection: Inspection, dataset: Dataset) -> Page:
    """Work out what the page shows."""
    pictures = _Pictures(inspection, dataset)
    whole = take_inventory(dataset, unknown=frozenset(inspection.unknown)) if pictures.usable else Inventory(
        images=inspection.images, defect_free=inspection.defect_free, train=0, test=0, classes=(), groups=()
    )  # fmt: skip
    drawn = shown_classes(whole, most=CLASSES)
    title = (inspection.path.parent if inspection.path.name == "dataset" else inspection.path).resolve().name
    return Page(
        title=title,
        inventory=whole,
        counts=tuple(_count_charts(inspection, drawn)) if drawn.classes else (),
        places=tuple(
            (row, plots.places(row.places, row.item, f"places{k}"))
            for k, row in enumerate(drawn.classes)
            if row.objects
        ),
        images=tuple(_image_charts(inspection, dataset, whole)),
        odd=tuple(pictures.odd(whole)),
        groups=tuple(pictures.groups()),
        examples=tuple((row, pictures.examples(row)) for row in drawn.classes if row.objects),
    )


def _count_charts(inspection: Inspection, drawn: Inventory) -> Iterator[tuple[str, Markup]]:
    if len(drawn.classes) > 1 and inspection.test:
        yield "Objects in train and test", plots.class_balance(drawn)
    elif len(drawn.classes) > 1:
        yield "Objects and images", plots.class_counts(drawn.classes, inspection.classes)
    if drawn.objects:
        yield "Sizes", plots.object_sizes(drawn)
        yield "Shapes", plots.aspect_ratios(drawn)
    if drawn.objects and len(drawn.classes) > 1:
        yield "Objects an image", plots.objects_an_image(drawn.classes)


def _image_charts(inspection: Inspection, dataset: Dataset, inventory: Inventory) -> Iterator[tuple[str, Markup]]:
    if sum(count > 0 for count in inspection.looks.brightness_counts) > 1:
        yield "Brightness", plots.brightness(inspection.looks)
    if inspection.looks.distinct > 1:
        yield "Sizes", plots.image_sizes([(record.height, record.width) for record in dataset])
    if inspection.near_duplicates:
        together = [len(files) for files in inspection.near_duplicates]
        sizes = (*together, *[1] * (inspection.images - sum(together)))
        if len(set(sizes)) == 1:
            return
        yield "Images of one piece", plots.group_sizes(dataclasses.replace(inventory, groups=sizes))


class _Pictures:
    """Pictures of what was found, taken only of images that can be read; none where masks are damaged."""

    def __init__(self, inspection: Inspection, dataset: Dataset) -> None:
        broken = {item.file for item in inspection.findings if item.kind == "image missing"}
        self.inspection = inspection
        self.dataset = dataset
        self.usable = all(item.kind != "mask damaged" for item in inspection.findings)
        self.position = {record.file: k for k, record in enumerate(dataset) if record.file not in broken}

    def examples(self, row: ClassInventory) -> tuple[CloseUp, ...]:
        readable = set(self.position.values())
        return tuple(close_ups(self.dataset, [o for o in row.objects if o.position in readable], count=EXAMPLES))

    def odd(self, inventory: Inventory) -> Iterator[Odd]:
        smallest = _smallest(inventory)
        for kind, error, items in by_kind(self.inspection.findings):
            seen = dict.fromkeys((item.file, item.label if kind == "object tiny" else "") for item in items)
            shown = [key for key in seen if key[0] in self.position][:PICTURED] if self.usable else []
            yield Odd(
                title=KINDS[kind],
                error=error,
                listed=tuple(f"{item} (column {item.column})" if item.column else str(item) for item in items[:LISTED]),
                more=max(len(items) - LISTED, 0),
                pictures=tuple(
                    self._picture(file, smallest.get((self.position[file], label))) for file, label in shown
                ),
            )

    def _picture(self, file: str, item: DefectObject | None) -> CloseUp:
        return close_ups(self.dataset, [item], count=1)[0] if item else self._whole(file)

    def _whole(self, file: str) -> CloseUp:
        return whole_image(self.dataset, self.position[file])

    def groups(self) -> Iterator[tuple[CloseUp, ...]]:
        """Show leaking pairs, or else the largest groups of images of one piece."""
        chosen: Sequence[Sequence[str]] = (
            self.inspection.pairs[: 2 * GROUPS] or self.inspection.near_duplicates[:GROUPS]
        )
        for files in chosen if self.usable else ():
            yield tuple(self._whole(file) for file in files[:OF_GROUP])


def _smallest(inventory: Inventory) -> Mapping[tuple[int, str], DefectObject]:
    """Return the smallest object of each class in each image."""
    smallest: dict[tuple[int, str], DefectObject] = {}
    for row in inventory.classes:
        for item, area in sorted(zip(row.objects, row.areas.tolist(), strict=True), key=lambda pair: pair[1]):
            if area:
                smallest.setdefault((item.position, row.item.name), item)
    return smallest
