"""The command export-model: what a person types, reads and gets."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from coigan_aug.checkpoint import load_generator, save_generator
from coigan_aug.cli.main import app
from coigan_aug.errors import UsageError
from coigan_aug.files import sha256
from coigan_aug.models.build import build_generator
from coigan_aug.sealed import write_sealed
from coigan_aug.settings import Settings
from coigan_aug.stages.export_model import size_of
from tests.cli.calling import call
from tests.conftest import CLASSES


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Settings) -> Path:
    """Stand in a folder whose workspace holds one trained run; returns the run's folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_generator(small.model, len(CLASSES))
    folder = Path("coigan/runs/001-tiny")
    save_generator(folder / "generator.safetensors", network, settings=small, classes=CLASSES, images=24)
    write_sealed(folder / "start.json", {})
    return folder


def test_the_example_in_the_help_does_what_it_says(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    example = get_command(app).commands["export-model"].help.strip().splitlines()[-1]  # type: ignore[attr-defined]
    code, out, err = call(capsys, monkeypatch, *shlex.split(example.removeprefix("Example: coigan-aug ")))
    assert code == 0, err
    assert out == ""
    assert "001-tiny -> generator.onnx   (onnx, 0." in err
    assert "image [N, 3, 32, 32]  RGB in 0..1" in err
    assert "condition [N, 4, 32, 32]  masks of spot, line, 0 or 1; normal noise" in err
    assert "out [N, 3, 32, 32]" in err
    assert "largest difference" in err
    assert "Next: onnxruntime.InferenceSession" in err
    assert Path("generator.onnx").stat().st_size > 10_000


@pytest.mark.parametrize(("form", "name"), [("torchscript", "generator.pt"), ("safetensors", "generator.safetensors")])
def test_a_file_lands_in_the_runs_folder_unless_named_and_json_says_where(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str, name: str
) -> None:
    before = sha256(run / "generator.safetensors")
    code, out, err = call(capsys, monkeypatch, "export-model", "--to", form, "--run", "1", "--json", "--quiet")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert Path(told["file"]) == run / "export" / name
    assert told["bytes"] == (run / "export" / name).stat().st_size
    assert (told["format"], told["run"]) == (form, "001-tiny")
    assert [item["name"] for item in told["inputs"]] == ["image", "condition"]
    assert 0 <= told["difference"] <= told["tolerance"]
    assert sha256(run / "generator.safetensors") == before
    code, _, err = call(capsys, monkeypatch, "export-model", "--to", form)
    assert code == 2
    assert f"{run / 'export' / name} exists." in err
    assert "--overwrite" in err
    code, _, err = call(capsys, monkeypatch, "export-model", "--to", form, "--overwrite")
    assert code == 0, err


def test_a_size_is_height_and_width(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = call(
        capsys, monkeypatch, "export-model", "--to", "torchscript", "--size", "32x80", "--json", "--quiet"
    )
    assert code == 0, err
    assert json.loads(out)["inputs"][0]["shape"] == ["N", 3, 32, 80]


def test_the_next_step_of_weights_is_a_command_that_finds_them(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = call(capsys, monkeypatch, "export-model", "--to", "safetensors")
    assert code == 0, err
    line = next(line for line in err.splitlines() if "Next: coigan-aug" in line)
    arguments = shlex.split(line.split("coigan-aug ")[1])
    assert arguments[:2] == ["train", "--init-from"]
    assert load_generator(Path(arguments[2])).images == 24


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "onyx"], 2, ["no format 'onyx'", "onnx, torchscript, safetensors"]),
        (["--size", "big"], 2, ["--size big is no size", "256x1600"]),
        (["--size", "256x"], 2, ["no size"]),
        (["--size", "4"], 2, ["4 x 4 is not within 16 to 4096 px"]),
        (["--size", "64x99999"], 2, ["64 x 99999"]),
        (["--to", "safetensors", "--size", "64"], 2, ["Leave out --size"]),
        (["--run", "7"], 3, ["no run '7'", "001-tiny"]),
        (["--out", "coigan"], 2, ["coigan is a folder"]),
        (
            ["--to", "safetensors", "--overwrite", "--out", "coigan/../coigan/runs/001-tiny/generator.safetensors"],
            2,
            ["is the trained generator itself"],
        ),
        (["--to", "torchscript", "--out", "plain/it.pt"], 5, ["Can't write plain/it.pt"]),
    ],
)
def test_a_mistake_gets_its_exit_code_and_leaves_everything_as_it_was(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: list[str],
) -> None:  # fmt: skip
    Path("plain").write_text("a file, no folder")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    found, out, err = call(capsys, monkeypatch, "export-model", *arguments)
    assert found == code, err
    assert out == ""
    assert "Traceback" not in err
    for text in says:
        assert text in err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", ["empty", "cut", "other"])
def test_a_file_that_is_no_generator_is_named(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    path = run / "generator.safetensors"
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": data[: len(data) // 2], "other": b"PK\x03\x04 no weights at all"}[damage])
    code, _, err = call(capsys, monkeypatch, "export-model", "--to", "torchscript")
    assert code == 3
    assert "generator.safetensors is not a generator file" in err
    assert not (run / "export").exists()


def test_without_a_run_the_command_that_makes_one_is_named(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(run)
    code, _, err = call(capsys, monkeypatch, "export-model")
    assert code == 3
    assert "coigan-aug train" in err


def test_without_the_extra_the_environment_is_at_fault(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.export.onnx_file._PACKAGES", ("onnx", "a_package_that_is_nowhere"))
    code, _, err = call(capsys, monkeypatch, "export-model")
    assert code == 4
    assert "need a_package_that_is_nowhere" in err
    assert 'pip install "coigan-aug[onnx]"' in err


@pytest.mark.parametrize(
    ("text", "size"), [(None, None), ("256", (256, 256)), ("256x1600", (256, 1600)), (" 64X32 ", (64, 32))]
)
def test_sizes_are_read_as_people_write_them(text: str | None, size: tuple[int, int] | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "x", "-64", "64.5", "64 x 64 x 3", "²56", "64x", "1e3", "9999999"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no size"):
        size_of(text)
