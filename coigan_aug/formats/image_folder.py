"""The images of a source: found by name below one folder, measured by their headers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from coigan_aug.errors import DataError
from coigan_aug.files import inside, leads_out
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, place
from coigan_aug.headers import Header
from coigan_aug.imaging import MAX_PIXELS, SUFFIXES, read_header


class ImageFolder:
    """An index of the image files below a folder; one walk, no file is opened.

    Links that lead out of the folder are left out and noted, and so are names that are not UTF-8, and masks: a .png
    beside an image of the same name and another suffix. What a Mac leaves beside files (`._x.png`, `__MACOSX/`) is passed
    over.

    Args:
        root: the folder.
        problems: where to note what was left out.
        below: the folders in it that are looked through; "" is itself.
        suffixes: the endings of image files, in lower case.

    Raises:
        DataError: there is no such folder.
    """

    def __init__(
        self, root: Path, *, problems: Problems, below: Sequence[str] = ("",), suffixes: tuple[str, ...] = SUFFIXES
    ) -> None:
        if not root.is_dir():
            raise DataError(f"the image folder {root} does not exist.", remedy="Say where it is: --images DIR")
        self.root = root
        self.outside: list[str] = []
        self.unnamed: list[str] = []
        walked = (path for part in below for path in self._walk(f"{part}/" if part else ""))
        self.paths = sorted(path for path in walked if path.lower().endswith(suffixes))
        self.masks = masks_beside(self.paths)
        self._known = set(self.paths)
        self._named: dict[str, list[str]] = {}
        for path in self.paths:
            self._named.setdefault(path.rpartition("/")[2], []).append(path)
        if self.outside:
            many = f"{len(self.outside)} links lead out of {root.name}/ (first: {self.outside[0]})"
            problems.add(many, file=f"{root.name}/", done="left out")
        if self.unnamed:
            many = f"{len(self.unnamed)} names of files or folders are not UTF-8 (first: {self.unnamed[0]!r})"
            problems.add(many, file=f"{root.name}/", done="left out")

    def _walk(self, folder: str) -> Iterator[str]:
        with os.scandir(self.root / folder) as entries:
            for entry in sorted(entries, key=lambda item: item.name):
                path = folder + entry.name
                if not _is_unicode(entry.name):
                    self.unnamed.append(path)
                elif entry.is_symlink() and not self._stays(entry):
                    self.outside.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith(".") and entry.name != "__MACOSX":
                        yield from self._walk(path + "/")
                elif not entry.name.startswith("._") and entry.is_file():
                    yield path

    def _stays(self, entry: os.DirEntry[str]) -> bool:
        try:
            return Path(entry.path).resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # a circle of links
            return False

    def images(self) -> list[str]:
        """Return all images that are not masks, relative to the folder, sorted."""
        return [path for path in self.paths if path not in self.masks]

    def find(self, name: str) -> str | None:
        """Return the path of a named image relative to the folder, or None where there is none.

        A relative path decides between images of one name; one that starts above or below the folder is
        understood by its (longest) common end. So is an absolute one, which another machine may have written.

        Raises:
            DataError: the name climbs out, is behind a link that leads out, or fits several images.
        """
        plain = _plain(name)
        if plain in self._known:
            return plain
        if is_absolute(name) and ".." not in plain.split("/"):
            return self._of_another_machine(name)
        inside(self.root, name)
        candidates = self._named.get(plain.rpartition("/")[2], [])
        fitting = [path for path in candidates if f"/{path}".endswith(f"/{plain}")]
        if not fitting:
            fitting = [path for path in candidates if f"/{plain}".endswith(f"/{path}")]
            fitting = sorted(fitting, key=len)[-1:]
        if len(fitting) > 1:
            what = f"the image name {name} fits {fitting[0]} and {fitting[1]} in {self.root}."
            raise DataError(what, remedy="Name the folder too, or --images DIR")
        return fitting[0] if fitting else None

    def _of_another_machine(self, name: str) -> str | None:
        """Return the image that has most of an absolute name's last parts in common with it; only its parts are looked at."""
        parts = _plain(name).split("/")
        common = {path: _common_end(path.split("/"), parts) for path in self._named.get(parts[-1], [])}
        best = [path for path, count in common.items() if count == max(common.values())]
        if len(best) > 1:
            what = f"the image name {name} fits {best[0]} and {best[1]} in {self.root}."
            raise DataError(what, remedy="Say which folder the images are in: --images DIR")
        return best[0] if best else None

    def __contains__(self, path: str) -> bool:
        return path in self._known

    def size(self, path: str) -> tuple[int, int]:
        """Return height and width of an image, in pixels, from its header; its end is checked too.

        Raises:
            DataError: it is broken.
        """
        header = self.header(path)
        return header.height, header.width

    def header(self, path: str, *, deep: bool = False, mask: bool = False) -> Header:
        """Return what an image's header says; its end is checked too.

        Args:
            deep: accept more than 8 bits a channel.
            mask: accept what a mask may be (`imaging.read_header`).

        Raises:
            DataError: it is broken.
        """
        header = read_header(self.root / path, deep=deep, mask=mask)
        if header.height < 1 or header.width < 1:
            raise DataError(
                f"{path} has no pixels ({header.height} x {header.width}).", remedy="--skip-broken drops it."
            )
        return header


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that the system's encoding does not know
        return False
    return True


