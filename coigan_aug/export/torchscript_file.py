"""TorchScript: a recorded graph that libtorch runs from C++ and torch from Python; torch calls it outdated.

Loading such a file and drawing with it runs the recorded graph in torch's interpreter; no Python in it is executed.
"""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from coigan_aug.checkpoint import METADATA
from coigan_aug.export.drawing import Drawing, Inputs

_ALIGNED = 64  # bytes: tensors in a torch archive start at multiples, so that a reader can map them


def to_torchscript(drawing: Drawing, example: Inputs, text: str) -> bytes:
    """Return a TorchScript file of what draws, with `text` as the extra file `coigan-aug`."""
    buffer = io.BytesIO()
    with _outdated(), torch.no_grad():
        traced = torch.jit.trace(drawing, example, check_trace=False)
        torch.jit.save(traced, buffer, _extra_files={METADATA: text})
    return _without_paths(buffer.getvalue())


def read_torchscript(path: Path) -> Callable[[Inputs], Tensor]:
    """Read a TorchScript file and return what draws with it: inputs -> [N, 3, H, W], on the CPU."""
    with _outdated():
        module = torch.jit.load(path, map_location="cpu")

    @torch.no_grad()
    def read(inputs: Inputs) -> Tensor:
        out: Tensor = module(*inputs)
        return out

    return read


@contextmanager
def _outdated() -> Iterator[None]:
    """Keep quiet that TorchScript is outdated (the help says so), and that what depends on the size is recorded for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _without_paths(data: bytes) -> bytes:
    """Leave out the records that tell where on this machine the recorded source lies."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            if not name.endswith(".debug_pkl"):
                entry = zipfile.ZipInfo(name)
                start = out.tell() + 30 + len(name.encode()) + 4  # a zip entry's fixed part, its name, the extra's head
                entry.extra = b"FB" + (-start % _ALIGNED).to_bytes(2, "little") + bytes(-start % _ALIGNED)
                new.writestr(entry, old.read(name))
    return out.getvalue()
