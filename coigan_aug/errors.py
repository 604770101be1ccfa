"""The error tree: what is wrong, where, and what to do about it. Each branch has its exit code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import ClassVar

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""Spell out the signs that steer a terminal or turn the direction of writing; line ends and tabs stay.

    >>> print(plain("pit\x1b[31m"))
    pit\x1b[31m
    """
    return _CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def meant(name: str, names: Sequence[str]) -> str:
    """Ask whether a name that there is not was meant to be one that there is, whatever its case; "" where none is like it.

    >>> meant("Transplants", ["transplant", "paste"])
    " Did you mean 'transplant'?"
    """
    written = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), list(written), n=1, cutoff=0.5)
    return f" Did you mean {written[near[0]]!r}?" if near else ""


def brief(text: str, *, most: int = 2000) -> str:
    """Cut the middle out of a text that quotes too much of a file, and spell out what steers a terminal (`plain`).

    >>> brief("abcdefgh", most=4)
    'ab ... gh'
    """
    short = text if len(text) <= most else f"{text[: most // 2]} ... {text[-(most // 2) :]}"
    return plain(short)


def memory_ran_out(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out: Python's own, torch's on a GPU or the CPU, OpenCV's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"MemoryError", "OutOfMemoryError"}:
        return True
    words = (
        "DefaultCPUAllocator",
        "can't allocate memory",
        "Insufficient memory",
        "Unable to allocate",
        "out of memory",
    )
    return bool(names & {"RuntimeError", "error"}) and any(word in str(error) for word in words)


class CoiganError(Exception):
    """Something a person can put right; shown without a traceback.

    Args:
        message: what is wrong and where, as a sentence.
        remedy: what to do or type; shown on a line of its own.
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = brief(message)
        self.remedy = brief(remedy)

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class UsageError(CoiganError):
    """The command line asks for something that can't be done."""

    exit_code = 2


class DataError(CoiganError):
    """A file of the person's data or a record in it is wrong."""


class ConfigError(CoiganError):
    """A key or a value of the configuration is wrong."""


def class_named(name: str, names: Sequence[str], *, where: str = "") -> str:
    """Return the class that a person means by a name: that one, or the only one that differs from it in case alone.

    Args:
        where: what the name was given in, for the message: "--class".

    >>> class_named("CRACK", ["crack", "pit"])
    'crack'

    Raises:
        UsageError: there is none, or there are several.
    """
    if name in names:
        return name
    alike = [known for known in names if known.casefold() == name.casefold()]
    if len(alike) == 1:
        return alike[0]
    what = f"there is no class {name!r}.{meant(name, names)}"
    raise UsageError(f"{where}: {what}" if where else f"T{what[1:]}", remedy=f"Classes: {', '.join(names)}.")


class EnvironmentProblem(CoiganError):
    """The machine lacks something: a device, a package, a weight file."""

    exit_code = 4


class ResourceError(CoiganError):
    """Memory or disk ran out."""

    exit_code = 5


class GateError(CoiganError):
    """What was asked for as a condition does not hold."""

    exit_code = 6


class Stopped(CoiganError):
    """A signal ended the work; what was done is saved.

    Args:
        message: what is saved and how to continue.
        signal_number: 2 (Ctrl-C) or 15 (SIGTERM); the exit code is 128 more.
    """

    def __init__(self, message: str, *, signal_number: int, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.signal_number = signal_number


class ProcessFailed(CoiganError):
    """A process that was started to do the work failed and has said why; there is nothing to add.

    Args:
        code: its exit code.
    """

    def __init__(self, code: int) -> None:
        super().__init__("")
        self.code = code


def exit_code_of(error: CoiganError) -> int:
    """Return the exit code for an error (UX: 2 usage, 3 data, 4 environment, 5 resources, 6 a gate not met, 130/143)."""
    if isinstance(error, Stopped):
        return 128 + error.signal_number
    return error.code if isinstance(error, ProcessFailed) else error.exit_code
