"""Screening: what really changed is measured to the pixel, and each reason rejects what it is made for and nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from coigan_aug.annotations import rle
from coigan_aug.geometry import Box
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import SILENT
from coigan_aug.settings import Settings
from coigan_aug.synthesis import screen as screen_module
from coigan_aug.synthesis.agreeing import Bounds, Sight, kept_bounds, measure_bounds
from coigan_aug.synthesis.change import measure_change, threshold
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.resemblance import known_objects
from coigan_aug.synthesis.screen import Screen
from tests.synthesis.drawing import with_synthesis

CPU = torch.device("cpu")
MARGIN = 2


def _surface(seed: int = 0, *, noise: float = 4.0) -> Pixels:
    return np.random.default_rng(seed).normal(120, noise, (60, 80)).clip(0, 255).astype(np.uint8)


def _square(left: int, top: int, side: int = 12) -> np.ndarray:  # type: ignore[type-arg]
    mask = np.zeros((60, 80), np.uint8)
    mask[top : top + side, left : left + side] = 1
    return mask


def _darker(base: Pixels, mask: np.ndarray, levels: int) -> Pixels:  # type: ignore[type-arg]
    return np.where(mask != 0, base.astype(int) - levels, base).clip(0, 255).astype(np.uint8)


def test_a_change_of_all_the_mask_and_nothing_else_overlaps_it_wholly() -> None:
    base, mask = _surface(), _square(30, 20)
    found = measure_change(base, _darker(base, mask, 40), rle.encode(mask), [], margin=MARGIN)
    assert (found.shown, found.iou) == (1.0, 1.0)


def test_no_change_is_none_and_a_change_within_the_texture_is_invisible() -> None:
    base, mask = _surface(), _square(30, 20)
    assert measure_change(base, base, rle.encode(mask), [], margin=MARGIN).shown == 0
    least = threshold(base.astype(np.float32))
    assert least == pytest.approx(0.5 * 4.0, rel=0.15) or least == 2.0
    assert measure_change(base, _darker(base, mask, 1), rle.encode(mask), [], margin=MARGIN).shown == 0
    rough = _surface(noise=20.0)
    assert threshold(rough.astype(np.float32)) == pytest.approx(0.5 * 20.0, rel=0.15)
    assert measure_change(rough, _darker(rough, mask, 6), rle.encode(mask), [], margin=MARGIN).shown < 0.05


def test_the_effective_mask_is_counted_by_hand() -> None:
    """Half of a 12 x 12 mask changes, and a rim of 2 px along one side of it: 72 of 144, union 144 + 24."""
    base, mask = _surface(), _square(30, 20)
    changed = np.zeros_like(mask)
    changed[20:32, 28:36] = 1
    found = measure_change(base, _darker(base, changed, 40), rle.encode(mask), [], margin=MARGIN)
    assert found.shown == pytest.approx(72 / 144)
    assert found.iou == pytest.approx(72 / (144 + 24))


def test_what_another_defect_changed_is_not_counted() -> None:
    base, one, other = _surface(), _square(30, 20), _square(44, 20)
    both = _darker(base, one | other, 40)
    found = measure_change(base, both, rle.encode(one), [rle.encode(other)], margin=MARGIN)
    assert found.shown == 1.0
    assert found.iou == 1.0


def test_a_mask_at_the_border_is_measured_inside_the_image() -> None:
    base, mask = _surface(), _square(68, 48)
    found = measure_change(base, _darker(base, mask, 40), rle.encode(mask), [], margin=MARGIN)
    assert (found.shown, found.iou) == (1.0, 1.0)


def test_a_step_at_the_margins_edge_is_a_seam_and_a_smooth_change_is_none() -> None:
    base = _surface(noise=1.0)
    mask = _square(30, 20)
    grown = np.zeros_like(mask)
    grown[18:34, 28:44] = 1
    step = measure_change(base, _darker(base, grown, 60), rle.encode(mask), [], margin=MARGIN)
    smooth = measure_change(base, _darker(base, _square(33, 23, 6), 60), rle.encode(mask), [], margin=MARGIN)
    assert step.seam is not None
    assert smooth.seam is not None
    assert step.seam > 5
    assert smooth.seam == pytest.approx(1, abs=0.01)


class _Dark(nn.Module):
    """A segmenter by hand: what is darker than 70 of 255 is of the first class, what is brighter than 180 of the second."""

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1) * 255
        return torch.stack([torch.zeros_like(grey), 70 - grey, grey - 180], dim=1)


def _sight() -> Sight:
    return Sight(_Dark(), 1.0, 32, CPU)


def _job(*defects: tuple[int, np.ndarray]) -> Job:  # type: ignore[type-arg]
    own = tuple(PlannedDefect(label, rle.encode(mask), None, ()) for label, mask in defects)
    return Job(1, 0, Box(0, 0, 80, 60), own)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_segmenter_sees_the_share_of_the_mask_that_it_calls_the_class(scale: float) -> None:
    base, mask = _surface(), _square(30, 20)
    half = mask.copy()
    half[:, 36:] = 0
    sight = Sight(_Dark(), scale, 32, CPU)
    image = _darker(base, half, 100)
    (seen,) = sight.look(base, image, [(0, rle.encode(mask))], margin=MARGIN)
    assert seen.found == pytest.approx(0.5, abs=0.01)
    assert seen.spilled == 0
    (wrong,) = sight.look(base, image, [(1, rle.encode(mask))], margin=MARGIN)
    assert wrong.found == 0


def test_what_spills_is_measured_in_areas_of_the_mask_and_not_what_the_base_had() -> None:
    base, mask, beside = _surface(), _square(30, 20), _square(46, 20, 6)
    defects = [(0, rle.encode(mask))]
    image = _darker(_darker(base, mask, 100), beside, 100)
    assert _sight().look(base, image, defects, margin=MARGIN)[0].spilled == pytest.approx(36 / 144)
    marked = _darker(base, beside, 100)
    assert _sight().look(marked, image, defects, margin=MARGIN)[0].spilled == 0


def test_defects_far_apart_are_looked_at_by_themselves() -> None:
    base, one, other = _surface(), _square(4, 4, 6), _square(66, 46, 6)
    image = _darker(base, one, 100)
    seen = _sight().look(base, image, [(0, rle.encode(one)), (0, rle.encode(other))], margin=MARGIN)
    assert [item.found for item in seen] == [1.0, 0.0]


def _screen(settings: Settings, *, bounds: Bounds | None = None) -> Screen:
    return Screen(settings, MARGIN, _sight(), bounds or Bounds((0.3, 0.3), (0.2, 0.2)))


def test_a_picture_without_flaw_passes_and_each_flaw_is_named(small: Settings) -> None:
    base, mask = _surface(noise=1.0), _square(30, 20)
    settings = with_synthesis(small, least_shown=0.3, most_seam=2.5)
    screen, job = _screen(settings), _job((0, mask))
    inner = _square(31, 21, 10)
    changes, finding = screen.judge(job, base, _darker(base, inner, 100), ["gan"])
    assert finding is None
    assert changes[0].shown == pytest.approx(100 / 144)
    for image, reason in (
        (base, "invisible"),
        (_darker(base, _square(28, 18, 16), 100), "seam"),
        (_darker(_darker(base, inner, 100), _square(46, 20, 6), 100), "mask"),
    ):
        _, finding = screen.judge(job, base, image, ["gan"])
        assert finding is not None
        assert finding.reason == reason
        assert dataclasses.replace(screen, on=False).judge(job, base, image, ["gan"])[1] is None


def test_each_defect_is_measured_without_the_others_and_with_itself(small: Settings) -> None:
    base, masks = _surface(noise=1.0), [_square(left, 20, 8) for left in (10, 19, 28)]
    image = _darker(base, np.maximum.reduce(masks), 100)
    changes, _ = _screen(small).judge(_job(*((0, mask) for mask in masks)), base, image, ["gan"] * 3)
    encoded = [rle.encode(mask) for mask in masks]
    for k, change in enumerate(changes):
        others = [mask for other, mask in enumerate(encoded) if other != k]
        assert change == measure_change(base, image, encoded[k], others, margin=MARGIN)
        assert change.shown == 1


def test_what_the_segmenter_does_not_see_is_kept_unless_hard_ones_are_rejected(small: Settings) -> None:
    base, mask = _surface(noise=1.0), _square(30, 20)
    faint = _darker(base, _square(31, 21, 10), 20)
    for hard, reason in (("keep", None), ("reject", "mask")):
        screen = _screen(with_synthesis(small, least_shown=0.3, most_seam=2.5, hard=hard))
        _, finding = screen.judge(_job((0, mask)), base, faint, ["gan"])
        assert (finding and finding.reason) == reason
        assert ("least_found" in screen.about(["a", "b"]).limits) == (hard == "reject")


@pytest.mark.parametrize(("copies", "hard", "asked"), [(False, "keep", 0), (False, "reject", 1), (True, "keep", 1)])
def test_copies_alone_need_no_segmenter_unless_hard_ones_are_rejected(
    prepared: Prepared,
    small: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    copies: bool,
    hard: str,
    asked: int,
) -> None:
    trained: list[int] = []

    def network(*given: object, **options: object) -> nn.Module:
        trained.append(1)
        return _Dark()

    monkeypatch.setattr(screen_module, "real_only_segmenter", network)
    screen = screen_module.screen_of(
        prepared, with_synthesis(small, hard=hard), on=True, copies=copies, cache_root=tmp_path, device=CPU, talk=SILENT
    )
    assert (len(trained), screen.sight is not None, screen.on) == (asked, bool(asked), True)
    assert (screen.known is not None) == copies


def test_a_class_that_the_segmenter_cannot_judge_is_not_judged(small: Settings) -> None:
    base, mask = _surface(noise=1.0), _square(30, 20)
    screen = _screen(with_synthesis(small, hard="reject"), bounds=Bounds((None, 0.3), (None, 0.2)))
    assert screen.judge(_job((0, mask)), base, _darker(base, _square(31, 21, 10), 20), ["gan"])[1] is None


def test_bounds_come_from_the_training_objects_and_are_kept(prepared: Prepared, tmp_path: Path) -> None:
    """The toy's discs are dark enough for the segmenter by hand; what it can't find gets no bound."""
    sight = Sight(_Dark(), prepared.scale, prepared.window, CPU)
    bounds = measure_bounds(sight, prepared)
    assert len(bounds.found) == len(bounds.spilled) == prepared.classes
    for found, spilled in zip(bounds.found, bounds.spilled, strict=True):
        assert (found is None) == (spilled is None)
        assert found is None or 0.04 <= found <= 0.2  # a fifth of a median of 0.2 to 1
        assert spilled is None or spilled >= 0.5
    assert any(found is not None for found in bounds.found)
    path = tmp_path / "bounds.json"
    assert kept_bounds(sight, prepared, path) == bounds
    blind = Sight(_Blind(), prepared.scale, prepared.window, CPU)
    assert measure_bounds(blind, prepared).found == (None,) * prepared.classes
    assert kept_bounds(blind, prepared, path) == bounds, "the file is read, not measured again"


class _Blind(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])], dim=1)


@pytest.mark.slow
def test_a_training_object_is_a_copy_of_itself_and_another_picture_is_none(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    known = known_objects(prepared, cache_root=tmp_path, device=CPU)
    again = known_objects(prepared, cache_root=tmp_path, device=CPU)
    assert all((a == b).all() for a, b in zip(known.rows, again.rows, strict=True)), "kept"
    assert [len(rows) for rows in known.rows] == [len(members) for members in prepared.by_class]
    item = prepared.objects[prepared.by_class[0][0]]
    image = prepared.dataset.image(item.position)
    assert known.distance(image, 0, item.full) < 1e-3
    strange = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    assert known.distance(strange, 0, item.full) > 1
    limited = dataclasses.replace(known, limits=(0.5, None))
    screen = Screen(with_synthesis(small, least_shown=0.0, most_seam=100.0), MARGIN, known=limited)
    job = Job(1, 0, Box(0, 0, 96, 72), (PlannedDefect(0, item.full, None, ()),))
    found = screen.judge(job, image, image, ["gan"])[1]
    assert found is not None
    assert found.reason == "copy"
    assert screen.judge(job, image, image, ["paste"])[1] is None, "a copy is what paste makes"
    assert screen.judge(job, image, strange, ["gan"])[1] is None
