"""What a command says to type next."""

from __future__ import annotations

import shlex

from coigan_aug.folders import DEFAULT, Folders


def next_step(workspace: Folders, *commands: str) -> str:
    """Return the line that says what to do next: commands that work in this workspace, from this folder.

    >>> next_step(Folders(DEFAULT), "inspect", "train")
    'Next: coigan-aug inspect    then    coigan-aug train'
    """
    where = "" if workspace.root == DEFAULT else f" --workspace {shlex.quote(str(workspace.root))}"
    return "Next: " + "    then    ".join(f"coigan-aug {command}{where}" for command in commands)
