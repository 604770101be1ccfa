"""Mistakes that are told before any work is done, word for word."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.imaging import write_image
from tests.cli.calling import call


def _data(folder: Path) -> None:
    """Write images/ and masks/ of six images."""
    draw = np.random.default_rng(0)
    for k in range(6):
        mask = np.zeros((40, 48), np.uint8)
        mask[10 : 20 + k, 12:26] = 255
        write_image(folder / "images" / f"{k}.png", draw.integers(90, 160, (40, 48)).astype(np.uint8))
        write_image(folder / "masks" / f"{k}.png", mask)


def _broken(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / "images" / name
        path.write_bytes(path.read_bytes()[:40])


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a folder of images and masks."""
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    _data(tmp_path / "data")
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ("lien=5", "--per-class lien=5: there is no class 'lien'. Did you mean 'line'?"),
        ("spot=5,SPTO=5", "--per-class spot=5,SPTO=5: there is no class 'SPTO'. Did you mean 'spot'?"),
        ("dent=5", "--per-class dent=5: there is no class 'dent'."),
    ],
)
def test_a_class_that_there_is_not_is_told_before_the_data_is_prepared(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, counts: str, said: str
) -> None:
    shutil.rmtree(drawable / "coigan" / "cache", ignore_errors=True)
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", counts, "--out", "made")
    assert (code, err) == (2, f"  {said}\n  Classes: spot, line.\n")
    assert not (drawable / "coigan" / "cache").exists()


def test_a_class_is_known_in_any_case(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["synthesize", "--per-class", "SPOT=2", "--out", "made", "--dry-run"]
    code, _, err = call(capsys, monkeypatch, *arguments)
    assert code == 0, err
    assert "2 spot" in err


def test_a_source_that_is_not_there_is_told_before_what_the_workspace_holds(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, "import", "nowhere")
    said = "  nowhere does not exist.\n  Name the annotation file, or the folder of images and masks.\n"
    assert (code, err) == (3, said)
    code, _, err = call(capsys, monkeypatch, "import", "images")
    assert code == 2
    assert "already holds" in err


@pytest.mark.parametrize("command", ["import data", "convert data made --to coco"])
def test_all_broken_images_are_named(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    _broken(data, "1.png", "3.png")
    code, _, err = call(capsys, monkeypatch, *command.split())
    assert code == 3
    assert err.splitlines()[-4:] == [
        "  2 images can't be read:",
        "    data/images/1.png is cut off (no end chunk).",
        "    data/images/3.png is cut off (no end chunk).",
        "  Copy it again, or --skip-broken.",
    ]
    assert not (Path("coigan") / "dataset" / "dataset.json").exists()
    code, _, err = call(capsys, monkeypatch, *command.split(), "--skip-broken")
    assert code == 0, err
    assert "4 images" in err or "│      4 │" in err


def test_of_very_many_broken_images_twenty_are_named_and_the_rest_is_counted(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(6, 23):
        shutil.copy(data / "images" / "0.png", data / "images" / f"{k}.png")
        shutil.copy(data / "masks" / "0.png", data / "masks" / f"{k}.png")
    _broken(data, *(f"{k}.png" for k in range(23)))
    code, _, err = call(capsys, monkeypatch, "import", "data")
    lines = err.splitlines()
    assert code == 3
    assert sum("is cut off" in line for line in lines) == 20
    assert "    ... and 3 more" in lines


@pytest.mark.parametrize(
    ("named", "like"), [("coco", "mask-folder (images/ and masks/)"), ("voc", "mask-folder (images/ and masks/)")]
)
def test_a_format_that_a_source_is_not_of_is_answered_with_what_it_is(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, named: str, like: str
) -> None:
    code, _, err = call(capsys, monkeypatch, "import", "data", "--format", named)
    assert (code, err) == (
        3,
        f"  data can't be read as {named}; it looks like {like}.\n  Leave the format out, or give mask-folder.\n",
    )


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody can make anything")
@pytest.mark.parametrize(
    "command",
    [
        "import data --workspace /proc/none",
        "report --out /proc/none.html",
        "report --out /proc/none/report.html",
        "inspect --html /proc/none.html",
        "convert coigan /proc/none --to coco",
    ],
)
def test_a_place_that_nobody_can_write_to_is_no_bug(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """As on a disk that is mounted read-only; /proc answers that the file is not there."""
    _data(drawable / "data")
    code, _, err = call(capsys, monkeypatch, *command.split())
    assert code == 5, err
    said, remedy = err.splitlines()[-2:]
    assert said.startswith("  Can't write /proc/")
    assert remedy == "  Choose a folder that you may write to."


@pytest.mark.parametrize(
    ("window", "smaller"),
    [(40, "coigan-aug train --set data.window=32"), (128, "coigan-aug train --recipe tiny")],
)
def test_where_no_window_is_clean_that_is_said_with_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, window: int, smaller: str
) -> None:
    """Each image is half defect: no window is without one, and of none is so little covered that it can be erased."""
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    for k in range(6):
        mask = np.zeros((128, 128), np.uint8)
        mask[:, k::2] = 255
        write_image(Path("data") / "images" / f"{k}.png", draw.integers(90, 160, (128, 128)).astype(np.uint8))
        write_image(Path("data") / "masks" / f"{k}.png", mask)
    code, _, err = call(capsys, monkeypatch, "import", "data", "--group-by", "none")
    assert code == 0, err
    code, _, err = call(capsys, monkeypatch, "train", "--recipe", "tiny", "--set", f"data.window={window}")
    assert code == 3
    lines = err.splitlines()
    assert "  No training window is free of defects: surface to draw on is what has its own defects erased." in lines
    assert lines[-2:] == [
        "  No window of the training images is free of defects, and the defects cover too much of each to be erased.",
        "  Import defect-free images of the same surface, too (coigan-aug import ... --overwrite), or train on smaller"
        f" windows: {smaller}",
    ]
    assert not (Path("coigan") / "runs").exists()


def test_where_no_image_is_clean_synthesize_names_the_ways_out_and_takes_one_by_itself(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(capsys, monkeypatch, "import", "data", "--group-by", "none")[0] == 0
    make = ["synthesize", "--per-class", "1", "--engine", "transplant", "--no-screen", "--set", "data.window=32"]
    code, _, err = call(capsys, monkeypatch, *make, "--out", "made", "--bases", "clean")
    assert code == 3
    assert err.splitlines()[-2:] == [
        "  No training image is free of defects; there is nothing to draw on.",
        "  Use --bases erased, --windows (clean parts of images with defects), or import defect-free images.",
    ]
    code, _, err = call(capsys, monkeypatch, *make, "--out", "made", "--dry-run")
    assert code == 0, err
    said = "  No training image is free of defects: drawn on is what has its own defects erased (--bases erased)."
    assert said in err.splitlines()
