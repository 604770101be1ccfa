"""Through every pair of formats: masks come back bit for bit, or the writer told exactly what does not come back."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.formats.coco import coco
from coigan_aug.formats.converting import WriteOptions, convert
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.source import make_classes
from tests.thorough import tries

ROOT = Path(__file__).parent.parent.parent
A, B = "Kratzer, groß", "β-Loch"


def _examples() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        return importlib.import_module("make_formats")


formats = _examples()


def _annotation(label: str, mask: np.ndarray, **said: Any) -> Annotation:
    return Annotation(label=label, rle=rle.encode(mask), attributes=said)


def _box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((30, 40), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def nasty() -> Any:
    """Return images and masks that formats stumble over."""
    island = _box(2, 20, 3, 21) - _box(6, 16, 7, 17) + _box(9, 12, 10, 13)
    frame = _box(0, 30, 0, 40) - _box(1, 29, 1, 39)
    two = _box(3, 9, 4, 12) | _box(9, 12, 12, 15) | _box(20, 21, 30, 31)
    first = (
        _annotation(A, island, id=9, score=0.25, note="weiß"),
        _annotation(B, _box(29, 30, 39, 40), id=4),
        _annotation(B, frame, id=5),
        _annotation(A, _box(18, 25, 15, 30), id=2),
        _annotation(A, _box(22, 28, 25, 38), id=3),
    )
    second = (
        _annotation(A, two, id=11),
        _annotation(B, _box(0, 5, 20, 25), id=12),
        _annotation(B, _box(5, 9, 20, 25), id=13),
        _annotation(B, np.eye(30, 40, dtype=np.uint8), id=14),
    )
    line = (_annotation(A, np.ones((1, 9)), id=20), _annotation(B, np.array([[0, 0, 0, 0, 1, 0, 1, 1, 0]]), id=21))
    records = (
        ImageRecord(file="ä ö/ein Bild.png", height=30, width=40, annotations=first, source={"id": 1000}),
        ImageRecord(
            file="sub/deep/2.png",
            height=30,
            width=40,
            annotations=second,
            source={"id": 7},
            void=rle.encode(_box(12, 18, 20, 36) - _box(14, 16, 24, 28)),
        ),
        ImageRecord(file="free.png", height=12, width=5, source={"id": 0}, void=rle.encode(np.eye(12, 5))),
        ImageRecord(file="line.png", height=1, width=9, annotations=line, source={"id": 12}),
    )
    return formats.Content(make_classes([A, B], source_ids=[0, 21]), records)


def _assert_told(told: Any, found: Any) -> None:
    """Ids, names and void are told by their numbers; of objects and attributes, that there is a loss.

    A format that numbers the images itself may by chance give one the id that it had.
    """
    for kind in ("class_ids", "class_names", "void"):
        assert getattr(told, kind) == getattr(found, kind), (kind, told, found)
    assert found.image_ids <= told.image_ids, (told, found)
    for kind in ("shapes", "attributes"):
        assert bool(getattr(told, kind)) == bool(getattr(found, kind)), (kind, told, found)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The nasty data set as a Dataset."""
    return formats.save(nasty(), tmp_path_factory.mktemp("nasty"))


@pytest.fixture(scope="module")
def written(source: Any) -> dict[str, Any]:
    """The nasty data set in each format."""
    return {name: convert(source.dataset, source.dataset.parent / name, to=name) for name in NAMES}


@pytest.fixture(scope="module")
def loaded(written: dict[str, Any]) -> dict[str, Any]:
    """What each of them holds."""
    return {name: formats.load(made) for name, made in written.items()}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_dataset_loses_in_a_format_is_told(
    name: str, source: Any, written: dict[str, Any], loaded: dict[str, Any]
) -> None:
    _assert_told(formats.told(written[name]), formats.difference(source, loaded[name]))


@pytest.mark.parametrize("to", NAMES)
@pytest.mark.parametrize("first", NAMES)
def test_what_one_format_loses_in_another_is_told(
    first: str, to: str, written: dict[str, Any], loaded: dict[str, Any], tmp_path: Path
) -> None:
    path = formats.readable(written[first])
    made = convert(path, tmp_path / "out", to=to)
    assert made.source == first or not format_named(first).sniff(path), (
        "it is recognised, or says that another one reads it"
    )
    _assert_told(formats.told(made), formats.difference(loaded[first], formats.load(made)))
    if first == to:
        assert not formats.told(made).shapes, "what a format gave it can hold"


