"""Pictures of numbers. Truth: comparing every pixel with every number."""

from __future__ import annotations

import io
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.formats.painting import masks_of, used_columns
from coigan_aug.formats.voc.classes import VOC_COLOURS
from coigan_aug.imaging import encode_indexed

PICTURES = arrays.arrays(
    np.int32, st.tuples(st.integers(1, 6), st.integers(1, 9)), elements=st.sampled_from([0, 0, 0, 1, 2, 70_000])
)


@given(PICTURES)
def test_masks_are_those_of_each_number_whether_all_columns_are_looked_at_or_those_that_are_used(
    picture: np.ndarray,
) -> None:
    expected = {number: rle.encode(picture == number) for number in np.unique(picture).tolist() if number}
    columns = used_columns(picture)
    assert masks_of(picture) == expected
    assert masks_of(picture[:, columns], left=columns.start, width=picture.shape[1]) == expected
    assert list(masks_of(picture)) == sorted(expected)


@given(PICTURES, st.integers(0, 8))
def test_no_used_column_is_left_out(picture: np.ndarray, column: int) -> None:
    other = np.zeros_like(picture)
    other[-1, column % picture.shape[1]] = 1
    for pictures in ([picture], [picture, other], [other]):
        columns = used_columns(*pictures)
        used = [k for k in range(picture.shape[1]) if any(one[:, k].any() for one in pictures)]
        assert [columns.start, columns.stop] == ([used[0], used[-1] + 1] if used else [0, 0])


def test_an_index_picture_of_masks_is_no_larger_than_with_the_usual_packing() -> None:
    numbers = np.zeros((256, 1600), np.uint8)
    rows, columns = np.ogrid[:256, :1600]
    for number, (x, y, radius) in enumerate([(200, 90, 60), (700, 180, 40), (1200, 60, 30)], start=1):
        numbers[(columns - x) ** 2 / 3 + (rows - y) ** 2 < radius**2] = number
    data = encode_indexed(numbers, VOC_COLOURS)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.array(image), numbers)
    lines = np.concatenate([np.zeros((256, 1), np.uint8), numbers], axis=1).tobytes()
    assert len(data) <= 1.1 * (len(zlib.compress(lines)) + 3 * 256 + 100)
