"""A short training that is stopped goes on where it was: its weights, averages and moments lie in a file until it ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from coigan_aug.errors import DataError, Stopped
from coigan_aug.files import write_bytes
from coigan_aug.signals import StopRequest, stop_request_here
from coigan_aug.weights import read_weights, weights_bytes

METADATA = "coigan-aug training"


class Partway:
    """What a training has to keep, and whether it was asked to stop.

    `begun` is the number of steps that were taken already, before it was stopped.

    Args:
        path: where it is kept while it is stopped; None keeps nothing and stops for nothing.
        modules: those whose weights change, by name.
        remedy: what to type, for who stops it.
    """

    def __init__(
        self, path: Path | None, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer, *, remedy: str
    ) -> None:
        self._path = path
        self._modules = modules
        self._optimizer = optimizer
        self._remedy = remedy
        self._request: StopRequest | None = None
        self.begun = 0
        if path is not None:
            with contextlib.suppress(DataError, KeyError, RuntimeError):  # not there, damaged, or of another network
                self._load(path)

    def after(self, step: int, steps: int) -> None:
        """Take note that `step` of `steps` steps are taken; keep what there is and stop, if that was asked for.

        Raises:
            Stopped: Ctrl-C or SIGTERM.
        """
        if self._path is None or self._request is None or not self._request.signal_number or step >= steps:
            return
        write_bytes(self._path, weights_bytes(self._tensors(), METADATA, f'{{"step": {step}}}'))
        what = f"Stopped; this training is kept at step {step:,} of {steps:,}."
        raise Stopped(what, signal_number=self._request.signal_number, remedy=self._remedy)

    @contextlib.contextmanager
    def watched(self) -> Iterator[Partway]:
        """Catch Ctrl-C and SIGTERM inside the block, which is the training; once it ends, what was kept is removed."""
        if self._path is None:
            yield self
            return
        with stop_request_here() as self._request:
            yield self
        self._path.unlink(missing_ok=True)

    def _tensors(self) -> dict[str, Tensor]:
        modules = {f"{name} {k}": v for name, module in self._modules.items() for k, v in module.state_dict().items()}
        moments = self._optimizer.state_dict()["state"]
        return modules | {f"moment {k} {name}": v for k, own in moments.items() for name, v in own.items()}

    def _load(self, path: Path) -> None:
        about, tensors = read_weights(path, METADATA)
        state: dict[int, dict[str, Tensor]] = {}
        for key in (key for key in tensors if key.startswith("moment ")):
            _, number, name = key.split(" ")
            state.setdefault(int(number), {})[name] = tensors[key]
        for name, module in self._modules.items():
            head = f"{name} "
            module.load_state_dict({k.removeprefix(head): v for k, v in tensors.items() if k.startswith(head)})
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.begun = int(about["step"])
