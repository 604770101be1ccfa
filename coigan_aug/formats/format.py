"""What a format is: how it is told, read and written, and what of a data set it can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import ReadOptions, Source


@dataclass(frozen=True, kw_only=True)
class Format:
    """The one declaration of a format; it stands in the format's own module.

    Args:
        name: what --format and --to call it.
        sniff: describes a file or folder that looks like it; None for any other.
        read: opens a source.
        write: writes records to a folder (`out, records, *, classes, losses`) and returns what a reader opens.
        options: what its `write` can be told beside.
        loses: what of masks and classes it can't hold, in words; "" for nothing.
        keeps: the keys of `record.source` that it keeps, such as "id"; "notes" are all with a plain value, "split" says
            on which side of the split an image is.
        polygon_reader: what draws the polygons that it writes, pixel by pixel as they are meant; "" where it writes none
            unless told.
        image_folder: where its readers expect the images, below the folder of its files.
        image_place: where there an image belongs, given its path, if not simply in `image_folder`.
        nameless: it does not name images without masks: only the image files tell of them.
        void: it holds which pixels are void.
        shown_turned: its program turns images as EXIF says before it puts masks on them.
        sniff_with: as `sniff`, given the options, where those say what belongs together.
        in_parts: all its files in a folder are read as one source: each side of a split has its own.
    """

    name: str
    sniff: Callable[[Path], str | None]
    read: Callable[[Reading], Source]
    write: Callable[..., Path]
    options: frozenset[str] = frozenset()
    loses: str = ""
    keeps: frozenset[str] = frozenset()
    polygon_reader: str = ""
    image_folder: str = "images"
    image_place: Callable[[str], str] | None = None
    nameless: bool = False
    void: bool = False
    shown_turned: bool = False
    in_parts: bool = False
    sniff_with: Callable[[Path, ReadOptions], str | None] | None = None

    def describe(self, path: Path, options: ReadOptions) -> str | None:
        """Describe a file or folder that looks like it; None for any other."""
        return self.sniff(path) if self.sniff_with is None else self.sniff_with(path, options)

    def place_of(self, image: str) -> str:
        """Return where an image belongs below the folder of the format's files."""
        return f"{self.image_folder}/{image}" if self.image_place is None else self.image_place(image)
