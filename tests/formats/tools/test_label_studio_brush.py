"""Brush strokes. Truth: a decoder written from the stream's description, one bit after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug.formats.tools.label_studio_brush import decode_brush, encode_brush
from tests.formats.trials import masks


def slow_decode(data: bytes) -> list[int]:
    """Read the stream bit by bit into its list of values."""
    bits = [byte >> shift & 1 for byte in data for shift in range(7, -1, -1)]
    at = 0

    def read(size: int) -> int:
        nonlocal at
        number = 0
        for bit in bits[at : at + size]:
            number = 2 * number + bit
        at += size
        return number

    count, word = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < count:
        repeated = read(1)
        length = read(sizes[read(2)]) + 1
        values += [read(word)] * length if repeated else [read(word) for _ in range(length)]
    return values


class Writer:
    """Writes a stream block by block, as a test says."""

    def __init__(self, count: int, *, word: int = 8, sizes: tuple[int, int, int, int] = (3, 4, 8, 16)) -> None:
        self.word, self.sizes = word, sizes
        self.bits = f"{count:032b}{word - 1:05b}" + "".join(f"{size - 1:04b}" for size in sizes)

    def block(self, values: list[int], *, repeated: bool, size: int) -> Writer:
        """Add one block, its length written with the size of this number."""
        length = f"{len(values) - 1:0{self.sizes[size]}b}"
        own = values[:1] if repeated else values
        self.bits += f"{repeated:b}{size:02b}{length}" + "".join(f"{value:0{self.word}b}" for value in own)
        return self

    def data(self) -> bytes:
        """Return the stream, filled up to whole bytes."""
        bits = self.bits + "0" * (-len(self.bits) % 8)
        return bytes(int(bits[k : k + 8], 2) for k in range(0, len(bits), 8))


@given(masks(most=40))
def test_what_is_encoded_is_the_mask_in_all_four_colours(mask: np.ndarray) -> None:
    data = encode_brush(mask)
    assert slow_decode(data) == np.repeat(np.where(mask.ravel(), 255, 0), 4).tolist()
    assert np.array_equal(decode_brush(data, height=mask.shape[0], width=mask.shape[1]), mask)


@pytest.mark.parametrize("run", [1, 2, 3, 4, 5, 64, 65, 16_383, 16_384, 16_385, 32_768, 32_769, 50_000])
def test_runs_are_split_where_a_block_ends(run: int) -> None:
    for mask in (np.ones((1, run), bool), np.arange(run + 2)[None, :] > 1, np.arange(run + 2)[None, :] < run):
        data = encode_brush(mask)
        assert slow_decode(data) == np.repeat(np.where(mask.ravel(), 255, 0), 4).tolist()
        assert np.array_equal(decode_brush(data, height=1, width=mask.shape[1]), mask)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """Draw a stream of random blocks in random sizes, and the image's height and width."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    left, word = 4 * height * width, draw(st.integers(1, 32))
    sizes = draw(st.tuples(*[st.integers(1, 16)] * 4))
    writer = Writer(left, word=word, sizes=sizes)
    while left:
        size = draw(st.integers(0, 3))
        length = min(left, draw(st.integers(1, min(2 ** sizes[size], 40))))
        repeated = draw(st.booleans())
        values = st.sampled_from([0, 1, 2**word - 1])
        own = [draw(values)] * length if repeated else draw(st.lists(values, min_size=length, max_size=length))
        writer.block(own, repeated=repeated, size=size)
        left -= length
    return writer.data() + bytes(draw(st.integers(0, 3))), height, width


@given(streams())
def test_any_stream_is_decoded_as_bit_by_bit(stream: tuple[bytes, int, int]) -> None:
    data, height, width = stream
    alpha = np.array(slow_decode(data)).reshape(height, width, 4)[..., 3]
    assert np.array_equal(decode_brush(data, height=height, width=width), alpha > 0)


def test_only_alpha_counts() -> None:
    pixels = [255, 0, 0, 0, 9, 9, 9, 1, 0, 0, 0, 255]
    data = Writer(12).block(pixels, repeated=False, size=1).data()
    assert decode_brush(data, height=1, width=3).tolist() == [[False, True, True]]


WHOLE = encode_brush(np.eye(5) > 0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is cut off"),
        (WHOLE[:6], "is cut off"),
        (WHOLE[:20], "is damaged or cut off"),
        (encode_brush(np.eye(6) > 0), "has 144 values, an image of 5 x 5 pixels has 100"),
        (Writer(100).block([255] * 128, repeated=True, size=2).data(), "is damaged or cut off"),
        (Writer(100).block([255] * 128, repeated=False, size=2).data(), "is damaged or cut off"),
        (Writer(100).data(), "is damaged or cut off"),
        (b"\xff" * 40, "has 4294967295 values"),
    ],
)
def test_damaged_streams_are_refused(data: bytes, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        decode_brush(data, height=5, width=5)


@given(st.binary(min_size=3, max_size=40))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    stream = (100).to_bytes(4, "big") + data
    try:
        mask = decode_brush(stream, height=5, width=5)
    except ValueError as error:
        assert "is damaged" in str(error) or "is cut off" in str(error)
    else:
        alpha = np.array(slow_decode(stream)[:100]).reshape(5, 5, 4)[..., 3]
        assert np.array_equal(mask, alpha > 0)


def test_a_stream_of_nothing_is_refused_without_going_through_it() -> None:
    data = (4 * 20_000 * 10_000).to_bytes(4, "big") + bytes(60)
    with pytest.raises(ValueError, match="is damaged or cut off"):
        decode_brush(data, height=20_000, width=10_000)
