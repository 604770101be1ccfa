"""Importing. Truth: the pixels painted here, and the magnetic-tile images in the formats that they came in."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.data.importing import ImportReport, import_dataset
from coigan_aug.data.split import siblings_across
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.source import ReadOptions
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset

REAL = Path(os.environ.get("COIGAN_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "magnetic-tile"
needs_real = pytest.mark.skipif(not REAL.exists(), reason=f"the magnetic-tile images are not in {REAL}")
CSV = "ImageId,ClassId,EncodedPixels\n"


def write_csv(folder: Path, *, images: int = 10, rows: str = "") -> Path:
    random = np.random.default_rng(0)
    for k in range(images):
        write_image(folder / "train_images" / f"{k}.png", random.integers(0, 255, (20, 30)).astype(np.uint8))
    (folder / "train.csv").write_text(
        CSV + (rows or "".join(f"{k}.png,{1 + k % 2},1 3 41 2\n" for k in range(0, images, 2)))
    )
    return folder / "train.csv"


def imported(source: Path, out: Path, **options: object) -> tuple[Dataset, ImportReport]:
    report = import_dataset(source, out, **({"group_by": "none"} | options))
    return Dataset(out), report


def test_a_dataset_comes_out_with_its_report(tmp_path: Path) -> None:
    dataset, report = imported(write_csv(tmp_path), tmp_path / "coigan" / "dataset")
    assert len(dataset) == report.images == 10
    assert (report.defect_free, report.objects) == (5, 10)
    assert [(c.name, c.images, c.objects, c.median_pixels) for c in report.classes] == [("1", 5, 10, 2.5)]
    assert report.train == len(dataset.indices("train")) == 8
    assert report.test == len(dataset.indices("test")) == 2
    assert dataset.image(0).shape == (20, 30, 3)
    assert np.flatnonzero(dataset.masks(0)["1"].ravel(order="F")).tolist() == [0, 1, 2, 40, 41]
    saved = json.loads((tmp_path / "coigan" / "dataset" / "import.json").read_text())
    assert saved["images"] == 10
    assert saved["provenance"]["split"] == 0.8


def test_text_and_binary_hold_the_same_records(tmp_path: Path) -> None:
    source = write_csv(tmp_path)
    text, _ = imported(source, tmp_path / "text")
    packed, _ = imported(source, tmp_path / "binary", binary=True)
    assert list(text) == list(packed)


def test_every_problem_is_in_the_report(tmp_path: Path) -> None:
    source = write_csv(tmp_path, rows="0.png,1,1 3\n0.png,1,2 3\n1.png,1,599 9\ngone.png,1,1 1\n")
    options = ReadOptions(clip_rle=True, skip_missing=True)
    _, report = imported(source, tmp_path / "out", options=options)
    saved = json.loads((tmp_path / "out" / "import.json").read_text())["problems"]
    assert [(p["file"], p["row"], p["done"]) for p in saved] == [
        ("train.csv", 4, "cut"), ("train.csv", 3, "masks joined"), ("train.csv", 5, "image left out"),
    ]  # fmt: skip
    assert [problem.row for problem in report.problems] == [4, 3, 5]


def test_a_finished_dataset_is_not_overwritten_unasked(tmp_path: Path) -> None:
    source = write_csv(tmp_path)
    imported(source, tmp_path / "out")
    with pytest.raises(UsageError, match="already holds 10 images") as caught:
        imported(source, tmp_path / "out")
    assert "--overwrite" in caught.value.remedy
    (tmp_path / "train_images" / "9.png").unlink()
    dataset, _ = imported(source, tmp_path / "out", overwrite=True)
    assert len(dataset) == 9


@pytest.mark.parametrize("split", [0.0, -1.0, 1.5])
def test_a_share_out_of_range_is_refused(tmp_path: Path, split: float) -> None:
    with pytest.raises(UsageError, match="--split"):
        imported(write_csv(tmp_path), tmp_path / "out", split=split)


def test_strict_leaves_nothing_behind(tmp_path: Path) -> None:
    source = write_csv(tmp_path, rows="0.png,1,1 3\n0.png,1,2 3\n")
    with pytest.raises(DataError, match="twice"):
        imported(source, tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()


def test_a_source_without_images_is_an_error(tmp_path: Path) -> None:
    source = write_csv(tmp_path, images=1, rows="0.png,1,1 1\n")
    (tmp_path / "train_images" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match="holds no images"):
        imported(source, tmp_path / "out", options=ReadOptions(skip_broken=True))


def test_near_duplicates_stay_together(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for k in range(12):
        base = cv2.GaussianBlur(random.integers(0, 255, (64, 64)).astype(np.uint8), (0, 0), 3)
        for view in "abc":
            light = cv2.convertScaleAbs(base, alpha=0.8, beta=10 * ord(view) % 7)
            write_image(tmp_path / "train_images" / f"{view}{k * 17}.png", light)
    (tmp_path / "train.csv").write_text(CSV + "a0.png,1,1 3\nb0.png,1,1 3\n")
    dataset, report = imported(tmp_path / "train.csv", tmp_path / "out", group_by=None)
    assert (report.groups, report.grouped, report.grouping) == (12, 36, "near-duplicates")
    assert report.leakage == 0
    assert report.random_leakage > 0.5
    assert siblings_across([record.group for record in dataset], [record.split for record in dataset]) == 0


def test_groups_come_from_a_pattern(tmp_path: Path) -> None:
    dataset, report = imported(write_csv(tmp_path, images=20), tmp_path / "out", group_by=r"^(.)")
    assert {record.group for record in dataset if record.file.startswith("1")} == {"1"}
    assert (report.groups, report.grouped, report.grouping) == (1, 11, "^(.)")
    assert report.leakage == 0


def test_the_split_repeats_and_follows_the_seed(tmp_path: Path) -> None:
    source = write_csv(tmp_path, images=40)
    splits = [
        [record.split for record in imported(source, tmp_path / str(k), seed=seed)[0]]
        for k, seed in enumerate((1, 1, 2))
    ]
    assert splits[0] == splits[1] != splits[2]


def png_of(width: int, height: int, *, bits: int = 8, colour: int = 0) -> bytes:
    """Make a PNG that has a header and an end and no pixels."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg(mode: str = "L") -> bytes:
    data = io.BytesIO()
    Image.new(mode, (30, 20)).save(data, format="JPEG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty (0 bytes)"),
        (b"hello", "is not an image that can be read"),
        (png_of(50_000, 50_000), "says it is 50000 x 50000 pixels, over the limit"),
        (png_of(30, 20, bits=16), "has 16 bits a channel"),
        (png_of(0, 20), "has no pixels"),
        (png_of(30, 20)[:-12], "is cut off (no end chunk)"),
        (jpeg()[:-30], "is cut off (no end-of-image marker)"),
        (jpeg("CMYK"), "is a CMYK image"),
    ],
)
def test_hostile_images_are_errors_or_skipped(tmp_path: Path, data: bytes, expected: str) -> None:
    source = write_csv(tmp_path)
    (tmp_path / "train_images" / "3.png").write_bytes(data)
    with pytest.raises(DataError) as caught:
        imported(source, tmp_path / "out")
    assert expected in str(caught.value)
    assert "3.png" in str(caught.value)
    _, report = imported(source, tmp_path / "out", options=ReadOptions(skip_broken=True))
    assert report.images == 9
    assert len(report.problems) == 1


