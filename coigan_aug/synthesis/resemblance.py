"""Copies: how near a drawn defect comes to a training object, and how near those come to each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from coigan_aug import __version__
from coigan_aug.annotations.rle import Rle, box, decode_box
from coigan_aug.errors import DataError
from coigan_aug.files import folder_lock, write_bytes
from coigan_aug.imaging import Pixels, cut_mirrored, to_rgb
from coigan_aug.log import note_kept
from coigan_aug.metrics.features import Lite0, Rows
from coigan_aug.metrics.neighbours import copy_limit, nearest
from coigan_aug.prepare.objects import SMALLEST_CROP
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.weights import read_weights, weights_bytes

METADATA = "coigan-aug insides"
FACTOR = 1.5
MOST = 1_000  # training objects of a class that are compared with
_TOGETHER = 8


@dataclass(frozen=True)
class Known:
    """The insides of the training objects of each class (by position) in Lite0's features, [n, 152].

    `limits` holds for each class how near an object must come to one of them to count as a copy: nearer than all but 1 %
    of the training objects come to one of another group; None where there are too few groups to tell.
    """

    lite0: Lite0
    rows: tuple[Rows, ...]
    limits: tuple[float | None, ...]

    def distance(self, image: Pixels, label: int, mask: Rle) -> float:
        """Return how far the inside of a mask in a picture [H, W(, 3)] is from the nearest training object's; inf: none."""
        return float(nearest(_insides(self.lite0, [(image, mask)]), self.rows[label])[0][0])


def _insides(lite0: Lite0, objects: Sequence[tuple[Pixels, Rle]]) -> Rows:
    regions = [box(mask).square(FACTOR, least=SMALLEST_CROP) for _, mask in objects]
    pixels = [to_rgb(cut_mirrored(image, region)) for (image, _), region in zip(objects, regions, strict=True)]
    masks = [decode_box(mask, region) for (_, mask), region in zip(objects, regions, strict=True)]
    return lite0.with_inside(pixels, masks)[1].cpu().numpy()


def known_objects(prepared: Prepared, *, cache_root: Path, device: torch.device, report: Report = silent) -> Known:
    """Embed the training objects, at most 1,000 of a class, evenly; kept in the workspace's cache."""
    lite0 = Lite0().to(device)
    chosen = [_spread(members) for members in prepared.by_class]
    key = [__version__, prepared.dataset.manifest["sha256"], prepared.positions, chosen, device.type]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path = cache_root / f"insides-{name}.safetensors"
    note_kept("features of the training objects", path, kept=path.exists())
    with folder_lock(cache_root / "insides", wait=True, beside=cache_root):
        try:
            kept = read_weights(path, METADATA, bare=True)[1]
        except DataError:  # not there yet, or damaged
            kept = {label: torch.from_numpy(rows) for label, rows in _embed(prepared, chosen, lite0, report).items()}
            write_bytes(path, weights_bytes(kept, METADATA, "{}"))
    rows = tuple(kept[str(label)].numpy() for label in range(len(chosen)))
    limits = tuple(_limit(prepared, own, values) for own, values in zip(chosen, rows, strict=True))
    return Known(lite0, rows, limits)


def _spread(members: Sequence[int]) -> list[int]:
    places = np.linspace(0, len(members) - 1, min(len(members), MOST)).round().astype(int)
    return [members[k] for k in np.unique(places)]


def _embed(prepared: Prepared, chosen: list[list[int]], lite0: Lite0, report: Report) -> dict[str, Rows]:
    total, done, out = sum(len(members) for members in chosen), 0, {}
    for label, members in enumerate(chosen):
        blocks = [np.zeros((0, lite0.inside_width), np.float32)]
        for start in range(0, len(members), _TOGETHER):
            items = [prepared.objects[k] for k in members[start : start + _TOGETHER]]
            blocks.append(_insides(lite0, [(prepared.dataset.image(item.position), item.full) for item in items]))
            done += len(items)
            report(done, total)
        out[str(label)] = np.concatenate(blocks)
    return out


def _limit(prepared: Prepared, members: Sequence[int], rows: Rows) -> float | None:
    records = (prepared.dataset[prepared.objects[k].position] for k in members)
    return copy_limit(rows, [record.group or record.file for record in records])
