"""Finding and naming: every measure of the benefit test, from tallies and from how often a draw takes each piece.

D draws (row 0: every piece once), G pieces of a fold, K classes, B bins of log odds from low to high.

*Finding* asks whether there is any defect: pixel AP, IoU, objects found at a rate of alarms. *Naming* asks which: AP and IoU
class by class. AP needs no threshold; those of IoU are chosen on other pieces than they are used on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.evaluation.tally import BINS, COARSE, Counts, Tally
from coigan_aug.segmenter.scoring import iou

Scores = NDArray[np.float64]
ALARMS = (0.05, 0.10)
"""Shares of defect-free images that may be alarmed."""
_BLOCK = 32  # rows of counts whose sums stay in the processor's cache
CURVE = tuple(np.round(np.arange(0, 0.505, 0.02), 2).tolist())
"""Shares of alarmed images at which the curve is drawn."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The bins from which on a pixel is called a defect, and called each class: int64 [G] and [G, K], by piece."""

    defect: Counts
    classes: Counts


def average_precision(positive: Scores, negative: Scores) -> Scores:
    """Return the average precision of counts [..., B] by threshold, from low to high: [...]; NaN without a positive one.

    The sum over the thresholds of the precision times the gain in recall, ties taken together, as scikit-learn's
    average_precision_score has it.
    """
    rows = [counts.reshape(-1, counts.shape[-1]) for counts in (positive, negative)]
    blocks = ([counts[k : k + _BLOCK] for counts in rows] for k in range(0, len(rows[0]), _BLOCK))
    return np.concatenate([_average_precision(*block) for block in blocks]).reshape(positive.shape[:-1])


def _average_precision(positive: Scores, negative: Scores) -> Scores:
    hits, false = (np.cumsum(counts[..., ::-1], axis=-1, dtype=np.float64) for counts in (positive, negative))
    precision = hits / np.maximum(hits + false, 1e-300)
    total = hits[..., -1]
    area = (precision * positive[..., ::-1]).sum(axis=-1)
    return np.asarray(np.divide(area, total, out=np.full(np.shape(total), np.nan), where=total > 0))


def above(counts: Counts) -> Counts:
    """Return how many of counts [..., B] lie at each bin or above it."""
    return np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1]


def defect_curve(tally: Tally) -> Counts:
    """Return true positive, false positive and false negative pixels of any defect at each threshold: [G, B, 3]."""
    return _curve(tally.defects[:, 1], tally.defects[:, 0])


def class_curve(tally: Tally) -> Counts:
    """Return the same of each class: [G, K, B, 3]."""
    return _curve(tally.classes[:, :, 1], tally.classes[:, :, 0])


def _curve(positive: Counts, negative: Counts) -> Counts:
    hits, false = above(positive), above(negative)
    return np.stack([hits, false, positive.sum(axis=-1, keepdims=True) - hits], axis=-1).astype(np.int64)


def choose_thresholds(tally: Tally, others: Sequence[Tally]) -> Thresholds:
    """Choose for each piece the thresholds of the highest IoU on pieces that the segmenter was trained on or not tested with.

    Args:
        others: tallies of the same arm and seed in the other folds: their test pieces are training pieces of this one,
            and the segmenters that they show had not seen them. Without other folds the test pieces are halved: each half
            takes the thresholds of the other.
    """
    if others:
        chosen = _best([defect_curve(other) for other in others], [class_curve(other) for other in others])
        defect, classes = np.full(len(tally.pieces), chosen[0]), np.tile(chosen[1], (len(tally.pieces), 1))
        return Thresholds(defect=defect, classes=classes)
    half = halves(tally)
    defect = np.zeros(len(tally.pieces), np.int64)
    classes = np.zeros((len(tally.pieces), tally.classes.shape[1]), np.int64)
    for side in (0, 1):
        chosen = _best([defect_curve(tally)[half != side]], [class_curve(tally)[half != side]])
        defect[half == side], classes[half == side] = chosen
    return Thresholds(defect=defect, classes=classes)


def halves(tally: Tally) -> Counts:
    """Deal the pieces to two halves, 0 and 1, so that each class is in both: by turns, in order of their rarest class."""
    of_class = classes_of(tally)
    how_many = of_class.sum(axis=0)
    rarest = [min(np.flatnonzero(classes), key=lambda k: how_many[k], default=-1) for classes in of_class]
    order = sorted(range(len(rarest)), key=lambda g: (rarest[g], tally.pieces[g]))
    half = np.zeros(len(rarest), np.int64)
    half[order] = np.arange(len(order)) % 2
    return half


def classes_of(tally: Tally) -> NDArray[np.bool_]:
    """Return which classes each piece has: [G, K]."""
    return np.asarray(tally.named.sum(axis=(2, 3))[:, 1:] > 0)


def _best(defect: Sequence[Counts], classes: Sequence[Counts]) -> tuple[int, Counts]:
    total = np.sum([curve.sum(axis=0) for curve in defect], axis=0)  # [B, 3]
    each = np.sum([curve.sum(axis=0) for curve in classes], axis=0)  # [K, B, 3]
    return _peak(iou(total)), np.array([_peak(iou(counts)) for counts in each], np.int64)


