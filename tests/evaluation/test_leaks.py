"""What would let a test image reach training is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.evaluation.leaks import check_split, check_synthetic
from coigan_aug.prepare.prepared import training_positions
from coigan_aug.settings import DataSettings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


def _rewritten(toy: Dataset, folder: Path, **changes: dict[int, str]) -> Dataset:
    records = [
        dataclasses.replace(record, **{key: values[k] for key, values in changes.items() if k in values})
        for k, record in enumerate(toy)
    ]
    return write_dataset(folder, records, classes=toy.classes, image_root=toy.image_root, provenance={})


def test_a_whole_split_passes(toy: Dataset) -> None:
    check_split(toy)


def test_a_group_on_both_sides_is_refused_by_name(toy: Dataset, tmp_path: Path) -> None:
    torn = _rewritten(toy, tmp_path / "torn", group={0: "piece 9", 3: "piece 9"})
    assert {torn[0].split, torn[3].split} == {"train", "test"}
    with pytest.raises(DataError, match="1 groups have images both in train and in test, among them piece 9"):
        check_split(torn)


def test_a_data_set_without_test_images_is_refused(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no test images"):
        check_split(_rewritten(toy, tmp_path / "all", split=dict.fromkeys(range(len(toy)), "train")))


def _synthetic(toy: Dataset, folder: Path, *, base: str, shape: str) -> Dataset:
    rle = toy[0].annotations[0].rle
    made = Annotation(label="spot", rle=rle, attributes={"shape_of": shape})
    record = ImageRecord(file="images/1.png", height=72, width=96, annotations=(made,), source={"base": base})
    return write_dataset(folder, [record], classes=toy.classes, image_root=folder, provenance={})


@pytest.mark.parametrize(("base", "shape", "named"), [("03.png", "00.png", "03.png"), ("01.png", "06.png", "06.png")])
def test_a_synthetic_image_made_from_a_test_image_is_refused(
    toy: Dataset, tmp_path: Path, base: str, shape: str, named: str
) -> None:
    training = training_positions(toy, DataSettings())
    check_synthetic(_synthetic(toy, tmp_path / "good", base="01.png", shape="00.png"), toy, training)
    with pytest.raises(DataError, match=f"made from {named}, which is not among the training images"):
        check_synthetic(_synthetic(toy, tmp_path / "bad", base=base, shape=shape), toy, training)


def test_a_synthetic_set_of_other_classes_is_refused(toy: Dataset, tmp_path: Path) -> None:
    renamed = tuple(dataclasses.replace(item, name=item.name.upper()) for item in toy.classes)
    other = write_dataset(tmp_path / "other", [], classes=renamed, image_root=tmp_path, provenance={})
    with pytest.raises(DataError, match="has the classes SPOT, LINE"):
        check_synthetic(other, toy, [0])


def test_some_groups_of_each_class_and_all_clean_images_are_kept(toy: Dataset) -> None:
    everything = training_positions(toy, DataSettings())
    kept = training_positions(toy, DataSettings(groups_per_class=1))
    clean = [p for p in everything if not toy[p].annotations]
    assert set(clean) < set(kept) < set(everything)
    for name in toy.names:
        groups = {toy[p].group for p in kept if name in {a.label for a in toy[p].annotations}}
        assert len(groups) in (1, 2)  # a group that was kept for the other class may hold this one too
    assert kept == training_positions(toy, DataSettings(groups_per_class=1))
    others = [training_positions(toy, DataSettings(groups_per_class=1, subset_seed=seed)) for seed in range(1, 6)]
    assert any(other != kept for other in others)
