"""Transplants: defects lie where they lay, in the base's proportions; mask and pixels go together; nothing else changes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coigan_aug import rng as streams
from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_image, to_rgb, write_image
from coigan_aug.places.density import measure_places
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.sealed import read_lines, read_sealed
from coigan_aug.segmenter.windows import Mixture
from coigan_aug.settings import Settings
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.engines import Engine, copying_engine, untrained_engine
from coigan_aug.synthesis.live import LiveCopies
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.own_place import Donor, draw_donor, move, stretch_of, to_base
from coigan_aug.synthesis.paste import counterfeit
from coigan_aug.synthesis.plan import Planner
from tests.synthesis.drawing import made_set, planner_of, with_synthesis


def planner_here(prepared: Prepared, settings: Settings) -> Planner:
    own = Engine("transplant", lambda *_: ()).own_places(prepared.classes)
    return planner_of(prepared, settings, [1] * prepared.classes, own_places=own)


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory, small: Settings) -> Prepared:
    """Two images of 60 x 80 with two bars of one class each, clean ones of 60 x 80, 66 x 96 and 30 x 40."""
    folder, records = tmp_path_factory.mktemp("sizes"), []
    draw = np.random.default_rng(0)
    for number, (height, width) in enumerate([(60, 80), (60, 80), (60, 80), (66, 96), (30, 40)]):
        image = np.full((height, width), 140.0) + draw.normal(0, 2, (height, width))
        annotations = ()
        if number < 2:
            mask = np.zeros((height, width), np.uint8)
            mask[0:12, 10:16] = 1  # at the upper edge
            mask[40:48, 50:70] = 1
            image[mask != 0] -= 60
            annotations = (Annotation(label="bar", rle=rle.encode(mask)),)
        write_image(folder / f"{number}.png", image.clip(0, 255).astype(np.uint8))
        records.append(
            ImageRecord(
                file=f"{number}.png",
                height=height,
                width=width,
                annotations=annotations,
                group=str(number),
                split="train",
            )
        )
    classes = (DefectClass(name="bar", colour=(255, 0, 0), source_id=1),)
    dataset = write_dataset(folder / "set", records, classes=classes, image_root=folder, provenance={})
    return prepare(dataset, small.data, cache_root=folder / "cache")


def _donor(prepared: Prepared, *, x: bool = False, y: bool = False) -> Donor:
    return Donor(0, tuple(k for k in prepared.by_class[0] if prepared.objects[k].position == 0), x, y)


def _moved(prepared: Prepared, donor: Donor, base: int) -> np.ndarray:
    record = prepared.dataset[base]
    free = np.ones((record.height, record.width), bool)
    found = move(prepared, donor, base, Box(0, 0, record.width, record.height), free)
    assert found is not None
    return rle.decode(found.rle)


@pytest.mark.parametrize(("x", "y"), [(False, False), (True, False), (False, True), (True, True)])
def test_on_an_image_of_the_same_size_the_masks_are_the_donors_mirrored(sizes: Prepared, x: bool, y: bool) -> None:
    expected = rle.decode(rle.union([item.rle for item in sizes.dataset[0].annotations]))
    expected = expected[:: -1 if y else 1, :: -1 if x else 1]
    np.testing.assert_array_equal(_moved(sizes, _donor(sizes, x=x, y=y), 2), expected)


@pytest.mark.parametrize("base", [3, 4])
def test_on_an_image_of_another_size_everything_lies_in_the_same_proportions(sizes: Prepared, base: int) -> None:
    record, donor = sizes.dataset[base], _donor(sizes)
    found = _moved(sizes, donor, base)
    down, across = record.height / 60, record.width / 80
    expected = np.zeros(found.shape, bool)
    for top, bottom, left, right in ((0, 12, 10, 16), (40, 48, 50, 70)):
        expected[round(top * down) : round(bottom * down), round(left * across) : round(right * across)] = True
    overlap = (expected & (found != 0)).sum() / (expected | (found != 0)).sum()
    assert overlap > 0.8
    assert found[0].any(), "what touches an edge still does"
    assert stretch_of(sizes, donor, base) == pytest.approx(max(down, across, 1 / down, 1 / across))


def test_corners_of_the_donor_go_to_corners_of_the_base(sizes: Prepared) -> None:
    for flips in ((False, False), (True, True)):
        matrix = to_base(sizes, Donor(0, (0,), *flips), 3)
        corners = matrix @ np.array([[-0.5, 79.5], [-0.5, 59.5], [1, 1]])
        ends = np.array([[-0.5, 95.5], [-0.5, 65.5]])
        np.testing.assert_allclose(corners, ends[:, ::-1] if flips[0] else ends)


@pytest.mark.parametrize("size", [0.5, 1.2])
def test_what_is_made_larger_or_smaller_stays_at_its_edge_and_in_its_middle(sizes: Prepared, size: float) -> None:
    """The bars reach from the upper edge to row 48 and from column 10 to 70: they grow from that edge, about column 40."""
    plain, other = (_moved(sizes, replace(_donor(sizes), size=factor), 2) for factor in (1.0, size))
    assert other[0].any()
    upper = rle.box(rle.encode(np.ascontiguousarray(other[: round(20 * size)])))
    assert (upper.top, upper.height) == (0, round(12 * size))
    assert upper.left == pytest.approx(40 + (10 - 40) * size, abs=1)
    assert other.sum() == pytest.approx(plain.sum() * size**2, rel=0.15)
    assert rle.box(rle.encode(other)).bottom == pytest.approx(48 * size, abs=1)


def test_sizes_and_strengths_are_drawn_evenly_and_only_where_they_are_asked_for(
    prepared: Prepared, small: Settings
) -> None:
    plain = planner_here(prepared, small)
    varied = planner_here(prepared, with_synthesis(small, size=(0.5, 2.0), strength=(0.4, 0.8)))
    jobs = [planner.place(k, [0], part=0, attempt=0) for planner in (plain, varied) for k in range(60)]
    strengths = [[defect.strength for job in own if job for defect in job.defects] for own in (jobs[:60], jobs[60:])]
    assert set(strengths[0]) == {1.0}
    assert min(strengths[1]) == pytest.approx(0.42, abs=0.02)
    assert max(strengths[1]) == pytest.approx(0.78, abs=0.02)
    donors = [varied._shape(streams.generator(0, "x", k), 0).size for k in range(200)]
    assert np.median(donors) == pytest.approx(1, abs=0.15)
    assert min(donors) == pytest.approx(0.51, abs=0.01)
    assert max(donors) == pytest.approx(1.98, abs=0.02)


@pytest.mark.parametrize("engine", ["transplant", "paste", "poisson", "patch"])
def test_what_is_half_as_strong_changes_half_as_much_under_the_same_mask(
    sizes: Prepared, small: Settings, engine: str
) -> None:
    planner, drawn = planner_here(sizes, small), untrained_engine(engine, sizes, small)
    job = planner.place(0, [0], part=0, attempt=0)
    assert job is not None
    base = read_image(sizes.dataset.image_path(job.base))
    faint = replace(job, defects=tuple(replace(defect, strength=0.5) for defect in job.defects))
    (whole,), (half,) = (drawn.draw([own], [base], [[]]) for own in (job, faint))
    change, less = (made.astype(int) - base.astype(int) for made in (whole, half))
    assert np.abs(change).max() > 40
    assert np.abs(less - change / 2).max() <= 1


def test_where_defects_may_not_lie_they_are_not_put(sizes: Prepared) -> None:
    free = np.ones((60, 80), bool)
    free[:, 40:] = False  # the larger bar's side
    assert move(sizes, _donor(sizes), 2, Box(0, 0, 80, 60), free) is None
    free[:] = True
    free[:, 69:] = False  # its last column: 8 of 232 pixels
    found = move(sizes, _donor(sizes), 2, Box(0, 0, 80, 60), free)
    assert found is not None
    assert rle.area(found.rle) == 12 * 6 + 8 * 19


def test_the_pixels_go_where_the_mask_goes_and_nothing_beyond_the_margin_changes(
    sizes: Prepared, small: Settings
) -> None:
    planner, engine = planner_here(sizes, small), copying_engine("transplant", sizes, small)
    bases = set()
    for number in range(30):
        job = planner.place(number, [0], part=0, attempt=0)
        assert job is not None
        base = read_image(sizes.dataset.image_path(job.base))
        (made,) = engine.draw([job], [base], [[]])
        mask = rle.decode(job.defects[0].rle)
        beyond = grow(mask, margin_of(small)) == 0
        np.testing.assert_array_equal(made[beyond], base[beyond])
        change = base.astype(int) - made.astype(int)
        assert np.median(change[mask != 0]) > 40, "the bar is 60 darker than its surface, here as there"
        assert job.defects[0].shape == "moved"
        bases.add(job.base)
    assert bases == {2, 3}, "the smallest image would have to be shrunk too much"


def test_images_are_chosen_before_their_objects(prepared: Prepared) -> None:
    places = measure_places(prepared)
    drawn = [draw_donor(prepared, places, streams.generator(0, "x", k), 0, flip=True) for k in range(60)]
    positions = {prepared.objects[donor.first].position for donor in drawn}
    assert positions == {prepared.objects[k].position for k in prepared.by_class[0]}
    for donor in drawn:
        own = {prepared.objects[k].position for k in donor.objects}
        assert len(own) == 1
        assert {prepared.objects[k].label for k in donor.objects} == {0}


def test_a_set_of_transplants_is_made_like_any_other(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    engine = copying_engine("transplant", prepared, small)
    made_set(prepared, engine, small, tmp_path / "out", per_class=3)
    card = read_sealed(tmp_path / "out/card.json")
    assert card["engine"] == "transplant"
    assert card["defects"] == dict.fromkeys(prepared.dataset.names, 3)
    assert card["places"]["own_places"] == list(prepared.dataset.names)
    rows = read_lines(tmp_path / "out/plan.jsonl")
    assert {defect["shape"] for row in rows for defect in row["defects"]} == {"moved"}


def _live(prepared: Prepared, settings: Settings, **more: object) -> LiveCopies:
    return LiveCopies(
        planner=planner_here(prepared, settings),
        engine="transplant",
        scale=1.0,
        window_side=32,
        jitter=(0.8, 1.25),
        **more,
    )  # type: ignore[arg-type]


def test_every_window_is_another_copy_and_the_same_in_any_process(prepared: Prepared, small: Settings) -> None:
    live = _live(prepared, small)
    again = pickle.loads(pickle.dumps(live))
    windows = [live.window(3, index) for index in range(12)]
    for index, (pixels, masks) in reversed(list(enumerate(windows))):
        other, labels = again.window(3, index)
        np.testing.assert_array_equal(other, pixels)
        np.testing.assert_array_equal(labels, masks)
        assert masks.any()
        assert pixels.shape == (32, 32, 3)
    assert len({pixels.tobytes() for pixels, _ in windows}) == 12
    assert {int(k) for _, masks in windows for k in np.flatnonzero(masks.any(axis=(1, 2)))} == {0, 1}


def test_windows_of_one_class_hold_that_class_alone(prepared: Prepared, small: Settings) -> None:
    live = _live(prepared, small, label=1)
    windows = [live.window(3, index)[1] for index in range(8)]
    assert all(masks[1].any() and not masks[0].any() for masks in windows)


def test_counterfeit_negatives_have_a_seam_and_no_label(prepared: Prepared, small: Settings) -> None:
    live = _live(prepared, small, counterfeit=True)
    assert not any(live.window(0, index)[1].any() for index in range(6))
    job = live.planner.place(1, [0], part=0, attempt=0)
    assert job is not None
    base = read_image(prepared.dataset.image_path(job.base))
    donor = next(other.position for other in live.planner.bases if other.position != job.base)
    surface = read_image(prepared.dataset.image_path(donor))
    made = counterfeit(job, base, small, surface=surface)
    mask = rle.decode(job.defects[0].rle)
    np.testing.assert_array_equal(made[grow(mask, margin_of(small)) == 0], base[grow(mask, margin_of(small)) == 0])
    source = to_rgb(surface).astype(float)[..., 0]
    here = to_rgb(made).astype(float)[..., 0]
    inside = mask != 0
    assert np.corrcoef(here[inside], source[inside])[0, 1] > 0.98, "the other image's surface, its level matched"


def test_an_arm_can_take_them_beside_what_it_adds(prepared: Prepared, small: Settings) -> None:
    live, negatives = _live(prepared, small), _live(prepared, small, counterfeit=True)
    _, masks = Mixture(real=prepared, added=[live], negatives=negatives, share=0.25).batch(0, 0, size=8)
    assert (masks[4:6].amax(dim=(1, 2, 3)) == 1).all()
    assert (masks[6:].amax(dim=(1, 2, 3)) == 0).all()
