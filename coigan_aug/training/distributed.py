"""The processes that train together: all collectives of the training are here; one process needs none of it."""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from coigan_aug.errors import CoiganError, EnvironmentProblem, exit_code_of
from coigan_aug.training.place import Place

T = TypeVar("T")
STEP_TIMEOUT = timedelta(minutes=10)  # a step, a checkpoint or a sample grid takes far less; two stuck processes end
WAIT_TIMEOUT = timedelta(days=1)  # while process 0 decodes a large data set; a death is noticed at once all the same


def rank() -> int:
    """Return this process's number, 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Return how many processes train together, 1 when alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


class _LostError(Exception):
    """A collective failed: a process is gone, or the network."""


@contextmanager
def joined(place: Place | None, device: torch.device, *, again: str = "coigan-aug train --resume") -> Iterator[None]:
    """Meet the other processes and be one of them inside the block: over gloo, on GPUs over NCCL; None stays alone.

    A process that dies ends the block in all others; one of them says which, and that `again` continues.

    Raises:
        EnvironmentProblem: the others could not be met, or one of them has died.
        SystemExit: the same, in the processes that leave it to another to say so.
    """
    if place is None:
        yield
        return
    peers = _meet(place, device)
    try:
        yield
        dist.destroy_process_group()
    except CoiganError as error:
        if place.rank > 0:
            error.message = f"Training process {place.rank} of {place.world}: {error.message}"
        atexit.register(_leave, exit_code_of(error))
        raise
    except _LostError as error:
        _explain_loss(peers, place, error, again)


def _meet(place: Place, device: torch.device) -> list[tuple[str, int]]:
    """Start the process group and return every process's host and process id."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            init_method=f"tcp://{place.address}:{place.port}", rank=place.rank, world_size=place.world,
            timeout=STEP_TIMEOUT,
        )  # fmt: skip
        peers: list[tuple[str, int]] = [("", 0)] * place.world
        dist.all_gather_object(peers, (socket.gethostname(), os.getpid()))
    except RuntimeError as error:
        raise EnvironmentProblem(
            f"Process {place.rank} of {place.world} did not meet the others at {place.address}:{place.port}: "
            f"{str(error).splitlines()[0]}",
            remedy="Start as many processes as WORLD_SIZE says, on machines that reach this address and port.",
        ) from error
    return peers


def _explain_loss(peers: Sequence[tuple[str, int]], place: Place, error: _LostError, again: str) -> None:
    """Say which process has died, in the first that lives on each machine; the others end without a word."""
    atexit.register(_leave, EnvironmentProblem.exit_code)
    dead, host = _dead(peers), peers[place.rank][0]
    living = [number for number, (where, _) in enumerate(peers) if where == host and number not in dead]
    if living[0] != place.rank:
        raise SystemExit(EnvironmentProblem.exit_code) from error
    who = ", ".join(f"{number} (process id {peers[number][1]} on {peers[number][0]})" for number in dead)
    cause = str(error).splitlines()[0][:200]
    lost = f"Training process {who} of {place.world} has died" if dead else f"The connection is lost: {cause}"
    raise EnvironmentProblem(
        f"{lost}; process {place.rank} can't go on alone.",
        remedy=f"Its own message is above, if it had one. Continue from the last checkpoint: {again}",
    ) from error


def _leave(code: int) -> None:
    """End, all having been said, without torch's clean-up of the process group: where its peers are gone it may abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _dead(peers: Sequence[tuple[str, int]]) -> list[int]:
    """List the processes of this machine that have ended; waits a moment for one that is just ending."""
    host = socket.gethostname()
    for _ in range(20):
        dead = [number for number, (where, pid) in enumerate(peers) if where == host and not _lives(pid)]
        if dead:
            break
        time.sleep(0.1)
    return dead


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that has ended but whose parent has not asked for it does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@contextmanager
def _collective() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise _LostError(str(error)) from error


def only_first(work: Callable[[], T]) -> T:
    """Do something in process 0 alone and return its result, which must be picklable, in all; the others wait.

    Raises:
        SystemExit: in the others, where `work` raised an error in process 0, which says what it was.
    """
    if world() == 1:
        return work()
    patient = dist.new_group(backend="gloo", timeout=WAIT_TIMEOUT)
    assert isinstance(patient, dist.ProcessGroup)  # all processes are members of it
    outcome: list[tuple[int, T | None]] = [(1, None)]  # exit code and result
    try:
        if rank() == 0:
            outcome = [(0, work())]
    except CoiganError as error:
        outcome = [(exit_code_of(error), None)]
        raise
    finally:
        with _collective():
            dist.broadcast_object_list(outcome, src=0, group=patient)
    dist.destroy_process_group(patient)  # a watched training comes here often
    code, result = outcome[0]
    if code:
        raise SystemExit(code)
    return result  # type: ignore[return-value]  # what work() returned, which may be None itself


def said_once(error: CoiganError) -> BaseException:
    """Return what to raise where all processes meet an error together: process 0 says it, the others just end."""
    return error if rank() == 0 else SystemExit(exit_code_of(error))


def largest(*numbers: int) -> tuple[int, ...]:
    """Return the largest of each number over all processes: what one of them knows, all know in the same step."""
    if world() == 1:
        return numbers
    values = torch.tensor(numbers)
    with _collective():
        dist.all_reduce(values, op=dist.ReduceOp.MAX)
    return tuple(values.tolist())


def across(value: Tensor) -> Tensor:
    """Return the mean of a value over all processes, without gradient; the value itself when alone.

    A loss that divides by across(sum of weights), not by its own sum, has as its mean over the processes the weighted
    mean over the whole batch, and so have the gradients.
    """
    if world() == 1:
        return value
    value = value.detach().clone()
    with _collective():
        dist.all_reduce(value)
    return value / world()


def own_rows(count: int, draw: Callable[[int], Tensor]) -> Tensor:
    """Draw a row for each sample of all processes, each of which has `count`, and return those of this one.

    With a generator that stands at the same place everywhere, each sample meets the same randomness however many
    processes share the work.
    """
    return draw(count * world())[rank() * count : (rank() + 1) * count]


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average gradients over all processes, in place; does nothing when alone.

    All gradients of one type travel together. A parameter without a gradient is left out, so that the optimiser passes
    it over as in one process; it must be without one in all of them, and is, because all go through the same losses.
    """
    if world() == 1:
        return
    buckets: dict[torch.dtype, list[Tensor]] = {}
    for parameter in parameters:
        if parameter.grad is not None:
            buckets.setdefault(parameter.grad.dtype, []).append(parameter.grad)
    for gradients in buckets.values():
        flat = across(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view(gradient.shape))
