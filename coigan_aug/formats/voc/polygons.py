"""Pascal VOC's XML files with polygons, as Roboflow and supervision write them: `<polygon><x1>..</x1><y1>..</y1>...`.

A vertex names a pixel, counted from 1 as the box's corners are, and the outline belongs to the mask: so supervision,
which is Roboflow's, reads such files again (it takes 1 off, rounds, and draws with cv2.fillPoly).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.polygons import Points, fill_on_image
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.drawn import Place, check_outlines, note_short, number_from, with_pixels
from coigan_aug.formats.image_sizes import check_size, measure
from coigan_aug.formats.labels import chosen_labels, class_of, classes_of
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, Source, place
from coigan_aug.formats.voc.files import Layout, open_described, xml_files
from coigan_aug.formats.voc.xml import Listed, read_annotation

_POLYGON = re.compile(rb"<polygon>\s*<[xy][0-9]")
_START = 1 << 20
_LOOKED_AT = 1_000
_SPLITS = {"train": "train", "val": "val", "valid": "val", "test": "test"}


def sniff(path: Path) -> str | None:
    """Describe the folder if XML files with such polygons lie in or below it, else return None."""
    files = list(xml_files(path).values()) if path.is_dir() else []
    looked_at = files[:: len(files) // _LOOKED_AT + 1]
    return "Pascal VOC (XML files with polygons)" if any(_looks_so(path / file) for file in looked_at) else None


def _looks_so(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _POLYGON.search(stream.read(_START)) is not None
    except OSError:
        return False


def read(reading: Reading) -> Source:
    """Open the folder of a data set: the polygons of an object are its mask.

    Objects with a box alone are dropped and counted; images without an XML file are taken as defect-free, which is
    noted. A folder train, valid or test gives an image's split, where no list does.

    Raises:
        DataError: an XML file is damaged or its image missing, broken or of another size; a polygon is malformed or
            lies far outside; --classes does not choose a label.
    """
    layout = open_described(reading)
    described = [item.about for item in layout.items.values() if item.about is not None]
    drawn = [listed.label for about in described for listed in read_annotation(about)[1] if listed.polygons]
    names = chosen_labels(dict.fromkeys(drawn), reading.options.classes)
    count = f"{len(described):,} XML files, {len(drawn):,} objects with polygons"
    return Source(
        format="voc",
        description=f"Pascal VOC ({count}). Images: {layout.folder.root}/",
        classes=classes_of(names, colours={}),
        image_root=layout.folder.root,
        count=len(layout.items),
        records=_records(layout, names),
    )


def _records(layout: Layout, names: Mapping[str, str]) -> Iterator[ImageRecord]:
    for item in layout.items.values():
        stated, objects = read_annotation(item.about) if item.about is not None else (None, [])
        size = measure(layout.reading, layout.folder, item.image, sized=stated is not None)
        if size is None:
            continue
        if stated is not None and item.about is not None:
            check_size(size, stated, image=item.image, file=item.about.name)
        file = item.about.name if item.about is not None else ""
        places = (Place(layout.reading, file, place(file, listed.line), item.image, *size) for listed in objects)
        drawn = [_annotation(listed, names, at) for listed, at in zip(objects, places, strict=True)]
        annotations = tuple(annotation for annotation in drawn if annotation is not None)
        folders = item.image.lower().split("/")[:-1]
        split = item.split or next((_SPLITS[name] for name in folders if name in _SPLITS), "")
        source = {"split": split} if split else {}
        yield ImageRecord(file=item.image, height=size[0], width=size[1], annotations=annotations, source=source)


def _annotation(listed: Listed, names: Mapping[str, str], at: Place) -> Annotation | None:
    if not listed.polygons:
        at.count("objects of XML files have a box and no polygon", done=DROPPED)
        return None
    if not listed.label:
        raise DataError(f"{at.text}  an object of {at.image} has no name.")
    label = class_of(listed.label, names, at.text)
    mask = _mask([_polygon(values, at) for values in listed.polygons], at)
    return None if mask is None else Annotation(label=label, rle=mask, attributes=listed.attributes)


def _mask(polygons: Sequence[Points], at: Place) -> rle.Rle | None:
    """Draw polygons whose vertices are counted from 1, each alone; None where they have no pixels, which is noted."""
    usable = [points - 1 for points in polygons if len(points) > 2]
    if len(usable) < len(polygons):
        note_short(at, few=len(polygons) - len(usable), of=len(polygons))
    if not usable:
        return None
    check_outlines(usable, at)
    from_zero = any(float(np.rint(points).min()) < 0 for points in usable)
    what = "objects have a corner before the first pixel: were their pixels counted from 0?"
    at.count(what, done="taken as counted from 1", count=from_zero)
    return with_pixels(fill_on_image(usable, height=at.height, width=at.width), at)


def _polygon(values: Sequence[tuple[str, str]], at: Place) -> Points:
    """Return the vertices [n, 2] of a polygon in the order of their numbers.

    Raises:
        DataError: it holds something else than an x and a y of each number.
    """
    coordinates = {key: number_from(text, at, key) for key, text in values if re.fullmatch("[xy][0-9]{1,7}", key)}
    numbers = sorted(int(key[1:]) for key in coordinates if key[0] == "x")
    if len(coordinates) != len(values) or {f"{axis}{k}" for k in numbers for axis in "xy"} != coordinates.keys():
        raise DataError(
            f"{at.text} of {at.image}: a polygon is not a list of x1, y1, x2, y2, ... ({len(values)} values)."
        )
    return np.array([(coordinates[f"x{k}"], coordinates[f"y{k}"]) for k in numbers], dtype=np.float64).reshape(-1, 2)
