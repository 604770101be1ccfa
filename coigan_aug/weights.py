"""Files of tensors: safetensors that say in JSON what they are, with a checksum of that and of every tensor."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from coigan_aug.errors import DataError, memory_ran_out
from coigan_aug.sealed import SEAL, Damaged

_SEAL = re.compile(r'(?:, )?"([^"]*)": "([0-9a-f]{8})"\}\Z')


def weights_bytes(tensors: Mapping[str, Tensor], key: str, about: str) -> bytes:
    """Return a file of tensors.

    Args:
        key: what the file is, the one key of its metadata (the library writes several in random order).
        about: what it says of itself, a JSON object as text; the checksum is added to it.
    """
    held = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    body = about[:-1]
    comma = ", " if len(body) > 1 else ""
    return save(held, metadata={key: f'{body}{comma}"{SEAL}": "{_checksum(body, held):08x}"}}'})


def read_weights(
    path: Path, key: str, *, what: str = "a file of tensors", remedy: str = "", bare: bool = False
) -> tuple[Any, dict[str, Tensor]]:
    """Read a file of tensors, on the CPU: what it says of itself, without the checksum, and the tensors by name.

    A file without a checksum is of an earlier version, or somebody else's, and is read as it is.

    Args:
        what: what is expected, for messages: "a generator file".
        bare: take a file that says nothing of itself, as earlier versions wrote some.

    Raises:
        DataError: it is missing, can't be read, or is no such file. Damaged: it is not as it was written.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            text = "{}" if bare and not metadata else metadata.get(key)
            if text is None:
                raise DataError(f"{path} is not {what} of coigan-aug.", remedy=remedy)
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        about = json.loads(text)
    except (SafetensorError, OSError, ValueError, RecursionError, RuntimeError) as error:
        if memory_ran_out(error):
            raise
        raise Damaged(f"{path} is not {what} that can be read ({error}).", remedy=remedy) from error
    sealed = isinstance(about, dict) and about.pop(SEAL, None) is not None
    match = _SEAL.search(text)
    if sealed or match:
        body = text[: match.start()] if match else ""
        if match is None or match[1] != SEAL or int(match[2], 16) != _checksum(body, tensors):
            raise Damaged(f"{path} is not as it was written: it is damaged, or was changed.", remedy=remedy)
    return about, tensors


def _checksum(body: str, tensors: Mapping[str, Tensor]) -> int:
    """Return the CRC-32 of a text, and of names, types, shapes and bytes of tensors."""
    crc = crc32(body.encode("utf-8", "surrogatepass"))
    for name in sorted(tensors):
        value = tensors[name]
        crc = crc32(f"{name} {value.dtype} {tuple(value.shape)}".encode(), crc)
        crc = crc32(value.reshape(-1).view(torch.uint8).numpy().data, crc)
    return crc
