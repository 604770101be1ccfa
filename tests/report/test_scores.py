"""Numbers out of results: read with tolerance, written as people read them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from coigan_aug.report.scores import (
    Estimate,
    Table,
    arms_of,
    as_table,
    cell,
    differences_of,
    distances_of,
    estimate,
    headline,
    number,
    signed,
    with_error,
    with_interval,
)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"mean": 1, "low": 0.5, "high": 2.0}, Estimate(1, 0.5, 2)),
        ({"mean": 1.0, "error": 0.25}, Estimate(1, 0.75, 1.25)),
        (3, Estimate(3, 3, 3)),
        ({"mean": None}, None),
        ({}, None),
        (None, None),
        ("many", None),
        (math.nan, None),
        (True, None),
    ],
)
def test_estimates_are_read_in_every_form_they_come_in(value: Any, wanted: Estimate | None) -> None:
    assert estimate(value) == wanted


@pytest.mark.parametrize("numbers", [{}, {"arms": None, "differences": 3}, {"arms": [3, {}], "differences": [{}]}])
def test_results_without_numbers_give_no_scores_and_no_error(numbers: dict[str, Any]) -> None:
    assert all(arm.mean_iou is None and not arm.seeds for arm in arms_of(numbers))
    groups = differences_of(numbers, {})
    assert groups == []
    assert headline(numbers, groups) is None


def _difference(arm: str, against: str, label: str | None, mean: float) -> dict[str, Any]:
    return {"arm": arm, "against": against, "class": label, "mean": mean, "low": mean - 1, "high": mean + 1}


def test_the_verdicts_difference_is_the_gan_against_the_best_other_arm_over_all_classes() -> None:
    numbers = {
        "arms": [{"name": "real", "source": "real"}, {"name": "G", "source": "gan"}, {"name": "P", "source": "paste"}],
        "differences": [
            _difference("P", "real", None, 1),
            _difference("G", "real", "crack", 2),
            _difference("G", "real", None, 3),
            _difference("G", "P", "crack", 4),
            _difference("G", "P", None, 5),
        ],
        "best_other": "P",
    }
    groups = differences_of(numbers, {"crack": "#010203"})
    assert [[found.estimate.mean for found in own] for own in groups] == [[1], [3, 2], [5, 4]]
    assert groups[1][1].colour == "#010203"
    best = headline(numbers, groups)
    assert best is not None
    assert best.estimate.mean == 5
    best = headline(numbers | {"best_other": None}, groups)
    assert best is not None
    assert best.estimate.mean == 3


def test_distances_without_any_number_are_left_out() -> None:
    spaces = [
        {"class": None, "of": "objects", "fid": {"synthetic": 3.0}},
        {"class": "crack", "fid": None},
        {"class": "fray", "fid": {"floor": 1}},
    ]
    found = distances_of(spaces, "fid", {"fray": "#ffffff"})
    assert [(item.label, item.colour) for item in found] == [("all objects", None), ("fray", "#ffffff")]
    assert found[1].floor == Estimate(1, 1, 1)
    assert distances_of(spaces, "kid", {}) == []


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (
            {"crack": {"a": 1, "b": 0.12345}, "fray": {"b": None}},
            (("", "a", "b"), [("crack", "1", "0.123"), ("fray", "–", "–")]),
        ),
        ({"share": 0.5, "names": ["x", "y"]}, (("", "value"), [("share", "0.5"), ("names", "x, y")])),
        ([{"a": 1}, {"b": True}], (("a", "b"), [("1", "–"), ("–", "yes")])),
        ({"x": {"mean": 0.5, "error": 0.1}}, (("", "value"), [("x", "0.5 ± 0.1")])),
        ({"x": {"deep": {"er": [1, {"y": 2}]}}}, (("", "deep"), [("x", '{"er": [1, {"y": 2}]}')])),
    ],
)  # fmt: skip
def test_values_of_any_layout_become_a_table(value: Any, wanted: tuple[tuple[str, ...], list[tuple[str, ...]]]) -> None:
    assert as_table(value) == Table(wanted[0], tuple(wanted[1]))


@pytest.mark.parametrize("value", [None, {}, [], "text", 3])
def test_nothing_gives_no_table(value: Any) -> None:
    assert as_table(value) is None


def test_numbers_are_written_with_their_uncertainty() -> None:
    assert signed(Estimate(0.021, -0.01, 0.05)) == "+0.021 [−0.010, +0.050]"
    assert with_interval(Estimate(0.3264, 0.3, 0.35)) == "0.326 [0.300, 0.350]"
    assert with_interval(None) == "–"
    assert with_error({"mean": 0.02134, "error": 0.0031}) == "0.0213 ± 0.0031"
    assert with_error(41.5) == "41.5"
    assert cell({"mean": 1.0, "low": 0.5, "high": 1.5}) == "1 [0.5, 1.5]"
    assert cell(12345) == "12,345"
    assert cell(float("nan")) == "–"
    assert number(float("inf")) is None
