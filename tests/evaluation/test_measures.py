"""Finding and naming: every measure against scikit-learn, a double loop, or pixels counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix

from coigan_aug.evaluation.measures import (
    BINS,
    Thresholds,
    alarm_threshold,
    at_thresholds,
    average_precision,
    choose_thresholds,
    class_curve,
    confusion,
    defect_curve,
    halves,
    measure_seed,
    objects_found,
)
from coigan_aug.evaluation.tally import COARSE, REACH, Tally

CLASSES = 3


def _histograms(values: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count positive and negative values at every value that there is, from low to high."""
    levels = np.unique(values)
    place = np.searchsorted(levels, values)
    return tuple(np.bincount(place[truth == side], minlength=len(levels)) for side in (1, 0))


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_scikit_learns_on_random_scores_and_on_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = (rng.random(4000) < 0.07).astype(int)
    for values in (rng.normal(truth, 1.0), rng.integers(0, 9, 4000).astype(float)):
        found = average_precision(*_histograms(values, truth))
        assert found == pytest.approx(average_precision_score(truth, values), abs=1e-6)


def test_bins_of_log_odds_cost_average_precision_less_than_a_tenth_of_a_point() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(200_000) < 0.01).astype(int)
    values = rng.normal(3 * truth - 4, 1.5)
    steps = np.clip(np.floor((values + REACH) * (BINS / (2 * REACH))), 0, BINS - 1).astype(int)
    binned = [np.bincount(steps[truth == side], minlength=BINS) for side in (1, 0)]
    assert average_precision(*binned) == pytest.approx(average_precision_score(truth, values), abs=1e-3)


def test_average_precision_without_a_positive_pixel_is_none() -> None:
    found = average_precision(np.zeros((2, 4)), np.array([[1.0, 2, 3, 4]] * 2))
    assert np.isnan(found).all()


def _random_tally(seed: int, *, pieces: int = 6, pixels: int = 400) -> tuple[Tally, list[np.ndarray]]:
    """Make up pixels of some pieces: rows (true class, likeliest class, bin of any defect, a bin for each class)."""
    rng = np.random.default_rng(seed)
    rows, defects, classes, named, clean = [], [], [], [], []
    for piece in range(pieces):
        truth = rng.integers(0, CLASSES + 1, pixels) * (rng.random(pixels) < 0.4)
        if piece == pieces - 1:
            truth[:] = 0  # a piece without a defect
        likeliest = np.where(rng.random(pixels) < 0.6, np.maximum(truth - 1, 0), rng.integers(0, CLASSES, pixels))
        level = np.clip(rng.normal(np.where(truth > 0, 300, 220), 60), 0, BINS - 1).astype(int)
        odds = np.stack(
            [np.clip(rng.normal(np.where(truth == k + 1, 290, 200), 70), 0, BINS - 1) for k in range(CLASSES)]
        )
        odds = odds.astype(int)
        rows.append(np.column_stack([truth, likeliest, level, *odds]))
        own = np.zeros((1 + CLASSES, CLASSES, COARSE), np.int64)
        np.add.at(own, (truth, likeliest, level // (BINS // COARSE)), 1)
        named.append(own)
        any_defect = np.zeros((2, BINS), np.int64)
        np.add.at(any_defect, ((truth > 0).astype(int), level), 1)
        defects.append(any_defect)
        each = np.zeros((CLASSES, 2, BINS), np.int64)
        for k in range(CLASSES):
            np.add.at(each, (k, (truth == k + 1).astype(int), odds[k]), 1)
        classes.append(each)
        clean.append(np.bincount(level[truth == 0], minlength=BINS) * (piece == pieces - 1))
    scores = rng.integers(150, 400, 40)
    tally = Tally(
        pieces=tuple(f"piece {k}" for k in range(pieces)),
        pieces_of=np.full(CLASSES, pieces - 1),
        defects=np.stack(defects),
        named=np.stack(named),
        classes=np.stack(classes),
        clean=np.stack(clean),
        objects=np.column_stack([rng.integers(0, pieces - 1, 40), rng.integers(0, CLASSES, 40)]),
        object_scores=scores,
        clean_pieces=rng.integers(0, pieces, 30),
        clean_scores=rng.integers(100, 380, 30),
        train_scores=rng.integers(100, 380, 30),
    )
    return tally, rows


def test_counts_at_a_threshold_are_those_of_the_pixels_themselves() -> None:
    tally, rows = _random_tally(1)
    chosen = np.full((len(rows), CLASSES), 260)
    whole = at_thresholds(defect_curve(tally), chosen[:, 0])
    each = at_thresholds(class_curve(tally), chosen)
    for piece, own in enumerate(rows):
        truth, called = own[:, 0] > 0, own[:, 2] >= 260
        assert whole[piece].tolist() == [(truth & called).sum(), (~truth & called).sum(), (truth & ~called).sum()]
        for k in range(CLASSES):
            truth, called = own[:, 0] == k + 1, own[:, 3 + k] >= 260
            assert each[piece, k].tolist() == [(truth & called).sum(), (~truth & called).sum(), (truth & ~called).sum()]


def test_the_confusion_is_scikit_learns_of_the_pixels_called_a_defect() -> None:
    tally, rows = _random_tally(2)
    chosen = np.arange(240, 240 + 16 * len(rows), 16)
    thresholds = Thresholds(defect=chosen, classes=np.zeros((len(rows), CLASSES), np.int64))
    truth = np.concatenate([own[:, 0] for own in rows])
    called = np.concatenate(
        [np.where(own[:, 2] >= cut, own[:, 1] + 1, 0) for own, cut in zip(rows, chosen, strict=True)]
    )
    np.testing.assert_array_equal(
        confusion(tally, thresholds), confusion_matrix(truth, called, labels=range(CLASSES + 1))
    )


def _iou(truth: np.ndarray, called: np.ndarray) -> float:
    return (truth & called).sum() / max((truth | called).sum(), 1)


def test_thresholds_come_from_the_other_folds_and_never_from_the_fold_itself() -> None:
    tally, _ = _random_tally(3)
    other, rows = _random_tally(4)
    pixels = np.concatenate(rows)
    found = choose_thresholds(tally, [other])
    assert len(set(found.defect.tolist())) == 1
    chosen = _iou(pixels[:, 0] > 0, pixels[:, 2] >= found.defect[0])
    assert chosen == max(_iou(pixels[:, 0] > 0, pixels[:, 2] >= cut) for cut in range(BINS))
    assert [_iou(pixels[:, 0] == k + 1, pixels[:, 3 + k] >= found.classes[0, k]) for k in range(CLASSES)] == [
        max(_iou(pixels[:, 0] == k + 1, pixels[:, 3 + k] >= cut) for cut in range(BINS)) for k in range(CLASSES)
    ]


def test_without_folds_each_half_of_the_pieces_takes_the_threshold_of_the_other() -> None:
    tally, rows = _random_tally(5, pieces=7)
    half, found = halves(tally), choose_thresholds(tally, [])
    assert 3 <= half.sum() <= 4
    for side in (0, 1):
        pixels = np.concatenate([own for own, where in zip(rows, half, strict=True) if where != side])
        (cut,) = set(found.defect[half == side].tolist())
        best = max(_iou(pixels[:, 0] > 0, pixels[:, 2] >= other) for other in range(BINS))
        assert _iou(pixels[:, 0] > 0, pixels[:, 2] >= cut) == best


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1, 0.37, 1.0])
def test_objects_found_and_alarms_are_those_of_a_double_loop(rate: float) -> None:
    tally, _ = _random_tally(6)
    rng = np.random.default_rng(7)
    draws = rng.integers(0, 3, (12, len(tally.pieces))).astype(float)
    draws[0] = 1
    clean, own = draws[:, tally.clean_pieces], draws[:, tally.objects[:, 0]]
    thresholds = alarm_threshold(tally.clean_scores, clean, rate)
    found = objects_found(tally.object_scores, own, thresholds)
    for d in range(len(draws)):
        images = [s for s, w in zip(tally.clean_scores, clean[d], strict=True) for _ in range(int(w))]
        allowed = []
        for cut in (-1, *sorted(set(tally.clean_scores.tolist()))):  # the lowest cut that alarms few enough
            if sum(score > cut for score in images) <= rate * len(images) + 1e-9:
                allowed.append(cut)
        objects = [s for s, w in zip(tally.object_scores, own[d], strict=True) for _ in range(int(w))]
        assert sum(s > thresholds[d] for s in images) <= rate * len(images) + 1e-9
        assert found[d] == sum(score > allowed[0] for score in objects)


