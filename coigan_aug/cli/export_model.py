"""coigan-aug export-model."""

from __future__ import annotations

import json
from dataclasses import asdict

from coigan_aug.cli.options import Here, command
from coigan_aug.stages.asks import ExportAsk

_NEXT = {
    "onnx": 'onnxruntime.InferenceSession("{path}") in Python, or any program that reads ONNX',
    "torchscript": 'torch.jit.load("{path}") in Python, torch::jit::load in C++',
    "safetensors": "coigan-aug train --init-from {path}",
}


def export_model(ask: ExportAsk, here: Here) -> None:
    """Write a trained generator as a file that other programs can load; nothing in it is executed as code.

    The file is read back and compared with the original on random inputs. The meaning of its inputs stands in it.

    Example: coigan-aug export-model --to onnx --out generator.onnx
    """
    from coigan_aug.export.write import TOLERANCE
    from coigan_aug.stages.export_model import export_model as stage

    exported, say = stage(here.workspace, ask, talk=here.talk), here.talk.say
    made = exported.file
    say(f"{exported.run} -> {made.path}   ({exported.format}, {made.bytes / 1e6:.1f} MB)")
    for value in made.inputs:
        say(f"  in    {value}")
    say(f"  out   {made.output}")
    difference = f"largest difference {made.difference:.1e} of 0..1 (allowed {TOLERANCE:.0e})"
    say(f"read back and compared on random inputs: {difference}")
    say(f"Next: {_NEXT[exported.format].format(path=made.path)}")
    if here.as_json:
        numbers = {
            "file": str(made.path),
            "bytes": made.bytes,
            "format": exported.format,
            "run": exported.run,
            "inputs": [asdict(value) for value in made.inputs],
            "output": asdict(made.output),
            "difference": made.difference,
            "tolerance": TOLERANCE,
        }
        print(json.dumps(numbers, ensure_ascii=False))


export_model_command = command(ExportAsk, export_model)
