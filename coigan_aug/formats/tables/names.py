"""Names of images that a table has without their suffix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from coigan_aug.errors import DataError
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.imaging import SUFFIXES

_TRIED = 6
_USUAL = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".PNG", ".JPG")


def suffixed(names: Iterable[str]) -> Iterator[str]:
    """Yield names to look for: those with a suffix, or else the first few with each usual one.

    >>> list(suffixed(["a.png", "b"]))
    ['a.png']
    """
    every = dict.fromkeys(names)
    whole = [name for name in every if name.lower().endswith(SUFFIXES)]
    bare = [f"{name}{suffix}" for name in islice(every, _TRIED) for suffix in _USUAL]
    yield from whole or bare


class FullNames:
    """Names of images as their folder has them."""

    def __init__(self, folder: ImageFolder) -> None:
        self._folder = folder
        self._by_stem: dict[str, list[str]] = {}
        for path in folder.images():
            self._by_stem.setdefault(path.rpartition("/")[2].rpartition(".")[0], []).append(path)

    def of(self, name: str, *, at: str) -> str:
        """Return a name with the suffix of its image; as it is where it has one, or no image fits.

        Args:
            at: where it stands, for the message.

        Raises:
            DataError: it has none and fits several images.
        """
        if name.lower().endswith(SUFFIXES):
            return name
        plain = name.replace("\\", "/")
        paths = self._by_stem.get(plain.rpartition("/")[2], [])
        fitting = [path for path in paths if f"/{path.rpartition('.')[0]}".endswith(f"/{plain}")]
        if len(fitting) > 1:
            what = f"{at}  the image name {name} fits {fitting[0]} and {fitting[1]} in {self._folder.root}."
            raise DataError(what, remedy="Name the folder too, or --images DIR")
        return fitting[0] if fitting else name
