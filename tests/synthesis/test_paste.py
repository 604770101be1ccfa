"""Copies of training objects: the same plan as the GAN's, the object's own pixels, nothing changed beyond the margin."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.errors import UsageError
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_image, to_rgb, write_image
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import silent
from coigan_aug.settings import Settings
from coigan_aug.shapes.warp import source_places
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.engines import copying_engine
from coigan_aug.synthesis.harmonic import FEW, continue_into
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.paste import Cut, cloned, matched, paste, poisson
from tests.synthesis.drawing import made_set, planned, with_synthesis

ENGINES = {"paste": paste, "poisson": poisson}


def _jobs(prepared: Prepared, settings: Settings) -> list[Job]:
    return planned(prepared, settings, per_class=8)


def _base(prepared: Prepared, job: Job) -> np.ndarray:
    return read_image(prepared.dataset.image_path(job.base))


@pytest.mark.parametrize(("kind", "most"), [("real", 0.0), ("warped", 0.1)])
def test_the_planned_mask_is_the_object_mask_through_the_planned_warp(
    prepared: Prepared, small: Settings, kind: str, most: float
) -> None:
    """What the mask went through is what the pixels go through. A warped mask is smoothed first, a mirrored one is not."""
    differing = total = 0
    for job in planned(prepared, with_synthesis(small, shapes=(kind,)), per_class=8):
        for defect in job.defects:
            full = prepared.objects[defect.shape_of].full
            matrix = np.array(defect.warp).reshape(2, 3)
            places = source_places(matrix, defect.bend, (96, 72), box=rle.box(full))
            moved = cv2.remap(rle.decode(full).astype(np.float32), *places, cv2.INTER_LINEAR) >= 0.5
            planned_mask = rle.decode(defect.rle) != 0
            differing += int((moved != planned_mask).sum())
            total += int(planned_mask.sum())
    assert total > 500
    assert differing <= most * total


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_changes_beyond_the_margin_and_something_does_inside(
    prepared: Prepared, small: Settings, name: str
) -> None:
    changed = 0
    for job in _jobs(prepared, small):
        base = _base(prepared, job)
        made = ENGINES[name](prepared, job, base, small)
        union = rle.decode(rle.union([defect.rle for defect in job.defects]))
        outside = grow(union, margin_of(small)) == 0
        assert made.shape == base.shape  # grey stays grey
        np.testing.assert_array_equal(made[outside], base[outside])
        changed += int((made != base)[union != 0].sum())
    assert changed > 500


def _in_place(prepared: Prepared, position: int, *, shift: tuple[int, int] = (0, 0)) -> tuple[Job, np.ndarray]:
    """Put every object of an image back where it lies, or beside; the image itself."""
    record = prepared.dataset[position]
    warp = (1.0, 0.0, float(shift[0]), 0.0, 1.0, float(shift[1]))
    defects = []
    for k in prepared.by_record[position]:
        item = prepared.objects[k]
        moved = np.roll(rle.decode(item.full), (shift[1], shift[0]), (0, 1))
        defects.append(PlannedDefect(item.label, rle.encode(moved), k, warp))
    job = Job(0, position, Box(0, 0, record.width, record.height), tuple(defects))
    return job, read_image(prepared.dataset.image_path(position))


@pytest.mark.parametrize(("name", "tolerance"), [("paste", 1), ("poisson", 2)])
def test_an_object_put_back_in_its_own_place_gives_the_image_back(
    prepared: Prepared, small: Settings, name: str, tolerance: int
) -> None:
    for position in list(prepared.by_record)[:3]:
        job, image = _in_place(prepared, position)
        made = ENGINES[name](prepared, job, image, small)
        assert np.abs(made.astype(int) - image).max() <= tolerance


def test_a_pasted_object_keeps_its_depth_on_a_surface_of_its_brightness(prepared: Prepared, small: Settings) -> None:
    position = next(iter(prepared.by_record))
    job, image = _in_place(prepared, position, shift=(3, 2))
    flat = np.full_like(image, 120)
    made = paste(prepared, job, flat, small)
    for defect in job.defects:
        mask = rle.decode(defect.rle) != 0
        own = rle.decode(prepared.objects[defect.shape_of].full) != 0
        ring = (grow(own, margin_of(small) + 4) != 0) & (grow(own, margin_of(small)) == 0)
        level = float(np.median(image[ring]))
        expected = (float(image[own].mean()) - level) * 121 / (level + 1) + 120
        assert float(made[mask].mean()) == pytest.approx(expected, abs=4)


@pytest.mark.parametrize("name", ENGINES)
def test_a_margin_never_covers_a_neighbour(prepared: Prepared, small: Settings, name: str) -> None:
    """Two discs that touch: whichever is drawn last, both masks hold what they hold when drawn alone."""
    defects, x = [], 20
    for k in prepared.by_class[0][:2]:
        full = rle.decode(prepared.objects[k].full)
        left, top, width, height = rle.box(prepared.objects[k].full)
        warp = (1.0, 0.0, float(x - left), 0.0, 1.0, float(35 - height // 2 - top))
        moved = cv2.warpAffine(full, np.array(warp).reshape(2, 3), (96, 72), flags=cv2.INTER_NEAREST)
        defects.append(PlannedDefect(0, rle.encode(moved), k, warp))
        x += width
    flat = np.full((72, 96), 120, np.uint8)
    masks = [rle.decode(defect.rle) != 0 for defect in defects]
    assert (grow(masks[0], margin_of(small)) != 0)[masks[1]].any()  # they are that close
    made = [
        ENGINES[name](prepared, Job(0, 0, Box(0, 0, 96, 72), o), flat, small)
        for o in (tuple(defects), (*defects[::-1],))
    ]
    lone = [ENGINES[name](prepared, Job(0, 0, Box(0, 0, 96, 72), (d,)), flat, small) for d in defects]
    for mask, alone in zip(masks, lone, strict=True):
        for both in made:
            assert np.abs(both[mask].astype(int) - alone[mask]).max() <= 8


def _cut(source: np.ndarray, target: np.ndarray, mask: np.ndarray, surface: np.ndarray | None = None) -> Cut:
    shown = np.ones(mask.shape, bool) if surface is None else surface
    return Cut(Box.of(mask.shape), to_rgb(target), to_rgb(source), mask, shown)


def test_brightness_is_matched_by_the_ratio_of_the_rings_and_bounded() -> None:
    mask, surface = np.zeros((20, 20), np.uint8), np.zeros((20, 20), bool)
    mask[8:12, 8:12], surface[4:6] = 1, True
    source = np.full((20, 20), 99, np.uint8)
    source[mask != 0] = 49
    for level, expected in ((199, 99.0), (74, 36.5), (9, 9 - 50 * 0.5), (249, 249 - 50 * 2.0)):
        target = np.full((20, 20), 3, np.uint8)
        target[surface] = level
        found = matched(_cut(source, target, mask, surface), 1)
        assert float(found[10, 10, 0]) == pytest.approx(expected)
        assert float(found[3, 3, 0]) == pytest.approx(level)


@pytest.mark.parametrize("pixels_of", [matched, cloned])
def test_without_surface_round_it_an_object_keeps_its_pixels(pixels_of: Callable[[Cut, int], np.ndarray]) -> None:
    mask = np.ones((6, 6), np.uint8)
    cut = _cut(np.full((6, 6), 70, np.uint8), np.full((6, 6), 200, np.uint8), mask, np.zeros((6, 6), bool))
    np.testing.assert_array_equal(pixels_of(cut, 1), np.full((6, 6, 3), 70.0))


def _solved(source: np.ndarray, target: np.ndarray, inside: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Solve the discrete Poisson equation with the source's gradients inside and the target round it, densely.

    Neighbours outside that show no surface are left out of the equations.
    """
    places = {tuple(p): k for k, p in enumerate(np.argwhere(inside))}
    matrix, right = np.zeros((len(places), len(places))), np.zeros(len(places))
    for (y, x), k in places.items():
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            there = (y + dy, x + dx)
            if there not in places and not surface[there]:
                continue
            matrix[k, k] += 1
            right[k] += float(source[y, x]) - float(source[there])
            if there in places:
                matrix[k, places[there]] -= 1
            else:
                right[k] += float(target[there])
    out = target.astype(float)
    for (y, x), value in zip(places, np.linalg.solve(matrix, right), strict=True):
        out[y, x] = value
    return out


