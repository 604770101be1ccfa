"""YOLO segmentation. Truth: cv2.fillPoly called here, on label files written by hand."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageOps

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import CoiganError, DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.formats.yolo import yolo
from coigan_aug.imaging import write_image
from tests.thorough import tries

H, W = 20, 40
LINE = "1 0.1 0.1 0.6 0.1 0.6 0.75\n"
MASKS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=16), elements=st.integers(0, 1))


def drawn(values: list[float]) -> np.ndarray:
    """Draw a line's polygon as its readers do."""
    corners = np.rint(np.array(values).reshape(-1, 2) * [W, H]).astype(np.int32)
    mask = np.zeros((H, W), np.uint8)
    cv2.fillPoly(mask, [corners], 1)
    return mask


def dataset(folder: Path, files: dict[str, str | bytes | None]) -> Path:
    """Write text files, and black images where nothing is said."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            write_image(path, np.zeros((H, W), np.uint8))
        else:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def opened(path: Path, **options: Any) -> tuple[Source, list[ImageRecord], Problems]:
    problems = Problems()
    source = yolo.read(Reading(path, options=ReadOptions(**options), problems=problems))
    return source, list(source.records), problems


def labels(records: list[ImageRecord]) -> dict[str, list[str]]:
    return {record.file: [a.label for a in record.annotations] for record in records}


YAML = "train: images\nval: images\nnames: [pit, crack]\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"data.yaml": YAML, "images/a.png": None, "labels/a.txt": LINE}, {"images/a.png": ["crack"]}),
        (
            {"data.yaml": "path: .\ntrain: images/train\nval: images/val\nnames:\n  0: pit\n  1: crack\n",
             "images/train/a.png": None, "labels/train/a.txt": LINE, "images/val/b.png": None},
            {"images/train/a.png": ["crack"], "images/val/b.png": []},
        ),
        (
            {"data.yaml": "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['pit', 'crack']\n",
             "train/images/a.png": None, "train/labels/a.txt": LINE, "valid/images/a.png": None,
             "valid/labels/a.txt": ""},
            {"train/images/a.png": ["crack"], "valid/images/a.png": []},
        ),
        (
            {"data.yaml": "train: [images/x, images/y]\nnames: [pit, crack]\n", "images/x/a.png": None,
             "images/y/b.png": None, "labels/y/b.txt": LINE},
            {"images/x/a.png": [], "images/y/b.png": ["crack"]},
        ),
        (
            {"data.yaml": "train: train.txt\nval: val.txt\nnames: [pit, crack]\n", "images/a.png": None,
             "images/b.png": None, "images/c.png": None, "labels/a.txt": LINE, "labels/b.txt": LINE + LINE,
             "train.txt": "./images/b.png\r\n\r\n", "val.txt": "\ufeffimages/a.png\n"},
            {"images/b.png": ["crack", "crack"], "images/a.png": ["crack"]},
        ),
        ({"classes.txt": "pit\r\ncrack\r\n", "images/a.png": None, "labels/a.txt": LINE}, {"images/a.png": ["crack"]}),
        ({"labels/classes.txt": "pit\ncrack\n", "images/a.png": None, "labels/a.txt": LINE},
         {"images/a.png": ["crack"]}),
        ({"obj.names": "pit\ncrack\n", "a.png": None, "a.txt": LINE, "b.png": None}, {"a.png": ["crack"], "b.png": []}),
        ({"data.yaml": "nc: 2\ntrain: images\n", "images/a.png": None, "labels/a.txt": LINE}, {"images/a.png": ["1"]}),
        ({"images/a.png": None, "labels/a.txt": LINE}, {"images/a.png": ["1"]}),
        ({"data.yaml": YAML, "images/höhe 1.PNG": None, "labels/höhe 1.txt": "\ufeff1.0 0 0 1 0 1 1\r\n\r\n"},
         {"images/höhe 1.PNG": ["crack"]}),
    ],
)  # fmt: skip
def test_layouts(tmp_path: Path, files: dict[str, str | None], expected: dict[str, list[str]]) -> None:
    assert detect(dataset(tmp_path, files))[0] == "yolo"
    _, records, problems = opened(tmp_path)
    assert labels(records) == expected
    assert not problems.all


def test_data_yaml_itself_can_be_named_and_its_words_for_the_shares_are_kept(tmp_path: Path) -> None:
    files = {
        "data.yaml": "train: images/t\nvalid: images/v\ntest: images\nnames: [pit, crack]\n",
        "labels/t/a.txt": LINE,
    }
    dataset(tmp_path, files | dict.fromkeys(("images/t/a.png", "images/v/a.png", "images/b.png")))
    source, records, _ = opened(tmp_path / "data.yaml")
    assert {record.file: record.source["split"] for record in records} == {
        "images/t/a.png": "train", "images/v/a.png": "val", "images/b.png": "test",
    }  # fmt: skip
    assert all(record.split == "" for record in records)
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 0), ("crack", 1)]
    assert source.description.startswith("YOLO-seg (data.yaml), 1 label files. Images: ")


def test_images_elsewhere_are_found_by_images(tmp_path: Path) -> None:
    dataset(tmp_path, {"a/data.yaml": YAML, "a/labels/x.txt": LINE, "b/x.png": None, "c/images/x.png": None})
    assert labels(opened(tmp_path / "a", images=tmp_path / "b")[1]) == {"x.png": ["crack"]}
    assert labels(opened(tmp_path / "a", images=tmp_path / "c" / "images")[1]) == {"x.png": ["crack"]}


@pytest.mark.parametrize(
    "values",
    [
        [0.1, 0.1, 0.6, 0.1, 0.6, 0.75],
        [0, 0, 1, 0, 1, 1, 0, 1],
        [0.013, 0.52, 0.987, 0.49, 0.51, 0.02, 0.5, 0.97],
        [0.2, 0.2, 0.8, 0.2, 0.2, 0.8, 0.8, 0.8],
        [0.1, 0.1, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.3, 0.3, 0.3, 0.7, 0.7, 0.7, 0.7, 0.3, 0.3, 0.3],
    ],
)
def test_polygons_are_what_opencv_draws(tmp_path: Path, values: list[float]) -> None:
    line = "0 " + " ".join(map(str, values))
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": line})
    (record,) = opened(tmp_path)[1]
    assert np.array_equal(rle.decode(record.annotations[0].rle), drawn(values))


def test_boxes_and_polygons_without_pixels_are_dropped_and_counted(tmp_path: Path) -> None:
    outside = "0 1.02 0.1 1.02 0.2 1.02 0.3\n"
    files = {"labels/a.txt": "0 0.5 0.5 0.2 0.2\n" + LINE, "labels/b.txt": "1 0.5 0.5 0.1 0.1\n" + outside}
    dataset(tmp_path, {"data.yaml": YAML} | files | dict.fromkeys(("images/a.png", "images/b.png")))
    _, records, problems = opened(tmp_path)
    assert labels(records) == {"images/a.png": ["crack"], "images/b.png": []}
    assert [str(problem) for problem in problems.all] == [
        "labels/a.txt:1  2 lines have a box and no mask; dropped",
        "labels/b.txt:2  1 polygons reach out of their image by a pixel at most; cut",
        "labels/b.txt:2  1 polygons have no pixels in their image; dropped",
    ]


def test_label_files_without_an_image_are_counted(tmp_path: Path) -> None:
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": LINE, "labels/b.txt": LINE})
    _, _, problems = opened(tmp_path)
    assert [str(problem) for problem in problems.all] == ["labels/b.txt  1 label files have no image; left out"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_polygons_are_of_the_image_as_exif_turns_it(tmp_path: Path, orientation: int) -> None:
    stored = Image.fromarray(np.zeros((W, H), np.uint8) if orientation > 4 else np.zeros((H, W), np.uint8))
    exif = stored.getexif()
    exif[0x0112] = orientation
    dataset(tmp_path, {"data.yaml": YAML, "labels/a.txt": LINE})
    (tmp_path / "images").mkdir()
    stored.save(tmp_path / "images" / "a.jpg", exif=exif)
    _, (record,), problems = opened(tmp_path)
    mask = Image.fromarray(rle.decode(record.annotations[0].rle))
    mask.getexif()[0x0112] = orientation
    assert np.array_equal(ImageOps.exif_transpose(mask), drawn([float(v) for v in LINE.split()[1:]]))
    said = [problem.done for problem in problems.all]
    assert said == (["masks turned back to the stored pixels"] if orientation > 1 else [])


@pytest.mark.parametrize(
    "files",
    [
        {"data.yaml": YAML, "Images/a.JPG": None, "Labels/A.TXT": LINE},
        {"data.yaml": YAML.replace("images", "IMAGES/train"), "images/Train/a.PNG": None, "labels/Train/a.txt": LINE},
        {"Labels/a.TXT": LINE, "Images/a.Png": None},
        {"Train/Images/a.JPEG": None, "Train/Labels/a.txt": LINE},
    ],
)
def test_folders_and_suffixes_may_be_in_any_case(tmp_path: Path, files: dict[str, str | bytes | None]) -> None:
    dataset(tmp_path, files)
    assert detect(tmp_path)[0] == "yolo"
    _, records, problems = opened(tmp_path)
    assert [len(record.annotations) for record in records] == [1]
    assert not problems.all


POSE = "0 0.5 0.5 0.2 0.2 0.1 0.1 2 0.3 0.3 1\n"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (YAML, POSE),
        (YAML, POSE.replace("\n", " 0.4 0.4 0\n")),
        (YAML + "kpt_shape: [2, 2]\n", "0 0.5 0.5 0.2 0.2 0.1 0.1 0.3 0.3\n"),
    ],
)
def test_key_points_are_no_polygon(tmp_path: Path, settings: str, line: str) -> None:
    dataset(tmp_path, {"data.yaml": settings, "images/a.png": None, "labels/a.txt": line})
    source, records, problems = opened(tmp_path)
    assert source.description.startswith("YOLO-pose") == ("kpt_shape" in settings)
    assert not records[0].annotations
    assert problems.lost == {"images/a.png"}
    assert str(problems.all[0]) == "labels/a.txt:1  1 lines have a box and key points (pose), and no mask; dropped"


def test_rotated_boxes_are_areas(tmp_path: Path) -> None:
    line = "0 0.3 0.2 0.6 0.3 0.5 0.8 0.2 0.7\n"
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": line})
    source, records, _ = opened(tmp_path)
    assert source.description.startswith("YOLO-OBB (data.yaml)")
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), drawn([float(v) for v in line.split()[1:]]))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 a 0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds 'a', which is not a number"),
        ("0 0.1 nan 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds 'nan', which is not a number"),
        ("0 0.1 1_0 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds '1_0', which is not a number"),
        ("0 0.1 1.2.3 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds something that is not a number"),
        ("0 0.1 1e999 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds a number that is too large"),
        ("0.5 0.1 0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds '0.5', which is not a class number"),
        ("pit 0.1 0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  holds 'pit', which is not a number"),
        ("2 0.1 0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  class 2 is not among the classes 0 (pit), 1 (crack)"),
        ("-1 0.1 0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  class -1 is not among"),
        ("2 0.5 0.5 0.1 0.1", "labels/a.txt:2  class 2 is not among"),
        ("0 0.1 0.1 0.6 0.1 0.6", "labels/a.txt:2  has 5 numbers behind the class; they must be pairs"),
        ("0 0.1 0.1", "labels/a.txt:2  has 1 points; a polygon needs 3"),
        ("0", "labels/a.txt:2  has 0 points"),
        (
            "0 0.1 0.1 1.6 0.1 0.6 0.7",
            "labels/a.txt:2  the value 1.6 is not between 0 and 1, as shares of images/a.png",
        ),
        ("0 0.1 -0.1 0.6 0.1 0.6 0.7", "labels/a.txt:2  the value -0.1 is not between 0 and 1"),
        ("0 4 2 24 2 24 15", "divide x by the width"),
    ],
)
def test_wrong_lines_are_errors_with_their_place(tmp_path: Path, line: str, expected: str) -> None:
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": LINE + line + "\n"})
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert expected in str(caught.value)


def test_clipping_cuts_polygons_that_reach_out(tmp_path: Path) -> None:
    values = [0.5, 0.2, 1.5, 0.2, 1.5, 0.8, 0.5, 0.8]
    line = "0 " + " ".join(map(str, values))
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": line})
    with pytest.raises(DataError, match="--clip-rle cuts"):
        opened(tmp_path)
    _, records, problems = opened(tmp_path, clip_rle=True)
    assert np.array_equal(rle.decode(records[0].annotations[0].rle), drawn(values))
    assert str(problems.all[0]) == "labels/a.txt:1  a polygon reaches 20 px out of images/a.png; cut"


BOMB = "l0: &l0 {a: x}\n" + "".join(f"l{k}: &l{k}\n  <<: [{', '.join([f'*l{k - 1}'] * 9)}]\n" for k in range(1, 12))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"data.yaml": "names: [pit\n"}, "data.yaml:2  is not valid YAML"),
        ({"data.yaml": "- a\n"}, "must hold  key: value  lines"),
        ({"data.yaml": b"\xff\xfe\x00"}, "is not UTF-8 text"),
        ({"data.yaml": "names: !!python/object/apply:os.system [ls]\n"}, "data.yaml:1  is not valid YAML"),
        ({"data.yaml": "a: " + "[" * 3000 + "\n"}, "is not valid YAML"),
        ({"data.yaml": BOMB}, "merge keys (<<) are not read"),
        ({"data.yaml": "names: [" + "x" * 1_000_001 + "]"}, "over 1,000,000 bytes"),
        ({"data.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b]\n"}, "class 0 has no usable name (a list)"),
        ({"data.yaml": "names: pit\n"}, "names is neither a list of class names"),
        ({"data.yaml": "names: [pit, [a]]\n"}, "class 1 has no usable name (a list)"),
        ({"data.yaml": "names: [pit, no]\n"}, "class 1 has no usable name (False)"),
        ({"data.yaml": "names: {a: pit}\n"}, "names holds 'a', which is not a class number"),
        ({"data.yaml": "names: {0: pit, '0': crack}\n"}, "names holds '0', which is not a class number of its own"),
        ({"data.yaml": "names: [pit, pit]\n"}, "several classes are named pit"),
        ({"data.yaml": "names: [pit]\ntrain: 3\n"}, "train is neither a folder"),
        ({"data.yaml": YAML.replace("train: images", "train: t.txt"), "t.txt": "images/a.png\nno.png\n"},
         "no.png (t.txt:2) not found"),
        ({"data.yaml": YAML.replace("train: images", "train: t.txt"), "t.txt": "../../etc/a.png\n"},
         "t.txt:1  the file name '../../etc/a.png' leaves the image folder"),
        ({"data.yaml": YAML.replace("train: images", "train: t.txt"), "t.txt": b"\xff\n"}, "t.txt is not UTF-8 text"),
        ({"data.yaml": YAML, "labels/a.txt": None}, "holds no label file of 1 images (looked for labels/a.txt)"),
        ({"data.yaml": YAML, "images/a.bmp": None, "labels/a.txt": LINE}, "have one label file, labels/a.txt"),
        ({"classes.txt": "pit\npit\n", "labels/a.txt": LINE}, "several classes are named pit"),
        ({"classes.txt": b"\xff\n", "labels/a.txt": LINE}, "classes.txt is not UTF-8 text"),
    ],
)  # fmt: skip
def test_wrong_files_are_errors(tmp_path: Path, files: dict[str, Any], expected: str) -> None:
    if files.get("labels/a.txt", "") is None:
        del files["labels/a.txt"]
    else:
        files.setdefault("labels/a.txt", LINE)
    name = "images/a.jpg" if "images/a.bmp" in files else "images/a.png"
    dataset(tmp_path, {name: None} | files)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert expected in str(caught.value)


@pytest.mark.parametrize("path", ["/etc", "../other", "../../../../etc", "no"])
def test_a_data_set_does_not_leave_its_folder(tmp_path: Path, path: str) -> None:
    dataset(tmp_path, {"other/images/b.png": None, "other/labels/b.txt": LINE})
    files = {"data.yaml": f"path: {path}\n{YAML}", "images/a.png": None, "labels/a.txt": LINE}
    source, records, _ = opened(dataset(tmp_path / "own", files))
    assert labels(records) == {"images/a.png": ["crack"]}
    assert source.image_root == tmp_path / "own"


def test_labels_behind_a_link_that_leads_out_are_refused(tmp_path: Path) -> None:
    dataset(tmp_path, {"secret.txt": LINE, "own/data.yaml": YAML, "own/images/a.png": None})
    (tmp_path / "own" / "labels").mkdir()
    (tmp_path / "own" / "labels" / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DataError, match="leads out of the image folder"):
        opened(tmp_path / "own")


def test_folders_that_data_yaml_names_and_that_are_not_there_are_noted(tmp_path: Path) -> None:
    files = {"data.yaml": "train: images\ntest: ../test/images\nnames: [pit, crack]\n"}
    dataset(tmp_path / "x", files | {"images/a.png": None, "labels/a.txt": LINE})
    _, records, problems = opened(tmp_path / "x")
    assert len(records) == 1
    assert [str(problem) for problem in problems.all] == ["data.yaml  ../test/images is not in x/; left out"]


@pytest.mark.parametrize("name", ["i" * 300, "i" * 300 + "/images", "images/" + "i" * 300 + "/a"])
def test_a_name_that_no_file_can_have_is_one_that_is_not_there(tmp_path: Path, name: str) -> None:
    dataset(
        tmp_path / "x",
        {
            "data.yaml": f"train: images\ntest: {name}\nnames: [pit, crack]\n",
            "images/a.png": None,
            "labels/a.txt": LINE,
        },
    )
    _, records, problems = opened(tmp_path / "x")
    assert len(records) == 1
    assert [str(problem) for problem in problems.all] == [f"data.yaml  {name} is not in x/; left out"]


@pytest.mark.parametrize(
    ("yaml_text", "classes", "expected"),
    [
        (YAML, "crack,pit", ["crack", "pit"]),
        (YAML, "dent=1,hole=0", ["dent", "hole"]),
        ("", "a,b", ["a", "b"]),
        ("", "b=1,a=0", ["b", "a"]),
    ],
)
def test_classes_are_named(tmp_path: Path, yaml_text: str, classes: str, expected: list[str]) -> None:
    files = {"data.yaml": yaml_text} if yaml_text else {}
    dataset(tmp_path, files | {"images/a.png": None, "labels/a.txt": LINE})
    source, records, _ = opened(tmp_path, classes=parse_classes(classes))
    assert [found.name for found in source.classes] == expected
    assert {c.source_id: c.name for c in source.classes}[1] == records[0].annotations[0].label


@pytest.mark.parametrize(
    ("classes", "expected"), [("dent", "no class dent"), ("a=7", "no class 7"), ("pit", "class 1 is not among")]
)
def test_classes_that_the_source_does_not_have_are_refused(tmp_path: Path, classes: str, expected: str) -> None:
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": LINE})
    with pytest.raises(DataError, match=expected):
        opened(tmp_path, classes=parse_classes(classes))


@settings(max_examples=tries(300), deadline=None)
@given(st.lists(st.sampled_from(["0", "1", "7", "0.5", "1.0", "-0.2", "1e9", "nan", ".", "+", "e", "x", "\n", "\r\n"])))
def test_arbitrary_words_give_masks_or_errors_for_people(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("words")
    dataset(folder, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": " ".join(words)})
    with contextlib.suppress(CoiganError):
        opened(folder, clip_rle=True)


def test_ten_megabytes_on_one_line_are_read(tmp_path: Path) -> None:
    line = "0 " + "0.100000 0.100000 0.600000 0.100000 0.600000 0.750000 " * 200_000
    dataset(tmp_path, {"data.yaml": YAML, "images/a.png": None, "labels/a.txt": line})
    (record,) = opened(tmp_path)[1]
    assert (tmp_path / "labels" / "a.txt").stat().st_size > 10_000_000
    assert rle.area(record.annotations[0].rle) > 0


@settings(max_examples=tries(150), deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["labels/a.txt", "data.yaml", "t.txt", "classes.txt"]))
def test_arbitrary_bytes_give_errors_for_people_only(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    files = {"data.yaml": YAML.replace("val: images", "val: t.txt"), "images/a.png": None, "labels/a.txt": LINE}
    dataset(folder, files | {"t.txt": "", name: data})
    if name == "classes.txt":
        (folder / "data.yaml").unlink()
    with contextlib.suppress(CoiganError):
        opened(folder)


# Writing


def record(name: str, *masks: np.ndarray, split: str = "", labels: tuple[str, ...] = ()) -> ImageRecord:
    own = labels or ("pit",) * len(masks)
    annotations = tuple(Annotation(label=label, rle=rle.encode(mask)) for label, mask in zip(own, masks, strict=True))
    return ImageRecord(
        file=name, height=masks[0].shape[0], width=masks[0].shape[1], annotations=annotations, split=split
    )


@settings(max_examples=tries(150), deadline=None)
@given(MASKS)
def test_lines_drawn_by_opencv_are_exactly_the_mask(tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    yolo.write(folder, [record("images/a.png", mask)], classes=make_classes(["pit"], source_ids=[0]))
    height, width = mask.shape
    rounded, cut = np.zeros_like(mask), np.zeros_like(mask)
    for line in (folder / "labels" / "a.txt").read_text().splitlines():
        points = np.array(line.split()[1:], float).reshape(-1, 2)
        assert ((points >= 0) & (points <= 1)).all()
        assert len(points) >= 3
        cv2.fillPoly(rounded, [np.rint(points * [width, height]).astype(np.int32)], 1)
        cv2.fillPoly(cut, [(points * [width, height]).astype(np.int32)], 1)
    assert np.array_equal(rounded, mask)
    assert np.array_equal(cut, mask)


def test_values_of_very_large_images_have_digits_enough(tmp_path: Path) -> None:
    mask = np.zeros((2, 1_000_003), np.uint8)
    mask[:, [0, 333_333, 999_999]] = 1
    yolo.write(tmp_path, [record("images/a.png", mask)], classes=make_classes(["pit"], source_ids=[0]))
    found = np.zeros_like(mask)
    for line in (tmp_path / "labels" / "a.txt").read_text().splitlines():
        points = np.array(line.split()[1:], float).reshape(-1, 2) * [mask.shape[1], 2]
        cv2.fillPoly(found, [np.rint(points).astype(np.int32)], 1)
    assert np.array_equal(found, mask)


@settings(max_examples=tries(60), deadline=None)
@given(st.lists(arrays.arrays(np.uint8, (9, 13), elements=st.integers(0, 1)), max_size=3))
def test_written_masks_are_read_again_part_by_part(
    tmp_path_factory: pytest.TempPathFactory, masks: list[np.ndarray]
) -> None:
    folder = tmp_path_factory.mktemp("yolo")
    write_image(folder / "images" / "ä" / "1.png", np.zeros((9, 13), np.uint8))
    names = ("pit", "böse", "pit")
    written = record("images/ä/1.png", *(masks or [np.zeros((9, 13), np.uint8)]), labels=names[: len(masks) or 1])
    losses = Losses()
    path = yolo.write(folder, [written], classes=make_classes(["pit", "böse"], source_ids=[3, 1]), losses=losses)
    source, (found,), problems = opened(path)
    assert [(c.name, c.source_id) for c in source.classes] == [("pit", 0), ("böse", 1)]
    parts = [(a.label, part) for a in written.annotations for part in split_components(a.rle)]
    assert sorted((a.label, a.rle.counts) for a in found.annotations) == sorted((n, p.counts) for n, p in parts)
    assert not problems.all
    several = sum(len(split_components(a.rle)) > 1 for a in written.annotations)
    empty = sum(rle.area(a.rle) == 0 for a in written.annotations)
    assert [loss.count for loss in losses.lost() if "parts" in loss.what] == [several] * (several > 0)
    assert [loss.count for loss in losses.lost() if "without pixels" in loss.what] == [empty] * (empty > 0)


def test_images_of_the_test_share_are_those_to_validate_with(tmp_path: Path) -> None:
    mask = np.ones((4, 5), np.uint8)
    records = [record("a.png", mask, split="train"), record("train/images/b.png", mask, split="test")]
    yolo.write(tmp_path, records, classes=make_classes(["no"], source_ids=[0]) + make_classes(["pit"], source_ids=[1]))
    assert yaml.safe_load((tmp_path / "data.yaml").read_text()) == {
        "train": "train.txt", "val": "val.txt", "names": {0: "no", 1: "pit"},
    }  # fmt: skip
    assert (tmp_path / "train.txt").read_text() == "./images/a.png\n"
    assert (tmp_path / "val.txt").read_text() == "./train/images/b.png\n"
    for name in ("images/a.png", "train/images/b.png"):
        write_image(tmp_path / name, mask)
    _, found, problems = opened(tmp_path)
    assert {r.file: r.source["split"] for r in found} == {"images/a.png": "train", "train/images/b.png": "val"}
    assert all(np.array_equal(rle.decode(r.annotations[0].rle), mask) for r in found)
    assert not problems.all


def test_images_that_differ_in_their_suffix_only_are_refused(tmp_path: Path) -> None:
    mask = np.ones((4, 5), np.uint8)
    with pytest.raises(DataError, match=r"a\.png and images/a\.jpg would both be written as labels/a\.txt"):
        yolo.write(
            tmp_path,
            [record("images/a.png", mask), record("images/a.jpg", mask)],
            classes=make_classes(["pit"], source_ids=[0]),
        )
