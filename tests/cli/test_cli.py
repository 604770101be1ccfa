"""What a person types and reads: help, exit codes, and messages that end a search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.main import get_command

from coigan_aug import __version__
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import UsageError
from coigan_aug.imaging import write_image
from coigan_aug.stages.train import count_of
from tests.cli.calling import call
from tests.conftest import SMALL

COMMANDS = (
    "import", "convert", "inspect", "train", "synthesize", "draw", "merge", "evaluate quality", "evaluate benefit",
    "evaluate transfer", "translate train", "translate apply", "export-model", "report", "runs", "studio", "demo",
)  # fmt: skip


def coigan(*arguments: str, cwd: Path | None = None, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
    """Run the command line in a fresh process, as `coigan-aug`."""
    code = "import sys; sys.argv[0] = 'coigan-aug'; from coigan_aug.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=cwd, check=False,
        env=os.environ | env,
    )  # fmt: skip


def test_help_loads_neither_numpy_nor_cv2_nor_torch() -> None:
    """A fresh process asks for one help after the other, and after each what it has loaded so far."""
    asked = ["--help", *(f"{command} --help" for command in COMMANDS), "--version"]
    code = (
        "import sys\nfrom coigan_aug.cli.ending import run\nfrom coigan_aug.cli.main import app\nfor asked in sys.argv[1:]:\n"
        "    sys.argv = ['coigan-aug', *asked.split()]\n    code = run(app)\n"
        "    heavy = sorted({'numpy', 'cv2', 'torch', 'torchvision', 'PIL'} & set(sys.modules))\n"
        "    print('loaded by', asked, heavy, code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=False)
    told = [line for line in done.stdout.splitlines() if line.startswith("loaded by")]
    assert told == [f"loaded by {arguments} [] 0" for arguments in asked], done.stderr


def test_a_shell_is_told_how_to_complete_and_what() -> None:
    """In a fresh process, as the shell asks; a command that it completes loads nothing heavy either."""
    script = coigan(
        "--show-completion", "bash", env={"SHELL": "/bin/bash", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )
    assert script.returncode == 0, script.stderr
    words = {"_COIGAN_AUG_COMPLETE": "complete_bash", "COMP_WORDS": "coigan-aug ev", "COMP_CWORD": "1"}
    assert coigan(env=words).stdout.split() == ["evaluate"]
    words |= {"COMP_WORDS": "coigan-aug train --im", "COMP_CWORD": "2"}
    assert "--images-seen" in coigan(env=words).stdout


def test_the_version_has_a_short_name() -> None:
    assert coigan("-V").stdout == coigan("--version").stdout == f"coigan-aug {__version__}\n"


def _command(name: str) -> object:
    found = get_command(app)
    for part in name.split():
        found = found.commands[part]  # type: ignore[attr-defined]
    return found


def _parameters(command: str) -> list[object]:
    return _command(command).params  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_and_every_command_ends_with_an_example(command: str) -> None:
    found = _command(command)
    assert found.help.strip().splitlines()[-1].startswith(f"Example: coigan-aug {command}")
    for parameter in found.params:
        assert getattr(parameter, "help", None), parameter.name


FLAGS = {
    "import": "binary classes clip-rle fold folds format group-by help images invert-masks json line-width "
    "overwrite pair quiet resize-masks rle-order seed skip-broken skip-missing split strict unknown-as "
    "value-range verbose workspace",
    "convert": "accept-changes binary classes clip-rle crowd from help image-files images invert-masks json "
    "line-width overwrite pair polygons quiet resize-masks rle-order size skip-broken skip-missing strict to unknown-as "
    "verbose",
    "train": "accept-changes config device dry-run gpus help images-seen init-from json minutes perceptual-weights "
    "quiet recipe resume seed set verbose workspace",
    "synthesize": "accept-changes append balance bases class config contrast defects-per-image device dry-run "
    "engine format gpus help image image-format json mask masks on out overwrite per-class plan quiet roi run screen "
    "seed set shapes shard spread style truncation vary verbose windows with-real workspace",
    "draw": "class config contrast device help image json mask out overwrite quiet run seed set style truncation workspace",
    "directions": "device help json latents masks quiet run seed workspace",
    "merge": "help json out quiet workspace",
    "inspect": "accept-changes classes format help html images invert-masks json line-width min-area pair quiet "
    "resize-masks rle-order strict unknown-as verbose workspace",
    "evaluate quality": "accept-changes config device features help images inception-weights json protocol "
    "quiet segmenter set synthetic verbose workspace",
    "evaluate benefit": "accept-changes arm config device engines folds groups-per-class help jobs json minutes "
    "protocol quiet run screen seeds set verbose workspace",
    "evaluate transfer": "accept-changes config device engines from help jobs json quiet run seeds set to "
    "verbose workspace",
    "translate train": "attention config device dry-run from gpus help images-seen json minutes quiet recipe resume seed "
    "set to verbose workspace",
    "translate apply": "accept-changes config device engine format help json out overwrite quiet run screen seed set to "
    "verbose workspace",
    "export-model": "help json out overwrite quiet run size to workspace",
    "report": "accept-changes help json out quiet workspace",
    "runs": "help json quiet workspace",
    "studio": "browser help json port quiet run workspace",
    "demo": "help images-seen json out per-class quiet train verbose",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_of_flags_is_frozen(command: str) -> None:
    """Adding a flag is a decision: it belongs in this list, the README and the CHANGELOG."""
    names = {name[2:] for item in _parameters(command) for name in item.opts if name.startswith("--")}  # type: ignore[attr-defined]
    assert names | {"help"} == set(FLAGS[command].split())


@pytest.mark.parametrize(("typed", "meant"), [("trian", "train"), ("synthesise", "synthesize"), ("imprt", "import")])
def test_a_misspelt_command_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, meant: str
) -> None:
    code, _, err = call(capsys, monkeypatch, typed)
    assert code == 2
    assert "No such command" in err
    assert f"'{meant}'" in err


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, as a person would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train"], 3, ["coigan/dataset holds no data set", "coigan-aug import YOUR.csv"]),
        (["synthesize", "--per-class", "5", "--out", "o"], 3, ["holds no data set"]),
        (["synthesize", "--out", "o"], 2, ["--per-class"]),
        (["train", "--recipe", "tinny"], 3, ["no recipe 'tinny'. Did you mean 'tiny'?"]),
        (["train", "--set", "train.leaning_rate=1"], 3, ["unknown key 'leaning_rate'. Did you mean 'learning_rate'?"]),
        (["train", "--set", "train.batch=sixteen"], 3, ['batch: "sixteen" is not a whole number']),
        (["train", "--images-seen", "many"], 2, ["--images-seen many is not a count", "200k"]),
        (["train", "--config", "nowhere.yaml"], 2, ["nowhere.yaml does not exist"]),
        (["train", "--gpus", "9"], 4, ["--gpus 9: no GPU found; torch", "Leave out --gpus"]),
        (["import", "nowhere.csv"], 3, ["nowhere.csv does not exist"]),
    ],
)
def test_a_mistake_gets_its_exit_code_and_a_short_answer(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, says: list[str],
) -> None:  # fmt: skip
    data = {"--set", "--recipe"} & set(arguments)
    if data:
        _import_toy(workspace, capsys, monkeypatch)
    found, out, err = call(capsys, monkeypatch, *arguments)
    assert found == code, err
    assert out == ""
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 8
    for text in says:
        assert text in err
    assert not (workspace / "o").exists()


def test_a_wrong_settings_file_is_named_with_its_line(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _import_toy(workspace, capsys, monkeypatch)
    (workspace / "coigan.yaml").write_text("train:\n  seed: 1\n  leaning_rate: 0.1\n")
    code, _, err = call(capsys, monkeypatch, "train")
    assert code == 3
    assert "coigan.yaml:3  unknown key 'leaning_rate'. Did you mean 'learning_rate'?" in err


def _import_toy(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Import eight tiny images, half of them with a square, from masks beside them."""
    draw = np.random.default_rng(0)
    for k in range(8):
        kind = "Square" if k % 2 else "Free"
        image = draw.integers(90, 160, (40, 48)).astype(np.uint8)
        mask = np.zeros((40, 48), np.uint8)
        if k % 2:
            mask[10 + k : 20 + k, 12 : 26 + k] = 255
            image[mask > 0] = 20
        write_image(folder / "data" / f"T_{kind}" / f"{k}.jpg", image)
        write_image(folder / "data" / f"T_{kind}" / f"{k}.png", mask)
    code, _, err = call(capsys, monkeypatch, "import", "data", "--group-by", "none")
    assert code == 0, err


