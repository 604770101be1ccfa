"""Exported generators draw what the original draws, say what they are, and are refused where they would not."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from coigan_aug.annotations.records import DefectClass, colour_of
from coigan_aug.checkpoint import GeneratorFile, load_generator, save_generator
from coigan_aug.compose.noise import condition, draw_latent, noise_fields
from coigan_aug.errors import DataError, EnvironmentProblem, GateError, ResourceError, UsageError
from coigan_aug.export import write
from coigan_aug.export.write import ENDINGS, TOLERANCE, Exported, export_model
from coigan_aug.models.build import build_generator
from coigan_aug.models.ffc import FourierUnit
from coigan_aug.models.modulated import StyledLayer
from coigan_aug.settings import Settings

KINDS: dict[str, dict[str, Any]] = {
    "unet": {"generator": "unet", "width": 8, "depth": 2, "colour": "rgb"},
    "style_unet": {
        "generator": "style_unet", "width": 8, "depth": 1, "blocks": 1, "latent": 8, "contrast": True, "colour": "grey",
    },
    "ffc": {"generator": "ffc", "width": 4, "depth": 1, "blocks": 1, "noise": "replace", "colour": "rgb"},
}  # fmt: skip
CLASSES = tuple(DefectClass(name=name, colour=colour_of(k), source_id=k + 1) for k, name in enumerate(("Öl", "crack")))
GRAPHS = ("onnx", "torchscript")
SIZE = (35, 51)  # neither is a multiple of 2 or 4: the networks pad them and cut them again


def trained(kind: str, path: Path) -> GeneratorFile:
    """A generator that draws boldly: random weights and statistics everywhere, also where training begins with zeros."""
    settings = Settings()
    model = dataclasses.replace(settings.model, **KINDS[kind])
    settings = dataclasses.replace(settings, model=model, data=dataclasses.replace(settings.data, window=32))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = build_generator(model, len(CLASSES))
        for module in made.modules():
            if isinstance(module, StyledLayer):
                nn.init.normal_(module.strength, std=0.5)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 1.5)
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        if kind != "ffc":
            nn.init.normal_(made.network.head.weight, std=0.1)
    save_generator(path, made, settings=settings, classes=CLASSES, images=1234)
    return load_generator(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("export")


@pytest.fixture(scope="module")
def generators(folder: Path) -> dict[str, GeneratorFile]:
    return {kind: trained(kind, folder / f"{kind}.safetensors") for kind in KINDS}


@pytest.fixture(scope="module")
def exported(folder: Path, generators: dict[str, GeneratorFile]) -> Callable[[str, str], Exported]:
    """Every kind in every format, at one odd size, made when first asked for."""
    made: dict[tuple[str, str], Exported] = {}

    def get(kind: str, form: str) -> Exported:
        if (kind, form) not in made:
            out = folder / kind / f"it{ENDINGS[form]}"
            size = None if form == "safetensors" else SIZE
            made[kind, form] = export_model(generators[kind], out, form=form, size=size)
        return made[kind, form]

    return get


def real_inputs(generator: GeneratorFile, *, count: int, size: tuple[int, int] = SIZE) -> tuple[Tensor, ...]:
    """Inputs as synthesis makes them: binary masks, noise inside them, a latent."""
    rng = np.random.default_rng(count)
    model = generator.settings.model
    conditions, latents = [], []
    for _ in range(count):
        masks = np.zeros((len(CLASSES), *size), np.uint8)
        for mask in masks:
            top, left = rng.integers(0, 20, 2)
            mask[top : top + 9, left : left + 14] = 1
        fields = noise_fields(rng, height=size[0], width=size[1], scales=model.noise_scales)
        contrast = np.full(size, -0.4, np.float32)
        conditions.append(condition(masks, fields, model, contrast=contrast))
        latents.append(draw_latent(rng, model, mixing=0.5))
    arrays = [rng.random((count, 3, *size), np.float32), np.stack(conditions), np.stack(latents)]
    return tuple(torch.from_numpy(array) for array in arrays if array.size)


def original(generator: GeneratorFile, inputs: tuple[Tensor, ...]) -> np.ndarray:
    latent = inputs[2] if len(inputs) == 3 else torch.zeros(len(inputs[0]), 0, 0)
    with torch.no_grad():
        return generator.generator.generate(inputs[0], inputs[1], latent).numpy()


def foreign(path: Path, form: str, inputs: tuple[Tensor, ...]) -> np.ndarray:
    """Draw with a file as another program would, with none of this program's code."""
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [item.name for item in session.get_inputs()]
        return session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(path)(*inputs).numpy()


