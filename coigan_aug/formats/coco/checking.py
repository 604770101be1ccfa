"""Whether a COCO file that was written here is one: it is opened once as most trainers open it, by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

from pycocotools.coco import COCO
from pycocotools.mask import decode

_LARGEST = 64 << 20  # bytes: opened, a file of outlines takes some seven times as many
_SAMPLED = 32


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written to a file: how many entries of each kind, and the pixels of all masks together."""

    images: int
    annotations: int
    categories: int
    pixels: int


def check_written(path: Path, written: Written, *, filled: bool) -> None:
    """Open a COCO file with pycocotools and compare what it finds with what was written.

    The entries are counted by their ids, the pixels of all masks by their areas, and those of up to 32 masks, spread
    over the file, one by one. A file of more than 64 MiB is not looked at: that would take memory as writing takes none.

    Args:
        filled: pycocotools fills the outlines as they are meant; if not, no pixels are counted one by one.

    Raises:
        RuntimeError: the file is not what was written, which is a bug of this package.
    """
    if path.stat().st_size > _LARGEST:
        return
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dealings with NumPy
            wrong = _difference(path, written, filled=filled)
    except (ValueError, LookupError, TypeError, AssertionError) as error:
        wrong = f"pycocotools can't open it: {error!r}"
    if wrong:
        raise RuntimeError(f"{path} is not as it was meant ({wrong}). This is a bug in coigan-aug: please report it.")


def _difference(path: Path, written: Written, *, filled: bool) -> str:
    """Return in words where a file differs from what was written; "" where it does not."""
    coco = COCO()
    coco.dataset = json.loads(path.read_bytes())  # COCO(path) would take it for text of the machine's locale
    coco.createIndex()
    items = list(coco.anns.values())
    pixels = sum(item["area"] for item in items)
    counts = Written(images=len(coco.imgs), annotations=len(items), categories=len(coco.cats), pixels=pixels)
    if counts != written:
        return f"it holds {counts}, written were {written}"
    for item in items[:: max(len(items) // _SAMPLED, 1)] if filled else ():
        pixels = int(decode(coco.annToRLE(item)).sum())
        if pixels != item["area"]:
            return f"annotation {item['id']} has {pixels} pixels, written were {item['area']}"
    return ""
