"""What the benefit test calls its trainings: those that are kept beside the results are found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from coigan_aug.config import load_settings
from coigan_aug.stages.benches import Fold, _mark

KEPT = Path(__file__).parents[2] / "examples/results/benefit"


@pytest.mark.parametrize(
    ("kept", "source", "overrides"),
    [
        ("magnetic-tile/fold-1/arms/transplant-{}-0.25-0.npz", "transplant", []),
        ("magnetic-tile/fold-1/arms/paste-{}-0.25-0.npz", "paste", ["data.transforms=one", "data.shear=2"]),
        ("magnetic-tile/fold-1/arms/patch-{}-0.25-0.npz", "patch", ["evaluate.per_class=60", "synthesize.hard=keep"]),
    ],
)
def test_a_kept_training_has_the_name_that_its_arm_has_now(kept: str, source: str, overrides: list[str]) -> None:
    settings = load_settings(recipe="tiny", overrides=overrides)
    fold = Fold(workspace=None, dataset=None, run=None, generator=None, given={}, settings=settings, folder=Path())  # type: ignore[arg-type]
    assert (KEPT / kept.format(_mark(fold, source, screen=True))).exists()


@pytest.mark.parametrize("change", ["synthesize.size=[0.5,2]", "synthesize.strength=[0.4,1.1]", "data.clean=masks"])
def test_what_pixels_depend_on_is_another_name(change: str) -> None:
    names = []
    for overrides in ([], [change]):
        settings = load_settings(recipe="tiny", overrides=overrides)
        fold = Fold(workspace=None, dataset=None, run=None, generator=None, given={}, settings=settings, folder=Path())  # type: ignore[arg-type]
        names.append(_mark(fold, "transplant", screen=True))
    assert names[0] != names[1]
