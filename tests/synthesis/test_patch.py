"""The engine patch: the same plans as the others', nothing changed beyond a pixel, examples of training pieces alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug import rng as streams
from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_image, to_rgb, write_image
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.change import measure_change
from coigan_aug.synthesis.engines import COPYING, ENGINES, UNTRAINED, copying_engine, mixed_engine, patch_engine
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import margin_of, straddling_alpha
from coigan_aug.synthesis.patch import EXAMPLES, Form, Sources, Traits, _unlike, form_of, patched
from tests.conftest import CLASSES
from tests.prepare.scenes import noise
from tests.synthesis.drawing import made_set, planned, with_synthesis

Pieces = list[tuple[np.ndarray, np.ndarray | None, str, str]]


def pieces_of(folder: Path, pieces: Pieces, settings: Settings) -> Prepared:
    """Prepare images with a mask of a spot (or none), each with its group and its side."""
    records = []
    for k, (image, mask, group, split) in enumerate(pieces):
        write_image(folder / "images" / f"{k}.png", image)
        spots = () if mask is None else (Annotation(label="spot", rle=rle.encode(mask)),)
        height, width = image.shape[:2]
        records.append(
            ImageRecord(file=f"{k}.png", height=height, width=width, annotations=spots, group=group, split=split)
        )
    dataset = write_dataset(
        folder / "set", records, classes=CLASSES[:1], image_root=folder / "images", provenance={"format": "coco"}
    )
    return prepare(dataset, settings.data, cache_root=folder / "cache")


def disc(shape: tuple[int, int], radius: int) -> np.ndarray:
    return cv2.circle(np.zeros(shape, np.uint8), (shape[1] // 2, shape[0] // 2), radius, 1, -1)


def surface(seed: int, shape: tuple[int, int] = (80, 80)) -> np.ndarray:
    return np.clip(120 + noise(seed, shape, grain=1, deviation=3), 0, 255).astype(np.uint8)


def spot(seed: int, radius: int, *, factor: float) -> tuple[np.ndarray, np.ndarray]:
    mask, image = disc((80, 80), radius), surface(seed)
    return np.where(mask, image * factor, image).astype(np.uint8), mask


def job_on(mask: np.ndarray, *, shape_of: int | None = 0, seed: int = 5) -> Job:
    defect = PlannedDefect(0, rle.encode(mask), shape_of, ())
    return Job(1, 0, Box.of(mask.shape), (defect,), seed=seed)


def test_it_is_an_engine_that_needs_no_run_and_copies_nothing_whole() -> None:
    assert "patch" in ENGINES
    assert "patch" in UNTRAINED
    assert "patch" not in COPYING


def test_masks_are_filled_and_nothing_changes_a_pixel_beyond(prepared: Prepared, small: Settings) -> None:
    sources, overlaps = Sources(prepared), []
    for job in planned(prepared, small, per_class=3):
        base = read_image(prepared.dataset.image_path(job.base))
        made = patched(sources, job, base, small)
        union = rle.decode(rle.union([defect.rle for defect in job.defects]))
        assert made.shape == base.shape  # grey stays grey
        np.testing.assert_array_equal(made[grow(union, 1) == 0], base[grow(union, 1) == 0])
        masks = [defect.rle for defect in job.defects]
        overlaps += [
            measure_change(
                base, made, mask, [other for other in masks if other is not mask], margin=margin_of(small)
            ).iou
            for mask in masks
        ]
    assert np.median(overlaps) >= 0.8


def test_a_defect_has_the_contrast_of_those_of_its_class(prepared: Prepared, small: Settings) -> None:
    """The toys' discs are at 0.4 of the surface, whatever that is; on a darker one, too."""
    mask = disc((72, 96), 6)
    for level in (90, 130):
        base = np.full((72, 96), level, np.uint8)
        made = patched(Sources(prepared), job_on(mask, shape_of=prepared.by_class[0][0]), base, small)
        assert made[disc((72, 96), 4) != 0].mean() == pytest.approx(0.4 * level, abs=0.06 * level)


