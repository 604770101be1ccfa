"""JSON read block by block. Truth: Python's own JSON parser."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.formats.coco import json_stream
from coigan_aug.formats.coco.json_stream import read_pieces
from tests.thorough import tries

TEXTS = st.text() | st.sampled_from(["}]", "}, {", '"}', "\\", "]", '\\"}]'])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=12)
LAYOUTS = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"separators": ("  ,\n", " :\t")}])


@pytest.fixture(params=[1, 7, 60, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_stream, "_BLOCK", request.param)
    return request.param


@settings(max_examples=tries(150), deadline=None)
@given(one=ITEMS, other=ITEMS, rest=st.dictionaries(TEXTS, VALUES, max_size=3), layout=LAYOUTS, order=st.randoms(),
       block=st.sampled_from([1, 7, 60, 1 << 20]), ascii=st.booleans())  # fmt: skip
def test_pieces_put_together_are_what_python_parses(
    one: list[Any], other: list[Any], rest: dict[str, Any], layout: dict[str, Any], order: Any, block: int, ascii: bool
) -> None:
    members = list((rest | {"one": one, "other": other}).items())
    order.shuffle(members)
    try:
        data = json.dumps(dict(members), ensure_ascii=ascii, **layout).encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    found: dict[str, list[Any]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "_BLOCK", block)
        try:
            for piece in read_pieces(io.BytesIO(data), lists=("one", "other")):
                own = [json.loads(data[i : i + n]) for i, n in zip(piece.begins, piece.sizes, strict=True)]
                assert own == json.loads(piece.text)
                found.setdefault(piece.key, []).extend(own)
        except ValueError:  # ends could not be guessed: allowed where texts and lists of objects look like them
            assert any(sign in data for sign in (b"}]", b"} ", b"},", b"}\n"))
            return
    assert found == {"one": one, "other": other}


def test_a_list_of_a_hundred_thousand_objects_comes_in_pieces_of_about_a_megabyte() -> None:
    items = [{"id": k, "segmentation": {"size": [4, 4], "counts": f"{k:x}]}}"}, "area": k} for k in range(100_000)]
    data = json.dumps(
        {"info": {"year": 1}, "annotations": items, "categories": [{"id": k} for k in range(500)]}
    ).encode()
    pieces = list(read_pieces(io.BytesIO(data), lists=("annotations", "categories")))
    assert [item for piece in pieces for item in json.loads(piece.text)] == [*items, *({"id": k} for k in range(500))]
    assert len(pieces) >= len(data) >> 20
    assert max(len(piece.text) for piece in pieces) < 2.1e6


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"a"', '{"a":}', '{"a": [}', '{"a": [{]}', '{"a": [{},]}', '{"a": [,{}]}', '{"a": [{} {}]}',
        '{"a": []', '{"a": []]', '{"a": []} 1', '{"a": [],}', '{"a": [1]}', '{"a": 1}', '{"a": {}}', '{"a": [], "a": []}',
        '{"b": nul, "a": []}', '{"b": [1, "a": []}', '{"b": {1}, "a": []}', '{"b": "x', '{"a": [{"b": 01}]}', '{"b": 1',
    ],
)  # fmt: skip
def test_what_is_no_such_object_is_refused(text: str, block: int) -> None:
    with pytest.raises((ValueError, RecursionError)):
        list(read_pieces(io.BytesIO(text.encode()), lists=("a",)))


def test_bytes_that_are_not_utf_8_are_refused(block: int) -> None:
    with pytest.raises(ValueError):
        list(read_pieces(io.BytesIO(b'{"a": [{"b": "\xff"}]}'), lists=("a",)))


def test_signs_of_several_bytes_may_lie_on_the_border_of_blocks(block: int) -> None:
    data = json.dumps({"a": [{"é": "漢字🙂"}] * 3}, ensure_ascii=False).encode()
    pieces = list(read_pieces(io.BytesIO(data), lists=("a",)))
    assert [item for piece in pieces for item in json.loads(piece.text)] == [{"é": "漢字🙂"}] * 3
