"""A training that is interrupted, killed or damaged continues and ends as if nothing had happened."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import re
import signal
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coigan_aug.annotations.records import DefectClass
from coigan_aug.checkpoint import list_states, load_generator, load_latest, save_generator, save_state
from coigan_aug.config import load_settings
from coigan_aug.errors import DataError, EnvironmentProblem, ResourceError, Stopped, exit_code_of
from coigan_aug.files import sha256, to_values
from coigan_aug.imaging import read_image
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_lines, read_sealed, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from coigan_aug.training import inpainting, loop, plan
from coigan_aug.training.batches import Batch
from coigan_aug.training.beginning import BUNDLED, bundled_fits, find_weights, init_from
from coigan_aug.training.device import choose_device
from coigan_aug.training.inpainting import build_inpainting
from coigan_aug.training.judging import Losses
from coigan_aug.training.loop import Speed, train
from coigan_aug.training.networks import Networks, Step, build_networks
from coigan_aug.training.run import (
    Best,
    Machine,
    Run,
    begin_run,
    check_same,
    find_run,
    list_runs,
    resolve,
    unfinished_run,
)
from coigan_aug.training.watch import begin_watch

CPU = torch.device("cpu")
MACHINE = Machine(device="cpu", bfloat16=False, threads=1)
SPEED = Speed(bfloat16=False, threads=1)


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the training may run after it."""


def _begin(root: Path, prepared: Prepared, settings: Settings) -> Run:
    return begin_run(
        root, recipe="tiny", settings=settings, dataset=prepared.dataset, machine=MACHINE, command="coigan-aug train"
    )


def _model(prepared: Prepared, settings: Settings) -> inpainting.Inpainting:
    return build_inpainting(prepared, settings, CPU)


def _train(prepared: Prepared, settings: Settings, run: Run, *, kill_at: int | None = None) -> int:
    def report(done: int, total: int, note: str = "") -> None:
        if kill_at is not None and done >= kill_at:
            raise Killed

    return train(_model(prepared, settings), settings, run, device=CPU, speed=SPEED, report=report)


@pytest.fixture(scope="module")
def whole(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that nothing has interrupted; tests only read it."""
    run = _begin(tmp_path_factory.mktemp("whole"), prepared, small)
    assert _train(prepared, small, run) == 24
    return run


def test_resume_after_a_kill_equals_the_uninterrupted_run(
    prepared: Prepared, small: Settings, whole: Run, tmp_path: Path
) -> None:
    broken = _begin(tmp_path, prepared, small)
    for kill_at in (4, 12, 20):
        with pytest.raises(Killed):
            _train(prepared, small, broken, kill_at=kill_at)
        assert not broken.finished
    _train(prepared, small, broken)
    assert sha256(whole.generator) == sha256(broken.generator)
    assert list(read_lines(whole.metrics)) == list(read_lines(broken.metrics))
    assert [p.name for p in list_states(whole.checkpoints)] == [p.name for p in list_states(broken.checkpoints)]
    assert len(list_states(whole.checkpoints)) == small.log.keep


def test_a_signal_saves_stops_and_says_how_to_continue(
    prepared: Prepared, small: Settings, whole: Run, tmp_path: Path
) -> None:
    stopped = _begin(tmp_path, prepared, small)

    def report(done: int, total: int, note: str = "") -> None:
        if done == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="saved at 12 images") as caught:
        train(_model(prepared, small), small, stopped, device=CPU, speed=SPEED, report=report)
    assert caught.value.signal_number == signal.SIGTERM
    assert "coigan-aug train --resume" in str(caught.value)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    _train(prepared, small, stopped)
    assert sha256(whole.generator) == sha256(stopped.generator)


def test_a_flipped_byte_in_a_checkpoint_is_noticed_and_the_one_before_used(
    prepared: Prepared, small: Settings, whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hurt = _begin(tmp_path, prepared, small)
    with pytest.raises(Killed):
        _train(prepared, small, hurt, kill_at=20)
    newest = list_states(hurt.checkpoints)[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    _train(prepared, small, hurt)
    assert f"checkpoint {newest.name} is damaged" in capsys.readouterr().err
    assert sha256(whole.generator) == sha256(hurt.generator)


def test_a_time_budget_ends_a_run_as_finished(
    prepared: Prepared, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of an earlier session is noted with that of this one, and does not count against its budget."""
    run = _begin(tmp_path, prepared, small)
    run.note_seconds(1000)
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=itertools.count(50, 7).__next__))
    model = _model(prepared, small)
    images = train(model, small, run, device=CPU, speed=SPEED, report=lambda *a: None, minutes=1e-12)
    assert images == 0
    assert run.finished
    assert run.seconds() in {1000 + 7 * calls for calls in range(1, 9)}


