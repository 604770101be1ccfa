"""COCO. Truth: pycocotools (its rasteriser and its loader), and masks made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.coco import coco
from coigan_aug.formats.coco.extents import note_odd_extents
from coigan_aug.formats.drawn import Place
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.imaging import write_image
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]


def document(**changes: Any) -> dict[str, Any]:
    value = {
        "images": [{"id": 12, "file_name": "a.png", "height": 6, "width": 8}, {"id": "b", "file_name": "b.png"}],
        "categories": [{"id": 0, "name": "pit"}, {"id": 21, "name": "crack"}],
        "annotations": [{"id": 5, "image_id": 12, "category_id": 21, "segmentation": SQUARE, "iscrowd": 0}],
    }
    return value | changes


def annotated(**changes: Any) -> dict[str, Any]:
    item = {"id": 5, "image_id": 12, "category_id": 21, "segmentation": SQUARE} | changes
    return document(annotations=[item])


def opened(folder: Path, value: Any, **options: Any) -> tuple[Source, Problems]:
    for name in ("a.png", "b.png"):
        write_image(folder / "images" / name, np.zeros((6, 8), np.uint8))
    (folder / "c.json").write_text(value if isinstance(value, str) else json.dumps(value))
    problems = Problems()
    return coco.read(Reading(folder / "c.json", options=ReadOptions(**options), problems=problems)), problems


def mask_of(polygons: list[list[float]]) -> np.ndarray:
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, 6, 8)))


RUNS = {"size": [6, 8], "counts": [6, 4, 2, 6, 30]}
PACKED = {"size": [6, 8], "counts": rle.from_runs(6, 8, RUNS["counts"]).counts}


@pytest.mark.parametrize(
    ("segmentation", "expected"),
    [
        (SQUARE, mask_of(SQUARE)),
        (SQUARE[0], mask_of(SQUARE)),
        ([*SQUARE, [5.5, 2.5, 7.9, 2.5, 7.9, 5.9]], mask_of([*SQUARE, [5.5, 2.5, 7.9, 2.5, 7.9, 5.9]])),
        ([*SQUARE, [0, 0, 2, 0, 2, 2, 0, 2]], mask_of([*SQUARE, [0, 0, 2, 0, 2, 2, 0, 2]])),
        (RUNS, rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
        ({"size": [6, 8], "counts": [6, 4, 0, 0, 2, 6, 30, 0]}, rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
        (PACKED, rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
        ([[1, 1], [4, 1], [4, 3], [1, 3]], mask_of(SQUARE)),
        ([[[1, 1], [4, 1], [4, 3], [1, 3]]], mask_of(SQUARE)),
        ([[[1, 1]], [[4, 1]], [[4, 3]], [[1, 3]]], mask_of(SQUARE)),
        ([[[[1, 1]], [[4, 1]], [[4, 3]], [[1, 3]]]], mask_of(SQUARE)),
        ([[[1, 1], [4, 1], [4, 3], [1, 3]], [[5, 2], [8, 2], [8, 6]]], mask_of([*SQUARE, [5, 2, 8, 2, 8, 6]])),
        ([[[1, 1, 4, 1, 4, 3, 1, 3], [5, 2, 8, 2, 8, 6]]], mask_of([*SQUARE, [5, 2, 8, 2, 8, 6]])),
        ([{"x": 1, "y": 1}, {"x": 4, "y": 1}, {"x": 4, "y": 3}, {"x": 1, "y": 3}], mask_of(SQUARE)),
        ([[str(value) for value in SQUARE[0]]], mask_of(SQUARE)),
        (json.dumps(SQUARE), mask_of(SQUARE)),
        ([RUNS], rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
        ([RUNS, {"size": [6, 8], "counts": [0, 2, 46]}], rle.decode(rle.from_runs(6, 8, [0, 2, 4, 4, 2, 6, 30]))),
        ({"size": ["6", 8.0], "counts": [6.0, "4", 2, 6, 30]}, rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
        (PACKED | {"counts": str(PACKED["counts"].encode())}, rle.decode(rle.from_runs(6, 8, RUNS["counts"]))),
    ],
)
@pytest.mark.parametrize("crowd", [0, 1])
def test_segmentations_are_read(tmp_path: Path, segmentation: Any, expected: np.ndarray, crowd: int) -> None:
    source, problems = opened(tmp_path, annotated(segmentation=segmentation, iscrowd=crowd, score=0.5))
    records = list(source.records)
    annotation = records[0].annotations[0]
    assert np.array_equal(rle.decode(annotation.rle), expected)
    assert annotation.attributes == {"id": 5, "score": 0.5} | ({"iscrowd": 1} if crowd else {})
    assert annotation.label == "crack"
    assert [record.source for record in records] == [{"id": 12}, {"id": "b"}]
    assert not problems.all


AREAS, BOXES = "areas are not those of their masks", "boxes are not those of their masks ([left, top, width, height])"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"area": 6, "bbox": [1, 1, 3, 2]}, []),
        ({"area": 6.0, "bbox": [0.5, 0.5, 3.9, 2.9]}, []),
        ({"area": None, "bbox": []}, []),
        ({"area": 9999}, [AREAS]),
        ({"area": "6"}, [AREAS]),
        ({"area": True}, [AREAS]),
        ({"area": 10**400}, [AREAS]),
        ({"bbox": [1, 1, 4, 3]}, []),
        ({"bbox": [4, 3, 8, 6]}, [BOXES]),
        ({"bbox": [1, 1, 3]}, [BOXES]),
        ({"bbox": "1 1 3 2"}, [BOXES]),
        ({"bbox": {"x": 1}}, [BOXES]),
        ({"area": -5000.0, "bbox": [1e300, 0, 0, 0]}, [AREAS, BOXES]),
    ],
)
def test_areas_and_boxes_that_can_not_be_the_masks_are_counted_and_not_taken(
    tmp_path: Path, said: dict[str, Any], expected: list[str]
) -> None:
    item = {"id": 5, "image_id": 12, "category_id": 21, "segmentation": SQUARE}
    source, problems = opened(tmp_path, document(annotations=[item | said, item | {"id": 7} | said]))
    first, second = next(source.records).annotations
    assert first.rle == second.rle == rle.encode(mask_of(SQUARE))
    words = [f"2 {what} (first: annotation 5 of a.png)" for what in expected]
    assert [(found.what, found.done) for found in problems.all] == [(what, "the masks are taken") for what in words]


@settings(max_examples=tries(200))
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 160), st.integers(0, 120)), min_size=3, max_size=12, unique=True), min_size=1,
        max_size=3,
    )
)  # fmt: skip
def test_extents_as_pycocotools_finds_them_are_no_oddity(polygons: list[list[tuple[int, int]]]) -> None:
    flat = [[float(value / 2) for point in points for value in point] for points in polygons]
    found = coco_mask.merge(coco_mask.frPyObjects(flat, 60, 80))
    area, box = int(coco_mask.area(found)), coco_mask.toBbox(found).tolist()
    sides = np.concatenate([np.reshape(part, (-1, 2)) for part in flat])
    drawn = [*sides.min(axis=0).tolist(), *np.ptp(sides, axis=0).tolist()]  # as tools that know polygons alone say it
    mask = rle.canonical(rle.Rle(60, 80, found["counts"].decode()))
    problems = Problems()
    items = [{"area": area, "bbox": box}] + ([{"bbox": drawn}] if len(flat) == 1 and convex(sides) else [])
    at = Place(Reading(Path("c.json"), problems=problems), "c.json", "c.json: annotation 1", "a.png", 60, 80)
    note_odd_extents(items, [mask] * len(items), [at] * len(items))
    assert not problems.all or not area


def convex(points: np.ndarray) -> bool:
    hull = cv2.convexHull(points.astype(np.float32))
    return len(hull) == len(points) and cv2.contourArea(hull) > 50 and bool(np.ptp(points, axis=0).min() >= 5)


def test_ids_and_names_of_classes_are_kept(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, document())
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 0), ("crack", 21)]
    assert source.description == "COCO JSON (2 images, 1 masks, 2 classes). Images: images/ (found beside it)"


@pytest.mark.parametrize(
    ("changes", "what", "done", "kept"),
    [
        ({"segmentation": []}, "1 annotations have a box and no mask (first: id 5)", "dropped", 0),
        ({"segmentation": None}, "have a box and no mask", "dropped", 0),
        ({"segmentation": [[1, 1, 4, 1], *SQUARE]}, "1 polygons have fewer than 3 points", "left off", 1),
        ({"segmentation": [[1, 1, 4, 1]]}, "fewer than 3 points", "dropped", 0),
        ({"segmentation": [[1, 1, 1, 1, 1, 1]]}, "annotation 5 of a.png has no pixels", "dropped", 0),
        ({"segmentation": {"size": [6, 8], "counts": [48]}}, "has no pixels", "dropped", 0),
        ({"segmentation": [[1, 1, 11, 1, 11, 3, 1, 3]]}, "reaches 3 px out of the image", "cut", 1),
    ],
)
def test_odd_annotations_are_noted(tmp_path: Path, changes: dict[str, Any], what: str, done: str, kept: int) -> None:
    source, problems = opened(tmp_path, annotated(**changes))
    assert len(next(source.records).annotations) == kept
    assert len(problems.all) == 1
    assert what in problems.all[0].what
    assert problems.all[0].done == done


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[]", "outermost value is not an object"),
        ('{"images": [}', "c.json:1  is not valid JSON"),
        ('{"images": NaN}', "c.json holds NaN"),
        ("[" * 100_000, "nested too deeply"),
        ({"annotations": []}, "has no list 'images'"),
        (document(images=[3]), "images[0] is not an object"),
        (document(images=[{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}]), "images[1] has the id 1"),
        (
            document(images=[{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]),
            "the same file_name, a.png",
        ),
        (document(images=[{"id": None, "file_name": "a.png"}]), "images[0] has no usable id (None)"),
        (document(images=[{"id": 12}]), "image 12 has no file_name"),
        (
            document(annotations=document()["annotations"] * 2),
            "annotations[1] has the id 5, which annotations[0] has too",
        ),
        (annotated(image_id=99), "annotations[0] is of image 99"),
        (annotated(category_id=99), "has class 99, which is not among the classes 0, 21"),
        (annotated(category_id=[1]), "no usable category_id"),
        (annotated(image_id=12.5), "no usable image_id (12.5)"),
        (json.dumps(annotated()).replace("4, 3", "4, NaN"), "not a list of x, y pairs (it holds NaN)"),
        (json.dumps(annotated()).replace('"image_id": 12', '"image_id": NaN'), "no usable image_id (None)"),
        (
            document(images=[{"id": 12, "file_name": "a.png", "height": "six", "width": 8}]),
            "c.json says six x 8",
        ),
        (document(categories=[{"id": 0, "name": "x"}, {"id": 21, "name": "x"}]), "several categories are named x"),
        (annotated(segmentation="x"), "neither polygons nor run lengths"),
        (annotated(segmentation=[[1, 1, 4, 1, 4]]), "fewer"),
        (annotated(segmentation=[[1, 1, 4, 1, 4, 3, 9]]), "not a list of x, y pairs (7 values)"),
        (annotated(segmentation=[[1, 1, 4, 1, 4, "x"]]), "not a list of x, y pairs"),
        (annotated(segmentation=[[1, 1, 4, 1, 4, 10**400]]), "not a list of x, y pairs"),
        (annotated(segmentation=[[1, 1, 4e8, 1, 4, 3]]), "px out of a.png"),
        (annotated(segmentation={"size": [8, 6], "counts": [48]}), "the mask's size is [8, 6], a.png is 6 x 8"),
        (annotated(segmentation={"size": [6, 8], "counts": [40]}), "cover 40 pixels, the image has 48"),
        (annotated(segmentation={"size": [6, 8], "counts": [40, 10]}), "Was the mask made for another size?"),
        (annotated(segmentation={"size": [6, 8], "counts": [-1, 49]}), "neither text nor whole numbers"),
        (annotated(segmentation={"size": [6, 8], "counts": "zz"}), "compressed RLE string is damaged"),
        (annotated(segmentation={"size": [6, 8]}), "neither text nor whole numbers"),
        (document(images=[{"id": 12, "file_name": "a.png", "height": 8, "width": 6}]), "Was it turned (EXIF)"),
        (document(images=[{"id": 12, "file_name": "a.png", "height": 9, "width": 6}]), "c.json says 9 x 6"),
        (document(images=[{"id": 12, "file_name": "../a.png"}]), "leaves the image folder"),
        (
            document(images=[{"id": 12, "file_name": "no.png"}, {"id": 1, "file_name": "a.png"}]),
            "no.png (c.json) not found",
        ),
        (
            document(images=[{"id": 12, "file_name": "a.png"}, {"id": 1, "file_name": "images/a.png"}]),
            "are the same image",
        ),
    ],
)
def test_wrong_files_are_errors_with_their_place(tmp_path: Path, value: Any, expected: str) -> None:
    if expected == "fewer":
        source, problems = opened(tmp_path, value)
        assert not next(source.records).annotations
        assert "fewer than 3 points" in problems.all[0].what
        return
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, value)[0].records)
    assert expected in str(caught.value)


def test_backslashes_in_counts_that_were_printed_as_bytes_are_single(tmp_path: Path) -> None:
    counts = next(text for n in range(1, 48) if "\\" in (text := rle.from_runs(6, 8, [n, 1, 47 - n]).counts))
    printed = str(counts.encode())
    assert "\\\\" in printed
    source, _ = opened(tmp_path, annotated(segmentation={"size": [6, 8], "counts": printed}))
    assert next(source.records).annotations[0].rle.counts == counts


def test_ids_and_sizes_that_a_table_has_changed_are_those_that_were_meant(tmp_path: Path) -> None:
    images = [{"id": 12.0, "file_name": "a.png", "height": "6", "width": 8.0}, {"id": "7", "file_name": "b.png"}]
    entries = [
        {"id": 5.0, "image_id": "12", "category_id": 21.0, "segmentation": SQUARE},
        {"id": 6, "image_id": 7.0, "category_id": "0", "segmentation": SQUARE, "score": float("nan")},
    ]
    images[1] |= {"height": None, "width": None, "license": float("nan")}
    source, problems = opened(tmp_path, document(images=images, annotations=entries))
    first, second = source.records
    assert (first.source["id"], first.annotations[0].label, first.annotations[0].attributes) == (12, "crack", {"id": 5})
    assert (second.source["id"], second.annotations[0].label, second.annotations[0].attributes) == (
        "7",
        "pit",
        {"id": 6},
    )
    assert type(first.annotations[0].attributes["id"]) is int
    assert [str(problem) for problem in problems.all] == [
        "c.json  2 fields are NaN or Infinity, which JSON has not; taken as not there"
    ]


def test_ids_that_begin_anew_in_each_image_are_counted(tmp_path: Path) -> None:
    own = {"category_id": 21, "segmentation": SQUARE}
    entries = [{"id": k, "image_id": image} | own for image in (12, "b") for k in (1, 2)]
    source, problems = opened(tmp_path, document(annotations=entries))
    assert [len(record.annotations) for record in source.records] == [2, 2]
    assert str(problems.all[0]) == (
        "c.json  2 annotations have an id that one of another image has (first: annotations[2] has the id 1, which"
        " annotations[0] of another image has too); told apart by their images"
    )
    with pytest.raises(DataError, match=r"annotations\[4\] has the id 2, which another of its image has too"):
        opened(tmp_path, document(annotations=[*entries, entries[3]]))


@pytest.mark.parametrize("place", ["D:\\data\\images\\", "/home/x/images/", "\\\\pc\\share\\", "C:/old/a/b/c/"])
@pytest.mark.parametrize("chosen", [True, False])
def test_names_of_another_machine_are_found_by_their_last_parts(tmp_path: Path, place: str, chosen: bool) -> None:
    images = [{"id": 12, "file_name": f"{place}a.png"}, {"id": "b", "file_name": f"{place}b.png"}]
    source, problems = opened(tmp_path, document(images=images), images=tmp_path / "images" if chosen else None)
    assert [record.file.rpartition("/")[2] for record in source.records] == ["a.png", "b.png"]
    assert not problems.all


def test_of_two_images_a_name_of_another_machine_means_the_one_with_more_common_parts(tmp_path: Path) -> None:
    write_image(tmp_path / "other" / "a.png", np.zeros((6, 8), np.uint8))
    write_image(tmp_path / "more" / "a.png", np.zeros((6, 8), np.uint8))
    for place, expected in (("/x/images/", "images/a.png"), ("/x/other/", "other/a.png"), ("/x/", "fits images/a.png")):
        images = [{"id": 12, "file_name": f"{place}a.png"}, {"id": "b", "file_name": "images/b.png"}]
        try:
            assert next(opened(tmp_path, document(images=images), images=tmp_path)[0].records).file == expected
        except DataError as error:
            assert expected in error.message


def test_clipping_cuts_runs_that_leave_the_image(tmp_path: Path) -> None:
    source, problems = opened(tmp_path, annotated(segmentation={"size": [6, 8], "counts": [40, 10**12]}), clip_rle=True)
    assert rle.area(next(source.records).annotations[0].rle) == 8
    assert problems.all[0].done == "cut"


HEADED = ({"id": 0, "name": "pits", "supercategory": "none"}, {"id": 21, "name": "crack", "supercategory": "pits"})


def test_a_category_that_only_heads_the_others_is_no_class(tmp_path: Path) -> None:
    """Roboflow's first one; any other without masks stays a class."""
    source, problems = opened(tmp_path, document(categories=HEADED))
    assert [(found.name, found.source_id) for found in source.classes] == [("crack", 21)]
    assert "1 classes; pits is no class, it heads the others)" in source.description
    assert [annotation.label for record in source.records for annotation in record.annotations] == ["crack"]
    assert not problems.all


