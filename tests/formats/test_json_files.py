"""Strict JSON. Truth: Python's own parser on the whole text, and what JSON and Unicode allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug.errors import DataError
from coigan_aug.formats.image_folder import ImageFolder, open_images
from coigan_aug.formats.json_files import load_json, load_object, read_items
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1]), st.booleans())
def test_items_are_those_of_the_whole_list(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any], indent: int | None, ascii_only: bool
) -> None:
    path = tmp_path_factory.mktemp("j") / "x.json"
    path.write_text(json.dumps(values, indent=indent, ensure_ascii=ascii_only), encoding="utf-8-sig")
    assert list(read_items(path, kind="a list")) == list(enumerate(values))
    assert load_json(path) == values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.json:1  is not valid JSON: Expecting value (column 1)"),
        ("[1,\n 2,\n x]", "x.json:3  is not valid JSON: Expecting value (column 2)"),
        ("[1, 2", "x.json:1  is not valid JSON"),
        ("[1 2]", "x.json:1  is not valid JSON: Expecting ',' delimiter (column 4)"),
        ("[1, ]", "x.json:1  is not valid JSON"),
        ("[1] 2", "x.json:1  is not valid JSON: Extra data (column 5)"),
        ("[]]", "Extra data"),
        ("[,]", "Expecting value"),
        ("[Infinity]", "x.json holds Infinity, which is not valid JSON"),
        ("[-1e400]", "x.json holds a number that is too large"),
        ("[" + "1" * 9000 + "]", "x.json holds a number that is too large"),
        (r'["\udcff"]', "x.json holds half a character"),
        ("[" * 200_000, "x.json is nested too deeply"),
    ],
)
def test_what_no_other_program_would_read_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    for read in (lambda: load_json(path), lambda: list(read_items(path, kind="a list"))):
        with pytest.raises(DataError) as caught:
            read()
        assert expected.partition(": ")[0] in str(caught.value)
    assert expected in str(caught.value)


def test_what_only_looks_odd_is_read(tmp_path: Path) -> None:
    text = r'["\ud83d\ude00", 1e-400, 12E+3, "9' + "9" * 400 + '"]'
    (tmp_path / "x.json").write_text(text)
    assert load_json(tmp_path / "x.json") == ["😀", 0.0, 12000.0, "9" * 401]


def test_other_values_missing_files_and_other_encodings_are_errors(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("3")
    with pytest.raises(DataError, match=r"x\.json is not a thing: its outermost value is not an object"):
        load_object(tmp_path / "x.json", kind="a thing")
    with pytest.raises(DataError, match=r"x\.json is not things: its outermost value is not a list"):
        list(read_items(tmp_path / "x.json", kind="things"))
    with pytest.raises(DataError, match="does not exist"):
        load_json(tmp_path / "y.json")
    with pytest.raises(DataError, match="can't be read"):
        load_json(tmp_path)
    (tmp_path / "z.json").write_bytes("[1]".encode("utf-16"))
    with pytest.raises(DataError, match=r"z\.json is not UTF-8 text \(byte 0\)"):
        load_json(tmp_path / "z.json")


def test_a_name_longer_than_any_files_is_only_not_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    folder, _ = open_images(Reading(tmp_path / "x"), ["a.png", "y" * 5000])
    assert folder.find("y" * 5000) is None


def test_of_several_common_ends_the_longest_decides(tmp_path: Path) -> None:
    for name in ("a.png", "sub/a.png", "x/y/b.png", "z/y/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    folder = ImageFolder(tmp_path, problems=Problems())
    assert folder.find("images/sub/a.png") == "sub/a.png"
    assert folder.find("images/other/a.png") == "a.png"
    with pytest.raises(DataError, match=r"fits x/y/b\.png and z/y/b\.png"):
        folder.find("y/b.png")
