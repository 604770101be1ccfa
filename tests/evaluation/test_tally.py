"""A tally counts what the network says at the images' own size, piece by piece; objects and alarms by sorting their pixels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coigan_aug.annotations import rle
from coigan_aug.evaluation import tally as tallying
from coigan_aug.evaluation.tally import BINS, COARSE, REACH, Held, Tally, read_tally, rows_of, take_tally, write_tally
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.voids import void_of, write_toy_with_void

CPU = torch.device("cpu")


class _Levels(nn.Module):
    """Logits that follow the image: dark pixels are the first class, bright ones the second, by how much."""

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1, keepdim=True)
        return torch.cat((torch.zeros_like(grey), 12 * (0.35 - grey), 12 * (grey - 0.75)), dim=1)


def _held(toy: Dataset, small: Settings, cache: Path, *, scale: float, binary: bool = False) -> Held:
    data = dataclasses.replace(small.data, scale=scale)
    test, real = (load_examples(toy, toy.indices(side), data, cache_root=cache) for side in ("test", "train"))
    defective = tuple(p for p in test.positions if toy[p].annotations)
    clean = tuple(p for p in test.positions if not toy[p].annotations)
    known = tuple(p for p in real.positions if not toy[p].annotations)
    return Held(test=test, defective=defective, clean=clean, real=real, train_clean=known, binary=binary)


def _odds(examples: Examples, position: int, *, scale: float) -> np.ndarray:
    """Return the log odds of any defect and of each class at full size, by probabilities in float64: [1 + K, H, W]."""
    record = examples.dataset[position]
    pixels = np.asarray(examples.cache[position], np.float32) / 255
    pixels = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    logits = _Levels()(torch.from_numpy(pixels.transpose(2, 0, 1))[None])
    if scale != 1:
        logits = F.interpolate(logits, (record.height, record.width), mode="bilinear", align_corners=False)
    shares = logits[0].double().softmax(dim=0).numpy()
    none = shares[0]
    return np.concatenate([np.log((1 - none) / none)[None], np.log(shares[1:] / (1 - shares[1:]))])


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_tally_is_what_counting_every_pixel_gives(
    toy: Dataset, small: Settings, tmp_path: Path, scale: float
) -> None:
    held = _held(toy, small, tmp_path, scale=scale)
    found = take_tally(_Levels(), held, device=CPU)
    assert found.pieces_of.tolist() == [len(held.defective)] * 2
    for position in (*held.defective, *held.clean):
        row = found.pieces.index(toy[position].group)
        odds, masks = _odds(held.test, position, scale=scale), toy.masks(position)
        truth = np.zeros(odds.shape[1:], int)
        for k, name in reversed(list(enumerate(toy.names))):
            truth[masks.get(name, np.zeros(truth.shape)) != 0] = k + 1
        bins = np.clip(np.floor((odds + REACH) * BINS / (2 * REACH)), 0, BINS - 1).astype(int)
        expected = np.stack([np.bincount(bins[0][(truth > 0) == side], minlength=BINS) for side in (False, True)])
        _close(found.defects[row], expected)
        for k in range(2):
            own = [np.bincount(bins[k + 1][(truth == k + 1) == side], minlength=BINS) for side in (False, True)]
            _close(found.classes[row, k], np.stack(own))
        likeliest = odds[1:].argmax(axis=0)
        table = [[((truth == t) & (likeliest == k)).sum() for k in range(2)] for t in range(3)]
        assert found.named[row].sum(axis=-1).tolist() == table
        assert found.named.shape[-1] == COARSE


def _close(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare histograms up to pixels on the border of a bin, which rounding moves by one bin."""
    moved = np.abs(np.cumsum(found - expected, axis=-1))
    assert found.sum() == expected.sum()
    assert moved.max() <= 2 + 0.02 * expected.sum()


