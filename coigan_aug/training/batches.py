"""Samples to batches of tensors, by position: the same for any number of workers and processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from coigan_aug.compose.composer import Stream
from coigan_aug.compose.sample import Sample

B = TypeVar("B")
S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Samples(Protocol[S_co]):
    """An endless stream of samples, by index; picklable."""

    def __getitem__(self, index: int) -> S_co: ...


@dataclass(frozen=True)
class Batch:
    """The fields of `Sample`, stacked: images and masks [B, C, H, W], latents [B, L, Z]; float32."""

    base: Tensor
    masks: Tensor
    condition: Tensor
    latent: Tensor
    objects: Tensor
    object_masks: Tensor
    reference: Tensor
    reference_masks: Tensor
    pair_base: Tensor
    pair_masks: Tensor
    pair_condition: Tensor
    pair_latent: Tensor
    pair_target: Tensor

    def to(self, device: torch.device) -> Batch:
        """Move to a device, images in channels_last order."""
        moved = (getattr(self, item.name).to(device, non_blocking=True) for item in fields(self))
        return Batch(*(v.contiguous(memory_format=torch.channels_last) if v.ndim == 4 else v for v in moved))

    def split(self, parts: int) -> list[Batch]:
        """Split into parts of equal size, one less one more where that can't be."""
        pieces = [torch.tensor_split(getattr(self, item.name), parts) for item in fields(self)]
        return [Batch(*values) for values in zip(*pieces, strict=True)]


def stack(samples: Sequence[Sample]) -> Batch:
    """Stack samples to a batch."""
    names = [item.name for item in fields(Batch)]
    return Batch(*(torch.from_numpy(np.stack([getattr(s, name) for s in samples])) for name in names))


def batches(stream: Stream, *, start: int, batch: int, rank: int, world: int, workers: int) -> Iterator[Batch]:
    """Yield this process's share of each batch for ever, from sample `start` on, as `positions_of` says."""
    return shared_out(
        stream, positions_of(start=start, batch=batch, rank=rank, world=world), stack=stack, workers=workers
    )


def positions_of(*, start: int, batch: int, rank: int, world: int) -> Positions:
    """Return which samples this process sees in each step.

    Step n of all processes together sees samples start + n * batch and the next `batch` - 1; rank r of `world`
    takes the r-th of `world` equal parts, so every split of the work sees the same samples.
    """
    share = batch // world
    return Positions(start + rank * share, batch, share)


def shared_out(
    stream: Samples[S], positions: Positions, *, stack: Callable[[Sequence[S]], B], workers: int
) -> Iterator[B]:
    """Yield the batches at these positions of a stream for ever, composed here or by `workers` processes."""
    if workers == 0:
        for indices in positions:
            yield stack([stream[index] for index in indices])
    loader = DataLoader(
        _Mapped(stream), batch_sampler=positions, num_workers=workers, collate_fn=stack, worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(), prefetch_factor=4,
    )  # fmt: skip
    yield from loader


@dataclass(frozen=True)
class Positions:
    """The samples of each step, for ever: `share` of them from `start` on, then from `step` further on."""

    start: int
    step: int
    share: int

    def __iter__(self) -> Iterator[list[int]]:
        start = self.start
        while True:
            yield list(range(start, start + self.share))
            start += self.step


class _Mapped(Dataset[S]):
    def __init__(self, stream: Samples[S]) -> None:
        self.stream = stream

    def __getitem__(self, index: int) -> S:
        return self.stream[index]


def _one_thread(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the training itself decides
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
