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
