"""kill -9 of translate train and translate apply at random moments: the same command ends as if it had not been."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from coigan_aug.files import sha256
from coigan_aug.sealed import read_lines
from tests.faults.killing import SEED, finish, kill_when, start
from tests.translation.lines import dimmed, write_line

pytestmark = pytest.mark.slow
QUICK = [
    part
    for value in (
        "data.window=32", "translate.width=4", "translate.blocks=2", "translate.discriminator_width=4", "train.threads=1",
        "train.precision=float32", "log.checkpoint_every=8", "log.metrics_every=1", "log.samples_every=16",
        "log.watch_every=0",
    )
    for part in ("--set", value)
]  # fmt: skip
AT_MOST = 2


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the lines `a` and `b`."""
    print(f"KILL_SEED={SEED}")
    folder = tmp_path_factory.mktemp("kill")
    write_line(folder / "a", first=0, count=48)
    write_line(folder / "b", first=50, look=dimmed)
    return folder


def _train(workspace: str) -> list[str]:
    lines = ["--from", "a", "--to", "b", "--workspace", workspace, "--device", "cpu"]
    return ["translate", "train", *lines, "--recipe", "tiny", "--attention", "mask", "--images-seen", "64", *QUICK]


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines()) if path.exists() else 0


def test_a_killed_training_is_the_uninterrupted_one(here: Path) -> None:
    moments = random.Random(SEED)
    finish(*_train("whole"), cwd=here)
    run, whole = (here / name / "translators" / "001-tiny" for name in ("killed", "whole"))
    kills = 0
    for _ in range(AT_MOST):
        if (run / "run.json").exists():
            break
        before = _lines(run / "metrics.jsonl")
        child = start(*_train("killed"), cwd=here)
        kills += kill_when(
            child, lambda known=before: _lines(run / "metrics.jsonl") != known, wait=moments.uniform(0, 0.5)
        )
    assert kills > 0, "at least one kill met a running training"
    if not (run / "run.json").exists():
        finish(*_train("killed"), cwd=here)
    assert sha256(run / "generator.safetensors") == sha256(whole / "generator.safetensors")
    assert list(read_lines(run / "metrics.jsonl")) == list(read_lines(whole / "metrics.jsonl"))
    assert not (here / "killed" / "translators" / "002-tiny").exists()


@pytest.mark.parametrize("how", ["histogram", "network"])
def test_a_killed_translation_is_the_uninterrupted_one(here: Path, how: str) -> None:
    moments = random.Random(SEED + 1)
    if how == "network" and not (here / "whole" / "translators" / "001-tiny" / "run.json").exists():
        finish(*_train("whole"), cwd=here)
    look = ["--run", "001-tiny"] if how == "network" else ["--to", "b", "--engine", "histogram"]

    def made(out: str) -> list[str]:
        return ["translate", "apply", "a", *look, "--out", out, "--no-screen", "--workspace", "whole"]

    whole, killed = here / how / "whole", here / how / "killed"
    finish(*made(str(whole)), cwd=here)
    for _ in range(AT_MOST):
        if (killed / "card.json").exists():
            break
        before = _lines(killed / "translated.jsonl")
        child = start(*made(str(killed)), cwd=here)
        kill_when(
            child, lambda known=before: _lines(killed / "translated.jsonl") > known, wait=moments.uniform(0, 0.05)
        )
    if not (killed / "card.json").exists():
        finish(*made(str(killed)), cwd=here)
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(killed) for path in killed.rglob("*") if path.is_file()}
    for name in files - {Path(".lock"), Path("card.json")}:  # the latter names its own command
        assert sha256(whole / name) == sha256(killed / name), name
    assert len(files) > 48
