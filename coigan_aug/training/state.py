"""What a training writes to go on from and to draw with, and how it goes on."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

from coigan_aug.checkpoint import State, load_latest, save_generator, save_state
from coigan_aug.errors import DataError, memory_ran_out
from coigan_aug.files import write_bytes
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import say
from coigan_aug.sealed import sealed_line
from coigan_aug.settings import Settings
from coigan_aug.training.distributed import only_first, rank
from coigan_aug.training.networks import Networks
from coigan_aug.training.run import Best, Run, read_metrics

NETWORKS = ("generator", "average", "defect", "reference")
_PARTS = (*NETWORKS, "generator_optimizer", "defect_optimizer", "reference_optimizer")


class Progress(NamedTuple):
    """How far a training is: the samples seen, those seen when it was last measured, and the best measurement."""

    images: int = 0
    measured: int = 0
    best: Best = Best()


def save_training(networks: Networks, prepared: Prepared, settings: Settings, run: Run, progress: Progress) -> None:
    """Write the state to go on from, and the averaged generator: beside the best one where there is one."""
    if rank() > 0:
        return
    state: State = {name: getattr(networks, name).state_dict() for name in _PARTS}
    state |= progress._asdict() | {"best": asdict(progress.best), "path_mean": networks.path_mean}
    save_state(run.checkpoints, state, images=progress.images, measured=progress.measured, keep=settings.log.keep)
    path, classes = run.last if progress.best.images else run.generator, prepared.dataset.classes
    save_generator(path, networks.average, settings=settings, classes=classes, images=progress.images)


def save_best(networks: Networks, prepared: Prepared, settings: Settings, run: Run, *, images: int) -> None:
    """Write the averaged generator as the one to draw with."""
    if rank() == 0:
        classes = prepared.dataset.classes
        save_generator(run.generator, networks.average, settings=settings, classes=classes, images=images)


def resume_together(networks: Networks, run: Run) -> Progress:
    """Load the newest whole state in all processes and cut the metrics back to it; return how far the training is."""
    progress = only_first(lambda: _resume(networks, run))
    images = progress.images
    if rank() == 0:
        ends = {True: progress.measured, False: images}
        kept = [line for line in read_metrics(run) if line["images"] <= ends["kid" in line]]
        write_bytes(run.metrics, b"".join(sealed_line(line) for line in kept))
    elif (here := _resume(networks, run).images) != images:
        raise DataError(
            f"{run.folder} is at {images:,} images in process 0 and at {here:,} here.",
            remedy="The workspace must be one folder that all machines share.",
        )
    return progress


def _resume(networks: Networks, run: Run) -> Progress:
    """Load the newest whole state; the beginning where there is none."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    state, damaged = load_latest(run.checkpoints)
    for name in damaged:
        say(f"checkpoint {name} is damaged; using the one before it", quiet=rank() > 0)
    if state is None:
        return Progress()
    try:
        for name in _PARTS:
            getattr(networks, name).load_state_dict(state[name])
        networks.path_mean = state["path_mean"].to(networks.path_mean.device)
        progress = Progress(int(state["images"]), int(state.get("measured", 0)), Best(**state["best"]))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        if memory_ran_out(error):
            raise
        raise DataError(
            f"The checkpoint in {run.checkpoints} does not fit this model: {error}",
            remedy="Start a new run with: coigan-aug train   (--init-from RUN begins with the weights that fit)",
        ) from error
    say(f"continuing {run.name} at {progress.images:,} images", quiet=rank() > 0)
    return progress
