"""The list of what was rejected is read back, up to a torn last line, and a damaged line is named."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from coigan_aug.errors import DataError
from coigan_aug.files import append_lines
from coigan_aug.sealed import append_line
from coigan_aug.synthesis.rejected import REASONS, REJECTED, Rejected, read_rejected

ITEMS = tuple(
    Rejected(k // 2, 0, k % 2, REASONS[k % 4], "spöt", 0.1 * k, 0.5, f"rejected/{k}.png" if k % 3 else None)
    for k in range(8)
)


def _append(folder: Path, items: tuple[Rejected, ...]) -> None:
    with append_lines(folder / REJECTED) as stream:
        for item in items:
            append_line(stream, asdict(item))


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    assert read_rejected(tmp_path) == ()
    _append(tmp_path / "new", ITEMS[:3])
    _append(tmp_path / "new", ITEMS[3:])
    assert read_rejected(tmp_path / "new") == ITEMS


def test_a_line_that_was_torn_anywhere_is_cut_away_before_the_next(tmp_path: Path) -> None:
    _append(tmp_path, ITEMS[:2])
    whole = (tmp_path / REJECTED).read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        (tmp_path / REJECTED).write_bytes(whole[:length])
        assert read_rejected(tmp_path) == ITEMS[:1]
        _append(tmp_path, ITEMS[2:4])
        assert read_rejected(tmp_path) == (ITEMS[0], *ITEMS[2:4])


@pytest.mark.parametrize("line", ["{", "[1]", '{"number": 1}', '{"something": 1}'])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    _append(tmp_path, ITEMS[:2])
    with (tmp_path / REJECTED).open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=r"rejected\.jsonl:3 is damaged"):
        read_rejected(tmp_path)
