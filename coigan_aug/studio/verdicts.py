"""What a person says of synthetic images, one by one; and the set without those that were rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.sealed import read_struct, write_sealed
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.store.noted import note_images
from coigan_aug.store.writer import write_dataset
from coigan_aug.studio.keep import STUDIO
from coigan_aug.studio.sets import REAL, open_set

VERDICTS = ("accepted", "rejected", "")
SUFFIX = "-accepted"


class Verdicts(Struct, frozen=True, kw_only=True):
    """What was said of the images of a set, by file."""

    said: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A set without its rejected images: its folder, how many it has and how many were left out."""

    folder: Path
    images: int
    left_out: int


def verdicts_of(workspace: Folders, name: str) -> Mapping[str, str]:
    """Return what was said of a set's images.

    Raises:
        DataError: the file is damaged.
    """
    path = _path(workspace, name)
    return read_struct(path, Verdicts).said if path.exists() else {}


def say_verdict(workspace: Folders, name: str, position: int, verdict: str) -> Mapping[str, str]:
    """Note what is said of an image of a synthetic set; "" takes it back. Return all that was said.

    Raises:
        UsageError: there is no such set, image or verdict; or the set is real.
    """
    if name == REAL:
        raise UsageError("Images of the imported data set are not accepted or rejected here.")
    if verdict not in VERDICTS:
        raise UsageError(f"{verdict!r} is no verdict.", remedy="accepted or rejected.")
    dataset = open_set(workspace, name)
    if not 0 <= position < len(dataset):
        raise UsageError(f"There is no image {position}.")
    path = _path(workspace, name)
    with folder_lock(path.parent, wait=True):
        said = dict(verdicts_of(workspace, name))
        file = dataset[position].file
        if verdict:
            said[file] = verdict
        else:
            said.pop(file, None)
        write_sealed(path, Verdicts(said=said))
    return said


def write_accepted(workspace: Folders, name: str) -> Accepted:
    """Write a set's records without the rejected ones as a Dataset of their own; the images stay where they are.

    Raises:
        UsageError: there is no such set, or it is real. DataError: nothing is left.
    """
    if name == REAL:
        raise UsageError("Images of the imported data set are not accepted or rejected here.")
    dataset, said = open_set(workspace, name), verdicts_of(workspace, name)
    records = [record for record in dataset if said.get(record.file) != "rejected"]
    if not records:
        raise DataError(f"All images of {name} are rejected; nothing is left.")
    folder = workspace.synthetic / f"{name}{SUFFIX}"
    if (folder / MANIFEST).exists() and Dataset(folder, noted=False).manifest["provenance"].get("accepted_of") != name:
        raise UsageError(f"The workspace has a set {folder.name} from elsewhere.")
    noted = note_images(dataset.image_root / record.file for record in records)
    provenance = dict(dataset.manifest["provenance"]) | {"accepted_of": name}
    with folder_lock(folder, wait=True):
        write_dataset(
            folder, records, classes=dataset.classes, image_root=dataset.image_root, provenance=provenance, noted=noted
        )
    return Accepted(folder=folder, images=len(records), left_out=len(dataset) - len(records))


def _path(workspace: Folders, name: str) -> Path:
    return workspace.root / STUDIO / "verdicts" / f"{name}.json"
