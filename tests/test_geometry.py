"""Boxes against brute force: every method against the same done to masks of pixels."""

from __future__ import annotations

import doctest
import json
import pickle

import numpy as np
import pytest

from coigan_aug import geometry
from coigan_aug.annotations import rle
from coigan_aug.geometry import Box

ROOM = 45  # the canvas that boxes are painted on reaches that far beyond an image on every side
SHAPE = (17, 23)
RNG = np.random.default_rng(0)
BOXES = [Box(*RNG.integers((-12, -12), 30, 2).tolist(), *RNG.integers(1, (30, 24), 2).tolist()) for _ in range(120)]
PAIRS = list(zip(BOXES, BOXES[1:] + BOXES[:1], strict=True))


def painted(box: Box) -> np.ndarray:
    """Paint a box on the canvas, pixel by pixel."""
    canvas = np.zeros((SHAPE[0] + 2 * ROOM, SHAPE[1] + 2 * ROOM), bool)
    for y in range(box.top, box.top + box.height):
        for x in range(box.left, box.left + box.width):
            canvas[y + ROOM, x + ROOM] = True
    return canvas


def box_of(canvas: np.ndarray) -> Box:
    """Return the box of the pixels on the canvas."""
    rows, columns = np.nonzero(canvas)
    left, top = columns.min(), rows.min()
    return Box(int(left) - ROOM, int(top) - ROOM, int(columns.max() - left) + 1, int(rows.max() - top) + 1)


IMAGE = painted(Box(0, 0, SHAPE[1], SHAPE[0]))


def test_the_examples_are_right() -> None:
    result = doctest.testmod(geometry)
    assert result.attempted > 10
    assert not result.failed


def test_a_box_is_a_plain_tuple_to_whoever_compares_or_writes_it() -> None:
    box = Box(1, 2, 3, 4)
    assert box == (1, 2, 3, 4)
    assert hash(box) == hash((1, 2, 3, 4))
    assert json.dumps({"box": box}) == json.dumps({"box": (1, 2, 3, 4)})
    assert pickle.loads(pickle.dumps(box)) == box
    assert isinstance(rle.box(rle.encode(np.eye(3))), Box)


@pytest.mark.parametrize("box", BOXES[:40])
def test_sides_are_those_of_the_pixels(box: Box) -> None:
    rows, columns = np.nonzero(painted(box))
    assert (box.right, box.bottom) == (columns.max() + 1 - ROOM, rows.max() + 1 - ROOM)
    sides = len(np.unique(columns)), len(np.unique(rows))
    assert (box.longer, box.shorter) == (max(sides), min(sides))
    assert Box.of(SHAPE) == Box.of((*SHAPE, 3)) == box_of(IMAGE)


@pytest.mark.parametrize("box", BOXES[:40])
def test_the_part_in_an_image_is_what_both_cover(box: Box) -> None:
    both = painted(box) & IMAGE
    part = box.clip(SHAPE)
    if both.any():
        assert part == box_of(both)
        inside = np.zeros(SHAPE, bool)
        inside[part.slices] = True
        assert (inside == both[ROOM:-ROOM, ROOM:-ROOM]).all()
    else:
        assert min(part.width, part.height) == 0
    cut = painted(box)[box_of(painted(box)).top + ROOM :, box.left + ROOM :]
    own = part.seen_from(box)
    assert cut[own.slices].sum() == both.sum()


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_boxes_meet_hold_and_span_what_their_pixels_do(one: Box, other: Box) -> None:
    first, second = painted(one), painted(other)
    assert one.meets(other) == other.meets(one) == (first & second).any()
    assert one.within(other) == (second | ~first).all()
    assert one.within(one.hull([other]))
    assert one.hull([other]) == other.hull([one]) == box_of(first | second)
    assert one.clip(SHAPE).within(Box.of(SHAPE)) or not (first & IMAGE).any()


@pytest.mark.parametrize("box", BOXES[:40])
def test_a_grown_box_is_a_dilated_one(box: Box) -> None:
    for reach in range(4):
        grown = np.zeros_like(painted(box))
        for y in range(-reach, reach + 1):
            for x in range(-reach, reach + 1):
                grown |= np.roll(painted(box), (y, x), (0, 1))
        assert box.grow(reach) == box_of(grown)


@pytest.mark.parametrize("box", BOXES[:40])
def test_a_box_around_another_has_its_middle(box: Box) -> None:
    for width, height in ((1, 1), (8, 5), (33, 2)):
        found = box.around(width, height)
        assert (found.width, found.height) == (width, height)
        assert abs(2 * found.left + width - 2 * box.left - box.width) <= 1
        assert abs(2 * found.top + height - 2 * box.top - box.height) <= 1
    square = box.square(1.5, least=9)
    assert square.width == square.height == max(round(1.5 * max(box[2:])), 9)
    assert square == box.around(square.width, square.height)


@pytest.mark.parametrize("box", BOXES[:40])
def test_a_shifted_box_lies_inside_after_the_shortest_way_or_in_the_middle(box: Box) -> None:
    found = box.shifted_into(SHAPE)
    assert found[2:] == box[2:]
    for start, length, moved, room in zip(box[:2], box[2:], found[:2], SHAPE[::-1], strict=True):
        if length <= room:
            assert moved == min(range(room - length + 1), key=lambda k: abs(k - start))
        else:
            assert moved <= 0
            assert moved + length >= room
            assert abs(-moved - (moved + length - room)) <= 1
