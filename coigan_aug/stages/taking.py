"""Which run a stage draws with."""

from __future__ import annotations

from coigan_aug.folders import Folders
from coigan_aug.progress import Talk
from coigan_aug.training.run import Run, find_run, why_taken


def take_run(workspace: Folders, name: str | None, talk: Talk) -> Run:
    """Return the run to draw with, and say which it is where none is named and that could be another than one thinks.

    Raises:
        DataError: there is none.
    """
    run = find_run(workspace.runs, name)
    if name is None and (why := why_taken(workspace.runs)):
        talk.say(why)
    return run
