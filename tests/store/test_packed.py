"""Packed binary JSON. Truth: pbjson's own decoder, where the bytes are whole."""

from __future__ import annotations

import json
from typing import Any

import pbjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.store.packed import CutPacked, DamagedPacked, pack, unpack
from tests.thorough import tries

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(TEXT.map(lambda text: text[:30]), inner, max_size=20),
    max_leaves=30,
)


@given(VALUES, st.binary(max_size=3), st.binary(max_size=3))
def test_any_value_is_what_the_reference_decodes(value: Any, before: bytes, after: bytes) -> None:
    data = pack(value)
    found, end = unpack(before + data + after, len(before))
    assert json.dumps(found) == json.dumps(pbjson.loads(data))
    assert end == len(before) + len(data)


@pytest.mark.parametrize("count", [0, 15, 16, 2047, 2048, 70_000, 500_000])
def test_every_width_of_length_is_read(count: int) -> None:
    for value in ("x" * count, [1] * count, {str(k): k for k in range(min(count, 5_000))}):
        assert unpack(pack(value)) == (value, len(pack(value)))


def test_keys_beyond_the_128th_are_not_shortened() -> None:
    value = [{f"key {k}": k for k in range(count)} for count in (300, 127, 300)]
    assert unpack(pack(value))[0] == value


@given(VALUES)
@settings(max_examples=tries(60))
def test_every_prefix_is_cut_off(value: Any) -> None:
    data = pack(value)
    for length in range(min(len(data), 400)):
        with pytest.raises(CutPacked):
            unpack(data[:length])


@given(st.binary(max_size=80))
@settings(max_examples=tries(2_000))
def test_any_bytes_are_a_value_or_damaged(data: bytes) -> None:
    """pbjson's own decoder ends the process on some of these."""
    try:
        _, end = unpack(data)
    except DamagedPacked:
        return
    assert 0 < end <= len(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xc1" * 100_000, "nested too deeply"),
        (b"\x0c" * 100_000, "nested too deeply"),
        (b"\xdf\xff\xff\xff\xff", "cut off"),
        (b"\xff\xff\xff\xff\xff\x00", "cut off"),
        (b"\xe1\x85\x01", "a key stands for none before it"),
        (b"\x05", "a value that JSON has not"),
        (b"\xa1a", "bytes"),
        (b"\x63\x1e\x99\x9d", "not finite"),
        (b"\x61\xff", "a number that is none"),
        (b"\x81\xff", "not UTF-8"),
        (b"\x3f\x00\x01\x00\x00" + b"\xff" * 65_536, "too long"),
    ],
)
def test_damage_is_named(data: bytes, says: str) -> None:
    with pytest.raises(DamagedPacked, match=says):
        unpack(data)


def test_a_key_that_the_format_can_not_hold_is_refused() -> None:
    assert unpack(pack({"k" * 127: 1}))[0] == {"k" * 127: 1}
    with pytest.raises(ValueError, match="more than 127 bytes"):
        pack({"k" * 128: 1})
