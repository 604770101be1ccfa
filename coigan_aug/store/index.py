"""What lies beside a records file: its index, and a checksum of each record.

The index is n + 1 byte offsets, int64 little-endian, rebuilt where missing or stale. The checksums are n CRC-32, uint32
little-endian. A record that has its checksum still is as it was written, so its masks need not be looked at again; one that
has not was changed, or it is the index or the checksum that is damaged: then both are made anew.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import CoiganError, DataError
from coigan_aug.files import write_bytes
from coigan_aug.sealed import Damaged
from coigan_aug.store.packed import DamagedPacked, unpack

Offsets = NDArray[np.int64]
Checksums = NDArray[np.uint32]
checksum = zlib.crc32


def load_index(path: Path, records: Path, *, count: int, binary: bool) -> Offsets:
    """Return the offsets of `count` records; record i is bytes [offsets[i], offsets[i + 1]) of the records file.

    Raises:
        DataError: the records file is missing or holds another number of records.
    """
    if not records.exists():
        raise DataError(f"{records} is missing.", remedy="Import the data again.")
    size = records.stat().st_size
    if path.exists() and path.stat().st_size == 8 * (count + 1):
        offsets = np.fromfile(path, "<i8").astype(np.int64)
        if offsets[0] == 0 and offsets[-1] == size and (np.diff(offsets) > 0).all():
            return offsets
    offsets = scan_binary(records) if binary else scan_text(records)
    if len(offsets) != count + 1 or offsets[-1] != size:
        raise Damaged(
            f"{records} holds {len(offsets) - 1} whole records, {count} are expected.", remedy="Import again."
        )
    return offsets


def scan_text(records: Path) -> Offsets:
    """Find the records of a text file: one a line; a torn last line does not count."""
    offsets = [0]
    with records.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                offsets.append(offsets[-1] + len(line))
    return np.array(offsets, np.int64)


def scan_binary(records: Path) -> Offsets:
    """Find the records of a packed binary JSON file by decoding one after the other; a torn last one does not count."""
    data = records.read_bytes()
    offsets = [0]
    while offsets[-1] < len(data):
        try:
            offsets.append(unpack(data, offsets[-1])[1])
        except DamagedPacked:
            break
    return np.array(offsets, np.int64)


def write_index(path: Path, offsets: Sequence[int]) -> None:
    """Write n + 1 offsets."""
    write_bytes(path, np.array(offsets, "<i8").tobytes())


def load_checksums(path: Path, *, count: int) -> Checksums | None:
    """Return the checksums of `count` records; None where there is no file of them, or one of another length."""
    if not path.is_file() or path.stat().st_size != 4 * count:
        return None
    return np.fromfile(path, "<u4").astype(np.uint32)


def write_checksums(path: Path, checksums: Sequence[int]) -> None:
    """Write the checksums of all records."""
    write_bytes(path, np.array(checksums, "<u4").tobytes())


def rebuild_beside(index: Path, checksums: Path, records: Path, *, binary: bool) -> tuple[Offsets, Checksums]:
    """Make index and checksums of a records file that is whole, and keep them where the folder can be written to."""
    offsets, data = (scan_binary if binary else scan_text)(records), records.read_bytes()
    sums = np.array([checksum(data[a:b]) for a, b in pairwise(offsets.tolist())], np.uint32)
    with contextlib.suppress(CoiganError):
        write_index(index, offsets.tolist())
        write_checksums(checksums, sums.tolist())
    return offsets, sums