def _repeated(tally: Tally, times: np.ndarray) -> Tally:
    """Return a tally in which each piece is there so many times."""
    rows = np.repeat(np.arange(len(times)), times)

    def again(pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which rows of what belongs to pieces are taken, and the new piece of each."""
        pairs = [(k, new) for new, old in enumerate(rows) for k in np.flatnonzero(pieces == old)]
        taken, new = np.array(pairs, np.int64).reshape(-1, 2).T
        return taken, new

    objects, of_object = again(tally.objects[:, 0])
    clean, of_clean = again(tally.clean_pieces)
    return Tally(
        pieces=tuple(f"{tally.pieces[old]} {new}" for new, old in enumerate(rows)),
        pieces_of=tally.pieces_of,
        defects=tally.defects[rows],
        classes=tally.classes[rows],
        named=tally.named[rows],
        clean=tally.clean[rows],
        objects=np.column_stack([of_object, tally.objects[objects, 1]]),
        object_scores=tally.object_scores[objects],
        clean_pieces=of_clean,
        clean_scores=tally.clean_scores[clean],
        train_scores=tally.train_scores,
    )


def test_every_measure_of_a_draw_is_that_of_its_pieces_repeated() -> None:
    """Two folds; what a draw weights is what one would get from a test set that holds its pieces that often."""
    tallies = [_random_tally(seed)[0] for seed in (11, 12)]
    cuts = [choose_thresholds(tally, [other]) for tally, other in zip(tallies, tallies[::-1], strict=True)]
    weights = [np.random.default_rng(k).integers(0, 3, (5, 6)) + (np.arange(6) == 5) for k in (0, 1)]
    found = measure_seed(tallies, cuts, [own.astype(float) for own in weights])
    for d in range(5):
        again = [_repeated(tally, own[d]) for tally, own in zip(tallies, weights, strict=True)]
        rows = [np.repeat(np.arange(6), own[d]) for own in weights]
        same = [
            Thresholds(defect=cut.defect[own], classes=cut.classes[own]) for cut, own in zip(cuts, rows, strict=True)
        ]
        once = measure_seed(again, same, [np.ones((1, len(own))) for own in rows])
        for name, values in found.items():
            np.testing.assert_allclose(values[d], once[name][0], err_msg=name)
