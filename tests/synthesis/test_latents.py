"""Latents as text, near each other, and between two; and the one that redraws a defect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.errors import DataError, UsageError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.varying import chosen, counts_of, objects_named
from coigan_aug.synthesis import projecting
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.latents import between, packed, unit, unpacked, varied
from coigan_aug.synthesis.projecting import Projection, load_projecting, project
from coigan_aug.synthesis.rows import read_made, read_rows, reader_of
from coigan_aug.synthesis.siblings import Siblings
from tests.synthesis.drawing import made_set, planned
from tests.synthesis.styled import styled_generator

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> GeneratorFile:
    return styled_generator(tmp_path_factory.mktemp("styled"), prepared, small)


def _latent(seed: int, rows: int = 3, numbers: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, numbers)).astype(np.float32)


def test_a_latent_survives_as_text_and_a_wrong_one_is_refused() -> None:
    latent = _latent(0, numbers=6)
    np.testing.assert_allclose(unpacked(packed(latent), (3, 6)), latent, rtol=1e-3)
    for text, said in ((packed(latent), "18 numbers"), ("no base64!", "base64"), (packed(latent * np.inf), "finite")):
        with pytest.raises(DataError, match=said):
            unpacked(text, (3, 7) if said == "18 numbers" else (3, 6))


def test_a_varied_latent_is_as_far_as_the_spread_says() -> None:
    """By its correlation with the first, row by row: the cosine of an angle whose sine is the spread."""
    latent = _latent(0)
    np.testing.assert_allclose(varied(latent, np.random.default_rng(1), spread=0.0), unit(latent), rtol=1e-5)
    for spread in (0.3, 0.8, 1.0):
        other = varied(latent, np.random.default_rng(1), spread=spread)
        cosine = (unit(latent) * other).mean(axis=1)
        np.testing.assert_allclose(cosine, np.sqrt(1 - spread**2), atol=0.12)
        np.testing.assert_allclose(np.square(other).mean(axis=1), 1, rtol=1e-4)


def test_what_lies_between_two_latents_divides_their_angle() -> None:
    one, other = unit(_latent(0)), unit(_latent(1))
    angle = np.arccos((one * other).mean(axis=1))
    for share in (0.0, 0.25, 0.5, 1.0):
        middle = between(one, other, share)
        np.testing.assert_allclose(np.arccos(np.clip((one * middle).mean(axis=1), -1, 1)), share * angle, atol=2e-3)
    np.testing.assert_allclose(between(one, one, 0.5), one, rtol=1e-5)


def test_a_drawn_defect_is_projected_nearer_than_any_random_latent(
    prepared: Prepared, generator: GeneratorFile
) -> None:
    """What is to be redrawn was drawn by the generator itself, so there is a latent that gives it."""
    job = planned(prepared, generator.settings, per_class=1)[0]
    own = PlannedDefect(job.defects[0].label, job.defects[0].rle, None, (), latent=packed(_latent(5, 3, 6)))
    base = prepared.dataset.stored(job.base)
    engine = gan_engine(prepared, generator, run="001-tiny", device=CPU)

    def drawn(defect: PlannedDefect, seed: int) -> np.ndarray:
        single = Job(1, job.base, job.region, (defect,), seed=seed)
        (made,) = engine.draw([single], [base], [engine.cut(single, base)])
        return made

    image, features = drawn(own, 0), load_projecting()
    plain = PlannedDefect(own.label, own.rle, None, ())
    found = project(generator, base, plain, image, features=features, steps=20)
    twice = [project(generator, base, plain, image, features=features, steps=1).latent for _ in range(2)]
    assert np.array_equal(*twice) and found.latent.shape == (3, 6)
    assert found.projected < 0.7 * found.best < found.best < found.random
    redrawn = drawn(PlannedDefect(own.label, own.rle, None, (), latent=packed(found.latent)), 0)
    inside = image != base
    off = np.abs(redrawn.astype(float) - image)[inside].mean()
    assert off < 2 * found.projected + 2, "the engine draws with it what the projection saw"


def test_a_search_that_gets_no_nearer_gives_the_nearest_random_latent(
    prepared: Prepared, generator: GeneratorFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = planned(prepared, generator.settings, per_class=1)[0]
    plain = PlannedDefect(job.defects[0].label, job.defects[0].rle, None, ())
    base, features = prepared.dataset.stored(job.base), load_projecting()
    image = 255 - base
    begun = project(generator, base, plain, image, features=features, steps=0)
    monkeypatch.setattr(projecting, "FEATURES", -1e4)  # leads away
    monkeypatch.setattr(projecting, "RATE", 1e-3)
    found = project(generator, base, plain, image, features=features, steps=3)
    assert found.projected == found.best == begun.best
    assert np.array_equal(found.latent, begun.latent)


def test_siblings_are_of_the_named_object_and_their_plan_gives_them_again(
    prepared: Prepared, generator: GeneratorFile, tmp_path: Path
) -> None:
    label = prepared.objects[prepared.by_class[1][2]].label
    source = prepared.by_class[label][2]
    siblings = Siblings({source: Projection(_latent(3, 3, 6), 3.0, 2.0, 1.0)}, 0.3)
    engine = gan_engine(prepared, generator, run="001-tiny", device=CPU)
    keep = [0, 0]
    keep[label] = 4
    only = {"siblings": siblings, "counts": tuple(keep)}
    made_set(prepared, engine, generator.settings, tmp_path / "one", **only)
    made_set(prepared, engine, generator.settings, tmp_path / "two", **only)
    files = sorted((tmp_path / "one" / "images").iterdir())
    assert len(files) >= 2
    assert all(file.read_bytes() == (tmp_path / "two" / "images" / file.name).read_bytes() for file in files)
    assert (tmp_path / "one" / "plan.jsonl").read_bytes() == (tmp_path / "two" / "plan.jsonl").read_bytes()
    position = prepared.objects[source].position
    name = (prepared.dataset[position].file, prepared.by_record[position].index(source))
    rows = list(read_made(tmp_path / "one"))
    defects = [defect for row in rows for defect in row.defects]
    assert len(defects) == 4 and {defect.projected_from for defect in defects} == {name}
    assert all((defect.of, defect.object) == name for defect in defects)
    assert len({defect.latent for defect in defects}) == 4, "each has a latent of its own"
    for defect in defects:
        cosine = (unit(unpacked(defect.latent, (3, 6))) * unit(_latent(3, 3, 6))).mean()
        assert cosine > 0.6
    reader = reader_of(prepared)
    jobs = [reader.job(row, at, tmp_path) for at, row in read_rows(tmp_path / "one" / "plan.jsonl")]
    assert {d.projected_from for job in jobs for d in job.defects} == {source}
    assert [d.latent for job in jobs for d in job.defects] == [defect.latent for defect in defects]


def test_what_vary_names(prepared: Prepared) -> None:
    every = sorted(k for members in prepared.by_class for k in members)
    assert sorted(objects_named(prepared, "all")) == every
    name = prepared.dataset.names[0]
    assert objects_named(prepared, name) == list(prepared.by_class[0])
    position, own = next((p, numbers) for p, numbers in prepared.by_record.items() if len(numbers) > 1)
    file = prepared.dataset[position].file
    assert objects_named(prepared, file) == own
    assert objects_named(prepared, f"{file}:1") == [own[1]]
    held_out = next(record.file for record in prepared.dataset if record.split == "test")
    for wrong, said in (
        (f"{file}:9", rf"training objects of {file}: 0 \("),
        (held_out, "not among the training images"),
        ("spott", r"no class and no training image of that name. Did you mean 'spot'"),
    ):
        with pytest.raises(UsageError, match=said):
            objects_named(prepared, wrong)
    only = list(prepared.by_class[0])
    ask = SynthesizeAsk(out="o", vary=name, per_class=2)
    assert counts_of(prepared, only, (2, 2), ask) == (2, 0)
    with pytest.raises(UsageError, match="means objects of spot; --per-class asks for line"):
        counts_of(prepared, only, (1, 2), SynthesizeAsk(out="o", vary=name, per_class="spot=1,line=2"))
    some = chosen(prepared, every, (2, 3), seed=1)
    assert [prepared.objects[k].label for k in some] == [0, 0, 1, 1, 1] and some == chosen(
        prepared, every, (2, 3), seed=1
    )
    assert chosen(prepared, every, (2, 3), seed=2) != some