class AbsentImages(ImageFolder):
    """Stands for the folder of images that are not at hand: every name that stays inside is an image of it.

    Args:
        root: where the folder would be.
        sizes: height and width of images by name, as the annotation file says them.
        usual: height and width of all others; None where nobody said.
    """

    def __init__(self, root: Path, *, sizes: Mapping[str, tuple[int, int]], usual: tuple[int, int] | None) -> None:
        self.root = root
        self.paths: list[str] = []
        self.masks: set[str] = set()
        self.outside: list[str] = []
        self._sizes = {_plain(name): size for name, size in sizes.items()}
        self._usual = usual

    def find(self, name: str) -> str:
        """Return the name as a path below the folder.

        Raises:
            DataError: the name is absolute or climbs out.
        """
        if leads_out(name):
            what = f"the file name {name!r} leaves the image folder {self.root}"
            raise DataError(what, remedy="Say where the images are: --images DIR" if is_absolute(name) else "")
        return _plain(name)

    def __contains__(self, path: str) -> bool:
        return True

    def header(self, path: str, *, deep: bool = False, mask: bool = False) -> Header:
        """Return a header with the height and width that the annotation file or the person says.

        Raises:
            DataError: neither does, or there are too many pixels.
        """
        size = self._sizes.get(path, self._usual)
        if size is None:
            raise DataError(f"the size of {path} is not said.", remedy="--size HxW, or --images DIR")
        if size[0] * size[1] > MAX_PIXELS:
            raise DataError(f"{path} is said to be {size[0]} x {size[1]} pixels, over the limit of {MAX_PIXELS:,}.")
        return Header(size[0], size[1], 3, 8)


def is_absolute(name: str) -> bool:
    """Tell whether a file name begins at the root of a disk or a share, on whatever machine.

    >>> is_absolute("/home/a.png"), is_absolute("D:\\\\a.png"), is_absolute("\\\\\\\\pc\\\\a.png"), is_absolute("a/b.png")
    (True, True, True, False)
    """
    return re.match(r"[/\\]|[A-Za-z]:[/\\]|file://", name) is not None


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the parts at the ends of two paths that are the same."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def masks_beside(paths: Sequence[str]) -> set[str]:
    """Find the .png files that lie beside an image of the same name and another suffix: those are masks."""
    other = {path.rpartition(".")[0] for path in paths if not path.lower().endswith(".png")}
    return {path for path in paths if path.lower().endswith(".png") and path.rpartition(".")[0] in other}


def first_there(folder: ImageFolder, names: Sequence[str]) -> str:
    """Return the first of an image's possible names that is in the folder, else the first of all.

    One that is refused is returned too: it will be refused again where the place is known.
    """
    for name in names:
        try:
            if folder.find(name) is not None:
                return name
        except DataError:
            return name
    return names[0]


class NamedImages:
    """The images that a source names, found one by one in a folder."""

    def __init__(self, reading: Reading, folder: ImageFolder) -> None:
        self.reading = reading
        self.folder = folder
        self._found: dict[str, str | None] = {}
        self._rows: dict[str, tuple[str, int | None]] = {}

    def path(self, name: str, row: int | None, *, file: str = "") -> str | None:
        """Return the path of a named image in the folder; None where it is missing.

        Args:
            file: the file that names it, where that is not the one that is read.

        Raises:
            DataError: the name is refused (see `ImageFolder.find`).
        """
        if name not in self._found:
            self._rows[name] = (file or self.reading.name, row)
            try:
                self._found[name] = self.folder.find(name)
            except DataError as error:
                raise DataError(f"{place(*self._rows[name])}  {error.message}", remedy=error.remedy) from error
        return self._found[name]

    def finish(self) -> dict[str, str]:
        """Return name -> path for all images found; missing ones that may be skipped are noted.

        Raises:
            DataError: one is missing and `options.skip_missing` is off, or two names mean one image.
        """
        problems = self.reading.problems
        missing = [name for name, path in self._found.items() if path is None]
        if missing and not self.reading.options.skip_missing:
            others = len(self._found) - len(missing)
            what = f"{missing[0]} ({place(*self._rows[missing[0]])}) not found in {self.folder.root.name}/"
            raise DataError(f"{what}; {others:,} others were.", remedy="--images DIR, or --skip-missing")
        for name in missing:
            what = f"{name} not found in {self.folder.root.name}/"
            file, row = self._rows[name]
            problems.add(what, file=file, row=row, done="image left out", error=True)
        first: dict[str, str] = {}
        for name, path in self._found.items():
            if path is not None and first.setdefault(path, name) != name:
                file, row = self._rows[name]
                with problems.attempt(file=file, row=row, done="one image"):
                    raise DataError(f"{place(file, row)}  {name} and {first[path]} are the same image, {path}.")
        return {name: path for path, name in first.items()}


