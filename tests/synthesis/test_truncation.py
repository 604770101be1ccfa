"""Truncation: how far styles go from their mean stands in the plan, and what is drawn depends on nothing else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.imaging import Pixels, read_image
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_sealed
from coigan_aug.settings import Settings
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.gan import Patch, cut_patches, draw_patches
from coigan_aug.synthesis.rows import read_rows, reader_of
from tests.synthesis.drawing import made_set, planned, with_synthesis
from tests.synthesis.styled import styled_generator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> GeneratorFile:
    return styled_generator(tmp_path_factory.mktemp("styled"), prepared, small)


def _set(prepared: Prepared, generator: GeneratorFile, out: Path, **changes: object) -> dict[str, Pixels]:
    settings = with_synthesis(generator.settings, **changes)
    made_set(prepared, gan_engine(prepared, generator, run="001-tiny", device=CPU), settings, out, per_class=2)
    return {path.name: read_image(path) for path in sorted((out / "images").iterdir())}


def test_a_truncated_set_is_the_same_whatever_batch_and_threads_and_says_what_it_was_made_with(
    prepared: Prepared, generator: GeneratorFile, tmp_path: Path
) -> None:
    whole = _set(prepared, generator, tmp_path / "whole", workers=0)
    one = _set(prepared, generator, tmp_path / "one", truncation=0.3, batch=1, workers=0)
    other = _set(prepared, generator, tmp_path / "other", truncation=0.3, batch=8, workers=2)
    assert all(np.array_equal(one[name], other[name]) for name in one) and one.keys() == other.keys() == whole.keys()
    assert not any(np.array_equal(one[name], whole[name]) for name in one)
    assert read_sealed(tmp_path / "one" / "card.json")["settings"]["synthesize"]["truncation"] == 0.3
    reader = reader_of(prepared)
    for out, truncation in ((tmp_path / "one", 0.3), (tmp_path / "whole", 1.0)):
        jobs = [reader.job(row, at, out) for at, row in read_rows(out / "plan.jsonl")]
        assert jobs and {job.truncation for job in jobs} == {truncation}


def test_no_truncation_leaves_one_picture_and_half_of_it_half_the_styles_way(
    prepared: Prepared, generator: GeneratorFile
) -> None:
    """Against the styles by hand: the mapping of the latent, moved towards the mean of 4,096 others."""
    job = planned(prepared, generator.settings, per_class=1)[0]
    image = prepared.dataset.image(job.base)

    def patches(seed: int, truncation: float) -> list[Patch]:
        return cut_patches(image, dataclasses.replace(job, seed=seed, truncation=truncation), generator)

    one, other = patches(1, 0.0)[0], dataclasses.replace(patches(2, 0.0)[0], condition=patches(1, 0.0)[0].condition)
    drawn = draw_patches([one, other, dataclasses.replace(other, truncation=1.0)], generator, CPU)
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-6)  # the noise is the same, and the style is the mean one
    assert np.abs(drawn[2] - drawn[1]).max() > 0.01
    mapping, many = generator.generator.network.mapping, torch.Generator().manual_seed(0)
    mean = mapping(torch.randn(4096, 6, generator=many)).mean(dim=0)
    style = mean + 0.5 * (mapping(one.latent) - mean)
    torch.testing.assert_close(generator.generator.network.styles(one.latent, truncation=0.5), style)
