"""New defects go where the real ones of their class lie, at the part's edge as often, and never where they may not."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coigan_aug.places.density import PlaceDensity, measure_places
from coigan_aug.places.room import RelativePlace, outline_points, room_of
from coigan_aug.prepare.examples import Examples
from coigan_aug.settings import DataSettings
from tests.prepare.scenes import ellipse, examples_of, painted, patch
from tests.thorough import tries

SHAPE = (120, 200)
NONE = (False, False, False, False)


def _depth_by_hand(part: np.ndarray, y: int, x: int) -> float:
    """Return the distance of a pixel to the nearest one off the part or off the image, less 1."""
    padded = np.pad(part, 1)
    rows, columns = np.nonzero(padded == 0)
    return max(float(np.hypot(rows - y - 1, columns - x - 1).min()) - 1, 0)


@settings(max_examples=tries(30))
@given(st.integers(0, 9999), st.booleans())
def test_the_distance_from_the_edge_is_that_of_the_nearest_pixel_by_hand(seed: int, whole: bool) -> None:
    draw = np.random.default_rng(seed)
    part = np.ones((24, 31), np.uint8) if whole else ellipse((24, 31), centre=(15, 12), axes=(13, 10)).astype(np.uint8)
    mask = (draw.random((5, 4)) < 0.6).astype(np.uint8)
    mask[[0, -1], :] = mask[:, [0, -1]] = 1
    left, top = int(draw.integers(0, 27)), int(draw.integers(0, 19))
    expected = min(_depth_by_hand(part, top + y, left + x) for y, x in zip(*np.nonzero(mask), strict=True))
    found = room_of(part, scale=1.0).place(mask, left=left, top=top)
    assert found.distance == pytest.approx(expected, abs=1e-3)
    assert found.relative == pytest.approx(expected / (24 if whole else 21), abs=1e-3)
    assert found.touches == (found.distance < 2)


def test_a_place_is_its_share_of_the_free_room_in_the_parts_box() -> None:
    part = patch(SHAPE, 20, 10, 160, 100)
    room, mask = room_of(part, scale=1.0), np.ones((10, 40), np.uint8)
    middle = room.place(mask, left=20 + 30, top=10 + 45)
    assert (middle.x, middle.y, middle.distance, middle.edges) == (0.25, 0.5, 30, NONE)
    corner = room.place(mask, left=140, top=10)
    assert (corner.x, corner.y, corner.distance, corner.edges) == (1.0, 0.0, 0, (False, True, True, False))
    across = room.place(np.ones((10, 160), np.uint8), left=20, top=40)
    assert (across.x, across.edges) == (0.5, (True, False, True, False))


def test_mirroring_a_place_is_measuring_it_in_the_mirrored_image() -> None:
    part = patch(SHAPE, 20, 0, 170, 110)
    mask = np.ones((12, 30), np.uint8)
    for left, top in ((20, 30), (60, 0), (160, 98), (77, 41)):
        here = room_of(part, scale=1.0).place(mask, left=left, top=top)
        there = room_of(np.ascontiguousarray(part[::-1, ::-1]), scale=1.0)
        mirrored = there.place(mask, left=SHAPE[1] - left - 30, top=SHAPE[0] - top - 12)
        expected = here.mirrored(x=True, y=True)
        assert (mirrored.x, mirrored.y) == pytest.approx((expected.x, expected.y))
        assert (mirrored.distance, mirrored.edges) == (expected.distance, expected.edges)


def _rough(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return painted(np.ones(shape, bool), back=0, front=120, seed=seed)


def _spots_inside_lines_at_borders(folder: Path) -> Examples:
    """30 images: a spot in the upper left quarter, away from the border, and a line; two of three lines begin at the top."""
    draw, images, masks = np.random.default_rng(4), [], []
    for k in range(30):
        spot = patch(SHAPE, int(draw.integers(30, 60)), int(draw.integers(25, 40)), 9, 7)
        line = patch(SHAPE, int(draw.integers(100, 180)), 0 if k % 3 else 50, 3, 30)
        images.append(_rough(k))
        masks.append({"spot": [spot], "line": [line]})
    return examples_of(folder, images, masks)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Examples, PlaceDensity]:
    examples = _spots_inside_lines_at_borders(tmp_path_factory.mktemp("places"))
    return examples, measure_places(examples)


def _draw(
    places: PlaceDensity,
    label: int,
    shape: tuple[int, int],
    mask: np.ndarray,
    count: int,
    part: np.ndarray | None = None,
) -> list[RelativePlace]:
    own = np.ones(shape, np.uint8) if part is None else part
    room = room_of(own, scale=1.0)
    at = [places.find(np.random.default_rng(k), label, mask, own > 0, places.room(own)) for k in range(count)]
    return [room.place(mask, left=found[0], top=found[1]) for found in at if found]


def test_what_is_measured_is_where_the_objects_were_painted(measured: tuple[Examples, PlaceDensity]) -> None:
    examples, places = measured
    assert places.touching == pytest.approx((0, 2 / 3))
    for label in range(2):
        for k in places.by_class[label]:
            left, top, width, height = examples.objects[k].box
            sides = (left, top, SHAPE[1] - left - width, SHAPE[0] - top - height)
            assert places.of[k].distance == min(sides)
            assert places.of[k].edges == tuple(side < 2 for side in sides)
            assert places.of[k].x == pytest.approx(left / (SHAPE[1] - width))
    assert pickle.loads(pickle.dumps(places)) == places
    assert len(pickle.dumps(places)) < 20_000


def _bandwidth(shares: np.ndarray, count: int) -> float:
    """Half of Scott's rule in two dimensions, n^(-1/(2 + 4)) standard deviations, within 1 % and 5 % of the room."""
    return float(np.clip(0.5 * np.std(shares) * count ** (-1 / 6), 0.01, 0.05))