def resolve(reading: Reading, folder: ImageFolder, rows: Mapping[str, int | None]) -> dict[str, str]:
    """Find the images that a source names, each with its line: name -> path in the folder.

    Raises:
        DataError: as `NamedImages.path` and `finish`.
    """
    named = NamedImages(reading, folder)
    for name, row in rows.items():
        named.path(name, row)
    return named.finish()


def resolve_files(reading: Reading, folder: ImageFolder, images: Mapping[str, str]) -> dict[str, str]:
    """Find the image of each annotation file (or task), given file -> image name: file -> path in the folder.

    Raises:
        DataError: as `NamedImages.path` and `finish`, or two files name one image.
    """
    named, first = NamedImages(reading, folder), dict[str, str]()
    for file, name in images.items():
        if name in first:
            raise DataError(f"{file}  the image {name} is named in {first[name]} already.")
        first[name] = file
        named.path(name, None, file=file)
    paths = named.finish()
    return {file: paths[name] for file, name in images.items() if name in paths}


def open_images(
    reading: Reading, names: Iterable[str], *, sizes: Mapping[str, tuple[int, int]] | None = None
) -> tuple[ImageFolder, str]:
    """Open the folder that holds the named images, and say in words where it was found.

    Without `options.images` it is the folder beside the annotation file that holds most of the names, else the
    annotation file's own folder, searched through.

    Args:
        sizes: height and width by name, in pixels, where the annotation file says them of all images; they are not
            looked at then, if the options need none.

    Raises:
        DataError: no folder holds any of them.
    """
    options, problems, home = reading.options, reading.problems, reading.path.resolve().parent
    sized = sizes is not None and not options.images_needed and options.images is None
    if sized or options.size is not None:
        root = options.images or home
        return AbsentImages(root, sizes=sizes or {}, usual=options.size), "none looked at"
    if options.images is not None:
        return ImageFolder(options.images, problems=problems), f"{options.images}/"
    sample = _sample(list(names))
    counts = {folder: sum(_lies_in(folder, name) for name in sample) for folder in _candidates(home)}
    best = max(counts, key=lambda folder: counts[folder])
    if counts[best] == len(sample):
        return ImageFolder(best, problems=problems), _words(best, home)
    everything = ImageFolder(home, problems=Problems())
    total = sum(_holds(everything, name) for name in sample)
    root = home if total > counts[best] else best
    if max(total, counts[best]) == 0:
        what = f"none of the images named in {reading.name} lies beside it (looked for {sample[0]})."
        raise DataError(what, remedy="Say where they are: --images DIR")
    return ImageFolder(root, problems=problems), _words(root, home)


def _sample(names: list[str], *, most: int = 60) -> list[str]:
    plain = [name.replace("\\", "/") for name in dict.fromkeys(names)]
    usable = [name for name in plain if ".." not in PurePosixPath(name).parts]
    return usable[:: max(len(usable) // most, 1)]


def _lies_in(folder: Path, name: str) -> bool:
    """Tell whether a named image lies in a folder; an absolute name by its last part, or with the folder before it."""
    names = [name] if not is_absolute(name) else ["/".join(name.split("/")[-k:]) for k in (1, 2)]
    try:
        return any((folder / part).is_file() for part in names)
    except (OSError, ValueError):  # a name longer than any file's
        return False


def _candidates(home: Path) -> list[Path]:
    """List the folders where images may lie: the home, two levels below it, and one level below its parent.

    Of images/ beside an annotation folder its folders are listed too, as COCO's tools have them (images/train/).
    """
    below = [folder for first in _folders(home) for folder in (first, *_folders(first))]
    beside = [folder for folder in _folders(home.parent) if folder != home]
    parts = [part for folder in beside if folder.name.lower() == "images" for part in _folders(folder)]
    return [home, *below, *beside, *parts, home.parent]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []


def _holds(folder: ImageFolder, name: str) -> bool:
    try:
        return folder.find(name) is not None
    except DataError:
        return True


def _words(root: Path, home: Path) -> str:
    if root == home:
        return f"{root.name}/ (the same folder)"
    return f"{root.relative_to(home) if root.is_relative_to(home) else root.name}/ (found beside it)"
