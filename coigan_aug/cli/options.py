"""From a request's fields to a command's options, and from what was typed to the request."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar, get_args, get_type_hints

import typer

from coigan_aug.asking import Ask, Option, StrPath, flags_of, options
from coigan_aug.cli.environment import load_torch
from coigan_aug.cli.shared import SHORT, Parameters, command_line, detail_request, keep_log
from coigan_aug.folders import DEFAULT, Folders
from coigan_aug.progress import Talk

A = TypeVar("A", bound=Ask)

READ: dict[Any, Any] = {
    StrPath: Path,
    StrPath | None: Path,
    Sequence[StrPath]: list[Path],
    Sequence[str]: list[str],
    Sequence[float]: list[float],
}
"""What the command line reads where Python may give others too."""


@dataclass(frozen=True)
class Here:
    """Where a command is called, how it answers, and as which command line it was typed."""

    workspace: Folders
    as_json: bool
    talk: Talk
    command: str
    extra: Mapping[str, Any]


def command(
    ask: type[A],
    run: Callable[[A, Here], None],
    *,
    shared: Parameters = SHORT,
    extra: Parameters | None = None,
    torch: bool = True,
    logs: Callable[[Mapping[str, Any]], Path] | None = None,
) -> Callable[..., None]:
    """Return the function that typer makes a command of: it takes the request's options, makes the request, runs it.

    Args:
        run: what the command does; its docstring is the command's help.
        shared: the options beside the request's own.
        extra: further options, given to `run` in `Here.extra`; where one is given, the request may lack what it needs.
        torch: see first that torch can be loaded.
        logs: from what was typed to the workspace in which the log is kept; the one that `--workspace` names by default.
    """
    fields = {field.name: field for field in dataclasses.fields(ask)}
    hints = get_type_hints(ask, include_extras=True)
    made = {name: _typed(name, hints[name], option, fields[name]) for name, option in options(ask).items()}
    every = made | (extra or {}) | shared
    assert len(every) == len(made) + len(extra or {}) + len(shared), "two options of one name"

    def typed(**values: Any) -> None:
        workspace = Folders(values.get("workspace", DEFAULT))
        keep_log(ask.COMMAND, Folders(logs(values)) if logs else workspace, values)
        if torch:
            load_torch(quiet=values["quiet"])
        here = Here(
            workspace,
            values.get("as_json", False),
            Talk(quiet=values["quiet"]),
            workspace.command(command_line()),
            {name: values[name] for name in extra or {}},
        )
        request = {name: tuple(v) if isinstance(v := values[name], list) else v for name in made}
        asked = ask(**request)
        detail_request(asked)
        run(asked, here)

    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
    typed.__doc__ = run.__doc__
    typed.__annotations__ = {name: kind for name, (kind, _) in every.items()}
    signature = [
        inspect.Parameter(name, kinds, default=option, annotation=kind) for name, (kind, option) in every.items()
    ]
    typed.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    return typed


def _typed(name: str, hint: Any, option: Option, field: dataclasses.Field[Any]) -> tuple[Any, Any]:
    """Return the type that typer reads a field as, and its option or argument."""
    given, default = get_args(hint)[0], field.default
    read = option.read or READ.get(given)
    kind = read or given
    if default is None and read is not None:
        kind = Optional[kind]
    if default is dataclasses.MISSING:
        default = ...
    elif default == () and isinstance(default, tuple):
        default = []
    keywords: dict[str, Any] = {"help": option.help, "metavar": option.metavar}
    if option.argument:
        return kind, typer.Argument(default, **keywords)
    if option.least is not None:
        keywords["min"] = option.least
    return kind, typer.Option(default, "/".join(flags_of(name, option)), **keywords)
