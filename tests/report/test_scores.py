"""Numbers out of results: read with tolerance, written as people read them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from coigan_aug.evaluation.numbers import Benefit, Interval, Quality
from coigan_aug.report.quality import comparisons_of, tables_of
from coigan_aug.report.scores import (
    Estimate,
    cell,
    differences_of,
    facts,
    headline,
    percent,
    percents,
    signed,
    value_of,
    with_interval,
)

from .conftest import benefit_numbers, quality_numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Interval(mean=0.5, low=0.25, high=0.75), Estimate(50, 25, 75)),
        (Interval(mean=0.5), Estimate(50, 50, 50)),
        (0.5, Estimate(50, 50, 50)),
        (0.0, Estimate(0, 0, 0)),
        (Interval(mean=None), None),
        (None, None),
        (UNSET, None),
    ],
)
def test_shares_become_percent_with_and_without_an_interval(value: Any, expected: Estimate | None) -> None:
    assert percent(value) == expected


def test_results_of_earlier_versions_are_read() -> None:
    """They have no measures, no AP and no verdicts, a mean Dice, and name no measure of a difference."""
    numbers = msgspec.convert(benefit_numbers(["crack"]), Benefit)
    assert {row.measure for row in numbers.differences} == {"iou"}
    assert all(not arm.measures and not arm.ap and arm.mean_dice for arm in numbers.arms)
    assert (numbers.verdicts, numbers.folds) == ({}, 1)
    assert percents(numbers.arms[0].iou | {"none": None})["none"] is None
    assert value_of(percents(numbers.arms[0].iou)["crack"]) == f"{100 * numbers.arms[0].iou['crack']:.1f}"


@pytest.mark.parametrize("numbers", [Benefit(), Benefit(about="G", best_other="P")])
def test_results_without_numbers_give_no_differences_and_no_error(numbers: Benefit) -> None:
    groups = differences_of(numbers, {})
    assert groups == []
    assert headline(numbers, groups) is None


def _difference(arm: str, against: str, label: str | None, mean: float) -> dict[str, Any]:
    return {"arm": arm, "against": against, "class": label, "mean": mean, "low": mean - 0.01, "high": mean + 0.01}


def test_the_verdicts_difference_is_that_of_the_arm_it_is_about_to_the_best_other_over_all_classes() -> None:
    value = {
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
    numbers = msgspec.convert(value, Benefit)
    groups = differences_of(numbers, {"crack": "#010203"})
    assert [[round(found.estimate.mean, 9) for found in pair] for pair in groups] == [[1], [3, 2], [5, 4]], "points"
    assert groups[1][1].colour == "#010203"
    best = headline(numbers, groups)
    assert best is not None
    assert (best.arm, best.against, best.label, best.estimate.mean) == ("G", "P", None, 5)
    assert headline(msgspec.structs.replace(numbers, about=None), groups) is None


def test_distances_are_those_to_held_out_images_with_their_counts_and_floor() -> None:
    found = comparisons_of(msgspec.convert(quality_numbers(["crack", "fray"]), Quality), {"fray": "#ffffff"})
    assert [item.label for item in found] == ["whole images", "all objects", "crack", "fray"]
    crack, fray = found[2], found[3]
    assert (crack.made.n_first, crack.floor.n_first, crack.made.n_second) == (100, 92, 20)
    assert crack.made.precision == 0.71, "against test, not against the training images it was made from"
    assert crack.kid is not None
    assert (crack.kid.mean, crack.kid.low, crack.kid.high) == pytest.approx((37, 34, 40))
    assert crack.kid_floor is not None
    assert crack.kid_floor.mean == pytest.approx(13)
    assert crack.fid == Estimate(59.5, 59.5, 59.5)
    assert (crack.comparable, crack.fid_biased, crack.colour, fray.colour) == (False, True, None, "#ffffff")


def test_a_quality_result_without_numbers_gives_nothing_and_no_error() -> None:
    assert comparisons_of(Quality(), {}) == []
    assert list(tables_of(Quality())) == []


def test_the_tables_of_a_quality_result_say_shares_seams_and_agreement() -> None:
    numbers = msgspec.convert(quality_numbers(["crack"]), Quality)
    found = {title: (words, table) for title, words, table in tables_of(numbers)}
    assert list(found) == ["Inside the masks", "Seams", "A segmenter that knows only real images"]
    assert found["Inside the masks"][1].rows == (("crack", "20", "0.97", "10%", "25%", "–", "2%"),)
    assert found["Seams"][0].startswith("0 of 7,003,897 pixels")
    assert found["Seams"][1].rows == (("crack", "20", "1.01", "1.04"),)
    assert found["A segmenter that knows only real images"][1].rows == (("crack", "0.40", "0.50", "0.80"),)


def test_nested_values_are_told_with_the_path_to_them() -> None:
    value = {"dataset": {"images": 12, "by": {"x": [1, 2]}}, "kid": 0.51234, "on": True, "none": None}
    assert list(facts(value)) == [
        ("dataset, images", "12"), ("dataset, by, x", "1, 2"), ("kid", "0.512"), ("on", "yes"), ("none", "–"),
    ]  # fmt: skip


def test_numbers_are_written_with_their_uncertainty() -> None:
    assert signed(Estimate(2.1, -1, 5)) == "+2.1 [−1.0, +5.0]"
    assert signed(Estimate(0.01, -0.04, 10.0)) == "0.0 [0.0, +10.0]"
    assert with_interval(None) == "–"
    assert cell(12345) == "12,345"
    assert cell(float("nan")) == "–"
    assert cell([1, {"y": 2}]) == '[1, {"y": 2}]'