def said(path: Path, form: str) -> dict[str, Any]:
    """Read what a file says of itself with the format's own library."""
    if form == "onnx":
        import onnx

        text = {item.key: item.value for item in onnx.load(path).metadata_props}["coigan-aug"]
    elif form == "torchscript":
        with zipfile.ZipFile(path) as archive:
            text = archive.read("archive/extra/coigan-aug").decode()
    else:
        with safe_open(path, framework="np") as stream:
            text = stream.metadata()["coigan-aug"]
    return json.loads(text)


@pytest.mark.parametrize("form", GRAPHS)
@pytest.mark.parametrize("kind", KINDS)
def test_another_program_draws_what_the_generator_draws(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], kind: str, form: str
) -> None:
    made, generator = exported(kind, form), generators[kind]
    assert made.difference < 1e-5
    for count in (1, 2, 5):
        inputs = real_inputs(generator, count=count)
        expected = original(generator, inputs)
        np.testing.assert_allclose(foreign(made.path, form, inputs), expected, rtol=0, atol=1e-5)
        assert np.abs(expected - inputs[0].numpy()).mean() > 0.01, "it draws something"
        for k in range(1, len(inputs)):  # and every input counts
            other = [value.flip(-1) if j == k else value for j, value in enumerate(inputs)]
            assert np.abs(foreign(made.path, form, tuple(other)) - expected).max() > 1e-3


@pytest.mark.parametrize("form", GRAPHS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_inputs_give_the_same_bytes_and_a_sample_does_not_depend_on_its_batch(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], kind: str, form: str
) -> None:
    inputs = real_inputs(generators[kind], count=3)
    path = exported(kind, form).path
    whole = foreign(path, form, inputs)
    assert np.array_equal(whole, foreign(path, form, inputs))
    alone = foreign(path, form, tuple(value[1:2] for value in inputs))
    np.testing.assert_allclose(alone, whole[1:2], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_the_same_bit_for_bit_and_read_as_a_generator_file(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], kind: str
) -> None:
    made, generator = exported(kind, "safetensors"), generators[kind]
    assert made.difference == 0
    again = load_generator(made.path)
    assert (again.settings, again.classes, again.images) == (generator.settings, generator.classes, 1234)
    inputs = real_inputs(generator, count=2)
    assert np.array_equal(original(again, inputs), original(generator, inputs))


@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_what_goes_in_what_comes_out_and_where_it_comes_from(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], kind: str, form: str
) -> None:
    made, generator = exported(kind, form), generators[kind]
    about = said(made.path, form)
    assert about["source_sha256"] == generator.sha256
    assert about["program"].startswith("coigan-aug ")
    assert about["settings"]["model"]["generator"] == kind
    assert [item["name"] for item in about["classes"]] == ["Öl", "crack"]
    sides = ["H", "W"] if form == "safetensors" else list(SIZE)
    shapes = {item["name"]: item["shape"] for item in about["inputs"]}
    inputs = real_inputs(generator, count=1)
    assert list(shapes) == ["image", "condition", "latent"][: len(inputs)]
    assert shapes["image"] == ["N", 3, *sides]
    assert shapes["condition"] == ["N", inputs[1].shape[1], *sides]
    assert shapes.get("latent", ["N"])[1:] == list(inputs[2].shape[1:] if len(inputs) == 3 else ())
    assert about["output"]["shape"] == ["N", 3, *sides]
    assert "masks of Öl, crack" in about["inputs"][1]["meaning"]
    assert ("contrast" in about["inputs"][1]["meaning"]) == (kind == "style_unet")
    assert made.bytes == made.path.stat().st_size