@pytest.mark.parametrize("name", NAMES)
def test_a_second_conversion_gives_the_same_files(name: str, written: dict[str, Any], tmp_path: Path) -> None:
    again = convert(formats.save(nasty(), tmp_path).dataset, tmp_path / name, to=name).folder
    files = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file() and path.name != ".convert")
    assert files
    assert all((again / path).read_bytes() == (written[name].folder / path).read_bytes() for path in files)
    assert (again / format_named(name).place_of("sub/deep/2.png")).is_file()


def test_the_document_of_the_formats_is_what_they_do() -> None:
    assert (ROOT / "examples" / "formats.md").read_text() == formats.document(), "python examples/make_formats.py"


# The COCO writer, by independent readers


MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 1))


def _record(mask: np.ndarray) -> ImageRecord:
    height, width = mask.shape
    return ImageRecord(file="a.png", height=height, width=width, annotations=(_annotation("x", mask),))


def _write(folder: Path, mask: np.ndarray, **style: Any) -> dict[str, Any]:
    path = coco.write(folder, [_record(mask)], classes=make_classes(["x"], source_ids=[0]), **style)
    return json.loads(path.read_text())


@settings(max_examples=tries(60))
@given(MASKS)
def test_pycocotools_fills_polygons_for_it_to_the_same_mask(tmp_path_factory: Any, mask: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("coco")
    top = _write(folder, mask, polygons="pycocotools")
    if not mask.any():
        assert top["annotations"] == []
        return
    loaded = COCO(str(folder / "annotations.json"))
    (item,) = loaded.loadAnns(loaded.getAnnIds())
    assert np.array_equal(loaded.annToMask(item), mask)
    assert item["area"] == mask.sum()
    assert item["bbox"] == coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask))).tolist()
    assert item["iscrowd"] == 0


@settings(max_examples=tries(60))
@given(MASKS)
def test_cv2_fills_polygons_for_it_to_the_same_mask(tmp_path_factory: Any, mask: np.ndarray) -> None:
    """Whether the reader draws polygon after polygon or all in one call."""
    top = _write(tmp_path_factory.mktemp("coco"), mask, polygons="cv2")
    parts = [np.reshape(part, (-1, 2)).astype(np.int32) for a in top["annotations"] for part in a["segmentation"]]
    one, all_at_once = np.zeros_like(mask), np.zeros_like(mask)
    for part in parts:
        cv2.fillPoly(one, [part], 1)
    cv2.fillPoly(all_at_once, parts, 1)
    assert np.array_equal(one, mask)
    assert np.array_equal(all_at_once, mask)


def test_run_lengths_for_trainers_are_no_crowd_unless_asked_for(tmp_path: Path) -> None:
    mask = _box(2, 9, 3, 9)
    assert [a["iscrowd"] for a in _write(tmp_path, mask)["annotations"]] == [0]
    assert [a["iscrowd"] for a in _write(tmp_path, mask, crowd=True)["annotations"]] == [1]
    loaded = COCO(str(tmp_path / "annotations.json"))
    assert np.array_equal(loaded.annToMask(loaded.loadAnns([1])[0]), mask)


def test_polygons_of_the_nasty_masks_keep_their_parts_in_one_annotation(tmp_path: Path) -> None:
    content = nasty()
    made = convert(
        formats.save(content, tmp_path).dataset, tmp_path / "out", to="coco", style=WriteOptions(polygons="pycocotools")
    )
    assert [loss.what.split(",")[0] for loss in made.losses] == ["images with void pixels"]
    loaded = COCO(str(made.annotations))
    masks = {a.attributes["id"]: rle.decode(a.rle) for record in content.records for a in record.annotations}
    assert {item["id"] for item in loaded.loadAnns(loaded.getAnnIds())} == set(masks)
    for item in loaded.loadAnns(loaded.getAnnIds()):
        assert np.array_equal(loaded.annToMask(item), masks[item["id"]])
    assert set(loaded.imgs) == {1000, 7, 0, 12}
    assert loaded.getCatIds() == [0, 21]
