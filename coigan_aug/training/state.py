"""What a training writes to go on from and to draw with, and how it goes on."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

from coigan_aug.checkpoint import load_latest, save_state
from coigan_aug.errors import DataError, memory_ran_out
from coigan_aug.files import write_bytes
from coigan_aug.progress import say
from coigan_aug.sealed import sealed_line
from coigan_aug.training.distributed import only_first, rank
from coigan_aug.training.run import Best, Run, read_metrics
from coigan_aug.training.trainable import B, Trainable


class Progress(NamedTuple):
    """How far a training is: the samples seen, those seen when it was last measured, and the best measurement."""

    images: int = 0
    measured: int = 0
    best: Best = Best()


def save_training(model: Trainable[B], run: Run, progress: Progress, *, keep: int) -> None:
    """Write the state to go on from, and the averaged network: beside the best one where there is one."""
    if rank() > 0:
        return
    state = model.state() | progress._asdict() | {"best": asdict(progress.best)}
    save_state(run.checkpoints, state, images=progress.images, measured=progress.measured, keep=keep)
    model.save(run.last if progress.best.images else run.generator, images=progress.images)


def save_best(model: Trainable[B], run: Run, *, images: int) -> None:
    """Write the averaged network as the one to work with."""
    if rank() == 0:
        model.save(run.generator, images=images)


def resume_together(model: Trainable[B], run: Run) -> Progress:
    """Load the newest whole state in all processes and cut the metrics back to it; return how far the training is."""
    progress = only_first(lambda: _resume(model, run))
    images = progress.images
    if rank() == 0:
        ends = {True: progress.measured, False: images}
        kept = [line for line in read_metrics(run) if line["images"] <= ends["kid" in line]]
        write_bytes(run.metrics, b"".join(sealed_line(line) for line in kept))
    elif (here := _resume(model, run).images) != images:
        raise DataError(
            f"{run.folder} is at {images:,} images in process 0 and at {here:,} here.",
            remedy="The workspace must be one folder that all machines share.",
        )
    return progress


def _resume(model: Trainable[B], run: Run) -> Progress:
    """Load the newest whole state; the beginning where there is none."""
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    state, damaged = load_latest(run.checkpoints)
    for name in damaged:
        say(f"checkpoint {name} is damaged; using the one before it", quiet=rank() > 0)
    if state is None:
        return Progress()
    try:
        model.load(state)
        progress = Progress(int(state["images"]), int(state.get("measured", 0)), Best(**state["best"]))
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        if memory_ran_out(error):
            raise
        raise DataError(
            f"The checkpoint in {run.checkpoints} does not fit this model: {error}",
            remedy=f"Start a new run with: {model.command}   (--init-from RUN begins with the weights that fit)",
        ) from error
    say(f"continuing {run.name} at {progress.images:,} images", quiet=rank() > 0)
    return progress
