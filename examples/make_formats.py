"""Write examples/formats.md: what each format holds, found out by writing small data sets and reading them again.

python examples/make_formats.py
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import fill_centres
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.formats.converting import Conversion, WriteOptions, convert
from coigan_aug.formats.detect import FORMATS, format_named, open_source
from coigan_aug.formats.source import Problems, ReadOptions, make_classes
from coigan_aug.imaging import write_image
from coigan_aug.store.writer import write_dataset

HERE = Path(__file__).parent
SIZE = (24, 32)


@dataclass(frozen=True)
class Content:
    """Classes and records, and the folder of their images; what was written, or what came back."""

    classes: tuple[DefectClass, ...]
    records: tuple[ImageRecord, ...]
    root: Path = Path()

    @property
    def dataset(self) -> Path:
        """Where `save` put it."""
        return self.root.parent / "set"

    def by_image(self) -> dict[bytes, ImageRecord]:
        """Return the records by the bytes of their images: names change from format to format."""
        return {(self.root / record.file).read_bytes(): record for record in self.records}


@dataclass(frozen=True)
class Told:
    """What a conversion told not to be kept: how many class ids, class names, image ids, masks' attributes,
    images' void pixels, other things.
    """

    class_ids: int = 0
    class_names: int = 0
    image_ids: int = 0
    attributes: int = 0
    void: int = 0
    shapes: int = 0


@dataclass(frozen=True)
class Difference(Told):
    """What really did not come back; `shapes` counts images whose objects differ, `masks` those whose classes' pixels do."""

    masks: int = field(default=0, kw_only=True)


def save(content: Content, folder: Path) -> Content:
    """Write a Dataset with images of one grey each, no two alike; return where they are."""
    saved = replace(content, root=folder / "pictures")
    for grey, record in enumerate(content.records, start=90):
        write_image(saved.root / record.file, np.full((record.height, record.width), grey, np.uint8))
    write_dataset(saved.dataset, saved.records, classes=saved.classes, image_root=saved.root, provenance={})
    return saved


def readable(made: Conversion) -> Path:
    """Return what a reader is given of a conversion: the annotation file, or the folder where there is no single one."""
    return made.annotations if made.annotations.is_file() else made.folder


def load(made: Conversion) -> Content:
    """Read what a conversion wrote."""
    source = open_source(readable(made), options=ReadOptions(), problems=Problems(), name=made.to)
    return Content(source.classes, tuple(source.records), source.image_root)


def told(made: Conversion) -> Told:
    """Sort what a conversion told by kind."""
    kinds = {
        "class ids": "class_ids", "class names": "class_names", "image ids": "image_ids", "masks with attr": "attributes",
        "attributes": "attributes", "masks without pixels": "", "images with void": "void", "images": "", "file names": "",
    }  # fmt: skip
    counts: Counter[str] = Counter()
    for loss in (*made.losses, *made.notes):
        counts[next((kind for begin, kind in kinds.items() if loss.what.startswith(begin)), "shapes")] += loss.count
    counts.pop("", None)
    return Told(**counts)


def difference(before: Content, after: Content) -> Difference:
    """Compare what was written with what came back.

    Classes are matched by name, or by position where the names did not come back.

    Raises:
        AssertionError: an image or a class is missing.
    """
    old, new = before.by_image(), after.by_image()
    assert set(old) == set(new), ([record.file for record in content.records] for content in (before, after))
    names = [found.name for found in after.classes]
    assert len(names) == len(before.classes), names
    kept = {found.name for found in before.classes} == set(names)
    match = {c.name: c.name if kept else names[k] for k, c in enumerate(before.classes)}
    ids = {found.name: found.source_id for found in after.classes}
    pairs = [(old[name], new[name], match) for name in old]
    return Difference(
        class_ids=sum(c.source_id not in (None, ids[match[c.name]]) for c in before.classes),
        class_names=sum(name != own for name, own in match.items()),
        image_ids=sum("id" in a.source and a.source["id"] != b.source.get("id") for a, b, _ in pairs),
        attributes=sum(_attributes_lost(*pair) for pair in pairs),
        void=sum(a.void != b.void for a, b, _ in pairs),
        shapes=sum(_objects(a, names) != _objects(b) for a, b, names in pairs),
        masks=sum(_unions(a, names) != _unions(b) for a, b, names in pairs),
    )


Names = dict[str, str]


def _objects(record: ImageRecord, names: Names | None = None) -> Counter[tuple[str, str]]:
    return Counter(((names or {}).get(a.label, a.label), a.rle.counts) for a in record.annotations if rle.area(a.rle))


