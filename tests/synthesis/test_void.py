"""Void is no surface: nothing is drawn on it, learnt of it as clean, or lost from what was made. Truth: it is painted white."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.compose import composer
from coigan_aug.compose.composer import compose
from coigan_aug.compose.erase import GROW, TELEA, Erasing, with_erased, with_surface
from coigan_aug.eraser.fit import Holes
from coigan_aug.errors import DataError
from coigan_aug.evaluation.seams import measure_seams
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.source import Problems, ReadOptions
from coigan_aug.geometry import Box
from coigan_aug.imaging import cut_mirrored, read_image
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.segmenter.windows import VOID
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.agreeing import Sight, _real
from coigan_aug.synthesis.bases import Base, erased_margin, erased_share, find_bases, left_out, read_base
from coigan_aug.synthesis.engines import copying_engine
from coigan_aug.synthesis.job import base_of
from coigan_aug.synthesis.live import LiveCopies
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.paste import RING as RING_OF_PASTE
from coigan_aug.synthesis.paste import cut_object, matched, paste, poisson
from coigan_aug.synthesis.patch import _example
from tests.synthesis.drawing import made_set, planned, planner_of, with_synthesis
from tests.voids import BLOCK, RING, WHITE, void_of, write_toy_with_void


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_toy_with_void(tmp_path_factory.mktemp("void"))


@pytest.fixture(scope="module")
def bordered(dataset: Dataset, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(dataset, small.data, cache_root=tmp_path_factory.mktemp("cache"))


def _union(prepared: Prepared, position: int) -> np.ndarray:
    return rle.decode(rle.union([annotation.rle for annotation in prepared.dataset[position].annotations]))


def _changed(dataset: Dataset, folder: Path, change: dict[int, np.ndarray | None]) -> Dataset:
    """Write the data set with another void of some images, which keep their pixels."""
    records = [
        dataclasses.replace(record, void=None if change[k] is None else rle.encode(change[k]))
        if k in change
        else record
        for k, record in enumerate(dataset)
    ]
    return write_dataset(folder, records, classes=dataset.classes, image_root=dataset.image_root, provenance={})


# Windows and samples


def test_a_clean_window_has_no_void_in_it(bordered: Prepared) -> None:
    assert bordered.clean
    for window in bordered.clean:
        assert not (bordered.pixels(window.position, window.box(32)) == WHITE).any()
    known = {(w.position, w.left, w.top) for w in (*bordered.clean, *bordered.with_objects)}
    bare = [p for p in bordered.positions if not bordered.by_record.get(p)]
    assert all((p, 64, 0) not in known for p in bare), "the corner with the block is of no use"
    assert all((p, 0, 40) in known for p in bare)


def test_what_samples_take_for_clean_shows_no_void(bordered: Prepared, small: Settings) -> None:
    borders = 0
    for index in range(60):
        sample = compose(bordered, small, 3, index)
        assert not (sample.base == 1).all(axis=0).any()
        if not sample.reference_masks.any():
            assert not (sample.reference == 1).all(axis=0).any()
        before, after = (image.min(axis=0) == 1 for image in (sample.pair_base, sample.pair_target))
        near = grow(sample.pair_masks.max(axis=0), RING) != 0
        if sample.pair_masks.any() and not (after & ~near).any():
            borders += int(after.any())
            assert not before.any(), "the border goes with its defect"
    assert borders > 10


def test_a_clean_window_is_not_shifted_onto_void(bordered: Prepared, small: Settings) -> None:
    draw = np.random.default_rng(0)
    for _ in range(400):
        window, _ = composer._clean_window(bordered, small, draw, composer._choose(bordered, small, draw))
        assert not (window == WHITE).all(axis=2).any()


def test_an_eraser_learns_from_no_void(bordered: Prepared) -> None:
    holes = Holes(bordered, 1, 60)
    assert not any((holes[index][0] == WHITE).all(axis=2).any() for index in range(60))


def test_the_void_beside_a_defect_is_erased_with_it_and_other_void_stays(bordered: Prepared, tmp_path: Path) -> None:
    erased = with_erased(bordered, TELEA, cache_root=tmp_path)
    for position in bordered.by_record:
        before, after = np.asarray(bordered.cache[position]), np.asarray(erased.erased[position])
        near = grow(_union(bordered, position), RING + GROW) != 0
        assert (before[near] == WHITE).sum() > 50
        assert not (after[near] == WHITE).any()
        assert np.array_equal(after[~near], before[~near])


def test_a_window_with_other_void_is_no_surface_when_its_defects_are_erased(
    dataset: Dataset, small: Settings, tmp_path: Path
) -> None:
    """No window is clean: the images without defects are all void, and each window of the others holds a defect."""
    train = dataset.indices("train")
    bare = {p: np.ones((72, 96), bool) for p in train if not dataset[p].annotations}
    rings = {p: void_of(dataset[p]) & ~BLOCK for p in train if p not in bare}
    data = dataclasses.replace(small.data, window=72)
    ringed = prepare(_changed(dataset, tmp_path / "ringed", bare | rings), data, cache_root=tmp_path)
    assert not ringed.clean
    surface = with_surface(ringed, cache_root=tmp_path)
    assert {window.position for window in surface.clean} == set(rings)
    blocked = prepare(_changed(dataset, tmp_path / "blocked", bare), data, cache_root=tmp_path)
    assert not blocked.clean
    with pytest.raises(DataError, match="No window of the training images is free of defects"):
        with_surface(blocked, cache_root=tmp_path)


def _of(dataset: Dataset, position: int) -> np.ndarray:
    return rle.decode(rle.union([annotation.rle for annotation in dataset[position].annotations]))


def test_contrast_is_measured_on_surface_beyond_the_border(
    bordered: Prepared, prepared: Prepared, dataset: Dataset
) -> None:
    """The same defects without void have it by definition; a white border taken for surface would halve it."""
    for item, plain in zip(bordered.objects, prepared.objects, strict=True):
        assert item.full == plain.full
        assert contrast_of(bordered, item) == pytest.approx(contrast_of(prepared, plain), abs=0.12)


def test_contrast_is_looked_for_further_away_behind_a_wide_border(
    dataset: Dataset, small: Settings, tmp_path: Path
) -> None:
    wide = {p: (grow(_of(dataset, p), 6) != 0) & (_of(dataset, p) == 0) for p in range(12) if dataset[p].annotations}
    prepared = prepare(_changed(dataset, tmp_path / "set", wide), small.data, cache_root=tmp_path)
    assert all(abs(contrast_of(prepared, item)) > 0.2 for item in prepared.objects)


# Bases and places


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("kind", ["clean", "erased"])
def test_no_defect_is_planned_on_void(bordered: Prepared, small: Settings, kind: str, windows: bool) -> None:
    jobs = planned(bordered, small, per_class=25, bases=kind, windows=windows)
    on_border = 0
    for job in jobs:
        void = void_of(bordered.dataset[job.base])[job.region.slices]
        block = BLOCK[job.region.slices]
        for defect in job.defects:
            mask = rle.decode(defect.rle) != 0
            assert not (mask & (block if job.erased else void)).any()
            on_border += int((mask & void).sum())
    assert (on_border > 0) == (kind == "erased"), "what was erased with a defect is surface like any other"


def test_a_base_shows_no_void_beside_its_erased_defects(bordered: Prepared) -> None:
    for base in find_bases(bordered, kind="erased", windows=False):
        made, image = read_base(bordered, base, TELEA), bordered.dataset.stored(base.position)
        hole = grow(_union(bordered, base.position), RING + erased_margin(1.0)) != 0
        assert not (made[hole] == WHITE).any()
        assert np.array_equal(made[~hole], image[~hole])


def test_what_is_erased_is_not_filled_from_void(bordered: Prepared, tmp_path: Path) -> None:
    """A way of erasing that would take anything from beside the hole is told to fill the void, which then stays."""
    asked: list[np.ndarray] = []

    def fill(rng: np.random.Generator, pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
        asked.append(hole != 0)
        return np.where(hole[..., None] != 0, np.uint8(7), pixels)

    erasing = Erasing("seven", fill)
    (base, *_) = find_bases(bordered, kind="erased", windows=False)
    hole = grow(_union(bordered, base.position), RING + erased_margin(1.0)) != 0
    made = read_base(bordered, base, erasing)
    assert np.array_equal(asked[0], hole | BLOCK)
    assert np.array_equal(made == 7, hole)
    assert (made[BLOCK & ~hole] == WHITE).all()
    erased = with_erased(bordered, erasing, cache_root=tmp_path)
    for position, told in zip(sorted(bordered.by_record), asked[1:], strict=True):
        assert told[BLOCK].all()
        assert (np.asarray(erased.erased[position])[BLOCK] == WHITE).all()


def test_too_much_void_beside_a_defect_leaves_its_image_out(
    dataset: Dataset, bordered: Prepared, small: Settings, tmp_path: Path
) -> None:
    position = next(iter(bordered.by_record))
    half = np.zeros((72, 96), bool)
    half[:, 48:] = True
    half = (half | (grow(_of(dataset, position), 1) != 0)) & (_of(dataset, position) == 0)
    wide = prepare(_changed(dataset, tmp_path / "set", {position: half}), small.data, cache_root=tmp_path)
    assert erased_share(wide, position) == pytest.approx((half | (_of(dataset, position) != 0)).mean())
    assert left_out(wide) == left_out(bordered) + 1
    for windows in (False, True):
        assert position in {base.position for base in find_bases(bordered, kind="erased", windows=windows)}
        assert position not in {base.position for base in find_bases(wide, kind="erased", windows=windows)}


def test_an_image_that_is_all_void_is_no_base(dataset: Dataset, small: Settings, tmp_path: Path) -> None:
    bare = next(p for p in dataset.indices("train") if not dataset[p].annotations)
    whole = prepare(
        _changed(dataset, tmp_path / "set", {bare: np.ones((72, 96), bool)}), small.data, cache_root=tmp_path
    )
    for windows in (False, True):
        assert bare not in {base.position for base in find_bases(whole, kind="clean", windows=windows)}


# What is made


@pytest.mark.parametrize(("kind", "windows"), [("clean", False), ("erased", False), ("erased", True)])
def test_what_is_made_keeps_the_void_of_its_base_and_what_a_copy_brings(
    bordered: Prepared, small: Settings, tmp_path: Path, kind: str, windows: bool
) -> None:
    made_set(
        bordered, copying_engine("paste", bordered, small), small, tmp_path / "out", bases=kind, windows=windows,
        form="mask-index", per_class=12,
    )  # fmt: skip
    records = list(Dataset(tmp_path / "out-records"))
    blocks = 0
    for record in records:
        union = rle.decode(rle.union([annotation.rle for annotation in record.annotations])) != 0
        within = grow(union, margin_of(small)) != 0
        void = np.zeros(union.shape, bool) if record.void is None else rle.decode(record.void) != 0
        block = BLOCK[Box(*record.source["region"]).slices]
        assert not (void & union).any()
        assert np.array_equal(void & ~within, block & ~within), "beyond the margins it is the base's"
        assert (void | union)[block].all()
        white = read_image(tmp_path / "out" / record.file) == WHITE
        assert not (white & ~void & ~union).any(), "what a copy brings of a border is void here too"
        blocks += int(block.any())
    assert blocks
    assert any((rle.decode(r.void) != 0)[grow(_masks(r), margin_of(small)) != 0].any() for r in records if r.void)
    source = open_source(tmp_path / "out", options=ReadOptions(), problems=Problems())
    back = {record.file: record.void for record in source.records}
    assert [back[record.file] for record in records] == [record.void for record in records]


@pytest.mark.parametrize(("form", "told"), [("coco", True), ("voc", False)])
def test_void_that_the_annotations_can_not_hold_is_counted(
    bordered: Prepared, small: Settings, tmp_path: Path, form: str, told: bool
) -> None:
    made = made_set(bordered, copying_engine("paste", bordered, small), small, tmp_path / "out", form=form)
    own = sum(record.void is not None for record in Dataset(tmp_path / "out-records"))
    assert own == made.images > 0
    assert made.void == (own if told else 0)


def _masks(record: object) -> np.ndarray:
    return rle.decode(rle.union([annotation.rle for annotation in record.annotations]))  # type: ignore[attr-defined]


def test_nothing_has_changed_beyond_margins_and_what_was_erased(
    bordered: Prepared, small: Settings, tmp_path: Path
) -> None:
    made_set(bordered, copying_engine("paste", bordered, small), small, tmp_path / "out", bases="erased")
    made = Dataset(tmp_path / "out-records")
    seams = measure_seams(made, bordered.dataset, margin=margin_of(small), advance=lambda _: None)
    assert seams.images == len(made) > 0
    assert seams.changed == 0


def test_void_of_neither_image_counts_as_surface_round_a_copy(bordered: Prepared, small: Settings) -> None:
    margin, rings = margin_of(small), 0
    for job in planned(bordered, small, per_class=12):
        base = read_base(bordered, base_of(job), TELEA)
        void = (base == WHITE).astype(np.uint8)
        for defect in job.defects:
            cut = cut_object(bordered, defect, base, [rle.encode(void)], margin=margin)
            assert not (cut.surface & (cut.source[..., 0] == WHITE)).any()
            held = cut.region.clip(base.shape)
            target = cut.target[held.seen_from(cut.region).slices][..., 0]
            assert not (cut.surface[held.seen_from(cut.region).slices] & (target == WHITE)).any()
            rings += int((matched(cut, margin) != cut.source).any())
    assert rings > 10, "behind the border there is surface to match brightness on"


@pytest.mark.parametrize("put", [paste, poisson])
def test_a_copy_looks_the_same_whatever_the_void_beside_it_shows(
    bordered: Prepared, dataset: Dataset, small: Settings, tmp_path: Path, put: Callable[..., np.ndarray]
) -> None:
    """The void begins where the margin ends, on one side of the defect: where brightness and gradients are matched."""
    margin = margin_of(small)
    job = next(job for job in planned(bordered, small, per_class=12) if len(job.defects) == 1)
    base, mask = read_base(bordered, base_of(job), TELEA), rle.decode(job.defects[0].rle)
    void = (grow(mask, margin + RING_OF_PASTE) != 0) & (grow(mask, margin) == 0)
    void[:, (rle.box(job.defects[0].rle).left + rle.box(job.defects[0].rle).right) // 2 :] = False
    assert void.sum() > 20
    other = prepare(_changed(dataset, tmp_path / "set", {job.base: void}), small.data, cache_root=tmp_path)
    black, white = (put(other, job, np.where(void, np.uint8(level), base), small) for level in (0, 255))
    assert np.array_equal(black[~void], white[~void])


def test_behind_a_wide_border_brightness_is_matched_on_surface_further_away(
    dataset: Dataset, small: Settings, tmp_path: Path
) -> None:
    reach = margin_of(small) + RING_OF_PASTE
    wide = {
        p: (grow(_of(dataset, p), reach) != 0) & (_of(dataset, p) == 0) for p in range(12) if dataset[p].annotations
    }
    clean = dict.fromkeys(p for p in range(12) if p not in wide)
    prepared = prepare(_changed(dataset, tmp_path / "set", wide | clean), small.data, cache_root=tmp_path)
    (job, *_) = planned(prepared, small, per_class=2)
    base = read_base(prepared, base_of(job), TELEA)
    cut = cut_object(prepared, job.defects[0], base, [], margin=margin_of(small))
    assert (matched(cut, margin_of(small)) != cut.source).any()


def _live(prepared: Prepared, settings: Settings, engine: str, **more: object) -> LiveCopies:
    own = copying_engine(engine, prepared, settings).own_places(prepared.classes)
    planner = planner_of(prepared, settings, [1] * prepared.classes, own_places=own)
    return LiveCopies(planner=planner, engine=engine, scale=1.0, window_side=48, jitter=(1.0, 1.0), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ["paste", "transplant"])
def test_a_window_with_a_copy_marks_void(bordered: Prepared, small: Settings, engine: str) -> None:
    settings = with_synthesis(small, most_seam=1e9, least_shown=0.0)  # painted white, a border makes a seam
    live, block = _live(bordered, settings, engine), 0
    for index in range(25):
        pixels, masks = live.window(4, index)
        marked = masks[0] == VOID
        assert np.array_equal(marked, masks[1] == VOID)
        white = (pixels == WHITE).all(axis=2)
        assert not (white & ~marked & (masks.max(axis=0) == 0)).any()
        block += int(white.sum() > 20)
    assert block


def test_counterfeit_surface_that_is_void_is_not_called_clean(
    dataset: Dataset, small: Settings, tmp_path: Path
) -> None:
    """An image is void but for a window, in which alone defects would be drawn; what is moved out of it lies anywhere."""
    bare = [p for p in dataset.indices("train") if not dataset[p].annotations]
    other = bare[0]
    left = np.ones((72, 96), bool)
    left[40:, 64:] = False
    prepared = prepare(_changed(dataset, tmp_path / "set", {other: left}), small.data, cache_root=tmp_path)
    live = _live(prepared, small, "transplant", counterfeit=True)
    live = dataclasses.replace(live, planner=dataclasses.replace(live.planner, bases=_two(prepared, bare[1], other)))
    marked = [(live.window(2, index)[1] == VOID).any() for index in range(8)]
    assert any(marked)
    plain = prepare(_changed(dataset, tmp_path / "no", dict.fromkeys(bare)), small.data, cache_root=tmp_path)
    live = _live(plain, small, "transplant", counterfeit=True)
    assert not any(live.window(2, index)[1].any() for index in range(4))


def _two(prepared: Prepared, *positions: int) -> list[Base]:
    return [base for base in find_bases(prepared, kind="clean", windows=False) if base.position in positions]


class _White(nn.Module):
    """Calls a pixel a spot where it is white."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        white = (x.mean(dim=1, keepdim=True) > 254.5 / 255).float()
        return torch.cat((1 - white, white, torch.zeros_like(white)), dim=1)


def test_what_a_segmenter_sees_of_void_is_not_beside_the_masks(bordered: Prepared) -> None:
    """It sees white alone, which is void."""
    seen = [_real(Sight(_White(), 1.0, 32, torch.device("cpu")), bordered, k) for k in range(len(bordered.objects))]
    assert [item.spilled for item in seen] == [0.0] * len(bordered.objects)


def test_patches_are_taken_from_no_void(bordered: Prepared) -> None:
    """The void is white: neither its pixels nor the light that it would seem to throw are of the surface."""
    seen = 0
    for number, item in enumerate(bordered.objects):
        example = _example(bordered, number, 8, np.array([130.0], np.float32))
        white = cut_mirrored(bordered.dataset.stored(item.position), rle.box(item.full).grow(8)) == WHITE
        assert not (example.usable & white).any()
        assert np.abs(example.change[example.usable]).max() < 2 * np.abs(example.change[example.mask != 0]).max()
        seen += int(white.sum())
    assert seen > 100
