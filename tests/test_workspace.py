"""The Python API: the same stages as the command line, by the same options; and a workspace that the demo leaves whole."""

from __future__ import annotations

import inspect
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

from coigan_aug import Workspace
from coigan_aug.asking import flags_of, options
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.demo.ask import DemoAsk
from coigan_aug.demo.demo import run_demo
from coigan_aug.errors import DataError, ProcessFailed, UsageError, exit_code_of
from coigan_aug.files import sha256
from coigan_aug.imaging import read_image, write_image
from coigan_aug.sealed import read_sealed
from coigan_aug.stages import asks, evaluate_asks, translate_asks
from coigan_aug.stages.runs_ask import RunsAsk
from coigan_aug.stages.translate_train_ask import TranslateTrainAsk
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.launch import start_several
from tests.conftest import pages_left_bare

pytestmark = pytest.mark.usefixtures("bare_pages")

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `coigan-aug demo --per-class 1` was called."""
    folder = tmp_path_factory.mktemp("here")
    with pages_left_bare():
        run_demo(DemoAsk(out=folder / "coigan-demo", per_class=1))
    return folder


def test_importing_the_package_loads_neither_numpy_nor_torch() -> None:
    code = (
        "import sys; from coigan_aug import Workspace; Workspace('nowhere').root\n"
        "print(sorted({'numpy', 'cv2', 'torch', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "coigan_aug", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("coigan-aug ")


METHODS = {
    "import_data": asks.ImportAsk, "inspect": asks.InspectAsk, "convert": asks.ConvertAsk, "train": asks.TrainAsk,
    "synthesize": asks.SynthesizeAsk, "draw": asks.DrawAsk, "merge": asks.MergeAsk, "export_model": asks.ExportAsk,
    "evaluate_quality": evaluate_asks.QualityAsk, "evaluate_benefit": evaluate_asks.BenefitAsk, "report": asks.ReportAsk,
    "list_runs": RunsAsk, "translate": translate_asks.TranslateAsk, "evaluate_transfer": translate_asks.TransferAsk,
    "translate_train": TranslateTrainAsk,
}  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_the_options_of_its_command_and_explains_them(name: str) -> None:
    method, own = getattr(Workspace, name), options(METHODS[name])
    assert list(inspect.signature(method).parameters) == ["self", *own]
    assert all(f"{field}: {option.help}" in method.__doc__ for field, option in own.items())


def test_a_request_writes_the_command_that_asks_for_the_same() -> None:
    ask = asks.SynthesizeAsk(
        out=Path("my set"), per_class={"pit": 2, "crack": 1}, screen=False, overrides=("train.batch=2", "data.scale=1")
    )
    assert ask.command() == (
        "coigan-aug synthesize --out 'my set' --per-class pit=2,crack=1 --no-screen --set train.batch=2 --set data.scale=1"
    )
    imported = asks.ImportAsk(source="a.csv", split=0.5, clip_rle=True)
    assert imported.command() == "coigan-aug import a.csv --split 0.5 --clip-rle"
    assert flags_of("format", options(asks.ConvertAsk)["format"]) == ("--from",)
    with pytest.raises(TypeError):
        asks.SynthesizeAsk(outt="x")  # type: ignore[call-arg]


def test_the_same_bytes_come_from_python_and_from_the_command_line(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(demo / "coigan-demo" / "coigan")
    made = workspace.synthesize(per_class=1, out=tmp_path / "a", engine="gan", screen=False, seed=3)
    assert made is not None
    assert made.made is not None
    assert made.run == "000-steel"
    arguments = ["--workspace", str(workspace.root), "--engine", "gan", "--no-screen", "--seed", "3"]
    monkeypatch.setattr(
        sys, "argv", ["coigan-aug", "synthesize", "--per-class", "1", "--out", str(tmp_path / "b"), *arguments]
    )
    assert run(app) == 0
    for name in (
        "annotations.json",
        "plan.jsonl",
        *(f"images/{p.name}" for p in (tmp_path / "a" / "images").iterdir()),
    ):
        assert sha256(tmp_path / "a" / name) == sha256(tmp_path / "b" / name), name
    card = read_sealed(tmp_path / "a" / "card.json")
    assert (
        card["command"]
        == f"coigan-aug synthesize --out {tmp_path / 'a'} --per-class 1 --engine gan --no-screen --seed 3"
    )


def test_the_workspace_of_the_demo_is_whole(demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that needs a run works there at once, and the report knows the model."""
    workspace = Workspace(demo / "coigan-demo" / "coigan")
    assert (demo / "coigan-demo" / "coco" / "preview.html").exists()
    assert "000-steel" in (demo / "coigan-demo" / "report.html").read_text()
    exported = workspace.export_model(to="safetensors", out=tmp_path / "steel.safetensors")
    assert exported.run == "000-steel"
    assert exported.file.difference == 0
    strip = sorted((demo / "coigan-demo" / "strips").glob("*.jpg"))[0]
    base = read_image(strip)
    mask = np.zeros(base.shape[:2], np.uint8)
    mask[60:66, 80:120] = 255
    write_image(tmp_path / "mask.png", mask)
    drawn = workspace.draw(image=strip, masks=[tmp_path / "mask.png"], classes=["scratch"], out=tmp_path / "made.png")
    changed = (read_image(tmp_path / "made.png") != base).reshape(*base.shape[:2], -1).any(axis=2)
    assert changed.sum() == drawn.pixels_changed > 100
    assert changed[60:66, 80:120].mean() > 0.5
    assert not changed[:40].any()
    start = read_sealed(workspace.runs / "000-steel" / "start.json")
    assert start["data"] == Dataset(workspace.dataset).manifest["sha256"]
    assert capsys.readouterr() == ("", "")  # a quiet workspace says nothing


def test_errors_reach_python_as_they_reach_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no data set"):
        Workspace(tmp_path).train(recipe="tiny")
    with pytest.raises(UsageError, match="What is to be made"):
        Workspace(tmp_path).synthesize(out=tmp_path / "o")


def test_the_example_and_the_notebook_run(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(demo)
    main = runpy.run_path(str(EXAMPLES / "python_api.py"))["main"]
    main(["coigan-demo/coigan"])
    assert "3 masks -> from-python/yolo/data.yaml" in capsys.readouterr().out
    notebook, names = json.loads((EXAMPLES / "python_api.ipynb").read_text()), {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["made"].made.images > 0
    assert names["drawn"].pixels_changed > 0
    assert len(list(Path("from-notebook/yolo").rglob("*.txt"))) > 0


def test_several_processes_work_in_the_workspace_that_asked_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment names: the words they are started with are understood as the same request there."""
    started: list[list[str]] = []
    monkeypatch.setattr("coigan_aug.training.launch.launch", lambda words, **_: started.append(list(words)) or 7)
    ask = asks.TrainAsk(recipe="tiny", gpus=2)
    with pytest.raises(ProcessFailed) as failed:
        start_several(ask.command(), root=tmp_path / "my work", quiet=True, count=2, again="")
    assert exit_code_of(failed.value) == 7
    assert started[0][:3] == [sys.executable, "-m", "coigan_aug"]
    monkeypatch.setenv("COIGAN_WORKSPACE", "elsewhere")
    command = get_command(app).commands["train"]  # type: ignore[attr-defined]
    parsed = command.make_context("train", started[0][4:]).params
    assert (parsed["recipe"], parsed["gpus"], parsed["workspace"]) == ("tiny", 2, tmp_path / "my work")
    assert parsed["quiet"]