@pytest.mark.parametrize("hidden", [0, 18])
@pytest.mark.parametrize("colour", [False, True])
def test_cloning_solves_the_poisson_equation(hidden: int, colour: bool) -> None:
    """Against a dense solve, noisy pictures, also where some columns show no surface, as beyond an image's edge."""
    draw = np.random.default_rng(2)
    source = draw.integers(0, 256, (44, 44, 3)).astype(np.uint8)
    target = (np.tile(np.linspace(60, 160, 44), (44, 1))[..., None] + draw.normal(0, 9, (44, 44, 3))).astype(np.uint8)
    if not colour:
        source, target = (to_rgb(picture[..., 0]) for picture in (source, target))
    mask, surface = np.zeros((44, 44), np.uint8), np.ones((44, 44), bool)
    cv2.circle(mask, (21, 22), 12, 1, -1)
    surface[:, :hidden] = False
    made = cloned(_cut(source, target, mask, surface), 1)
    assert grow(mask, 1).sum() > FEW  # so that the coarser start is used
    for c in range(3):
        expected = _solved(source[..., c], target[..., c], grow(mask, 1) != 0, surface)
        np.testing.assert_allclose(made[..., c], expected, atol=0.1)


def test_a_large_area_is_continued_to_a_tenth_of_a_grey_level() -> None:
    """Against a harmonic polynomial, which its values on the rim fix."""
    y, x = np.mgrid[-1:1:301j, -2:2:601j]
    values = 40 * (x**3 - 3 * x * y**2) + 30 * x * y - 8 * y
    inside = np.zeros(values.shape, bool)
    cv2.ellipse(inside.view(np.uint8), (300, 150), (280, 140), 0, 0, 360, 1, -1)
    known = (cv2.dilate(inside.view(np.uint8), np.ones((3, 3), np.uint8)) != 0) & ~inside
    assert np.abs(continue_into(values, inside, known) - values)[inside].max() < 0.1


