"""Examples: windows round objects, objects at the working scale, and which images are learnt from; each counted slowly."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import resize
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from coigan_aug.prepare.cache import Edit, open_cache, shrink
from coigan_aug.prepare.examples import defect_region, place_window
from coigan_aug.prepare.objects import scaled_size, window_masks
from coigan_aug.prepare.prepared import prepare, training_positions
from coigan_aug.settings import DataSettings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES
from tests.prepare.scenes import examples_of, patch

SHAPE = (40, 60)


def _box(left: int, top: int, width: int, height: int) -> rle.Box:
    return rle.box(rle.encode(patch((200, 200), left, top, width, height)))


def _starts(start: int, length: int, side: int, room: int) -> set[int]:
    """Every start inside the image whose window holds the object, or lies within one that is larger."""
    inside = range(room - side + 1)
    held = {k for k in inside if k <= start and start + length <= k + side}
    return held or {k for k in inside if start <= k and k + side <= start + length}


@pytest.mark.parametrize(
    ("left", "top", "width", "height"), [(10, 12, 5, 4), (0, 0, 3, 40), (57, 36, 3, 4), (5, 20, 50, 8), (28, 0, 16, 16)]
)
def test_a_window_lies_anywhere_round_an_object_or_within_it(left: int, top: int, width: int, height: int) -> None:
    draw = np.random.default_rng(0)
    found = [place_window(draw, _box(left, top, width, height), SHAPE, side=16) for _ in range(800)]
    for k, (start, length, room) in enumerate(((left, width, 60), (top, height, 40))):
        assert {region[2 + k] for region in found} == {16}
        possible = _starts(start, length, 16, room)
        starts = [region[k] for region in found]
        assert set(starts) == possible
        assert np.mean(starts) == pytest.approx(np.mean(sorted(possible)), abs=0.1 * len(possible))


@pytest.mark.parametrize("side", [41, 50, 60])
def test_a_window_larger_than_its_image_has_as_much_of_it_on_either_side(side: int) -> None:
    region = place_window(np.random.default_rng(0), _box(10, 12, 5, 4), SHAPE, side=side)
    assert region[1] == (40 - side) // 2
    assert abs(-region[1] - (region[1] + side - 40)) <= 1
    assert side > 60 or 0 <= region[0] <= 60 - side


def _scattered(folder: Path, **changes: object) -> tuple[list[np.ndarray], object]:
    images = [np.full(SHAPE, 40 + 30 * k, np.uint8) for k in range(4)]
    masks = [
        {"spot": [patch(SHAPE, 3, 4, 6, 5), patch(SHAPE, 30, 20, 3, 3)], "line": [patch(SHAPE, 0, 35, 60, 2)]},
        {"spot": [patch(SHAPE, 20, 20, 4, 4)]},
        {},
        {"spot": [patch(SHAPE, 50, 30, 8, 8)]},
    ]
    return images, examples_of(folder, images, masks, settings=DataSettings(window=16, **{"min_area": 10, **changes}))  # type: ignore[arg-type]


def test_each_class_is_as_often_in_the_middle_as_any_other_and_each_object_of_it(tmp_path: Path) -> None:
    _, examples = _scattered(tmp_path)
    draw = np.random.default_rng(0)
    positions = [defect_region(draw, examples)[0] for _ in range(1800)]  # type: ignore[arg-type]
    shares = [positions.count(k) / 1800 for k in range(4)]
    assert shares == pytest.approx([1 / 2 + 1 / 6, 1 / 6, 0, 1 / 6], abs=0.04), (
        "of three large spots one is in the first"
    )


def test_objects_are_listed_by_class_and_image_and_small_ones_stay_in_the_masks_alone(tmp_path: Path) -> None:
    _, examples = _scattered(tmp_path)
    areas = [[rle.area(examples.objects[k].full) for k in members] for members in examples.by_class]  # type: ignore[attr-defined]
    assert areas == [[30, 16, 64], [120]]
    assert {k: len(own) for k, own in examples.by_record.items()} == {0: 3, 1: 1, 3: 1}  # type: ignore[attr-defined]
    assert [list(own) for own in examples.by_image] == [[0, 1, 3], [0]]  # type: ignore[attr-defined]
    assert [[len(k) for k in own.values()] for own in examples.by_image] == [[1, 1, 1], [1]]  # type: ignore[attr-defined]
    assert examples.masks(0, _box(0, 0, 60, 40)).sum() == 30 + 9 + 120  # type: ignore[attr-defined]
    assert (examples.classes, examples.grey, examples.positions) == (2, True, [0, 1, 2, 3])  # type: ignore[attr-defined]
    exact = _scattered(tmp_path / "exact", min_area=16)[1]
    assert [len(members) for members in exact.by_class] == [3, 1], "16 px are enough where 16 are asked for"  # type: ignore[attr-defined]


def test_masks_of_a_region_are_those_of_the_whole_image_cut(tmp_path: Path) -> None:
    """Regions that only just hold, or miss, an object on any side."""
    _, examples = _scattered(tmp_path)
    objects = [item for item in examples.objects if item.position == 0]  # type: ignore[attr-defined]
    whole = window_masks(objects, _box(0, 0, 60, 40), classes=2)
    for left in range(0, 45, 1):
        for top in (0, 3, 4, 8, 9, 17, 20, 22, 23, 24):
            region = _box(left, top, 9, 7)
            found = window_masks(objects, region, classes=2)
            assert np.array_equal(found, whole[:, top : top + 7, left : left + 9])
            assert np.array_equal(examples.masks(0, region), found)  # type: ignore[attr-defined]


def test_at_a_working_scale_sizes_are_rounded_and_an_object_is_its_mask_resized(tmp_path: Path) -> None:
    _, examples = _scattered(tmp_path, scale=0.4)
    assert scaled_size(40, 60, 0.4) == (16, 24)
    assert scaled_size(1, 9, 0.05) == (1, 1)
    assert scaled_size(13, 17, 0.5) == (6, 8)
    for item in examples.objects:  # type: ignore[attr-defined]
        small = resize(rle.decode(item.full), height=16, width=24)
        assert np.array_equal(rle.decode(item.scaled), small)
        assert list(item.box) == list(rle.box(rle.encode(small)))
    assert {pixels.shape for pixels in (examples.cache[k] for k in range(4))} == {(16, 24)}  # type: ignore[attr-defined]


def test_an_image_is_shrunk_to_the_means_of_its_areas() -> None:
    image = np.random.default_rng(0).integers(0, 255, (12, 20, 3)).astype(np.uint8)
    means = image.reshape(6, 2, 10, 2, 3).mean(axis=(1, 3))
    assert np.abs(shrink(image, 0.5).astype(float) - means).max() <= 0.5
    assert np.abs(shrink(image[..., 0], 0.5).astype(float) - means[..., 0]).max() <= 0.5
    assert shrink(image, 1.0) is image
    assert shrink(image, 0.25).shape == (3, 5, 3)


def test_colours_are_kept_and_grey_files_of_three_channels_are_grey(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    grey = np.repeat(colour[..., :1], 3, axis=2)
    examples = examples_of(tmp_path, [colour, grey], [{"spot": [patch(SHAPE, 3, 3, 5, 5)]}, {}])
    assert not examples.grey
    assert np.array_equal(examples.cache[0], colour)
    assert np.array_equal(examples.cache[1], grey[..., 0])
    assert np.array_equal(examples.pixels(1, _box(5, 6, 9, 8)), grey[6:14, 5:14])


def test_an_edited_cache_is_another_one_and_holds_what_the_edit_made(tmp_path: Path) -> None:
    _, examples = _scattered(tmp_path)
    dataset: Dataset = examples.dataset  # type: ignore[attr-defined]
    root = tmp_path / "caches"
    plain = open_cache(dataset, [0, 3], scale=1.0, root=root)
    made = open_cache(
        dataset,
        [0, 3],
        scale=1.0,
        root=root,
        edit=Edit("plus", lambda position, pixels: pixels + np.uint8(position + 1)),
    )
    assert list(plain) == list(made) == [0, 3]
    for position in (0, 3):
        assert np.array_equal(made[position], plain[position] + np.uint8(position + 1))
    other = open_cache(dataset, [0], scale=1.0, root=root)
    again = open_cache(dataset, [0, 3], scale=0.5, root=root)
    folders = [cache.folder for cache in (plain, made, other, again)]
    assert len(set(folders)) == 4
    assert open_cache(dataset, [0, 3], scale=1.0, root=root).folder == plain.folder
    dataset.image_path(0).write_bytes(dataset.image_path(3).read_bytes())
    assert open_cache(dataset, [0, 3], scale=1.0, root=root).folder != plain.folder, "an image was changed"


def _grouped(folder: Path) -> Dataset:
    """Three pieces with a spot, of two photographs each, two pieces with a line, and clean images; and held-out ones."""
    records = []
    for k, (label, group, split) in enumerate(
        [("spot", f"s{n // 2}", "train") for n in range(6)] + [("line", f"l{n}", "train") for n in range(2)]
        + [("", "c", "train")] * 2 + [("spot", "t", "test"), ("", "u", "test")]
    ):  # fmt: skip
        write_image(folder / "images" / f"{k:02d}.png", np.full(SHAPE, 90, np.uint8))
        mask = patch(SHAPE, 5, 5, 8, 8)
        own = (Annotation(label=label, rle=rle.encode(mask)),) if label else ()
        records.append(ImageRecord(file=f"{k:02d}.png", height=40, width=60, annotations=own, group=group, split=split))
    return write_dataset(
        folder / "set", records, classes=CLASSES, image_root=folder / "images", provenance={"format": "coco"}
    )


@pytest.mark.parametrize("wanted", [1, 2, 5])
def test_so_many_whole_groups_of_each_class_are_kept_and_all_clean_images(tmp_path: Path, wanted: int) -> None:
    dataset = _grouped(tmp_path)
    seen = set()
    for seed in range(8):
        settings = DataSettings(window=16, groups_per_class=wanted, subset_seed=seed)
        kept = training_positions(dataset, settings)
        assert kept == training_positions(dataset, settings)
        groups = {dataset[k].group for k in kept}
        assert len([name for name in groups if name.startswith("s")]) == min(wanted, 3)
        assert len([name for name in groups if name.startswith("l")]) == min(wanted, 2)
        assert {8, 9} < set(kept)
        assert all(k in kept for k in range(10) if dataset[k].group in groups), "groups stay whole"
        assert not {10, 11} & set(kept)
        seen.add(tuple(kept))
    assert (len(seen) > 1) == (wanted < 3), "another seed keeps others"
    assert training_positions(dataset, DataSettings(window=16)) == list(range(10))


def test_windows_are_counted_by_what_they_hold_and_from_black_ones_nothing_is_prepared(tmp_path: Path) -> None:
    dataset, settings = _grouped(tmp_path), DataSettings(window=16, overlap=0.5, min_area=1)
    made = prepare(dataset, settings, cache_root=tmp_path / "cache")
    assert len(made.clean) + len(made.with_objects) + made.blank == 10 * 4 * 7
    assert made.blank == 0
    assert {window.position for window in made.with_objects} == set(range(8))
    assert len(made.with_objects) == 8 * 4, "a box from 5 to 13 is in the windows that begin at 0 and 8, both ways"
    dark = prepare(dataset, dataclasses.replace(settings, blank_level=91, max_blank=1.0), cache_root=tmp_path / "cache")
    assert (len(dark.clean), dark.blank) == (len(made.clean), 0), "all of a window may be dark"
    with pytest.raises(DataError, match="At least 10% of every window of the training images is nearly black"):
        prepare(dataset, dataclasses.replace(settings, blank_level=250), cache_root=tmp_path / "cache")


def test_objects_that_are_too_small_are_counted_and_where_all_are_the_limit_is_named(tmp_path: Path) -> None:
    dataset, settings = _grouped(tmp_path), DataSettings(window=16, min_area=1)
    made = prepare(dataset, settings, cache_root=tmp_path / "cache")
    assert not any(made.too_small)
    largest = max(rle.area(item.full) for item in made.objects)
    with pytest.raises(
        DataError, match=f"All 8 objects .* fewer than {largest + 1} px; the largest has {largest}"
    ) as told:
        prepare(dataset, dataclasses.replace(settings, min_area=largest + 1), cache_root=tmp_path / "cache")
    assert "--set data.min_area=1" in str(told.value)
