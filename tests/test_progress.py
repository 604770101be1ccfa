"""Progress in a log file: plain lines, now and then, and one at the end."""

from __future__ import annotations

import pytest

from coigan_aug.progress import clock, progress, say


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
    assert capsys.readouterr().err.count("reading") == 5


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
