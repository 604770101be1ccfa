"""A Result: a folder of measured numbers, with what they were measured on; complete when `result.json` exists."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import torch

from coigan_aug import __version__
from coigan_aug.errors import DataError
from coigan_aug.evaluation.numbers import Benefit, Quality, Thesis
from coigan_aug.evaluation.transfer_numbers import Transfer
from coigan_aug.files import to_values
from coigan_aug.sealed import read_sealed, write_sealed

FORMAT_VERSION = 1
RESULT = "result.json"
START = "start.json"
KINDS: Mapping[str, type] = {"quality": Quality, "benefit": Benefit, "thesis": Thesis, "transfer": Transfer}
Numbers = TypeVar("Numbers")
_ANEW = "Measure again with: coigan-aug evaluate   (delete the folder first)"


@dataclass(frozen=True, kw_only=True)
class Result(Generic[Numbers]):
    """What was measured.

    `kind` is one of KINDS; `verdict` one sentence for a person; `measured_on` names data set, run and synthetic sets with
    their checksums; `numbers` holds the kind's own figures; `pictures` are (title, file beside the result) pairs.
    """

    kind: str
    verdict: str
    command: str
    measured_on: Mapping[str, Any]
    settings: Mapping[str, Any]
    numbers: Numbers
    warnings: tuple[str, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    folder: Path = field(default=Path(), compare=False)


def new_folder(root: Path, kind: str) -> Path:
    """Return the folder of the next result of a kind: `001-quality`, `002-benefit`, ...; an unfinished one of it goes on."""
    numbered = _numbered(root)
    last = numbered[-1] if numbered else None
    if last is not None and last.name.endswith(f"-{kind}") and not (last / RESULT).exists():
        return last
    return root / f"{_number(last) + 1 if last else 1:03d}-{kind}"


def begin_result(root: Path, kind: str, start: Mapping[str, Any]) -> Path:
    """Return the folder of a result that is about to be measured: the newest unfinished one begun alike, or a new one.

    `start` is kept in `start.json`: what must be equal for a measurement to go on.
    """
    folder = new_folder(root, kind)
    if (folder / START).exists() and read_sealed(folder / START, remedy=_ANEW) != start:
        folder = root / f"{_number(folder) + 1:03d}-{kind}"
    write_sealed(folder / START, dict(start))
    return folder


def to_json(result: Result[Any]) -> dict[str, Any]:
    """Return a result as JSON values."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": result.kind,
        "verdict": result.verdict,
        "command": result.command,
        "program": f"coigan-aug {__version__}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "measured_on": dict(result.measured_on),
        "settings": dict(result.settings),
        "warnings": list(result.warnings),
        "pictures": [list(picture) for picture in result.pictures],
        "seconds": round(result.seconds, 1),
        "numbers": to_values(result.numbers),
    }


def write_result(folder: Path, result: Result[Any]) -> Path:
    """Write `result.json` into a folder, last, and return its path."""
    write_sealed(folder / RESULT, to_json(result))
    return folder / RESULT


def read_result(folder: Path) -> Result[Any]:
    """Read the result in a folder.

    Raises:
        DataError: there is none, it is damaged, or of another format version.
    """
    path = folder / RESULT
    value = read_sealed(path, remedy=_ANEW)
    try:
        if value["format_version"] != FORMAT_VERSION:
            raise DataError(
                f"{path} is of format version {value['format_version']}; this program reads {FORMAT_VERSION}."
            )
        kind = KINDS.get(value["kind"], dict)
        return replace(msgspec.convert(value, Result[kind]), folder=folder)  # type: ignore[valid-type]
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise DataError(f"{path} is damaged ({error!r}).", remedy=_ANEW) from error


def list_results(root: Path) -> list[Result[Any]]:
    """Return the finished results below a folder, oldest first."""
    return [read_result(folder) for folder in _numbered(root) if (folder / RESULT).exists()]


def newest(results: Sequence[Result[Any]], kind: type[Numbers]) -> Result[Numbers] | None:
    """Return the last result with numbers of a kind."""
    return next((result for result in reversed(results) if isinstance(result.numbers, kind)), None)


def _numbered(root: Path) -> list[Path]:
    return sorted((path for path in root.glob("*") if re.match(r"\d+-", path.name)), key=_number)


def _number(folder: Path) -> int:
    return int(folder.name.split("-")[0])
