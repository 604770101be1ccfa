"""ONNX: any number of images at once, one height and width; runs with onnxruntime and whatever else reads ONNX."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coigan_aug.checkpoint import METADATA
from coigan_aug.errors import EnvironmentProblem
from coigan_aug.export.drawing import Drawing, Inputs

OPSET = 18
NAMES = ("image", "condition", "latent")
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_packages() -> None:
    """Refuse to begin where the packages for ONNX are missing.

    Raises:
        EnvironmentProblem: names them and the extra that brings them.
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentProblem(
            f"ONNX files need {', '.join(missing)}, which is not installed.", remedy='pip install "coigan-aug[onnx]"'
        )


def to_onnx(drawing: Drawing, example: Inputs, text: str) -> bytes:
    """Return an ONNX file of what draws, with `text` as its metadata.

    Args:
        example: inputs of two images or more.
    """
    import onnx

    batch = torch.export.Dim("batch")
    names = NAMES[: len(example)]
    shapes = {name: {0: batch} for name in names}
    program = torch.export.export(drawing, example, dynamic_shapes=shapes, strict=False)
    made = torch.onnx.export(
        program, dynamo=True, input_names=names, output_names=["out"], opset_version=OPSET, verbose=False
    )
    assert made is not None
    model = made.model_proto
    _strip(model)
    onnx.helper.set_model_props(model, {METADATA: text})
    return model.SerializeToString(deterministic=True)


def _strip(model: Any) -> None:
    """Leave out what the exporter notes for its own developers, and name the number of images N."""
    del model.graph.value_info[:]
    for item in (model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del item.metadata_props[:]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"


def read_onnx(path: Path) -> Callable[[Inputs], Tensor]:
    """Read an ONNX file and return what draws with it: inputs -> [N, 3, H, W], on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def read(inputs: Inputs) -> Tensor:
        values = {name: value.numpy() for name, value in zip(NAMES, inputs, strict=False)}
        return torch.from_numpy(session.run(["out"], values)[0])

    return read
