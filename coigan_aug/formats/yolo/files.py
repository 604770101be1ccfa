"""The files of a YOLO data set: data.yaml, and which label file belongs to which image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from coigan_aug.errors import DataError
from coigan_aug.files import inside, read_text
from coigan_aug.formats.image_folder import ImageFolder, NamedImages
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import place, whole_number
from coigan_aug.imaging import SUFFIXES
from coigan_aug.plain_yaml import PlainLoader

SETTINGS = "data.yaml"
NAMES = ("classes.txt", "obj.names")
_IMAGES, _LABELS = "images", "labels"
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_LARGEST = 1_000_000
_LINE = re.compile(rb"\s*[0-9]+(\.0*)?(\s+[-+.0-9eE]+){4,}\s*")


@dataclass(frozen=True)
class Layout:
    """Where things are: the images, each with the word for its split, and the folders to look for labels in."""

    reading: Reading
    folder: ImageFolder
    home: Path
    images: dict[str, str]
    _texts: dict[Path, dict[str, str]] = field(default_factory=dict)

    def label(self, image: str) -> Path | None:
        """Return the label file of an image, its name in whatever case (Labels/A.TXT); None where there is none.

        Raises:
            DataError: it leads out of the data set through a link.
        """
        for base, name in _label_names(self, image):
            if (base / name).is_file():
                return inside(base, name)
        for base, name in _label_names(self, image):
            other = self.texts(base).get(name.lower())
            if other is not None:
                return inside(base, other)
        return None

    def texts(self, base: Path) -> dict[str, str]:
        """Return the text files below a folder by their names in small letters."""
        if base not in self._texts:
            files = (file.relative_to(base).as_posix() for file in base.rglob("*") if file.suffix.lower() == ".txt")
            self._texts[base] = {name.lower(): name for name in sorted(files, reverse=True)}
        return self._texts[base]

    def name(self, label: Path) -> str:
        """Return how a label file is called in messages: below the data set's folder where it lies there."""
        root = self.folder.root
        return label.relative_to(root).as_posix() if label.is_relative_to(root) else label.name


def label_of(image: str) -> str:
    """Return the name of an image's label file: the last folder `images` becomes `labels`.

    >>> label_of("train/images/a.png")
    'train/labels/a.txt'
    """
    parts = image.rpartition(".")[0].split("/")
    at = next((k for k in range(len(parts) - 2, -1, -1) if parts[k].lower() == _IMAGES), None)
    if at is not None:
        parts[at] = _LABELS
    return "/".join(parts) + ".txt"


def _label_names(layout: Layout, image: str) -> Iterator[tuple[Path, str]]:
    root, beside = layout.folder.root, image.rpartition(".")[0] + ".txt"
    yield root, label_of(image)
    yield root, beside
    if root.name.lower() == _IMAGES:
        yield root.parent, f"{_LABELS}/{beside}"
    yield _in_any_case(layout.home, _LABELS), beside


# data.yaml


def settings_file(path: Path) -> Path | None:
    """Return the data.yaml of a folder, or the file itself; None where there is none."""
    if path.is_file():
        return path if path.suffix.lower() in (".yaml", ".yml") else None
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".yaml", ".yml") and file.is_file())
    usual = next((file for file in files if file.stem == "data"), None)
    return usual or next((file for file in files if _has_names(file)), None)


def _has_names(path: Path) -> bool:
    try:
        settings = read_settings(path)
    except DataError:
        return False
    return bool({"names", "nc"} & set(settings)) and bool({"path", *_SPLITS} & set(settings))


