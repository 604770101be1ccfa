"""coigan-aug report."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.stages.asks import ReportAsk


def report(ask: ReportAsk, here: Here) -> None:
    """Put data, training, samples and measurements of the workspace into one HTML file that opens anywhere.

    It refers to nothing outside itself. A part that is not there yet says which command makes it.

    Example: coigan-aug report --out report.html
    """
    from coigan_aug.stages.report import report as stage

    made, say = stage(here.workspace, ask, talk=here.talk, command=here.command), here.talk.say
    say(f"report -> {made.path}   ({made.bytes / 1e6:.1f} MB, one file, opens in any browser)")
    for makes in dict.fromkeys(item.command for item in made.missing):
        names = ", ".join(item.title for item in made.missing if item.command == makes)
        say(f"  not there yet: {names}   {makes}")
    if here.as_json:
        empty = {item.section: item.command for item in made.missing}
        print(json.dumps({"report": str(made.path), "bytes": made.bytes, "empty": empty}, ensure_ascii=False))


report_command = command(ReportAsk, report)
