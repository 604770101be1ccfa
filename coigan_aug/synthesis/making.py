"""Making: plan, read, draw, judge, write; the network never waits for what another thread can do meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from coigan_aug.annotations.rle import Rle, box, decode_box, is_empty
from coigan_aug.compose.erase import Erasing
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels, jpeg_coding, to_rgb, write_image
from coigan_aug.pictures import mark, surroundings
from coigan_aug.synthesis.bases import read_base
from coigan_aug.synthesis.change import effective_mask
from coigan_aug.synthesis.engines import Engine
from coigan_aug.synthesis.gan import Patch
from coigan_aug.synthesis.job import Job, base_of
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.plan import Planner
from coigan_aug.synthesis.rejected import THUMBNAILS, Rejected
from coigan_aug.synthesis.rows import LogRow, MadeRow, made_row
from coigan_aug.synthesis.screen import Finding, Screen
from coigan_aug.synthesis.tasks import Task
from coigan_aug.synthesis.void import made_void

AHEAD = 2  # chunks that are being made ready while one is drawn
THUMBNAIL = 160  # px, the longest side
SHOWN_UP_TO = 200  # of what is rejected for images of higher numbers, no thumbnail is kept
JPEG_QUALITY = 95  # where the base image is no JPEG
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Everything that an image is made with.

    Args:
        out: images go to `folder` below it, thumbnails of what is rejected beside it.
        suffix: ".png", or ".jpg" at the quality of each base image.
    """

    planner: Planner
    engine: Engine
    screen: Screen
    erasing: Erasing
    out: Path
    folder: str
    suffix: str

    def ready(self, job: Job) -> Ready:
        """Read a job's base and cut out what the network will see of it."""
        base = read_base(self.planner.prepared, base_of(job), self.erasing)
        return Ready(job, base, self.engine.cut(job, base))

    def first(self, task: Task) -> tuple[Task, list[Ready]]:
        """Make the first try at a task ready."""
        return task, [self.ready(job) for job in task.first(self.planner)]

    def file_of(self, job: Job) -> str:
        """Return where a job's image goes, relative to the output."""
        return f"{self.folder}/{job.name}{self.suffix}"

    def write(self, job: Job, image: Pixels) -> None:
        """Write a job's image."""
        coding = None
        if self.suffix == ".jpg":
            coding = jpeg_coding(self.planner.prepared.dataset.image_path(job.base))
        quality, sampling = (coding.quality, coding.sampling) if coding else (JPEG_QUALITY, "")
        write_image(self.out / self.file_of(job), image, quality=quality, sampling=sampling)


@dataclass(frozen=True)
class Ready:
    """A job with its base image, and what the network will see of it."""

    job: Job
    base: Pixels
    patches: list[Patch]