@pytest.mark.parametrize("kind", KINDS)
def test_an_onnx_file_has_the_shapes_it_says_and_plain_operations_only(
    exported: Callable[[str, str], Exported], kind: str
) -> None:
    import onnx

    path = exported(kind, "onnx").path
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    for value, item in zip(model.graph.input, said(path, "onnx")["inputs"], strict=True):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert (value.name, dims) == (item["name"], item["shape"])
    kinds = {node.op_type for node in model.graph.node}
    assert not {"DFT", "RandomNormal", "RandomNormalLike", "RandomUniform", "If", "Loop"} & kinds
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.parametrize("form", ENDINGS)
def test_a_file_tells_nothing_of_the_machine_it_was_made_on(
    exported: Callable[[str, str], Exported], folder: Path, form: str
) -> None:
    path = exported("style_unet", form).path
    data = path.read_bytes()
    if form == "torchscript":
        with zipfile.ZipFile(path) as archive:
            data = b"".join(archive.read(name) for name in archive.namelist())
    for place in (Path(torch.__file__).parent, Path(write.__file__).parent.parent.parent, folder):
        assert str(place).encode() not in data


def test_a_torchscript_file_names_no_device_so_that_it_can_move_to_a_gpu(
    exported: Callable[[str, str], Exported],
) -> None:
    with zipfile.ZipFile(exported("style_unet", "torchscript").path) as archive:
        code = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".py"))
    assert b"forward" in code
    assert b"device" not in code


def test_tensors_in_a_torchscript_file_start_at_multiples_of_64_bytes(
    exported: Callable[[str, str], Exported],
) -> None:
    path = exported("ffc", "torchscript").path
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            head = data[entry.header_offset : entry.header_offset + 30]
            start = (
                entry.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            )
            assert start % 64 == 0
            assert entry.compress_type == zipfile.ZIP_STORED


@pytest.mark.parametrize("form", GRAPHS)
@pytest.mark.parametrize("size", [(36, 52), (40, 50), (72, 50), (18, 25)])
def test_images_of_another_size_are_refused_not_drawn_wrongly(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], form: str, size: tuple[int, int]
) -> None:
    inputs = real_inputs(generators["unet"], count=1, size=size)
    with pytest.raises(Exception, match=r"expanded size|[Ii]nvalid dimensions"):
        foreign(exported("unet", form).path, form, inputs)


