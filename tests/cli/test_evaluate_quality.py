"""coigan-aug evaluate quality: what it prints, what it leaves, and what it answers when something is missing."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.annotations.rle import decode
from coigan_aug.errors import DataError
from coigan_aug.folders import Folders
from coigan_aug.imaging import write_image
from coigan_aug.sealed import write_sealed
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.cli import calling

pytestmark = pytest.mark.usefixtures("coarse")


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """Run `coigan-aug evaluate quality` in this process, without a segmenter if not asked: exit code, stdout, stderr."""
    rest = () if "--segmenter" in arguments else ("--no-segmenter",)
    return calling.call(capsys, monkeypatch, "evaluate", "quality", *arguments, *rest)


@pytest.fixture
def workspace(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a workspace with the small data set and no synthetic images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    shutil.copytree(toy.image_root, tmp_path / "images")
    shutil.copytree(toy.folder, tmp_path / "coigan" / "dataset")
    return tmp_path


def synthesize(folder: Path, name: str = "out") -> Dataset:
    """Draw dark defects on three clean images, as `synthesize --out NAME` leaves them."""
    real = Dataset(folder / "coigan" / "dataset")
    train = real.indices("train")
    shapes = [k for k in train if real[k].annotations]
    bases = [k for k in train if not real[k].annotations]
    records = []
    for index, (shape, base) in enumerate(zip(shapes, bases, strict=False)):
        image = real.image(base)
        for item in real[shape].annotations:
            image = np.where(decode(item.rle)[..., None] > 0, image // 3, image)
        write_image(folder / name / "images" / f"{index}.png", image)
        annotations = tuple(
            Annotation(label=item.label, rle=item.rle, attributes={"shape_of": real[shape].file})
            for item in real[shape].annotations
        )
        records.append(
            ImageRecord(
                file=f"images/{index}.png", height=72, width=96, annotations=annotations,
                source={"base": real[base].file, "region": [0, 0, 96, 72]},
            )
        )  # fmt: skip
    write_sealed(folder / name / "card.json", {"margin_px": 2, "data": real.manifest["sha256"]})
    return write_dataset(
        folder / "coigan" / "synthetic" / name, records, classes=real.classes, image_root=folder / name, provenance={}
    )


def test_the_quality_is_printed_for_people_and_kept(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(workspace)
    code, out, err = call(capsys, monkeypatch)
    assert code == 0, err
    assert out == ""
    said = " ".join(err.split())  # how wide the table is, and whether its title goes on two lines, is by its numbers
    for text in (
        "efficientnet_lite0, not comparable with papers", "KID x1000", "floor", "whole images", "spot", "line", "diversity",
        "near copies", "seam", "! FID of fewer than 2,048", "Object crops:",
        "coigan/results/001-quality/result.json coigan/results/001-quality/copies.png",
        "Next: coigan-aug evaluate benefit",
    ):  # fmt: skip
        assert text in said
    assert max(len(line) for line in err.splitlines() if line.startswith(" whole")) <= 80
    assert sorted(path.name for path in (workspace / "coigan/results/001-quality").iterdir()) == [
        ".lock", "copies.png", "result.json",
    ]  # fmt: skip


def test_json_is_the_result_file_and_quiet_says_nothing_else(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(workspace)
    code, out, err = call(capsys, monkeypatch, "--json", "--quiet", "--set", "data.min_area=4")
    assert (code, err) == (0, "")
    value = json.loads(out)
    kept = json.loads((workspace / "coigan/results/001-quality/result.json").read_text())
    assert value == {name: item for name, item in kept.items() if name != "crc32"}
    assert value["kind"] == "quality"
    assert value["command"] == "coigan-aug evaluate quality --json --quiet --set data.min_area=4 --no-segmenter"
    assert value["measured_on"]["synthetic"]["name"] == "out"
    assert value["settings"]["data"] == {"min_area": 4}
    assert value["numbers"]["seams"]["pixels_changed_outside"] == 0
    assert value["numbers"]["agreement"] is None
    call(capsys, monkeypatch, "--quiet")
    assert (workspace / "coigan/results/002-quality/result.json").exists()


def test_a_segmenter_that_knows_real_images_says_how_far_it_agrees_with_the_masks(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(workspace)
    small = [
        f"--set={item}"
        for item in (
            "data.window=32",
            "evaluate.segmenter=unet",
            "evaluate.width=8",
            "evaluate.screen_steps=60",
        )
    ]
    code, out, err = call(capsys, monkeypatch, "--segmenter", "--json", *small)
    assert code == 0, err
    found = json.loads(out)["numbers"]["agreement"]
    assert set(found) == {"spot", "line"}
    for own in found.values():
        assert own["real"] > 0.1  # it learnt something
        assert own["ratio"] == pytest.approx(own["synthetic"] / own["real"])


def test_the_thesis_protocol_says_how_many_tiles_there_were(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize(workspace)
    options = ("--protocol", "thesis", "--images", "9", "--features", "efficientnet_lite0", "--set", "data.window=48")
    code, out, err = call(capsys, monkeypatch, *options, "--json")
    assert code == 0, err
    value = json.loads(out)
    assert value["kind"] == "thesis"
    assert value["numbers"]["tiles"]["train"] == {"found": 32, "used": 9}
    assert "The thesis has 62.79 and 1.02 on Severstal" in err
    assert "not comparable with the thesis'" in err
    assert (workspace / "coigan/results/001-thesis/result.json").exists()


def test_a_synthetic_set_is_found_by_name_by_folder_and_by_being_the_newest(workspace: Path) -> None:
    from coigan_aug.stages.evaluate_quality import find_synthetic

    for age, name in ((50, "first"), (20, "second"), (90, "third")):
        made = synthesize(workspace, name)
        then = (made.folder / "dataset.json").stat().st_mtime - age
        os.utime(made.folder / "dataset.json", (then, then))
    here = Folders(Path("coigan"))
    assert find_synthetic(here, None).folder.name == "second"
    for name in ("first", "first/", "coigan/synthetic/first"):
        assert find_synthetic(here, name).folder.name == "first"
    with pytest.raises(DataError, match="There is no synthetic set fourth") as caught:
        find_synthetic(here, "fourth")
    assert "first, second, third" in caught.value.remedy


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 3, ["coigan/synthetic holds no synthetic set", "coigan-aug synthesize --per-class 200"]),
        (["--workspace", "elsewhere"], 3, ["elsewhere/dataset holds no data set", "coigan-aug import"]),
        (["--protocol", "best"], 2, ["There is no protocol 'best'", "default, thesis"]),
        (["--images", "100"], 2, ["--images counts the tiles of the thesis' protocol", "--protocol thesis"]),
        (["--inception-weights", "no.pth"], 2, ["no.pth does not exist"]),
        (["--features", "clip"], 3, ["evaluate.features is ['clip']; choose among: efficientnet_lite0, inception"]),
        (["--device", "tpu9"], 4, ["There is no device 'tpu9'"]),
    ],
)
def test_a_mistake_gets_its_exit_code_and_a_short_answer(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: list[str],
) -> None:  # fmt: skip
    found, out, err = call(capsys, monkeypatch, *arguments)
    assert found == code, err
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 6
    for text in says:
        assert text in err
    assert not (workspace / "coigan" / "results").exists()


@pytest.mark.parametrize("protocol", ["default", "thesis"])
def test_sets_that_cannot_be_compared_are_told_with_what_to_type(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    made = synthesize(workspace)
    options = ("--protocol", protocol, "--features", "efficientnet_lite0")

    def answer() -> str:
        code, out, err = call(capsys, monkeypatch, *options)
        assert (code, out) == (3, "")
        assert len(err.strip().splitlines()) <= 3
        return err

    (workspace / "out/images/1.png").rename(workspace / "out/1.png")
    assert "out/images/1.png is not there" in (text := answer())
    assert "coigan-aug synthesize --overwrite" in text
    (workspace / "out/1.png").rename(workspace / "out/images/1.png")

    real = Dataset(workspace / "coigan/dataset")
    lost = workspace / "images" / real[real.indices("test")[0]].file
    lost.rename(workspace / "away.png")
    assert f"{lost.name} is not there" in (text := answer())
    assert "coigan-aug import" in text
    (workspace / "away.png").rename(lost)

    untested = [dataclasses.replace(item, split="train") for item in real]
    write_dataset(real.folder, untested, classes=real.classes, image_root=real.image_root, provenance={})
    assert "has no test images" in (text := answer())
    assert "--split 0.8" in text

    write_dataset(made.folder, list(made), classes=made.classes[:1], image_root=made.image_root, provenance={})
    assert "The synthetic set out has the classes spot; the data set has spot, line" in answer()


def test_inception_without_a_network_is_answered_with_what_to_type(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    synthesize(workspace)
    code, out, err = call(capsys, monkeypatch, "--features", "inception,efficientnet_lite0")
    assert (code, out) == (4, "")
    assert "weights-inception-2015-12-05-6726825d.pth could not be had" in err
    assert "--inception-weights FILE" in err
