"""The public Python API: a workspace, and each command as a method of it.

    from coigan_aug import Workspace

    workspace = Workspace("coigan")
    workspace.import_data(source="severstal.csv")
    workspace.train(recipe="tiny")
    made = workspace.synthesize(per_class=500, out="coco")

A method takes the options of its command by name, with the same defaults; paths may be text, counts numbers. It returns what
the stage returns and says nothing unless the workspace is made with `quiet=False`. A stage's libraries are loaded when it is
called, so that importing this costs nothing.
"""

from __future__ import annotations

import functools
import inspect as signatures
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from coigan_aug.asking import Ask, StrPath, options
from coigan_aug.folders import Folders
from coigan_aug.progress import Talk
from coigan_aug.stages import asks, evaluate_asks, translate_asks
from coigan_aug.stages.directions_ask import DirectionsAsk
from coigan_aug.stages.runs_ask import RunsAsk
from coigan_aug.stages.translate_train_ask import TranslateTrainAsk

if TYPE_CHECKING:
    from coigan_aug.data.importing import ImportReport
    from coigan_aug.data.inspecting import Inspection
    from coigan_aug.evaluation.numbers import Benefit, Quality, Thesis
    from coigan_aug.evaluation.result import Result
    from coigan_aug.evaluation.transfer_numbers import Transfer
    from coigan_aug.formats.converting import Conversion
    from coigan_aug.stages.directions import Steered
    from coigan_aug.stages.draw import Drawn
    from coigan_aug.stages.export_model import ExportedModel
    from coigan_aug.stages.report import Written
    from coigan_aug.stages.runs import RunRow
    from coigan_aug.stages.synthesize import Synthesized
    from coigan_aug.stages.train import Trained
    from coigan_aug.stages.translate import TranslatedSet

P = ParamSpec("P")
A = TypeVar("A", bound=Ask)
R = TypeVar("R")