@pytest.mark.parametrize(
    "changes",
    [
        {"categories": (HEADED[0], HEADED[1] | {"supercategory": "none"})},
        {"categories": (HEADED[0], HEADED[1] | {"supercategory": "lines"})},
        {"categories": (HEADED[0], HEADED[1], {"id": 22, "name": "line", "supercategory": "none"})},
        {"categories": (HEADED[0] | {"supercategory": "pits"}, HEADED[1])},
        {"categories": (HEADED[0],), "annotations": []},
        {"categories": HEADED, "annotations": [{"image_id": 12, "category_id": 0, "segmentation": SQUARE}]},
    ],
)
def test_any_other_category_is_a_class(tmp_path: Path, changes: dict[str, Any]) -> None:
    source, _ = opened(tmp_path, document(**changes))
    assert [found.name for found in source.classes] == [item["name"] for item in changes["categories"]]
    assert "heads" not in source.description


def test_classes_are_named_and_limited(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, document(), classes=parse_classes("line=21"))
    assert [(found.name, found.source_id) for found in source.classes] == [("line", 21)]
    with pytest.raises(DataError, match="has class 21, which is not among"):
        opened(tmp_path, document(), classes=parse_classes("pit"))
    with pytest.raises(DataError, match="no category dent"):
        opened(tmp_path, document(), classes=parse_classes("dent"))


