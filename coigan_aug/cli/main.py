"""The command suite: one Typer app."""

from __future__ import annotations

import sys

import typer

from coigan_aug import __version__
from coigan_aug.cli.convert import convert_command
from coigan_aug.cli.demo import demo_command
from coigan_aug.cli.directions import directions_command
from coigan_aug.cli.draw import draw_command
from coigan_aug.cli.ending import run
from coigan_aug.cli.evaluate_benefit import evaluate_benefit_command
from coigan_aug.cli.evaluate_quality import evaluate_quality_command
from coigan_aug.cli.evaluate_transfer import evaluate_transfer_command
from coigan_aug.cli.export_model import export_model_command
from coigan_aug.cli.import_data import import_command
from coigan_aug.cli.inspect import inspect_command
from coigan_aug.cli.merge import merge_command
from coigan_aug.cli.report import report_command
from coigan_aug.cli.runs import runs_command
from coigan_aug.cli.studio import studio_command
from coigan_aug.cli.synthesize import synthesize_command
from coigan_aug.cli.train import train_command
from coigan_aug.cli.translate import translate_app
from coigan_aug.processors import limit_opencv

app = typer.Typer(
    name="coigan-aug",
    help="Synthetic defect images with exact masks, in your own annotation format.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
EVALUATE = "Measure: does it help a segmenter (benefit), does it look real (quality), does translating help (transfer)?"
evaluate = typer.Typer(help=EVALUATE, no_args_is_help=True)
evaluate.command("quality")(evaluate_quality_command)
evaluate.command("benefit")(evaluate_benefit_command)
evaluate.command("transfer")(evaluate_transfer_command)
app.command("import")(import_command)
app.command("convert")(convert_command)
app.command("inspect")(inspect_command)
app.command("train")(train_command)
app.command("runs")(runs_command)
app.command("synthesize")(synthesize_command)
app.command("draw")(draw_command)
app.command("merge")(merge_command)
app.command("directions")(directions_command)
app.add_typer(translate_app, name="translate")
app.add_typer(evaluate, name="evaluate")
app.command("export-model")(export_model_command)
app.command("report")(report_command)
app.command("studio")(studio_command)
app.command("demo")(demo_command)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"coigan-aug {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", "-V", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Synthetic defect images with exact masks, in your own annotation format."""


def main() -> None:
    """Run the command line; the entry point `coigan-aug`."""
    limit_opencv()
    sys.exit(run(app))
