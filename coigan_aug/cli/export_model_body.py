"""What `coigan-aug export-model` does once torch is loaded: find the generator, write it, say what goes in and comes out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from coigan_aug.checkpoint import load_generator
from coigan_aug.cli.workspace import Workspace
from coigan_aug.errors import UsageError
from coigan_aug.export.write import ENDINGS, TOLERANCE, Exported, export_model
from coigan_aug.progress import say
from coigan_aug.training.run import Run, find_run

_NEXT = {
    "onnx": 'onnxruntime.InferenceSession("{path}") in Python, or any program that reads ONNX',
    "torchscript": 'torch.jit.load("{path}") in Python, torch::jit::load in C++',
    "safetensors": "coigan-aug train --init-from {path}",
}


def export_model_here(
    workspace: Workspace, *, form: str, out: Path | None, run_name: str | None, size: tuple[int, int] | None,
    overwrite: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Export a run's generator, as the options of `coigan-aug export-model` say.

    Raises:
        UsageError: `out` is one of the run's own generators.
    """
    run = find_run(workspace.runs, run_name)
    path = out or run.folder / "export" / f"generator{ENDINGS.get(form, '')}"
    if path.resolve() in (run.generator.resolve(), run.last.resolve()):
        raise UsageError(f"{path} is the trained generator itself.", remedy="Name another file with --out.")
    say(f"{run.name}: writing, reading back and comparing (minutes for large images and networks)", quiet=quiet)
    made = export_model(load_generator(run.generator), path, form=form, size=size, overwrite=overwrite)
    _show(made, run, form, quiet=quiet)
    if as_json:
        print(json.dumps(_summary(made, run, form), ensure_ascii=False))


def _show(made: Exported, run: Run, form: str, *, quiet: bool) -> None:
    say(f"{run.name} -> {made.path}   ({form}, {made.bytes / 1e6:.1f} MB)", quiet=quiet)
    for value in made.inputs:
        say(f"  in    {value}", quiet=quiet)
    say(f"  out   {made.output}", quiet=quiet)
    say(
        f"read back and compared on random inputs: largest difference {made.difference:.1e} of 0..1"
        f" (allowed {TOLERANCE:.0e})",
        quiet=quiet,
    )
    say(f"Next: {_NEXT[form].format(path=made.path)}", quiet=quiet)


def _summary(made: Exported, run: Run, form: str) -> dict[str, object]:
    return {
        "file": str(made.path),
        "bytes": made.bytes,
        "format": form,
        "run": run.name,
        "inputs": [asdict(value) for value in made.inputs],
        "output": asdict(made.output),
        "difference": made.difference,
        "tolerance": TOLERANCE,
    }
