"""Applying: a labelled set becomes one in another line's look, image by image, and goes on where it was killed."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import UNSET

from coigan_aug.errors import Stopped, UsageError
from coigan_aug.files import append_lines, remove_left
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import write_image
from coigan_aug.progress import Report, silent
from coigan_aug.sealed import append_line, read_sealed, read_structs, write_sealed
from coigan_aug.signals import stop_request
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.translation.engine import Engine, restyle
from coigan_aug.translation.judging import Finding, Judge, TranslatedRow

START = "translation.json"
"""What is being made, as long as it is not finished."""
LOG = "translated.jsonl"
"""A line for each image: its file, the reference whose look it has, what was measured of its defects, what was rejected."""
AHEAD = 2  # images for each thread that are being made while earlier ones are noted
_AGAIN = "Translate the set again with --overwrite."


@dataclass(frozen=True, kw_only=True)
class Work:
    """What is translated, with what, and whither: images go to `files[position]` below `out`.

    `attempts` are tries at an image, each with another reference; an engine that draws none has one.
    """

    dataset: Dataset
    engine: Engine
    judge: Judge
    out: Path
    files: Mapping[int, str]
    seed: int
    attempts: int = 1

    def make(self, position: int) -> TranslatedRow:
        """Translate an image and write it, unless a defect got lost in every try; its pixels depend on no other image."""
        record, image = self.dataset[position], self.dataset.stored(position)
        rejected: list[Finding] = []
        for attempt in range(self.attempts if self.engine.draws else 1):
            index = position + attempt * len(self.dataset)
            made = restyle(self.engine, image, index=index, seed=self.seed)
            looks = self.judge.look(image, made, record)
            finding = self.judge.first(looks, attempt=attempt)
            if finding is None:
                write_image(self.out / self.files[position], made)
                return TranslatedRow(
                    position=position, file=self.files[position], attempt=attempt, objects=looks,
                    reference=self.engine.reference(index=index, seed=self.seed), rejected=tuple(rejected),
                )  # fmt: skip
            rejected.append(finding)
        return TranslatedRow(position=position, rejected=tuple(rejected))


def place_files(dataset: Dataset, positions: Sequence[int]) -> dict[int, str]:
    """Name the new file of each image, below the folder of images: its own name as PNG; where two would be one, all of it.

    Grey and colours are kept exactly in a PNG, whatever the image was.
    """
    plain = {position: str(PurePosixPath(dataset[position].file).with_suffix(".png")) for position in positions}
    often = Counter(plain.values())
    return {
        position: name if often[name] == 1 else f"{dataset[position].file.replace('.', '_')}.png"
        for position, name in plain.items()
    }


def check_free(out: Path, identity: Mapping[str, Any], *, overwrite: bool) -> None:
    """Refuse an output folder that holds finished work, unless told, another translation's begun work, or other files.

    Raises:
        UsageError: the message names the way out.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file.", remedy="Give a new folder with --out.")
    ours = (out / START).exists() or (out / LOG).exists()
    foreign = [path.name for path in sorted(out.iterdir()) if path.name != ".lock"]
    if foreign and not ours:
        raise UsageError(f"{out} holds other files ({foreign[0]}).", remedy="Give a new folder with --out.")
    if overwrite:
        return
    if (out / CARD).exists():
        card = read_card(out / CARD)
        what = f"{out} already holds {card.images:,} images translated by {card.engine}."
        raise UsageError(what, remedy="--overwrite replaces them; or give another --out.")
    if ours and (out / START).exists() and read_sealed(out / START, remedy=_AGAIN) != identity:
        what = f"{out} was begun with another set, engine or other options."
        raise UsageError(what, remedy="Continue with the same command, or replace it with --overwrite.")


def translate_all(
    work: Work, identity: Mapping[str, Any], *, workers: int, report: Report = silent
) -> list[TranslatedRow]:
    """Translate the images that are not there yet; the rows of all of them come back, in the order of positions.

    Args:
        identity: what the pictures depend on, as JSON values; kept until the set is finished.
        workers: threads; no byte depends on them.

    Raises:
        Stopped: Ctrl-C or SIGTERM; what is finished is kept.
    """
    remove_left(work.out)
    if not (work.out / START).exists():
        write_sealed(work.out / START, dict(identity))
    with append_lines(work.out / LOG) as log, stop_request() as stop:
        rows = {row.position: row for row in read_rows(work.out) if row.position in work.files and _is_there(work, row)}
        missing = [position for position in work.files if position not in rows]
        report(len(rows), len(work.files))
        for row in _made(work, missing, workers):
            append_line(log, row)
            rows[row.position] = row
            lost = sum(len(item.rejected) for item in rows.values())
            report(len(rows), len(work.files), f"{lost:,} tries rejected" if lost else "")
            if stop.signal_number:
                message = f"Stopped; {len(rows):,} of {len(work.files):,} images are in {work.out}."
                raise Stopped(message, signal_number=stop.signal_number, remedy="Continue with the same command.")
    return [rows[position] for position in sorted(rows)]


def read_rows(out: Path) -> Iterator[TranslatedRow]:
    """Return the rows of a set, finished or not.

    Raises:
        Damaged: a line is not as it was written.
    """
    return read_structs(out / LOG, TranslatedRow, remedy=_AGAIN)


def _is_there(work: Work, row: TranslatedRow) -> bool:
    return row.file is UNSET or (work.out / row.file).is_file()


def _made(work: Work, positions: Sequence[int], workers: int) -> Iterator[TranslatedRow]:
    """Make images in threads and yield their rows in order."""
    if workers < 1:
        yield from map(work.make, positions)
        return
    waiting: deque[Future[TranslatedRow]] = deque()
    coming = iter(positions)
    with ThreadPoolExecutor(workers, thread_name_prefix="translate") as pool:
        try:
            while True:
                while len(waiting) < AHEAD * workers and (position := next(coming, None)) is not None:
                    waiting.append(pool.submit(work.make, position))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