def test_the_look_is_that_of_the_objects_and_not_of_the_base(tmp_path: Path, small: Settings) -> None:
    """Objects with stripes across, a base with grain."""
    stripes = 40 * np.sign(np.sin(2 * np.pi * np.arange(80) / 8 + 0.1))
    pieces: Pieces = [(surface(9), None, "clean", "train")]
    for k in range(2):
        mask, image = disc((80, 80), 14 + k), surface(k)
        pieces.append((np.where(mask, image + stripes, image).astype(np.uint8), mask, str(k), "train"))
    own, base, mask = pieces_of(tmp_path, pieces, small), surface(7), disc((80, 80), 12)
    made = patched(Sources(own), job_on(mask), base, small).astype(float)
    inside = disc((80, 80), 9)[:79, :79] != 0
    across, down = (np.abs(np.diff(made, axis=axis))[:79, :79][inside].mean() for axis in (1, 0))
    assert across > 3 * down
    assert np.abs(np.diff(base.astype(float), axis=1))[:79, :79][inside].mean() * 3 < across


def test_examples_are_of_other_training_pieces(tmp_path: Path, small: Settings) -> None:
    """Two photographs of the piece whose shape is taken, two of another one, and one that is held out."""
    groups = [("a", "train"), ("a", "train"), ("b", "train"), ("b", "train"), ("c", "train"), ("t", "test")]
    pieces: Pieces = [(surface(9), None, "clean", "train")]
    pieces += [(*spot(k, 8, factor=0.5), group, split) for k, (group, split) in enumerate(groups)]
    own = pieces_of(tmp_path, pieces, small)
    sources, seen = Sources(own), set()
    for seed in range(12):
        defect = PlannedDefect(0, rle.encode(disc((80, 80), 7)), 0, ())
        chosen = sources.choose(streams.generator(seed, "t"), defect, form_of(disc((80, 80), 7)), level=120)
        groups_of = [own.dataset[own.objects[k].position].group for k in chosen]
        assert len(set(chosen)) == len(chosen) == EXAMPLES
        assert set(groups_of[:2]) == {"b", "c"}  # each of another piece, as long as there are any
        seen |= set(groups_of)
    assert seen == {"b", "c"}


def test_no_pixel_of_a_held_out_piece_is_drawn(tmp_path: Path, small: Settings) -> None:
    pieces: Pieces = [(surface(9), None, "clean", "train"), (*spot(1, 8, factor=0.5), "a", "train")]
    pieces += [(*spot(k, 8, factor=1.8), f"t{k}", "test") for k in (2, 3)]
    own, base = pieces_of(tmp_path, pieces, small), surface(7)
    made = patched(Sources(own), job_on(disc((80, 80), 7), shape_of=None), base, small)
    assert made.max() <= base.max()


def test_a_class_of_one_object_is_drawn(tmp_path: Path, small: Settings) -> None:
    own = pieces_of(tmp_path, [(surface(9), None, "clean", "train"), (*spot(1, 8, factor=0.5), "a", "train")], small)
    base = surface(7)
    made = patched(Sources(own), job_on(disc((80, 80), 5)), base, small)
    assert made[disc((80, 80), 3) != 0].mean() == pytest.approx(60, abs=8)


@pytest.mark.parametrize("left", [0, 41])
def test_masks_at_the_edge_and_larger_than_any_object_are_drawn(tmp_path: Path, small: Settings, left: int) -> None:
    own = pieces_of(tmp_path, [(surface(9), None, "clean", "train"), (*spot(1, 4, factor=0.5), "a", "train")], small)
    base, mask = surface(7), np.zeros((80, 80), np.uint8)
    mask[:48, left : left + 39] = 1
    made = patched(Sources(own), job_on(mask), base, small)
    assert made[mask != 0].mean() == pytest.approx(60, abs=12)
    np.testing.assert_array_equal(made[grow(mask, 1) == 0], base[grow(mask, 1) == 0])


