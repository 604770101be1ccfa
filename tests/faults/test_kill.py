"""kill -9 at random moments, then the same command: the result is that of the uninterrupted run, bit for bit."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.files import sha256
from coigan_aug.imaging import write_image
from coigan_aug.sealed import read_lines
from tests.faults.killing import SEED, finish, kill_when, start
from tests.thorough import tries
from tests.training.children import end

pytestmark = pytest.mark.slow
SETTINGS = [
    "data.scale=1.0", "data.window=32", "model.width=8", "model.depth=2", "model.discriminator_width=8", "train.batch=2",
    "train.threads=1", "train.precision=float32", "log.checkpoint_every=8", "log.metrics_every=1", "synthesize.batch=1",
    "log.watch_every=0",  # a training killed while it measures: tests/training/test_loop.py
]  # fmt: skip


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    print(f"KILL_SEED={SEED}")
    folder = tmp_path_factory.mktemp("kill")
    draw = np.random.default_rng(0)
    for k in range(16):
        kind = "Square" if k % 2 else "Free"
        image = draw.integers(90, 160, (60, 80)).astype(np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        if k % 2:
            mask[10 + k : 20 + k, 12 : 26 + k] = 255
            image[mask > 0] = 20
        write_image(folder / "data" / f"T_{kind}" / f"{k}.jpg", image)
        write_image(folder / "data" / f"T_{kind}" / f"{k}.png", mask)
    for name in ("whole", "killed"):
        finish("import", "data", "--group-by", "none", "--workspace", name, cwd=folder)
    return folder


def _train(name: str) -> list[str]:
    settings = [part for value in SETTINGS for part in ("--set", value)]
    return ["train", "--recipe", "tiny", "--images-seen", "64", "--workspace", name, *settings]


def test_train_killed_at_random_moments_ends_equal(imported: Path) -> None:
    moments = random.Random(SEED)
    finish(*_train("whole"), cwd=imported)
    run = imported / "killed" / "runs" / "001-tiny"
    kills = 0
    for _ in range(tries(3)):
        if (run / "run.json").exists():
            break  # it ended before the kill; the same command would begin another run
        before = len(list(read_lines(run / "metrics.jsonl")))
        child = start(*_train("killed"), cwd=imported)
        kills += kill_when(
            child,
            lambda known=before: len(list(read_lines(run / "metrics.jsonl"))) != known,
            wait=moments.uniform(0, 0.8),
        )
    assert kills > 0, "at least one kill met a running training"
    if not (run / "run.json").exists():
        finish(*_train("killed"), cwd=imported)
    whole = imported / "whole" / "runs" / "001-tiny"
    assert sha256(run / "generator.safetensors") == sha256(whole / "generator.safetensors")
    assert list(read_lines(run / "metrics.jsonl")) == list(read_lines(whole / "metrics.jsonl"))
    assert not (imported / "killed" / "runs" / "002-tiny").exists()


def test_synthesize_killed_at_random_moments_ends_equal(imported: Path) -> None:
    moments = random.Random(SEED + 1)
    if not (imported / "whole" / "runs" / "001-tiny" / "run.json").exists():
        finish(*_train("whole"), cwd=imported)

    def made(out: str) -> list[str]:
        return ["synthesize", "--per-class", "30", "--out", out, "--workspace", "whole", "--no-screen", "--set",
                "synthesize.batch=1"]  # fmt: skip

    finish(*made("a"), cwd=imported)
    for _ in range(2):
        child = start(*made("b"), cwd=imported)
        kill_when(child, lambda: any((imported / "b" / "images").glob("*.png")), wait=moments.uniform(0, 0.5))
    if not (imported / "b" / "card.json").exists():
        finish(*made("b"), cwd=imported)
    names = sorted(path.relative_to(imported / "a") for path in (imported / "a").rglob("*") if path.is_file())
    kept = [
        name for name in names if name.name not in (".lock", "card.json", "preview.html")
    ]  # these two name the command, and so --out
    assert len(kept) > 20
    for name in kept:
        assert sha256(imported / "a" / name) == sha256(imported / "b" / name), name


def test_ctrl_c_saves_and_exits_130(imported: Path) -> None:
    arguments = [value if value != "killed" else "stopped" for value in _train("killed")]
    finish("import", "data", "--group-by", "none", "--workspace", "stopped", cwd=imported)
    metrics = imported / "stopped" / "runs" / "001-tiny" / "metrics.jsonl"
    child = start(*[value.replace("64", "16000") for value in arguments], cwd=imported)
    while child.runs() and not list(read_lines(metrics)):
        time.sleep(0.01)
    child.send(signal.SIGINT)
    [(code, said)] = end([child])
    assert code == 130
    assert "coigan-aug train --resume" in said
    assert "Traceback" not in said
    assert list((imported / "stopped/runs/001-tiny/checkpoints").glob("*.pt"))
