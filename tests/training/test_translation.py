"""A change of look is learned in the loop of `train`: losses by hand, resume, parts, processes."""

from __future__ import annotations

import dataclasses
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from coigan_aug.checkpoint import list_states
from coigan_aug.compose.unpaired import Lines, UnpairedStream, unpaired
from coigan_aug.config import load_settings
from coigan_aug.data.lines import TwoLines, open_line
from coigan_aug.errors import DataError
from coigan_aug.files import sha256
from coigan_aug.imaging import read_image, write_image
from coigan_aug.prepare.examples import load_examples
from coigan_aug.sealed import read_lines
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training import translation
from coigan_aug.training.distributed import across, joined, rank
from coigan_aug.training.loop import Speed, train
from coigan_aug.training.networks import Step
from coigan_aug.training.place import find_place
from coigan_aug.training.run import Machine, Run, begin_run
from coigan_aug.training.translation import SAMPLE_ROWS, build, stack
from coigan_aug.training.translation_steps import UnpairedBatch, translation_step
from coigan_aug.translation.network import load_translator
from tests.training.children import begin_ranks, end

CPU = torch.device("cpu")
SPEED = Speed(bfloat16=False, threads=1)
TINY = (
    "data.window=32", "translate.width=4", "translate.blocks=2", "translate.discriminator_width=4", "train.batch=4",
    "train.images=24", "log.samples_every=16", "log.checkpoint_every=8", "log.metrics_every=1", "log.watch_every=8",
    "translate.attention=mask",
)  # fmt: skip


class Killed(BaseException):
    """Stands in for SIGKILL."""


def settings_of(*overrides: str) -> Settings:
    return load_settings(recipe="tiny", translation=True, overrides=[*TINY, *overrides])


