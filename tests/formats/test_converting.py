"""Converting: order, ids and names, images at hand or not, memory, and a folder that is whole or not there."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats import names
from coigan_aug.formats.coco import checking
from coigan_aug.formats.converting import Conversion, WriteOptions, convert
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions, make_classes, parse_classes
from coigan_aug.formats.spool import Spool
from coigan_aug.imaging import write_image
from coigan_aug.store.writer import write_dataset

NAMES = ("b/2.png", "a.png", "c.png", "b/10.png")


def _mask(seed: int) -> rle.Rle:
    return rle.encode(np.random.default_rng(seed).random((6, 8)) < 0.4)


def _files(folder: Path, names: tuple[str, ...] = NAMES) -> None:
    for name in names:
        write_image(folder / name, np.zeros((6, 8), np.uint8))


def _coco(folder: Path, *, order: int = 0, **change: Any) -> Path:
    """Write a COCO file over NAMES, its rows shuffled by `order`."""
    _files(folder / "img")
    images = [{"id": 50 - k, "file_name": name, "height": 6, "width": 8} for k, name in enumerate(NAMES)]
    annotations = [
        {"id": 100 - k, "image_id": 50 - k % 3, "category_id": k % 2, "segmentation": _coco_mask(k)} for k in range(7)
    ]
    top = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 0, "name": "pit"}, {"id": 1, "name": "ß"}],
    }
    top |= change
    random.Random(order).shuffle(top["images"])
    random.Random(order).shuffle(top["annotations"])
    path = folder / "c.json"
    path.write_text(json.dumps(top))
    return path


def _coco_mask(seed: int) -> dict[str, Any]:
    return {"size": [6, 8], "counts": _mask(seed).counts}


def _bytes(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".convert"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _losses(made: Conversion) -> dict[str, int]:
    return {loss.what: loss.count for loss in made.losses}


@pytest.mark.parametrize("to", ["coco", "severstal", "line-json", "mask-folder"])
def test_shuffled_rows_give_the_same_bytes(tmp_path: Path, to: str) -> None:
    folders = [convert(_coco(tmp_path / str(k), order=k), tmp_path / f"out{k}", to=to).folder for k in range(3)]
    assert _bytes(folders[0])
    assert _bytes(folders[0]) == _bytes(folders[1]) == _bytes(folders[2])


def test_shuffled_rows_of_a_csv_give_the_same_bytes(tmp_path: Path) -> None:
    first = convert(_coco(tmp_path), tmp_path / "csv", to="severstal").annotations
    head, *rows = first.read_text().splitlines()
    again = tmp_path / "csv" / "again.csv"
    again.write_text("\n".join([head, *rows[::-1]]) + "\n")
    folders = [convert(path, tmp_path / path.stem, to="coco").folder for path in (first, again)]
    assert _bytes(folders[0]) == _bytes(folders[1])


def test_ids_of_images_masks_and_classes_and_names_stay(tmp_path: Path) -> None:
    path = _coco(tmp_path)
    made = convert(path, tmp_path / "out", to="coco")
    before, after = json.loads(path.read_text()), json.loads(made.annotations.read_text())
    assert after["categories"] == before["categories"]
    ids = {item["id"]: f"images/{item['file_name']}" for item in before["images"]}
    assert {item["id"]: item["file_name"] for item in after["images"]} == ids
    assert [item["file_name"] for item in after["images"]] == [f"images/{name}" for name in sorted(NAMES)]
    masks = {item["id"]: (item["image_id"], item["segmentation"]) for item in before["annotations"]}
    assert {item["id"]: (item["image_id"], item["segmentation"]) for item in after["annotations"]} == masks
    assert made.losses == ()
    assert made.images == 4
    assert made.masks == 7
    assert made.defect_free == 1


@pytest.mark.parametrize("ids", [["x", 1, 2, 3], [-1, 1, 2, 3], [1 << 70, 1, 2, 3]])
def test_image_ids_that_are_no_whole_numbers_are_numbered_anew_and_told(tmp_path: Path, ids: list[Any]) -> None:
    images = [{"id": own, "file_name": name, "height": 6, "width": 8} for own, name in zip(ids, NAMES, strict=True)]
    made = convert(_coco(tmp_path, images=images, annotations=[]), tmp_path / "out", to="coco")
    assert [item["id"] for item in json.loads(made.annotations.read_text())["images"]] == [1, 2, 3, 4]
    assert _losses(made) == {"image ids, which are numbered anew": 4}


def test_crowd_marks_are_told_and_can_be_written(tmp_path: Path) -> None:
    crowd = {"id": 1, "image_id": 50, "category_id": 0, "segmentation": _coco_mask(1), "iscrowd": 1, "score": 0.5}
    path = _coco(tmp_path, annotations=[crowd])
    plain = convert(path, tmp_path / "plain", to="coco")
    assert _losses(plain) == {"crowd marks (iscrowd 1), which are written as 0": 1}
    kept = convert(path, tmp_path / "kept", to="coco", style=WriteOptions(crowd=True))
    assert kept.losses == ()
    (item,) = json.loads(kept.annotations.read_text())["annotations"]
    assert (item["iscrowd"], item["score"]) == (1, 0.5)


# Names of files


@pytest.mark.parametrize(
    ("said", "lies", "called", "lost"),
    [
        ("a.png", "a.png", "a.png", 0),
        ("a.png", "part/a.png", "a.png", 0),
        ("img/a.png", "a.png", "img/a.png", 0),
        ("images/a.png", "images/a.png", "a.png", 0),
        ("./a.png", "a.png", "a.png", 1),
        ("part\\a.png", "part/a.png", "part/a.png", 1),
    ],
)
def test_an_image_is_called_as_the_source_spells_it(
    tmp_path: Path, said: str, lies: str, called: str, lost: int
) -> None:
    write_image(tmp_path / "img" / lies, np.zeros((6, 8), np.uint8))
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"images": [{"id": 1, "file_name": said}], "annotations": [], "categories": []}))
    made = convert(path, tmp_path / "out", to="coco", options=ReadOptions(images=tmp_path / "img"))
    assert json.loads(made.annotations.read_text())["images"][0]["file_name"] == f"images/{called}"
    assert (tmp_path / "out/images" / called).is_file()
    assert _losses(made) == ({"file names, which the source spells otherwise": lost} if lost else {})


def test_images_that_are_spelled_alike_are_called_as_they_lie(tmp_path: Path) -> None:
    names = ("part/a.png", "a.png")
    _files(tmp_path / "img", names)
    records = [ImageRecord(file=name, height=6, width=8, source={"name": "a.png"}) for name in names]
    write_dataset(tmp_path / "set", records, classes=[], image_root=tmp_path / "img", provenance={})
    made = convert(tmp_path / "set", tmp_path / "out", to="coco")
    found = [item["file_name"] for item in json.loads(made.annotations.read_text())["images"]]
    assert found == ["images/a.png", "images/part/a.png"]
    assert _losses(made) == {"file names, which the source spells otherwise": 1}


def test_an_image_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    _files(tmp_path / "img", ("a.png",))
    records = [ImageRecord(file="a.png", height=6, width=8, source={"name": name}) for name in ("a.png", "b.png")]
    write_dataset(tmp_path / "set", records, classes=[], image_root=tmp_path / "img", provenance={})
    with pytest.raises(DataError, match=r"the image a\.png is in the source twice"):
        convert(tmp_path / "set", tmp_path / "out", to="coco")
    assert not (tmp_path / "out").exists()


def test_formats_that_drop_suffixes_refuse_names_that_differ_in_them_alone(tmp_path: Path) -> None:
    names = ("a.bmp", "a.tif", "a b.bmp")
    _files(tmp_path / "img", names)
    records = [ImageRecord(file=name, height=6, width=8) for name in names]
    write_dataset(tmp_path / "set", records, classes=[], image_root=tmp_path / "img", provenance={})
    with pytest.raises(DataError, match=r"images/a\.bmp and images/a\.tif would both be written as a\.png"):
        convert(tmp_path / "set", tmp_path / "out", to="mask-folder")
    assert convert(tmp_path / "set", tmp_path / "out", to="coco").images == 3


def test_a_record_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    _files(tmp_path, ("out.png", "img/a.png"))
    record = ImageRecord(file="../out.png", height=6, width=8)
    write_dataset(tmp_path / "set", [record], classes=[], image_root=tmp_path / "img", provenance={})
    with pytest.raises(DataError, match="leaves the image folder"):
        convert(tmp_path / "set", tmp_path / "made", to="coco")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["img", "out.png", "set"]


def test_what_is_said_of_an_image_stays_in_coco_where_it_is_plain_and_is_told_where_not(tmp_path: Path) -> None:
    _files(tmp_path / "img", ("a.png", "b.png"))
    records = [
        ImageRecord(file="a.png", height=6, width=8, split="train", source={"base": "b.png", "seed": 3}),
        ImageRecord(file="b.png", height=6, width=8, split="test", source={"region": [1, 2]}),
    ]
    write_dataset(tmp_path / "set", records, classes=[], image_root=tmp_path / "img", provenance={})
    first = convert(tmp_path / "set", tmp_path / "coco", to="coco")
    assert _losses(first) == {"images with notes beside their masks, which are not written": 1}
    assert not first.split_lost
    images = json.loads(first.annotations.read_text())["images"]
    assert [(item["split"], item.get("base"), item.get("seed")) for item in images] == [
        ("train", "b.png", 3),
        ("test", None, None),
    ]
    second = convert(first.annotations, tmp_path / "again", to="coco")
    assert json.loads(second.annotations.read_text())["images"] == images
    third = convert(second.annotations, tmp_path / "csv", to="severstal")
    assert third.split_lost
    assert _losses(third)["images with notes beside their masks, which are not written"] == 1
    yolo = convert(second.annotations, tmp_path / "yolo", to="yolo")
    assert not yolo.split_lost
    assert (yolo.folder / "val.txt").read_text() == "./images/b.png\n"


# Images at hand or not


def test_links_share_the_images_bytes(tmp_path: Path) -> None:
    made = convert(_coco(tmp_path), tmp_path / "out", to="line-json", image_files="link")
    assert (made.folder / "data/b/2.png").samefile(tmp_path / "img/b/2.png")


def test_images_that_cannot_be_linked_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def across(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", across)
    with pytest.raises(UsageError, match="cross-device") as caught:
        convert(_coco(tmp_path), tmp_path / "out", to="coco", image_files="link")
    assert caught.value.remedy == "--image-files copy"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.json", "img"]


def test_without_images_sizes_come_from_the_annotations_and_names_stay(tmp_path: Path) -> None:
    path = _coco(tmp_path).rename(tmp_path / "alone.json")
    for image in (tmp_path / "img").rglob("*.png"):
        image.unlink()
    made = convert(path, tmp_path / "out", to="coco", image_files="none")
    assert made.description.endswith("Images: none looked at")
    after = json.loads(made.annotations.read_text())
    assert [item["file_name"] for item in after["images"]] == sorted(NAMES)
    assert not (made.folder / "images").exists()
    with pytest.raises(DataError, match=r"none of the images named in alone\.json"):
        convert(path, tmp_path / "copied", to="coco")


def test_a_csv_without_images_needs_their_size(tmp_path: Path) -> None:
    whole = convert(_coco(tmp_path), tmp_path / "csv", to="severstal")
    alone = tmp_path / "far" / "away" / "a.csv"
    alone.parent.mkdir(parents=True)
    alone.write_bytes(whole.annotations.read_bytes())
    with pytest.raises(DataError, match="lies beside it"):
        convert(alone, tmp_path / "out", to="coco", image_files="none")
    made = convert(alone, tmp_path / "out", to="coco", image_files="none", options=ReadOptions(size=(6, 8)))
    assert made.images == 3
    again = convert(whole.annotations, tmp_path / "again", to="coco", image_files="none")
    masks = [
        {(item["category_id"], item["segmentation"]["counts"]) for item in json.loads(path.read_text())["annotations"]}
        for path in (made.annotations, again.annotations)
    ]
    assert masks[0] == masks[1]
    lines = convert(alone, tmp_path / "l", to="line-json", image_files="none", options=ReadOptions(size=(6, 8)))
    size = ReadOptions(size=(6, 8))
    back = open_source(lines.annotations, options=size, problems=Problems())
    assert back.count == 3
    assert {a.rle.counts for record in back.records for a in record.annotations} == {own for _, own in masks[0]}
    with pytest.raises(DataError, match="RLE run"):
        convert(alone, tmp_path / "small", to="coco", image_files="none", options=ReadOptions(size=(3, 8)))


def test_images_without_a_mask_are_told_where_nothing_names_them(tmp_path: Path) -> None:
    made = convert(_coco(tmp_path), tmp_path / "out", to="severstal", image_files="none")
    assert _losses(made)["images without a mask, which only their files would tell of"] == 1
    whole = convert(_coco(tmp_path), tmp_path / "whole", to="severstal")
    assert "images without a mask, which only their files would tell of" not in _losses(whole)


def test_an_image_missing_from_a_dataset_is_an_error_or_skipped(tmp_path: Path) -> None:
    _files(tmp_path / "img", ("a.png",))
    records = [ImageRecord(file=name, height=6, width=8) for name in ("a.png", "b.png")]
    write_dataset(tmp_path / "set", records, classes=[], image_root=tmp_path / "img", provenance={})
    with pytest.raises(DataError, match=r"b\.png not found in img/") as caught:
        convert(tmp_path / "set", tmp_path / "out", to="coco")
    assert "--skip-missing" in caught.value.remedy
    made = convert(tmp_path / "set", tmp_path / "out", to="coco", options=ReadOptions(skip_missing=True))
    assert made.images == 1
    assert [problem.done for problem in made.problems] == ["image left out"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_but_upright_is_told_where_the_formats_program_turns_images(
    tmp_path: Path, orientation: int
) -> None:
    """EXIF (CIPA DC-008): 1 is upright, 2 to 8 are mirrored or turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in NAMES:
        (tmp_path / "img" / name).parent.mkdir(parents=True, exist_ok=True)
    source = _coco(tmp_path)
    for name in NAMES:
        Image.new("L", (8, 6)).save(tmp_path / "img" / name, exif=exif)
    said = "images that EXIF turns when they are shown, so that their masks lie elsewhere"
    made = convert(source, tmp_path / "out", to="labelme")
    assert _losses(made).get(said, 0) == (made.images - made.defect_free if orientation > 1 else 0)
    assert said not in _losses(convert(source, tmp_path / "coco", to="coco"))


