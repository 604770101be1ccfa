"""XML as a stream of elements. Truth: the trees of Python's own parser."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug.errors import DataError
from coigan_aug.formats.xml_elements import quoted, read_elements, text_of

TEXTS = st.text(max_size=5) | st.sampled_from(["\r\n", "]]>", "&amp;", "\t'\"<", "\0", "\ud800", "\ufffe", "ä\x85"])


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_what_is_written_comes_back_but_for_signs_that_xml_can_not_hold(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("xml") / "a.xml"
    inner = "".join(f"\n  <b c={quoted(value)}>{text_of(text)}</b>" for value, text in pairs)
    path.write_text(f"<a>{inner}</a>", encoding="utf-8", newline="")
    tree = ElementTree.parse(path)
    expected = [(dict(own.attrib), own.text or "") for own in tree.getroot()]
    ends = [found for found in read_elements(path) if not found.start and found.path == ("a", "b")]
    assert [(found.attributes, found.text) for found in ends] == expected
    known = [(value, text) for value, text in pairs if "?" not in quoted(value) + text_of(text)]
    assert known == [(own["c"], text) for own, text in expected if "?" not in own["c"] + text]


def test_text_between_elements_counts_for_none(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>" + ("<b>x</b>" + " " * 1000) * 1100 + "</a>")
    assert sum(found.text == "x" for found in read_elements(tmp_path / "a.xml")) == 1100
    (tmp_path / "a.xml").write_text("<a>\n<b>" + "x" * 1_100_000)
    with pytest.raises(DataError, match=r"a\.xml:2  holds more text"):
        list(read_elements(tmp_path / "a.xml"))


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<a>" + "<b/>" * 60_000 + "</a>")
    seen = 0
    with pytest.raises(DataError, match=r"a\.xml has over 150,000 bytes"):
        for _ in read_elements(tmp_path / "a.xml", most=150_000):
            seen += 1
    assert seen <= 60_000
    assert sum(1 for _ in read_elements(tmp_path / "a.xml", most=240_007)) == 120_002
