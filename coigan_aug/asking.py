"""What a stage is asked: a frozen request whose fields are the options of its command, written once."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

StrPath = str | Path


@dataclass(frozen=True)
class Option:
    """How a field of a request is written on the command line; it stands in the field's `Annotated` type.

    Args:
        help: what the field says, its unit, range and default.
        flag: the option's name where it is not the field's (`--format`), or both of a yes and a no (`--screen/--no-screen`).
        read: the type that the command line reads, where Python may give others too; of paths and lists it is known.
        least: the smallest number allowed.
        argument: its position names it: no option.
    """

    help: str
    _: KW_ONLY
    flag: str = ""
    metavar: str | None = None
    read: Any = None
    least: float | None = None
    argument: bool = False


@dataclass(frozen=True, kw_only=True)
class Ask:
    """A request to a stage. `COMMAND` is the command that makes it."""

    COMMAND: ClassVar[str] = ""

    def command(self) -> str:
        """Return the command line that asks for the same."""
        words, known = ["coigan-aug", *self.COMMAND.split()], options(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                words += _words(flags_of(field.name, known[field.name]), value)
        return shlex.join(words)


def options(ask: type[Ask]) -> Mapping[str, Option]:
    """Return how each field of a request is written on the command line, in the order of the fields."""
    hints = get_type_hints(ask, include_extras=True)
    return {field.name: hints[field.name].__metadata__[0] for field in dataclasses.fields(ask)}


def flags_of(name: str, option: Option) -> tuple[str, ...]:
    """Return the names of an option: one, or those of a yes and a no; none of an argument.

    >>> flags_of("with_real", Option("")), flags_of("screen", Option(help="", flag="--screen/--no-screen"))
    (('--with-real',), ('--screen', '--no-screen'))
    """
    if option.argument:
        return ()
    return tuple((option.flag or "--" + name.replace("_", "-")).split("/"))


def _words(flags: tuple[str, ...], value: Any) -> Iterator[str]:
    if isinstance(value, bool):
        yield flags[0] if value else flags[-1]
    elif isinstance(value, list | tuple):
        for item in value:
            yield from (*flags, str(item))
    elif isinstance(value, Mapping):
        yield from (*flags, ",".join(f"{key}={item}" for key, item in value.items()))
    else:
        yield from (*flags[:1], str(value))


def leave_out(command: str, *, options: Sequence[str] = (), alone: Sequence[str] = ()) -> str:
    """Return a command line without options that what it makes does not depend on.

    Args:
        options: those with a value.
        alone: those without.

    >>> leave_out("coigan-aug merge a --out b --workspace w --quiet", options=["--workspace"], alone=["--quiet"])
    'coigan-aug merge a --out b'
    """
    kept: list[str] = []
    words = iter(shlex.split(command))
    for word in words:
        name, equals, _ = word.partition("=")
        if name in options:
            if not equals:
                next(words, None)
        elif word not in alone:
            kept.append(word)
    return shlex.join(kept)
