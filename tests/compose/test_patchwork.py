"""Patchwork: nearest patches against brute force, and defects made of examples whose look is known."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug import rng as streams
from coigan_aug.annotations.masks import grow
from coigan_aug.compose.patches import (
    COMPLETE,
    HALF,
    Canvas,
    Shelf,
    copied,
    finer,
    nearest_around,
    nearest_of_all,
    voted,
)
from coigan_aug.compose.patchwork import Example, depth_of, light_of, patchwork, reach_of
from tests.prepare.scenes import ellipse, noise


def disc(side: int, radius: int) -> np.ndarray:
    return ellipse((side, side), centre=(side // 2, side // 2), axes=(radius, radius)).astype(np.uint8)


def example(change: np.ndarray, mask: np.ndarray) -> Example:
    return Example(change[..., None].astype(np.float32), mask, np.ones(mask.shape, bool))


def striped(mask: np.ndarray, *, period: int, across: bool) -> np.ndarray:
    """Stripes of 40 levels in a mask, nothing round it."""
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    return np.where(mask != 0, 40.0 * np.sign(np.sin(2 * np.pi * (x if across else y) / period + 0.1)), 0)


def drawn_in(base: np.ndarray, mask: np.ndarray, *examples: Example, seed: int = 1) -> np.ndarray:
    return patchwork(streams.generator(seed, "test"), base[..., None].astype(np.float32), mask, examples)[..., 0]


def small_search() -> tuple[np.ndarray, Canvas, Shelf]:
    """A picture, and two examples to look for its patches in; all of whole 32nds."""
    draw = streams.generator(5, "search")
    values = (draw.integers(-64, 65, (24, 20, 2)) / 32).astype(np.float32)
    picture = (draw.integers(-64, 65, (16, 16, 1)) / 32).astype(np.float32)
    allowed = np.zeros((24, 20), bool)
    allowed[3:9, 3:17], allowed[15:21, 3:15] = True, True
    depth = (draw.integers(-32, 33, (16, 16)) / 32).astype(np.float32)
    drawn = np.zeros((16, 16), bool)
    drawn[6:10, 6:10] = True
    middles = np.argwhere(grow(drawn, HALF))
    return (
        picture,
        Canvas(picture, depth, drawn, middles, 1),
        Shelf(values, np.array([0, 12]), allowed, np.argwhere(allowed)),
    )


def around(values: np.ndarray, middle: np.ndarray) -> np.ndarray:
    y, x = middle
    return values[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]


def test_the_nearest_patches_are_those_of_the_paper_s_score() -> None:
    """By a loop over all pairs: distance over (alpha + the key's least distance)."""
    picture, canvas, shelf = small_search()
    query = np.dstack([picture, canvas.depth])
    squares = [
        [float(((around(query, q) - around(shelf.values, k)) ** 2).mean()) for k in shelf.keys] for q in canvas.middles
    ]
    score = np.array(squares) / (COMPLETE + np.array(squares).min(axis=0))
    field = nearest_of_all(streams.generator(0, "search"), picture, canvas, shelf)
    chosen = [int((shelf.keys == place).all(axis=1).argmax()) for place in field]
    np.testing.assert_allclose(score[range(len(chosen)), chosen], score.min(axis=1), rtol=1e-5)


def test_looking_around_comes_nearer_and_never_takes_what_may_not_be() -> None:
    picture, canvas, shelf = small_search()
    query, draw = np.dstack([picture, canvas.depth]), streams.generator(0, "search")

    def apart(field: np.ndarray) -> np.ndarray:
        pairs = zip(canvas.middles, field, strict=True)
        return np.array([((around(query, q) - around(shelf.values, k)) ** 2).sum() for q, k in pairs])

    field = shelf.keys[draw.integers(len(shelf.keys), size=len(canvas.middles))]
    first = apart(field)
    for _ in range(30):
        better = nearest_around(draw, picture, canvas, shelf, field)
        assert shelf.allowed[better[:, 0], better[:, 1]].all()
        assert (apart(better) <= apart(field) + 1e-3).all()
        field = better
    assert apart(field).mean() < 0.8 * first.mean()


@pytest.mark.parametrize("step", [1, 2, 4])
def test_patches_of_the_picture_itself_give_it_back(step: int) -> None:
    """On a shelf that holds the picture, each patch being its own neighbour, at its size and brought to a larger one."""
    draw = streams.generator(3, "own")
    picture = draw.normal(0, 1, (40, 48, 1)).astype(np.float32)
    drawn = np.zeros((40, 48), bool)
    drawn[12:30, 11:37] = True
    middles = np.argwhere(grow(drawn, HALF))
    middles = middles[(middles % step == 0).all(axis=1)]
    allowed = np.zeros((40, 48), bool)
    allowed[HALF:-HALF, HALF:-HALF] = True
    shelf = Shelf(np.dstack([picture, picture]), np.array([0]), allowed, np.argwhere(allowed))
    canvas = Canvas(np.zeros_like(picture), picture[..., 0], drawn, middles, step)
    for made in (voted(canvas, shelf, middles), copied(canvas, shelf, middles)):
        np.testing.assert_allclose(made[drawn], picture[drawn], atol=1e-5)
        assert not made[~drawn].any()
    field = finer(draw, middles, (canvas, shelf), (canvas, shelf))
    np.testing.assert_array_equal(field, middles)


def test_stripes_of_the_example_fill_the_mask_and_nothing_lies_round_it() -> None:
    mask, source = disc(61, 17), disc(71, 22)
    base = noise(1, (61, 61), grain=2, deviation=3)
    for across in (True, False):
        made = drawn_in(base, mask, example(striped(source, period=8, across=across), source))
        inside = depth_of(mask) > 2
        steep = [np.abs(np.diff(made, axis=axis))[:60, :60][inside[:60, :60]].mean() for axis in (0, 1)]
        assert steep[across] > 5 * steep[1 - across]  # stripes, and the way they run
        assert np.abs(made[inside]).mean() > 30
        assert np.abs(base[inside]).mean() < 4
        np.testing.assert_allclose(made[grow(mask, 1) == 0], base[grow(mask, 1) == 0], atol=1e-4)


def test_an_edge_of_the_example_follows_the_mask_that_is_given() -> None:
    """A dark inside with a bright rim, from a disc, in a long mask."""
    source = disc(71, 20)
    deep = depth_of(source)
    change = np.where(deep > 3, -50.0, 60.0) * (deep > 0)
    mask = np.zeros((120, 180), np.uint8)
    mask[40:76, 40:140] = 1
    made, own = drawn_in(np.zeros(mask.shape), mask, example(change, source)), depth_of(mask)
    assert made[(own > 0) & (own < 2)].mean() > 40
    assert made[own > 5].mean() < -40


def test_the_same_seed_draws_the_same_and_another_one_another() -> None:
    mask, source = disc(51, 12), disc(61, 14)
    change = noise(2, (61, 61), grain=1, deviation=30) * source
    base = noise(3, (51, 51), grain=1, deviation=2)
    first, second, third = (drawn_in(base, mask, example(change, source), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert (first != third)[mask != 0].mean() > 0.2


def test_colour_comes_from_the_example() -> None:
    mask, source = disc(41, 8), disc(51, 10)
    change = np.stack([source * 30.0, source * -20.0, source * 0.0], axis=2).astype(np.float32)
    picked = Example(change, source, np.ones(source.shape, bool))
    made = patchwork(streams.generator(1, "test"), np.zeros((41, 41, 3), np.float32), mask, [picked])
    np.testing.assert_allclose(made[depth_of(mask) > 1].mean(axis=0), (30, -20, 0), atol=2)


def test_what_may_not_be_used_is_not() -> None:
    """Of the two halves of an example one is bright and barred."""
    source = disc(61, 14)
    change = source * -30.0
    change[:, 40:] = 90
    barred = example(change, source)
    usable = np.ones(source.shape, bool)
    usable[:, 36:] = False
    made = drawn_in(np.zeros((51, 51)), disc(51, 10), Example(barred.change, barred.mask, usable))
    assert made.max() <= 1e-3


@pytest.mark.parametrize("thickness", [1, 3, 40])
def test_masks_thinner_and_thicker_than_any_example_are_drawn(thickness: int) -> None:
    source = disc(41, 5)
    mask = np.zeros((160, 160), np.uint8)
    mask[60 : 60 + thickness, 50:110] = 1
    made = drawn_in(np.zeros(mask.shape), mask, example(source * -40.0, source))
    assert made[mask != 0].mean() < -25
    assert reach_of(mask) < 60


def test_light_goes_on_under_a_hole() -> None:
    y, x = np.mgrid[:90, :90].astype(np.float32)
    ramp = (60 + x + 0.5 * y)[..., None]
    hole = disc(90, 12) != 0
    dark = np.where(hole[..., None], 5, ramp).astype(np.float32)
    np.testing.assert_allclose(light_of(dark, hole)[20:70, 20:70], ramp[20:70, 20:70], atol=3)


def test_depth_is_measured_from_the_border_between_pixels() -> None:
    np.testing.assert_array_equal(depth_of(np.uint8([[0, 0, 1, 1, 1]])), np.float32([[-1.5, -0.5, 0.5, 1.5, 2.5]]))
    assert (depth_of(np.ones((3, 4), np.uint8)) > 0).all()
    assert (depth_of(np.zeros((3, 4), np.uint8)) < 0).all()
