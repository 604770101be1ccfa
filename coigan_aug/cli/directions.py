"""coigan-aug directions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from coigan_aug.cli.options import Here, command
from coigan_aug.stages.directions_ask import DirectionsAsk

if TYPE_CHECKING:
    from coigan_aug.stages.directions import Steered


def directions(ask: DirectionsAsk, here: Here) -> None:
    """Find what makes a run's defects sharper, grainier, darker, or shows more of them; for --style.

    Latents are drawn on fixed masks, traits measured inside, and regressed on the styles. On other masks a direction that does
    not change its trait, or changes another one along with it, is dropped. What is kept lies beside the run.

    Example: coigan-aug directions --latents 1000
    """
    from coigan_aug.stages.directions import directions as stage

    found = stage(here.workspace, ask, talk=here.talk)
    if not here.talk.quiet:
        _show(found)
    items = found.directions.directions
    for item in items:
        if not item.kept:
            here.talk.say(f"{item.name} is dropped: {item.why}.")
    for path in found.strips.values():
        here.talk.say(f"-> {path}")
    kept = [item.name for item in items if item.kept]
    if kept:
        here.talk.say(
            f"Next: coigan-aug synthesize --style {kept[0]}=1.5 --per-class 20 --out synthetic/{here.workspace.option}"
        )
    if here.as_json:
        values = [
            {"name": item.name, "kept": item.kept, "why": item.why, "spearman": item.spearman, "drags": item.drags}
            for item in items
        ]
        print(json.dumps({"run": found.run, "file": str(found.file), "directions": values}, ensure_ascii=False))


def _show(found: Steered) -> None:
    from rich.console import Console
    from rich.table import Table

    measured = found.directions
    table = Table(
        title=f"{found.run}: {measured.latents:,} latents on {len(measured.found_on)} masks,"
        f" tried on {len(measured.tried_on)} others"
    )
    table.add_column("trait")
    for title in ("told by the style (R²)", "Spearman", "drags most"):
        table.add_column(title, justify="right")
    table.add_column("")
    for item in measured.directions:
        worst = max(item.drags, key=lambda name: abs(item.drags[name]))
        drag = f"{worst} {item.drags[worst]:+.2f}"
        table.add_row(
            item.name, f"{item.explained:.2f}", f"{item.spearman:.2f}", drag, "kept" if item.kept else "dropped"
        )
    Console(stderr=True).print(table)


directions_command = command(DirectionsAsk, directions)
