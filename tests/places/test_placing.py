"""Putting masks: where they fit, round which place they are tried, and which of the tries is best, all counted slowly."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from coigan_aug.places import placing
from coigan_aug.places.placing import put
from coigan_aug.places.room import outline_points, room_of
from tests.prepare.scenes import ellipse, patch

SHAPE = (40, 60)
INNER = dataclasses.replace(
    room_of(np.ones(SHAPE, np.uint8), scale=1.0).place(np.ones((4, 4), np.uint8), left=20, top=20),
    x=0.3, y=0.6, distance=6.0, relative=0.15,
)  # fmt: skip
Wanted = type(INNER)


def _ring(height: int, width: int) -> np.ndarray:
    """A mask that is hollow: its box is larger than what it needs."""
    mask = np.ones((height, width), np.uint8)
    mask[2:-2, 2:-2] = 0
    return mask


def test_a_place_is_open_where_every_pixel_says_so() -> None:
    """Of the whole box, of the mask's outline, and of all of the mask, at every place of a spotted image."""
    allowed = np.random.default_rng(0).random(SHAPE) < 0.98
    mask = _ring(7, 9)
    shape = placing._shape(mask, allowed)
    tops, lefts = (own.ravel() for own in np.mgrid[: SHAPE[0] - 6, : SHAPE[1] - 8])
    free, outline = shape.open(lefts, tops)
    rows, columns = outline_points(mask)
    for k, (left, top) in enumerate(zip(lefts.tolist(), tops.tolist(), strict=True)):
        own = allowed[top : top + 7, left : left + 9]
        assert free[k] == own.all()
        assert outline[k] == own[rows, columns].all()
        assert shape.fits(left, top) == own[mask != 0].all()
    assert free.any()
    assert outline.sum() > free.sum()
    assert (shape.height, shape.width) == (7, 9)


def test_the_reach_is_the_box_of_all_that_is_allowed() -> None:
    allowed = patch(SHAPE, 12, 5, 20, 30) > 0
    assert placing._shape(np.ones((3, 3), np.uint8), allowed).reach == (12, 5, 20, 30)


def test_shares_are_folded_back_at_both_ends() -> None:
    shares = np.array([-0.2, 0.0, 0.4, 1.0, 1.3, -1.1, 2.2])
    assert placing._folded(shares) == pytest.approx([0.2, 0.0, 0.4, 1.0, 0.7, 0.9, 0.2])


@pytest.mark.parametrize(("first", "last", "sides"), [(True, False, {0}), (False, True, {1}), (True, True, {0, 1})])
def test_what_touches_an_edge_is_put_at_it_and_what_touches_both_at_either(
    first: bool, last: bool, sides: set[int]
) -> None:
    shares = np.linspace(0.2, 0.8, 400)
    found = placing._at_edges(np.random.default_rng(0), shares, first=first, last=last)
    assert set(found.tolist()) == sides
    assert np.mean(found) == pytest.approx({(True, True): 0.5}.get((first, last), float(last)), abs=0.1)
    assert placing._at_edges(np.random.default_rng(0), shares, first=False, last=False) is shares


def test_the_tries_are_drawn_round_the_wanted_place_in_wider_and_wider_rings_and_at_last_anywhere() -> None:
    """Of 32 tries each: one, two, four blurs as standard deviation; then 128 in the part's box, then 128 in what is allowed."""
    part = patch((400, 500), 50, 20, 400, 320)
    room, mask = room_of(part, scale=1.0), np.ones((20, 20), np.uint8)
    allowed = patch((400, 500), 100, 60, 300, 200) > 0
    shape, rounds = placing._shape(mask, allowed), []
    wanted = dataclasses.replace(INNER, x=0.5, y=0.4)
    for seed in range(60):
        rounds.append(list(placing._candidates(np.random.default_rng(seed), (0.04, 0.02), wanted, room, shape)))
    assert {len(own) for own in rounds} == {5}
    for k, spread in enumerate((1, 2, 4)):
        assert {len(own[k][0]) for own in rounds} == {32}
        x = (np.concatenate([own[k][0] for own in rounds]) - 50) / 380
        y = (np.concatenate([own[k][1] for own in rounds]) - 20) / 300
        assert (x.mean(), y.mean()) == pytest.approx((0.5, 0.4), abs=0.02)
        assert (x.std(), y.std()) == pytest.approx((0.04 * spread, 0.02 * spread), rel=0.12)
    for k, box in ((3, (50, 20, 380, 300)), (4, (100, 60, 280, 180))):
        lefts, tops = (np.concatenate([own[k][axis] for own in rounds]) for axis in (0, 1))
        assert len(lefts) == 60 * 128
        assert (lefts.min(), tops.min()) == pytest.approx(box[:2], abs=2)
        assert (lefts.max(), tops.max()) == pytest.approx((box[0] + box[2], box[1] + box[3]), abs=2)
        assert (lefts.min() >= box[0]) and (lefts.max() <= box[0] + box[2])
        assert (tops.min() >= box[1]) and (tops.max() <= box[1] + box[3])
        assert lefts.mean() == pytest.approx(box[0] + box[2] / 2, abs=6)


