"""Folders that are named after classes, and a note of which is which, since folders can't have every name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coigan_aug.errors import DataError
from coigan_aug.files import read_json, write_json

NOTE = "classes.json"
_LONGEST = 200  # bytes; file systems allow 255
_NOT_IN_PATHS = '/\\:*?"<>|'


def make_folders(parent: Path, names: Sequence[str]) -> dict[str, str]:
    """Make a folder for each class and note their names in `parent/classes.json`; return class name -> folder's name."""
    folders = folder_names(names)
    for folder in folders.values():
        (parent / folder).mkdir(parents=True, exist_ok=True)
    write_json(parent / NOTE, {folder: name for name, folder in folders.items()})
    return folders


def folder_names(names: Sequence[str]) -> dict[str, str]:
    """Return class name -> folder, each another: signs that a path can't hold become `_`.

    >>> folder_names(["a/b", "a_b", ".."])
    {'a/b': 'a_b', 'a_b': 'a_b_', '..': '_..'}
    """
    folders: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        plain = "".join("_" if sign in _NOT_IN_PATHS or ord(sign) < 32 else sign for sign in name)
        plain = plain.encode()[:_LONGEST].decode(errors="ignore")
        plain = plain if plain.strip(". ") else f"_{plain}"
        while plain.lower() in taken:
            plain += "_"
        taken.add(plain.lower())
        folders[name] = plain
    return folders


def noted_names(parent: Path) -> dict[str, str]:
    """Return folder's name -> class name as `make_folders` noted them; {} where there is no note.

    Raises:
        DataError: the note is damaged.
    """
    value = read_json(parent / NOTE) if (parent / NOTE).is_file() else {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise DataError(
            f"{parent / NOTE} does not say which folder is which class.", remedy="Delete it, or copy it again."
        )
    return value
