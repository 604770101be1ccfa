"""Several processes train as one does: the same losses and weights, one run, one end."""

from __future__ import annotations

import atexit
import dataclasses
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

from coigan_aug.cli.ending import run
from coigan_aug.compose.composer import Stream
from coigan_aug.config import load_settings
from coigan_aug.errors import EnvironmentProblem, UsageError
from coigan_aug.models.wavelet_discriminator import WaveletDiscriminator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.training.batches import Batch, batches
from coigan_aug.training.device import choose_device
from coigan_aug.training.distributed import across, joined, largest, only_first, own_rows, rank, world
from coigan_aug.training.networks import Networks, Step, build_networks, update_ema
from coigan_aug.training.place import Place, find_place
from coigan_aug.training.steps import training_step
from tests.conftest import SMALL
from tests.training.children import begin_ranks, end

CPU = torch.device("cpu")
STEPS = 2
NAMES = ("generator", "average", "defect", "reference")
CASES = {
    "patch": ("tiny", "train.r1_every=2", "train.batch=6"),
    "default": ("default", "train.r1_every=2", "train.batch=6", "train.workers=0"),
    "thesis": (
        "tiny", "train.r1_every=2", "train.batch=12", "train.smooth_l1=2", "train.path_length=1", "train.path_length_every=2",
        "train.paired=0", "train.gain=0", "train.translate=0", "model.discriminator_masks=false",
        "train.perceptual=efficientnet_lite0", "train.perceptual_weight=0.1",
    ),
    "style": (
        "tiny", "train.r1_every=2", "train.batch=6", "model.generator=style_unet", "model.blocks=2", "model.latent=8",
        "train.loss=relativistic", "train.r2=0.1", "train.mismatch=0.5",
    ),
    "projected": (
        "tiny", "train.batch=6", "train.r1_every=1", "train.r1=0", "model.reference_discriminator=projected",
        "train.loss=hinge", "train.gradient_penalty=1", "data.fit=1", "model.contrast=true",
        "train.contrast=4",
    ),
}  # fmt: skip


EXPECTED = {
    "patch": {"defect_logistic", "defect_r1", "reference_r1", "generator_adversarial", "generator_paired"},
    "default": {"defect_r1", "generator_paired"},
    "thesis": {"defect_r1", "generator_smooth_l1", "generator_perceptual", "generator_path_length"},
    "style": {"defect_r2", "defect_mismatch"},
    "projected": {"defect_gradient_penalty", "reference_hinge", "generator_contrast"},
}


def _settings(case: str) -> Settings:
    recipe, *own = CASES[case]
    return load_settings(recipe=recipe, overrides=[*SMALL, *own])


def _networks(prepared: Prepared, settings: Settings, case: str) -> Networks:
    networks = build_networks(prepared, settings, CPU, weights=None)
    if case == "thesis":  # with its own discriminator, but narrow
        torch.manual_seed(1)
        for name, channels in (("defect", 3 * prepared.classes), ("reference", 3)):
            network = WaveletDiscriminator(in_channels=channels, size=32, multiplier=1, max_channels=16)
            setattr(networks, name, network)
            setattr(networks, f"{name}_optimizer", torch.optim.AdamW(network.parameters(), lr=1e-3))
    for name in NAMES:
        getattr(networks, name).double()
    if networks.features is not None:
        networks.features.double()
    return networks


def take_steps(prepared: Prepared, case: str) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """Train a few steps in float64 as part of all processes: losses of each step, and all weights after the last."""
    settings = _settings(case)
    networks = _networks(prepared, settings, case)
    stream = Stream(prepared, settings, 7)
    source = batches(stream, start=0, batch=settings.train.batch, rank=rank(), world=world(), workers=0)
    losses = []
    for number in range(STEPS):
        batch = next(source)
        batch = Batch(*(getattr(batch, field.name).double() for field in dataclasses.fields(Batch)))
        step = Step(number, settings, torch.Generator().manual_seed(number), CPU, bfloat16=False)
        found = training_step(networks, batch, step)
        update_ema(networks.average, networks.generator, decay=0.9, step=number)
        losses.append({name: float(across(value)) for name, value in found.items()})
    weights = {f"{name} {key}": v for name in NAMES for key, v in getattr(networks, name).state_dict().items()}
    return losses, weights | {"path_mean": networks.path_mean}


def _be_one(folder: str) -> None:
    """Be one of the processes of `test_several_processes_take_the_steps_of_one`."""
    prepared = pickle.loads((Path(folder) / "prepared").read_bytes())
    with joined(find_place(os.environ), CPU):
        for case in CASES:
            made = take_steps(prepared, case)
            if rank() == 0:
                torch.save(made, Path(folder) / f"{case}.pt")


@pytest.mark.slow
def test_several_processes_take_the_steps_of_one(prepared: Prepared, tmp_path: Path) -> None:
    """Losses and weights after some steps, R1, path length and perceptual loss among them, to float64 accuracy."""
    (tmp_path / "prepared").write_bytes(pickle.dumps(prepared))
    for code, said in end(begin_ranks(_be_one, str(tmp_path), count=3, cwd=tmp_path, folder=tmp_path / "said")):
        assert code == 0, said
    for case in CASES:
        losses, weights = take_steps(prepared, case)
        other_losses, other_weights = torch.load(tmp_path / f"{case}.pt", weights_only=True)
        found = {name for step in losses for name in step}
        assert EXPECTED[case] <= found
        for mine, other in zip(losses, other_losses, strict=True):
            assert mine.keys() == other.keys()
            assert other == pytest.approx(mine, rel=1e-9, abs=1e-12), case
        for key, value in weights.items():
            torch.testing.assert_close(
                other_weights[key], value, rtol=1e-7, atol=1e-9, msg=lambda m, k=key: f"{k}: {m}"
            )


