"""Mask images. Truth: the pixels that the test paints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.masks import folder as mask_folder
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.imaging import write_image

SHAPE = (6, 8)


def painted(*boxes: tuple[int, int, int, int], value: int = 255) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = value
    return mask


A, B = painted((1, 1, 4, 3)), painted((5, 0, 8, 6))
BLANK = painted()


def write(folder: Path, files: dict[str, np.ndarray]) -> Path:
    for name, picture in files.items():
        write_image(folder / name, picture)
    return folder


def read(folder: Path, classes: str = "", **options: bool) -> tuple[Source, list[ImageRecord], Problems]:
    problems = Problems()
    choices = parse_classes(classes) if classes else ()
    source = mask_folder.read(Reading(folder, options=ReadOptions(classes=choices, **options), problems=problems))
    records = list(source.records)
    problems.check_broken()
    return source, records, problems


def masks(records: list[ImageRecord]) -> dict[str, dict[str, np.ndarray]]:
    return {record.file: {a.label: rle.decode(a.rle) * 255 for a in record.annotations} for record in records}


def same(found: dict[str, dict[str, np.ndarray]], expected: dict[str, dict[str, np.ndarray]]) -> bool:
    return {k: list(v) for k, v in found.items()} == {k: list(v) for k, v in expected.items()} and all(
        np.array_equal(found[k][label], mask) for k, v in expected.items() for label, mask in v.items()
    )


@pytest.mark.parametrize(
    ("files", "classes", "expected"),
    [
        (
            {"MT_Crack/Imgs/1.jpg": A, "MT_Crack/Imgs/1.png": A, "MT_Pit/2.jpg": B, "MT_Pit/2.png": B,
             "MT_Free/3.jpg": A, "MT_Free/3.png": BLANK},
            ["crack", "pit"],
            {"MT_Crack/Imgs/1.jpg": {"crack": A}, "MT_Pit/2.jpg": {"pit": B}, "MT_Free/3.jpg": {}},
        ),
        ({"1.jpg": A, "1.png": B, "2.jpg": A}, ["defect"], {"1.jpg": {"defect": B}, "2.jpg": {}}),
        (
            {"images/1.png": A, "images/2.png": A, "masks/1.png": B},
            ["defect"],
            {"images/1.png": {"defect": B}, "images/2.png": {}},
        ),
        (
            {"images/x/1.jpg": A, "masks/pit/x/1.png": A, "masks/dent/x/1.png": B},
            ["dent", "pit"],
            {"images/x/1.jpg": {"dent": B, "pit": A}},
        ),
        (
            {"test/cut/0.png": A, "test/good/0.png": A, "ground_truth/cut/0_mask.png": B},
            ["cut"],
            {"test/cut/0.png": {"cut": B}, "test/good/0.png": {}},
        ),
        (
            {"images/1.png": A, "masks/1.png": np.repeat(B[:, :, None], 3, axis=2)},
            ["defect"],
            {"images/1.png": {"defect": B}},
        ),
        ({"images/1.png": A, "masks/1.png": B // 255}, ["defect"], {"images/1.png": {"defect": B}}),
        (
            {"images/x_1.png": A, "images/x.png": A, "masks/x_1_pit.png": A, "masks/x_pit.png": B, "masks/x_dent.png": A},
            ["dent", "pit"],
            {"images/x.png": {"dent": A, "pit": B}, "images/x_1.png": {"pit": A}},
        ),
        (
            {"images/train/1.png": A, "images/val/1.png": A, "masks/train/1.png": A, "masks/val/1_rolled_in.png": B},
            ["defect", "rolled_in"],
            {"images/train/1.png": {"defect": A}, "images/val/1.png": {"rolled_in": B}},
        ),
        ({"1.jpg": A, "1_pit.png": A, "1_dent.png": B}, ["dent", "pit"], {"1.jpg": {"dent": B, "pit": A}}),
        ({"1.png": A, "1_mask.png": B, "2.png": A}, ["defect"], {"1.png": {"defect": B}, "2.png": {}}),
        ({"1.bmp": A, "1.png": A, "1_dent.png": B}, ["defect", "dent"], {"1.bmp": {"defect": A, "dent": B}}),
    ],
)  # fmt: skip
def test_layouts(tmp_path: Path, files: dict[str, np.ndarray], classes: list[str], expected: dict) -> None:
    source, records, problems = read(write(tmp_path, files))
    assert [found.name for found in source.classes] == classes
    assert same(masks(records), expected)
    assert not problems.all
    assert mask_folder.sniff(tmp_path)


def test_grey_edges_are_cut_at_half_and_noted_once(tmp_path: Path) -> None:
    soft = np.where(A > 0, A, 127).astype(np.uint8)
    soft[0, 0] = 128
    _, records, problems = read(write(tmp_path, {f"{k}.{end}": soft for k in range(3) for end in ("jpg", "png")}))
    assert np.array_equal(masks(records)["0.jpg"]["defect"] > 0, soft > 127)
    assert [str(problem) for problem in problems.all] == [
        "0.png  3 masks have grey pixels between 0 and 255; pixels above 127 taken"
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("images/x.jpg", "masks/x_pit_1.png", "masks/x_pit_2.png", "masks/x_pit_10.png"),
        ("images/s/x.jpg", "masks/pit/s/x_1.png", "masks/pit/s/x_2.png", "masks/pit/s/x_10.png"),
        ("images/x.jpg", "masks/pit/x_mask_1.png", "masks/pit/x_pit_2.png", "masks/pit/x_Pit-0010.png"),
        ("x.jpg", "x_pit_1.png", "x_pit_2.png", "x_pit_10.png"),
        ("pit/x.jpg", "pit/x_1.png", "pit/x_2.png", "pit/x_10.png"),
    ],
)
def test_masks_with_numbers_are_objects_of_their_own(tmp_path: Path, names: tuple[str, ...]) -> None:
    both = painted((0, 0, 2, 2), (6, 4, 8, 6))
    source, (record,), problems = read(write(tmp_path, dict(zip(names, (A, A, B, both), strict=True))))
    assert [found.name for found in source.classes] == ["pit"]
    assert [np.array_equal(rle.decode(a.rle) * 255, m) for a, m in zip(record.annotations, (A, B, both), strict=True)]
    assert not problems.all


def test_a_word_that_contradicts_its_folder_makes_no_mask(tmp_path: Path) -> None:
    _, (record,), problems = read(write(tmp_path, {"images/x.png": A, "masks/pit/x.png": A, "masks/pit/x_dent.png": B}))
    assert [a.label for a in record.annotations] == ["pit"]
    assert problems.all[0].what == "the mask masks/pit/x_dent.png has no image"


def test_masks_saved_as_jpeg_are_cut_at_half_and_noted(tmp_path: Path) -> None:
    large = np.zeros((48, 64), np.uint8)
    large[8:40, 8:56] = 255
    files = {"images/1.png": large, "masks/1.jpg": large, "images/2.png": large, "masks/2.jpg": np.zeros_like(large)}
    files |= {"images/3.png": large, "masks/3.jpeg": np.repeat(large[:, :, None], 3, axis=2)}
    _, records, problems = read(write(tmp_path, files))
    assert [np.array_equal(rle.decode(a.rle) * 255, large) for r in records for a in r.annotations] == [True, True]
    assert [str(problem) for problem in problems.all] == [
        "masks/2.jpg  the mask is empty; image kept, without this defect",
        "1.jpg  2 masks are JPEG files, which do not keep pixels as they were; pixels above 127 taken",
    ]
    with pytest.raises(DataError, match=r"1\.jpg is a JPEG, which does not keep values"):
        read(tmp_path, "pit=255")


@pytest.mark.parametrize("classes", ["pit=1,ignore=255", "pit=#010101,ignore=#ffffff"])
def test_values_to_be_ignored_are_void(tmp_path: Path, classes: str) -> None:
    mask = np.where(B > 0, B, A // 255).astype(np.uint8)
    source, (record,), problems = read(write(tmp_path, {"images/1.png": A, "masks/1.png": mask}), classes)
    assert [found.name for found in source.classes] == ["pit"]
    assert same(masks([record]), {"images/1.png": {"pit": A}})
    assert np.array_equal(rle.decode(record.void), mask == 255)
    assert not problems.all


def test_what_one_mask_calls_void_and_another_a_class_is_the_class(tmp_path: Path) -> None:
    border = np.where(B > 0, 255, 0).astype(np.uint8)
    border[1:4, 1:6] = 255
    files = {"images/1.png": A, "masks/x/1.png": A // 255, "masks/y/1.png": border}
    _, (record,), _ = read(write(tmp_path, files), "pit=1,ignore=255")
    assert same(masks([record]), {"images/1.png": {"pit": A}})
    assert np.array_equal(rle.decode(record.void), (border > 0) & (A == 0))


def test_an_empty_mask_in_a_class_folder_is_noted(tmp_path: Path) -> None:
    files = {"pit/1.jpg": A, "pit/1.png": A, "pit/2.jpg": A, "pit/2.png": BLANK}
    _, records, problems = read(write(tmp_path, files))
    assert [len(record.annotations) for record in records] == [1, 0]
    assert [problem.file for problem in problems.all] == ["pit/2.png"]


@pytest.mark.parametrize(
    ("mask", "classes", "expected"),
    [
        (A // 255 + B // 255 * 2, "pit=1,dent=2", {"pit": A, "dent": B}),
        (np.stack([A, B, BLANK], axis=2), "red=#ff0000,green=#00FF00", {"red": A, "green": B}),
        (A // 255, "pit=1", {"pit": A}),
        (A, "pit=255", {"pit": A}),
        (A, "pit=#ffffff", {"pit": A}),
    ],
)
def test_values_and_colours_stand_for_classes(tmp_path: Path, mask: np.ndarray, classes: str, expected: dict) -> None:
    _, records, _ = read(write(tmp_path, {"images/1.png": A, "masks/1.png": mask}), classes)
    assert same(masks(records), {"images/1.png": expected})


def test_palette_masks_are_read_by_number_and_by_colour(tmp_path: Path) -> None:
    write(tmp_path, {"images/1.png": A})
    picture = Image.fromarray(A // 255 + B // 255 * 2).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    (tmp_path / "masks").mkdir()
    picture.save(tmp_path / "masks" / "1.png")
    for classes in ("pit=1,dent=2", "pit=#ff0000,dent=#00ff00"):
        source, records, _ = read(tmp_path, classes)
        assert same(masks(records), {"images/1.png": {"pit": A, "dent": B}})
    assert [found.source_id for found in source.classes] == [None, None]


@pytest.mark.parametrize(
    ("mask", "classes", "expected"),
    [
        (np.stack([A, B, BLANK], axis=2), "", "1.png has colours without a class: (0,255,0), (255,0,0)."),
        (A // 255 + B // 255 * 2, "", "1.png has values without a class: 1, 2."),
        (A // 255 + B // 255 * 2, "pit=1", "1.png has values without a class: 2."),
        (np.stack([A, B, BLANK], axis=2), "pit=#ff0000", "1.png has colours without a class: (0,255,0)."),
        (np.zeros((5, 8), np.uint8), "", "the mask masks/1.png is 5 x 8 pixels, its image images/1.png is 6 x 8"),
    ],
)
def test_masks_that_mean_nothing_are_errors(tmp_path: Path, mask: np.ndarray, classes: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, {"images/1.png": A, "masks/1.png": mask}), classes)
    assert expected in str(caught.value)
    assert "--classes" in caught.value.remedy or "pixels" in expected


@pytest.mark.parametrize("classes", ["pit=red", "pit=0", "pit=300", "pit=#ff00"])
def test_values_that_no_mask_can_have_are_refused(tmp_path: Path, classes: str) -> None:
    with pytest.raises(UsageError, match="a mask's value is 1-255 or a colour"):
        read(write(tmp_path, {"images/1.png": A, "masks/1.png": A}), classes)


@pytest.mark.parametrize(("classes", "expected"), [("hole", "hole"), ("", "defect")])
def test_the_only_class_can_be_named(tmp_path: Path, classes: str, expected: str) -> None:
    source, _, _ = read(write(tmp_path, {"1.jpg": A, "1.png": A}), classes)
    assert [found.name for found in source.classes] == [expected]


def test_masks_without_an_image_are_noted(tmp_path: Path) -> None:
    _, records, problems = read(write(tmp_path, {"images/1.png": A, "masks/1.png": A, "masks/2.png": A}))
    assert len(records) == 1
    assert "masks/2.png has no image" in problems.all[0].what


def test_broken_masks_are_errors_or_their_images_skipped(tmp_path: Path) -> None:
    write(tmp_path, {"images/1.png": A, "masks/1.png": A, "images/2.png": A, "masks/2.png": A})
    broken = tmp_path / "masks" / "1.png"
    broken.write_bytes(broken.read_bytes()[:-15])
    with pytest.raises(DataError, match=r"1\.png is cut off"):
        read(tmp_path)
    _, records, problems = read(tmp_path, skip_broken=True)
    assert [record.file for record in records] == ["images/2.png"]
    assert problems.all[0].done == "image left out"


def test_a_folder_without_masks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images with masks"):
        read(write(tmp_path, {"1.jpg": A}))


def test_written_masks_are_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    classes = make_classes(["pit", "big/dent", "big:dent", "Rest"], source_ids=[4, 2, 1, 0])
    records = []
    for k in range(4):
        pairs = zip(("pit", "big/dent", "pit")[:k], random.random((3, *SHAPE)) < 0.4, strict=False)
        annotations = tuple(Annotation(label=label, rle=rle.encode(mask)) for label, mask in pairs)
        records.append(ImageRecord(file=f"images/s/{k}.jpg", height=6, width=8, annotations=annotations))
        write_image(tmp_path / records[-1].file, BLANK)
    assert mask_folder.write(tmp_path, records, classes=classes) == tmp_path / "masks"
    source, found, problems = read(tmp_path)
    assert not problems.all
    assert [own.name for own in source.classes] == ["pit", "big/dent", "big:dent", "Rest"]
    assert sorted(folder.name for folder in (tmp_path / "masks").iterdir() if folder.is_dir()) == [
        "Rest", "big_dent", "big_dent_", "pit",
    ]  # fmt: skip
    for before, after in zip(records, found, strict=True):
        own = {label: [a.rle for a in before.annotations if a.label == label] for label in ("pit", "big/dent")}
        expected = [(label, rle.union(parts)) for label, parts in own.items() if parts]
        assert [(a.label, a.rle) for a in after.annotations] == expected
    with pytest.raises(DataError, match=r"a\.png and images/a\.jpg would both be written as a\.png"):
        mask_folder.write(
            tmp_path / "twins", [replace(records[0], file=f"images/a.{e}") for e in ("png", "jpg")], classes=()
        )
    assert set(np.unique(cv2.imread(str(tmp_path / "masks/pit/s/3.png"), cv2.IMREAD_UNCHANGED))) == {0, 255}


def test_a_damaged_note_of_the_class_folders_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"images/1.png": A, "masks/pit/1.png": A})
    (tmp_path / "masks/classes.json").write_text("[3]")
    with pytest.raises(DataError, match="does not say which folder is which class"):
        read(tmp_path)


def test_a_class_folder_that_the_note_does_not_name_is_named_after_itself(tmp_path: Path) -> None:
    write(tmp_path, {"images/1.png": A, "masks/pit/1.png": A, "masks/Dent/1.png": B})
    (tmp_path / "masks/classes.json").write_text('{"pit": "Pit"}')
    source, _, _ = read(tmp_path)
    assert [own.name for own in source.classes] == ["dent", "pit"]
