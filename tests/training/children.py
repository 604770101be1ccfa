"""Processes that train together, started as torchrun would start them."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import coigan_aug


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child that finds the package under test, and has no processes beside it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "COIGAN_"))}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(Path(coigan_aug.__file__).parents[1]), "OMP_NUM_THREADS": "1"} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: list[str], count: int, *, cwd: Path) -> list[subprocess.Popen[str]]:
    """Start processes as torchrun would, without anybody who looks after them."""
    shared = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return [
        subprocess.Popen(
            command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=environment(RANK=str(k), LOCAL_RANK=str(k), **shared),
        )
        for k in range(count)
    ]  # fmt: skip


def end(children: list[subprocess.Popen[str]], *, within: float = 120) -> list[tuple[int, str]]:
    """Wait for the children: exit code and what each said."""
    try:
        said = [child.communicate(timeout=within)[1] for child in children]
    finally:
        for child in children:
            child.kill()
    return [(child.returncode, text) for child, text in zip(children, said, strict=True)]
