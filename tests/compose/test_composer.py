"""compose is a pure function of seed and index, and a sample is what it says."""

from __future__ import annotations

import dataclasses
import multiprocessing

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.compose import composer
from coigan_aug.compose.augment import Transform
from coigan_aug.compose.composer import Stream, compose
from coigan_aug.compose.erase import erase
from coigan_aug.compose.noise import condition_channels
from coigan_aug.compose.sample import Sample
from coigan_aug.prepare.examples import defect_region
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.prepare.tiles import Window
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


def test_windows_and_their_masks_are_mirrored_alike_each_way_as_often_and_only_where_allowed(small: Settings) -> None:
    draw = np.random.default_rng(0)
    pixels, masks = draw.integers(0, 255, (4, 5, 3)), draw.integers(0, 2, (2, 4, 5))
    seen = []
    for _ in range(800):
        made = composer._mirror(draw, small, pixels, masks, masks[0])
        ways = [(y, x) for y in (1, -1) for x in (1, -1) if np.array_equal(made[0], pixels[::y, ::x])]
        assert len(ways) == 1
        (y, x) = ways[0]
        assert np.array_equal(made[1], masks[:, ::y, ::x])
        assert np.array_equal(made[2], masks[0, ::y, ::x])
        seen.append(ways[0])
    assert all(seen.count(way) / 800 == pytest.approx(0.25, abs=0.06) for way in ((1, 1), (1, -1), (-1, 1), (-1, -1)))
    fixed = dataclasses.replace(small, data=dataclasses.replace(small.data, flip=False))
    assert all(np.array_equal(composer._mirror(draw, fixed, pixels)[0], pixels) for _ in range(40))


@pytest.mark.parametrize("force", [False, True])
def test_so_many_defects_of_a_class_are_drawn_as_the_shares_say(force: bool) -> None:
    """Shares 4 : 3 : 2 : 1 of 0 to 3 defects; where there must be one, the rest keep their proportions."""
    draw = np.random.default_rng(0)
    found = [composer._how_many(draw, (0.4, 0.3, 0.2, 0.1), force=force) for _ in range(4000)]
    expected = (0, 1 / 2, 1 / 3, 1 / 6) if force else (0.4, 0.3, 0.2, 0.1)
    for count, share in enumerate(expected):
        assert found.count(count) / 4000 == pytest.approx(share, abs=0.03 if share else 0)


def test_every_class_has_its_defects_and_each_of_its_objects_comes_as_often(
    prepared: Prepared, small: Settings
) -> None:
    """Of each class 0 or 1, each in half of the samples; where the first has none, the second must have one."""
    settings = dataclasses.replace(small, data=dataclasses.replace(small.data, defects=(0.5, 0.5)))
    draw = np.random.default_rng(0)
    drawn = [
        [prepared.objects.index(item) for item, _ in composer._choose(prepared, settings, draw)] for _ in range(3000)
    ]
    sizes = [len(own) for own in drawn]
    assert sizes.count(1) / 3000 == pytest.approx(3 / 4, abs=0.04), "one alone, or the second because it must be"
    assert sizes.count(2) / 3000 == pytest.approx(1 / 4, abs=0.04)
    for members in prepared.by_class:
        counts = [sum(own.count(k) for own in drawn) for k in members]
        assert sum(counts) / sum(sizes) == pytest.approx(0.5, abs=0.04)
        assert min(counts) > 0.7 * np.mean(counts)