@pytest.fixture(scope="module")
def both(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TwoLines:
    """The toy data set as A; as B a folder of its images, darker and blurred."""
    folder = tmp_path_factory.mktemp("b")
    for position in range(len(toy)):
        write_image(folder / f"{position}.png", cv2.GaussianBlur(toy.stored(position), (5, 5), 0) // 2)
    return TwoLines(toy, open_line(folder, root=tmp_path_factory.mktemp("kept")))


@pytest.fixture(scope="module")
def lines(both: TwoLines, tmp_path_factory: pytest.TempPathFactory) -> Lines:
    cache, data = tmp_path_factory.mktemp("cache"), settings_of().data
    return Lines(*(load_examples(x, x.indices("train"), data, cache_root=cache) for x in (both.a, both.b)))


@pytest.fixture(scope="module")
def watching(coarse: None) -> None:
    """A measurement looks at few windows."""
    patch = pytest.MonkeyPatch()
    patch.setattr(translation, "WATCHED", 8)
    yield
    patch.undo()


def _begin(root: Path, both: TwoLines, settings: Settings) -> Run:
    machine = Machine(device="cpu", bfloat16=False, threads=1)
    return begin_run(root, recipe="tiny", settings=settings, dataset=both, machine=machine, command="c")


def _train(lines: Lines, settings: Settings, run: Run, *, kill_at: int | None = None) -> None:
    def report(done: int, total: int, note: str = "") -> None:
        if kill_at is not None and done >= kill_at:
            raise Killed

    train(build(lines, settings, CPU, again="c"), settings, run, device=CPU, speed=SPEED, report=report)


def test_a_killed_training_ends_as_if_it_had_not_been(
    lines: Lines, both: TwoLines, watching: None, tmp_path: Path
) -> None:
    """The same loop as that of `train`: checkpoints, metrics, measurements, samples, the best one beside the last."""
    settings = settings_of()
    whole, broken = _begin(tmp_path / "a", both, settings), _begin(tmp_path / "b", both, settings)
    _train(lines, settings, whole)
    for kill_at in (12, 20):
        with pytest.raises(Killed):
            _train(lines, settings, broken, kill_at=kill_at)
    _train(lines, settings, broken)
    for one, other in ((whole.generator, broken.generator), (whole.last, broken.last), (whole.metrics, broken.metrics)):
        assert sha256(one) == sha256(other)
    assert [path.name for path in list_states(whole.checkpoints)] == [p.name for p in list_states(broken.checkpoints)]
    assert [line["images"] for line in read_lines(whole.metrics) if "kid" in line] == [8, 16, 24]
    assert [path.stem for path in sorted(whole.samples.glob("*"))] == [f"{n:012d}" for n in (16, 24)]
    assert read_image(next(whole.samples.glob("*"))).shape == (24 + SAMPLE_ROWS * 192, 6 * 192, 3)
    made = load_translator(whole.folder).translate(both.a.image(0), index=0, seed=0)
    assert made.shape == both.a.image(0).shape


def test_a_sample_depends_on_seed_and_index_alone_and_shows_what_the_masks_cover(lines: Lines) -> None:
    settings = settings_of("translate.defects=1")
    stream = UnpairedStream(lines, settings, 5)
    backwards = {index: stream[index] for index in reversed(range(6))}
    for index in range(6):
        sample = unpaired(lines, settings, 5, index)
        for name in ("a", "masks", "b"):
            np.testing.assert_array_equal(getattr(sample, name), getattr(backwards[index], name))
        assert sample.a.shape == sample.b.shape == (3, 32, 32) and sample.masks.shape == (1, 32, 32)
        assert sample.masks.any(), "every window of A is put round a defect"
        assert set(np.unique(sample.masks)) <= {0, 1}
    assert not any(unpaired(Lines(lines.b, lines.a), settings, 5, index).masks.any() for index in range(6))
    assert np.mean([unpaired(lines, settings, 5, k).b.mean() for k in range(20)]) < 0.4, "B is the darker line"


def _batch(lines: Lines, settings: Settings, count: int) -> UnpairedBatch:
    stream = UnpairedStream(lines, settings, 7)
    batch = stack([stream[index] for index in range(count)])
    return UnpairedBatch(*(getattr(batch, field.name).double() for field in dataclasses.fields(batch)))


def _step(settings: Settings, *, parts: int = 1) -> Step:
    return Step(0, settings, torch.Generator().manual_seed(0), CPU, bfloat16=False, parts=parts)


def _networks(settings: Settings) -> SimpleNamespace:
    networks = translation.build_translation(settings, CPU)
    for network in (networks.translators, networks.discriminators):
        network.double()
    for translator in (networks.translators.to_a, networks.translators.to_b):
        torch.nn.init.normal_(translator.last.weight, std=0.02, generator=torch.Generator().manual_seed(1))
    return networks  # type: ignore[return-value]


def test_losses_are_those_of_their_formulas(lines: Lines) -> None:
    """Cycle with the masks' weight, identity and the least-squares losses, written out."""
    settings = settings_of("translate.mask_weight=3", "translate.cycle=10", "translate.identity=5")
    networks, batch = _networks(settings), _batch(lines, settings, 2)
    to_a, to_b, judges = networks.translators.to_a, networks.translators.to_b, networks.discriminators
    with torch.no_grad():
        like_b, like_a = to_b(batch.a), to_a(batch.b)
        weights = (1 + 3 * batch.masks).expand_as(batch.a)
        expected = {
            "generator_cycle_a": 10 * ((to_a(like_b) - batch.a).abs() * weights).sum() / weights.sum(),
            "generator_cycle_b": 10 * (to_b(like_a) - batch.b).abs().mean(),
            "generator_identity": 5 * ((to_b(batch.b) - batch.b).abs().mean() + (to_a(batch.a) - batch.a).abs().mean()),
            "discriminator_b": ((judges.of_b(batch.b) - 1) ** 2).mean() + (judges.of_b(like_b) ** 2).mean(),
            "discriminator_a": ((judges.of_a(batch.a) - 1) ** 2).mean() + (judges.of_a(like_a) ** 2).mean(),
        }
    found = translation_step(networks, batch, _step(settings))
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5), name
    with torch.no_grad():  # judged after the discriminators have learned
        passed = ((judges.of_b(like_b) - 1) ** 2).mean()
    assert float(found["generator_adversarial_b"]) == pytest.approx(float(passed), rel=1e-5)


@pytest.mark.parametrize(
    ("overrides", "there"),
    [
        (("translate.attention=none",), ()),
        (("translate.attention=gradcam",), ("a", "b")),
        (("translate.attention=gradcam", "translate.attention_both=false"), ("a",)),
        (
            ("translate.attention=gradcam", "translate.attention_blocks=four", "translate.attention_detach=true"),
            ("a", "b"),
        ),
    ],
)
def test_attention_has_the_variants_of_the_thesis(
    lines: Lines, overrides: tuple[str, ...], there: tuple[str, ...]
) -> None:
    settings = settings_of(*overrides)
    found = translation_step(_networks(settings), _batch(lines, settings, 2), _step(settings))
    assert {name[-1] for name in found if "attention" in name} == set(there)
    assert all(float(found[f"generator_attention_{name}"]) > 0 for name in there)


def test_a_batch_in_parts_learns_the_same(lines: Lines) -> None:
    settings = settings_of("translate.attention=gradcam", "translate.edges=0")
    batch, made = _batch(lines, settings, 4), []
    for parts in (1, 2):
        networks = _networks(settings)
        losses = translation_step(networks, batch, _step(settings, parts=parts))
        made.append((losses, networks.translators.state_dict()))
    for name, value in made[0][0].items():
        assert float(made[1][0][name]) == pytest.approx(float(value), rel=1e-4), name
    for name, value in made[0][1].items():
        torch.testing.assert_close(made[1][1][name], value, atol=1e-4, rtol=1e-3)


def take_steps(lines: Lines, folder: Path | None = None) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train two steps in float64 as part of all processes: losses of each step, and the weights after the last."""
    settings = settings_of()
    model = dataclasses.replace(build(lines, settings, CPU, again=""), networks=_networks(settings))
    source, losses = model.batches(start=0, batch=4, workers=0), []
    for number in range(2):
        batch = next(source)
        batch = UnpairedBatch(*(getattr(batch, field.name).double() for field in dataclasses.fields(batch)))
        found = model.step(batch, dataclasses.replace(_step(settings), number=number))
        losses.append({name: float(across(value)) for name, value in found.items()})
    return losses, model.networks.translators.state_dict()


def _be_one(folder: str) -> None:
    lines = pickle.loads((Path(folder) / "lines").read_bytes())
    with joined(find_place(os.environ), CPU):
        made = take_steps(lines)
        if rank() == 0:
            torch.save(made, Path(folder) / "made.pt")


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(lines: Lines, tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(pickle.dumps(lines))
    for code, said in end(begin_ranks(_be_one, str(tmp_path), count=2, cwd=tmp_path, folder=tmp_path / "said")):
        assert code == 0, said
    losses, weights = take_steps(lines)
    other_losses, other_weights = torch.load(tmp_path / "made.pt", weights_only=True)
    assert any("attention" in name for name in losses[0])
    for step, other in zip(losses, other_losses, strict=True):
        assert step == pytest.approx(other, rel=1e-5)
    for name, value in weights.items():
        torch.testing.assert_close(other_weights[name], value, atol=1e-5, rtol=1e-4)


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is neither a data set nor a folder of images"):
        open_line(tmp_path / "nothing", root=tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        open_line(tmp_path / "empty", root=tmp_path)
