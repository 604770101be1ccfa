"""Synthetic images: exact masks, untouched surroundings, the same bytes whatever the batch, and a kill loses nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.checkpoint import GeneratorFile, load_generator, save_generator
from coigan_aug.config import load_settings
from coigan_aug.data.importing import import_dataset
from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import sha256
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_image, to_rgb, write_image
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.sealed import read_lines, read_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset, class_masks
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.bases import find_bases
from coigan_aug.synthesis.engines import gan_engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.gan import blend, cut_patches, draw_patches, merge_boxes
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.run import check_free
from tests.synthesis.drawing import made_set, planned, with_synthesis
from tests.synthesis.styled import untrained

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> GeneratorFile:
    return untrained(tmp_path_factory.mktemp("generator"), prepared, small, colour="grey")


def _make(
    prepared: Prepared, generator: GeneratorFile, out: Path, *, batch: int = 8, seed: int = 1, workers: int = 0,
    **options: object,
) -> Made:  # fmt: skip
    settings = with_synthesis(generator.settings, batch=batch, seed=seed, workers=workers)
    made = made_set(prepared, gan_engine(prepared, generator, run="001-tiny", device=CPU), settings, out, **options)
    assert made is not None
    return made


def test_defects_that_find_no_place_together_go_on_several_images(prepared: Prepared, small: Settings) -> None:
    crowded = dataclasses.replace(small.synthesize, defects=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    jobs = planned(prepared, dataclasses.replace(small, synthesize=crowded), per_class=6, windows=True)
    labels = [defect.label for job in jobs for defect in job.defects]
    assert [labels.count(k) for k in range(prepared.classes)] == [6, 6]
    assert [(job.number, job.part) for job in jobs] == sorted({(job.number, job.part) for job in jobs})
    assert len({job.name for job in jobs}) == len(jobs)
    assert max(job.number for job in jobs) < len(jobs)  # six on one window of 32 px do not fit


def _hashes(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): sha256(path)
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def _jobs(prepared: Prepared, settings: Settings, *, per_class: int = 5, windows: bool = False) -> list[Job]:
    return planned(prepared, settings, per_class=per_class, windows=windows)


def test_as_many_defects_of_each_class_as_asked_on_defect_free_training_images(
    prepared: Prepared, small: Settings
) -> None:
    jobs = _jobs(prepared, small, per_class=7)
    labels = [defect.label for job in jobs for defect in job.defects]
    assert [labels.count(k) for k in range(2)] == [7, 7]
    for job in jobs:
        record = prepared.dataset[job.base]
        assert record.split == "train"
        assert not record.annotations
        drawn = sum(rle.decode(defect.rle).astype(int) for defect in job.defects)
        assert drawn.max() == 1, "defects never overlap"
        assert all(rle.area(defect.rle) > 0 for defect in job.defects)
        assert all(prepared.objects[d.shape_of].label == d.label for d in job.defects)
        assert all(prepared.dataset[prepared.objects[d.shape_of].position].split == "train" for d in job.defects)


@pytest.mark.parametrize(("scale", "fit"), [(1.0, 0.0), (0.5, 0.0), (1.0, 0.25)])
@pytest.mark.parametrize("windows", [False, True])
def test_written_masks_are_the_planned_ones_and_nothing_changes_beyond_the_margin(
    toy: Dataset, small: Settings, tmp_path: Path, scale: float, fit: float, windows: bool
) -> None:
    settings = dataclasses.replace(small, data=dataclasses.replace(small.data, scale=scale, fit=fit))
    prepared = prepare(toy, settings.data, cache_root=tmp_path / "cache")
    generator = untrained(tmp_path, prepared, settings, colour="grey")
    out = tmp_path / "out"
    _make(prepared, generator, out, windows=windows)
    coco, dataset = COCO(str(out / "annotations.json")), Dataset(tmp_path / "out-records")
    jobs = _jobs(prepared, settings, windows=windows)
    assert len(coco.imgs) == len(dataset) == len(jobs)
    margin, changed = margin_of(generator.settings), 0
    for job, image in zip(jobs, sorted(coco.imgs.values(), key=lambda item: item["file_name"]), strict=True):
        made = read_image(out / image["file_name"])
        left, top, width, height = job.region
        base = read_image(toy.image_path(job.base))[top : top + height, left : left + width]
        assert made.ndim == base.ndim == 2, "grey stays grey"
        annotations = coco.imgToAnns[image["id"]]
        assert [item["iscrowd"] for item in annotations] == [0] * len(job.defects)
        for defect, item in zip(job.defects, annotations, strict=True):
            assert (coco.annToMask(item) == rle.decode(defect.rle)).all()
        union = np.max([rle.decode(defect.rle) for defect in job.defects], axis=0)
        outside = grow(union, margin) == 0
        assert (made[outside] == base[outside]).all()
        changed += int((made[union > 0] != base[union > 0]).sum())
    assert changed > 0, "and inside something does"


def test_effective_masks_are_what_differs_from_the_base_and_the_plan_keeps_its_own(
    prepared: Prepared, generator: GeneratorFile, small: Settings, tmp_path: Path
) -> None:
    """Pixels that differ by far more than most lie in the masks; hardly one that does not differ does."""
    other = dataclasses.replace(generator, settings=with_synthesis(generator.settings, masks="effective"))
    _make(prepared, other, tmp_path / "out")
    plain = [rle.decode(defect.rle) for job in _jobs(prepared, small) for defect in job.defects]
    rows = list(read_lines(tmp_path / "out/plan.jsonl"))
    planned = [rle.decode(rle.Rle(*defect["size"], defect["counts"])) for row in rows for defect in row["defects"]]
    assert all(np.array_equal(one, two) for one, two in zip(plain, planned, strict=True)), "the plan is the same"
    dataset, differing, same, inside = Dataset(tmp_path / "out-records"), 0, 0, 0
    for row, record in zip(rows, dataset, strict=True):
        made = read_image(tmp_path / "out" / record.file).astype(int)
        base = read_image(prepared.dataset.image_root / row["base"]).astype(int)
        masks = [rle.decode(annotation.rle) for annotation in record.annotations]
        assert all(mask.any() for mask in masks)
        union, far = np.max(masks, axis=0), np.abs(made - base) >= 60
        differing += int((far & (union == 0)).sum())
        same += int((union & (made == base)).sum())
        inside += int(union.sum())
    assert differing <= 0.02 * inside
    assert same <= 0.2 * inside, "what is enclosed may be as it was"
    assert "half of its strength" in read_sealed(tmp_path / "out/card.json")["promise"]


def test_the_result_does_not_depend_on_the_batch(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    for batch in (1, 3, 8):
        _make(prepared, generator, tmp_path / str(batch), batch=batch)
    assert _hashes(tmp_path / "1") == _hashes(tmp_path / "3") == _hashes(tmp_path / "8")


def test_a_large_defect_is_drawn_as_training_saw_it_whole_and_small(
    toy: Dataset, small: Settings, tmp_path: Path
) -> None:
    """With fit 0.5 and a window of 32 px: an object of 34 px and its margin of 2 on both sides are seen in 76 px."""
    settings = dataclasses.replace(small, data=dataclasses.replace(small.data, fit=0.5))
    prepared = prepare(toy, settings.data, cache_root=tmp_path / "cache")
    generator = untrained(tmp_path, prepared, settings, colour="grey")
    image = np.full((72, 96), 128, np.uint8)
    for width, side, share in ((10, 32, 10 / 32), (34, 76, 34 / 76)):
        mask = np.zeros((72, 96), np.uint8)
        mask[30:34, 30 : 30 + width] = 1
        warp = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        job = Job(0, 0, Box(0, 0, 96, 72), (PlannedDefect(0, rle.encode(mask), 0, warp),), seed=1)
        (patch,) = cut_patches(image, job, generator)
        assert patch.region[2:] == (side, side)
        assert patch.base.shape == (3, 32, 32)
        seen = patch.condition[0].numpy()
        assert np.ptp(np.nonzero(seen)[1]) + 1 == pytest.approx(32 * share, abs=1)
        (delta,) = draw_patches([patch], generator, CPU)
        made = blend(image, patch, delta, generator)
        assert (made[mask > 0] != 128).mean() > 0.5
        assert (made[grow(mask, margin_of(settings)) == 0] == 128).all()


def test_another_seed_gives_other_images(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    _make(prepared, generator, tmp_path / "a", seed=1)
    _make(prepared, generator, tmp_path / "b", seed=2)
    assert (
        _hashes(tmp_path / "a")["images/synthetic_000001.png"] != _hashes(tmp_path / "b")["images/synthetic_000001.png"]
    )


class Killed(BaseException):
    pass


def test_a_killed_run_continues_and_ends_equal(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    _make(prepared, generator, tmp_path / "whole", batch=1)
    out = tmp_path / "broken"
    for kill_at in (2, 4):

        def report(done: int, total: int, note: str = "", limit: int = kill_at) -> None:
            if done >= limit:
                raise Killed

        with pytest.raises(Killed):
            _make(prepared, generator, out, batch=1, report=report)
        assert not (out / "card.json").exists()
        assert not (out / "annotations.json").exists()
    (out / "images" / ".synthetic_000009.png.1.tmp").write_bytes(b"torn")
    made = []
    _make(prepared, generator, out, batch=1, report=lambda done, total, note="": made.append(done))
    assert made[0] == 4, "what was there is kept"
    (out / "images" / ".synthetic_000009.png.1.tmp").unlink(missing_ok=True)
    assert _hashes(tmp_path / "whole") == _hashes(out)


def test_finished_work_is_not_touched_unless_told(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _make(prepared, generator, out)
    before = _hashes(out)
    with pytest.raises(UsageError, match=r"already holds \d+ images of 001-tiny"):
        _make(prepared, generator, out)
    assert _hashes(out) == before
    _make(prepared, generator, out, overwrite=True, per_class=2)
    card = json.loads((out / "card.json").read_text())
    assert card["defects"] == {"spot": 2, "line": 2}
    assert len(list((out / "images").iterdir())) == card["images"]


def test_an_unfinished_one_with_other_settings_is_not_mixed(
    prepared: Prepared, generator: GeneratorFile, tmp_path: Path
) -> None:
    def report(done: int, total: int, note: str = "") -> None:
        if done:
            raise Killed

    with pytest.raises(Killed):
        _make(prepared, generator, tmp_path / "out", report=report, batch=1)
    with pytest.raises(UsageError, match="unfinished synthesis with other settings"):
        _make(prepared, generator, tmp_path / "out", seed=5)


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(b"")
    with pytest.raises(UsageError, match="holds other files"):
        check_free(tmp_path, overwrite=False)


def test_a_generator_of_other_classes_is_refused(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    other = dataclasses.replace(generator, classes=generator.classes[:1])
    with pytest.raises(DataError, match="trained on the classes spot; the data set has spot, line"):
        _make(prepared, other, tmp_path / "out")


def test_the_card_says_what_made_it(prepared: Prepared, generator: GeneratorFile, tmp_path: Path) -> None:
    made = _make(prepared, generator, tmp_path / "out")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert card["generator"]["sha256"] == generator.sha256
    assert card["command"] == "coigan-aug synthesize"
    assert card["images"] == made.images
    assert card["settings"]["data"]["window"] == 32
    assert card["versions"]["torch"] == torch.__version__
    assert read_image(made.preview).ndim == 3


def test_colour_images_stay_in_colour(small: Settings, tmp_path: Path) -> None:
    """Red above, blue below: had the channels been swapped anywhere, the base's bytes would not come back."""
    records = []
    for k in range(4):
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[:32] = (200, 60, 40)
        pixels[32:] = (30, 60, 190)
        mask = np.zeros((64, 64), np.uint8)
        if k == 0:
            cv2.circle(mask, (30, 30), 6, 1, -1)
            pixels[mask > 0] = (10, 200, 10)
        write_image(tmp_path / "images" / f"{k}.png", pixels)
        annotations = (Annotation(label="dot", rle=rle.encode(mask)),) if k == 0 else ()
        records.append(ImageRecord(file=f"{k}.png", height=64, width=64, annotations=annotations, split="train"))
    classes = (dataclasses.replace(_class(), name="dot"),)
    data = write_dataset(tmp_path / "d", records, classes=classes, image_root=tmp_path / "images", provenance={})
    prepared = prepare(data, small.data, cache_root=tmp_path / "cache")
    assert not prepared.grey
    _make(prepared, untrained(tmp_path, prepared, small, colour="rgb"), tmp_path / "out", per_class=2)
    for record in Dataset(tmp_path / "out-records"):
        made = read_image(tmp_path / "out" / record.file)
        assert tuple(made[0, 0]) == (200, 60, 40)
        assert tuple(made[-1, -1]) == (30, 60, 190)