# A Dataset's classes


def _dataset(folder: Path) -> Path:
    _files(folder / "img", ("a.png",))
    annotations = tuple(Annotation(label=name, rle=_mask(k)) for k, name in enumerate(("Pit", "dent")))
    record = ImageRecord(file="a.png", height=6, width=8, annotations=annotations)
    classes = make_classes(["Pit", "dent"], source_ids=[4, 9])
    write_dataset(folder / "coigan/dataset", [record], classes=classes, image_root=folder / "img", provenance={})
    return folder / "coigan"


@pytest.mark.parametrize(
    ("classes", "names", "ids"),
    [
        ("Pit,dent", ["Pit", "dent"], [4, 9]),
        ("hole=pit,dent=9", ["hole", "dent"], [4, 9]),
        ("dent,Pit", ["dent", "Pit"], [9, 4]),
    ],
)
def test_classes_of_a_workspace_are_renamed_and_ordered(
    tmp_path: Path, classes: str, names: list[str], ids: list[int]
) -> None:
    options = ReadOptions(classes=parse_classes(classes))
    made = convert(_dataset(tmp_path), tmp_path / "out", to="coco", options=options)
    found = json.loads(made.annotations.read_text())["categories"]
    assert [(item["name"], item["id"]) for item in found] == list(zip(names, ids, strict=True))
    assert made.source == "dataset"


