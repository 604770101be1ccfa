"""Compressed masks that wait on disk until their image's turn comes."""

from __future__ import annotations

import os
import tempfile

from coigan_aug.errors import ResourceError

_SIZE = 32  # bits of a place that say how long a string is
_BLOCK = 1 << 18


class MaskFile:
    """Strings of run lengths in a temporary file: of each only its place, a number, is in memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as this)
        self._end = 0
        self._block, self._begin = b"", 0

    def put(self, counts: str) -> int:
        """Add a string, and return its place.

        Raises:
            ResourceError: the disk of the temporary folder is full.
        """
        data = counts.encode("ascii")
        try:
            self._file.write(data)
        except OSError as error:
            raise _full(error) from error
        place = self._end << _SIZE | len(data)
        self._end += len(data)
        return place

    def get(self, place: int) -> str:
        """Return the string at a place; those side by side are read at once.

        Raises:
            ResourceError: the disk of the temporary folder is full.
        """
        begin, size = place >> _SIZE, place & (1 << _SIZE) - 1
        if not self._begin <= begin <= self._begin + len(self._block) - size:
            try:
                self._file.flush()
            except OSError as error:
                raise _full(error) from error
            self._block, self._begin = os.pread(self._file.fileno(), max(size, _BLOCK), begin), begin
        at = begin - self._begin
        return self._block[at : at + size].decode("ascii")

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()


def _full(error: OSError) -> ResourceError:
    folder = tempfile.gettempdir()
    return ResourceError(f"Can't write to {folder}: {error.strerror}.", remedy="Free some disk space, or set TMPDIR.")