class _Loader(PlainLoader):
    """Loads plain values; merge keys (`<<`) are refused, since a few lines of them can fill the memory."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merge keys (<<) are not read", node.start_mark)


def read_settings(path: Path) -> dict[Any, Any]:
    """Read a data.yaml.

    Raises:
        DataError: it is missing, too large, not YAML (nothing but plain values), or not `key: value` lines.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path.name} has over {_LARGEST:,} bytes; it should name classes and folders.")
        value = yaml.load(read_text(path), Loader=_Loader)
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    except yaml.MarkedYAMLError as error:
        row = error.problem_mark.line + 1 if error.problem_mark else None
        raise DataError(f"{place(path.name, row)}  is not valid YAML: {error.problem}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path.name} is not valid YAML.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path.name} must hold  key: value  lines (names, train, val).")
    return value


def class_names(settings: Mapping[Any, Any], file: str) -> dict[int, str] | None:
    """Return class number -> name, as `names` says it, a list or numbers with names; from `nc` alone: 0, 1, ...

    Raises:
        DataError: a number or a name is unusable or there twice.
    """
    names, count = settings.get("names"), settings.get("nc")
    if names is None:
        return {k: str(k) for k in range(count)} if isinstance(count, int) and 0 < count < 100_000 else None
    pairs = (
        list(enumerate(names)) if isinstance(names, list) else list(names.items()) if isinstance(names, dict) else []
    )
    if not pairs:
        raise DataError(f"{file}: names is neither a list of class names nor  number: name  lines.")
    numbered: dict[int, str] = {}
    for key, name in pairs:
        number = whole_number(str(key)) if isinstance(key, (int, str)) and not isinstance(key, bool) else None
        if number is None or number < 0 or number in numbered:
            raise DataError(f"{file}: names holds {_shown(key)}, which is not a class number of its own.")
        if isinstance(name, bool) or not isinstance(name, (str, int, float)) or not str(name).strip():
            raise DataError(f"{file}: class {number} has no usable name ({_shown(name)}).")
        numbered[number] = str(name).strip()
    return _once(numbered, file)


def _shown(value: Any) -> str:
    return repr(value)[:40] if isinstance(value, (str, int, float)) or value is None else f"a {type(value).__name__}"


def _once(names: dict[int, str], file: str) -> dict[int, str]:
    listed = list(names.values())
    twice = next((name for k, name in enumerate(listed) if name in listed[:k]), None)
    if twice is not None:
        raise DataError(f"{file}: several classes are named {twice}.", remedy="Name them: --classes NAME=ID,NAME=ID")
    return names


def names_file(home: Path) -> tuple[dict[int, str], str] | None:
    """Read the class names of a classes.txt (a name a line) in a folder or its labels/; None where there is none.

    Raises:
        DataError: it is not UTF-8 text, or a name is there twice.
    """
    files = (home / below / name for below in ("", _LABELS) for name in NAMES)
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        return None
    lines = read_text(path).rstrip().splitlines()
    names = {k: line.strip() for k, line in enumerate(lines) if line.strip()}
    return _once(names, path.name), path.name


# Images


def open_layout(reading: Reading) -> tuple[Layout, dict[Any, Any]]:
    """Find the images of a data set: those that data.yaml names by folder or list, else those below images/, else all.

    Raises:
        DataError: no folder, or one outside of the data set's; a list names an image that is missing.
    """
    path = reading.path
    file = settings_file(path)
    settings = read_settings(file) if file is not None else {}
    home = path if path.is_dir() else path.parent
    folder = ImageFolder(reading.options.images or _root(home, settings), problems=reading.problems)
    images: dict[str, str] = {}
    for split, entry in _entries(settings, SETTINGS if file is None else file.name):
        for image in _split_images(reading, folder, home, entry):
            images.setdefault(image, split)
    if not images:
        below = [image for image in folder.images() if _IMAGES in image.lower().split("/")[:-1]]
        images = dict.fromkeys(below or folder.images(), "")
    return Layout(reading, folder, home, images), settings


def _root(home: Path, settings: Mapping[Any, Any]) -> Path:
    """Return the folder of the data set: `path` of data.yaml where it lies below that, else data.yaml's own."""
    path = settings.get("path")
    if not isinstance(path, str) or "\0" in path:
        return home
    below = home / path
    return below if below.is_dir() and below.resolve().is_relative_to(home.resolve()) else home


