"""Files that are whole or absent: atomic writes, appends that survive a kill, a folder's lock, checksums."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from coigan_aug.errors import DataError, ResourceError, UsageError


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on leaving, sync it and rename it to `path`.

    A crash leaves the old file or the new one, never a part. On an error the temporary file is removed.

    Raises:
        ResourceError: the disk is full or the folder can't be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{_MACHINE}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        _remove(temporary)
        raise disk_error(path, error) from error
    except BaseException:
        _remove(temporary)
        raise


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the system says of a full or forbidden disk into an error for people.

    Args:
        path: what is written, for the message.

    Raises:
        ResourceError: the disk is full or the folder can't be written to.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(path, error) from error


_FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG)
_MACHINE = f"{zlib.crc32(os.uname().nodename.encode()):08x}"
_TEMPORARY = re.compile(r"\..+\.(\d+)(?:-([0-9a-f]{8}))?\.tmp")
_FOREIGN_AGE = 86_400.0
"""Seconds after which a temporary file of another machine, whose processes can't be asked, counts as left."""


def remove_left(folder: Path) -> None:
    """Remove the temporary files of `atomic_write` below a folder whose process is dead."""
    for root, _, names in os.walk(folder):
        for name in names:
            match = _TEMPORARY.fullmatch(name)
            if match and _is_left(Path(root, name), int(match[1]), match[2] or _MACHINE):
                _remove(Path(root, name))


def _is_left(path: Path, process: int, machine: str) -> bool:
    if machine != _MACHINE:
        with contextlib.suppress(OSError):
            return time.time() - path.stat().st_mtime > _FOREIGN_AGE
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return False
    return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def disk_error(path: Path, error: OSError) -> Exception:
    """Return what a person is told of an error of the system at a file; the error itself where there is nothing to tell."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"No space left to write {path}.", remedy="Free some disk space and run the same command.")
    if error.errno == errno.EFBIG:
        what = f"{path} grew larger than a file may be here: a limit of the disk's format or of this shell (ulimit -f)."
        return ResourceError(
            what, remedy="Raise the limit (ulimit -f unlimited), or use a disk that takes larger files."
        )
    if error.errno in _FORBIDDEN or (error.errno == errno.ENOENT and _is_written(path, error)):
        return ResourceError(f"Can't write {path}: {error.strerror}.", remedy="Choose a folder that you may write to.")
    return error


def _is_written(path: Path, error: OSError) -> bool:
    """Tell whether what is "not there" is to be made: `path`, its temporary file, or a folder of either. /proc says so."""
    named = Path(str(error.filename))
    temporary = named.parent == path.parent and named.name.startswith(f".{path.name}.")
    return temporary or named in (path, *path.parents) or named.parent == path


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_write(path) as stream:
        stream.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically; keys and a struct's fields keep their order, NaN is refused."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False, default=to_values)
    write_bytes(path, f"{text}\n".encode())


def to_values(value: Any) -> Any:
    """Return a struct as JSON values; numbers and text of types derived from Python's own become plain."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: Any) -> Any:
    for kind in (float, str):  # as NumPy's float64 and torch's version are
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"{type(value).__name__} is no value for JSON.")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: it is missing, not UTF-8 or not JSON; the message names line and column.
    """
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno} is not valid JSON: {error.msg} (column {error.colno}).") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or brackets in brackets
        raise DataError(f"{path} is not JSON that can be read ({type(error).__name__}: {error}).") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error


def read_text(path: Path) -> str:
    """Read a text file; a byte order mark is passed over.

    Raises:
        DataError: it is missing, not UTF-8, or can't be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error


def parse_json(text: bytes | memoryview) -> Any:
    """Parse JSON; several times faster than `json.loads`, which is asked where this says no: for its message, and for
    what only it takes (numbers beyond a double's range, halves of surrogate pairs, NaN).

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return json.loads(bytes(text))


def json_line(value: Any) -> bytes:
    """Return a value, or a struct, as one line of JSON; NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=to_values)
    return f"{text}\n".encode()


@contextlib.contextmanager
def append_lines(path: Path) -> Iterator[IO[bytes]]:
    """Open a JSON-lines file to append to; a last line that a kill tore off is cut away first."""
    with contextlib.ExitStack() as held:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = held.enter_context(path.open("ab+"))
            stream.seek(0)
            stream.truncate(sum(len(line) for line in stream if line.endswith(b"\n")))
        yield stream


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(stream)


def _digest(stream: IO[bytes]) -> str:
    total = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):
        total.update(block)
    return total.hexdigest()


@contextlib.contextmanager
def folder_lock(folder: Path, *, wait: bool = False, beside: Path | None = None) -> Iterator[None]:
    """Hold a folder for this process; the lock dies with the process, so a crash leaves none.

    With `wait` until its holder lets go, as for what both need and one makes. Temporary files that a killed process left
    in the folder, or in `beside`, are removed. Where the work fails, a folder that was made for it and is empty goes too.

    Raises:
        UsageError: another living process holds it (not with `wait`). ResourceError: it can't be written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with _locked(folder, wait=wait) as stream:
        with disk_errors(folder):
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
        for left in {folder, beside or folder}:
            remove_left(left)
        try:
            yield
        except BaseException:
            _remove_empty(folder, made)
            raise


def _locked(folder: Path, *, wait: bool) -> IO[str]:
    """Return the open lock of a folder, held."""
    path = folder / ".lock"
    while True:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stream = path.open("a+")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            stream.seek(0)
            number = stream.read().strip()
            stream.close()
            holder = f"process {number}" if number else "another process"
            raise UsageError(f"{folder} is in use by {holder}.", remedy="Wait for it, or stop it.") from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                return stream
        stream.close()  # its holder removed the folder when it failed: the next one makes it anew


def is_held(folder: Path) -> bool:
    """Tell whether a living process holds a folder; nothing is written there."""
    try:
        with (folder / ".lock").open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock was ever there, or it can't be looked at
        return False
    return False


def _remove_empty(folder: Path, made: Sequence[Path]) -> None:
    """Remove the folders that were made for work that failed, the deepest first, where nothing but the lock is in them."""
    with contextlib.suppress(OSError):
        if folder in made and [path.name for path in folder.iterdir()] == [".lock"]:
            (folder / ".lock").unlink()
            for path in made:
                path.rmdir()


def leads_out(name: str) -> bool:
    """Tell whether a file name is absolute, climbs out with `..`, or is none."""
    plain = name.replace("\\", "/")
    return not plain or plain[0] == "/" or "\0" in name or plain[1:2] == ":" or ".." in plain.split("/")


def inside(root: Path, name: str) -> Path:
    """Join a file name out of an annotation to its folder.

    Raises:
        DataError: the name is absolute, climbs out with `..`, leads out through a link, or is no file's name.
    """
    if leads_out(name):
        raise DataError(f"the file name {name!r} leaves the image folder {root}")
    joined = root / PurePosixPath(name.replace("\\", "/"))
    try:
        stays = joined.resolve().is_relative_to(root.resolve())
    except (UnicodeEncodeError, OSError, RuntimeError) as error:  # half a character; a circle of links
        raise DataError(f"the file name {name!r} is none that a file can have") from error
    if not stays:
        raise DataError(f"the file name {name!r} leads out of the image folder {root} through a link")
    return joined
