"""Threads are given up where steps become ten times as slow, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from coigan_aug.training.pace import Pace


@pytest.fixture(autouse=True)
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    return chosen


def _said(durations: list[float], *, threads: int = 4) -> list[str]:
    def moments() -> Iterator[float]:
        now = 100.0
        yield now
        for duration in durations:
            now += duration
            yield now

    clock = moments()
    pace = Pace(threads, clock=lambda: next(clock))
    return [pace.step() for _ in durations]


def test_three_slow_steps_in_a_row_leave_one_thread(threads: list[int]) -> None:
    said = _said([1, 1.2, 1, 1, 13, 1, 13, 13, 13, 13])
    assert [bool(text) for text in said] == [False] * 8 + [True, False]
    assert "Steps take 11 times as long as the first ones" in said[8]
    assert "one thread instead of 4" in said[8]
    assert threads == [1]


def test_steady_steps_and_a_single_thread_stay_as_they_are(threads: list[int]) -> None:
    assert not any(_said([1, 1, 1, *[9.9] * 20]))
    assert not any(_said([1, 1, 1, *[50.0] * 20], threads=1))
    assert threads == []


def test_what_is_no_step_does_not_count(threads: list[int]) -> None:
    moments = iter([0.0, 1, 2, 3, 4, 104, 105, 205, 206, 306, 307])
    pace = Pace(2, clock=lambda: next(moments))
    for _ in range(3):
        pace.step()
    pace.step()
    for _ in range(3):
        pace.rest()
        assert pace.step() == ""
    assert threads == []
