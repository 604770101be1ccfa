"""What a segmenter says of held-out images, counted so that every score can be taken from it: by piece and by threshold."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.files import atomic_write
from coigan_aug.imaging import to_rgb
from coigan_aug.prepare.examples import Examples
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.sealed import Damaged
from coigan_aug.store.dataset import Dataset

BINS, COARSE = 2048, 128
REACH = 12.0  # log odds: 6e-6 and 1 - 6e-6; what lies beyond counts in the first and last bin
MOST_PIECES = 250  # rows of a tally: more would not make an interval truer
QUANTILE = 0.7  # of an object's pixels, from below: an object is found where the other 30 % are above the threshold
ALARMING = 0.001
"""Share of an image's pixels that must be above a threshold to alarm: a speck or a single pixel does not stop a line. The
median blowhole of the magnetic tiles, the smallest of the known classes, covers 0.14 % of its image."""
Counts = NDArray[np.signedinteger[Any]]
Known = NDArray[np.bool_] | EllipsisType


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What one segmenter says of the test images of a fold. B = BINS log odds from low to high, K classes, G pieces.

    `pieces` names the pieces; of more than MOST_PIECES several share a row, and `pieces_of` counts those of each class.
    `defects` counts pixels by the log odds that they are of any defect, those of none and those of some: [G, 2, B]. `classes`
    counts them by the log odds of each class, other pixels and the class's own: [G, K, 2, B]. `named` counts them by true
    class (0: none), likeliest class and COARSE bins of any defect: [G, 1 + K, K, C]. `clean` counts the pixels of
    defect-free images as `defects` does: [G, B].
    `objects` are rows (piece, class) of those that are no specks (data.min_area), `object_scores` the bin that 30 % of its
    pixels reach. `clean_pieces` and
    `clean_scores`: the piece of each defect-free image, and the bin that 0.1 % of its pixels reach; `train_scores`: the same
    of defect-free training images.
    """

    pieces: tuple[str, ...]
    pieces_of: Counts
    defects: Counts
    classes: Counts
    named: Counts
    clean: Counts
    objects: Counts
    object_scores: Counts
    clean_pieces: Counts
    clean_scores: Counts
    train_scores: Counts


@dataclass(frozen=True, kw_only=True)
class Held:
    """The test images of a fold: those with a defect and those without, and some defect-free training images."""

    test: Examples
    defective: tuple[int, ...]
    clean: tuple[int, ...]
    real: Examples
    train_clean: tuple[int, ...]
    binary: bool = False


@torch.no_grad()
def take_tally(network: nn.Module, held: Held, *, device: torch.device) -> Tally:
    """Look at the held-out images with a segmenter in eval mode, each in one piece, and count at the images' own size.

    Void pixels take part in nothing, and an image that is all void neither.
    """
    classes = 1 if held.binary else held.test.classes
    dataset = held.test.dataset
    labels: dict[str, set[int]] = defaultdict(set)
    for position in (*held.defective, *held.clean):
        present = {0 if held.binary else dataset.names.index(item.label) for item in dataset[position].annotations}
        labels[piece_of(dataset, position)] |= present
    place = rows_of(labels)
    pieces = {row: name for name, row in reversed(place.items())}  # the first of a row stands for it
    counted = {k for members in held.test.by_class for k in members}
    rows = 1 + max(place.values())
    defects, clean = np.zeros((rows, 2, BINS), np.int32), np.zeros((rows, BINS), np.int32)
    by_class = np.zeros((rows, classes, 2, BINS), np.int32)
    named = np.zeros((rows, 1 + classes, classes, COARSE), np.int32)
    objects, object_scores, clean_pieces, clean_scores = [], [], [], []
    for position in (*held.defective, *held.clean):
        whole, known = look(network, held.test, position, device=device), known_pixels(dataset[position])
        looked, truth = whole.at(known), truth_of(held.test, position, binary=held.binary)[known]
        piece = place[piece_of(dataset, position)]
        defects[piece] += counted_by(truth > 0, looked.defect)
        by_class[piece] += np.stack([counted_by(truth == k + 1, odds) for k, odds in enumerate(looked.odds)])
        named[piece] += looked.named(truth)
        if position in held.test.by_record:
            for item in (held.test.objects[k] for k in held.test.by_record[position] if k in counted):
                objects.append((piece, 0 if held.binary else item.label))
                object_scores.append(object_score(whole.defect, item))
        elif truth.size:
            clean[piece] += np.bincount(looked.defect.ravel(), minlength=BINS)
            clean_pieces.append(piece)
            clean_scores.append(alarm_score(looked.defect))
    seen = (look(network, held.real, p, device=device).at(known_pixels(held.real.dataset[p])) for p in held.train_clean)
    train = [alarm_score(looked.defect) for looked in seen if looked.defect.size]
    return Tally(
        pieces=tuple(pieces[row] for row in range(rows)),
        pieces_of=np.array([sum(k in present for present in labels.values()) for k in range(classes)]),
        defects=defects,
        classes=by_class,
        named=named,
        clean=clean,
        objects=np.array(objects, np.int64).reshape(-1, 2),
        object_scores=np.array(object_scores, np.int64),
        clean_pieces=np.array(clean_pieces, np.int64),
        clean_scores=np.array(clean_scores, np.int64),
        train_scores=np.array(train, np.int64),
    )


