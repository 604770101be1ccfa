"""Paths as patterns: `{top}test/{kind}/{name}` is any folders, then test/, then a folder that names the class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from coigan_aug.formats.masks.words import SHARE, is_free

_PARTS = {
    "top": r"(?:[^/]+/)*?",
    "sub": r"(?:[^/]+/)*",
    "kind": r"[^/]+",
    "part": r"[^/]+",
    "free": r"[^/]+",
    "share": SHARE,
    "name": r"[^/]+?",
    "n": r"[0-9]+",
}
_SHOWN = {
    "top": "",
    "sub": "",
    "kind": "KIND",
    "part": "PART",
    "free": "good",
    "share": "train",
    "name": "NAME",
    "n": "N",
}
_PLACES = ("top", "part", "kind", "share")


@dataclass(frozen=True)
class Spot:
    """Where a file lies in a layout: what it shares with its counterpart, and how it is called there.

    `place` are the folders that image and mask have in common, in lower case; `stem` is the rest of the path without its
    suffix; `label` the class that a folder names ("" for none), `number` that of an instance. The first `fixed` folders of the
    stem are none that a mask has for its class.
    """

    place: tuple[str, ...]
    stem: str
    label: str = ""
    number: str = ""
    fixed: int = 0


@dataclass(frozen=True)
class Template:
    """A pattern of paths. Text is itself in whatever case, `(a|b)` one of several, `#` a number, `{...}` a part.

    `{top}` and `{sub}` are any folders or none; `{kind}` a folder that names the class, `{part}` one that does not, `{free}`
    one whose name says that there are no defects, `{share}` train, val, test; `{name}` the file's name, `{n}` a number.
    `{kind:ko}` is a part of this text only, `{share:Tr|Ts}` of one of these. A suffix is any, unless it is written.
    """

    text: str

    @cached_property
    def shown(self) -> str:
        """The pattern as people write paths."""
        plain = re.sub(r"\{(\w+):([^}|]+)[^}]*\}", r"\2", self.text)
        plain = re.sub(r"\{(\w+)\}", lambda match: _SHOWN[match[1]], plain)
        return re.sub(r"\(([^|)]+)[^)]*\)\??", r"\1", plain).replace("#", "N")

    @cached_property
    def _split(self) -> tuple[str, str]:
        """The pattern's folders and its file; what may be any folders belongs to the former."""
        folder, slash, file = self.text.rpartition("/")
        cut = re.match(r"(?:\{(?:top|sub)\})*", file)
        assert cut is not None
        return folder + slash + cut[0], file[cut.end() :]

    @cached_property
    def folders(self) -> re.Pattern[str]:
        """What matches the folders of a path, with a slash behind ("" for none)."""
        return _compiled(self._split[0])

    @cached_property
    def file(self) -> re.Pattern[str]:
        """What matches the name of a file."""
        file = self._split[1]
        return _compiled(file if "." in file else file + r".{}")

    def spots(self, tree: Mapping[str, list[str]]) -> dict[str, Spot]:
        """Return where the files of a tree (folder -> names) lie that fit, by their paths."""
        spots: dict[str, Spot] = {}
        for folder, names in tree.items():
            around = self.folders.fullmatch(folder)
            if around is None or ("free" in around.groupdict() and not is_free(around["free"])):
                continue
            for name in names:
                match = self.file.fullmatch(name)
                if match is not None:
                    spots[folder + name] = _spot(around.groupdict() | match.groupdict())
        return spots


def _compiled(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w*(?::[^}]*)?\})", text)
    return re.compile("".join(_pattern(part) for part in parts), re.IGNORECASE)


def _pattern(part: str) -> str:
    if part == "{}":
        return r"[^./]+"
    if part.startswith("{"):
        name, _, inner = part[1:-1].partition(":")
        return f"(?P<{name}>{_pattern(inner) if inner else _PARTS[name]})"
    return part.replace(".", r"\.").replace("#", "[0-9]+").replace("(", "(?:")


def _spot(groups: Mapping[str, str | None]) -> Spot:
    parts = {key: value for key, value in groups.items() if value is not None}
    place = tuple(parts.get(key, "").lower() for key in _PLACES)
    return Spot(place, parts.get("sub", "") + parts["name"], parts.get("kind", ""), parts.get("n", ""))