def test_an_object_that_fills_its_image_is_a_source(tmp_path: Path, small: Settings) -> None:
    whole = (surface(3) // 2, np.ones((80, 80), np.uint8), "a", "train")
    own = pieces_of(tmp_path, [(surface(9), None, "clean", "train"), whole], small)
    assert patched(Sources(own), job_on(disc((80, 80), 20)), surface(7), small).shape == (80, 80)


def test_colours_are_drawn_on_colours_and_grey_on_grey(tmp_path: Path, small: Settings) -> None:
    red, mask = to_rgb(surface(1)).copy(), disc((80, 80), 8)
    red[mask != 0] = red[mask != 0] // [1, 2, 2]
    own = pieces_of(tmp_path, [(to_rgb(surface(9)), None, "clean", "train"), (red, mask, "a", "train")], small)
    inside = disc((80, 80), 4) != 0
    made = patched(Sources(own), job_on(disc((80, 80), 7)), to_rgb(surface(7)), small)
    assert made[inside].mean(axis=0) == pytest.approx((120, 60, 60), abs=8)
    grey = patched(Sources(own), job_on(disc((80, 80), 7)), surface(7), small)
    assert grey.ndim == 2
    assert grey[inside].mean() == pytest.approx(80, abs=8)


def test_a_neighbour_s_mask_is_not_drawn_over(prepared: Prepared, small: Settings) -> None:
    masks = [np.zeros((72, 96), np.uint8) for _ in range(2)]
    masks[0][20:30, 20:30], masks[1][20:30, 30:40] = 1, 1
    k = prepared.by_class[0][0]
    first, second = (PlannedDefect(0, rle.encode(mask), k, ()) for mask in masks)
    base = np.full((72, 96), 120, np.uint8)
    alone = patched(Sources(prepared), Job(1, 0, Box(0, 0, 96, 72), (first,), seed=4), base, small)
    both = patched(Sources(prepared), Job(1, 0, Box(0, 0, 96, 72), (first, second), seed=4), base, small)
    np.testing.assert_array_equal(both[masks[0] != 0], alone[masks[0] != 0])


def test_the_edge_straddles_the_border_and_keeps_thin_lines(small: Settings) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[:, :8], mask[:, 15] = 1, 1
    row = straddling_alpha(mask, small)[10]
    assert 0.75 <= row[7] < 0.95
    assert 0.05 < row[8] < 0.25
    assert row[7] + row[8] == pytest.approx(1, abs=0.01)
    assert (row[9:14] == 0).all()
    assert row[15] >= 0.75
    bare = dataclasses.replace(small, model=dataclasses.replace(small.model, grow=0, soften=0))
    np.testing.assert_array_equal(straddling_alpha(mask, bare), mask)


def test_a_set_is_the_same_whatever_the_threads_and_batches(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    for name, (batch, workers) in {"one": (1, 0), "many": (4, 3)}.items():
        settings = with_synthesis(small, batch=batch, workers=workers)
        made_set(prepared, patch_engine(prepared, settings), settings, tmp_path / name, per_class=2)
    files = sorted(path.name for path in (tmp_path / "one/images").iterdir())
    assert len(files) >= 2
    for file in files:
        assert (tmp_path / "one/images" / file).read_bytes() == (tmp_path / "many/images" / file).read_bytes()
    records = Dataset(tmp_path / "one-records")
    assert {a.attributes["engine"] for record in records for a in record.annotations} == {"patch"}


def test_it_mixes_with_the_others_by_class(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    engines = {name: copying_engine(name, prepared, small) for name in COPYING} | {
        "patch": patch_engine(prepared, small)
    }
    mixed = mixed_engine({0: "patch", 1: "paste"}, engines)
    made_set(prepared, mixed, small, tmp_path / "o", per_class=3)
    records = Dataset(tmp_path / "o-records")
    by_class = {a.label: a.attributes["engine"] for record in records for a in record.annotations}
    assert by_class == {"spot": "patch", "line": "paste"}


@pytest.mark.parametrize(
    ("change", "distance"),
    [
        ({}, 0),
        ({"thickness": 4.0}, 1),
        ({"length": 7.0}, 0.5),
        ({"lies": (-0.5, 0.5)}, 0.5),
        ({"lies": (0.5, -0.5)}, 0),  # it is mirrored
    ],
)
def test_one_is_the_distance_of_twice_as_thick_or_lying_across(change: dict[str, object], distance: float) -> None:
    form = Form(3.0, 6.0, (0.5, 0.5))
    own = Traits(dataclasses.replace(form, **change), 7.0, 0.25, "a")
    assert _unlike(own, form, 7.0, 0.25) == pytest.approx(distance)
    assert _unlike(own, form, 8.0, 0.25) == pytest.approx(distance + 1)
    assert _unlike(own, form, 7.0, -0.25) == pytest.approx(distance + 1)


def test_a_line_that_lies_across_is_one_away() -> None:
    line = np.zeros((41, 41), np.uint8)
    line[20, :] = 1
    assert _unlike(Traits(form_of(line), 7, 0, "a"), form_of(line.T), 7, 0) == pytest.approx(1, abs=0.01)