def rows_of(labels: Mapping[str, Set[int]]) -> dict[str, int]:
    """Deal pieces to rows, at most MOST_PIECES: one each, or several of the same rarest class and of their neighbours.

    Args:
        labels: the classes of each piece.
    """
    count = Counter(label for present in labels.values() for label in present)
    order = sorted(labels, key=lambda name: (min(labels[name], key=lambda k: (count[k], k), default=-1), name))
    rows = min(len(order), MOST_PIECES)
    return {name: k * rows // len(order) for k, name in enumerate(order)}


def piece_of(dataset: Dataset, position: int) -> str:
    """Return the piece that an image shows: its group, or itself."""
    record = dataset[position]
    return record.group or record.file


@dataclass(frozen=True)
class Looked:
    """What a segmenter says of an image: bins of the log odds of any defect [H, W] and of each class [K, H, W], and the
    likeliest class [H, W].
    """

    defect: Counts
    odds: Counts
    likeliest: Counts

    def at(self, known: Known) -> Looked:
        """Return what is said of the pixels that are known: [N], [K, N], [N], or of all of them as it is."""
        return Looked(self.defect[known], self.odds[:, known], self.likeliest[known])

    def named(self, truth: Counts) -> Counts:
        """Count the pixels by true class, likeliest class and coarse bin of any defect: [1 + K, K, C]."""
        shape = (1 + len(self.odds), len(self.odds), COARSE)
        flat = (truth * shape[1] + self.likeliest) * COARSE + self.defect // (BINS // COARSE)
        return np.bincount(flat.ravel(), minlength=int(np.prod(shape))).reshape(shape)


def known_pixels(record: ImageRecord) -> Known:
    """Return what takes the pixels of a record's image that are not void out of an array [H, W]."""
    return ... if record.void is None else np.asarray(rle.decode(record.void) == 0)


def counted_by(truth: NDArray[np.bool_], bins: Counts) -> Counts:
    """Count pixels by whether they are true, and bin: [2, B]."""
    return np.bincount((truth * BINS + bins).ravel(), minlength=2 * BINS).reshape(2, BINS)


def look(network: nn.Module, examples: Examples, position: int, *, device: torch.device) -> Looked:
    """Look at an image at the examples' scale, and enlarge what the network says to the image's own size."""
    record, image = examples.dataset[position], to_rgb(np.asarray(examples.cache[position]))
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).to(device)
    logits = network(pixels[None].float() / 255).float()
    if logits.shape[-2:] != (record.height, record.width):
        logits = F.interpolate(logits, (record.height, record.width), mode="bilinear", align_corners=False)
    background, others = logits[0, :1], logits[0, 1:]
    defect = others.logsumexp(dim=0) - background[0]
    odds = torch.stack([logits[0, k] - _rest(logits[0], k) for k in range(1, len(logits[0]))])
    return Looked(_binned(defect), _binned(odds), others.argmax(dim=0).cpu().numpy())


def _rest(logits: Tensor, k: int) -> Tensor:
    """Return the logarithm of what is left for all classes but one: logits [1 + K, H, W] -> [H, W]."""
    return torch.cat((logits[:k], logits[k + 1 :])).logsumexp(dim=0)


def _binned(odds: Tensor) -> Counts:
    """Return the bin of each of some log odds, 0 .. BINS - 1."""
    steps = ((odds + REACH) * (BINS / (2 * REACH))).floor().clamp(0, BINS - 1)
    return np.asarray(steps.to(torch.int64).cpu().numpy())


def truth_of(examples: Examples, position: int, *, binary: bool = False) -> Counts:
    """Return the true class of each full-size pixel, 0 where there is none; where masks overlap the first class counts."""
    record = examples.dataset[position]
    truth = np.zeros((record.height, record.width), np.int64)
    objects = [examples.objects[k] for k in examples.by_record.get(position, ())]
    for item in sorted(objects, key=lambda item: -item.label):
        truth[rle.decode(item.full) != 0] = 1 if binary else item.label + 1
    return truth


def object_score(defect: Counts, item: DefectObject) -> int:
    """Return the bin that the upper 30 % of an object's pixels reach in an image's bins of any defect [H, W]."""
    bins = np.sort(defect[rle.decode(item.full) != 0])
    return int(bins[min(int(QUANTILE * len(bins)), len(bins) - 1)])


def alarm_score(defect: Counts) -> int:
    """Return the bin that enough of an image's pixels reach to alarm: defect [H, W] or [N] holds their bins of any defect."""
    enough = max(round(ALARMING * defect.size), 1)
    return int(np.partition(defect.ravel(), -enough)[-enough])


def write_tally(path: Path, tally: Tally) -> None:
    """Keep a tally in a file, small: almost all counts are 0."""
    counts = {item.name: getattr(tally, item.name).astype(np.int32) for item in fields(tally) if item.name != "pieces"}
    with atomic_write(path) as stream:
        np.savez_compressed(stream, allow_pickle=False, pieces=np.array(tally.pieces), **counts)


_UNREADABLE = (
    ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile, zlib.error,
    NotImplementedError,  # of the zip library, where a flipped bit names a compression that there is not
)  # fmt: skip


def read_tally(path: Path) -> Tally:
    """Read what `write_tally` kept.

    Raises:
        Damaged: it is not as it was written.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:  # compared with its checksums as it is unpacked
            values = {name: arrays[name] for name in arrays.files}
        pieces: Sequence[str] = values.pop("pieces").tolist()
        return Tally(pieces=tuple(pieces), **values)
    except _UNREADABLE as error:
        raise Damaged(f"{path} is damaged ({error}).", remedy="Delete it; that training is done again.") from error
