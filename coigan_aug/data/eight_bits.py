"""Images of more than 8 bits become a data set of 8-bit copies, scaled as the person says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import UsageError
from coigan_aug.files import write_bytes
from coigan_aug.imaging import read_deep, read_header, to_eight_bits, write_image
from coigan_aug.progress import Report, silent

COPIES = "images"


def parse_range(text: str) -> tuple[float, float]:
    """Read the value of --value-range: what becomes 0, and what becomes 255.

    >>> parse_range("0,4095")
    (0.0, 4095.0)

    Raises:
        UsageError: it is not two numbers, the first the smaller one.
    """
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not -1e38 < low < high < 1e38:
        what = f"--value-range {text}: two numbers are expected, the first the smaller one."
        raise UsageError(what, remedy="Write  --value-range 0,4095  for images of 12 bits")
    return low, high


def write_copies(
    records: Sequence[ImageRecord], root: Path, out: Path, *, value_range: tuple[float, float], report: Report = silent
) -> Path:
    """Copy the records' images from below `root` to `out/images`, under their names, and return that folder.

    Images of 8 bits are copied byte by byte; others are scaled, and written in their own format without loss.

    Raises:
        DataError: an image can't be decoded.
    """
    for done, record in enumerate(records):
        report(done, len(records))
        source, copy = root / record.file, out / COPIES / record.file
        header = read_header(source, deep=True)
        if header.bits > 8 or header.numbers:
            write_image(copy, to_eight_bits(read_deep(source), value_range))
        else:
            write_bytes(copy, source.read_bytes())
    report(len(records), len(records))
    return out / COPIES
