"""Write a generator as a file for other programs, after reading it back and drawing with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from coigan_aug.checkpoint import GeneratorFile, generator_bytes, load_generator
from coigan_aug.errors import GateError, UsageError
from coigan_aug.export.about import Value, about, inputs_of, output_of
from coigan_aug.export.drawing import Inputs, Size, draw, fixed_drawing, random_inputs
from coigan_aug.export.onnx_file import check_packages, read_onnx, to_onnx
from coigan_aug.export.torchscript_file import read_torchscript, to_torchscript
from coigan_aug.files import atomic_write

ENDINGS = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}
TOLERANCE = 1e-3  # of 0..1: a quarter of a step of an 8-bit image; trained generators measured 1e-7 to 6e-6
SIDES = (16, 4096)
_COUNTS = (1, 3)  # images in the inputs that are compared; the recording is made with two


@dataclass(frozen=True)
class Exported:
    """A file that was written and how far what it draws is from the original's, at most, over random inputs."""

    path: Path
    bytes: int
    inputs: tuple[Value, ...]
    output: Value
    difference: float


def export_model(
    generator: GeneratorFile, out: Path, *, form: str, size: Size | None = None, overwrite: bool = False
) -> Exported:
    """Write a generator as ONNX or TorchScript, which draw by themselves, or as safetensors, which holds the weights.

    The file is read back and compared before it takes its name: where it draws something else there is none, and an
    older one stays. Reading it never executes code. It carries settings, classes, the meaning of inputs and output, the
    program's version and the source's SHA-256 as JSON under the key `coigan-aug`.

    Args:
        form: onnx, torchscript or safetensors.
        size: height and width of the images, px; the training window where none is given. Weights have none.

    Raises:
        UsageError: no such form, a size that can't be, `out` exists. EnvironmentProblem: a package is missing.
        GateError: what the file draws differs by more than `TOLERANCE`. ResourceError: it can't be written.
    """
    _check(out, form=form, size=size, overwrite=overwrite)
    window = generator.settings.data.window
    sized = size or (window, window)
    image_size = None if form == "safetensors" else sized
    data = _to_bytes(generator, form, sized, json.dumps(about(generator, image_size), ensure_ascii=False))
    with atomic_write(out) as stream:
        stream.write(data)
        stream.flush()
        difference = _difference(generator, Path(stream.name), form, sized)
        if not difference <= TOLERANCE:
            raise GateError(
                f"{out} draws something else than the generator: they differ by up to {difference:.2g} of 0..1,"
                f" allowed is {TOLERANCE:g}. It is not written.",
                remedy="Try another format (--to) or size; if it stays, please report it.",
            )
    return Exported(out, len(data), inputs_of(generator, image_size), output_of(generator, image_size), difference)


def _check(out: Path, *, form: str, size: Size | None, overwrite: bool) -> None:
    if form not in ENDINGS:
        raise UsageError(f"There is no format {form!r}.", remedy=f"Formats: {', '.join(ENDINGS)}.")
    if size and form == "safetensors":
        raise UsageError("Weights have no image size.", remedy="Leave out --size with --to safetensors.")
    if size and not all(SIDES[0] <= side <= SIDES[1] for side in size):
        raise UsageError(f"The size {size[0]} x {size[1]} is not within {SIDES[0]} to {SIDES[1]} px a side.")
    if out.is_dir():
        raise UsageError(f"{out} is a folder.", remedy="Name a file with --out.")
    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists.", remedy="Use --overwrite, or another --out.")
    if form == "onnx":
        check_packages()


def _to_bytes(generator: GeneratorFile, form: str, size: Size, text: str) -> bytes:
    if form == "safetensors":
        return generator_bytes(generator.generator, text)
    example = random_inputs(generator, size, count=2, index=0)
    write = to_onnx if form == "onnx" else to_torchscript
    return write(fixed_drawing(generator, size), example, text)


def _difference(generator: GeneratorFile, path: Path, form: str, size: Size) -> float:
    """Return the largest absolute difference between what the file and the generator draw."""
    read = _reader(path, form)
    largest = 0.0
    for index, count in enumerate(_COUNTS, start=1):
        inputs = random_inputs(generator, size, count=count, index=index)
        apart = (read(inputs) - draw(generator, inputs)).abs().max()
        largest = max(largest, float(apart.nan_to_num(nan=float("inf"))))
    return largest


def _reader(path: Path, form: str) -> Callable[[Inputs], Tensor]:
    if form == "safetensors":
        return partial(draw, load_generator(path))
    return (read_onnx if form == "onnx" else read_torchscript)(path)
