"""Whether synthetic objects lie like real ones: distances against brute force, words against known changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.prepare.objects import find_objects
from coigan_aug.report.distributions import Comparison, Spread, compare, spread_of, state_of, wasserstein, words_of
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset

SAMPLE = st.lists(st.floats(-100, 100), min_size=1, max_size=6)


@given(first=SAMPLE, second=SAMPLE)
def test_the_distance_is_that_of_the_cheapest_pairing(first: list[float], second: list[float]) -> None:
    """Both repeated to a common length and sorted, the pairing in order is the cheapest in one dimension."""
    length = np.lcm(len(first), len(second))
    pairs = [np.sort(np.repeat(own, length // len(own))) for own in (first, second)]
    found = wasserstein(np.array(first), np.array(second))
    assert found == pytest.approx(np.abs(pairs[0] - pairs[1]).mean(), abs=1e-9)


def _spread(count: int, *, seed: int = 0, each: int = 1) -> Spread:
    draw = rng.generator(seed, "spread")
    return Spread(
        x=draw.uniform(0.3, 0.6, count),
        y=draw.uniform(0.3, 0.6, count),
        edge=draw.uniform(0.05, 0.4, count),
        area=np.exp(draw.normal(6, 0.7, count)),
        image=np.arange(count) // each,
        heat=np.zeros((4, 4)),
    )


def _changed(own: Spread, name: str, change: float, stretch: float) -> Spread:
    values = {key: own.of(key) for key in ("x", "y", "edge", "area")}
    old = np.log(values[name]) if name == "area" else values[name]
    new = old.mean() + stretch * (old - old.mean()) + change
    values[name] = np.exp(new) if name == "area" else new
    return Spread(**values, image=own.image, heat=own.heat)


@pytest.mark.parametrize(
    ("name", "change", "stretch", "words"),
    [
        ("x", 0.2, 1, "further right by 20%"),
        ("x", -0.25, 1, "further left by 25%"),
        ("y", 0.2, 1, "further down by 20%"),
        ("y", -0.2, 1, "higher up by 20%"),
        ("edge", 0.1, 1, "further from the edge by 10%"),
        ("edge", -0.05, 0.4, "nearer to the edge by 5%"),
        ("area", np.log(2.5), 1, "larger by a factor of 2.5"),
        ("area", -np.log(3), 1, "smaller by a factor of 3.0"),
        ("x", 0, 0.1, "less spread out"),
        ("y", 0, 2.2, "more spread out"),
        ("area", 0, 2.2, "sizes more varied"),
        ("area", 0, 0.1, "sizes less varied"),
        ("y", 0.03, 1, "slightly further down by 3%"),
        ("x", 0, 1, "fits"),
        ("area", 0.05, 1, "fits"),
    ],
)
def test_a_known_change_is_said_in_words_and_no_other(name: str, change: float, stretch: float, words: str) -> None:
    real = _spread(3000)
    for found in compare("crack", real, _changed(real, name, change, stretch)):
        said = words_of(found)
        if name != found.name:
            assert said == "fits"
            assert found.distance == 0
        elif "by" in words:
            number = float(words.rstrip("%").split()[-1])
            assert said.partition(" by ")[0] == words.partition(" by ")[0]
            assert float(said.rstrip("%").split()[-1]) == pytest.approx(number, rel=0.15, abs=1)
        else:
            assert said.removeprefix("slightly ").removesuffix(", which may be chance") == words


def test_only_what_is_slight_is_called_so_and_what_chance_explains_is_said_to_be_chance() -> None:
    """The distance lies between what random halves keep and 1.5 times it: near, whatever the change is."""
    real = _spread(3000)
    (area,) = (
        found for found in compare("crack", real, _changed(real, "area", np.log(3.8), 1)) if found.name == "area"
    )
    (down,) = (found for found in compare("crack", real, _changed(real, "y", 0.04, 1)) if found.name == "y")
    for found, words in ((area, "larger by a factor of 3."), (down, "further down by ")):
        near = replace(found, distance=1.2, floor=1.0)
        slight = "slightly " if found is down else ""
        assert words_of(near).startswith(slight + words)
        assert words_of(near).endswith("chance") == (not slight)
    few_but_sure = replace(area, distance=0.45, floor=0.1)
    assert words_of(few_but_sure).startswith("larger by a factor of 3.")
    assert "chance" not in words_of(few_but_sure)
    assert "slightly" not in words_of(few_but_sure)


def test_the_distance_is_in_standard_deviations_and_counts_are_all_objects() -> None:
    real = _spread(500)
    moved = _changed(real, "x", 0.15, 1)
    (across, *_) = compare("crack", real, moved)
    assert across.distance == pytest.approx(0.15 / real.x.std())
    assert sum(across.real_counts) == sum(across.synthetic_counts) == 500
    assert len(across.edges) == len(across.real_counts) + 1
    assert all(sum(found.synthetic_counts) == 500 for found in compare("crack", real, moved))


def test_sets_drawn_alike_mostly_fit_and_the_floor_falls_with_their_number() -> None:
    fits = [
        state_of(found)
        for seed in range(20)
        for found in compare("a", _spread(40, seed=seed), _spread(60, seed=100 + seed))
    ]
    assert fits.count("fits") >= 0.85 * len(fits)
    few, many = (next(compare("a", _spread(n), _spread(n))).floor for n in (40, 4000))
    assert few is not None
    assert many is not None
    assert 5 < few / many < 20, "about the root of a hundred"


def test_what_lies_in_one_image_counts_together() -> None:
    """Ten objects to an image, all at its own place: the floor is that of the images, not of the objects."""
    alone, together = _spread(40), _spread(400, each=10)
    places = np.repeat(alone.x, 10)
    moved = Spread(x=places, y=places, edge=places, area=together.area, image=together.image, heat=together.heat)
    own, other = (next(compare("a", item, item)).floor for item in (alone, moved))
    assert own is not None
    assert other == pytest.approx(own, rel=0.3)


@pytest.mark.parametrize(("real", "made"), [(0, 5), (5, 0), (0, 0), (3, 9)])
def test_too_few_objects_are_said_to_be_too_few(real: int, made: int) -> None:
    for found in compare("crack", _spread(real), _spread(made)):
        assert words_of(found) == "too few to say"


def test_objects_all_alike_are_no_division_by_nothing() -> None:
    found = Spread(
        x=np.full(9, 0.5),
        y=np.full(9, 0.5),
        edge=np.full(9, 0.2),
        area=np.full(9, 7.0),
        image=np.arange(9),
        heat=np.zeros((4, 4)),
    )
    for item in compare("a", found, found):
        assert (item.distance, words_of(item)) == (0, "fits")


def test_a_comparison_without_objects_of_one_kind_is_a_plain_value() -> None:
    (found, *_) = compare("a", _spread(0), _spread(5))
    assert isinstance(found, Comparison)
    assert found.distance is None
    assert sum(found.real_counts) == 0


def _dataset(folder: Path, mask: np.ndarray, source: dict[str, object]) -> Dataset:
    record = ImageRecord(
        file="a.png", height=mask.shape[0], width=mask.shape[1], split="train", source=source,
        annotations=(Annotation(label="dot", rle=rle.encode(mask)),),
    )  # fmt: skip
    classes = (DefectClass(name="dot", colour=(1, 2, 3)),)
    return write_dataset(folder, [record], classes=classes, image_root=folder, provenance={})


def test_a_window_is_put_back_where_it_was_cut_from(tmp_path: Path) -> None:
    whole = np.zeros((64, 128), np.uint8)
    cv2.circle(whole, (80, 40), 9, 1, -1)
    window = whole[24:56, 64:96]
    sizes = {"base.png": (64, 128)}
    first = _dataset(tmp_path / "a", whole, {})
    second = _dataset(tmp_path / "b", window, {"base": "base.png", "region": [64, 24, 32, 32]})
    real, made = (
        spread_of(data, find_objects(data, [0], scale=1.0), sizes=sizes, shape=(16, 32)) for data in (first, second)
    )
    assert real.x[0] == pytest.approx(80.5 / 128)
    assert real.y[0] == pytest.approx(40.5 / 64)
    assert real.edge[0] == pytest.approx((64 - 50) / 64)  # the disc's last row is 49
    for name in ("x", "y", "edge", "area"):
        assert real.of(name) == pytest.approx(made.of(name))
    np.testing.assert_allclose(real.heat, made.heat)


def test_the_map_is_the_mask_shrunk_and_a_little_blurred(tmp_path: Path) -> None:
    mask = np.zeros((64, 128), np.uint8)
    cv2.ellipse(mask, (90, 30), (30, 12), 20, 0, 360, 1, -1)
    data = _dataset(tmp_path / "a", mask, {})
    found = spread_of(data, find_objects(data, [0], scale=1.0), sizes={}, shape=(16, 32))
    shrunk = mask.reshape(16, 4, 32, 4).mean(axis=(1, 3))
    expected = cv2.GaussianBlur(shrunk, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    np.testing.assert_allclose(found.heat, expected / expected.max(), atol=1e-9)
