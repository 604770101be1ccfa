"""What the loop can train: networks with their data, a step, and what of them is shown, measured and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from torch import nn

from coigan_aug.checkpoint import State
from coigan_aug.imaging import Pixels
from coigan_aug.training.judging import Losses
from coigan_aug.training.networks import Step

B = TypeVar("B")


class Trainable(Protocol[B]):
    """What is trained; B is its batch of samples.

    `command` is the command line that begins such a training, `again` the one that continues it, for messages.
    All processes call its methods alike but for `samples`, `distance` and `save`, which the first alone calls.
    """

    @property
    def command(self) -> str: ...

    @property
    def again(self) -> str: ...

    @property
    def learning(self) -> Sequence[nn.Module]:
        """The networks that have an optimiser."""

    def batches(self, *, start: int, batch: int, workers: int) -> Iterator[B]:
        """Yield this process's share of each batch for ever, on the device, from sample `start` on."""

    def step(self, batch: B, step: Step) -> Losses:
        """Train once on a batch and return every loss, named WHO_WHAT.

        Raises:
            CoiganError: a loss is not finite; nothing of that network was stepped.
        """

    def average(self, number: int) -> None:
        """Move what is kept towards what step `number` has left."""

    def samples(self) -> Pixels:
        """Draw fixed samples for a person to judge: uint8 [H, W, 3]."""

    def distance(self) -> float:
        """Return how far what it makes is from what is real (KID), on fixed samples."""

    def state(self) -> State:
        """Return all that it goes on from."""

    def load(self, state: State) -> None:
        """Go on from a state; errors of torch's where it does not fit."""

    def begin_from(self, path: Path) -> str:
        """Begin with the weights of another training; return what was taken, in words."""

    def save(self, path: Path, *, images: int) -> None:
        """Write the averaged network, after so many samples, as the file that is worked with."""

    def summary(self, values: Mapping[str, float]) -> str:
        """Say the losses in a few words, for the line that shows how far it is."""