def test_objects_and_alarms_are_the_sorted_pixels(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    held = _held(toy, small, tmp_path, scale=1.0)
    found, k = take_tally(_Levels(), held, device=CPU), 0
    for position in held.defective:
        level = _odds(held.test, position, scale=1.0)[0]
        for number in held.test.by_record[position]:
            item = held.test.objects[number]
            own = sorted(level[rle.decode(item.full) != 0])
            expected = own[int(0.7 * len(own))]
            assert found.objects[k].tolist() == [found.pieces.index(toy[position].group), item.label]
            assert found.object_scores[k] == pytest.approx((expected + REACH) * BINS / (2 * REACH), abs=1)
            k += 1
    assert len(found.objects) == k
    for position, score in zip(held.clean, found.clean_scores, strict=True):
        level = np.sort(_odds(held.test, position, scale=1.0)[0].ravel())
        expected = np.clip(level[-round(0.001 * level.size)], -REACH, REACH)
        assert score == pytest.approx((expected + REACH) * BINS / (2 * REACH), abs=1)
    assert len(found.train_scores) == len(held.train_clean) > 0


def test_all_classes_count_as_one_where_asked(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    class One(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return _Levels()(x)[:, :2]

    found = take_tally(One(), _held(toy, small, tmp_path, scale=1.0, binary=True), device=CPU)
    assert found.classes.shape[1] == 1
    assert (found.classes[:, 0, 1].sum(axis=1) == found.defects[:, 1].sum(axis=1)).all()
    assert set(found.objects[:, 1]) == {0}


def test_a_tally_comes_back_from_its_file(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    found = take_tally(_Levels(), _held(toy, small, tmp_path, scale=1.0), device=CPU)
    write_tally(tmp_path / "tally.npz", found)
    again = read_tally(tmp_path / "tally.npz")
    assert again.pieces == found.pieces
    for item in dataclasses.fields(Tally):
        assert np.array_equal(getattr(again, item.name), getattr(found, item.name))
    assert (tmp_path / "tally.npz").stat().st_size < 100_000


def test_pieces_share_rows_only_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {f"p{k}": ({0} if k % 5 == 0 else {1, 0} if k % 5 == 1 else set()) for k in range(40)}
    assert sorted(rows_of(labels).values()) == list(range(40))
    monkeypatch.setattr(tallying, "MOST_PIECES", 10)
    rows = rows_of(labels)
    assert sorted(set(rows.values())) == list(range(10))
    together = [[name for name in labels if rows[name] == row] for row in range(10)]
    assert max(map(len, together)) - min(map(len, together)) <= 1
    assert sum(len({tuple(sorted(labels[name])) for name in own}) > 1 for own in together) <= 2


def test_void_pixels_are_counted_nowhere(small: Settings, tmp_path: Path) -> None:
    """They are white, so that the network calls every one of them a line."""
    dataset = write_toy_with_void(tmp_path / "set")
    held = _held(dataset, small, tmp_path, scale=1.0)
    found = take_tally(_Levels(), held, device=CPU)
    for position in (*held.defective, *held.clean):
        row = found.pieces.index(dataset[position].group)
        odds, masks, known = _odds(held.test, position, scale=1.0), dataset.masks(position), ~void_of(dataset[position])
        truth = np.zeros(known.shape, int)
        for k, name in reversed(list(enumerate(dataset.names))):
            truth[masks.get(name, np.zeros(truth.shape)) != 0] = k + 1
        bins = np.clip(np.floor((odds + REACH) * BINS / (2 * REACH)), 0, BINS - 1).astype(int)
        expected = [np.bincount(bins[0][known & ((truth > 0) == side)], minlength=BINS) for side in (False, True)]
        _close(found.defects[row], np.stack(expected))
        for k in range(2):
            own = [
                np.bincount(bins[k + 1][known & ((truth == k + 1) == side)], minlength=BINS) for side in (False, True)
            ]
            _close(found.classes[row, k], np.stack(own))
        assert found.named[row].sum() == known.sum()
    for position, score in zip(held.clean, found.clean_scores, strict=True):
        level = np.sort(_odds(held.test, position, scale=1.0)[0][~void_of(dataset[position])])
        top = np.clip(level[-round(0.001 * level.size)], -REACH, REACH)
        assert score == pytest.approx((top + REACH) * BINS / (2 * REACH), abs=1)
        assert score < BINS * 3 // 4, "the white block alone would be an alarm"
    assert found.clean.sum() == sum((~void_of(dataset[position])).sum() for position in held.clean)


def test_an_image_that_is_all_void_is_no_piece_to_alarm_on(toy: Dataset, small: Settings, tmp_path: Path) -> None:
    whole = rle.encode(np.ones((72, 96)))
    records = [dataclasses.replace(record, void=None if record.annotations else whole) for record in toy]
    dataset = write_dataset(tmp_path / "set", records, classes=toy.classes, image_root=toy.image_root, provenance={})
    held = _held(dataset, small, tmp_path, scale=1.0)
    found = take_tally(_Levels(), held, device=CPU)
    assert len(held.clean) > 0
    assert len(found.clean_pieces) == len(found.clean_scores) == len(found.train_scores) == found.clean.sum() == 0
