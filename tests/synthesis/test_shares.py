"""Shares, threads, kills and merging change nothing; a plan can be given back; a set can be added to."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.errors import DataError, ResourceError, UsageError
from coigan_aug.files import json_line
from coigan_aug.imaging import jpeg_coding, read_image, write_image
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_lines, read_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import Engine, copying_engine, gan_engine, mixed_engine
from coigan_aug.synthesis.finishing import Made
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.merging import merge
from coigan_aug.synthesis.parts import PARTS, Shard, parse_shard
from coigan_aug.synthesis.rows import PLAN, read_made, reader_of, row_of
from coigan_aug.synthesis.run import Request, synthesize
from coigan_aug.synthesis.screen import Screen
from coigan_aug.synthesis.tasks import Given, check_given
from coigan_aug.synthesis.written import most_synthetic
from tests.synthesis.drawing import made_set, planned, planner_of, with_synthesis
from tests.synthesis.styled import untrained
from tests.synthesis.test_synthesis import _hashes

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def generator(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> GeneratorFile:
    return untrained(tmp_path_factory.mktemp("generator"), prepared, small, colour="grey")


@pytest.fixture
def engine(prepared: Prepared, generator: GeneratorFile) -> Engine:
    return gan_engine(prepared, generator, run="001-tiny", device=CPU)


def _drawn(prepared: Prepared, engine: Engine, settings: Settings, out: Path, **options: object) -> Made:
    made = made_set(prepared, engine, settings, out, **options)  # type: ignore[arg-type]
    assert made is not None
    return made


@pytest.mark.parametrize(("batch", "workers", "shards"), [(1, 0, 1), (3, 2, 1), (8, 0, 3), (2, 3, 4)])
def test_batch_threads_and_shares_change_no_byte(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path, batch: int, workers: int, shards: int
) -> None:
    strict = with_synthesis(small, most_seam=5.8, attempts=3, workers=0)  # so that some tries are rejected
    _drawn(prepared, engine, strict, tmp_path / "whole" / "set", screen=True)
    assert (tmp_path / "whole/set/rejected.jsonl").stat().st_size > 0
    settings = with_synthesis(strict, batch=batch, workers=workers)
    out = tmp_path / "other" / "set"
    for index in range(shards, 0, -1):
        made = made_set(prepared, engine, settings, out, screen=True, shard=Shard(index, shards))
        assert (made is None) == (index > 1), "whoever makes the last share finishes"
    assert _hashes(out) == _hashes(tmp_path / "whole/set")
    assert _hashes(out.parent / "set-records") == _hashes(tmp_path / "whole/set-records")


@pytest.mark.parametrize("form", ["coco", "supervisely"])  # whose images lie in one folder, and in one within another
def test_shares_from_several_folders_merge_to_the_set_made_at_once(
    prepared: Prepared, small: Settings, engine: Engine, form: str, tmp_path: Path
) -> None:
    _drawn(prepared, engine, small, tmp_path / "whole", form=form)
    folders = [tmp_path / f"share{index}" for index in (1, 2, 3)]
    for index, folder in enumerate(folders, start=1):
        assert made_set(prepared, engine, small, folder, shard=Shard(index, 3), form=form) is None
    records = tmp_path / "merged-records"
    with pytest.raises(DataError, match=r"not finished: 2/3"):
        merge([folders[0], folders[2]], tmp_path / "early", records=records, dataset=prepared.dataset)
    merge(folders, tmp_path / "merged", records=records, dataset=prepared.dataset)
    assert _hashes(tmp_path / "merged") == _hashes(tmp_path / "whole")
    merge(folders, folders[0], records=tmp_path / "first-records", dataset=prepared.dataset)
    assert _hashes(folders[0]) == _hashes(tmp_path / "whole"), "into one of them, too"


def test_what_does_not_belong_together_is_not_merged(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    made_set(prepared, engine, small, tmp_path / "a", shard=Shard(1, 2))
    made_set(prepared, engine, with_synthesis(small, seed=5), tmp_path / "b", shard=Shard(2, 2))
    _drawn(prepared, engine, small, tmp_path / "done", per_class=1)
    (tmp_path / "other").mkdir()
    for folders, said in (
        (["a", "b"], "not of the same synthesis as .*: another tasks and settings"),
        (["a", "done"], "is finished already"),
        (["a", "other"], "holds no share"),
    ):
        with pytest.raises((DataError, UsageError), match=said):
            merge(
                [tmp_path / name for name in folders],
                tmp_path / "out",
                records=tmp_path / "r",
                dataset=prepared.dataset,
            )


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/0", "a/b", "1/2/3", "-1/4"])
def test_a_share_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert parse_shard("3/4") == Shard(3, 4)


class Killed(BaseException):
    pass


def test_a_share_that_is_killed_continues_and_the_whole_ends_equal(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    settings = with_synthesis(small, most_seam=5.8, attempts=3, batch=1, workers=2)
    _drawn(prepared, engine, settings, tmp_path / "whole", screen=True)

    def kill(done: int, total: int, note: str = "") -> None:
        if done >= 2:
            raise Killed

    out = tmp_path / "broken"
    assert made_set(prepared, engine, settings, out, screen=True, shard=Shard(2, 2)) is None
    with pytest.raises(Killed):
        made_set(prepared, engine, settings, out, screen=True, shard=Shard(1, 2), report=kill)
    log = out / ".parts" / "1-of-2" / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'{"number": 9')  # a line torn by the kill
    _drawn(prepared, engine, settings, out, screen=True, shard=Shard(1, 2))
    assert _hashes(out) == _hashes(tmp_path / "whole")


def test_a_plan_is_given_back_and_gives_the_same_pictures(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    _drawn(prepared, engine, small, tmp_path / "first")
    again = _given(prepared, engine, small, tmp_path / "first" / PLAN, tmp_path / "second")
    assert again.defects == {"spot": 5, "line": 5}
    first, second = (_hashes(tmp_path / name) for name in ("first", "second"))
    for name in first:
        if name.startswith("images") or name in (PLAN, "annotations.json", "preview.png"):
            assert first[name] == second[name], name


@pytest.mark.parametrize("bend", [(), (0.5, -1.0, 2.0, 0.25)])
def test_a_job_is_the_same_when_its_row_is_read_again(
    prepared: Prepared, small: Settings, bend: tuple[float, ...]
) -> None:
    job, *_ = planned(prepared, small)
    job = replace(job, defects=tuple(replace(defect, bend=bend, strength=0.5) for defect in job.defects))
    row = row_of(prepared, job)
    assert reader_of(prepared).job(row, "plan.jsonl:1", Path("nowhere")).defects == job.defects


def test_parts_that_cannot_be_removed_do_not_undo_a_finished_set(
    prepared: Prepared, small: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def busy(path: object, *, dir_fd: int | None = None) -> None:
        if dir_fd is not None:  # as shutil calls it
            raise OSError(errno.EBUSY, "busy", path)
        remove(path)  # type: ignore[arg-type]

    remove = os.unlink
    monkeypatch.setattr(os, "unlink", busy)
    assert _drawn(prepared, engine, small, tmp_path / "set", per_class=1).defects == {"spot": 1, "line": 1}
    assert (tmp_path / "set" / PARTS).is_dir()


def _given(prepared: Prepared, engine: Engine, settings: Settings, plan: Path, out: Path) -> Made:
    tasks = Given(plan, reader_of(prepared))
    check_given(tasks)
    planner = planner_of(prepared, settings, [1] * prepared.classes)
    made = synthesize(
        planner, engine, Screen(settings, margin_of(settings), on=False), tasks,
        Request(format="coco", command="coigan-aug synthesize"), out=out, records=out.parent / f"{out.name}-records",
    )  # fmt: skip
    assert made is not None
    return made


def test_an_edited_plan_is_made_as_it_stands(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    """Lines taken out, a class changed, a mask drawn by hand as an image: the written masks are what the plan says."""
    jobs = [job for job in planned(prepared, small) if len(job.defects) == 1][:3]
    rows = [msgspec.to_builtins(row_of(prepared, job)) for job in jobs]
    rows[0]["defects"][0]["class"] = "line"
    drawn = np.zeros((72, 96), np.uint8)
    drawn[20:30, 40:60] = 255
    write_image(tmp_path / "drawn.png", drawn)
    rows[2]["defects"] = [{"class": "spot", "mask": "drawn.png", "contrast": -0.4}]
    plan = tmp_path / "plan.jsonl"
    plan.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    _given(prepared, engine, small, plan, tmp_path / "out")
    coco = COCO(str(tmp_path / "out/annotations.json"))
    assert len(coco.imgs) == 3
    labels = [coco.cats[item["category_id"]]["name"] for item in coco.anns.values()]
    assert labels[0] == "line"
    last = next(item for item in coco.anns.values() if item["image_id"] == 3)
    assert (coco.annToMask(last) == (drawn > 0)).all()
    assert last["shape_of"] == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"base": "nowhere.png"}, "base nowhere.png is not among the training images"),
        ({"region": [0, 0, 500, 72]}, "region reaches beyond"),
        ({"region": "all"}, "of another kind than a plan's"),
        ({"defects": []}, "no defects"),
        ({"defects": [{"class": "hole", "size": [72, 96], "counts": "0"}]}, "no class 'hole'"),
        ({"defects": [{"class": "spot", "size": [72, 96], "counts": "!!"}]}, "of another kind than a plan's"),
        ({"defects": [{"class": "spot", "mask": "../up.png"}]}, "leaves the image folder"),
        ({"defects": [{"class": "spot"}]}, "'size' is missing"),
        ({"number": None}, "of another kind than a plan's"),
    ],
)
def test_a_wrong_line_of_a_plan_is_named(
    prepared: Prepared, small: Settings, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    rows = [msgspec.to_builtins(row_of(prepared, job)) for job in planned(prepared, small)[:2]]
    rows[1] |= change
    plan = tmp_path / "plan.jsonl"
    plan.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    with pytest.raises(DataError, match=said) as caught:
        check_given(Given(plan, reader_of(prepared)))
    assert "plan.jsonl" in str(caught.value) or "leaves" in said


def test_a_plan_never_draws_on_or_after_test_images(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    held_out = prepared.dataset[prepared.dataset.indices("test")[0]].file
    row = msgspec.to_builtins(row_of(prepared, planned(prepared, small)[0]))
    for change in ({"base": held_out}, {"defects": [row["defects"][0] | {"of": held_out}]}):
        (tmp_path / "plan.jsonl").write_text(json.dumps(row | change) + "\n")
        with pytest.raises(DataError, match="is not among the training images"):
            check_given(Given(tmp_path / "plan.jsonl", reader_of(prepared)))


def test_numbers_that_stand_twice_are_refused(prepared: Prepared, small: Settings, tmp_path: Path) -> None:
    row = json_line(row_of(prepared, planned(prepared, small)[0])).decode().strip()
    (tmp_path / "plan.jsonl").write_text(f"{row}\n{row}\n")
    with pytest.raises(DataError, match="two lines have number 1"):
        check_given(Given(tmp_path / "plan.jsonl", reader_of(prepared)))
    (tmp_path / "plan.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no jobs"):
        check_given(Given(tmp_path / "plan.jsonl", reader_of(prepared)))


def test_a_set_is_added_to_and_what_was_there_stays(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = _drawn(prepared, engine, small, out)
    images = {name: value for name, value in _hashes(out).items() if name.startswith("images")}
    plan = (out / PLAN).read_bytes()
    last = max(row.number for row in read_made(out))

    def kill(done: int, total: int, note: str = "") -> None:
        if done:
            raise Killed

    slow = with_synthesis(small, batch=1, workers=0)
    with pytest.raises(Killed):
        made_set(prepared, engine, slow, out, append=True, first=last + 1, report=kill)
    second = _drawn(prepared, engine, slow, out, append=True, first=last + 1)
    assert second.images == 2 * first.images or second.images > first.images
    assert second.defects == {"spot": 10, "line": 10}
    assert (out / PLAN).read_bytes().startswith(plan)
    after = _hashes(out)
    assert all(after[name] == value for name, value in images.items())
    coco = COCO(str(out / "annotations.json"))
    assert len(coco.imgs) == second.images == len(list((out / "images").iterdir()))
    assert read_sealed(out / "card.json")["earlier"][0]["images"] == first.images
    with pytest.raises(UsageError, match="needs the same classes and --format coco"):
        made_set(prepared, engine, small, out, append=True, form="severstal")


def test_each_object_says_where_it_comes_from(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    _drawn(prepared, engine, small, tmp_path / "out")
    coco = COCO(str(tmp_path / "out/annotations.json"))
    files = {prepared.dataset[k].file for k in prepared.positions}
    plan = {row.file: row for row in read_made(tmp_path / "out")}
    for item in coco.anns.values():
        row = plan[coco.imgs[item["image_id"]]["file_name"]]
        assert item["synthetic"] is True
        assert item["engine"] == "gan"
        assert item["base"] == row.base in files
        assert item["shape_of"] in files
        assert item["seed"] == row.seed
        assert 0 <= item["effective_iou"] <= 1


def test_engines_can_differ_by_class(prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path) -> None:
    """Each class is drawn as its engine alone draws it, where images hold one defect."""
    alone = with_synthesis(small, defects=(0.0, 1.0))
    paste = copying_engine("paste", prepared, alone)
    mixed = mixed_engine({0: "gan", 1: "paste"}, {"gan": engine, "paste": paste})
    _drawn(prepared, mixed, alone, tmp_path / "mixed")
    _drawn(prepared, engine, alone, tmp_path / "gan")
    _drawn(prepared, paste, alone, tmp_path / "paste")
    used = set()
    for row in read_made(tmp_path / "mixed"):
        (defect,) = row.defects
        assert defect.engine == {"spot": "gan", "line": "paste"}[defect.label]
        used.add(defect.engine)
        drawn, expected = (read_image(tmp_path / name / row.file) for name in ("mixed", defect.engine))
        assert (drawn == expected).all()
    assert used == {"gan", "paste"}
    assert read_sealed(tmp_path / "mixed/card.json")["engines"] == {"line": {"paste": 5}, "spot": {"gan": 5}}


def test_an_image_with_two_engines_keeps_every_byte_beyond_the_margins(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    both = with_synthesis(small, defects=(0.0, 0.0, 1.0))
    mixed = mixed_engine(
        {0: "gan", 1: "poisson"}, {"gan": engine, "poisson": copying_engine("poisson", prepared, both)}
    )
    _drawn(prepared, mixed, both, tmp_path / "out")
    for record in Dataset(tmp_path / "out-records"):
        base = next(k for k in prepared.positions if prepared.dataset[k].file == record.source["base"])
        before, after = read_image(prepared.dataset.image_path(base)), read_image(tmp_path / "out" / record.file)
        union = rle.decode(rle.union([item.rle for item in record.annotations]))
        outside = _grown(union, margin_of(small)) == 0
        assert (before[outside] == after[outside]).all()
        assert len({item.attributes["engine"] for item in record.annotations}) == len(
            {item.label for item in record.annotations}
        )


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:  # type: ignore[type-arg]
    """Grow a mask by brute force."""
    out = mask.copy()
    rows, columns = np.nonzero(mask)
    for y, x in zip(rows, columns, strict=True):
        out[max(y - pixels, 0) : y + pixels + 1, max(x - pixels, 0) : x + pixels + 1] = 1
    return out


def test_real_images_are_put_beside_byte_for_byte(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    planner = planner_of(prepared, small, [5, 5])
    out = tmp_path / "out"
    plan = tmp_path / "plan.jsonl"
    plan.write_bytes(b"".join(json_line(row_of(prepared, job)) for job in planned(prepared, small)[:3]))
    request = Request(format="coco", command="coigan-aug synthesize", with_real=True)
    made = synthesize(
        planner, engine, Screen(small, margin_of(small), on=False), Given(plan, reader_of(prepared)), request, out=out,
        records=tmp_path / "records",
    )  # fmt: skip
    assert made is not None
    assert made.real == len(prepared.positions)
    coco = COCO(str(out / "annotations.json"))
    assert len(coco.imgs) == made.images + made.real
    by_name = {item["file_name"]: item for item in coco.imgs.values()}
    for position in prepared.positions:
        record = prepared.dataset[position]
        name = f"images/real_{record.file.replace('/', '__')}"
        assert (out / name).read_bytes() == prepared.dataset.image_path(position).read_bytes()
        masks = [coco.annToMask(item) for item in coco.imgToAnns[by_name[name]["id"]]]
        assert len(masks) == len(record.annotations)
        for mask, annotation in zip(masks, record.annotations, strict=True):
            assert (mask == rle.decode(annotation.rle)).all()
    assert len(Dataset(tmp_path / "records")) == made.images, "what is measured as synthetic is synthetic"
    share = read_sealed(out / "card.json")["real"]["synthetic_share"]
    assert share == pytest.approx(made.images / (made.images + len(prepared.by_record)), abs=1e-4)


@pytest.mark.parametrize(("defective", "share", "most"), [(65, 0.35, 35), (100, 0.5, 100), (1, 0.1, 1), (3, 0.25, 1)])
def test_the_cap_is_a_share_of_all_images_with_defects(defective: int, share: float, most: int) -> None:
    assert most_synthetic(defective, share=share) == most
    assert most == 1 or most / (most + defective) <= share


def test_jpegs_have_the_quality_of_their_base(
    small: Settings, prepared: Prepared, engine: Engine, tmp_path: Path
) -> None:
    _drawn(prepared, engine, small, tmp_path / "out", suffix=".jpg", per_class=2)
    for record in Dataset(tmp_path / "out-records"):
        assert record.file.endswith(".jpg")
        coding = jpeg_coding(tmp_path / "out" / record.file)
        assert coding is not None
        assert coding.quality == 95  # the toy's images are PNG
    assert "before the images are encoded" in read_sealed(tmp_path / "out/card.json")["promise"]


def test_rejected_tries_are_replaced_counted_and_pictured(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path
) -> None:
    settings = with_synthesis(small, most_seam=5.8, attempts=4)
    made = _drawn(prepared, engine, settings, tmp_path / "out", screen=True)
    rejected = list(read_lines(tmp_path / "out/rejected.jsonl"))
    assert sum(made.rejected.values()) == len(rejected) > 0
    assert {item["reason"] for item in rejected} == set(made.rejected)
    for name in ("spot", "line"):
        assert made.defects[name] + made.missing.get(name, 0) == 5
    for item in rejected:
        assert (tmp_path / "out" / item["file"]).exists()
        assert item["reason"] == "seam"
        assert item["value"] > item["limit"] == 5.8
    for row in read_made(tmp_path / "out"):
        tries = [item for item in rejected if (item["number"], item["part"]) == (row.number, row.part)]
        assert [item["attempt"] for item in tries] == list(range(row.attempt)), "each try before it was rejected"


def test_where_nothing_passes_it_is_said_and_nothing_looks_finished(
    prepared: Prepared, small: Settings, tmp_path: Path
) -> None:
    def draw(jobs: list[Job], images: list[np.ndarray], patches: object) -> list[np.ndarray]:  # type: ignore[type-arg]
        return list(images)

    with pytest.raises(DataError, match="No image passed the screen; 20 tries were rejected: invisible") as caught:
        _drawn(
            prepared, Engine("gan", draw), with_synthesis(small, attempts=2, defects=(0.0, 1.0)), tmp_path / "out",
            screen=True,
        )  # fmt: skip
    assert "--no-screen" in str(caught.value)
    assert not (tmp_path / "out/card.json").exists()
    shutil.rmtree(tmp_path / "out")


def test_a_full_disk_is_said_and_the_same_command_continues(
    prepared: Prepared, small: Settings, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drawn(prepared, engine, small, tmp_path / "whole")
    real, calls = os.fsync, [0]

    def full(number: int) -> None:
        calls[0] += 1
        if calls[0] > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    with monkeypatch.context() as patch:
        patch.setattr("coigan_aug.files.os.fsync", full)
        with pytest.raises(ResourceError, match="No space left to write"):
            _drawn(prepared, engine, small, tmp_path / "out")
    assert not (tmp_path / "out/card.json").exists()
    _drawn(prepared, engine, small, tmp_path / "out")
    assert _hashes(tmp_path / "out") == _hashes(tmp_path / "whole")