def test_a_killed_import_leaves_no_dataset_and_runs_again(tmp_path: Path) -> None:
    source = write_csv(tmp_path, images=60)
    whole, _ = imported(source, tmp_path / "whole")
    expected = list(whole)
    script = (
        "from pathlib import Path; import sys, time\n"
        "from coigan_aug.data import importing\n"
        "write = importing.write_dataset\n"
        "def slow(out, records, **rest):\n"
        "    def some():\n"
        "        for k, record in enumerate(records):\n"
        "            if k == 30: print('half', flush=True); time.sleep(60)\n"
        "            yield record\n"
        "    return write(out, some(), **rest)\n"
        "importing.write_dataset = slow\n"
        "importing.import_dataset(Path(sys.argv[1]), Path(sys.argv[2]), group_by='none', overwrite=True)\n"
    )
    for begun in ("fresh", "whole"):
        command = [sys.executable, "-c", script, str(source), str(tmp_path / begun)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "half\n"
            child.send_signal(signal.SIGKILL)
            child.wait()
        with pytest.raises(DataError, match="holds no data set"):
            Dataset(tmp_path / begun)
        assert list(imported(source, tmp_path / begun)[0]) == expected


def test_two_imports_at_once_do_not_mix(tmp_path: Path) -> None:
    source = write_csv(tmp_path)
    script = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print('held', flush=True); time.sleep(60)"
    (tmp_path / "out").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "out" / ".lock")], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(UsageError, match="is in use by"):
            imported(source, tmp_path / "out")
        child.kill()
    deadline = time.monotonic() + 10
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(imported(source, tmp_path / "out")[0]) == 10


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Dataset, ImportReport]]:
    out = tmp_path_factory.mktemp("tiles")
    images = ReadOptions(images=REAL)
    return {
        "severstal": imported(REAL / "severstal.csv", out / "severstal", options=images),
        "coco": imported(REAL / "coco.json", out / "coco"),
        "mask-folder": imported(REAL, out / "folder"),
    }


NAMES = ("blowhole", "break", "crack", "fray", "uneven")


@needs_real
@pytest.mark.parametrize("name", ["severstal", "coco", "mask-folder"])
def test_magnetic_tile_has_the_counts_of_its_publication(tiles: dict, name: str) -> None:
    _, report = tiles[name]
    assert report.format == name
    assert report.images == 1344
    assert report.defect_free == 952 + 4
    assert report.objects == 462
    assert [row.images for row in report.classes] == [115, 85, 57, 32, 103 - 4]
    assert [row.name for row in report.classes] == list(NAMES if name != "severstal" else "12345")


@needs_real
def test_magnetic_tile_has_the_same_masks_in_every_format(tiles: dict) -> None:
    found = {}
    for name, (dataset, _) in tiles.items():
        renamed = dict(zip(dataset.names, NAMES, strict=True))
        found[name] = {
            record.file: {
                renamed[label]: rle.union([a.rle for a in record.annotations if a.label == label])
                for label in {annotation.label for annotation in record.annotations}
            }
            for record in dataset
        }
    assert found["severstal"] == found["coco"] == found["mask-folder"]
    first = next(name for name, masks in found["coco"].items() if "crack" in masks)
    picture = cv2.imread(str(REAL / first).replace(".jpg", ".png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(rle.decode(found["coco"][first]["crack"]), picture > 127)


@needs_real
def test_magnetic_tile_problems_are_those_of_its_description(tiles: dict) -> None:
    problems = tiles["mask-folder"][1].problems
    empty = [problem.file.rpartition("/")[2] for problem in problems if "empty" in problem.what]
    assert empty == ["exp3_num_45042.png", "exp4_num_124690.png", "exp4_num_352527.png", "exp4_num_45057.png"]
    assert [problem.what for problem in problems[4:]] == ["388 masks have grey pixels between 0 and 255"]
    assert not tiles["coco"][1].problems
