"""Several processes on this machine that work together, started by torch's own launcher."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from coigan_aug.errors import EnvironmentProblem, ProcessFailed

GRACE = "25"  # seconds from the signal to stop to the signal to die


def start_several(command: str, *, root: Path, quiet: bool, count: int, again: str) -> None:
    """Run a command line of ours in `count` processes and wait for them; they say what there is to say.

    Args:
        root: the workspace that they work in, whatever the command line or the environment names.
        quiet: they say nothing but errors.
        again: how to continue after a process was killed, for the message.

    Raises:
        ProcessFailed: one failed, having said why. EnvironmentProblem: one was killed.
    """
    words = [sys.executable, "-m", "coigan_aug", *shlex.split(command)[1:], "--workspace", str(root)]
    words += ["--quiet"] if quiet else []
    code = launch(words, count=count, again=again)
    if code:
        raise ProcessFailed(code)


def launch(command: Sequence[str], *, count: int, again: str) -> int:
    """Run a command in `count` processes that find each other by torchrun's variables; return the exit code.

    The first to fail ends the others. A signal is handed on to them; they save and end within the launcher's grace.

    Args:
        again: how to continue after a process was killed, for the message.

    Raises:
        EnvironmentProblem: a process was killed; the message says which.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # each process speaks for itself
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", GRACE)
    with tempfile.TemporaryDirectory(prefix="coigan-aug-") as logs:  # torch's own would stay behind
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=uuid.uuid4().hex, rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0", local_addr="127.0.0.1", max_restarts=0, monitor_interval=0.2,
            logs_specs=DefaultLogsSpecs(log_dir=logs),
        )  # fmt: skip
        try:
            elastic_launch(config, command[0])(*command[1:])
        except ChildFailedError as error:
            return _exit_code(error.failures, count, again)
        except SignalException as error:
            return 128 + error.sigval
    return 0


def _exit_code(failures: Mapping[int, ProcessFailure], count: int, again: str) -> int:
    """Return the exit code of the process that failed, which has said why; raise where it was killed and could not."""
    killed = {number: failure for number, failure in failures.items() if failure.exitcode < 0}
    if not killed:
        return next(iter(failures.values())).exitcode
    number, failure = next(iter(killed.items()))
    name = signal.Signals(-failure.exitcode).name
    raise EnvironmentProblem(
        f"Process {number} of {count} (process id {failure.pid}) was ended by {name}; the others were stopped.",
        remedy=f"SIGKILL often means that memory ran out. {again}",
    )
