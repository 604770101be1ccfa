"""A folder of output that is whole or not there: filled under another name, and marked as ours."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coigan_aug.errors import UsageError
from coigan_aug.files import disk_errors, folder_lock, read_json, write_json

MARKER = ".convert"
"""The file that says what a folder holds, so that it may be replaced; no reader takes it for annotations."""


@contextlib.contextmanager
def whole_folder(folder: Path, *, about: dict[str, Any], overwrite: bool) -> Iterator[Path]:
    """Give a hidden working folder beside `folder`; on leaving, what lies in its `new/` becomes `folder`.

    On an error nothing is left. What a killed process left is cleared away, and a folder that it was about to replace
    comes back.

    Args:
        about: what is noted in the new folder's marker; read on leaving.
        overwrite: replace a folder that this made before, and that holds nothing else.

    Raises:
        UsageError: there is such a folder and `overwrite` is off, or it holds other files; it is in use.
        ResourceError: the disk is full or the place can't be written to.
    """
    folder = folder.resolve()
    work = folder.with_name(f".{folder.name}.convert")
    with contextlib.ExitStack() as held:
        with disk_errors(folder):
            held.enter_context(folder_lock(work))
            held.callback(shutil.rmtree, work, ignore_errors=True)
            held.callback(_restore, folder, work)
            _restore(folder, work)
            _check_free(folder, overwrite=overwrite)
            (work / "new").mkdir()
        yield work
        with disk_errors(folder):
            write_json(work / "new" / MARKER, about | {"files": _counts(work / "new")})
            if (folder / MARKER).exists():
                folder.rename(work / "old")
            (work / "new").rename(folder)


def _check_free(folder: Path, *, overwrite: bool) -> None:
    _refuse_foreign(folder)
    if (folder / MARKER).exists() and not overwrite:
        about = read_json(folder / MARKER)
        what = f"{folder.name}/ already holds {about['images']:,} images as {about['to']}."
        raise UsageError(what, remedy="--overwrite, or another DST")


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file.", remedy="Name a folder.")
    entries = sorted(entry.name for entry in folder.iterdir())
    if not entries:
        return
    if MARKER not in entries:
        what = f"{folder.name}/ holds files that convert did not write (such as {entries[0]})."
        raise UsageError(what, remedy="Give another DST, a new or an empty folder.")
    wrote = read_json(folder / MARKER)["files"]
    other = [name for name, number in _counts(folder).items() if number > wrote.get(name, 0)]
    if other:
        what = f"{folder.name}/{other[0]} is or holds more than convert wrote; replacing the folder would delete it."
        raise UsageError(what, remedy="Move your files, or give another DST.")


def _counts(folder: Path) -> dict[str, int]:
    """Count the files in and below each entry of a folder, the marker aside."""
    entries = sorted(entry for entry in folder.iterdir() if entry.name != MARKER)
    return {e.name: sum(not f.is_dir() for f in e.rglob("*")) if e.is_dir() else 1 for e in entries}


def _restore(folder: Path, work: Path) -> None:
    """Bring back what a process was about to replace when it was killed, and clear away what it had made."""
    if (work / "old").exists() and not folder.exists():
        (work / "old").rename(folder)
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != ".lock":
            path.unlink()