def test_ten_megabytes_on_one_line_are_read(tmp_path: Path) -> None:
    polygon = [float(v) for v in np.tile([1.25, 1.25, 4.75, 1.25, 4.75, 3.25], 400_001)]
    value = annotated(segmentation=[polygon])
    source, _ = opened(tmp_path, value)
    assert (tmp_path / "c.json").stat().st_size > 10_000_000
    assert rle.area(next(source.records).annotations[0].rle) > 0


def test_written_masks_load_in_pycocotools_and_are_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    classes = make_classes(["scratch", "böse"], source_ids=[20, 3])
    records = []
    for k in range(5):
        masks = [(random.random((7, 11)) < share).astype(np.uint8) for share in (0.05, 0.5, 1)][: k % 4]
        labels = ("scratch", "böse", "scratch")
        annotations = tuple(Annotation(label=a, rle=rle.encode(m)) for a, m in zip(labels, masks, strict=False))
        records.append(ImageRecord(file=f"images/{k}.png", height=7, width=11, annotations=annotations))
        write_image(tmp_path / records[-1].file, np.zeros((7, 11), np.uint8))
    path = coco.write(tmp_path, iter(records), classes=classes)
    loaded = COCO(str(path))
    assert loaded.getCatIds() == [20, 3]
    for image_id, record in enumerate(records, start=1):
        found = loaded.loadAnns(loaded.getAnnIds(imgIds=[image_id]))
        assert loaded.loadImgs([image_id])[0]["file_name"] == record.file
        for item, annotation in zip(found, record.annotations, strict=True):
            mask = rle.decode(annotation.rle)
            assert np.array_equal(loaded.annToMask(item), mask)
            assert item["area"] == mask.sum()
            assert item["bbox"] == coco_mask.toBbox(coco_mask.encode(np.asfortranarray(mask))).tolist()
            assert item["iscrowd"] == 0
    source = coco.read(Reading(path, options=ReadOptions(images=tmp_path)))
    assert source.classes == classes
    for before, after in zip(records, source.records, strict=True):
        assert [(a.label, a.rle) for a in after.annotations] == [(a.label, a.rle) for a in before.annotations]


