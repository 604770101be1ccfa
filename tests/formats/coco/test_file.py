"""The entries of a COCO file. Truth: Python's own JSON parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coigan_aug.errors import DataError
from coigan_aug.files import parse_json
from coigan_aug.formats.coco import file as coco_file
from coigan_aug.formats.coco.file import CocoFile
from tests.thorough import tries

SQUARE = [[1, 1, 4, 1, 4, 3, 1, 3]]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EXTRAS = st.dictionaries(
    st.text() | st.sampled_from(["begin", "size", "masked", "whole", "segmentation", "id", "bbox"]), VALUES, max_size=4
)
ITEMS = st.lists(EXTRAS, max_size=4)
LAYOUTS = st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"separators": ("  ,\n", " :\t")}])


def plain(segmentation: Any) -> Any:
    return parse_json(memoryview(segmentation)) if isinstance(segmentation, msgspec.Raw) else segmentation


def items_of(file: CocoFile) -> list[dict[str, Any]]:
    return [{key: plain(value) for key, value in file.item(entry).items()} for entry in file.entries]


@settings(max_examples=tries(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=ITEMS,
    categories=ITEMS,
    annotations=ITEMS,
    others=EXTRAS,
    layout=LAYOUTS,
    ascii=st.booleans(),
    order=st.randoms(),
)
def test_what_is_found_is_what_python_parses(
    tmp_path_factory: pytest.TempPathFactory,
    images: list[Any], categories: list[Any], annotations: list[Any], others: dict[str, Any], layout: dict[str, Any],
    ascii: bool, order: Any,
) -> None:  # fmt: skip
    members = list((others | {"images": images, "categories": categories, "annotations": annotations}).items())
    order.shuffle(members)
    path = tmp_path_factory.mktemp("coco") / "c.json"
    try:
        path.write_bytes(json.dumps(dict(members), ensure_ascii=ascii, **layout).encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return
    file = CocoFile(path)
    assert (file.images, file.categories, items_of(file)) == (images, categories, annotations)
    for entry, item in zip(file.entries, annotations, strict=True):
        known = (entry.id, entry.image_id, entry.category_id, entry.masked)
        wanted = tuple(item.get(key) for key in ("id", "image_id", "category_id"))
        assert known == (*wanted, bool(item.get("segmentation")))


def written(folder: Path, annotations: str, *, before: str = "", behind: str = "") -> Path:
    text = f'{{{before}"images": [], "categories": [], "annotations": {annotations}{behind}}}'
    (folder / "c.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder / "c.json"


@pytest.mark.parametrize(
    ("annotations", "before", "behind"),
    [
        ('[{"id": 1, "id": 2}]', "", ""),
        ('[{"id": 1, "text": "}, {\\"id\\": 2}]"}, {"id": "]"}]', '"info": {"annotations": [{"id": 9}]}, ', ""),
    ],
)
def test_odd_but_valid_files_are_read_as_python_does(
    tmp_path: Path, annotations: str, before: str, behind: str
) -> None:
    path = written(tmp_path, annotations, before=before, behind=behind)
    assert items_of(CocoFile(path)) == json.loads(path.read_bytes())["annotations"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, '[{"id": 5}]')
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert items_of(CocoFile(path)) == [{"id": 5}]


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ('[{"id": 1},\n {"id": 1 2}]', "c.json:2  is not valid JSON: Expecting ',' delimiter (column 11)"),
        ('[{"id": 1},\n {"segmentation": [[1, 01]]}]', "c.json:2  is not valid JSON"),
        ('[{"id": 1}, 3]', "c.json: annotations[1] is not an object"),
        ('{"id": 1}', "it has no list 'annotations'"),
        ("NaN", "c.json holds NaN in place of the list 'annotations'"),
        ('[{"id": 1, "score": NaN}, {"id": 1e999}]', "c.json holds a number that is too large"),
        ('[{"id": 1}', "is not valid JSON"),
        ('[{"id": 1, "name": "\\ud800"}]', "c.json holds half a character"),
        ('[{"id": 1e999}]', "c.json holds a number that is too large"),
        ('[{"name": "\udcff"}]', "c.json is not UTF-8 text (byte 59)"),
    ],
)
def test_mistakes_are_named_by_their_place(tmp_path: Path, annotations: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        CocoFile(written(tmp_path, annotations))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("", ', "annotations": [{"id": 7}]'),
        ('"annotations": [{"id": 3}], ', ""),
        ('"\\u0061nnotations": [], ', ""),
        ('"info": 1, "info": 2, ', ""),
    ],
)
def test_a_key_that_stands_twice_is_told(tmp_path: Path, before: str, behind: str) -> None:
    with pytest.raises(DataError, match=r"c\.json: the key '(annotations|info)' stands twice"):
        CocoFile(written(tmp_path, '[{"id": 1}]', before=before, behind=behind))


@pytest.mark.parametrize("number", ["NaN", "-Infinity"])
def test_fields_without_a_number_are_as_if_they_were_not_there(tmp_path: Path, number: str) -> None:
    annotations = (
        f'[{{"id": {number}, "score": {number}, "bbox": [1, {number}]}}, {{"id": 2, "segmentation": [[1, {number}]]}}]'
    )
    file = CocoFile(written(tmp_path, annotations))
    assert file.missing == 3
    assert [list(item) for item in items_of(file)] == [[], ["id", "segmentation"]]
    assert [entry.id for entry in file.entries] == [None, 2]


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1e400"])
def test_a_number_beyond_all_doubles_is_told_when_it_is_asked_for(tmp_path: Path, number: str) -> None:
    file = CocoFile(written(tmp_path, f'[{{"id": 1}}, {{"id": 2, "score": [{number}]}}]'))
    assert file.item(file.entries[0]) == {"id": 1}
    with pytest.raises(DataError, match=r"c\.json holds a number that is too large"):
        file.item(file.entries[1])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"c\.json does not exist"):
        CocoFile(tmp_path / "c.json")


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, f'[{{"id": 1, "segmentation": {SQUARE}}}]')
    file = CocoFile(path)
    path.write_text("x" * path.stat().st_size)
    with pytest.raises(DataError, match="was changed while it was read"):
        file.item(file.entries[0])


def test_the_plain_way_is_not_taken_for_an_ordinary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coco_file, "_parsed", lambda path: pytest.fail("the plain way"))
    path = written(
        tmp_path, f'[{{"id": 1, "name": "grün", "segmentation": {SQUARE}}}]', before='"info": {"year": 2024}, '
    )
    file = CocoFile(path)
    assert [type(file.item(entry)["segmentation"]) for entry in file.entries] == [msgspec.Raw]
