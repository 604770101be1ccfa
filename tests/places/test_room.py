"""The room on a part, against the mirrored image and against every pixel by hand."""

from __future__ import annotations

import numpy as np
import pytest

from coigan_aug.places.room import room_of
from tests.prepare.scenes import patch

SHAPE = (120, 200)


@pytest.mark.parametrize(("x", "y"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("left", "top"), [(20, 30), (60, 0), (160, 98), (77, 41)])
def test_mirroring_a_place_is_measuring_it_in_the_image_mirrored_alike(x: bool, y: bool, left: int, top: int) -> None:
    part, mask = patch(SHAPE, 20, 0, 170, 110), np.ones((12, 30), np.uint8)
    mirrored = np.ascontiguousarray(part[:: -1 if y else 1, :: -1 if x else 1])
    there = room_of(mirrored, scale=1.0).place(
        mask, left=SHAPE[1] - left - 30 if x else left, top=SHAPE[0] - top - 12 if y else top
    )
    expected = room_of(part, scale=1.0).place(mask, left=left, top=top).mirrored(x=x, y=y)
    assert (there.x, there.y) == pytest.approx((expected.x, expected.y))
    assert (there.distance, there.relative) == (expected.distance, expected.relative)
    assert (there.edges, there.touches) == (expected.edges, expected.touches)


def test_depths_are_the_same_to_the_last_bit_wherever_a_mask_lies_in_memory() -> None:
    """OpenCV's distances differ in their last bits from call to call; places that are alike would come out by chance."""
    part = (np.random.default_rng(5).random((24, 31)) < 0.97).astype(np.uint8)
    ground = np.argwhere(np.pad(part, 1) == 0) - 1
    rows, columns = np.indices(part.shape)
    squares = ((rows[..., None] - ground[:, 0]) ** 2 + (columns[..., None] - ground[:, 1]) ** 2).min(axis=-1)
    expected = np.maximum(np.sqrt(squares.astype(float)).astype(np.float32) - 1, 0)
    for shift in range(64):
        moved = np.frombuffer(bytes(shift) + part.tobytes(), np.uint8, offset=shift).reshape(part.shape)
        assert np.array_equal(room_of(moved, scale=1.0).depth, expected), shift
