"""Which of several processes this one is, as whoever started it says: torchrun's variables or Slurm's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from coigan_aug.errors import EnvironmentProblem

_FIRST_PORT, _PORTS = 12_000, 20_000  # below the ports that systems hand out by themselves (from 32768 on)


@dataclass(frozen=True, kw_only=True)
class Place:
    """One process among those that train together.

    Args:
        rank: its number among all, from 0.
        world: how many they are.
        local_rank: its number among those of its machine, from 0.
        here: how many its machine has; 0 where that is not told.
        address, port: where process 0 listens for the others.
        slurm: whether Slurm started it, which may show it one GPU only.
    """

    rank: int
    world: int
    local_rank: int
    here: int
    address: str
    port: int
    slurm: bool = False


def find_place(environ: Mapping[str, str]) -> Place | None:
    """Return this process's place among several, None where it trains alone.

    torchrun's variables come before Slurm's, because torchrun may itself run as a task of Slurm. Slurm's count only
    within `srun`: a batch script that calls the command directly trains alone.

    Raises:
        EnvironmentProblem: a variable is missing or is not a number.
    """
    if "RANK" in environ and "WORLD_SIZE" in environ:
        place = _of_torchrun(environ)
    elif "SLURM_PROCID" in environ and "SLURM_STEP_ID" in environ:
        place = _of_slurm(environ)
    else:
        return None
    if not (0 <= place.rank < place.world and place.local_rank >= 0):
        raise EnvironmentProblem(f"The environment makes this process {place.rank} of {place.world}, which can't be.")
    return place if place.world > 1 else None


def _of_torchrun(environ: Mapping[str, str]) -> Place:
    return Place(
        rank=_number(environ, "RANK"),
        world=_number(environ, "WORLD_SIZE"),
        local_rank=_number(environ, "LOCAL_RANK"),
        here=_number(environ, "LOCAL_WORLD_SIZE") if "LOCAL_WORLD_SIZE" in environ else 0,
        address=_text(environ, "MASTER_ADDR"),
        port=_number(environ, "MASTER_PORT"),
    )


def _of_slurm(environ: Mapping[str, str]) -> Place:
    step = {name: f"SLURM_STEP_{name}" for name in ("NUM_TASKS", "NODELIST")}
    tasks = step["NUM_TASKS"] if step["NUM_TASKS"] in environ else "SLURM_NTASKS"
    nodes = step["NODELIST"] if step["NODELIST"] in environ else "SLURM_JOB_NODELIST"
    here = "SLURM_STEP_TASKS_PER_NODE"  # such as 4(x2),3: four each on two machines, three on another
    port = _FIRST_PORT + _number(environ, "SLURM_JOB_ID") % _PORTS
    return Place(
        rank=_number(environ, "SLURM_PROCID"),
        world=_number(environ, tasks),
        local_rank=_number(environ, "SLURM_LOCALID"),
        here=int(environ.get(here, "0").partition("(")[0].partition(",")[0]),
        address=environ.get("MASTER_ADDR") or first_host(_text(environ, nodes)),
        port=_number(environ, "MASTER_PORT") if "MASTER_PORT" in environ else port,
        slurm=True,
    )


def first_host(nodes: str) -> str:
    """Return the first host of a Slurm node list.

    >>> first_host("gpu[007-009,012],login1")
    'gpu007'
    """
    head = re.match(r"(?:[^,\[\]]|\[[^\]]*\])+", nodes)
    if head is None:
        raise EnvironmentProblem(f"The node list {nodes!r} of Slurm names no host.", remedy="Set MASTER_ADDR yourself.")
    return re.sub(r"\[([^\],-]*)[^\]]*\]", r"\1", head[0])


def _number(environ: Mapping[str, str], name: str) -> int:
    try:
        return int(_text(environ, name))
    except ValueError as error:
        raise EnvironmentProblem(f"{name}={environ[name]} is not a number.", remedy=_REMEDY) from error


def _text(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise EnvironmentProblem(f"{name} is not set, but this process is one of several.", remedy=_REMEDY)
    return environ[name]


_REMEDY = "Start the processes with torchrun or srun, or unset RANK and WORLD_SIZE to train alone."