def _peak(values: Scores) -> int:
    """Return the bin of the highest IoU, of several the middle one; that of even odds where nothing was there to choose by."""
    most = np.nanmax(values, initial=0)
    highest = np.flatnonzero(values == most)
    return int(highest[len(highest) // 2]) if most > 0 else BINS // 2


def at_thresholds(curve: Counts, chosen: Counts) -> Counts:
    """Return the counts of a curve [G, (K,) B, 3] at each piece's threshold [G(, K)]: [G(, K), 3]."""
    return np.take_along_axis(curve, chosen[..., None, None], axis=-2)[..., 0, :]


def alarm_threshold(scores: Counts, weights: Scores, rate: float) -> Counts:
    """Return the bin above which at most a share of defect-free images is alarmed, for each draw: [D].

    Args:
        scores: the bin up to which each image is alarmed, [C].
        weights: how often each draw takes it, [D, C].
    """
    order = np.argsort(-scores, kind="stable")
    taken = np.cumsum(weights[:, order], axis=1)
    within = taken <= rate * weights.sum(axis=1, keepdims=True) + 1e-9
    first = within.sum(axis=1)  # the images before it may be alarmed
    ordered = np.append(scores[order], -1)
    return np.asarray(ordered[first])


def objects_found(scores: Counts, weights: Scores, threshold: Counts) -> Scores:
    """Return how many objects are above a threshold, for each draw: [D].

    Args:
        scores: the bin of each object, [M].
        weights: how often each draw takes it, [D, M].
        threshold: a bin for each draw, [D].
    """
    return np.asarray((weights * (scores[None] > threshold[:, None])).sum(axis=1))


def confusion(tally: Tally, thresholds: Thresholds) -> Counts:
    """Count the pixels by true class and by what they are called at the threshold of any defect: [1 + K, 1 + K].

    The threshold is rounded down to a coarse bin, 0.19 of log odds.
    """
    coarse = thresholds.defect[:, None, None, None] // (BINS // COARSE)
    called = above(tally.named)  # [G, 1 + K, K, C]
    named = np.take_along_axis(called, coarse, axis=-1)[..., 0].sum(axis=0)  # [1 + K, K]
    every = tally.named.sum(axis=(0, 2, 3))
    return np.concatenate([(every - named.sum(axis=1))[:, None], named], axis=1).astype(np.int64)


def measure_seed(
    tallies: Sequence[Tally], thresholds: Sequence[Thresholds], weights: Sequence[Scores]
) -> dict[str, Scores]:
    """Take every measure of one arm and seed over its folds, in each draw of pieces: [D], those by class [D, K]."""
    folds = list(zip(tallies, thresholds, weights, strict=True))
    values = {
        "pixel_ap": np.nanmean([_pixel_ap(tally, taken) for tally, _, taken in folds], axis=0),
        "ap": np.nanmean([_class_ap(tally, taken) for tally, _, taken in folds], axis=0),
        "iou_any": iou(np.sum([_defect_pixels(tally, cut, taken) for tally, cut, taken in folds], axis=0)),
        "iou": iou(np.sum([_class_pixels(tally, cut, taken) for tally, cut, taken in folds], axis=0)),
    }
    for rate in ALARMS:
        name = f"found_{round(100 * rate)}"
        values[name] = _share([_found(tally, taken, rate) for tally, _, taken in folds])
    values["clean_alarms"] = _share([_alarmed(tally, cut, taken) for tally, cut, taken in folds])
    values["clean_pixels"] = _share([_false_pixels(tally, cut, taken) for tally, cut, taken in folds])
    return values


def _pixel_ap(tally: Tally, weights: Scores) -> Scores:
    negative, positive = (tally.defects[:, side].astype(np.float64) for side in (0, 1))  # [G, B]
    return average_precision(weights @ positive, weights @ negative)


def _class_ap(tally: Tally, weights: Scores) -> Scores:
    both = tally.classes.astype(np.float64)
    by_class = [average_precision(weights @ both[:, k, 1], weights @ both[:, k, 0]) for k in range(both.shape[1])]
    return np.stack(by_class, axis=1)


def _defect_pixels(tally: Tally, cut: Thresholds, weights: Scores) -> Scores:
    return np.asarray(weights @ at_thresholds(defect_curve(tally), cut.defect).astype(np.float64))


def _class_pixels(tally: Tally, cut: Thresholds, weights: Scores) -> Scores:
    counts = at_thresholds(class_curve(tally), cut.classes).astype(np.float64)
    return np.asarray(np.einsum("dg,gkc->dkc", weights, counts))


def _found(tally: Tally, weights: Scores, rate: float) -> Scores:
    """Return how many objects are found and how many there are, in each draw: [D, 2]; none without clean images to alarm."""
    if not len(tally.clean_scores):
        return np.zeros((len(weights), 2))
    threshold = alarm_threshold(tally.clean_scores, weights[:, tally.clean_pieces], rate)
    taken = weights[:, tally.objects[:, 0]]
    return np.stack([objects_found(tally.object_scores, taken, threshold), taken.sum(axis=1)], axis=1)


def _alarmed(tally: Tally, cut: Thresholds, weights: Scores) -> Scores:
    taken = weights[:, tally.clean_pieces]
    alarmed = tally.clean_scores >= cut.defect[tally.clean_pieces]
    return np.stack([taken @ alarmed.astype(float), taken.sum(axis=1)], axis=1)


def _false_pixels(tally: Tally, cut: Thresholds, weights: Scores) -> Scores:
    called = np.where(np.arange(tally.clean.shape[1]) >= cut.defect[:, None], tally.clean, 0).sum(axis=1)
    return np.stack([weights @ called.astype(float), weights @ tally.clean.sum(axis=1).astype(float)], axis=1)


def _share(parts: Sequence[Scores]) -> Scores:
    """Divide what the folds counted together: (part, whole) rows [D, 2] of each -> [D]."""
    part, whole = np.sum(parts, axis=0).T
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0))
