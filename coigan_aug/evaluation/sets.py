"""The three sets that are compared: synthetic, train and test; what they are, and what must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from coigan_aug.errors import DataError
from coigan_aug.evaluation.crops import find_instances, with_objects
from coigan_aug.evaluation.embedding import PictureSet
from coigan_aug.store.card import Card
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import origin_of

_BACK = "Put the images back, or import again with: coigan-aug import"
_AGAIN = "Make them again with: coigan-aug synthesize --overwrite"


def picture_sets(real: Dataset, synthetic: Dataset, *, min_area: int) -> dict[str, PictureSet]:
    """Return the images that hold objects, and the objects of `min_area` px or more, as "synthetic", "train" and "test".

    Defect-free images are left out: synthetic images all hold defects, so with them the sets would differ by that alone.

    Raises:
        DataError: other classes, a set without images or objects, or an image that is not there.
    """
    check_classes(real, synthetic)
    return {
        "synthetic": _picture_set("synthetic", synthetic, range(len(synthetic)), min_area=min_area),
        "train": _picture_set("train", real, real.indices("train"), min_area=min_area),
        "test": _picture_set("test", real, real.indices("test"), min_area=min_area),
    }


def _picture_set(name: str, dataset: Dataset, candidates: Sequence[int], *, min_area: int) -> PictureSet:
    check_set(name, dataset, candidates)
    positions = with_objects(dataset, candidates)
    instances = find_instances(dataset, positions, min_area=min_area)
    if not instances:
        raise DataError(
            f"The {name} images of {dataset.folder} hold no objects of {min_area} px or more.",
            remedy="Count smaller ones with --set data.min_area=1, or import again with another --seed.",
        )
    return PictureSet(name=name, dataset=dataset, positions=positions, instances=instances)


def check_classes(real: Dataset, synthetic: Dataset) -> None:
    """Refuse a synthetic set of other classes than the data set's.

    Raises:
        DataError: names both.
    """
    if synthetic.names != real.names:
        raise DataError(
            f"The synthetic set {synthetic.folder.name} has the classes {', '.join(synthetic.names)}; the data set has"
            f" {', '.join(real.names)}.",
            remedy="Name another one with --synthetic, or make one with: coigan-aug synthesize",
        )


def check_set(name: str, dataset: Dataset, positions: Sequence[int]) -> None:
    """Refuse a set ("synthetic", "train" or "test") that has no images, or lacks the file of one, before any work.

    Raises:
        DataError: says what is missing and what to type.
    """
    if not positions:
        remedy = _AGAIN if name == "synthetic" else "Import it again with --split 0.8."
        raise DataError(f"{dataset.folder} has no {name} images to compare.", remedy=remedy)
    missing = [path for path in map(dataset.image_path, positions) if not path.exists()]
    if missing:
        others = f" ({len(missing):,} of {len(positions):,} are missing)" if len(missing) > 1 else ""
        raise DataError(f"{missing[0]} is not there{others}.", remedy=_AGAIN if name == "synthetic" else _BACK)


def shows_parts(synthetic: Dataset, real: Dataset) -> bool:
    """Return whether synthetic images show parts of their base images only (windows)."""
    sizes = {record.file: (record.height, record.width) for record in real}
    made = ((record, origin_of(record)) for record in synthetic)
    return any(
        (record.height, record.width) != sizes[origin.base]
        for record, origin in made
        if origin is not None and origin.base in sizes
    )


def measured_on(real: Dataset, synthetic: Dataset, card: Card) -> dict[str, Any]:
    """Return which data were measured, with their checksums, as JSON values."""
    return {
        "dataset": {"folder": str(real.folder), "sha256": real.manifest["sha256"], "images": len(real)},
        "synthetic": {
            "name": synthetic.folder.name,
            "folder": str(synthetic.folder),
            "images_in": str(synthetic.image_root),
            "sha256": synthetic.manifest["sha256"],
            "images": len(synthetic),
            "made_by": card.command,
            "generator": msgspec.to_builtins(card.generator),
        },
    }


def set_warnings(real: Dataset, synthetic: Dataset, card: Card) -> list[str]:
    """Say what about the sets themselves makes figures doubtful."""
    warnings = []
    if card.data not in (None, real.manifest["sha256"]):
        warnings.append(
            "The synthetic set was made from another state of the data set: what is test now may have been train then."
        )
    if shows_parts(synthetic, real):
        warnings.append("The synthetic set holds windows: whole images are not compared.")
    if card.margin_px is None:
        warnings.append("No card.json says the synthetic set's margin: seams are not measured.")
    return warnings
