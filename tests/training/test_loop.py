"""A training that is interrupted, killed or damaged continues and ends as if nothing had happened."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pytest
import torch

from coigan_aug.checkpoint import list_states, load_generator, load_latest, save_state
from coigan_aug.errors import DataError, EnvironmentProblem, ResourceError, Stopped, exit_code_of
from coigan_aug.files import read_lines, sha256
from coigan_aug.imaging import read_image
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.loop import Speed, train
from coigan_aug.training.run import Run, begin_run, check_same, find_run, list_runs, resolve, unfinished_run

CPU = torch.device("cpu")
SPEED = Speed(bfloat16=False, threads=1)


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the training may run after it."""


def _begin(root: Path, prepared: Prepared, settings: Settings) -> Run:
    return begin_run(
        root, recipe="tiny", settings=settings, dataset=prepared.dataset, machine={}, command="coigan-aug train"
    )


def _train(prepared: Prepared, settings: Settings, run: Run, *, kill_at: int | None = None) -> int:
    def report(done: int, total: int, note: str = "") -> None:
        if kill_at is not None and done >= kill_at:
            raise Killed

    return train(prepared, settings, run, device=CPU, speed=SPEED, report=report)


def test_resume_after_a_kill_equals_the_uninterrupted_run(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    whole, broken = _begin(tmp_path / "a", prepared, small), _begin(tmp_path / "b", prepared, small)
    assert _train(prepared, small, whole) == 24
    for kill_at in (4, 12, 20):
        with pytest.raises(Killed):
            _train(prepared, small, broken, kill_at=kill_at)
        assert not broken.finished
    _train(prepared, small, broken)
    assert sha256(whole.generator) == sha256(broken.generator)
    assert list(read_lines(whole.metrics)) == list(read_lines(broken.metrics))
    assert [p.name for p in list_states(whole.checkpoints)] == [p.name for p in list_states(broken.checkpoints)]
    assert len(list_states(whole.checkpoints)) == small.log.keep


def test_a_signal_saves_stops_and_says_how_to_continue(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    whole, stopped = _begin(tmp_path / "a", prepared, small), _begin(tmp_path / "b", prepared, small)
    _train(prepared, small, whole)

    def report(done: int, total: int, note: str = "") -> None:
        if done == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="saved at 12 images") as caught:
        train(prepared, small, stopped, device=CPU, speed=SPEED, report=report)
    assert caught.value.signal_number == signal.SIGTERM
    assert "coigan-aug train --resume" in str(caught.value)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    _train(prepared, small, stopped)
    assert sha256(whole.generator) == sha256(stopped.generator)


def test_a_flipped_byte_in_a_checkpoint_is_noticed_and_the_one_before_used(
    prepared: Prepared, small: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, hurt = _begin(tmp_path / "a", prepared, small), _begin(tmp_path / "b", prepared, small)
    _train(prepared, small, whole)
    with pytest.raises(Killed):
        _train(prepared, small, hurt, kill_at=20)
    newest = list_states(hurt.checkpoints)[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(bytes(data))
    _train(prepared, small, hurt)
    assert f"checkpoint {newest.name} is damaged" in capsys.readouterr().err
    assert sha256(whole.generator) == sha256(hurt.generator)


def test_a_time_budget_ends_a_run_as_finished(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    run = _begin(tmp_path, prepared, small)
    images = train(prepared, small, run, device=CPU, speed=SPEED, report=lambda *a: None, minutes=1e-12)
    assert images == 0
    assert run.finished


def test_samples_are_pictures_with_a_row_for_each_sample(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    run = _begin(tmp_path, prepared, small)
    _train(prepared, small, run)
    pictures = sorted(run.samples.glob("*.png"))
    assert [int(picture.stem) for picture in pictures] == [16, 24]
    assert read_image(pictures[0]).shape == (8 * 192 + 48, 7 * 192, 3)


def test_the_generator_file_holds_the_average_in_eval_mode(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    run = _begin(tmp_path, prepared, small)
    _train(prepared, small, run)
    made = load_generator(run.generator)
    state, _ = load_latest(run.checkpoints)
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
    with pytest.raises(Exception, match=r"[Ww]eights"):
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


def test_out_of_memory_is_answered_with_the_batch_that_would_fit(
    prepared: Prepared, small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("coigan_aug.training.loop.training_step", full)
    with pytest.raises(ResourceError, match="Out of GPU memory at step 0 with a batch of 4 windows of 32 px") as caught:
        _train(prepared, small, _begin(tmp_path, prepared, small))
    assert "--set train.batch=2" in str(caught.value)
    assert exit_code_of(caught.value) == 5


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