@pytest.mark.parametrize("pieces", [3, 12])
def test_places_are_blurred_by_half_of_scotts_rule_and_photographs_of_a_piece_count_once(
    tmp_path: Path, pieces: int
) -> None:
    """Spots spread more across than down, lines wider than can be; what lies at an edge says nothing of it."""
    draw, masks, spots, lines = np.random.default_rng(6), [], [], []
    for k in range(12):
        spots.append((int(draw.integers(50, 110)), int(draw.integers(20, 40))))
        lines.append((20 if k % 2 else 170, 110 if k % 3 else 0))
        masks.append({"spot": [patch(SHAPE, *spots[-1], 9, 7)], "line": [patch(SHAPE, *lines[-1], 5, 10)]})
    groups = [f"piece {k % pieces}" for k in range(12)]
    places = measure_places(examples_of(tmp_path, [_rough(k) for k in range(12)], masks, groups=groups))
    left, top = np.transpose(spots) / np.array([[SHAPE[1] - 9], [SHAPE[0] - 7]])
    expected = (_bandwidth(left, pieces), _bandwidth(top, pieces))
    assert 0.01 < expected[1] < expected[0] < 0.05
    assert places.bandwidths[0] == pytest.approx(expected)
    assert places.bandwidths[1] == (0.05, 0.01), "far apart across; at the edges, and nowhere else, down"


@pytest.mark.parametrize("shape", [SHAPE, (256, 1600), (300, 210), (60, 90)])
def test_a_class_comes_out_at_borders_in_the_share_that_it_had_in_training(
    measured: tuple[Examples, PlaceDensity], shape: tuple[int, int]
) -> None:
    _, places = measured
    spots = _draw(places, 0, shape, np.ones((7, 9), np.uint8), 150)
    lines = _draw(places, 1, shape, np.ones((30, 3), np.uint8), 150)
    assert len(spots) == len(lines) == 150
    assert not any(place.touches for place in spots)
    assert np.mean([place.touches for place in lines]) == pytest.approx(2 / 3, abs=0.1)
    assert all(place.edges == (False, True, False, False) for place in lines if place.touches)
    for label, drawn in enumerate((spots, lines)):
        real = np.mean([places.of[k].x for k in places.by_class[label]])
        assert np.mean([place.x for place in drawn]) == pytest.approx(real, abs=0.04)


def test_the_distance_from_the_edge_is_distributed_as_in_training(measured: tuple[Examples, PlaceDensity]) -> None:
    _, places = measured
    real = np.sort([places.of[k].distance for k in places.by_class[0]])
    drawn = np.sort([place.distance for place in _draw(places, 0, SHAPE, np.ones((7, 9), np.uint8), 300)])
    quantiles = np.linspace(0.05, 0.95, 19)
    assert np.abs(np.quantile(real, quantiles) - np.quantile(drawn, quantiles)).max() < 1.5


