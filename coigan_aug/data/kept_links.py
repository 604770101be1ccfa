"""What a search for near-duplicates has found, kept beside the decoded cache: whole, or as far as it came."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coigan_aug.errors import DataError, ResourceError, Stopped
from coigan_aug.log import note_kept
from coigan_aug.sealed import read_made, write_made
from coigan_aug.signals import StopRequest

_VERSION = 1  # what is counted up where other pairs are found, or other figures, than before


@dataclass(frozen=True)
class Links:
    """Pairs [P, 2] of images worth a comparison, by position in the order of the names, and how far they agree, [P].

    `named` [P] says which of them are neighbours by number in the name.
    """

    pairs: NDArray[np.int64]
    alike: NDArray[np.float32]
    named: NDArray[np.bool_]


@dataclass(frozen=True)
class KeptLinks:
    """Where the search through some images, known by their names, sizes and times, keeps what it has found."""

    root: Path
    key: str

    def file(self, what: str) -> Path:
        """Return the file of links ("links"), levelled images ("levelled"), or how far pairs are alike ("alike")."""
        return self.root / f"near-duplicates-{self.key}.{what}"

    def read(self) -> Links | None:
        """Return what was found; None where the search has not ended, or its file is damaged."""
        path = self.file("links")
        with contextlib.suppress(DataError, OSError):
            body = read_made(path, self.key)
            count = len(body) // 21  # bytes of a row: two numbers of 8, one of 4, one of 1
            note_kept("near-duplicates", path, kept=True)
            return Links(
                np.frombuffer(body, np.int64, 2 * count).reshape(count, 2),
                np.frombuffer(body, np.float32, count, 16 * count),
                np.frombuffer(body, np.bool_, count, 20 * count),
            )
        note_kept("near-duplicates", path, kept=False)
        return None

    def write(self, links: Links) -> None:
        """Keep what was found, and no longer what the search went on with."""
        parts = links.pairs.astype(np.int64), links.alike.astype(np.float32), links.named.astype(np.bool_)
        with contextlib.suppress(ResourceError):  # what can't be kept is looked for again
            write_made(self.file("links"), self.key, b"".join(part.tobytes() for part in parts))
        for what in ("levelled", "alike"):
            self.file(what).unlink(missing_ok=True)


def kept_links(root: Path, paths: Sequence[Path], names: Sequence[str]) -> KeptLinks:
    """Return where the search through images of these names is kept below `root`; changed ones have another place."""
    stamps = [(name, *_stamp(path)) for path, name in zip(paths, names, strict=True)]
    return KeptLinks(root, hashlib.sha256(json.dumps([_VERSION, stamps]).encode()).hexdigest()[:16])


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat() if path.exists() else None
    return (status.st_size, status.st_mtime_ns) if status else (0, 0)


class Rows:
    """Arrays that are filled row by row, in order: what is done when one wants to stop is kept, and is there the next time.

    `done` is the number of rows that were filled already. Without a file nothing is kept, and nothing stops it.

    Args:
        arrays: of equal length, to be filled.
        made: what the rows are of, as JSON values; rows of something else are not taken.
        doing: what is done, for the message: "images are read for near-duplicates".
        stop: whether somebody wants to stop.
    """

    def __init__(
        self,
        path: Path | None,
        arrays: Sequence[NDArray[Any]],
        *,
        made: Any = "",
        doing: str = "",
        stop: StopRequest | None = None,
    ) -> None:
        self._path, self._arrays, self._made, self._doing, self._stop = path, arrays, made, doing, stop
        self.done = 0
        if path is not None:
            with contextlib.suppress(DataError, OSError):
                self.done = self._fill(read_made(path, made))

    def _fill(self, body: bytes) -> int:
        done, at = len(body) // max(sum(array[:1].nbytes for array in self._arrays), 1), 0
        for array in self._arrays:
            own = array[:done]
            own[...] = np.frombuffer(body, array.dtype, own.size, at).reshape(own.shape)
            at += own.nbytes
        return done

    def after(self, done: int) -> None:
        """Take note that so many rows are filled; keep them and stop, where that was asked for.

        Raises:
            Stopped: Ctrl-C or SIGTERM.
        """
        if self._path is None or self._stop is None or not self._stop.signal_number:
            return
        self.keep(done)
        what = f"Stopped; {done:,} of {len(self._arrays[0]):,} {self._doing}, which is kept."
        raise Stopped(what, signal_number=self._stop.signal_number, remedy="Continue with the same command.")

    def keep(self, done: int) -> None:
        """Keep so many rows."""
        if self._path is not None:
            with contextlib.suppress(ResourceError):
                write_made(self._path, self._made, b"".join(array[:done].tobytes() for array in self._arrays))
