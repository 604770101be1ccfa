"""Groups come from a column of the source as well as from a pattern; folds are kept beside the data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.data.folds import FOLDS, hold_out, numbers_of, read_folds
from coigan_aug.data.groups import join_versions
from coigan_aug.data.importing import ImportReport, Sharing, import_dataset
from coigan_aug.errors import DataError, UsageError
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset


def images(folder: Path, count: int) -> None:
    draw = np.random.default_rng(0)
    for k in range(count):
        write_image(folder / "images" / f"{k:02d}.png", draw.integers(0, 255, (20, 30)).astype(np.uint8))


def csv(folder: Path, *, columns: str = "strip_id", rows: str) -> Path:
    (folder / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels,{columns}\n{rows}")
    return folder / "train.csv"


def coco(folder: Path, *, count: int, extra: str = "strip_id") -> Path:
    square = [[2, 2, 9, 2, 9, 9, 2, 9]]
    value = {
        "images": [
            {"id": k, "file_name": f"{k:02d}.png", "height": 20, "width": 30, extra: k // 3, "tags": ["a"]}
            for k in range(count)
        ],
        "annotations": [{"id": k + 1, "image_id": k, "category_id": 1, "segmentation": square} for k in range(count)],
        "categories": [{"id": 1, "name": "pit"}],
    }
    (folder / "coco.json").write_text(json.dumps(value))
    return folder / "coco.json"


def imported(source: Path, out: Path, **options: object) -> tuple[Dataset, ImportReport]:
    sharing = Sharing(**{key: options.pop(key) for key in ("split", "folds", "fold", "seed") if key in options})
    report = import_dataset(source, out, sharing=sharing, **options)
    return Dataset(out), report


def test_a_column_of_a_csv_groups_its_images(tmp_path: Path) -> None:
    images(tmp_path, 12)
    source = csv(tmp_path, rows="".join(f"{k:02d}.png,1,1 3,S{k // 4}\n" for k in range(12)))
    dataset, report = imported(source, tmp_path / "out", group_by="strip_id", split=0.67)
    assert {record.group for record in dataset} == {"S0", "S1", "S2"}
    assert (report.groups, report.grouped, report.grouping) == (3, 12, "strip_id")
    assert {len({r.split for r in dataset if r.group == name}) for name in ("S0", "S1", "S2")} == {1}
    assert dataset[5].source["strip_id"] == "S1"


def test_what_roboflow_made_of_one_image_stays_together(tmp_path: Path) -> None:
    """Turned and recoloured copies look like other images; their names tell."""
    draw = np.random.default_rng(0)
    rows = ""
    for k in range(12):
        name = f"{'new/' * (k % 2)}strip_{k // 3}_jpg.rf.{k:032x}.png"
        write_image(tmp_path / "images" / name, draw.integers(0, 255, (20, 30)).astype(np.uint8))
        rows += f"{name},1,1 3\n"
    write_image(tmp_path / "images" / "strip_0_jpg.png", draw.integers(0, 255, (20, 30)).astype(np.uint8))
    (tmp_path / "train.csv").write_text(f"ImageId,ClassId,EncodedPixels\n{rows}")
    dataset, report = imported(tmp_path / "train.csv", tmp_path / "out", split=0.5)
    groups: dict[str, set[str]] = {}
    for record in dataset:
        groups.setdefault(record.group, set()).add(record.file.rpartition("/")[2][:11])
    assert sorted(sorted(own) for own in groups.values()) == [
        ["strip_0_jpg"], ["strip_0_jpg"], ["strip_1_jpg"], ["strip_2_jpg"], ["strip_3_jpg"],
    ]  # fmt: skip
    assert (report.groups, report.grouped, report.leakage) == (4, 12, 0)
    assert all(len({r.split for r in dataset if r.group == group}) == 1 for group in groups)


def test_versions_join_the_groups_that_were_found() -> None:
    names = [f"{key}.rf.{k:020d}.jpg" for k, key in enumerate("aabbc")] + ["d.rf.short.jpg"]
    assert join_versions(names, ["k", "j", "j", "i", "h", "g"]) == ["i", "i", "i", "i", "h", "g"]


def test_a_key_of_coco_images_groups_them(tmp_path: Path) -> None:
    images(tmp_path, 12)
    dataset, report = imported(coco(tmp_path, count=12), tmp_path / "out", group_by="strip_id")
    assert [record.group for record in dataset] == [str(k // 3) for k in range(12)]
    assert report.groups == 4
    assert dataset[4].source == {"id": 4, "strip_id": 1}


def test_images_that_the_column_says_nothing_of_are_noted_and_stay_alone(tmp_path: Path) -> None:
    images(tmp_path, 6)
    source = csv(tmp_path, rows="00.png,1,1 3,A\n01.png,1,1 3,A\n02.png,1,1 3,\n")
    dataset, report = imported(source, tmp_path / "out", group_by="strip_id")
    assert [record.group for record in dataset] == ["A", "A", "02.png", "03.png", "04.png", "05.png"]
    assert [problem.what for problem in report.problems] == ["4 images have no strip_id (first: 02.png)"]


def test_a_column_about_single_rows_is_none_of_the_images(tmp_path: Path) -> None:
    images(tmp_path, 4)
    rows = "00.png,1,1 3,A,17\n00.png,2,5 3,A,3\n01.png,1,1 3,B,9\n"
    source = csv(tmp_path, columns="strip_id,score", rows=rows)
    dataset, _ = imported(source, tmp_path / "out", group_by="strip_id", strict=False, split=0.5)
    assert [dict(record.source) for record in dataset] == [{"strip_id": "A"}, {"strip_id": "B"}, {}, {}]


def test_a_pattern_still_works_and_what_is_neither_is_refused_with_the_columns(tmp_path: Path) -> None:
    images(tmp_path, 6)
    source = csv(tmp_path, rows="00.png,1,1 3,A\n")
    dataset, _ = imported(source, tmp_path / "out", group_by=r"^0(\d)", split=0.5)
    assert dataset[3].group == "3"
    with pytest.raises(UsageError, match=r"strip matches none of the 6 names.*says of its images: strip_id\."):
        imported(source, tmp_path / "none", group_by="strip")
    with pytest.raises(UsageError, match="not a regular expression"):
        imported(source, tmp_path / "none", group_by="strip(")
    assert not (tmp_path / "none").exists()


def test_folds_are_listed_beside_the_data_set_and_one_is_the_test_set(tmp_path: Path) -> None:
    images(tmp_path, 12)
    source = coco(tmp_path, count=12)
    held_out = []
    for fold in (1, 2):
        dataset, report = imported(source, tmp_path / str(fold), group_by="strip_id", folds=4, fold=fold)
        folds = read_folds(dataset.folder)
        assert folds is not None
        files = [record.file for record in dataset]
        assert sorted(file for own in folds.files for file in own) == files
        numbers = numbers_of(folds, files)
        assert [record.split for record in dataset] == ["test" if n == fold else "train" for n in numbers]
        assert {len({n for n, r in zip(numbers, dataset, strict=True) if r.group == str(g)}) for g in range(4)} == {1}
        assert [(count.number, count.images, count.objects) for count in report.folds] == [
            (k, 3, (3,)) for k in (1, 2, 3, 4)
        ]
        assert (report.fold, report.fold_deviation, report.wanted) == (fold, 0, 0.75)
        held_out.append(folds.files[fold - 1])
    assert not set(held_out[0]) & set(held_out[1])
    imported(source, tmp_path / "1", group_by="strip_id", overwrite=True)
    assert not (tmp_path / "1" / FOLDS).exists()


def test_a_fold_held_out_is_the_data_set_that_an_import_with_that_fold_gives(tmp_path: Path) -> None:
    images(tmp_path, 12)
    source = coco(tmp_path, count=12)
    first, _ = imported(source, tmp_path / "1", group_by="strip_id", folds=3, fold=1)
    second, _ = imported(source, tmp_path / "2", group_by="strip_id", folds=3, fold=2)
    made = hold_out(first, 2, tmp_path / "folds" / "2")
    assert made.manifest["sha256"] == second.manifest["sha256"]
    assert [made.image_path(k) for k in range(12)] == [second.image_path(k) for k in range(12)]
    assert read_folds(made.folder) == read_folds(second.folder)
    stamp = (made.folder / "dataset.json").stat().st_mtime_ns
    assert hold_out(first, 2, made.folder).folder.joinpath("dataset.json").stat().st_mtime_ns == stamp, "made once"
    other, _ = imported(source, tmp_path / "1", group_by="strip_id", folds=3, fold=1, seed=5, overwrite=True)
    assert hold_out(other, 2, made.folder).manifest["provenance"]["made_of"] != made.manifest["provenance"]["made_of"]
    with pytest.raises(DataError, match="has no fold 4"):
        hold_out(other, 4, tmp_path / "folds" / "4")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"folds": 1}, "2 folds or more"),
        ({"folds": -3}, "2 folds or more"),
        ({"folds": 3, "fold": 4}, "the folds are 1 to 3"),
        ({"fold": 2}, "there are no folds"),
        ({"folds": 9}, "6 groups of images, and a fold needs one"),
    ],
)
def test_folds_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, int], says: str) -> None:
    images(tmp_path, 6)
    source = csv(tmp_path, rows="00.png,1,1 3,A\n")
    with pytest.raises(UsageError, match=says):
        imported(source, tmp_path / "out", group_by="none", **options)


def test_damaged_or_foreign_folds_are_an_error(tmp_path: Path) -> None:
    images(tmp_path, 6)
    dataset, _ = imported(csv(tmp_path, rows="00.png,1,1 3,A\n"), tmp_path / "out", group_by="none", folds=2)
    folds = read_folds(dataset.folder)
    assert folds is not None
    with pytest.raises(DataError, match="other images"):
        numbers_of(folds, ["else.png"])
    (dataset.folder / FOLDS).write_text('{"files": 3}')
    with pytest.raises(DataError, match="not a list of folds"):
        read_folds(dataset.folder)
