"""Processes as a person or torchrun would start them, forked from one that has already imported what takes seconds."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import coigan_aug
from coigan_aug.cli.main import main

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    ["coigan_aug.stages.import_data", "coigan_aug.stages.train", "coigan_aug.stages.synthesize", "torch._dynamo"]
    # the last is imported by the first optimizer
)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child that finds the package under test, and has no processes beside it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "COIGAN_"))}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(Path(coigan_aug.__file__).parents[1]), "OMP_NUM_THREADS": "1"} | more


def command_line(*arguments: str) -> None:
    """Be `coigan-aug` with these arguments."""
    sys.argv = ["coigan-aug", *arguments]
    main()


def _be(
    target: Callable[..., None], arguments: tuple[str, ...], cwd: Path, variables: dict[str, str], said: Path
) -> None:
    """Be a child: a process that ends as Python itself ends one, functions registered for its exit included."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    code: object = 0
    try:
        target(*arguments)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    raise SystemExit(code)


@dataclasses.dataclass(frozen=True)
class Child:
    """A process, and the file with what it writes to stderr."""

    process: BaseProcess
    said: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def runs(self) -> bool:
        return self.process.exitcode is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended by itself."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def end(self, *, within: float = 600) -> tuple[int, str]:
        """Wait for it: exit code, negative for a signal, and what it said; one that does not end is killed."""
        self.process.join(within)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        assert code is not None, f"still running after {within} s: {self.said.read_text()}"
        return code, self.said.read_text()


def begin(target: Callable[..., None], *arguments: str, cwd: Path, folder: Path, **variables: str) -> Child:
    """Start a child in `cwd`, with these variables beside `environment()`; what it says goes to a file in `folder`."""
    folder.mkdir(exist_ok=True)
    said = folder / f"{len(list(folder.iterdir()))}.txt"
    said.touch()
    process = FORKED.Process(target=_be, args=(target, arguments, cwd, environment(**variables), said))
    process.start()
    return Child(process, said)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def begin_ranks(target: Callable[..., None], *arguments: str, count: int, cwd: Path, folder: Path) -> list[Child]:
    """Start processes that train together as torchrun would, without anybody who looks after them."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        begin(target, *arguments, cwd=cwd, folder=folder, RANK=str(k), LOCAL_RANK=str(k), **shared)
        for k in range(count)
    ]


def end(children: list[Child], *, within: float = 600) -> list[tuple[int, str]]:
    """Wait for the children: exit code and what each said."""
    try:
        return [child.end(within=within) for child in children]
    finally:
        for child in children:
            child.process.kill()
            child.process.join()