def test_who_trains_alone_needs_no_other() -> None:
    value = torch.tensor(3.0, requires_grad=True)
    assert (rank(), world()) == (0, 1)
    assert across(value) is value
    assert largest(4, 0) == (4, 0)
    assert only_first(lambda: "made") == "made"
    assert torch.equal(own_rows(3, torch.arange), torch.arange(3))
    with joined(None, CPU):
        assert world() == 1


TORCHRUN = {
    "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "a", "MASTER_PORT": "29400",
}  # fmt: skip
SLURM = {
    "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_JOB_ID": "123456", "SLURM_JOB_NODELIST": "gpu[07-08]", "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}  # fmt: skip
_OF_SLURM = Place(rank=3, world=4, local_rank=1, here=2, address="gpu07", port=12_000 + 123_456 % 20_000, slurm=True)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WORLD_SIZE": "8"}, None),
        (TORCHRUN, Place(rank=5, world=8, local_rank=1, here=4, address="a", port=29400)),
        (TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}, None),
        (SLURM, _OF_SLURM),
        ({k: v for k, v in SLURM.items() if "STEP_N" not in k}, _OF_SLURM),
        ({k: v for k, v in SLURM.items() if k != "SLURM_STEP_ID"}, None),  # a batch script, outside srun
        (SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, None),
        (SLURM | {"MASTER_ADDR": "b", "MASTER_PORT": "5000"}, dataclasses.replace(_OF_SLURM, address="b", port=5000)),
        (SLURM | {"SLURM_STEP_NODELIST": "n2,n5"}, dataclasses.replace(_OF_SLURM, address="n2")),
        (SLURM | TORCHRUN, Place(rank=5, world=8, local_rank=1, here=4, address="a", port=29400)),
    ],
)
def test_the_place_among_others_is_read_from_theenvironment(environ: dict[str, str], expected: Place | None) -> None:
    assert find_place(environ) == expected


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("n1", "n1"), ("n1,n2", "n1"), ("gpu[007-009,012],login1", "gpu007"), ("gpu[3,5]", "gpu3"),
        ("r[1-2]n[08-09]", "r1n08"), ("a-b-[01-04].cluster.org", "a-b-01.cluster.org"),
    ],
)  # fmt: skip
def test_the_first_host_of_a_node_list_is_found(nodes: str, host: str) -> None:
    assert find_place(SLURM | {"SLURM_JOB_NODELIST": nodes}).address == host  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({k: v for k, v in TORCHRUN.items() if k != "LOCAL_RANK"}, "LOCAL_RANK is not set"),
        (TORCHRUN | {"RANK": "one"}, "RANK=one is not a number"),
        (TORCHRUN | {"RANK": "8"}, "process 8 of 8"),
        (SLURM | {"SLURM_JOB_NODELIST": ","}, "names no host"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(environ: dict[str, str], says: str) -> None:
    with pytest.raises(EnvironmentProblem, match=says):
        find_place(environ)


def test_each_process_takes_the_gpu_of_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    place = Place(rank=5, world=8, local_rank=1, here=4, address="a", port=1)
    for name, gpus in ((None, None), ("cuda", None), (None, 4)):
        assert choose_device(name, gpus=gpus, place=place) == torch.device("cuda", 1)
    assert choose_device("cpu", gpus=None, place=place) == CPU
    for name, gpus in ((None, 2), ("cuda:0", None)):
        with pytest.raises(UsageError, match="process 5 of 8"):
            choose_device(name, gpus=gpus, place=place)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(EnvironmentProblem, match="needs GPU 1 of its machine, 1 found"):
        choose_device(None, gpus=None, place=place)
    assert choose_device(None, gpus=None, place=dataclasses.replace(place, slurm=True)) == torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert choose_device(None, gpus=None, place=place) == CPU


def test_more_gpus_than_there_are_are_refused_with_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(EnvironmentProblem, match="--gpus 2: 1 GPU found"):
        choose_device(None, gpus=2)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(None, gpus=2) == torch.device("cuda")


def _ends_in(what: str) -> None:
    """Be one of two processes, the other of which dies or errs too; what is registered for the exit comes last."""
    place = find_place(os.environ)
    assert place is not None

    atexit.register(lambda: print("torch cleans up", file=sys.stderr))

    def work() -> None:
        with joined(place, CPU):
            if what == "error":
                raise UsageError("A mistake in all of them.")
            if place.rank == 1:
                os._exit(9)
            across(torch.ones(1))

    sys.exit(run(work))


@pytest.mark.parametrize("what", ["error", "death"])
def test_processes_that_end_by_an_error_leave_before_anything_cleans_up(tmp_path: Path, what: str) -> None:
    """Where peers are gone, torch's clean-up at exit may wait for them or abort: it must not begin."""
    ends = end(begin_ranks(_ends_in, what, count=2, cwd=tmp_path, folder=tmp_path / "said"), within=60)
    expected = [(2, "A mistake"), (2, "Training process 1")] if what == "error" else [(4, "has died"), (9, "")]
    for (code, said), (wanted, words) in zip(ends, expected, strict=True):
        assert (code, words in said) == (wanted, True), said
        assert "torch cleans up" not in said
