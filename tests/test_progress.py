"""Progress in a log file: plain lines, now and then, and one at the end."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from coigan_aug.progress import _Pace, clock, progress, say, wrapped


def test_a_log_gets_one_plain_line_at_the_end_and_none_too_often(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", every=1000) as report:
        for done in (1, 2, 3, 3, 3):
            report(done, 3, "fine")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("reading 3 / 3  0:00:00 gone, 0:00:00 left  fine")
    assert "\x1b" not in err
    assert "\r" not in err


def test_lines_come_as_often_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", every=0) as report:
        for done in range(5):
            report(done, 10)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"reading {done} / 10" for done in (0, 1, 2, 3, 4, 4)]
    assert lines[-1] == "reading 4 / 10  0:00:00 gone"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("reading", quiet=True) as report:
        report(3, 3)
    say("hello", quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3725, "1:02:05"), (90000, "25:00:00")]
)
def test_durations_are_written_as_hours_minutes_seconds(seconds: float, text: str) -> None:
    assert clock(seconds) == text


class Clock:
    """A clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("coigan_aug.progress.time.monotonic", lambda: self.now)


def test_a_step_that_says_nothing_is_named_when_it_takes_long(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.progress._PATIENCE", 0.01)
    clock = Clock(monkeypatch)
    with progress("loading"):
        time.sleep(0.1)
        clock.now += 75
    assert capsys.readouterr().err == "loading ...\nloading 0:01:15 gone\n"
    with progress("quick"):
        pass
    assert capsys.readouterr().err == ""


def test_what_was_done_before_a_step_began_does_not_count_for_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Continued at 400 of 500, 10 in 20 s: 90 more take 180 s, not the 0.9 s that 410 in 20 s would say."""
    clock, pace = Clock(monkeypatch), _Pace(100.0)
    assert pace.left is None and pace.share is None
    pace.note(400, 500)
    assert pace.left is None
    clock.now += 20
    pace.note(410, 500)
    assert pace.left == pytest.approx(180)
    assert pace.share == pytest.approx(0.82)


def test_minutes_given_decide_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """3 minutes of a training of 1,000 samples at 1 a second; and 12 samples in all, which end sooner."""
    clock, pace = Clock(monkeypatch), _Pace(100.0, most=180)
    assert pace.left == 180
    pace.note(0, 1000)
    clock.now += 60
    pace.note(60, 1000)
    assert pace.left == 120
    assert pace.share == pytest.approx(60 / 180)
    short = _Pace(clock.now, most=180)
    short.note(0, 12)
    clock.now += 6
    short.note(6, 12)
    assert short.left == pytest.approx(6)
    assert short.share == pytest.approx(0.5)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], io.StringIO]:
    """Return a function that puts a terminal of a width in place of stderr and returns what it is sent."""

    def put(width: int) -> io.StringIO:
        sent = io.StringIO()
        console = Console(file=sent, force_terminal=True, width=width, legacy_windows=False)
        monkeypatch.setattr("coigan_aug.progress.Console", lambda stderr: console)
        return sent

    return put


def test_a_bar_never_stands_at_its_end_while_its_step_works(terminal: Callable[[int], io.StringIO]) -> None:
    terminal(80)
    with progress("reading") as report:
        task = report.bar.tasks[0]  # type: ignore[attr-defined]
        assert task.total is None  # moves
        report(3, 10)
        assert (task.completed, task.total) == (300, 1000)
        report(10, 10)
        assert task.total is None
    assert task.completed == task.total


@pytest.mark.parametrize("width", [80, 120])
def test_a_bar_is_a_line_of_whole_words(terminal: Callable[[int], io.StringIO], width: int) -> None:
    sent = terminal(width)
    with progress("train") as report:
        report(0, 18_000)
        report(1_200, 18_000, "G 1.83  D 0.71 0.52  best KID 0.123 at 1,200 and more words than there is room for")
    lines = [line.rstrip() for line in re.split("[\r\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent.getvalue()))]
    (shown,) = {line for line in lines if "1,200 / 18,000" in line}
    assert len(shown) < width
    assert shown.endswith("G 1.83" if width == 80 else "D 0.71 0.52")
    assert all("train" in line for line in lines if line)


@given(st.text("ab -", max_size=120), st.integers(12, 60))
def test_a_wrapped_line_has_all_its_words_whole_and_no_line_is_too_wide(text: str, width: int) -> None:
    line = f"  {text}x"
    lines = wrapped(line, width)
    assert " ".join(lines).split() == line.split()
    assert all(len(own) <= width or len(own.split()) == 1 for own in lines)


def test_a_command_is_never_cut() -> None:
    """What is copied from two lines would run with half of its options."""
    command = "coigan-aug synthesize --plan made/plan.jsonl --out made --workspace coigan-demo/coigan"
    lines = wrapped(f"  -> made/plan.jsonl   Make it, edited or not: {command}   or none", 80)
    assert f"    {command}" in lines
    assert wrapped("  short", 80) == ["  short"]