def _slow_best(
    mask: np.ndarray, allowed: np.ndarray, part: np.ndarray, wanted: Wanted, places: list[tuple[int, int]]
) -> list[tuple[float, ...] | None]:
    """The rank of the best place that touches as is wanted, and of the best that does not: wrong sides, then distance."""
    room, found = room_of(part, scale=1.0), {True: [], False: []}
    height, width = mask.shape
    for left, top in places:
        if not allowed[top : top + height, left : left + width][mask != 0].all():
            continue
        own = room.place(mask, left=left, top=top)
        wrong = sum(a != b for a, b in zip(own.edges, wanted.edges, strict=True))
        found[own.touches == wanted.touches].append((wrong, abs(own.distance - wanted.relative * room.short)))
    return [min(found[kind], default=None) for kind in (True, False)]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("round_", [False, True])
def test_the_best_of_some_places_is_the_best_counted_one_by_one(seed: int, round_: bool) -> None:
    draw = np.random.default_rng(seed)
    part = ellipse(SHAPE, centre=(30, 20), axes=(27, 18)).astype(np.uint8) if round_ else np.ones(SHAPE, np.uint8)
    allowed = (draw.random(SHAPE) < 0.995) & (part > 0)
    mask = _ring(6, 8)
    edges = tuple(bool(side) for side in draw.random(4) < 0.3)
    touches = any(edges)
    wanted = dataclasses.replace(INNER, relative=float(draw.uniform(0, 0.3)), edges=edges, touches=touches)
    lefts, tops = draw.integers(0, SHAPE[1] - 7, 80), draw.integers(0, SHAPE[0] - 5, 80)
    room, places = room_of(part, scale=1.0), list(zip(lefts.tolist(), tops.tolist(), strict=True))
    found = placing._best(placing._shape(mask, allowed), room, wanted, lefts, tops)
    for own, best in zip(found, _slow_best(mask, allowed, part, wanted, places), strict=True):
        assert (own is None) == (best is None)
        if own is not None and best is not None:
            assert own in places
            assert _slow_best(mask, allowed, part, wanted, [own])[found.index(own)] == pytest.approx(best)


@pytest.mark.parametrize(("left", "top"), [(45, 60), (120, 75), (95, 30), (60, 95)])
def test_a_mask_is_pushed_against_the_edge_that_is_nearest(left: int, top: int) -> None:
    """On a round part: after two steps down the depth it touches, and it went the shortest way."""
    shape = (160, 200)
    part = ellipse(shape, centre=(100, 80), axes=(80, 70)).astype(np.uint8)
    room, mask = room_of(part, scale=1.0), np.ones((9, 9), np.uint8)
    assert room.depth is not None
    before = room.place(mask, left=left, top=top)
    lefts, tops = placing._pushed(placing._shape(mask, part > 0), room, room.depth, np.array([left]), np.array([top]))
    after = room.place(mask, left=int(lefts[0]), top=int(tops[0]))
    assert before.distance > 4
    assert after.touches or after.distance < 2.5
    assert np.hypot(lefts[0] - left, tops[0] - top) == pytest.approx(before.distance, abs=3)


def test_a_mask_larger_than_the_image_is_not_put_and_one_as_large_is() -> None:
    allowed, room = np.ones((10, 12), bool), room_of(np.ones((10, 12), np.uint8), scale=1.0)
    across = dataclasses.replace(INNER, edges=(True, True, True, True), touches=True)
    for size in ((11, 12), (10, 13)):
        assert put(np.random.default_rng(0), np.ones(size, np.uint8), allowed, room, proposal=across, blur=(0.1, 0.1)) == (
            None, None,
        )  # fmt: skip
    assert put(np.random.default_rng(0), np.ones((10, 12), np.uint8), allowed, room, proposal=across, blur=(0.1, 0.1)) == (
        (0, 0), None,
    )  # fmt: skip


def test_where_only_one_place_is_allowed_it_is_found_or_none() -> None:
    """A hole of exactly the mask's size, away from all that the rings reach."""
    allowed, room = patch((200, 300), 250, 150, 9, 7) > 0, room_of(np.ones((200, 300), np.uint8), scale=1.0)
    for height, expected in ((7, ((250, 150), None)), (8, (None, None))):
        mask = np.ones((height, 9), np.uint8)
        for seed in range(5):
            draw = np.random.default_rng(seed)
            assert put(draw, mask, allowed, room, proposal=INNER, blur=(0.01, 0.01)) == expected


def test_what_touches_where_it_should_not_is_only_a_place_to_fall_back_on() -> None:
    allowed, mask = patch(SHAPE, 0, 0, 60, 5) > 0, np.ones((4, 9), np.uint8)
    room = room_of(np.ones(SHAPE, np.uint8), scale=1.0)
    exact, other = put(
        np.random.default_rng(0), np.ones((4, 9), np.uint8), allowed, room, proposal=INNER, blur=(0.02, 0.02)
    )
    assert exact is None
    assert other is not None
    assert other[1] in (0, 1)
    for x, y in itertools.product((0, 1), repeat=2):
        edges = (x == 0, y == 0, x == 1, y == 1)
        wanted = dataclasses.replace(INNER, x=float(x), y=float(y), edges=edges, touches=True)
        exact, _ = put(np.random.default_rng(0), mask, np.ones(SHAPE, bool), room, proposal=wanted, blur=(0.1, 0.1))
        assert exact == (51 * x, 36 * y)
