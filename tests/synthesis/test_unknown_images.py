"""A set in which half of the defective images lost their annotation: none of them is taken for clean anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.compose.composer import compose
from coigan_aug.data.importing import ImportReport, Sharing, import_dataset
from coigan_aug.data.inspecting import inspect_dataset
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import load_examples
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.sealed import read_sealed
from coigan_aug.settings import Settings
from coigan_aug.stages.benches import hold
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.bases import find_bases
from tests.conftest import make_image
from tests.synthesis.drawing import planned

CLASSES = ("spot", "line")
LOST = frozenset(f"{k:02d}.png" for k in range(0, 24, 4))
"""Of 24 images every second one has a defect, and every second of those has boxes only. These are red, the others grey."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> ImportReport:
    folder = tmp_path_factory.mktemp("boxes")
    images, annotations = [], []
    for k in range(24):
        name = f"{k:02d}.png"
        pixels, masks = make_image(k, defective=k % 2 == 0)
        red = np.stack([pixels, pixels // 3, pixels // 3], axis=-1)
        write_image(folder / "images" / name, red if name in LOST else pixels)
        images.append({"id": k, "file_name": name, "height": 72, "width": 96})
        for label, mask in masks.items():
            about = {"id": len(annotations) + 1, "image_id": k, "category_id": CLASSES.index(label) + 1, "iscrowd": 0}
            run = rle.encode(mask)
            shape = {"segmentation": {"size": [72, 96], "counts": run.counts}}
            annotations.append(about | {"bbox": [*rle.box(run)]} | ({} if name in LOST else shape))
    categories = [{"id": k, "name": name} for k, name in enumerate(CLASSES, start=1)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "a.json").write_text(json.dumps(value))
    sharing = Sharing(split=0.6)
    return import_dataset(folder / "a.json", folder / "coigan" / "dataset", group_by="none", sharing=sharing)


@pytest.fixture(scope="module")
def half(imported: ImportReport, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(Dataset(imported.folder), small.data, cache_root=tmp_path_factory.mktemp("half"))


def _files(prepared: Prepared, positions: object) -> set[str]:
    return {prepared.dataset[position].file for position in positions}  # type: ignore[attr-defined]


def test_import_counts_and_names_them(imported: ImportReport) -> None:
    assert set(imported.unknown) == LOST
    assert (imported.images, imported.defect_free) == (24, 12)
    assert {item.name: item.images for item in imported.classes} == {"spot": 6, "line": 6}
    assert imported.train + imported.test == 24
    assert set(read_sealed(imported.folder / "import.json")["unknown"]) == LOST
    found = inspect_dataset(Dataset(imported.folder))
    assert set(found.unknown) == LOST
    assert found.defect_free == 12
    assert {item.file for item in found.findings if item.kind == "unknown" and item.error} == LOST


def test_none_of_them_is_a_base(half: Prepared, small: Settings) -> None:
    for kind in ("clean", "erased", "both"):
        for windows in (False, True):
            bases = find_bases(half, kind=kind, windows=windows)
            assert bases
            assert not LOST & _files(half, {base.position for base in bases})
    assert not LOST & _files(half, {job.base for job in planned(half, small)})


def test_none_of_them_is_an_origin_of_what_training_sees(half: Prepared, small: Settings) -> None:
    assert not LOST & _files(half, {window.position for window in [*half.clean, *half.with_objects]})
    assert not LOST & _files(half, half.positions)
    for index in range(8):
        sample = compose(half, small, 0, index)
        for image in (sample.base, sample.reference, sample.objects, sample.pair_base, sample.pair_target):
            assert (image == image[:1]).all()  # grey, not red


def test_none_of_them_is_in_the_lists_of_the_benefit_test(half: Prepared, small: Settings, tmp_path: Path) -> None:
    dataset = half.dataset
    everywhere = [k for k, record in enumerate(dataset) if record.file in LOST]
    assert {dataset[k].split for k in everywhere} == {"train", "test"}
    held_out = dataset.indices("test")
    test = load_examples(dataset, held_out, small.data, cache_root=tmp_path)
    held = hold(half, test, held_out, binary=False)
    assert held.clean
    assert held.train_clean
    assert not set(everywhere) & {*held.defective, *held.clean, *held.train_clean}
