"""An open studio: the workspace, the worker that owns the models, and what each request does there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from coigan_aug.annotations.rle import Mask
from coigan_aug.folders import Folders
from coigan_aug.imaging import Pixels
from coigan_aug.progress import SILENT, Talk
from coigan_aug.studio.command import command_of
from coigan_aug.studio.judge import Judge
from coigan_aug.studio.keep import Kept, keep
from coigan_aug.studio.model import Model, changed_boxes, draw_job, load_model, plan_job
from coigan_aug.studio.steered import find_source, say_source, steered
from coigan_aug.studio.wire import Painted, box_values, join_message, unpack_layers
from coigan_aug.studio.worker import Worker
from coigan_aug.synthesis.change import measure_change
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.projecting import Projection
from coigan_aug.training.run import find_run

_HELD = 2  # models in memory


@dataclass
class Session:
    """What a studio holds in memory. `models` are by the names of their runs, the last used one last.

    `last` is what was drawn last. Only the worker's thread draws and loads.
    """

    workspace: Folders
    command: str
    worker: Worker = field(default_factory=lambda: Worker(begin=_one_thread))
    models: dict[str, Model] = field(default_factory=dict)
    judges: dict[str, Judge] = field(default_factory=dict)
    last: tuple[Model, Job, Pixels] | None = None
    sources: dict[tuple[str, int], Projection] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self, name: str | None, *, talk: Talk = SILENT) -> Model:
        """Return a run's model, loaded where it is not; in the worker's thread, or before there is any request."""
        run = name if name in self.models else find_run(self.workspace.runs, name).name
        with self._lock:
            model = self.models.pop(run, None) or load_model(self.workspace, run, talk)
            self.models[run] = model
            self.judges.setdefault(run, Judge(self.workspace, model))
            for old in list(self.models)[:-_HELD]:
                del self.models[old]
                self.judges.pop(old).close()
        return model

    def close(self) -> None:
        """End the worker's thread, and those that load."""
        for judge in self.judges.values():
            judge.close()
        self.worker.close()

    def current(self) -> Model:
        """Return the model that was used last."""
        return next(reversed(self.models.values()))

    def draw(self, asked: Painted, bits: memoryview) -> bytes:
        """Draw what is painted with each seed: a message of boxes, and of each picture's pixels in these."""
        model, job = self._planned(asked, unpack_layers(asked.layers, bits))
        boxes = changed_boxes(model, job)
        pictures = [self._picture(model, self._steered(model, job, asked, seed)) for seed in reversed(asked.seeds)][
            ::-1
        ]
        parts = [np.ascontiguousarray(image[box.slices]).tobytes() for image in pictures for box in boxes]
        head = {
            "seeds": list(asked.seeds),
            "boxes": [box_values(box) for box in boxes],
            "channels": 1 if pictures[0].ndim == 2 else 3,
            "defects": len(job.defects),
        }
        return join_message(head, parts)

    def judge(self, asked: Painted, bits: memoryview) -> Callable[[], dict[str, Any]]:
        """Draw what is painted, and return what judges it: to be called in another thread."""
        model, job, image = self._drawn(asked, bits)
        judge = self.judges[model.run.name]
        judge.begin()
        return lambda: judge.judge(job, image)

    def keep(self, asked: Painted, bits: memoryview) -> Callable[[], Kept]:
        """Draw what is painted, and return what keeps it in a set: to be called in another thread."""
        model, job, image = self._drawn(asked, bits)
        base, masks = model.surface(job.base), [defect.rle for defect in job.defects]
        changes = [
            measure_change(base, image, mask, masks[:k] + masks[k + 1 :], margin=model.margin)
            for k, mask in enumerate(masks)
        ]
        return lambda: keep(self.workspace, model, job, image, changes, name=asked.into, command=self.command)

    def project(self, number: int) -> dict[str, Any]:
        """Find the latent that redraws a training object, and say how near it comes."""
        model = self.current()
        return say_source(model, number, self._source(model, number))

    def copy_command(self, asked: Painted, bits: memoryview) -> str:
        """Return the command that draws the same pixels."""
        return command_of(self.workspace, *self._first(asked, bits))

    def _planned(self, asked: Painted, masks: Sequence[Mask]) -> tuple[Model, Job]:
        model = self.load(asked.run)
        job = plan_job(
            model,
            asked.base,
            asked.layers,
            masks,
            seed=asked.seeds[0],
            truncation=asked.truncation if model.latent else 1,
        )
        return model, job

    def _steered(self, model: Model, job: Job, asked: Painted, seed: int) -> Job:
        return steered(model, job, asked, lambda number: self._source(model, number), seed=seed)

    def _source(self, model: Model, number: int) -> Projection:
        key = (model.generator.sha256, number)
        if key not in self.sources:
            self.sources[key] = find_source(self.workspace, model, number)
        return self.sources[key]

    def _first(self, asked: Painted, bits: memoryview) -> tuple[Model, Job]:
        """Return the model and the job of the first seed."""
        model, job = self._planned(asked, unpack_layers(asked.layers, bits))
        return model, self._steered(model, job, asked, asked.seeds[0])

    def _drawn(self, asked: Painted, bits: memoryview) -> tuple[Model, Job, Pixels]:
        model, job = self._first(asked, bits)
        return model, job, self._picture(model, job)

    def _picture(self, model: Model, job: Job) -> Pixels:
        """Return a job's picture: the one that was drawn last, where it is that, since it is judged and kept after that."""
        if self.last is None or self.last[0] is not model or self.last[1] != job:
            self.last = (model, job, draw_job(model, job))
        return self.last[2]


def _one_thread() -> None:
    """Compute with one thread, as every command does: the last bits depend on it."""
    if not torch.cuda.device_count():
        torch.set_num_threads(1)
