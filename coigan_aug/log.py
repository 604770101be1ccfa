"""What `--verbose` adds to what is said, and the log of a long command: timed lines, warnings, the error with its traceback."""

from __future__ import annotations

import contextlib
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from coigan_aug.errors import plain

_LOGGER = logging.getLogger("coigan_aug")
_LOGGER.addHandler(logging.NullHandler())  # who calls from Python decides what becomes of it

_KEPT = 20  # logs of a workspace; older ones are deleted
_MOST = 5_000_000  # bytes of a log, after which only warnings and errors are added
_WAITING = 1000  # lines that wait for the workspace's folder


def detail(text: str) -> None:
    """Say what only `--verbose` shows; a log holds it, too."""
    _LOGGER.debug(text)


def note(text: str) -> None:
    """Write into the log what the person sees anyway."""
    _LOGGER.info(text)


def note_kept(what: str, path: Path, *, kept: bool) -> None:
    """Say in detail whether a thing that is made once is there already, or made now."""
    detail(f"{what}: {'kept' if kept else 'made now, to be kept'} in {path}")


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Note that a step begins; say in detail how many seconds it took."""
    begun = time.monotonic()
    note(f"{title} ...")
    try:
        yield
    except BaseException:
        note(f"{title}: not finished, {time.monotonic() - begun:.2f} s")
        raise
    detail(f"{title}: {time.monotonic() - begun:.2f} s")


def begin_log(folder: Path, command: str, *, show: Callable[[str], None] | None = None) -> None:
    """Begin the log DATE-TIME-COMMAND.log in `folder`, which is made once the folder above it is there.

    Where it can't be written the command works without.

    Args:
        command: the command's name, which the file is named by: "evaluate benefit".
        show: what each detail is given to, for `--verbose`.
    """
    end_log()
    name = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{command.replace(' ', '-')}.log"
    _LOGGER.addHandler(_File(folder / name, show))
    if show is not None:
        _LOGGER.addHandler(_Shown(show))
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    detail(f"log: {folder / name}")


def end_log() -> None:
    """End the log that was begun, if one was."""
    for handler in _LOGGER.handlers[:]:
        if isinstance(handler, _File | _Shown):
            _LOGGER.removeHandler(handler)
            handler.close()
    _LOGGER.setLevel(logging.NOTSET)
    _LOGGER.propagate = True


def log_file() -> Path | None:
    """Return the log that is being written; None where there is none, or none could be written."""
    files = [handler for handler in _LOGGER.handlers if isinstance(handler, _File) and handler.stream is not None]
    return files[0].path if files else None


@contextmanager
def end_logged() -> Iterator[None]:
    """Note how what is done inside ends: its exit code, or the error with its traceback."""
    try:
        yield
    except SystemExit as stop:
        note(f"ended with exit code {stop.code or 0}")
        raise
    except BaseException as error:
        _LOGGER.error(f"ended by {type(error).__name__}", exc_info=True)
        raise
    note("ended with exit code 0")


class _Shown(logging.Handler):
    """Gives each detail to `show`; all else is said by those who note it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.DEBUG:
            self.show(record.getMessage())


class _File(logging.Handler):
    """Appends lines to a file as they come; until the workspace's folder is there they wait."""

    def __init__(self, path: Path, show: Callable[[str], None] | None) -> None:
        super().__init__()
        self.path, self.show = path, show
        self.stream: TextIO | None = None
        self.failed, self.size = False, 0
        self.waiting: list[str] = []
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
        self.warn = warnings.showwarning
        warnings.showwarning = self.warned

    def warned(
        self, message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
        line: str | None = None,
    ) -> None:  # fmt: skip
        """Note a warning of Python and show it as before."""
        _LOGGER.warning(f"{category.__name__}: {message} ({filename}:{lineno})")
        self.warn(message, category, filename, lineno, file, line)

    def emit(self, record: logging.LogRecord) -> None:
        if self.failed or self.size > _MOST * (1 + (record.levelno > logging.INFO)):
            return
        self.waiting = [*self.waiting[-_WAITING:], plain(self.format(record)) + "\n"]
        if self.stream is None and not self.path.parent.parent.is_dir():
            return
        text = "".join(self.waiting)
        try:
            if self.stream is None:
                self.path.parent.mkdir(exist_ok=True)
                _make_room(self.path.parent)
                self.stream = self.path.open("a", encoding="utf-8")
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.failed = True
            self.close()
            if self.show is not None:
                self.show(f"The log can't be written: {error}")
        self.size += len(text)
        self.waiting = []

    def close(self) -> None:
        if warnings.showwarning == self.warned:
            warnings.showwarning = self.warn
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # what it still holds can't be written
                stream.close()
        super().close()


def _make_room(folder: Path) -> None:
    """Delete the logs that nothing was added to for longest, so that with a new one there are `_KEPT`."""
    logs = sorted(folder.glob("*-*.log"), key=lambda path: path.stat().st_mtime)
    for path in logs[: max(len(logs) + 1 - _KEPT, 0)]:
        path.unlink(missing_ok=True)
