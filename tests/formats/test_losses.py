"""Losses: counted by kind with the first place, told by the writers, refused with strict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats import names
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.source import make_classes

CLASSES = make_classes(["pit", "scratch"], source_ids=[7, "x"])


def _record(name: str, *labels: str, **attributes: object) -> ImageRecord:
    mask = np.zeros((6, 8), np.uint8)
    annotations = []
    for k, label in enumerate(labels):
        mask[:] = 0
        mask[k, 1:4] = 1
        annotations.append(Annotation(label=label, rle=rle.encode(mask), attributes=attributes))
    return ImageRecord(file=name, height=6, width=8, annotations=tuple(annotations))


def _overlapping(name: str) -> ImageRecord:
    """Return a record of two classes that share a pixel, one in two parts."""
    masks = np.zeros((2, 6, 8), np.uint8)
    masks[0, 0, 0:3] = masks[0, 4, 4] = masks[1, 0, 2:5] = 1
    pairs = zip(("pit", "scratch"), masks, strict=True)
    annotations = tuple(Annotation(label=label, rle=rle.encode(mask)) for label, mask in pairs)
    return ImageRecord(file=name, height=6, width=8, annotations=annotations)


def test_losses_are_counted_by_kind_with_the_first_place() -> None:
    losses = Losses()
    losses.add("holes, which are filled", first="a.png")
    losses.add("holes, which are filled", first="b.png", count=1_200)
    losses.add("parts", first="b.png", count=0)
    losses.note("ids", first="c.png", count=0)
    losses.note("names", first="c.png", count=2)
    assert [str(loss) for loss in losses.lost()] == ["1,201 holes, which are filled (first: a.png)"]
    assert [str(note) for note in losses.noted()] == ["2 names (first: c.png)"]


ANEW, IDS, NAMES = (
    "class ids, which are numbered anew", "class ids, which the format does not keep", "class names, which are not written",
)  # fmt: skip
JOINED = "masks joined with another of their class in the image"
KNOWN = "class names, which their ids stand for"
ATTRIBUTES = "masks with attributes, which are not written"


@pytest.mark.parametrize(
    ("name", "lost", "noted"),
    [
        ("coco", {ANEW: 2}, {}),
        ("severstal", {ANEW: 2, NAMES: 2, JOINED: 2, ATTRIBUTES: 1}, {}),
        ("mask-folder", {JOINED: 2, ATTRIBUTES: 1}, {IDS: 2}),
        ("line-json", {ATTRIBUTES: 1}, {IDS: 2}),
        ("labelme", {}, {IDS: 2}),
        ("cvat", {}, {IDS: 2}),
        ("label-studio", {}, {IDS: 2}),
        ("supervisely", {ANEW: 1}, {}),
        ("yolo", {ATTRIBUTES: 1, "masks of several parts, each of which is an object of its own": 1}, {IDS: 2}),
        ("voc", {ATTRIBUTES: 1, "masks that later ones cover in part, which lose those pixels": 1}, {IDS: 2}),
        (
            "mask-index",
            {ANEW: 2, ATTRIBUTES: 1, JOINED: 2, "classes that others cover in an image, which lose those pixels": 1},
            {},
        ),
        (
            "mask-instances",
            {ATTRIBUTES: 1, "masks are named as another image, which a reader gives them to": 1},
            {IDS: 2},
        ),
    ],
)
def test_a_writer_tells_what_its_format_could_not_hold(
    tmp_path: Path, name: str, lost: dict[str, int], noted: dict[str, int]
) -> None:
    records = [_record("images/a.png", "pit", "pit", "pit", "scratch"), _record("images/b.png", "pit", area_mm=3)]
    if name in ("yolo", "voc", "mask-index", "mask-instances"):
        records.append(_overlapping("images/a_1.png"))
    losses, strict = Losses(), Losses(strict=True)
    format_named(name).write(tmp_path / "out", records, classes=CLASSES, losses=losses)
    assert {loss.what: loss.count for loss in losses.lost()} == lost
    assert {note.what: note.count for note in losses.noted()} == noted
    if not lost:
        format_named(name).write(tmp_path / "strict", records, classes=CLASSES, losses=strict)
        assert strict.noted() == losses.noted()
        return
    with pytest.raises(DataError, match="the format can't hold"):
        format_named(name).write(tmp_path / "strict", records, classes=CLASSES, losses=strict)


@pytest.mark.parametrize("name", names.NAMES)
def test_ids_are_lost_only_where_there_is_a_place_for_them(tmp_path: Path, name: str) -> None:
    """Ids from 1, whole numbers: kept, or told as a note. Places from 0 or 1 that a format gives itself are kept so."""
    classes, losses = make_classes(["pit", "scratch"], source_ids=[1, 2]), Losses(strict=True)
    format_named(name).write(tmp_path / "out", [_record("a.png", "pit", "scratch")], classes=classes, losses=losses)
    kept = ("coco", "supervisely", "voc", "mask-index", "severstal")
    notes = {KNOWN: 2} if name == "severstal" else {} if name in kept else {IDS: 2}
    assert {note.what: note.count for note in losses.noted()} == notes
    places = make_classes(["pit", "scratch"], source_ids=[1, 2] if name == "voc" else [0, 1])
    again = Losses()
    format_named(name).write(tmp_path / "again", [_record("a.png", "pit", "scratch")], classes=places, losses=again)
    if name in ("yolo", "voc", "line-json", "coco", "supervisely"):
        assert again.noted() == again.lost() == ()
    if name == "mask-index":
        assert [str(loss) for loss in again.lost()] == [f"2 {ANEW} (first: pit)"], "0 is the background's"


def test_names_are_lost_in_a_csv_where_no_id_stands_for_them(tmp_path: Path) -> None:
    nameless = make_classes(["pit", "2", "rust"], source_ids=[None, None, 3])
    losses = Losses()
    format_named("severstal").write(tmp_path, [_record("a.png", "pit", "2", "rust")], classes=nameless, losses=losses)
    assert [str(loss) for loss in losses.lost()] == [f"1 {NAMES} (first: pit)"]
    assert [str(note) for note in losses.noted()] == [f"1 {KNOWN} (first: rust)"]


def test_nothing_is_lost_where_everything_fits(tmp_path: Path) -> None:
    classes, losses = make_classes(["1", "2"], source_ids=[1, 2]), Losses(strict=True)
    for name in ("coco", "severstal", "supervisely"):
        format_named(name).write(tmp_path / name, [_record("a.png", "1", "2")], classes=classes, losses=losses)
    for name in ("labelme", "cvat", "label-studio"):
        plain = make_classes(["1", "2"], source_ids=[None, None])
        format_named(name).write(tmp_path / name, [_record("a.png", "1", "2")], classes=plain, losses=losses)
    assert losses.lost() == ()
