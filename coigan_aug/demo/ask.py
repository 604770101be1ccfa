"""The request to the demo: its options, as `stages/asks.py` has those of the stages. Light, since `--help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath


def workspace_in(out: Path) -> Path:
    """Return where the workspace of a demo lies."""
    return out / "coigan"


@dataclass(frozen=True, kw_only=True)
class DemoAsk(Ask):
    """Show the whole job on made-up steel strips."""

    COMMAND: ClassVar[str] = "demo"

    out: Annotated[StrPath, Option("Folder to make. Default: ./coigan-demo")] = Path("coigan-demo")
    train: Annotated[bool, Option("Train the model here first; about 8 minutes on one core.")] = False
    images_seen: Annotated[int | str | None, Option("With --train: length in samples. Default: 5k.", read=str)] = None
    per_class: Annotated[int, Option("Defects of each class to make. Default: 6.", least=1)] = 6
