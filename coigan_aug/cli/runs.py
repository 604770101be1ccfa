"""coigan-aug runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.stages.runs_ask import RunsAsk

if TYPE_CHECKING:
    from coigan_aug.stages.runs import RunRow


def runs(ask: RunsAsk, here: Here) -> None:
    """List what was trained in the workspace: how far, how long, how near to real defects, and which run is drawn with.

    Example: coigan-aug runs
    """
    from coigan_aug.stages.runs import runs as stage

    rows, say = stage(here.workspace, ask), here.talk.say
    if here.as_json:
        print(json.dumps({"runs": [row.to_dict() for row in rows]}, ensure_ascii=False))
    if not rows:
        say(f"{here.workspace.runs} holds no run yet.")
        say(next_step(here.workspace, "train"))
        return
    if not here.talk.quiet:
        _show(rows)
    usual = next((row for row in rows if row.usual), None)
    if usual is not None:
        say(
            f"{usual.name} is drawn with where --run names none{'' if usual.state == 'finished' else ', for none is finished'}."
        )
    if rows[-1].state == "stopped":
        say(f"{rows[-1].name} goes on with: coigan-aug train --resume{here.workspace.option}")


def _show(rows: list[RunRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    from coigan_aug.cli.cells import name_cell

    table = Table()
    table.add_column("run", overflow="fold", max_width=20)
    for title in ("recipe", "state"):
        table.add_column(title, overflow="fold")
    for title in ("samples seen", "steps", "minutes", "KID"):
        table.add_column(title, justify="right", overflow="fold")
    for row in rows:
        seen = f"{row.samples:,} of {row.planned:,}" if row.samples < row.planned else f"{row.samples:,}"
        minutes = "" if row.minutes is None else f"{row.minutes:,.1f}" if row.minutes < 10 else f"{row.minutes:,.0f}"
        kid = "" if row.kid is None else f"{row.kid:.3f}"
        recipe = f"{row.recipe} (bundled)" if row.bundled else row.recipe
        table.add_row(name_cell(row.name), name_cell(recipe), row.state, seen, f"{row.steps:,}", minutes, kid)
    Console(stderr=True).print(table)


runs_command = command(RunsAsk, runs, torch=False)
