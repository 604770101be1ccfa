"""Several processes in one training: one stops, dies or errs, and all of them end as one would; nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coigan_aug.cli.ending import run
from coigan_aug.sealed import read_lines
from coigan_aug.training.launch import launch
from coigan_aug.training.run import list_runs
from tests.conftest import SMALL, write_toy
from tests.thorough import tries
from tests.training.children import Child, begin, begin_ranks, command_line, end


def _launched(*arguments: str) -> None:
    """Be the launcher of two processes, in a session of its own as a terminal's command is; the two start from nothing."""
    os.setsid()
    words = [sys.executable, "-m", "coigan_aug", *arguments]
    sys.exit(run(lambda: sys.exit(launch(words, count=2, again="Go on."))))


def _train(images: int, *more: str) -> list[str]:
    settings = [part for value in (*SMALL, *more) for part in ("--set", value)]
    return ["train", "--device", "cpu", "--recipe", "tiny", "--images-seen", str(images), *settings]


@pytest.fixture
def standing(tmp_path: Path) -> Path:
    write_toy(tmp_path)
    return tmp_path


def _lines(folder: Path) -> list[dict[str, float]]:
    return [line for run in list_runs(folder / "coigan" / "runs") for line in read_lines(run.metrics)]


def _wait(ready: Callable[[], object], children: list[Child]) -> None:
    ends = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < ends and all(child.runs() for child in children)
        time.sleep(0.02)


def _several(count: int, folder: Path, *arguments: str) -> list[Child]:
    return begin_ranks(command_line, *arguments, count=count, cwd=folder, folder=folder / "said")


def _ranks_of(launcher: Child) -> list[int]:
    """Return the process ids of the launcher's processes, in the order of their ranks."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    found = {}
    for child in children:
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        found |= {int(v[5:]): int(child) for v in variables if v.startswith(b"RANK=")}
    return [found[k] for k in sorted(found)]


@pytest.mark.slow
def test_a_training_stopped_in_two_processes_continues_in_one_and_in_two_again(standing: Path) -> None:
    """A signal to one of two stops both at the same step; one process goes on from there, and two after it where thorough."""
    children = _several(2, standing, *_train(8000))
    _wait(lambda: len(_lines(standing)) >= 3, children)
    children[1].send(signal.SIGTERM)
    (first, said), (second, silence) = end(children)
    assert (first, second) == (143, 143), said + silence
    position = _lines(standing)[-1]["images"]
    assert f"Stopped; saved at {position:,} images" in said
    assert "Traceback" not in said + silence
    assert silence.strip() == ""
    resumes = ((1, 8), (2, 16))[: tries(2)]
    for count, more in resumes:
        resume = ["train", "--device", "cpu", "--resume", "--images-seen", str(position + more)]
        resumed = end(_several(count, standing, *resume))
        assert [code for code, _ in resumed] == [0] * count, resumed
        assert f"continuing 001-tiny at {position + more - 8:,} images" in resumed[0][1]
    assert [run.name for run in list_runs(standing / "coigan" / "runs")] == ["001-tiny"]
    found = [line["images"] for line in _lines(standing)]
    last = position + resumes[-1][1]
    assert found == list(range(4, last + 1, 4))
    [(code, said)] = end(_several(1, standing, *_train(last)))
    assert code == 0, said
    lines = _lines(standing)
    for one, other in zip(lines[: len(found)], lines[len(found) :], strict=True):
        assert one == pytest.approx(other, rel=0.02, abs=2e-3)  # float32, whose last bits depend on the split


@pytest.mark.slow
def test_a_killed_process_ends_the_other_with_a_message_that_names_it(standing: Path) -> None:
    children = _several(2, standing, *_train(8000))
    _wait(lambda: _lines(standing), children)
    children[1].send(signal.SIGKILL)
    (code, said), _ = end(children, within=30)
    assert code == 4, said
    assert f"Training process 1 (process id {children[1].pid} on" in said
    assert "coigan-aug train --resume" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_killed_first_process_is_named_by_the_next(standing: Path) -> None:
    children = _several(2, standing, *_train(8000))
    _wait(lambda: _lines(standing), children)
    children[0].send(signal.SIGKILL)
    _, (code, said) = end(children, within=30)
    assert code == 4, said
    assert f"Training process 0 (process id {children[0].pid} on" in said


@pytest.mark.slow
def test_the_launcher_says_which_process_was_killed_and_leaves_nothing_behind(
    standing: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    launcher = begin(_launched, *_train(8000), cwd=standing, folder=standing / "said", TMPDIR=str(temporary))
    _wait(lambda: _lines(standing), [launcher])
    processes = _ranks_of(launcher)
    os.kill(processes[1], signal.SIGKILL)
    [(code, said)] = end([launcher], within=30)
    assert code == 4
    assert f"Process 1 of 2 (process id {processes[1]}) was ended by SIGKILL" in said
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
    assert [path.name for path in temporary.iterdir() if "torchinductor" not in path.name] == []


@pytest.mark.slow
def test_a_signal_to_the_whole_group_saves_once_and_keeps_its_exit_code(
    standing: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As Ctrl-C does: launcher and processes get it at once, and the processes again from the launcher."""
    temporary = tmp_path_factory.mktemp("temporary")
    launcher = begin(_launched, *_train(8000), cwd=standing, folder=standing / "said", TMPDIR=str(temporary))
    _wait(lambda: _lines(standing), [launcher])
    processes = _ranks_of(launcher)
    os.killpg(launcher.pid, signal.SIGINT)
    [(code, said)] = end([launcher], within=30)
    assert code == 130
    position = _lines(standing)[-1]["images"]
    assert said.count(f"saved at {position:,} images") == 1, said
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{process}").exists() for process in processes)
    assert [path.name for path in temporary.iterdir() if "torchinductor" not in path.name] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("train.learning_rate=0.1", "train.r1=1e300"), 3, "loss is not finite"),
    ],
)
def test_a_mistake_is_said_once_by_all_processes_together(
    standing: Path, more: tuple[str, ...], code: int, says: str
) -> None:
    ended = end(_several(2, standing, *_train(24, *more)))
    assert [found for found, _ in ended] == [code, code], ended
    assert says in ended[0][1]
    assert ended[1][1].strip() == ""


@pytest.mark.slow
def test_a_dry_run_plans_for_all_processes(standing: Path) -> None:
    named = _train(24)
    unnamed = [word for word in named if word not in ("--recipe", "tiny")]
    ended = end(_several(2, standing, *unnamed, "--dry-run"))
    assert [code for code, _ in ended] == [0, 0], ended
    assert "Recipe default (32 px, 24 samples) would take about" in ended[0][1], "all processes measure it together"
    assert "batch 4 (2 a process)" in ended[0][1]
    assert not (standing / "coigan" / "runs").exists()