@settings(max_examples=tries(60), deadline=None)
@given(
    st.integers(0, 9999), st.integers(1, 60), st.integers(1, 60), st.floats(0, 0.3), st.integers(0, 1), st.booleans()
)
def test_a_place_is_wholly_inside_what_is_allowed_and_drawn_alike_again(
    measured: tuple[Examples, PlaceDensity], seed: int, height: int, width: int, taken: float, label: int, near: bool
) -> None:
    _, places = measured
    draw = np.random.default_rng(seed)
    mask = (draw.random((height, width)) < 0.5).astype(np.uint8)
    mask[0, :] = mask[:, 0] = mask[-1, :] = mask[:, -1] = 1
    allowed = np.kron(draw.random((5, 7)) >= taken, np.ones((10, 12))) > 0
    part = ellipse(allowed.shape, centre=(42, 25), axes=(40, 24)).astype(np.uint8)
    found = [
        places.find(
            np.random.default_rng(seed),
            label,
            mask,
            allowed & (part > 0),
            places.room(part),
            near=(0.3, 1.0) if near else None,
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    if found[0] is not None:
        left, top = found[0]
        assert left >= 0
        assert top >= 0
        own = (allowed & (part > 0))[top : top + height, left : left + width]
        assert own.shape == mask.shape
        assert own[mask > 0].all()


def test_on_a_round_part_a_border_class_touches_the_outline_and_another_does_not(tmp_path: Path) -> None:
    shape = (160, 240)
    truth = ellipse(shape, centre=(120, 80), axes=(90, 65))
    part = truth.astype(np.uint8)
    draw, images, masks = np.random.default_rng(2), [], []
    for k in range(12):
        turn = draw.uniform(0, 2 * np.pi)
        inner = patch(shape, 100 + int(draw.integers(30)), 60 + int(draw.integers(30)), 10, 8)
        x, y = 120 + 90 * np.cos(turn), 80 + 65 * np.sin(turn)
        rim = ellipse(shape, centre=(round(x), round(y)), axes=(9, 9)) & truth
        images.append(painted(truth, back=5, front=120, seed=20 * k))
        masks.append({"spot": [inner], "line": [rim.astype(np.uint8)]})
    examples = examples_of(tmp_path, images, masks)
    places = measure_places(examples)
    assert places.parts.used
    assert places.touching == (0, 1)
    spots = _draw(places, 0, shape, np.ones((8, 10), np.uint8), 60, part)
    rims = _draw(places, 1, shape, ellipse((15, 15), centre=(7, 7), axes=(7, 7)).astype(np.uint8), 60, part)
    assert len(spots) == 60
    assert not any(place.touches for place in spots)
    assert len(rims) == 60
    assert all(place.touches for place in rims)
    assert {(place.x > 0.5, place.y > 0.5) for place in rims} == {(a, b) for a in (True, False) for b in (True, False)}


def test_near_an_edge_is_at_it_and_elsewhere_away_from_it(measured: tuple[Examples, PlaceDensity]) -> None:
    _, places = measured
    own, mask = np.ones(SHAPE, np.uint8), np.ones((30, 3), np.uint8)
    at_top = next(k for k in places.by_class[1] if places.of[k].touches)
    for seed in range(30):
        draw = np.random.default_rng(seed)
        bottom = places.find(draw, 1, mask, own > 0, places.room(own), near=(0.3, 1.0), beside=at_top)
        assert bottom is not None
        assert bottom[1] == SHAPE[0] - 30
        assert 1 < bottom[0] < 120
        inner = places.find(draw, 0, mask, own > 0, places.room(own), near=(0.03, 0.5))
        assert inner is not None
        assert min(inner[0], inner[1], SHAPE[1] - 3 - inner[0], SHAPE[0] - 30 - inner[1]) >= 2


@pytest.mark.parametrize(
    "near", [(0.0, 0.4), (1.0, 0.4), (0.4, 0.0), (0.4, 1.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
)
def test_near_each_side_and_in_each_corner_touches_those_sides_and_no_other(
    measured: tuple[Examples, PlaceDensity], near: tuple[float, float]
) -> None:
    _, places = measured
    own, mask = np.ones(SHAPE, np.uint8), np.ones((12, 20), np.uint8)
    room = places.room(own)
    for seed in range(10):
        found = places.find(np.random.default_rng(seed), 1, mask, own > 0, room, near=near)
        assert found is not None
        place = room.place(mask, left=found[0], top=found[1])
        assert place.edges == (near[0] == 0, near[1] == 0, near[0] == 1, near[1] == 1)
        assert (place.x, place.y) == pytest.approx(near, abs=0.25)


def test_a_class_that_never_touches_the_border_finds_no_place_where_it_would_have_to(
    measured: tuple[Examples, PlaceDensity],
) -> None:
    _, places = measured
    own, tall = np.ones((40, 60), np.uint8), np.ones((40, 3), np.uint8)
    assert places.find(np.random.default_rng(0), 0, tall, own > 0, places.room(own)) is None
    assert places.find(np.random.default_rng(0), 1, tall, own > 0, places.room(own)) is not None
    assert places.find(np.random.default_rng(0), 1, np.ones((41, 3), np.uint8), own > 0, places.room(own)) is None


def test_in_a_small_allowed_region_a_place_is_found_wherever_it_lies(measured: tuple[Examples, PlaceDensity]) -> None:
    _, places = measured
    part, allowed = np.ones((256, 1600), np.uint8), np.zeros((256, 1600), bool)
    allowed[200:240, 1400:1450] = True
    for seed in range(20):
        found = places.find(np.random.default_rng(seed), 0, np.ones((7, 9), np.uint8), allowed, places.room(part))
        assert found is not None
        assert 1400 <= found[0] <= 1441
        assert 200 <= found[1] <= 233


def test_mirrored_shapes_keep_to_the_sides_that_their_class_touches(measured: tuple[Examples, PlaceDensity]) -> None:
    """All lines at an edge are at the top, so none is turned upside down; what touches nothing is mirrored as drawn."""
    _, places = measured
    for k in places.by_class[1]:
        x, y, place = places.mirror(np.random.default_rng(k), 1, k, x=True, y=True)
        assert x
        assert y != places.of[k].touches
        assert place == places.of[k]
    asks = places.mirror(np.random.default_rng(0), 1, places.by_class[1][1], x=False, y=False)
    assert asks[:2] == (False, False)


def test_of_a_class_that_touches_two_sides_each_side_keeps_its_share(measured: tuple[Examples, PlaceDensity]) -> None:
    _, places = measured
    own = list(places.by_class[1])
    at_left = RelativePlace(0.0, 0.4, 0.0, 0.0, (True, False, False, False), True)
    at_right = replace(at_left, x=1.0, edges=(False, False, True, False))
    sided = replace(places, of={k: at_right if n % 5 == 0 else at_left for n, k in enumerate(own)})
    draw, right = np.random.default_rng(1), []
    for _ in range(8000):
        k = own[int(draw.integers(len(own)))]
        x, _, place = sided.mirror(draw, 1, k, x=bool(draw.integers(2)), y=False)
        right.append(place.x == 1.0)
        assert (place.x != sided.of[k].x) == x
    assert np.mean(right) == pytest.approx(0.2, abs=0.03)


def test_a_shape_that_went_from_edge_to_edge_asks_for_a_part_where_it_does(tmp_path: Path) -> None:
    across = {"line": [patch(SHAPE, 0, 40, SHAPE[1], 4)], "spot": [patch(SHAPE, 50, 80, 9, 9)]}
    places = measure_places(examples_of(tmp_path, [_rough(0)], [across]))
    (spot,), (line,) = places.by_class
    mask = np.ones((4, SHAPE[1]), np.uint8)
    assert places.spans(line, mask, places.room(np.ones((90, SHAPE[1]), np.uint8)))
    assert places.spans(line, mask, places.room(np.ones((90, 150), np.uint8)))
    assert not places.spans(line, mask, places.room(np.ones((90, 250), np.uint8)))
    assert places.spans(spot, np.ones((9, 9), np.uint8), places.room(np.ones((90, 250), np.uint8)))


def test_places_at_the_working_scale_are_those_at_full_size(tmp_path: Path) -> None:
    """Masks are measured at full size whatever the working scale; only the part is seen at it."""
    masks = [{"spot": [patch(SHAPE, 31 + k, 43, 9, 7)], "line": [patch(SHAPE, 0, 71, 4, 31)]} for k in range(3)]
    images = [_rough(k) for k in range(3)]
    found = [
        measure_places(
            examples_of(tmp_path / str(s), images, masks, settings=DataSettings(window=16, scale=s, min_area=1))
        )
        for s in (1.0, 0.4)
    ]
    assert found[0].of == found[1].of


def test_the_outline_of_a_mask_is_its_pixels_beside_others() -> None:
    rows, columns = outline_points(np.ones((5, 6), np.uint8))
    assert {(y, x) for y in range(5) for x in range(6) if y in (0, 4) or x in (0, 5)} == set(
        zip(rows.tolist(), columns.tolist(), strict=True)
    )
    assert len(outline_points(np.ones((900, 900), np.uint8))[0]) <= 2000
