"""coigan-aug demo."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import AS_JSON, QUIET, VERBOSE
from coigan_aug.demo.ask import DemoAsk, workspace_in


def demo(ask: DemoAsk, here: Here) -> None:
    """Show the whole job on made-up steel strips: make them, import, synthesize, write COCO.

    Example: coigan-aug demo --train
    """
    from coigan_aug.demo.demo import run_demo

    result = run_demo(ask, talk=here.talk, command=here.command)
    made = result.made
    if here.as_json and made is not None:
        numbers = {"images": made.images, "defects": dict(made.defects), "run": result.run}
        files = {"annotations": str(made.annotations), "page": str(result.page)}
        print(json.dumps(numbers | files, ensure_ascii=False))


demo_command = command(DemoAsk, demo, shared=AS_JSON | QUIET | VERBOSE, logs=lambda typed: workspace_in(typed["out"]))