def test_samples_are_pictures_with_a_row_for_each_sample_twice_as_large_as_its_window(
    prepared: Prepared, whole: Run
) -> None:
    pictures, cell = sorted(whole.samples.glob("*.png")), 2 * prepared.window + 6
    assert [int(picture.stem) for picture in pictures] == [16, 24]
    assert read_image(pictures[0]).shape == (8 * cell + 48, 7 * cell, 3)


def test_the_generator_file_holds_the_average_in_eval_mode(prepared: Prepared, small: Settings, whole: Run) -> None:
    made = load_generator(whole.generator)
    state, _ = load_latest(whole.checkpoints)
    assert state is not None
    for key, value in made.generator.state_dict().items():
        assert torch.equal(value, state["average"][key])
        assert not torch.equal(value, state["generator"][key]) or value.numel() < 2
    assert not made.generator.training
    assert made.classes == prepared.dataset.classes
    assert made.settings == small
    base, extra = torch.rand(3, 3, 32, 32), torch.rand(3, 4, 32, 32)
    latent = torch.zeros(3, 0, 0)
    together = made.generator.generate(base, extra, latent)
    alone = torch.cat([made.generator.generate(*(x[k : k + 1] for x in (base, extra, latent))) for k in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)


def test_loading_a_generator_never_runs_code_and_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_generator(tmp_path / "none.safetensors")
    torch.save({"x": os.system}, tmp_path / "evil.safetensors")
    with pytest.raises(DataError, match="not a generator file"):
        load_generator(tmp_path / "evil.safetensors")


def test_a_state_that_holds_code_is_not_loaded(tmp_path: Path) -> None:
    save_state(tmp_path, {"images": 1, "bad": os.system}, images=1, keep=2)
    with pytest.raises(DataError, match="nothing of it is run"):
        load_latest(tmp_path)


def test_only_the_newest_states_are_kept(tmp_path: Path) -> None:
    for images in (5, 100, 20):
        save_state(tmp_path, {"images": images}, images=images, keep=2)
    assert [int(path.name.split("-")[0]) for path in list_states(tmp_path)] == [20, 100]


def test_runs_are_numbered_found_and_told_apart(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no trained generator"):
        find_run(tmp_path, None)
    first, second = _begin(tmp_path, prepared, small), _begin(tmp_path, prepared, small)
    assert [run.name for run in list_runs(tmp_path)] == ["001-tiny", "002-tiny"]
    assert unfinished_run(tmp_path, settings=small, dataset=prepared.dataset) == second
    other = dataclasses.replace(small, train=dataclasses.replace(small.train, seed=99))
    assert unfinished_run(tmp_path, settings=other, dataset=prepared.dataset) is None
    _train(prepared, small, first)
    assert find_run(tmp_path, None) == find_run(tmp_path, "1") == find_run(tmp_path, "001-tiny") == first
    with pytest.raises(DataError, match="There is no run '7'"):
        find_run(tmp_path, "7")


def test_continuing_with_other_settings_is_refused_and_longer_is_not(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    run = _begin(tmp_path, prepared, small)
    check_same(run, dataclasses.replace(small, train=dataclasses.replace(small.train, images=999)), prepared.dataset)
    other = dataclasses.replace(small, train=dataclasses.replace(small.train, batch=2))
    with pytest.raises(DataError, match=r"begun with train.batch = 4, not 2"):
        check_same(run, other, prepared.dataset)


def test_continuing_with_other_classes_is_refused(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    run = _begin(tmp_path, prepared, small)
    renamed = [dataclasses.replace(item, name=item.name.upper()) for item in prepared.dataset.classes]
    other = write_dataset(
        tmp_path / "other", prepared.dataset, classes=renamed, image_root=prepared.dataset.image_root, provenance={}
    )
    with pytest.raises(DataError, match="trained on the classes spot, line; the data set now has SPOT, LINE") as caught:
        check_same(run, small, other)
    assert "Start a new run" in str(caught.value)


def test_colour_is_decided_by_the_data(prepared: Prepared, small: Settings) -> None:
    assert resolve(small, prepared).model.colour == "grey"


@pytest.mark.parametrize(("name", "gpus"), [(None, 99), ("cuda:77", None), ("banana", None)])
def test_a_device_that_is_not_there_is_refused(name: str | None, gpus: int | None) -> None:
    if name == "cuda:77" and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(EnvironmentProblem) as caught:
        choose_device(name, gpus=gpus)
    assert caught.value.remedy


@pytest.fixture(scope="module")
def few_samples(coarse: None) -> Iterator[None]:
    """A watch looks at 8 samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inpainting, "begin_watch", functools.partial(begin_watch, samples=8))
        yield


def _watched(settings: Settings, *, patience: int = 0) -> Settings:
    log = dataclasses.replace(settings.log, watch_every=8)
    return dataclasses.replace(settings, log=log, train=dataclasses.replace(settings.train, patience=patience))


@pytest.fixture(scope="module")
def watched(prepared: Prepared, small: Settings, few_samples: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A watched training that nothing has interrupted; tests only read it."""
    run = _begin(tmp_path_factory.mktemp("watched"), prepared, _watched(small))
    _train(prepared, _watched(small), run)
    return run


def test_a_watched_training_keeps_its_best_generator_beside_the_last(watched: Run) -> None:
    measured = {line["images"]: line["kid"] for line in read_lines(watched.metrics) if "kid" in line}
    assert list(measured) == [8, 16, 24]
    best = min(measured, key=lambda images: measured[images])
    told = read_sealed(watched.folder / "run.json")["best"]
    assert (told["images"], round(told["distance"], 5)) == (best, measured[best])
    assert load_generator(watched.generator).images == best
    assert load_generator(watched.last).images == 24


def test_a_watched_training_that_is_killed_ends_as_if_it_had_not_been(
    prepared: Prepared, small: Settings, watched: Run, tmp_path: Path
) -> None:
    settings = _watched(small)
    broken = _begin(tmp_path, prepared, settings)
    for kill_at in (12, 20):
        with pytest.raises(Killed):
            _train(prepared, settings, broken, kill_at=kill_at)
    _train(prepared, settings, broken)
    _equal(watched, broken)


def _equal(whole: Run, broken: Run) -> None:
    """Check that two runs ended alike."""
    for one, other in ((whole.generator, broken.generator), (whole.last, broken.last), (whole.metrics, broken.metrics)):
        assert sha256(one) == sha256(other)
    assert read_sealed(whole.folder / "run.json") == read_sealed(broken.folder / "run.json")


def test_a_training_killed_in_its_last_measurement_finishes_it(
    prepared: Prepared, small: Settings, few_samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All samples are seen and saved, nothing is measured yet: a training is finished when it says so, not by a counter."""
    settings = dataclasses.replace(small, log=dataclasses.replace(small.log, watch_every=1500))
    whole, broken = _begin(tmp_path / "a", prepared, settings), _begin(tmp_path / "b", prepared, settings)
    _train(prepared, settings, whole)
    real = loop.save_best

    def killed(*args: object, **options: object) -> None:
        real(*args, **options)
        raise Killed

    for place in ("distance", "save_best"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            room = loop if place == "save_best" else inpainting
            patch.setattr(room, place, killed if place == "save_best" else lambda *_: (_ for _ in ()).throw(Killed))
            _train(prepared, settings, broken)
        assert not broken.finished
    _train(prepared, settings, broken)
    assert [line["images"] for line in read_lines(broken.metrics) if "kid" in line] == [24]
    _equal(whole, broken)


def test_a_training_ends_when_it_no_longer_gets_better(
    prepared: Prepared, small: Settings, few_samples: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _watched(small, patience=2)
    settings = dataclasses.replace(settings, train=dataclasses.replace(settings.train, images=80))
    found = iter([0.5, 0.4, 0.6, 0.45, 0.1])
    monkeypatch.setattr(inpainting, "distance", lambda watch, generator: next(found))
    run = _begin(tmp_path, prepared, settings)
    assert _train(prepared, settings, run) == 32, "0.6 and 0.45 are two in a row that are not below 0.4"
    assert read_sealed(run.folder / "run.json")["best"] == {"distance": 0.4, "images": 16, "since": 2}
    assert load_generator(run.generator).images == 16


def test_out_of_memory_halves_what_goes_through_at_once_and_keeps_the_batch(
    prepared: Prepared,
    small: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Memory for two windows at a time: from the second step on, four go through in two parts, and it is said once."""
    taken: list[tuple[int, int]] = []
    real_step = inpainting.training_step

    def short_of_memory(networks: Networks, batch: Batch, step: Step) -> Losses:
        if step.number > 0 and len(batch.base) / step.parts > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        taken.append((step.number, step.parts))
        return real_step(networks, batch, step)

    monkeypatch.setattr(inpainting, "training_step", short_of_memory)
    run = _begin(tmp_path, prepared, small)
    assert _train(prepared, small, run) == 24
    assert taken == [(0, 1), *((number, 2) for number in range(1, 6))]
    said = capsys.readouterr().err
    assert said.count("Out of memory with 4 windows of 32 px; going on with 2 at a time, same batch.") == 1


def test_out_of_memory_with_a_single_window_is_answered_with_the_batch_to_try(
    prepared: Prepared, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(networks: Networks, batch: Batch, step: Step) -> Losses:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(inpainting, "training_step", never)
    with pytest.raises(ResourceError, match="with 1 windows of 32 px at a time") as caught:
        _train(prepared, small, _begin(tmp_path, prepared, small))
    assert "--set train.batch=2" in caught.value.remedy
    assert exit_code_of(caught.value) == 5


def test_auto_batch_is_the_largest_that_a_step_has_memory_for(
    prepared: Prepared, small: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def holds_eight(networks: Networks, batch: Batch, step: Step) -> Losses:
        tried.append(len(batch.base))
        if len(batch.base) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return {}

    monkeypatch.setattr(inpainting, "training_step", holds_eight)
    monkeypatch.setattr(inpainting, "build_networks", lambda *given, **options: None)
    monkeypatch.setattr(Batch, "to", lambda self, device: self)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    build = functools.partial(_model, prepared)
    assert plan.choose_batch(build, small, torch.device("cuda"), SPEED, world=1) == 8
    assert tried == [64, 32, 16, 8]
    assert plan.choose_batch(build, small, CPU, SPEED, world=1) == 16
    assert plan.choose_batch(build, small, CPU, SPEED, world=3) == 48


def test_event_files_for_tensorboard_hold_what_the_metrics_hold(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    run = _begin(tmp_path, prepared, small)
    with pytest.raises(Killed):
        _train(prepared, small, run, kill_at=12)
    _train(prepared, small, run)
    events = EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    for name, tag in (("defect_logistic", "defect/logistic"), ("generator_paired", "generator/paired")):
        logged = [(line["images"], line[name]) for line in read_lines(run.metrics)]
        shown = [(event.step, round(event.value, 5)) for event in events.Scalars(tag)]
        assert [images for images, _ in shown] == [images for images, _ in logged] == [4, 8, 12, 16, 20, 24]
        assert [value for _, value in shown] == pytest.approx([value for _, value in logged], abs=2e-5)


def _begin_from(root: Path, prepared: Prepared, settings: Settings, weights: Path) -> Run:
    return begin_run(
        root, recipe="tiny", settings=settings, dataset=prepared.dataset, machine=MACHINE, command="", init_from=weights
    )


def test_a_run_begins_with_the_weights_of_another(
    prepared: Prepared, small: Settings, whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With learning rates near 0 its generator stays the other's; the average begins anew and is 0.9 of it after a step."""
    still = dataclasses.replace(small.train, learning_rate=1e-7, discriminator_learning_rate=1e-7, images=4)
    settings = dataclasses.replace(small, train=still)
    wanted = load_generator(whole.generator).generator.state_dict()
    state, _ = load_latest(whole.checkpoints)
    assert state is not None
    mixed = {key: 0.1 * state["average"][key] + 0.9 * state["generator"][key] for key in wanted}
    for weights, expected in ((whole.folder, mixed), (whole.generator, wanted)):
        run = _begin_from(tmp_path / weights.name, prepared, settings, weights)
        _train(prepared, settings, run)
        for key, value in load_generator(run.generator).generator.state_dict().items():
            torch.testing.assert_close(value, expected[key], atol=1e-6, rtol=0)
    assert "begins with" in capsys.readouterr().err
    fresh = _begin(tmp_path / "b", prepared, settings)
    _train(prepared, settings, fresh)
    found = load_generator(fresh.generator).generator.state_dict()
    assert any((found[key] - wanted[key]).abs().max() > 1e-3 for key in wanted)


def test_weights_of_another_model_are_taken_as_far_as_they_fit(
    prepared: Prepared, small: Settings, whole: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = dataclasses.replace(small, model=dataclasses.replace(small.model, contrast=True))  # one more input channel
    _train(prepared, told, _begin_from(tmp_path / "b", prepared, told, whole.folder))
    taken, of = re.search(r"begins with (\d+) of (\d+) weights", capsys.readouterr().err).groups()  # type: ignore[union-attr]
    assert int(of) - int(taken) == 2, "the first convolution of generator and average"
    wider = dataclasses.replace(small, model=dataclasses.replace(small.model, generator="ffc", width=4))
    with pytest.raises(DataError, match=r"No weight of .* fits this model"):
        _train(prepared, wider, _begin_from(tmp_path / "c", prepared, wider, whole.generator))


def test_a_generator_of_other_classes_gives_each_class_the_channel_of_its_name_or_the_mean(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    names = [item.name for item in prepared.dataset.classes]
    there = [DefectClass(name=name, colour=(1, 2, 3), source_id=k) for k, name in enumerate(["new", names[0], "other"])]
    with torch.random.fork_rng():
        donor = build_generator(small.model, len(there))
    save_generator(tmp_path / "donor.safetensors", donor, settings=small, classes=there, images=1)
    networks = build_networks(prepared, small, torch.device("cpu"), weights=None)
    said = init_from(networks, tmp_path / "donor.safetensors", prepared.dataset.classes)
    first = next(key for key, value in donor.state_dict().items() if value.ndim == 4)
    given = donor.state_dict()[first]
    for network in (networks.generator, networks.average):
        found = network.state_dict()[first]
        torch.testing.assert_close(found[:, :3], given[:, :3])
        torch.testing.assert_close(found[:, 3], given[:, 4], msg="the class of the same name")
        for k in range(1, len(names)):
            torch.testing.assert_close(found[:, 3 + k], given[:, 3:6].mean(dim=1))
        torch.testing.assert_close(found[:, 3 + len(names) :], given[:, 6:])
    assert (taken := re.search(r"begins with (\d+) of (\d+) weights", said))
    assert taken[1] == taken[2]


def test_the_bundled_generator_is_named_bundled(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    """Its weights are found wherever the program is installed, and a run of another place is continued."""
    assert find_weights(tmp_path, "bundled") == BUNDLED
    tiny = load_settings(recipe="tiny")
    assert bundled_fits(tiny.model)
    assert not bundled_fits(dataclasses.replace(tiny.model, width=16))
    networks = build_networks(prepared, dataclasses.replace(small, model=tiny.model), CPU, weights=None)
    assert "the bundled model" in init_from(networks, BUNDLED, prepared.dataset.classes)
    bundled = load_generator(Path(str(resources.files("coigan_aug") / "demo" / "steel.safetensors"))).generator
    for key, value in list(bundled.state_dict().items())[-3:]:
        torch.testing.assert_close(networks.average.state_dict()[key], value)


def test_a_stopped_run_that_began_with_other_weights_is_continued_by_the_same_command_only(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    run = _begin_from(tmp_path / "runs", prepared, small, other)
    found = unfinished_run(tmp_path / "runs", settings=small, dataset=prepared.dataset, init_from=other)
    assert found is not None and found.name == run.name
    assert unfinished_run(tmp_path / "runs", settings=small, dataset=prepared.dataset) is None


def test_what_a_run_begins_and_ends_with_is_read_back_and_what_is_not_known_is_passed_over(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    run = _begin(tmp_path, prepared, small)
    start = read_sealed(run.folder / "start.json")
    assert list(start) == ["program", "settings", "classes", "data", "machine", "command", "recipe"]
    assert start["machine"] == {"device": "cpu", "bfloat16": False, "threads": 1}
    write_sealed(run.folder / "start.json", start | {"of a later version": 1})
    assert to_values(run.start()) == start
    assert run.end() is None
    write_sealed(
        run.folder / "run.json", {"images": 8, "generator": "g", "best": {"distance": 0.5, "images": 4, "since": 1}}
    )
    end = run.end()
    assert end is not None
    assert (end.images, end.best) == (8, Best(0.5, 4, 1))


def test_a_run_from_before_a_setting_goes_on_where_it_has_its_default_and_not_otherwise(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    """A recipe that now sets the newer setting begins a new run; the old one, resumed, stays what it was."""
    run = _begin(tmp_path, prepared, small)
    start = run.start()
    del start.settings["train"]["share_step"]
    write_sealed(run.folder / "start.json", start)
    changed = dataclasses.replace(small, train=dataclasses.replace(small.train, share_step=False))
    assert unfinished_run(tmp_path, settings=small, dataset=prepared.dataset) == run
    assert unfinished_run(tmp_path, settings=changed, dataset=prepared.dataset) is None
    check_same(run, small, prepared.dataset)
    with pytest.raises(DataError, match=r"begun with train.share_step = True, not False"):
        check_same(run, changed, prepared.dataset)