@dataclass
class Done:
    """A finished task: a row for each image that was made, for each try that was rejected, and what is missing.

    `pending` are the files that are still being written.
    """

    task: Task
    made: list[MadeRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    pending: list[Future[None]] = field(default_factory=list)

    def row(self) -> LogRow:
        """Return it as a line of the log, once every file is written."""
        for future in self.pending:
            future.result()
        made = sorted(self.made, key=lambda row: row.part)
        rejected = sorted(self.rejected, key=lambda item: (item.part, item.attempt))
        return LogRow(
            number=self.task.number, made=tuple(made), rejected=tuple(rejected), missing=tuple(sorted(self.missing))
        )


class _Here(Executor):
    """Does at once, in this thread, what it is given."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def _threads(count: int) -> Iterator[Executor]:
    if count == 0:
        yield _Here()
        return
    pool = ThreadPoolExecutor(count, thread_name_prefix="synthesize")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown(wait=True)


def make_all(maker: Maker, tasks: Iterator[Task], *, batch: int, workers: int) -> Iterator[list[Done]]:
    """Make tasks, `batch` at a time, in their order; what is made of one depends on it and the maker alone.

    Args:
        workers: threads that plan, read and write while this one draws; 0: this one does everything.
    """
    with _threads(workers) as pool:
        waiting: deque[list[Future[tuple[Task, list[Ready]]]]] = deque()
        while True:
            while len(waiting) <= (AHEAD if workers else 0) and (chunk := list(islice(tasks, batch))):
                waiting.append([pool.submit(maker.first, task) for task in chunk])
            if not waiting:
                return
            yield _draw(maker, [future.result() for future in waiting.popleft()], pool)


def _draw(maker: Maker, chunk: Sequence[tuple[Task, list[Ready]]], pool: Executor) -> list[Done]:
    """Draw the tasks of a chunk; tries that are rejected are planned and drawn anew."""
    done = {task.number: Done(task) for task, _ in chunk}
    tries = [ready for _, first in chunk for ready in first]
    while tries:
        images = maker.engine.draw(
            [ready.job for ready in tries], [ready.base for ready in tries], [ready.patches for ready in tries]
        )
        again = []
        for ready, image in zip(tries, images, strict=True):
            task = done[ready.job.number]
            rejected = _judge(maker, task, ready, image, pool)
            next_try = _again(maker, task, ready.job) if rejected else None
            again += [next_try] if next_try else []
        tries = [maker.ready(job) for job in again]
    return list(done.values())


def _judge(maker: Maker, done: Done, ready: Ready, image: Pixels, pool: Executor) -> bool:
    """Keep a picture or reject it; return whether it was rejected."""
    job, names = ready.job, maker.planner.prepared.dataset.names
    engines = [maker.engine.of(defect.label) for defect in job.defects]
    changes, finding = maker.screen.judge(job, ready.base, image, engines)
    labelled = None
    if finding is None:
        labelled = _effective(maker, ready, image)
        finding = _empty(job, labelled or ())
    if finding is not None:
        thumbnail = thumbnail_of(job) if job.number <= SHOWN_UP_TO else None
        rejected = Rejected(
            number=job.number, part=job.part, attempt=job.attempt, reason=finding.reason, label=names[finding.label],
            value=round(finding.value, 4), limit=round(finding.limit, 4), file=thumbnail,
        )  # fmt: skip
        done.rejected.append(rejected)
        if thumbnail is not None:
            done.pending.append(pool.submit(_write_thumbnail, maker, job, finding, image))
        return True
    file = maker.file_of(job)
    prepared, margin = maker.planner.prepared, margin_of(maker.planner.settings)
    void = made_void(prepared, job, engines, margin=margin)
    done.made.append(made_row(prepared, job, file=file, engines=engines, changes=changes, labelled=labelled, void=void))
    done.pending.append(pool.submit(maker.write, job, image))
    return False


def _effective(maker: Maker, ready: Ready, image: Pixels) -> list[Rle] | None:
    """Return the mask of what each defect really changed, where the annotations are to hold that and not what was planned."""
    settings, masks = maker.planner.settings, [defect.rle for defect in ready.job.defects]
    if settings.synthesize.masks == "planned":
        return None
    margin = margin_of(settings)
    return [
        effective_mask(ready.base, image, mask, masks[:k] + masks[k + 1 :], margin=margin)
        for k, mask in enumerate(masks)
    ]


def _empty(job: Job, labelled: Sequence[Rle]) -> Finding | None:
    """Find the first defect whose mask would be empty."""
    for k, mask in enumerate(labelled):
        if is_empty(mask):
            return Finding("invisible", job.defects[k].label, k, 0.0, 0.0)
    return None


def _again(maker: Maker, done: Done, job: Job) -> Job | None:
    """Plan the next try at a rejected job, with defects of the same classes; None, and noted, where there is none."""
    labels = [defect.label for defect in job.defects]
    attempts = maker.planner.settings.synthesize.attempts
    for attempt in range(job.attempt + 1, attempts):
        next_try = maker.planner.place(job.number, labels, part=job.part, attempt=attempt)
        if next_try is not None:
            return _as_given(next_try, job)
    done.missing += [maker.planner.prepared.dataset.names[label] for label in labels]
    return None


def _as_given(next_try: Job, job: Job) -> Job:
    """Give the next try at a job what a plan that somebody gave says of it: truncation, style, and latents."""
    defects = [
        defect if defect.latent else replace(defect, latent=own.latent, projected_from=own.projected_from)
        for defect, own in zip(next_try.defects, job.defects, strict=True)
    ]
    return replace(next_try, truncation=job.truncation, style=job.style, defects=tuple(defects))


def thumbnail_of(job: Job) -> str:
    """Return where the picture of a rejected try goes, relative to the output."""
    return f"{THUMBNAILS}/{job.name.removeprefix('synthetic_')}-{job.attempt}.png"


def _write_thumbnail(maker: Maker, job: Job, finding: Finding, image: Pixels) -> None:
    """Write the rejected defect close up: as it is, and beside it with its mask outlined."""
    dataset, defect = maker.planner.prepared.dataset, job.defects[finding.defect]
    rows, columns = surroundings(box(defect.rle), height=image.shape[0], width=image.shape[1])
    plain = np.ascontiguousarray(to_rgb(image[rows, columns]))
    region = Box(columns.start, rows.start, plain.shape[1], plain.shape[0])
    outlined = mark(plain, decode_box(defect.rle, region)[None], [dataset.classes[defect.label]])
    both = np.concatenate([plain, outlined], axis=1)
    shrink = THUMBNAIL / max(plain.shape[:2])
    if shrink < 1:
        size = (max(round(both.shape[1] * shrink), 1), max(round(both.shape[0] * shrink), 1))
        both = np.asarray(cv2.resize(both, size, interpolation=cv2.INTER_AREA), np.uint8)
    write_image(maker.out / thumbnail_of(job), both)