def _unions(record: ImageRecord, names: Names | None = None) -> dict[str, str]:
    labels = {a.label for a in record.annotations}
    unions = {own: rle.union([a.rle for a in record.annotations if a.label == own]) for own in labels}
    return {(names or {}).get(own, own): mask.counts for own, mask in unions.items()}


def _attributes_lost(before: ImageRecord, after: ImageRecord, names: Names) -> int:
    """Count the masks that came back without something that was said of them; those that did not come back count, too.

    A number that comes back as text is there.
    """
    said = {(a.label, a.rle.counts): a.attributes for a in after.annotations}
    lost = 0
    for a in before.annotations:
        own, back = {k: v for k, v in a.attributes.items() if k != "id"}, said.get((names[a.label], a.rle.counts), {})
        lost += any(back.get(key) not in (value, str(value)) for key, value in own.items())
    return lost


# What a format may hold, one at a time


def _mask(*boxes: tuple[int, int, int, int], without: Sequence[tuple[int, int, int, int]] = ()) -> rle.Rle:
    """Draw boxes (top, bottom, left, right), less others."""
    mask = np.zeros(SIZE, np.uint8)
    for value, several in ((1, boxes), (0, without)):
        for top, bottom, left, right in several:
            mask[top:bottom, left:right] = value
    return rle.encode(mask)


def _content(*masks: tuple[str, rle.Rle], ids: tuple[Any, Any] = (None, None), **about: Any) -> Content:
    """Make an image with masks and one that has a mask of each class, so that no class is without."""
    annotations = tuple(Annotation(label=label, rle=mask, attributes=about.get("said", {})) for label, mask in masks)
    names = about.get("names", ("1", "2"))
    plain = tuple(Annotation(label=name, rle=_mask((2 + 9 * k, 8 + 9 * k, 3, 9))) for k, name in enumerate(names))
    sources = about.get("sources", ({}, {}))
    size = {"height": SIZE[0], "width": SIZE[1]}
    return Content(
        make_classes(names, source_ids=ids),
        (
            ImageRecord(file="a.png", annotations=annotations, source=sources[0], void=about.get("void"), **size),
            ImageRecord(file="b.png", annotations=plain, source=sources[1], **size),
        ),
    )


_BOX, _OTHER = _mask((2, 12, 3, 13)), _mask((8, 20, 8, 22))
_RING = _mask((2, 16, 3, 17), without=[(5, 9, 6, 10)])
FACETS: dict[str, tuple[Content, Callable[[Difference], int]]] = {
    "pixels": (_content(("1", _mask((0, 24, 0, 4), (7, 11, 0, 32), (23, 24, 31, 32)))), lambda found: found.masks),
    "holes": (_content(("1", _RING)), lambda found: found.masks),
    "parts of one object": (_content(("1", _mask((2, 8, 3, 9), (14, 20, 3, 9)))), lambda found: found.shapes),
    "objects of one class": (_content(("1", _BOX), ("1", _mask((14, 20, 3, 9)))), lambda found: found.shapes),
    "overlaps": (_content(("1", _BOX), ("2", _OTHER)), lambda found: found.masks),
    "void pixels": (_content(("1", _BOX), void=_mask((12, 15, 0, 32))), lambda found: found.void),
    "class names": (_content(("Kratzer, tief", _BOX), names=("Kratzer, tief", "β")), lambda found: found.class_names),
    "class ids": (_content(("1", _BOX), ids=(3, 21)), lambda found: found.class_ids),
    "image ids": (_content(("1", _BOX), sources=({"id": 30}, {"id": 7})), lambda found: found.image_ids),
    "attributes": (_content(("1", _BOX), said={"operator": "Ada", "score": 0.5}), lambda found: found.attributes),
}


# The document


def _variants() -> Iterator[tuple[str, str, WriteOptions]]:
    """Yield what is written: its name in the table, the format, its options."""
    for name in (known.name for known in FORMATS):
        yield name, name, WriteOptions()
        if name == "coco":
            for reader in ("pycocotools", "cv2"):
                yield f"coco `--polygons {reader}`", name, WriteOptions(polygons=reader)


def _drawn_by_cv2(made: Conversion, content: Content) -> Content:
    """Take the masks as cv2.fillPoly draws the polygons of a COCO file."""
    top = json.loads(made.annotations.read_text())
    masks = {
        (item["image_id"], item["category_id"], k): [np.reshape(part, (-1, 2)) for part in item["segmentation"]]
        for k, item in enumerate(top["annotations"])
    }
    files = {item["id"]: item["file_name"] for item in top["images"]}
    labels = {item["id"]: item["name"] for item in top["categories"]}
    height, width = SIZE
    records = []
    for record in content.records:
        items = list(zip(top["annotations"], masks.items(), strict=True))
        own = tuple(
            Annotation(
                label=labels[category],
                rle=fill_centres(parts, height=height, width=width),
                attributes={key: value for key, value in item.items() if key in ("operator", "score")},
            )
            for item, ((image, category, _), parts) in items
            if files[image] == record.file
        )
        records.append(replace(record, annotations=own))
    return replace(content, records=tuple(records))