def test_the_size_is_the_training_window_unless_another_is_given(
    generators: dict[str, GeneratorFile], tmp_path: Path
) -> None:
    form = "torchscript"  # it is chosen before the format is
    made = export_model(generators["unet"], tmp_path / "it", form=form)
    assert made.inputs[0].shape == ("N", 3, 32, 32)
    inputs = real_inputs(generators["unet"], count=2, size=(32, 32))
    np.testing.assert_allclose(
        foreign(made.path, form, inputs), original(generators["unet"], inputs), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("form", ENDINGS)
def test_the_same_generator_gives_the_same_file(
    generators: dict[str, GeneratorFile], exported: Callable[[str, str], Exported], tmp_path: Path, form: str
) -> None:
    size = None if form == "safetensors" else SIZE
    again = export_model(generators["unet"], tmp_path / "again", form=form, size=size)
    a, b = (made.path.read_bytes() for made in (exported("unet", form), again))
    if form == "torchscript":  # torch numbers the classes it makes, so the code differs by names
        a, b = (re.sub(rb"_mangle_\d+", b"", data) for data in (a, b))
        assert abs(len(a) - len(b)) < 4096
    else:
        assert a == b


def test_exporting_leaves_the_generator_as_it_was(generators: dict[str, GeneratorFile], tmp_path: Path) -> None:
    generator = generators["style_unet"]
    before = {name: value.clone() for name, value in generator.generator.state_dict().items()}
    export_model(generator, tmp_path / "it.pt", form="torchscript")
    assert any(isinstance(module, FourierUnit) for module in generator.generator.modules())
    after = generator.generator.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("form", ENDINGS)
def test_a_file_that_draws_something_else_is_not_written_and_an_older_one_stays(
    exported: Callable[[str, str], Exported], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The fault: what is written is of a generator whose first weight is another."""
    data = exported("unet", form).path.read_bytes()
    monkeypatch.setattr(write, "_to_bytes", lambda *asked: data)
    other = trained("unet", tmp_path / "other")
    next(other.generator.parameters()).data += 0.05
    out = tmp_path / "it"
    out.write_text("the older one")
    with pytest.raises(GateError, match=r"draws something else .* It is not written") as caught:
        export_model(other, out, form=form, size=None if form == "safetensors" else SIZE, overwrite=True)
    assert caught.value.exit_code == 6
    assert out.read_text() == "the older one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it", "other"]


def test_a_file_that_draws_no_numbers_is_not_written(
    generators: dict[str, GeneratorFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "draw", lambda generator, inputs: inputs[0] * float("nan"))
    with pytest.raises(GateError, match="inf"):
        export_model(generators["unet"], tmp_path / "it.pt", form="torchscript")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"form": "tensorrt"}, "no format 'tensorrt'"),
        ({"form": "safetensors", "size": (64, 64)}, "no image size"),
        ({"form": "onnx", "size": (8, 64)}, "8 x 64 is not within 16 to 4096"),
        ({"form": "torchscript", "size": (64, 100_000)}, "64 x 100000"),
    ],
)
def test_what_can_not_be_exported_is_refused_before_any_work(
    generators: dict[str, GeneratorFile], tmp_path: Path, arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        export_model(generators["unet"], tmp_path / "it", **arguments)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_replaced_only_when_asked_and_a_folder_never(
    generators: dict[str, GeneratorFile], tmp_path: Path
) -> None:
    out = tmp_path / "it.safetensors"
    out.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        export_model(generators["unet"], out, form="safetensors")
    assert out.read_text() == "mine"
    assert export_model(generators["unet"], out, form="safetensors", overwrite=True).bytes > 4
    with pytest.raises(UsageError, match="is a folder"):
        export_model(generators["unet"], tmp_path, form="safetensors", overwrite=True)


def test_a_folder_that_can_not_be_written_is_named(generators: dict[str, GeneratorFile], tmp_path: Path) -> None:
    """A file stands where the folder should be: this fails for every user, root too."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="Can't write"):
        export_model(generators["unet"], tmp_path / "file" / "it.safetensors", form="safetensors")


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    generators: dict[str, GeneratorFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == missing else found(name, *rest))
    with pytest.raises(EnvironmentProblem, match=f"need {missing}, which is not installed") as caught:
        export_model(generators["unet"], tmp_path / "it.onnx", form="onnx")
    assert caught.value.exit_code == 4
    assert 'pip install "coigan-aug[onnx]"' in caught.value.remedy
    export_model(generators["unet"], tmp_path / "it.pt", form="torchscript")


def test_a_pickle_that_calls_itself_a_generator_is_refused_and_never_runs(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    path = tmp_path / "generator.safetensors"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError, match="not a generator file"):
        load_generator(path)
    assert not (tmp_path / "ran").exists()


def test_the_tolerance_is_below_what_rounding_to_8_bits_does() -> None:
    assert TOLERANCE < 0.5 / 255
