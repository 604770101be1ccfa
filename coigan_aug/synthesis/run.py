"""synthesize: what is asked for, begun or continued, made, and finished by whoever makes the last share."""

from __future__ import annotations

import json
import platform
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import UNSET, structs

from coigan_aug import __version__
from coigan_aug.compose.erase import TELEA, Erasing
from coigan_aug.config import settings_to_dict
from coigan_aug.errors import Stopped, UsageError
from coigan_aug.files import atomic_write, folder_lock, json_line, sha256
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import CARD
from coigan_aug.progress import Report, silent
from coigan_aug.sealed import Damaged, sealed_line, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request
from coigan_aug.store.card import Card, Earlier, read_card
from coigan_aug.store.dataset import Dataset, class_to
from coigan_aug.synthesis.bases import bases_used, erased_margin
from coigan_aug.synthesis.engines import Engine
from coigan_aug.synthesis.finishing import Made, finish
from coigan_aug.synthesis.making import Done, Maker, make_all
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.parts import ALONE, PARTS, START, Shard, Start, before_log, open_log, read_start, unfinished
from coigan_aug.synthesis.plan import Planner
from coigan_aug.synthesis.rejected import read_rejected
from coigan_aug.synthesis.rows import PLAN, LogRow, read_made
from coigan_aug.synthesis.screen import Screen
from coigan_aug.synthesis.tasks import Tasks
from coigan_aug.synthesis.written import WRITTEN, remove_written

PROMISE = "Outside the masks grown by {margin:g} px every byte is the base image's."
PROMISE_EFFECTIVE = (
    "The annotated masks are what changed, to half of its strength; the planned ones, which this is about, stand in"
    " plan.jsonl."
)
PROMISE_ERASED = "An erased base is the training image but for that image's own masks, grown by {erased:g} px."
PROMISE_JPEG = "This holds before the images are encoded as JPEG."
_FREE = frozenset({PLAN, PARTS, ".lock"})  # a folder that holds no more than these is free
_OURS = (CARD, START, WRITTEN)  # one that holds any of these is a set of ours


@dataclass(frozen=True, kw_only=True)
class Request:
    """How it is written and by whom: format, images as ".png" or ".jpg", the command, which share this process makes.

    `bases` is the kind of what is drawn on, for the card. `append` adds to a finished set, `overwrite` replaces it. `with_real`
    puts the real training images beside; `line` is the other line that is drawn on, as it was named.
    """

    format: str
    command: str
    bases: str = "clean"
    overwrite: bool = False
    append: bool = False
    shard: Shard = ALONE
    suffix: str = ".png"
    with_real: bool = False
    line: str | None = None

    @property
    def folder(self) -> str:
        """Where the format's readers expect the images."""
        return format_named(self.format).image_folder


