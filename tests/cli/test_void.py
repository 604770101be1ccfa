"""A set of index masks with 255 at the command line: counted by import and inspect, no problem, kept or told as lost."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.imaging import read_indexed, write_image
from coigan_aug.store.dataset import Dataset

from .calling import call

SHAPE = (40, 60)


def _mask(k: int) -> np.ndarray:
    """Return values: a defect with a border of 255 on every second image; on the first clean one 255 alone."""
    mask = np.zeros(SHAPE, np.uint8)
    if k % 2:
        cv2.rectangle(mask, (8 + k, 8), (20 + k, 20), 255, -1)
        cv2.rectangle(mask, (10 + k, 10), (18 + k, 18), 1 + (k // 2) % 2, -1)
    elif k == 0:
        mask[:5, :7] = 255
    return mask


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    draw = np.random.default_rng(0)
    for k in range(12):
        write_image(tmp_path / "set" / "images" / f"{k:02d}.jpg", draw.integers(0, 255, SHAPE).astype(np.uint8))
        write_image(tmp_path / "set" / "masks" / f"{k:02d}.png", _mask(k))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    return tmp_path


def _pixels() -> int:
    return sum(int((_mask(k) == 255).sum()) for k in range(12))


def test_void_is_counted_and_no_problem(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("set", "--classes", "pit,dent", "--group-by", "none", "--strict")
    code, _, err = call(capsys, monkeypatch, "import", *arguments)
    assert code == 0, err
    said = f"7 images have void pixels (255; {_pixels():,} px, {_pixels() / (7 * 2400):.1%} of their pixels)"
    assert f"{said}: neither defect nor clean surface" in err
    assert "6 images are free of defects" in err
    assert "problem" not in err
    report = json.loads((folder / "coigan" / "dataset" / "import.json").read_text())
    assert report["void"] == {"images": 7, "pixels": _pixels(), "of": 7 * 2400}
    for record in Dataset(folder / "coigan" / "dataset"):
        expected = _mask(int(record.file[-6:-4])) == 255
        assert (record.void is not None) == expected.any()
        assert record.void is None or np.array_equal(rle.decode(record.void), expected)
    for source in ((), ("set", "--classes", "pit,dent")):
        code, out, err = call(capsys, monkeypatch, "inspect", *source, "--strict", "--json")
        assert code == 0, err
        assert said in err
        assert json.loads(out)["void"] == {"images": 7, "pixels": _pixels(), "of": 7 * 2400}
        assert json.loads(out)["errors"] == 0
    assert "<dt>with void pixels</dt><dd>7</dd>" in (folder / "coigan" / "inspect.html").read_text()


def test_a_set_without_void_says_nothing_of_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(12):
        write_image(folder / "set" / "masks" / f"{k:02d}.png", np.where(_mask(k) == 255, 0, _mask(k)).astype(np.uint8))
    for command in (("import", "set", "--classes", "pit,dent", "--group-by", "none"), ("inspect",)):
        code, _, err = call(capsys, monkeypatch, *command)
        assert code == 0, err
        assert "void pixels" not in err
    assert "with void pixels" not in (folder / "coigan" / "inspect.html").read_text()
    assert b"void" not in (folder / "coigan" / "dataset" / "records.jsonl").read_bytes()


def test_a_conversion_keeps_void_or_tells_that_it_is_lost(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = "7 images with void pixels, which nothing tells from clean surface (first: "
    source = ("set", "--classes", "pit,dent")
    code, _, err = call(capsys, monkeypatch, "convert", *source, *("out", "--to", "voc", "--strict"))
    assert code == 0, err
    for k in range(12):
        numbers, _ = read_indexed(folder / "out" / "SegmentationClass" / f"{k:02d}.png")
        assert np.array_equal(numbers == 255, _mask(k) == 255)
    code, _, err = call(capsys, monkeypatch, "convert", *source, *("coco", "--to", "coco"))
    assert code == 0, err
    assert lost in err
    code, _, err = call(capsys, monkeypatch, "convert", *source, *("again", "--to", "coco", "--strict"))
    assert code == 3
    assert "the format can't hold images with void pixels" in err
