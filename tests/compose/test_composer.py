"""compose is a pure function of seed and index, and a sample is what it says."""

from __future__ import annotations

import dataclasses
import multiprocessing

import numpy as np
import pytest

from coigan_aug.compose import composer
from coigan_aug.compose.composer import Stream, compose
from coigan_aug.compose.erase import erase
from coigan_aug.compose.noise import condition_channels
from coigan_aug.compose.sample import Sample
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings

FIELDS = [field.name for field in dataclasses.fields(Sample)]


def _bytes(sample: Sample) -> bytes:
    return b"".join(getattr(sample, name).tobytes() for name in FIELDS)


def _compose_elsewhere(stream: Stream, answers: object) -> None:
    answers.put([_bytes(stream[k]) for k in (5, 2)])  # type: ignore[attr-defined]


def test_same_seed_and_index_give_the_same_bytes_in_any_order_and_process(prepared: Prepared, small: Settings) -> None:
    stream = Stream(prepared, small, 3)
    forward = [_bytes(stream[k]) for k in range(6)]
    backward = [_bytes(stream[k]) for k in reversed(range(6))][::-1]
    assert forward == backward
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_compose_elsewhere, args=(stream, answers))
    child.start()
    assert answers.get(timeout=60) == [forward[5], forward[2]]
    child.join()


def test_other_seeds_and_indices_give_other_samples(prepared: Prepared, small: Settings) -> None:
    made = {_bytes(compose(prepared, small, seed, index)) for seed in (1, 2) for index in range(20)}
    assert len(made) == 40


@pytest.mark.parametrize("index", range(25))
def test_a_sample_holds_together(prepared: Prepared, small: Settings, index: int) -> None:
    sample = compose(prepared, small, 1, index)
    for name in FIELDS:
        value = getattr(sample, name)
        assert value.dtype == np.float32
        assert value.shape[1:] == (32, 32) or "latent" in name
        assert value.size == 0 or (value.min() >= 0 and value.max() <= 1) or "condition" in name
    assert sample.condition.shape[0] == condition_channels(small.model, 2)
    assert sample.masks.any(), "something is always to be drawn"
    assert sample.masks.sum(axis=0).max() <= 1, "objects never overlap"
    assert set(np.unique(sample.masks)) <= {0.0, 1.0}
    outside = sample.masks.max(axis=0) == 0
    assert not sample.objects[:, outside].any(), "real objects are black outside their masks"
    untouched = sample.pair_masks.max(axis=0) == 0
    grown = np.zeros_like(untouched)
    grown[1:-1, 1:-1] = untouched[1:-1, 1:-1] & untouched[:-2, 1:-1] & untouched[2:, 1:-1] & untouched[1:-1, :-2]
    same = (sample.pair_base == sample.pair_target).all(axis=0)
    assert same[~(_dilate(~untouched))].all(), "erasing changes nothing away from the masks"


def _dilate(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1)
    return np.max([padded[y : y + mask.shape[0], x : x + mask.shape[1]] for y in range(3) for x in range(3)], axis=0)


def test_three_references_of_four_show_defects(prepared: Prepared, small: Settings) -> None:
    """Of clean images the others are, which hold none; 600 draws, four standard deviations."""
    clean = [window for window in prepared.clean if window.position not in prepared.by_record]
    pure = dataclasses.replace(prepared, clean=clean)
    draw, spread = np.random.default_rng(0), (0.75 * 0.25 / 600) ** 0.5
    shown = [composer._reference(pure, small, draw)[1].any() for _ in range(600)]
    assert np.mean(shown) == pytest.approx(0.75, abs=4 * spread)
    none = dataclasses.replace(pure, with_objects=[])
    assert not any(composer._reference(none, small, draw)[1].any() for _ in range(40))


def test_objects_are_real_pixels_of_their_class(prepared: Prepared, small: Settings) -> None:
    """In the toy data a spot is darker than its surroundings by 60 %, a line brighter by 90 levels."""
    spots, lines = [], []
    for index in range(40):
        sample = compose(prepared, small, 5, index)
        spots.append(sample.objects[0][sample.masks[0] > 0])
        lines.append(sample.objects[0][sample.masks[1] > 0])
    assert np.median(np.concatenate(spots)) < 0.3
    assert np.median(np.concatenate(lines)) > 0.7


def test_base_windows_are_free_of_defects(prepared: Prepared, small: Settings) -> None:
    """Pixels of the toy's lines are far brighter than any clean one's neighbourhood; clean images have none."""
    for index in range(40):
        base = compose(prepared, small, 6, index).base
        assert base.max() - np.median(base) < 0.3


def test_erasing_brings_a_dark_disc_back_to_its_surroundings(prepared: Prepared) -> None:
    draw = np.random.default_rng(0)
    pixels = np.clip(draw.normal(140, 6, (48, 48, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    mask = np.zeros((48, 48), np.uint8)
    mask[18:30, 20:30] = 1
    dark = np.where(mask[..., None] > 0, 40, pixels).astype(np.uint8)
    made = erase(draw, dark, mask, grow=1)
    inside = made[mask > 0].astype(float)
    assert abs(inside.mean() - 140) < 5
    assert inside.std() > 2, "it has grain, too"
    assert (made[_dilate(mask > 0) == 0] == dark[_dilate(mask > 0) == 0]).all()