def _with_options_of(
    ask: Callable[P, A],
) -> Callable[[Callable[[Workspace, A], R]], Callable[Concatenate[Workspace, P], R]]:
    """Turn a method that takes a request into one that takes the request's fields by name."""

    def method(run: Callable[[Workspace, A], R]) -> Callable[Concatenate[Workspace, P], R]:
        def called(self: Workspace, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return run(self, ask(*args, **kwargs))

        functools.update_wrapper(called, run)
        signature = signatures.signature(ask)
        itself = signatures.Parameter("self", signatures.Parameter.POSITIONAL_OR_KEYWORD)
        called.__signature__ = signature.replace(parameters=[itself, *signature.parameters.values()])  # type: ignore[attr-defined]
        lines = [f"    {name}: {option.help}" for name, option in options(ask).items()]  # type: ignore[arg-type]
        called.__doc__ = "\n".join([f"{run.__doc__}\n", "Args:", *lines])
        return called

    return method


class Workspace(Folders):
    """A workspace folder, with each command as a method; see the module for how it is used.

    Args:
        root: the folder; it need not be there before the first import.
        quiet: say nothing; else talk and progress on stderr, as the commands do.
    """

    def __init__(self, root: StrPath = "coigan", *, quiet: bool = True) -> None:
        super().__init__(Path(root))
        object.__setattr__(self, "_talk", Talk(quiet=quiet))

    _talk: Talk

    def fold(self, number: int) -> Workspace:
        """The workspace of a fold, from 1: its data set holds the fold out, its runs know the others."""
        return Workspace(super().fold(number).root, quiet=self._talk.quiet)

    def _command(self, ask: Ask) -> str:
        """Return the command line that does the same."""
        return ask.command() + self.option

    @_with_options_of(asks.ImportAsk)
    def import_data(self, ask: asks.ImportAsk) -> ImportReport:
        """Read a team's annotations and images into the workspace, and split them into train and test."""
        from coigan_aug.stages.import_data import import_data

        return import_data(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(asks.InspectAsk)
    def inspect(self, ask: asks.InspectAsk) -> Inspection:
        """Return what a data set holds and what is wrong or odd in it, and write the page that shows it."""
        from coigan_aug.stages.inspect import inspect

        return inspect(self, ask, talk=self._talk)

    @_with_options_of(asks.ConvertAsk)
    def convert(self, ask: asks.ConvertAsk) -> Conversion:
        """Write annotations in another format, and return what it could not hold."""
        from coigan_aug.stages.convert import convert

        return convert(ask, talk=self._talk)

    @_with_options_of(asks.TrainAsk)
    def train(self, ask: asks.TrainAsk) -> Trained | None:
        """Train the generator on the imported data set; the same call continues a run that was stopped."""
        from coigan_aug.stages.train import train

        return train(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(RunsAsk)
    def list_runs(self, ask: RunsAsk) -> list[RunRow]:
        """Return what was trained here, oldest first: how far, how long, how near to real defects, which is drawn with."""
        from coigan_aug.stages.runs import runs

        return runs(self, ask)

    @_with_options_of(asks.SynthesizeAsk)
    def synthesize(self, ask: asks.SynthesizeAsk) -> Synthesized | None:
        """Make synthetic defect images with exact masks; the same call continues one that was stopped."""
        from coigan_aug.stages.synthesize import synthesize

        return synthesize(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(asks.DrawAsk)
    def draw(self, ask: asks.DrawAsk) -> Drawn:
        """Draw defects with given masks on one image: the same pixels as in a batch."""
        from coigan_aug.stages.draw import draw

        return draw(self, ask, talk=self._talk)

    @_with_options_of(asks.MergeAsk)
    def merge(self, ask: asks.MergeAsk) -> Synthesized:
        """Put shares of one synthesis, made in folders of their own, together to one set."""
        from coigan_aug.stages.synthesize import merge

        return merge(self, ask)

    @_with_options_of(DirectionsAsk)
    def directions(self, ask: DirectionsAsk) -> Steered:
        """Find the directions of a run's styles that change one trait of its defects, for `style`."""
        from coigan_aug.stages.directions import directions

        return directions(self, ask, talk=self._talk)

    @_with_options_of(translate_asks.TranslateAsk)
    def translate(self, ask: translate_asks.TranslateAsk) -> TranslatedSet:
        """Give a labelled set the look of another line; the same call continues one that was stopped."""
        from coigan_aug.stages.translate import translate

        return translate(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(evaluate_asks.QualityAsk)
    def evaluate_quality(self, ask: evaluate_asks.QualityAsk) -> Result[Quality] | Result[Thesis]:
        """Measure how far synthetic images are from real ones, beside how far real train and test images are apart."""
        from coigan_aug.stages.evaluate_quality import evaluate_quality

        return evaluate_quality(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(evaluate_asks.BenefitAsk)
    def evaluate_benefit(self, ask: evaluate_asks.BenefitAsk) -> Result[Benefit]:
        """Train a segmenter with and without synthetic defects and compare on held-out images."""
        from coigan_aug.stages.evaluate_benefit import evaluate_benefit

        return evaluate_benefit(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(TranslateTrainAsk)
    def translate_train(self, ask: TranslateTrainAsk) -> Trained | None:
        """Learn to give images of one line the look of another; the same call continues a run that was stopped."""
        from coigan_aug.stages.translate_train import translate_train

        return translate_train(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(translate_asks.TransferAsk)
    def evaluate_transfer(self, ask: translate_asks.TransferAsk) -> Result[Transfer]:
        """Measure what it is worth to translate a line's images to another line's look."""
        from coigan_aug.stages.evaluate_transfer import evaluate_transfer

        return evaluate_transfer(self, ask, talk=self._talk, command=self._command(ask))

    @_with_options_of(asks.ExportAsk)
    def export_model(self, ask: asks.ExportAsk) -> ExportedModel:
        """Write a trained generator as a file that other programs can load, and compare what both draw."""
        from coigan_aug.stages.export_model import export_model

        return export_model(self, ask, talk=self._talk)

    @_with_options_of(asks.ReportAsk)
    def report(self, ask: asks.ReportAsk) -> Written:
        """Put data, training, samples and measurements into one HTML file that opens anywhere."""
        from coigan_aug.stages.report import report

        return report(self, ask, talk=self._talk, command=self._command(ask))