def held(to: str, style: WriteOptions, content: Content, folder: Path) -> tuple[Difference, Conversion]:
    """Write and read again; return what did not come back, and what the conversion told."""
    before = save(content, folder)
    made = convert(before.dataset, folder / "out", to=to, style=style)
    after = load(made)
    return difference(before, _drawn_by_cv2(made, after) if style.polygons == "cv2" else after), made


def rows() -> tuple[list[str], list[str]]:
    """Return the lines of the table, and of what is told."""
    table, said = [], []
    for title, to, style in _variants():
        cells, losses, notes = [], {}, {}
        for content, count in FACETS.values():
            with tempfile.TemporaryDirectory() as folder:
                found, made = held(to, style, content, Path(folder))
            cells.append("no" if count(found) else "yes")
            losses |= {loss.what: None for loss in made.losses}
            notes |= {note.what: None for note in made.notes}
        reader = style.polygons or format_named(to).polygon_reader
        drawn = {"cv2": "cv2.fillPoly"}.get(reader, reader) or "no polygons"
        table.append(f"| {title} | {' | '.join(cells)} | {drawn} |")
        no_place = f" No place: {'; '.join(notes)}." if notes else ""
        said += [f"- {title}: {'; '.join(losses) or 'nothing'}.{no_place}"]
    return table, said


def document() -> str:
    """Return the whole text."""
    table, said = rows()
    heads = ["format", *FACETS, "polygons aim at"]
    return "\n".join(
        [
            "# What each format holds",
            "",
            "Made by `python examples/make_formats.py`, which writes small data sets in each format and reads them again; a",
            'test holds it to the program. "yes" is bit for bit. `coigan-aug convert` counts and names what is a "no" for your',
            "data; with `--strict` it refuses, but for what a format has no place for while it tells the same apart without:",
            "ids of images that it names, of classes that it names or numbers itself; names of classes that keep their ids.",
            "",
            f"| {' | '.join(heads)} |",
            "|---" * len(heads) + "|",
            *table,
            "",
            "What each tells to have lost of them, and what it had no place for, which is no loss to `--strict`:",
            "",
            *said,
            "",
            *NOTES.strip().splitlines(),
            "",
        ]
    )


NOTES = """
## Polygons are drawn differently by different readers

pycocotools fills what lies between the outline's points; cv2.fillPoly takes the points for pixels and draws the outline,
too. An outline for one is a pixel's edge too small or too large for the other. On the 388 defects of the magnetic tiles,
contours of cv2 read by pycocotools keep a mean IoU of 0.83, and corners drawn by cv2.fillPoly 0.87; thin defects vanish. So
`--polygons` names the reader: `pycocotools` (most trainers that read COCO; this program, too) or `cv2` (trainers that draw
with cv2.fillPoly). To the reader named, all 388 come back pixel for pixel (`python examples/measure_polygons.py
magnetic-tile` repeats the figures). A polygon has no holes: parts with holes are cut
through them into pieces side by side, all in one annotation. Where a trainer reads run lengths, leave `--polygons` out.

## What else becomes of the data

- Run lengths in COCO get `iscrowd` 0, which trainers take for objects; 1 means "ignore this region". `--crowd` writes 1.
- Void pixels are neither defect nor clean surface: 255 in Pascal VOC and in index masks, there beside named values, and what
  `--classes` calls `ignore`. A pixel of a mask is never void. In any other format they would be clean surface: a loss.
- Class ids are the source's where the format has ids and all are different whole numbers, 0 included; else 1, 2, ...
- Image and annotation ids stay in COCO where all images, or all annotations, have whole numbers of their own.
- Images come in the order of their names, the masks of an image in the order of their ids, so shuffled rows give the same
  bytes. The order of the classes is the source's. Masks without ids keep the order of the source; of a COCO file without
  ids the program can't tell that it was shuffled.
- An image is called as the source spells it; what is no path inside the folder is called as it was found, and counted.
- Which images are for training stays in COCO (a field of the image), YOLO and VOC; elsewhere a line says that it does not.
  Groups are a workspace's own.
- What else a COCO file says of an image or an annotation stays in COCO, where it is text or a number.
- `--image-files none` writes annotations alone: sizes come from the source where it says them, else from the images, else
  from `--size 256x1600`.
- Beside the output lies `.convert`, by which `--overwrite` knows what it may replace.
"""


if __name__ == "__main__":
    (HERE / "formats.md").write_text(document())
