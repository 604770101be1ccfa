"""Numbers out of results: read with tolerance, written as people read them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from coigan_aug.report.quality import comparisons_of, tables_of
from coigan_aug.report.scores import (
    Estimate,
    arms_of,
    differences_of,
    estimate,
    headline,
    number,
    signed,
    with_error,
    with_interval,
)
from coigan_aug.report.tables import Table, as_table, cell, facts

from .conftest import quality_numbers


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
    return {"arm": arm, "against": against, "class": label, "mean": mean, "low": mean - 0.01, "high": mean + 0.01}


def test_the_verdicts_difference_is_that_of_the_arm_it_is_about_to_the_best_other_over_all_classes() -> None:
    numbers = {
        "differences": [
            _difference("P", "real", None, 0.01),
            _difference("G", "real", "crack", 0.02),
            _difference("G", "real", None, 0.03),
            _difference("G", "P", "crack", 0.04),
            _difference("G", "P", None, 0.05),
        ],
        "about": "G",
        "best_other": "P",
    }
    groups = differences_of(numbers, {"crack": "#010203"})
    assert [[round(found.estimate.mean, 9) for found in own] for own in groups] == [[1], [3, 2], [5, 4]], "points"
    assert groups[1][1].colour == "#010203"
    best = headline(numbers, groups)
    assert best is not None
    assert (best.arm, best.against, best.label, best.estimate.mean) == ("G", "P", None, 5)
    assert headline(numbers | {"about": None}, groups) is None


def test_scores_are_percent() -> None:
    (arm,) = arms_of(
        {"arms": [{"mean_iou": {"mean": 0.5, "low": 0.25, "high": 0.75}, "mean_dice": 0.5, "iou": {"a": 0.125}}]}
    )
    assert arm.mean_iou == Estimate(50, 25, 75)
    assert (with_interval(arm.mean_iou), with_interval(arm.mean_dice)) == ("50.0 [25.0, 75.0]", "50.0")
    assert arm.iou == {"a": 12.5}


def test_distances_are_those_to_held_out_images_with_their_counts_and_floor() -> None:
    found = comparisons_of(quality_numbers(["crack", "fray"]), {"fray": "#ffffff"})
    assert [item.label for item in found] == ["whole images", "all objects", "crack", "fray"]
    crack, fray = found[2], found[3]
    assert (crack.synthetic, crack.train, crack.test) == (100, 92, 20)
    assert crack.precision == 0.71, "against test, not against the training images it was made from"
    assert crack.kid is not None
    assert (crack.kid.mean, crack.kid.low, crack.kid.high) == pytest.approx((37, 34, 40))
    assert crack.kid_floor is not None
    assert crack.kid_floor.mean == pytest.approx(13)
    assert crack.fid == Estimate(59.5, 59.5, 59.5)
    assert (crack.comparable, crack.fid_biased, crack.colour, fray.colour) == (False, True, None, "#ffffff")


@pytest.mark.parametrize(
    "numbers", [{}, {"spaces": 3}, {"spaces": [{"objects": {"floor": 1}}]}, {"inside": {"x": None}}]
)
def test_quality_results_without_numbers_give_dashes_and_no_error(numbers: dict[str, Any]) -> None:
    assert all(item.kid is None and item.fid_floor is None for item in comparisons_of(numbers, {}))
    for _, _, table in tables_of(numbers):
        assert all(text == "–" for row in table.rows for text in row[1:])


def test_the_tables_of_a_quality_result_say_shares_seams_and_what_is_new() -> None:
    found = {title: (words, table) for title, words, table in tables_of(quality_numbers(["crack"]))}
    assert list(found) == ["Inside the masks", "Seams", "A segmenter that knows only real images", "something new"]
    assert found["Inside the masks"][1].rows == (("crack", "20", "0.97", "10%", "25%", "–", "2%"),)
    assert found["Seams"][0].startswith("0 of 7,003,897 pixels")
    assert found["something new"][1] == Table(("", "a", "b"), (("crack", "1", "–"),))


def test_nested_values_are_told_with_the_path_to_them() -> None:
    value = {"dataset": {"images": 12, "by": {"x": [1, 2]}}, "kid": {"mean": 0.5, "error": 0.1}}
    assert list(facts(value)) == [("dataset, images", "12"), ("dataset, by, x", "1, 2"), ("kid", "0.5 ± 0.1")]


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
    assert signed(Estimate(2.1, -1, 5)) == "+2.1 [−1.0, +5.0]"
    assert signed(Estimate(0.01, -0.04, 10.0)) == "0.0 [0.0, +10.0]"
    assert with_interval(None) == "–"
    assert with_error({"mean": 0.02134, "error": 0.0031}) == "0.0213 ± 0.0031"
    assert with_error(41.5) == "41.5"
    assert cell({"mean": 1.0, "low": 0.5, "high": 1.5}) == "1 [0.5, 1.5]"
    assert cell(12345) == "12,345"
    assert cell(float("nan")) == "–"
    assert number(float("inf")) is None
