"""What a command says to type next."""

from __future__ import annotations

from coigan_aug.folders import Folders


def next_step(workspace: Folders, *commands: str) -> str:
    """Return the line that says what to do next: commands that work in this workspace, from this folder.

    >>> from pathlib import Path
    >>> next_step(Folders(Path("coigan")), "inspect", "train")
    'Next: coigan-aug inspect    then    coigan-aug train'
    """
    return "Next: " + "    then    ".join(f"coigan-aug {command}{workspace.option}" for command in commands)
