"""Event files for TensorBoard, where that is installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Board(Protocol):
    """Takes numbers by name, and the samples seen at which they were measured."""

    def __call__(self, values: Mapping[str, float], images: int) -> None: ...


@contextmanager
def board(folder: Path, *, begun_at: int, on: bool) -> Iterator[Board]:
    """Give what writes event files to a folder; nothing is written where TensorBoard is not installed, or not `on`.

    Args:
        begun_at: the samples seen where this process begins; what an earlier one wrote beyond it is taken back.
    """
    if not on or importlib.util.find_spec("tensorboard") is None:
        yield lambda values, images: None
        return
    writer = importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder), purge_step=begun_at + 1)

    def write(values: Mapping[str, float], images: int) -> None:
        for name, value in values.items():
            who, _, what = name.partition("_")
            writer.add_scalar(f"{who}/{what}" if what else name, value, images)

    try:
        yield write
    finally:
        writer.close()