def check_free(out: Path, *, overwrite: bool, append: bool = False) -> None:
    """Refuse an output folder that holds finished work, unless told, or is none of ours.

    Raises:
        UsageError: the message names the way out.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UsageError(f"{out} is a file.", remedy="Give a new folder with --out.")
    if (out / CARD).exists() and not (overwrite or append):
        card = read_card(out / CARD)
        maker = (card.generator and card.generator.run) or card.engine
        raise UsageError(
            f"{out} already holds {card.images:,} images of {maker}.",
            remedy="--append adds to them, --overwrite replaces them; or give another --out.",
        )
    foreign = [path.name for path in sorted(out.iterdir()) if path.name not in _FREE]
    if foreign and not any((out / name).exists() for name in _OURS):
        raise UsageError(f"{out} holds other files ({foreign[0]}).", remedy="Give a new folder with --out.")


def synthesize(
    planner: Planner, engine: Engine, screen: Screen, tasks: Tasks, request: Request, *, out: Path, records: Path,
    erasing: Erasing = TELEA, report: Report = silent,
) -> Made | None:  # fmt: skip
    """Make synthetic images below `out`, their annotations, a preview and a card; keep the records as a Dataset.

    An image depends on planner, engine, screen and its task alone, so the same files come out whatever the batch,
    threads and shares. What a killed run has finished is kept; the card comes last.

    Args:
        records: the folder of the Dataset that holds the records.
        erasing: how defects are erased from images to draw on, where the request asks for such.

    Returns:
        What was made; None where other shares are not finished yet.

    Raises:
        UsageError: `out` holds other work. DataError: nothing passed the screen. Stopped: Ctrl-C or SIGTERM.
    """
    check_free(out, overwrite=request.overwrite, append=request.append)
    maker = Maker(
        planner=planner, engine=engine, screen=screen, erasing=erasing, out=out, folder=request.folder,
        suffix=request.suffix,
    )  # fmt: skip
    with folder_lock(out, wait=request.shard.count > 1):
        check_free(out, overwrite=request.overwrite, append=request.append)  # another may have finished meanwhile
        _begin(maker, tasks, request)
    with open_log(out, request.shard) as log, stop_request() as stop:
        total = sum(request.shard.has(task.number) for task in tasks)
        rejected = Counter[str]()
        report(len(log.done), total)
        missing = (task for task in tasks if request.shard.has(task.number) and task.number not in log.done)
        settings = planner.settings.synthesize
        for rows in _rows(make_all(maker, missing, batch=settings.batch, workers=settings.workers)):
            for row in rows:
                log.add(row)
                rejected.update(item.reason for item in row.rejected)
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejected.items()))
            report(len(log.done), total, f"{rejected.total():,} rejected: {reasons}" if reasons else "")
            if stop.signal_number:
                message = f"Stopped; {len(log.done):,} of {total:,} images are in {out}."
                raise Stopped(message, signal_number=stop.signal_number, remedy="Continue with the same command.")
        log.end()
    return complete(out, records=records, dataset=planner.prepared.dataset)


def complete(out: Path, *, records: Path, dataset: Dataset) -> Made | None:
    """Finish a synthesis whose shares are all made; None where some are not, or where another process did it.

    Raises:
        DataError: nothing passed the screen.
    """
    with folder_lock(out, wait=True):
        start = read_start(out)
        if start is None or unfinished(out, start.shards):
            return None
        return finish(out, start, records=records, dataset=dataset)


def _rows(chunks: Iterator[list[Done]]) -> Iterator[list[LogRow]]:
    """Turn what is done into rows, one chunk late, so that its files are written while the next one is drawn."""
    last: list[Done] = []
    for chunk in chunks:
        if last:
            yield [done.row() for done in last]
        last = chunk
    if last:
        yield [done.row() for done in last]


def _begin(maker: Maker, tasks: Tasks, request: Request) -> None:
    """Note what is being made. What the very same unfinished synthesis has made stays; other work is removed or refused."""
    out, start = maker.out, _start(maker, tasks, request)
    begun = read_start(out)
    if begun and begun.identity != start.identity and not request.overwrite:
        raise UsageError(
            f"{out} holds an unfinished synthesis with other settings.",
            remedy="--overwrite replaces it; or give another --out.",
        )
    if begun and begun.identity == start.identity:
        return
    if request.append and (out / CARD).exists():
        start = structs.replace(
            start, card=structs.replace(start.card, earlier=keep_before(out, start, form=request.format))
        )
    else:
        (out / CARD).unlink(missing_ok=True)
        remove_written(out)
        shutil.rmtree(out / PARTS, ignore_errors=True)
    write_sealed(out / START, start)
    (out / CARD).unlink(missing_ok=True)


def keep_before(out: Path, start: Start, *, form: str) -> tuple[Earlier, ...]:
    """Turn a finished set back into rows that the new ones are added to, and return what it consists of.

    Args:
        form: the format of the annotations to come.

    Raises:
        UsageError: it is of another format or other classes.
    """
    card = read_card(out / CARD)
    if card.plan_sha256 not in (None, "", sha256(out / PLAN)):
        raise Damaged(
            f"{out / PLAN} is not the plan that the set was made by.", remedy="Draw it again with --overwrite."
        )
    if card.format != form or list(card.defects) != [item["name"] for item in start.classes]:
        raise UsageError(
            f"{out} holds a set in {card.format} of the classes {', '.join(card.defects)}.",
            remedy=f"--append needs the same classes and --format {card.format}; or give another --out.",
        )
    rejected = {number: tuple(items) for number, items in groupby(read_rejected(out), key=lambda item: item.number)}
    missing = (card.screening and card.screening.missing) or {}
    with atomic_write(before_log(out)) as stream:
        stream.write(sealed_line(LogRow(number=0, missing=tuple(Counter(missing).elements()))))
        for number, made in groupby(read_made(out), key=lambda row: row.number):
            stream.write(sealed_line(LogRow(number=number, made=tuple(made), rejected=rejected.get(number, ()))))
    return *(card.earlier or ()), Earlier(command=card.command, images=card.images, engine=card.engine)


def _start(maker: Maker, tasks: Tasks, request: Request) -> Start:
    """Return what the pictures depend on, and what the card will say."""
    prepared, settings, engine = maker.planner.prepared, maker.planner.settings, maker.engine
    names, data = prepared.dataset.names, prepared.dataset.manifest["sha256"]
    identity = {
        "engine": [engine.name, {names[k]: name for k, name in sorted(engine.by_class.items())}],
        "generator": engine.about.sha256,
        "tasks": tasks.name,
        "data": data,
        "windows": maker.planner.windows,
        "bases": request.bases,
        "places": maker.planner.about(),
        "erasing": [maker.erasing.name, maker.erasing.key],
        "format": [request.format, request.suffix, request.with_real],
        "settings": drawn_by(maker.planner.settings),
        "screening": maker.screen.about(names),
        "shards": request.shard.count,
        "style": maker.planner.style and [*maker.planner.style, maker.engine.directions],
        "siblings": maker.planner.siblings.name if maker.planner.siblings else "",
        "program": __version__,
    }
    margin = margin_of(settings)
    promise = [PROMISE.format(margin=margin)]
    promise += [PROMISE_EFFECTIVE] if settings.synthesize.masks == "effective" else []
    promise += [PROMISE_ERASED.format(erased=erased_margin(prepared.scale))] if request.bases != "clean" else []
    promise += [PROMISE_JPEG] if request.suffix != ".png" else []
    card = Card(
        format=request.format,
        command=request.command,
        program=f"coigan-aug {__version__}",
        engine=engine.name,
        generator=engine.about,
        plan_sha256="",
        margin_px=margin,
        promise=" ".join(promise),
        bases=structs.replace(bases_used(prepared, request.bases, maker.erasing), line=request.line),
        places=maker.planner.about(),
        screening=maker.screen.about(names),
        data=data,
        settings=drawn_by(maker.planner.settings),
        style=dict(maker.planner.style) or UNSET,
        varied=maker.planner.siblings.about(prepared) if maker.planner.siblings else UNSET,
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
    )
    return Start(
        identity=json.loads(json_line(identity)),  # as it will be read back
        card=card,
        classes=[class_to(item) for item in prepared.dataset.classes],
        shards=request.shard.count,
        real=[prepared.dataset[k].file for k in prepared.positions] if request.with_real else None,
        erased_margin_px=erased_margin(prepared.scale),
    )


def drawn_by(settings: Settings) -> dict[str, Any]:
    """Return the settings that pictures depend on; batch and threads are none of them."""
    every = settings_to_dict(settings)
    values = {section: keys for section, keys in every.items() if section in ("data", "model")}
    free = ("batch", "workers", "synthetic_share")
    return values | {"synthesize": {key: value for key, value in every["synthesize"].items() if key not in free}}