@pytest.mark.parametrize(
    ("classes", "says"),
    [("Pit", "has class dent, which is not among"), ("Pit,dnt", "has no class dnt; it has Pit, dent")],
)
def test_classes_that_a_workspace_does_not_have_are_refused(tmp_path: Path, classes: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        convert(_dataset(tmp_path), tmp_path / "out", to="coco", options=ReadOptions(classes=parse_classes(classes)))


# Memory


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_LARGEST", 0)  # beyond it a file is not opened by pycocotools, which keeps all of it
    peaks = []
    for count in (300, 800):
        folder = tmp_path / str(count)

        def records(count: int = count) -> Iterator[ImageRecord]:
            for k in range(count):
                said = Annotation(label="x", rle=_mask(k), attributes={"id": k + 1, "note": "n" * 200})
                yield ImageRecord(file=f"{k % 7}/{k:06d}.png", height=6, width=8, annotations=(said,), source={"id": k})

        write_dataset(folder, records(), classes=make_classes(["x"], source_ids=[0]), image_root=folder, provenance={})
        tracemalloc.start()
        made = convert(folder, tmp_path / f"out{count}", to="coco", image_files="none")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert made.images == count
        assert made.losses == ()
    assert peaks[1] < peaks[0] + 500 * 100, "an image more costs less than its line"


def test_a_spool_leaves_no_file(tmp_path: Path) -> None:
    with Spool(tmp_path / "s") as spool:
        spool.add(ImageRecord(file="b", height=1, width=1), name="b")
        spool.add(ImageRecord(file="a", height=1, width=1), name="a")
        assert [name for name, _ in spool] == ["a", "b"]
    assert list(tmp_path.iterdir()) == []


# Whole or not there


def _killed(folder: Path, source: Path, *, at: int, overwrite: bool) -> None:
    """Convert in a process that kills itself before its rename number `at` of the folder."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom coigan_aug.formats.converting import convert\n"
        "rename, done = Path.rename, []\n"
        "def dying(self, target):\n"
        f"    if len(done) == {at}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    done.append(target)\n    return rename(self, target)\n"
        "Path.rename = dying\n"
        f"convert(Path(sys.argv[1]), Path(sys.argv[2]), to='coco', overwrite={overwrite})\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code, str(source), str(folder)], env=environment, check=False)
    assert done.returncode == -9


def test_a_kill_before_the_rename_leaves_nothing_and_the_same_command_finishes(tmp_path: Path) -> None:
    source = _coco(tmp_path / "a")
    expected = _bytes(convert(source, tmp_path / "expected", to="coco").folder)
    _killed(tmp_path / "out", source, at=0, overwrite=False)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.convert").exists()
    assert _bytes(convert(source, tmp_path / "out", to="coco").folder) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "expected", "out"]


@pytest.mark.parametrize("at", [0, 1])
def test_a_kill_while_replacing_brings_the_old_or_the_new_back(tmp_path: Path, at: int) -> None:
    old, new = _coco(tmp_path / "a"), _coco(tmp_path / "b", annotations=[])
    before = _bytes(convert(old, tmp_path / "out", to="coco").folder)
    _killed(tmp_path / "out", new, at=at, overwrite=True)
    with pytest.raises(UsageError, match="out/ already holds 4 images as coco"):
        convert(new, tmp_path / "out", to="coco")
    assert _bytes(tmp_path / "out") == before
    convert(new, tmp_path / "out", to="coco", overwrite=True)
    assert _bytes(tmp_path / "out") != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "out"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the format can't hold masks joined"):
        convert(_coco(tmp_path / "a"), tmp_path / "out", to="mask-folder", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A plain set in each format: an image a mask, two classes, ids from 1; told apart by its name or ids."""
    folder = tmp_path_factory.mktemp("plain")
    masks = [{"size": [6, 8], "counts": rle.encode(np.eye(6, 8, k, np.uint8)).counts} for k in range(4)]
    own = [{"id": k + 1, "image_id": 50 - k, "category_id": k % 2 + 1, "segmentation": masks[k]} for k in range(4)]
    source = _coco(folder, annotations=own, categories=[{"id": 1, "name": "pit"}, {"id": 2, "name": "ß"}])
    made = {name: convert(source, folder / name, to=name) for name in names.NAMES}
    return {name: one.annotations if one.annotations.is_file() else one.folder for name, one in made.items()}


NAMES_LOST = dict.fromkeys(("labelme", "cvat", "label-studio", "via", "mask-folder", "mask-instances"), "class names")
REFUSED = {"severstal": NAMES_LOST, "mask-index": {"yolo": "class ids", "line-json": "class ids"}}


@pytest.mark.parametrize("to", names.NAMES)
def test_strict_refuses_no_plain_set_but_where_something_is_lost(
    plain: dict[str, Path], tmp_path: Path, to: str
) -> None:
    """Names without ids have no number in a CSV that is theirs; classes numbered from 0 can't be so where 0 is none."""
    refused = {}
    for name, path in plain.items():
        options = ReadOptions(classes=parse_classes("pit=1,ß=2") if name == "severstal" else ())
        try:
            made = convert(path, tmp_path / name, to=to, format=name, options=options, strict=True)
        except DataError as error:
            refused[name] = error.message.partition("can't hold ")[2].partition(",")[0]
            continue
        assert made.losses == ()
        assert [note["what"] for note in made.to_dict()["notes"]] == [note.what for note in made.notes]
        if name == "coco" and to != "coco":
            assert "image ids, which the format does not keep" in {note.what for note in made.notes}
    assert refused == REFUSED.get(to, {})


def test_strict_refuses_image_ids_that_would_be_numbered_anew(tmp_path: Path) -> None:
    images = [{"id": f"i{k}", "file_name": name, "height": 6, "width": 8} for k, name in enumerate(NAMES)]
    source = _coco(tmp_path / "a", images=images, annotations=[])
    with pytest.raises(DataError, match="the format can't hold image ids, which are numbered anew"):
        convert(source, tmp_path / "out", to="coco", strict=True)
    made = convert(source, tmp_path / "out", to="yolo", strict=True)
    assert "4 image ids, which the format does not keep (first: a.png)" in map(str, made.notes)


@pytest.mark.parametrize("name", ["notes.txt", "images/mine.png", "models/best.pt"])
def test_what_a_person_added_is_never_replaced(tmp_path: Path, name: str) -> None:
    source = _coco(tmp_path / "a")
    convert(source, tmp_path / "out", to="coco")
    mine = tmp_path / "out" / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match="holds more than convert wrote"):
        convert(source, tmp_path / "out", to="coco", overwrite=True)
    assert mine.read_text() == "mine"


def test_a_folder_of_someone_else_is_refused_and_an_empty_one_filled(tmp_path: Path) -> None:
    source = _coco(tmp_path / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"holds files that convert did not write \(such as mine\.txt\)"):
            convert(source, tmp_path / "other", to="coco", overwrite=overwrite)
    (tmp_path / "empty").mkdir()
    assert convert(source, tmp_path / "empty", to="coco").images == 4


def test_a_source_is_not_replaced_by_what_is_made_of_it(tmp_path: Path) -> None:
    made = convert(_coco(tmp_path / "a"), tmp_path / "out", to="coco")
    for source in (made.annotations, made.folder):
        with pytest.raises(UsageError, match="lies in"):
            convert(source, made.folder, to="severstal", overwrite=True)
    alone = tmp_path / "c.json"
    alone.write_bytes(made.annotations.read_bytes())
    with pytest.raises(UsageError, match="the images lie in"):
        convert(alone, made.folder, to="severstal", overwrite=True, options=ReadOptions(images=made.folder))
    assert made.annotations.is_file()