@pytest.mark.parametrize("width", [1, 3, 25])
def test_cloning_keeps_the_depth_of_thin_and_of_wide_defects(width: int) -> None:
    source, target, mask = (
        np.full((60, 60), 150, np.uint8),
        np.full((60, 60), 100, np.uint8),
        np.zeros((60, 60), np.uint8),
    )
    mask[10:50, 15 : 15 + width] = 1
    source[mask != 0] = 90
    made = cloned(_cut(source, target, mask), 2)[..., 0]
    np.testing.assert_allclose(made, np.where(mask != 0, 40.0, 100.0), atol=0.1)


@pytest.mark.parametrize("name", ENGINES)
def test_a_margin_of_no_width_is_drawn_too(prepared: Prepared, small: Settings, name: str) -> None:
    bare = dataclasses.replace(small, model=dataclasses.replace(small.model, grow=0, soften=0))
    for job in _jobs(prepared, bare)[:3]:
        base = _base(prepared, job)
        made = ENGINES[name](prepared, job, base, bare)
        outside = rle.decode(rle.union([defect.rle for defect in job.defects])) == 0
        np.testing.assert_array_equal(made[outside], base[outside])
        assert (made != base).any()


def test_an_object_at_the_edge_is_cloned_without_knowing_what_lies_beyond(prepared: Prepared, small: Settings) -> None:
    """Onto its own image made brighter: the difference is the same all round, so the brighter image comes back."""
    position = next(iter(prepared.by_record))
    image = read_image(prepared.dataset.image_path(position))
    own = prepared.objects[prepared.by_record[position][0]]
    x, y, width, height = rle.box(own.full)
    for cut_left, cut_top in ((x + width // 2, 0), (0, y + height // 2)):
        crop = image[cut_top:, cut_left:]
        shape = rle.encode(rle.decode(own.full)[cut_top:, cut_left:])
        warp = (1.0, 0.0, -float(cut_left), 0.0, 1.0, -float(cut_top))
        defect = PlannedDefect(own.label, shape, prepared.by_record[position][0], warp)
        job = Job(0, position, Box(cut_left, cut_top, crop.shape[1], crop.shape[0]), (defect,))
        brighter = np.clip(crop.astype(int) + 40, 0, 255).astype(np.uint8)
        made = poisson(prepared, job, brighter, small)
        assert np.abs(made.astype(int) - brighter).max() <= 1


def test_objects_at_the_edge_and_larger_than_the_image_are_drawn(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    """One training image whose defect fills it to three edges, and a smaller clean one to put it on."""
    big, clean = np.full((72, 96), 90, np.uint8), np.full((40, 50), 140, np.uint8)
    big[:, :60] = 40
    mask = np.zeros((72, 96), np.uint8)
    mask[:, :60] = 1
    for name, image in (("big", big), ("clean", clean)):
        write_image(tmp_path / "images" / f"{name}.png", image)
    record = dataclasses.replace(prepared.dataset[0], file="big.png", split="train")
    whole = dataclasses.replace(record.annotations[0], label="spot", rle=rle.encode(mask))
    plain = dataclasses.replace(record, file="clean.png", height=40, width=50, annotations=())
    dataset: Dataset = write_dataset(
        tmp_path / "set", [dataclasses.replace(record, annotations=(whole,)), plain], classes=prepared.dataset.classes[:1],
        image_root=tmp_path / "images", provenance={},
    )  # fmt: skip
    own = prepare(dataset, small.data, cache_root=tmp_path / "cache")
    for job in planned(own, small, per_class=4):
        for put in ENGINES.values():
            made = put(own, job, _base(own, job), small)
            assert made.shape == (40, 50)


@pytest.mark.parametrize("name", ENGINES)
def test_a_copied_set_says_what_made_it(prepared: Prepared, small: Settings, tmp_path: Path, name: str) -> None:
    made = made_set(prepared, copying_engine(name, prepared, small), small, tmp_path / "o", per_class=3)
    assert made is not None
    assert made.defects == {"spot": 3, "line": 3}
    card = (tmp_path / "o" / "card.json").read_text()
    assert f'"engine": "{name}"' in card
    records = Dataset(tmp_path / "o-records")
    assert {a.attributes["engine"] for record in records for a in record.annotations} == {name}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("name", ENGINES)
def test_an_unfinished_copied_set_is_not_continued_with_another_margin(
    prepared: Prepared, small: Settings, tmp_path: Path, name: str
) -> None:
    settings = with_synthesis(small, batch=1, workers=0)

    def make(settings: Settings, report: Callable[[int, int], None]) -> None:
        engine = copying_engine(name, prepared, settings)
        made_set(prepared, engine, settings, tmp_path / "o", per_class=3, report=report)

    def stop(done: int, total: int, note: str = "") -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        make(settings, stop)
    wider = dataclasses.replace(settings, model=dataclasses.replace(settings.model, grow=5))
    with pytest.raises(UsageError, match="unfinished synthesis with other settings"):
        make(wider, silent)
    kept: list[int] = []
    make(settings, lambda done, total, note="": kept.append(done))
    assert kept[0] == 2
