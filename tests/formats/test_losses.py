"""Losses: counted by kind with the first place, told by the writers, refused with strict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import writer
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
    assert [str(loss) for loss in losses.found()] == ["1,201 holes, which are filled (first: a.png)"]


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("coco", {"class ids, which the format does not keep": 2}),
        (
            "severstal",
            {
                "class ids, which the format does not keep": 2,
                "class names, which are not written": 2,
                "masks joined with another of their class in the image": 2,
                "masks with attributes, which are not written": 1,
            },
        ),
        (
            "mask-folder",
            {
                "class ids, which the format does not keep": 2,
                "masks joined with another of their class in the image": 2,
                "masks with attributes, which are not written": 1,
            },
        ),
        (
            "line-json",
            {"class ids, which the format does not keep": 2, "masks with attributes, which are not written": 1},
        ),
        ("labelme", {"class ids, which the format does not keep": 2}),
        ("cvat", {"class ids, which the format does not keep": 2}),
        ("label-studio", {"class ids, which the format does not keep": 2}),
        ("supervisely", {"class ids, which the format does not keep": 1}),
        (
            "yolo",
            {
                "class ids, which the format does not keep": 2,
                "masks with attributes, which are not written": 1,
                "masks of several parts, each of which is an object of its own": 1,
            },
        ),
        (
            "voc",
            {
                "class ids, which the format does not keep": 2,
                "masks with attributes, which are not written": 1,
                "masks that later ones cover in part, which lose those pixels": 1,
            },
        ),
        (
            "mask-index",
            {
                "class ids, which the format does not keep": 2,
                "masks with attributes, which are not written": 1,
                "masks joined with another of their class in the image": 2,
                "classes that others cover in an image, which lose those pixels": 1,
            },
        ),
        (
            "mask-instances",
            {
                "class ids, which the format does not keep": 2,
                "masks with attributes, which are not written": 1,
                "masks are named as another image, which a reader gives them to": 1,
            },
        ),
    ],
)
def test_a_writer_tells_what_its_format_could_not_hold(tmp_path: Path, name: str, lost: dict[str, int]) -> None:
    records = [_record("images/a.png", "pit", "pit", "pit", "scratch"), _record("images/b.png", "pit", area_mm=3)]
    if name in ("yolo", "voc", "mask-index", "mask-instances"):
        records.append(_overlapping("images/a_1.png"))
    losses = Losses()
    writer(name)(tmp_path / "out", records, classes=CLASSES, losses=losses)
    assert {loss.what: loss.count for loss in losses.found()} == lost
    with pytest.raises(DataError, match="the format can't hold"):
        writer(name)(tmp_path / "strict", records, classes=CLASSES, losses=Losses(strict=True))


def test_nothing_is_lost_where_everything_fits(tmp_path: Path) -> None:
    classes, losses = make_classes(["1", "2"], source_ids=[1, 2]), Losses(strict=True)
    for name in ("coco", "severstal", "supervisely"):
        writer(name)(tmp_path / name, [_record("a.png", "1", "2")], classes=classes, losses=losses)
    for name in ("labelme", "cvat", "label-studio"):
        plain = make_classes(["1", "2"], source_ids=[None, None])
        writer(name)(tmp_path / name, [_record("a.png", "1", "2")], classes=plain, losses=losses)
    assert losses.found() == ()
