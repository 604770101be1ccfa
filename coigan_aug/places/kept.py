"""Where defects lie, measured once for each data set and scale and kept beside its decoded cache; disposable."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from zlib import crc32

import msgspec

from coigan_aug.errors import DataError, ResourceError
from coigan_aug.log import note_kept
from coigan_aug.places.density import PlaceDensity, measure_places
from coigan_aug.prepare.examples import Examples
from coigan_aug.progress import Report, silent
from coigan_aug.sealed import Damaged, name_of, read_made, write_made

_VERSION = 1  # what is counted up where places come out otherwise than before


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a file of places was made of.

    `data` is the checksum of the Dataset's records, `images` the name of the decoded cache (which depends on the images' files
    and the scale), `learned` a checksum of which objects are large enough to learn from.
    """

    version: int
    data: str
    images: str
    classes: tuple[str, ...]
    learned: int


def kept_places(examples: Examples, *, root: Path, report: Report = silent) -> PlaceDensity:
    """Return what `measure_places` does, kept in a file below `root`.

    A file that is damaged, or made of other images, is made anew.
    """
    made = Made(
        version=_VERSION,
        data=examples.dataset.manifest["sha256"],
        images=examples.cache.folder.name,
        classes=examples.dataset.names,
        learned=crc32(json.dumps(examples.by_class).encode()),
    )
    path = root / f"places-{name_of(made)}.json"
    with contextlib.suppress(DataError, OSError):
        places = _read(path, made)
        note_kept("places", path, kept=True)
        return places
    note_kept("places", path, kept=False)
    places = measure_places(examples, report=report)
    with contextlib.suppress(ResourceError):  # what can't be kept is measured again
        write_made(path, made, msgspec.json.encode(places))
    return places


def _read(path: Path, made: Made) -> PlaceDensity:
    try:
        return msgspec.json.decode(read_made(path, made), type=PlaceDensity)
    except msgspec.MsgspecError as error:
        raise Damaged(f"{path} is damaged ({error}).") from error