def _class() -> object:
    from coigan_aug.annotations.records import DefectClass

    return DefectClass(name="x", colour=(1, 2, 3))


def test_no_defect_free_image_is_said_with_the_way_out(small: Settings, tmp_path: Path, toy: Dataset) -> None:
    records = [record for record in toy if record.annotations]
    data = write_dataset(tmp_path / "d", records, classes=toy.classes, image_root=toy.image_root, provenance={})
    prepared = prepare(data, small.data, cache_root=tmp_path / "cache")
    with pytest.raises(DataError, match="No training image is free of defects") as caught:
        find_bases(prepared, kind="clean", windows=False)
    assert "--windows" in str(caught.value)
    assert _jobs(prepared, small, windows=True)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([], []),
        ([(0, 0, 4, 4), (9, 0, 4, 4)], [(0, 0, 4, 4), (9, 0, 4, 4)]),
        ([(0, 0, 4, 4), (8, 0, 4, 4)], [(0, 0, 12, 4)]),
        ([(0, 0, 4, 4), (20, 0, 4, 4), (7, 0, 10, 4)], [(0, 0, 24, 4)]),
    ],
)
def test_boxes_whose_margins_could_meet_are_joined(boxes: list, expected: list) -> None:
    assert merge_boxes([Box(*own) for own in boxes], reach=2) == expected


