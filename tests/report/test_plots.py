"""Charts: well-formed, foreign to no page they stand in, and right where their numbers can be checked."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coigan_aug.annotations.records import DefectClass, colour_of
from coigan_aug.evaluation.numbers import ArmScores, Benefit, Quality
from coigan_aug.report import plots, score_plots, scores
from coigan_aug.report.figure import chart, evenly, inline, plain, rows
from coigan_aug.report.inventory import ClassInventory, Inventory, take_inventory
from coigan_aug.report.quality import comparisons_of
from coigan_aug.store.dataset import Dataset

from .conftest import benefit_numbers, quality_numbers

ODD = ["<img src=x onerror=alert(1)>", "$x_{", "裂纹", "a" * 60, "_hidden", "&amp;"]


def _texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


@pytest.mark.parametrize("name", ODD)
def test_a_class_name_stays_text_whatever_it_holds(name: str) -> None:
    axes = chart(80)
    rows(axes, [name])
    svg = inline(axes, "k", f"about {name}")
    assert "<img" not in svg
    assert (name if len(name) < 20 else name[:19] + "…") in _texts(svg)
    assert ElementTree.fromstring(svg).get("aria-label") == f"about {name}"


def test_ids_of_two_charts_do_not_meet_and_nothing_points_out_of_the_page() -> None:
    found = []
    for key in ("one", "two"):
        axes = chart(80)
        axes.plot([0, 1], [0, 1], "o")
        found.append(str(inline(axes, key, "a line")))
    assert not set(re.findall(r'id="([^"]+)"', found[0])) & set(re.findall(r'id="([^"]+)"', found[1]))
    for svg, key in zip(found, ("one", "two"), strict=True):
        ids = set(re.findall(r'id="([^"]+)"', svg))
        used = set(re.findall(r'(?:url\(|href=")#([^")]+)', svg))
        assert used <= ids
        assert used
        assert all(name.startswith(f"{key}-") for name in ids)
        assert "http" not in svg
        assert "<style" not in svg
        assert "var(--line)" in svg


def test_the_balance_says_every_count(toy: Dataset) -> None:
    inventory = take_inventory(toy)
    texts = _texts(plots.class_balance(inventory))
    for own in inventory.classes:
        assert own.item.name in texts
        assert str(own.train) in texts
        assert str(own.test) in texts


def _inventory(*classes: tuple[str, list[int]]) -> Inventory:
    return Inventory(
        images=3, defect_free=1, train=2, test=1, groups=(25, 3, 1),
        classes=tuple(
            ClassInventory(
                item=DefectClass(name=name, colour=colour_of(k)), objects=(), train=len(areas), test=0,
                areas=np.array(areas, np.int64), aspects=np.array(areas, np.float64), places=np.zeros((8, 48)),
            )
            for k, (name, areas) in enumerate(classes)
        ),
    )  # fmt: skip


def test_charts_of_the_data_bear_empty_classes_and_many_objects() -> None:
    many = _inventory(("none", []), ("one", [7]), ("many", list(range(1, 9000))))
    for draw in (plots.class_balance, plots.object_sizes, plots.aspect_ratios, plots.group_sizes):
        svg = draw(many)
        assert len(svg) < 150_000
        ElementTree.fromstring(svg)
        ElementTree.fromstring(draw(_inventory(("none", []))))
    assert "19+" in _texts(plots.group_sizes(many))


def test_training_curves_draw_pairs_together_and_whatever_else_was_logged() -> None:
    metrics = [
        {"images": 20.0 * k, "defect_logistic": 1.4, "reference_logistic": 1.3, "generator_adversarial": 0.7, "new_loss": 2.0}
        for k in range(5000)
    ]  # fmt: skip
    found = plots.training_curves(metrics)
    assert [title for title, _ in found] == ["Discriminators", "Generator against them", "new loss"]
    assert all(len(svg) < 60_000 for _, svg in found)
    assert "— defects alone" in _texts(found[0][1])
    assert "80k" in _texts(found[0][1])


def test_undecided_is_where_the_weight_of_a_loss_puts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """2 log 2 times the discriminators' weight; log 2 times the weight of each discriminator in the generator's loss."""
    levels: list[set[float]] = []
    curve = plots._curve

    def noting(*given: Any, even: Any = ()) -> Any:
        levels.append({round(level / math.log(2), 6) for level in even})
        return curve(*given, even=even)

    monkeypatch.setattr(plots, "_curve", noting)
    names = [name for _, *pair, _ in plots.CURVES for name in pair]
    metrics = [{"images": 20.0 * k, **dict.fromkeys(names, 1.0)} for k in range(3)]
    plots.training_curves(metrics)
    plots.training_curves(metrics, train={"discriminator_weight": 5, "adversarial": 20, "reference_adversarial": 8})
    assert levels == [{2}, {1}, {10}, {20, 8}]


def test_smoothing_keeps_a_constant_and_thinning_keeps_the_mean() -> None:
    points = np.stack([np.arange(1000.0), np.full(1000, 3.0)], axis=1)
    assert (plots.smooth(points)[:, 1] == 3).all()
    values = np.stack([np.arange(900.0), np.random.default_rng(0).normal(size=900)], axis=1)
    thinned = plots.thin(values, 300)
    assert thinned.shape == (300, 2)
    np.testing.assert_allclose(thinned.mean(axis=0), values.mean(axis=0))
    assert plots.smooth(points[:0]).shape == (0, 2)


@given(low=st.floats(-1e6, 1e6), width=st.floats(1e-6, 1e6))
@example(low=512.0, width=1e-6)
@example(low=-1e6, width=2e-3)
@example(low=0.0, width=3e-13)
@example(low=0.1, width=0.7)
def test_ticks_are_few_evenly_spaced_and_inside(low: float, width: float) -> None:
    high = low + width
    found = plots.nice(low, high)
    room = 1e-5 * (high - low)
    assert len(found) == 1 if high - low <= 1e-8 * max(abs(low), abs(high)) else 2 <= len(found) <= 9
    assert all(low - room <= value <= high + room for value in found)
    assert len({round(value, 6) for value in np.diff(found) / (np.diff(found)[:1] if len(found) > 1 else 1)}) <= 1


@pytest.mark.parametrize(("value", "text"), [(950, "950"), (4008, "4.008k"), (1_500_000, "1.5M"), (0, "0")])
def test_counts_are_written_briefly(value: float, text: str) -> None:
    assert plots.thousands(value) == text


def test_ticks_of_one_axis_have_as_many_decimals() -> None:
    values = [-0.02, 0.0, 0.1]
    assert [evenly(values)(value) for value in values] == ["−0.02", "0.00", "0.10"]
    assert evenly([0, 50])(50) == "50"


def test_dollar_signs_are_not_mathematics() -> None:
    assert plain("a$b") == r"a\$b"


def test_the_forest_says_each_difference_in_numbers_with_all_classes_first() -> None:
    numbers = msgspec.convert(benefit_numbers(["crack", "fray"]), Benefit)
    (first, _) = scores.differences_of(numbers, {"crack": "#112233"})
    svg = score_plots.forest(first, "f", reach=[found.estimate for found in first])
    texts = _texts(svg)
    assert [text for text in texts if text in ("all classes", "crack", "fray")] == ["all classes", "crack", "fray"]
    for found in first:
        assert scores.signed(found.estimate) in texts
    assert "#112233" in svg


def test_charts_of_results_bear_missing_numbers() -> None:
    arms = [ArmScores(name="real"), ArmScores(name="$", iou={"crack": None}, clean_false_positives=0)]
    for svg in (
        score_plots.mean_scores(arms),
        score_plots.class_scores("crack", "#112233", arms, "c"),
        score_plots.share_sweep(arms),
        score_plots.clean_area(arms),
    ):
        ElementTree.fromstring(svg)
    assert "no test pixels" in _texts(score_plots.class_scores("crack", "#112233", arms, "c"))


def test_the_sweep_has_a_line_for_each_source_over_its_shares() -> None:
    arms = msgspec.convert(benefit_numbers(["crack"], shares=(0.2, 0.35, 0.5)), Benefit).arms
    texts = _texts(score_plots.share_sweep(arms))
    assert {"0.2", "0.35", "0.5", "real", "gan", "paste"} <= set(texts)


def test_distances_stand_beside_their_floor() -> None:
    found = comparisons_of(msgspec.convert(quality_numbers(["crack"]), Quality), {"crack": "#112233"})
    svg = score_plots.distances([(c.label, c.colour, c.kid, c.kid_floor) for c in found], "kid", "KID")
    assert "#112233" in svg
    assert {"whole images", "all objects", "crack", "KID to the held-out real test data"} <= set(_texts(svg))