def _entries(settings: Mapping[Any, Any], file: str) -> Iterator[tuple[str, str]]:
    for key, split in _SPLITS.items():
        value = settings.get(key)
        for entry in value if isinstance(value, list) else [value]:
            if entry is None or entry == "":
                continue
            if not isinstance(entry, str) or "\0" in entry:
                raise DataError(
                    f"{file}: {key} is neither a folder, a list of them, nor a .txt file ({_shown(entry)})."
                )
            yield split, entry


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than a file's can be
        return False


def _in_any_case(base: Path, name: str) -> Path:
    """Return where a name leads, parts of it in another case where there are none in its own, as Windows has it."""
    at = base / name
    if _exists(at) or ".." in PurePosixPath(name).parts or at.is_absolute() != base.is_absolute():
        return at
    for part in PurePosixPath(name).parts:
        near = [] if _exists(base / part) or not _exists(base) or not base.is_dir() else sorted(base.iterdir())
        base = next((entry for entry in near if entry.name.lower() == part.lower()), base / part)
    return base


def _split_images(reading: Reading, folder: ImageFolder, home: Path, entry: str) -> Sequence[str]:
    """Return the images of an entry of data.yaml: a folder, or a .txt list of images."""
    for base in dict.fromkeys((folder.root, home)):
        for name in (entry, entry.replace("\\", "/").removeprefix("../")):
            at = _in_any_case(base, name)
            if not _exists(at) or not at.resolve().is_relative_to(base.resolve()):
                continue
            if at.is_file():
                return _listed(reading, folder, at)
            if at.resolve().is_relative_to(folder.root.resolve()):
                below = at.resolve().relative_to(folder.root.resolve()).as_posix()
                return [image for image in folder.images() if below == "." or image.startswith(f"{below}/")]
    if reading.options.images is None:
        reading.problems.add(f"{entry} is not in {home.name}/", file=SETTINGS, done="left out")
    return []


def _listed(reading: Reading, folder: ImageFolder, file: Path) -> Sequence[str]:
    named = NamedImages(reading, folder)
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        if line.strip():
            named.path(_relative(line.strip(), folder.root), number, file=file.name)
    return list(named.finish().values())


def _relative(name: str, root: Path) -> str:
    """Return an absolute name below the root relative to it; others as they are."""
    plain = PurePosixPath(name)
    return plain.relative_to(root.resolve()).as_posix() if plain.is_relative_to(root.resolve()) else name


# Looking


def looks_like_labels(folder: Path) -> bool:
    """Tell whether a folder holds label files: in labels/, train/labels/, labels/train/, or beside its images."""
    labels = _in_any_case(folder, _LABELS)
    places = [labels, *(_in_any_case(folder, f"{name}/{_LABELS}") for name in _SPLITS), *_subfolders(labels)]
    files = [file for below in places if below.is_dir() for file in _texts_in(below)]
    beside = _texts_in(folder)
    files += [file for file in beside if any(file.with_suffix(suffix).is_file() for suffix in SUFFIXES)]
    return any(_LINE.fullmatch(_first_line(file)) for file in files if file.name not in NAMES and file.is_file())


def labels_without_image(layout: Layout) -> list[str]:
    """List the files in labels/ folders that belong to no image of the folder."""
    root = layout.folder.root
    known = {label_of(image).lower() for image in layout.folder.images()}
    labels = (name for name in layout.texts(root) if _LABELS in name.split("/")[:-1])
    return sorted(
        layout.texts(root)[name] for name in labels if name not in known and name.rpartition("/")[2] not in NAMES
    )


def _texts_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ".txt")[:20]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())[:20] if folder.is_dir() else []


def _first_line(path: Path) -> bytes:
    with path.open("rb") as stream:
        start = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    line, _, _ = start.partition(b"\n")
    return line.rpartition(b" ")[0] if len(start) == 4096 and b"\n" not in start else line
