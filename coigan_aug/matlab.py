"""The labels in a MATLAB file: CrackForest's and BSDS' ground truth, or one array that is the mask."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError

MATLAB, SUFFIX = "MATLAB", ".mat"
LARGEST = 1 << 28
"""Bytes that a file may unpack to: a few kilobytes of zeros would fill the memory else."""
_HEAD, _PACKED, _HDF5 = 128, 15, b"MATLAB 7.3"
_PNG = "Save the masks as PNG: imwrite(uint8(mask), 'NAME.png')"
Labels = NDArray[np.integer]


def read_labels(path: Path) -> Labels:
    """Read the one picture of whole numbers from 0 that a MATLAB 5 file (`save -v6`, `-v7`) holds, [H, W].

    It is `groundTruth.Segmentation`, whose regions count from 1 (1 becomes 0, which is no defect), as the Berkeley benchmark
    (Martin et al. 2001) and CrackForest (Shi et al. 2016) have it; else the only array of two dimensions.

    Raises:
        OSError: it is missing or can't be read.
        DataError: cut off, of another version (7.3 is HDF5), too large, or it holds none or several.
    """
    data = path.read_bytes()
    if data.startswith(_HDF5):
        raise DataError(f"{path} is a MATLAB 7.3 file, which is not read.", remedy="Write it with save -v7, or as PNG.")
    held = _loaded(path, data)
    truth = held.pop("groundTruth", None)
    if truth is not None:
        regions = _field(truth, "Segmentation")
        if regions is None or regions.min(initial=1) < 1:
            raise DataError(f"{path}: groundTruth has no Segmentation that counts from 1.", remedy=_PNG)
        return regions - 1
    pictures = {name: picture for name, value in held.items() if (picture := _picture(value)) is not None}
    if len(pictures) != 1:
        names = f"several ({', '.join(sorted(pictures)[:5])})" if pictures else "no array of whole numbers"
        raise DataError(f"{path} holds {names}; one mask is expected.", remedy=_PNG)
    return next(iter(pictures.values()))


def _loaded(path: Path, data: bytes) -> dict[str, object]:
    from scipy.io import loadmat

    try:
        if not _fits(data):
            raise DataError(f"{path} unpacks to more than {LARGEST >> 20} MB.", remedy=_PNG)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that stand twice
            held = loadmat(io.BytesIO(data), spmatrix=False)
    except DataError:
        raise
    except Exception as error:  # SciPy's reader lets through whatever its parts raise
        raise DataError(
            f"{path} is no MATLAB file that can be read.", remedy="Copy it again, or --skip-broken."
        ) from error
    return {name: value for name, value in held.items() if not name.startswith("__")}


def _fits(data: bytes) -> bool:
    """Tell whether the elements of a file, unpacked where they are packed (zlib), are at most as long as is read."""
    order = "<" if data[126:128] == b"IM" else ">"
    start, left = _HEAD, LARGEST
    while start + 8 <= len(data) and left >= 0:
        kind, length = struct.unpack_from(order + "II", data, start)
        start += 8
        packed = data[start : start + length]
        left -= len(zlib.decompressobj().decompress(packed, left + 1)) if kind == _PACKED else length
        start += length
    return left >= 0


def _field(value: object, name: str) -> Labels | None:
    """Return the picture in a field of a structure, which may lie in cells of one."""
    while isinstance(value, np.ndarray) and value.size == 1 and (value.dtype == object or value.dtype.names):
        value = value.reshape(-1)[0]
        if isinstance(value, np.void) and name in (value.dtype.names or ()):
            return _picture(value[name])
    return None


def _picture(value: object) -> Labels | None:
    """Return an array of two dimensions that holds whole numbers from 0; None for anything else."""
    while isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.reshape(-1)[0]
    if not isinstance(value, np.ndarray) or value.ndim != 2 or min(value.shape) < 2 or value.dtype.kind not in "biuf":
        return None
    whole = np.rint(value) if value.dtype.kind == "f" else value
    if (whole != value).any() or whole.min() < 0 or whole.max() > np.iinfo(np.uint16).max:
        return None
    return np.asarray(whole, np.uint8 if whole.max() <= np.iinfo(np.uint8).max else np.uint16)