@pytest.mark.parametrize(("left", "top"), [(32, 20), (0, 0), (64, 40)])
@pytest.mark.parametrize("side", [32, 40, 80, 120])
def test_a_view_is_shifted_by_up_to_half_the_step_between_windows_and_stays_in_its_image(
    prepared: Prepared, small: Settings, side: int, left: int, top: int
) -> None:
    """Windows of 32 px lie 16 apart (overlap 0.5): up to 8 px either way from the same centre; images are 72 x 96.

    A view that is larger than its image has as much of it on either side.
    """
    window, more = Window(prepared.positions[0], left, top, "clean"), (side - 32) // 2
    draw = np.random.default_rng(0)
    found = [composer._jitter(prepared, window, small, draw, side) for _ in range(800)]
    for k, (start, room) in enumerate(((left - more, 96), (top - more, 72))):
        assert {region[2 + k] for region in found} == {side}
        shifted, inside = range(start - 8, start + 9), range(room - side + 1)
        nearest = [min(inside, key=lambda k, own=own: abs(k - own), default=(room - side) // 2) for own in shifted]
        assert {region[k] for region in found} == set(nearest)
        assert np.mean([region[k] for region in found]) == pytest.approx(np.mean(nearest), abs=0.8)


@pytest.mark.parametrize(("rows", "tries", "kept"), [(12, 1, True), (13, 4, False), (32, 4, False)])
def test_a_window_that_defects_cover_by_over_40_percent_has_nothing_to_erase(
    prepared: Prepared, small: Settings, monkeypatch: pytest.MonkeyPatch, rows: int, tries: int, kept: bool
) -> None:
    """12 of 32 rows are 37.5 %, 13 are 40.6 %."""
    masks, asked = np.zeros((2, 32, 32), np.uint8), []
    masks[0, :8] = masks[1, :rows] = 1

    def window(*_: object) -> tuple[np.ndarray, ...]:
        asked.append(1)
        return (
            np.zeros((32, 32, 3), np.uint8),
            masks,
            np.ones((32, 32), np.float32),
            np.ones((32, 32, 3), np.uint8),
            masks.max(0),
        )

    monkeypatch.setattr(composer, "_defect_window", window)
    found = composer._erasable(prepared, small, np.random.default_rng(0))[1]
    assert len(asked) == tries
    assert np.array_equal(found, masks if kept else 0 * masks)


@pytest.mark.parametrize("told", [False, True])
def test_a_window_comes_with_its_masks_its_contrast_and_its_erased_pixels(
    prepared: Prepared, small: Settings, told: bool
) -> None:
    """Where nothing is told the contrast is 0 everywhere; with nothing erased beforehand the pixels stand for themselves."""
    settings = dataclasses.replace(small, model=dataclasses.replace(small.model, contrast=told))
    draw = np.random.default_rng(0)
    for _ in range(6):
        position, region = defect_region(draw, prepared)
        pixels, masks, contrast, erased, hole = composer._pair(prepared, settings, draw, position, region)
        assert (pixels.shape, masks.shape, contrast.shape) == ((32, 32, 3), (2, 32, 32), (32, 32))
        assert (contrast != 0).any() == told
        assert not contrast[masks.max(axis=0) == 0].any()
        assert (erased == pixels).all()
        assert (hole == masks.max(axis=0)).all()
        ways = [(y, x) for y in (1, -1) for x in (1, -1)]
        whole = prepared.pixels(position, region)
        assert any((pixels == whole[::y, ::x]).all() for y, x in ways)


def test_a_clean_view_is_large_enough_for_the_largest_object(prepared: Prepared, small: Settings) -> None:
    """With `fit` 0.5 an object of 20 px, shown 1.5 times larger, asks for a view of 60 px: 1.875 windows."""
    views, item = dataclasses.replace(prepared, fit=0.5), prepared.objects[0]
    long, small_one = (dataclasses.replace(item, box=rle.box(rle.encode(np.ones(size)))) for size in ((20, 5), (4, 9)))
    chosen = [(small_one, Transform()), (long, Transform(scale=1.5))]
    free = [window for window in prepared.clean if window.position not in prepared.by_record]
    taken = [window for window in prepared.clean if window.position in prepared.by_record]
    for windows, zoom in ((free, 60 / 32), (taken, 1.0)):
        own = dataclasses.replace(views, clean=windows)
        for seed in range(5):
            pixels, found = composer._clean_window(own, small, np.random.default_rng(seed), chosen)
            assert pixels.shape == (32, 32, 3)
            assert found == zoom


@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_an_object_is_cut_tight_with_its_own_pixels(prepared: Prepared, zoom: float) -> None:
    for item in prepared.objects:
        pixels, mask = composer._object(prepared, item, Transform(), zoom)
        assert mask[[0, -1]].any(axis=1).all()
        assert mask[:, [0, -1]].any(axis=0).all()
        left, top, width, height = item.box
        solid = rle.decode(item.scaled)[top : top + height, left : left + width]
        if zoom == 1:
            assert np.array_equal(mask, solid)
            assert np.array_equal(pixels, prepared.pixels(item.position, item.box))
        else:
            assert all(abs(found - side / 2) <= 1.5 for found, side in zip(mask.shape, (height, width), strict=True))
            assert mask.sum() == pytest.approx(solid.sum() / 4, rel=0.6)
            real = prepared.pixels(item.position, item.box)[solid > 0].mean()
            assert pixels[mask > 0].mean() == pytest.approx(real, abs=25)


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