LITTLE = [item for item in SMALL if not item.startswith("synthesize.")]
TINY = ["--recipe", "tiny", *(f"--set={item}" for item in (*LITTLE, "train.batch=2"))]


@pytest.mark.usefixtures("bare_pages")
def test_the_three_commands_in_a_row(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _import_toy(workspace, capsys, monkeypatch)
    code, out, err = call(capsys, monkeypatch, "train", *TINY, "--dry-run", "--json")
    assert code == 0, err
    plan = json.loads(out)["plan"]
    assert (plan["window"], plan["batch"], plan["recipe"]) == (32, 2, "tiny") and plan["seconds"] > 0
    assert "plan    32 x 32 windows, batch 2" in err
    assert "training objects; below 20 expect copies of them" in err
    assert not (workspace / "coigan" / "runs").exists()
    code, out, err = call(capsys, monkeypatch, "train", *TINY, "--images-seen", "6", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["run"], told["images"], told["planned"]) == ("001-tiny", 6, 6)
    assert Path(told["generator"]).is_file() and Path(told["samples"]).is_dir()
    assert "run 001-tiny -> coigan/runs/001-tiny" in err
    assert (workspace / "coigan/runs/001-tiny/run.json").exists()
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "3", "--out", "new", "--dry-run")
    assert code == 0, err
    assert "plan    3 images: 3 square" in err
    assert len((workspace / "new/plan.jsonl").read_text().splitlines()) == 3
    code, out, err = call(
        capsys, monkeypatch, "synthesize", "--per-class", "3", "--out", "new", "--no-screen", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["defects"] == {"square": 3}
    for name in ("annotations.json", "preview.png", "preview.html", "plan.jsonl", "card.json"):
        assert (workspace / "new" / name).exists()
    code, _, err = call(capsys, monkeypatch, "synthesize", "--per-class", "3", "--out", "new")
    assert code == 2
    assert "new already holds" in err
    assert "--overwrite" in err
    code, _, err = call(
        capsys,
        monkeypatch,
        "synthesize",
        "--per-class",
        "2",
        "--out",
        "back",
        "--format",
        "source",
        "--quiet",
        "--no-screen",
    )
    assert (code, err) == (0, "")
    code, _, err = call(capsys, monkeypatch, "train", "--resume", "--images-seen", "10")
    assert code == 0, err
    assert "continuing 001-tiny at 6 images" in err


def test_a_bug_is_told_in_one_sentence_with_the_details_in_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)

    def broken() -> None:
        raise ZeroDivisionError("inside")

    assert run(broken) == 1
    err = capsys.readouterr().err
    assert "This is a bug in coigan-aug" in err
    assert "Traceback" not in err
    log = next(tmp_path.glob("coigan-aug-*.log")).read_text()
    assert "ZeroDivisionError: inside" in log


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("libGL.so.1: cannot open shared object file", "apt-get install -y libgl1 libglib2.0-0"),
        ("operator torchvision::nms does not exist", "pip install --force-reinstall torch torchvision"),
    ],
)
def test_a_library_that_cannot_be_loaded_is_answered_with_what_mends_it(
    capsys: pytest.CaptureFixture[str], message: str, says: str
) -> None:
    def broken() -> None:
        raise ImportError(message)

    assert run(broken) == 4
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("text", "count"), [("16000", 16000), ("200k", 200_000), ("1.5M", 1_500_000), (None, None)])
def test_counts_are_read_as_people_write_them(text: str | None, count: int | None) -> None:
    assert count_of(text) == count


@pytest.mark.parametrize("text", ["", "k", "0", "-5", "ten", "0.2"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        count_of(text)


def test_typer_is_told_not_to_print_its_own_tracebacks() -> None:
    assert isinstance(app, typer.Typer)
    assert app.pretty_exceptions_enable is False