def test_a_recipe_for_one_scale_and_the_thesis_noise_draw_too(toy: Dataset, tmp_path: Path) -> None:
    """The FFC generator and the noised masks of the thesis go through the same engine."""
    small = (
        "data.window=32", "model.width=4", "model.depth=2", "model.blocks=1", "train.perceptual_weight=0",
        "model.grow=2", "model.soften=2",
    )  # fmt: skip
    settings = load_settings(recipe="coigan", overrides=small)
    prepared = prepare(toy, settings.data, cache_root=tmp_path / "cache")
    network = build_generator(settings.model, prepared.classes)
    save_generator(tmp_path / "g.safetensors", network, settings=settings, classes=toy.classes, images=0)
    made = _make(prepared, load_generator(tmp_path / "g.safetensors"), tmp_path / "out", per_class=2)
    assert made.images > 0
    assert to_rgb(read_image(tmp_path / "out" / "images" / "synthetic_000001.png")).shape == (72, 96, 3)


FORMS = (
    "coco", "severstal", "line-json", "mask-folder", "labelme", "cvat", "label-studio", "supervisely", "yolo", "voc",
    "mask-index",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_read_back_with_the_planned_masks(
    prepared: Prepared, generator: GeneratorFile, tmp_path: Path, form: str
) -> None:
    """Per image and class, whatever the format calls the class; instances and ids are COCO's alone to keep."""
    out = tmp_path / "out"
    made = _make(prepared, generator, out, form=form)
    source = out if form.startswith("mask-") else made.annotations
    names = parse_classes("spot=1,line=2") if form == "severstal" else ()
    report = import_dataset(source, tmp_path / "again", group_by="none", options=ReadOptions(classes=names))
    assert report.format == form
    written, read = Dataset(tmp_path / "out-records"), Dataset(tmp_path / "again")
    again = {Path(record.file).stem: position for position, record in enumerate(read)}
    assert len(read) == len(written)
    for record in written:
        planned, found = class_masks(record), read.masks(again[Path(record.file).stem])
        assert sorted(found) == sorted(planned)
        for name, mask in planned.items():
            assert (found[name] == mask).all()


def test_a_generator_with_a_masked_base_draws_the_same_on_whatever_was_there(
    toy: Dataset, small: Settings, tmp_path: Path
) -> None:
    """Bright or dark under the mask: what is drawn in its middle is equal to a grey level, and the noise is each class's."""
    model = dataclasses.replace(small.model, mask_base=True, noise="replace", noise_per_class=True)
    settings = dataclasses.replace(small, model=model)
    prepared = prepare(toy, settings.data, cache_root=tmp_path / "cache")
    generator = untrained(tmp_path, prepared, settings, colour="grey")
    mask = np.zeros((72, 96), np.uint8)
    mask[30:44, 30:44] = 1
    job = Job(0, 0, Box(0, 0, 96, 72), (PlannedDefect(0, rle.encode(mask), 0, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)),), seed=1)
    made = []
    for level in (60, 200):
        image = np.where(mask > 0, level, 128).astype(np.uint8)
        (patch,) = cut_patches(image, job, generator)
        (delta,) = draw_patches([patch], generator, CPU)
        made.append(blend(image, patch, delta, generator)[mask > 0].astype(int))
    assert np.abs(made[0] - made[1]).max() <= 1
