"""Merging: shares of one synthesis that were made in folders of their own become one set."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import folder_lock, inside, write_bytes
from coigan_aug.formats.names import CARD
from coigan_aug.sealed import write_sealed
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.parts import START, Shard, Start, log_of, read_log, read_start, unfinished
from coigan_aug.synthesis.run import complete


def merge(folders: Sequence[Path], out: Path, *, records: Path, dataset: Dataset) -> Made:
    """Copy the finished shares of some folders to `out`, where they are not there already, and finish it.

    Args:
        records: the folder of the Dataset that holds the records.
        dataset: what was drawn from.

    Raises:
        UsageError: a folder is no such share. DataError: they are of different syntheses, or shares are missing.
    """
    starts = [_start_of(folder) for folder in folders]
    first = starts[0]
    for folder, start in zip(folders[1:], starts[1:], strict=True):
        if start.identity != first.identity:
            names = [key for key, value in start.identity.items() if first.identity.get(key) != value]
            raise DataError(
                f"{folder} is not of the same synthesis as {folders[0]}: another {' and '.join(names)}.",
                remedy="Make all shares with the same command but for --shard and --out.",
            )
    count = first.shards
    with folder_lock(out, wait=True):
        begun = read_start(out)
        if (out / CARD).exists() or (begun and begun.identity != first.identity):
            raise UsageError(f"{out} holds another set.", remedy="Give a new folder with --out.")
        write_sealed(out / START, first)
        for folder in folders:
            if folder.resolve() != out.resolve():
                for index in range(1, count + 1):
                    _copy(folder, out, Shard(index, count))
    missing = unfinished(out, count)
    if missing:
        shares = ", ".join(f"{shard.index}/{shard.count}" for shard in missing)
        raise DataError(f"These shares are not finished: {shares}.", remedy="Make them with --shard, then merge again.")
    made = complete(out, records=records, dataset=dataset)
    assert made is not None  # every share is there
    return made


def _start_of(folder: Path) -> Start:
    if (folder / CARD).exists():
        raise UsageError(f"{folder} is finished already.", remedy="Merge the folders of --shard only.")
    start = read_start(folder)
    if start is None:
        raise UsageError(f"{folder} holds no share of a synthesis.", remedy="Make one with --shard 1/4 --out FOLDER.")
    return start


def _copy(folder: Path, out: Path, shard: Shard) -> None:
    """Copy the images of a share, then its log."""
    log = log_of(folder, shard)
    if not log.exists() or log_of(out, shard).exists():
        return
    for row in read_log(log):
        thumbnails = (item.file for item in row.rejected if item.file)
        for name in (*(image.file for image in row.made), *thumbnails):
            target = inside(out, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(inside(folder, name), target)
    write_bytes(log_of(out, shard), log.read_bytes())
