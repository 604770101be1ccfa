"""The log of a long command: what it holds, how large it grows, and that it is in nobody's way."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from coigan_aug import log
from coigan_aug.log import begin_log, detail, end_log, end_logged, log_file, note, timed


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """Leave no log open."""
    yield
    end_log()


def test_lines_wait_until_the_workspace_is_there(tmp_path: Path) -> None:
    """A mistake in a wrong folder leaves nothing behind."""
    begin_log(tmp_path / "work" / "logs", "evaluate benefit")
    note("first")
    assert log_file() is None and not (tmp_path / "work").exists()
    (tmp_path / "work").mkdir()
    note("second")
    path = log_file()
    assert path is not None and re.fullmatch(r"\d{4}-\d\d-\d\d-\d{6}-evaluate-benefit\.log", path.name)
    lines = path.read_text().splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["first", "second"]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", line) for line in lines)


def test_details_are_shown_and_what_was_said_is_not_said_twice(tmp_path: Path) -> None:
    shown = list[str]()
    begin_log(tmp_path / "logs", "train", show=shown.append)
    note("said already")
    with timed("reading"):
        detail("100 % of it")
    assert [re.sub(r"[\d.]+ s$", "1 s", line) for line in shown[1:]] == ["100 % of it", "reading: 1 s"]


def test_an_error_is_noted_with_its_traceback_and_a_warning_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warnings, "showwarning", lambda *about: None)
    begin_log(tmp_path / "logs", "train")
    with pytest.raises(ZeroDivisionError), end_logged():
        warnings.showwarning("odd", UserWarning, "some.py", 7)
        with timed("dividing"):
            raise ZeroDivisionError("inside")
    path = log_file()
    assert path is not None
    text = path.read_text()
    assert "WARNING UserWarning: odd (some.py:7)" in text
    assert "dividing: not finished" in text
    assert "Traceback (most recent call last)" in text and "ZeroDivisionError: inside" in text


def test_signs_that_steer_a_terminal_are_spelled_out(tmp_path: Path) -> None:
    begin_log(tmp_path / "logs", "train")
    note("pit\x1b[31m")
    assert (path := log_file()) and "pit\\x1b[31m" in path.read_text()


def test_a_log_grows_to_its_limit_and_still_holds_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_MOST", 2000)
    begin_log(tmp_path / "logs", "train")
    for _ in range(200):
        note("x" * 50)
    with pytest.raises(ValueError), end_logged():
        raise ValueError("the end")
    assert (path := log_file())
    assert path.stat().st_size < 4000 and "ValueError: the end" in path.read_text()


def test_the_logs_that_were_written_to_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest by name, a training that goes on, was written to last."""
    monkeypatch.setattr(log, "_KEPT", 3)
    (tmp_path / "logs").mkdir()
    for age, name in enumerate(
        ("2026-01-01-000000-train.log", "2026-01-04-000000-import.log", "2026-01-03-0-train.log")
    ):
        path = tmp_path / "logs" / name
        path.write_text("")
        os.utime(path, (10_000 - age, 10_000 - age))
    begin_log(tmp_path / "logs", "import")
    kept = {path.name for path in (tmp_path / "logs").iterdir()}
    assert kept == {"2026-01-01-000000-train.log", "2026-01-04-000000-import.log", getattr(log_file(), "name", "")}


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in its place")
    shown = list[str]()
    begin_log(tmp_path / "logs", "train", show=shown.append)
    note("goes on")
    assert log_file() is None
    assert any(line.startswith("The log can't be written: ") for line in shown)


def test_without_a_log_nothing_is_left_behind(tmp_path: Path) -> None:
    before = warnings.showwarning
    begin_log(tmp_path / "logs", "train", show=print)
    end_log()
    logger = logging.getLogger("coigan_aug")
    assert warnings.showwarning == before and log_file() is None
    assert (logger.level, logger.propagate) == (logging.NOTSET, True)
