"""The list of what was rejected survives kills, and a continued synthesis counts nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from coigan_aug.errors import DataError
from coigan_aug.synthesis.rejected import (
    REASONS,
    REJECTED,
    Rejected,
    append_rejected,
    keep_rejected,
    read_rejected,
    thumbnail_name,
)

ITEMS = tuple(
    Rejected(k // 2, k % 2, REASONS[k % 4], "spöt", 0.1 * k, 0.5, thumbnail_name(k // 2, k % 2) if k % 3 else None)
    for k in range(8)
)


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    assert read_rejected(tmp_path) == ()
    append_rejected(tmp_path / "new", ITEMS[:3])
    append_rejected(tmp_path / "new", ITEMS[3:])
    assert read_rejected(tmp_path / "new") == ITEMS


def test_a_line_that_was_torn_anywhere_is_cut_away_before_the_next(tmp_path: Path) -> None:
    append_rejected(tmp_path, ITEMS[:2])
    whole = (tmp_path / REJECTED).read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        (tmp_path / REJECTED).write_bytes(whole[:length])
        assert read_rejected(tmp_path) == ITEMS[:1]
        append_rejected(tmp_path, ITEMS[2:4])
        assert read_rejected(tmp_path) == (ITEMS[0], *ITEMS[2:4])


def test_what_is_tried_again_is_forgotten(tmp_path: Path) -> None:
    keep_rejected(tmp_path, {0})
    assert not (tmp_path / REJECTED).exists()
    append_rejected(tmp_path, ITEMS)
    keep_rejected(tmp_path, {0, 2})
    assert read_rejected(tmp_path) == tuple(item for item in ITEMS if item.number in (0, 2))
    append_rejected(tmp_path, ITEMS[2:4])
    assert {item.number for item in read_rejected(tmp_path)} == {0, 1, 2}


@pytest.mark.parametrize("line", ["{", "[1]", '{"number": 1}', '{"something": 1}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    append_rejected(tmp_path, ITEMS[:2])
    with (tmp_path / REJECTED).open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=r"rejected\.jsonl:3 is damaged"):
        read_rejected(tmp_path)


def test_a_thumbnail_is_numbered_as_its_image() -> None:
    assert thumbnail_name(0, 3) == "rejected/000001-3.png"
