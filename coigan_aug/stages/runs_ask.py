"""The request for the list of runs; light, as `asks`, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from coigan_aug.asking import Ask


@dataclass(frozen=True, kw_only=True)
class RunsAsk(Ask):
    """List the trained runs of a workspace."""

    COMMAND: ClassVar[str] = "runs"