def test_an_empty_set_is_written_as_valid_coco(tmp_path: Path) -> None:
    path = coco.write(tmp_path, [], classes=make_classes(["a"], source_ids=["x"]))
    assert json.loads(path.read_text()) == {"categories": [{"id": 1, "name": "a"}], "annotations": [], "images": []}


def test_masks_of_many_images_are_those_that_pycocotools_fills(tmp_path: Path) -> None:
    draw = np.random.default_rng(6)
    images, annotations = [], []
    for k in range(40):
        height, width = (int(side) for side in draw.integers(5, 40, 2))
        images.append({"id": k, "file_name": f"{k}.png", "height": height, "width": width})
        write_image(tmp_path / "images" / f"{k}.png", np.zeros((height, width), np.uint8))
        for _ in range(int(draw.integers(0, 9))):
            polygons = [(draw.random((int(draw.integers(3, 9)), 2)) * [width, height]).ravel() for _ in range(2)]
            value = [polygon.round(2).tolist() for polygon in polygons[: int(draw.integers(1, 3))]]
            annotations.append({"id": len(annotations), "image_id": k, "category_id": 1, "segmentation": value})
    draw.shuffle(annotations)  # type: ignore[arg-type]
    value = {"images": images, "categories": [{"id": 1, "name": "a"}], "annotations": annotations}
    (tmp_path / "c.json").write_text(json.dumps(value))
    source = coco.read(Reading(tmp_path / "c.json"))
    truth = COCO(str(tmp_path / "c.json"))
    count = 0
    for record in source.records:
        own = [item for item in annotations if item["image_id"] == record.source["id"] and truth.annToMask(item).any()]
        assert [found.attributes["id"] for found in record.annotations] == [item["id"] for item in own]
        for found, item in zip(record.annotations, own, strict=True):
            assert np.array_equal(rle.decode(found.rle), truth.annToMask(item))
            count += 1
    assert count > 100


@pytest.mark.parametrize(
    "wrong", [[1, 1, 4, 1, 4, 3, 9], [1, 1, 4, 1, 4, "3x"], [1, 1, 4, 1, 4, True], [1, 1, 4, 1, 4, 1e300]]
)
def test_a_wrong_polygon_among_many_is_named(tmp_path: Path, wrong: list[Any]) -> None:
    annotations = [{"id": k, "image_id": 12, "category_id": 21, "segmentation": SQUARE} for k in range(300)]
    annotations[170]["segmentation"] = [*SQUARE, wrong]
    with pytest.raises(DataError, match=r"c\.json: annotation 170 of a\.png: a polygon is not a list of x, y pairs"):
        list(opened(tmp_path, document(annotations=annotations))[0].records)


def test_attributes_of_any_size_are_written_and_read_again(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, annotated(score=2**80, note={"a": [1, None, "ö"]}))
    path = coco.write(tmp_path / "out", source.records, classes=source.classes)
    again = coco.read(Reading(path, options=ReadOptions(images=tmp_path / "images")))
    assert next(again.records).annotations[0].attributes == {"id": 1, "score": 2**80, "note": {"a": [1, None, "ö"]}}
