"""Taking files of ours as they are now, after somebody changed them on purpose: their checksums are made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, parse_json, sha256, write_bytes
from coigan_aug.folders import Folders
from coigan_aug.progress import Talk
from coigan_aug.sealed import Damaged, read_sealed, write_sealed
from coigan_aug.store.dataset import CHECKSUMS, INDEX, MANIFEST, RECORDS, Dataset, record_from
from coigan_aug.store.index import scan_binary, scan_text, write_checksums, write_index
from coigan_aug.store.noted import IMAGES, changed_since, load_noted, note_images
from coigan_aug.store.packed import unpack


def accept(path: Path | None, workspace: Folders, talk: Talk, *, asked: bool) -> None:
    """Take what was changed by hand as it is now, where a person asks for it.

    Args:
        path: a Dataset's folder, or a workspace's, where it is another than this one.
    """
    if not asked:
        return
    if path is not None and (path / MANIFEST).exists():
        accept_dataset(path, talk.say)
    else:
        accept_workspace(workspace if path is None else Folders(path), talk.say)


def accept_workspace(workspace: Folders, say: Callable[[str], None]) -> None:
    """Take the data set, the synthetic sets, runs and results of a workspace as they are now, and name what had changed.

    Raises:
        DataError: something of them can't be read at all.
    """
    folders = [workspace.dataset, *(path.parent for path in sorted(workspace.synthetic.glob(f"*/{MANIFEST}")))]
    for folder in folders:
        if (folder / MANIFEST).exists():
            accept_dataset(folder, say)
    for root in (workspace.dataset, workspace.runs, workspace.results):
        for path in sorted(root.rglob("*.json")):
            _accept_document(path, say)


def accept_dataset(folder: Path, say: Callable[[str], None]) -> None:
    """Take the records, the manifest and the images of a Dataset as they are now, and name what had changed.

    Raises:
        DataError: a record can't be read; the message says which.
    """
    with folder_lock(folder, wait=True):
        _accept_document(folder / MANIFEST, say)
        manifest = read_sealed(folder / MANIFEST)
        records = folder / RECORDS
        if sha256(records) != manifest["sha256"]:
            _accept_records(folder, manifest)
            say(f"{records}: taken as it is now")
        dataset = Dataset(folder, noted=False)
        if (folder / IMAGES).is_file():
            _accept_images(folder, dataset, say)


def _accept_document(path: Path, say: Callable[[str], None]) -> None:
    try:
        read_sealed(path)
    except Damaged:
        write_sealed(path, read_sealed(path, changed=True))
        say(f"{path}: taken as it is now")


def _accept_records(folder: Path, manifest: dict[str, Any]) -> None:
    binary, path = bool(manifest.get("binary")), folder / RECORDS
    data = path.read_bytes()
    offsets = (scan_binary if binary else scan_text)(path).tolist()
    if offsets[-1] != len(data):
        raise DataError(f"{path}: record {len(offsets) - 1} is cut off.", remedy="Import the data again.")
    annotations = sum(_annotations(path, data, bounds, k, binary) for k, bounds in enumerate(pairwise(offsets)))
    write_index(folder / INDEX, offsets)
    write_checksums(folder / CHECKSUMS, [crc32(data[a:b]) for a, b in pairwise(offsets)])
    if len(offsets) - 1 != manifest["records"]:
        (folder / IMAGES).unlink(missing_ok=True)
    changed = {"records": len(offsets) - 1, "annotations": annotations, "sha256": sha256(path)}
    write_sealed(folder / MANIFEST, manifest | changed)


def _annotations(path: Path, data: bytes, bounds: tuple[int, int], position: int, binary: bool) -> int:
    part = data[slice(*bounds)]
    try:
        return len(record_from(unpack(part)[0] if binary else parse_json(part)).annotations)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: record {position} can't be read ({error}).") from error


def _accept_images(folder: Path, dataset: Dataset, say: Callable[[str], None]) -> None:
    now = note_images(_paths(dataset))
    if now == (folder / IMAGES).read_bytes():
        return
    try:
        before = load_noted(folder / IMAGES, count=len(dataset), remedy="")
    except Damaged:
        before = None
    for position, record in enumerate(dataset):
        if change := changed_since(before, position, dataset.image_root / record.file):
            say(f"{record.file}: taken as it is now ({change})")
    write_bytes(folder / IMAGES, now)


def _paths(dataset: Dataset) -> Iterator[Path]:
    return (dataset.image_root / record.file for record in dataset)
