"""The benefit test: its controls come out right, its arms are paired, a stopped one goes on, its sentence fits its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.config import load_settings
from coigan_aug.errors import Stopped, UsageError
from coigan_aug.evaluation.arms import Arm, Bench, Score, list_arms, load_score, score_file
from coigan_aug.evaluation.benefit import run_arms, summarise
from coigan_aug.evaluation.looks import where_it_looks
from coigan_aug.evaluation.protocol import counted, follow, tiles_of
from coigan_aug.evaluation.result import Result, begin_result, list_results, read_result, write_result
from coigan_aug.evaluation.speed import Speed, measure_speed, steps_within
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.settings import Settings
from coigan_aug.signals import StopRequest
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES, make_image

CPU = torch.device("cpu")
QUICK = (
    "data.window=32",
    "data.scale=1.0",
    "evaluate.segmenter=unet",
    "evaluate.width=8",
    "evaluate.depth=2",
    "evaluate.batch=8",
)


def settings_of(*more: str) -> Settings:
    return load_settings(recipe="tiny", overrides=[*QUICK, *more])


def write_set(folder: Path, numbers: Mapping[int, str], *, moved: bool = False) -> Dataset:
    """Write toy images, every one with both defects but those below 0, which have none; number -> split.

    `moved` puts the masks where no defect is.
    """
    records = []
    for number, split in numbers.items():
        image, masks = make_image(abs(number), defective=number > 0)
        masks = {name: np.roll(mask, (29, 43), (0, 1)) if moved else mask for name, mask in masks.items()}
        write_image(folder / "images" / f"{number}.png", image)
        annotations = tuple(Annotation(label=name, rle=rle.encode(mask)) for name, mask in masks.items())
        records.append(
            ImageRecord(
                file=f"{number}.png", height=72, width=96, annotations=annotations, group=str(number), split=split
            )
        )
    return write_dataset(folder / "set", records, classes=CLASSES, image_root=folder / "images", provenance={})


def examples_of(dataset: Dataset, split: str, settings: Settings, cache: Path) -> Examples:
    return load_examples(dataset, dataset.indices(split), settings.data, cache_root=cache)


def bench_of(folder: Path, settings: Settings, synthetic: Mapping[str, Dataset]) -> Bench:
    """Four defective training images and some clean ones; eight held-out defective images and two clean ones."""
    numbers = dict.fromkeys((1, 2, 3, 4, -5, -6, -7), "train") | dict.fromkeys((*range(11, 19), -19, -20), "test")
    dataset = write_set(folder / "real", numbers)
    test = dataset.indices("test")
    return Bench(
        real=examples_of(dataset, "train", settings, folder / "cache"),
        test=examples_of(dataset, "test", settings, folder / "cache"),
        synthetic={k: examples_of(v, "train", settings, folder / "cache") for k, v in synthetic.items()},
        defective=tuple(p for p in test if dataset[p].annotations),
        clean=tuple(p for p in test if not dataset[p].annotations),
        settings=settings,
        folder=folder / "result",
    )


def run(bench: Bench, arms: list[Arm], seeds: range, *, jobs: int = 1) -> dict[tuple[str, int], Score]:
    return run_arms(bench, arms, seeds, device=CPU, bfloat16=False, jobs=jobs, stop=StopRequest())


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Three seeds of: real; duplicates; copies of the real images as a synthetic set; masks that are not where defects are."""
    folder, settings = tmp_path_factory.mktemp("controls"), settings_of("evaluate.steps=120", "evaluate.shares=[0.75]")
    train = dict.fromkeys((1, 2, 3, 4), "train")
    sets = {"copies": write_set(folder / "copies", train), "random": write_set(folder / "random", train, moved=True)}
    bench, arms = bench_of(folder, settings, sets), list_arms(("copies", "random"), settings.evaluate.shares)
    return summarise(bench, arms, range(3), run(bench, arms, range(3)), about="copies")


def _difference(numbers: dict[str, object], arm: str, against: str) -> dict[str, float]:
    rows = numbers["differences"]
    return next(r for r in rows if (r["arm"], r["against"], r["class"]) == (arm, against, None))  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_segmenter_finds_held_out_defects_at_all(controls: dict[str, object]) -> None:
    """The two controls below mean nothing where nothing is learnt."""
    real = next(arm for arm in controls["arms"] if arm["name"] == "real")  # type: ignore[attr-defined]
    assert real["mean_iou"]["mean"] > 0.4


@pytest.mark.slow
def test_copies_of_real_images_do_not_help_over_duplicates(controls: dict[str, object]) -> None:
    found = _difference(controls, "real + copies", "real + duplicates")
    assert abs(found["mean"]) < 0.05
    assert found["low"] < 0.01
    assert not str(controls["verdict"]).startswith("Benefit")


@pytest.mark.slow
def test_masks_that_are_not_where_the_defects_are_do_harm(controls: dict[str, object]) -> None:
    assert _difference(controls, "real + random", "real + duplicates")["high"] < 0


def test_arms_are_real_then_duplicates_and_sources_for_each_share() -> None:
    assert [arm.name for arm in list_arms(("paste", "gan"), (0.35,))] == [
        "real", "real + duplicates", "real + paste", "real + gan",
    ]  # fmt: skip
    swept = list_arms(("gan",), (0.1, 0.5))
    assert [(arm.name, arm.share) for arm in swept] == [
        ("real", 0.0), ("real + duplicates 0.1", 0.1), ("real + gan 0.1", 0.1), ("real + duplicates 0.5", 0.5),
        ("real + gan 0.5", 0.5),
    ]  # fmt: skip


def test_a_stopped_measurement_goes_on_and_ends_equal(tmp_path: Path) -> None:
    settings = settings_of("evaluate.steps=3")
    whole, stopped = (bench_of(tmp_path / name, settings, {}) for name in ("whole", "stopped"))
    arms = list_arms((), (0.35,))
    expected = run(whole, arms, range(2))
    stop = StopRequest()

    def after_three(done: int, total: int, note: str = "") -> None:
        stop.signal_number = 2 * (done >= 3)

    with pytest.raises(Stopped) as caught:
        run_arms(stopped, arms, range(2), device=CPU, bfloat16=False, jobs=1, stop=stop, report=after_three)
    assert caught.value.signal_number == 2
    assert sum(score_file(stopped, arm, seed).exists() for arm in arms for seed in range(2)) == 3
    found = run(stopped, arms, range(2))
    assert all(np.array_equal(found[key].counts, expected[key].counts) for key in expected)


@pytest.mark.slow
def test_several_processes_measure_the_same_as_one(tmp_path: Path) -> None:
    settings = settings_of("evaluate.steps=3")
    one, two = (bench_of(tmp_path / name, settings, {}) for name in ("one", "two"))
    arms = list_arms((), (0.35,))
    alone, together = run(one, arms, range(2)), run(two, arms, range(2), jobs=2)
    assert all(np.array_equal(alone[key].counts, together[key].counts) for key in alone)


def _score(hit: int, missed: int, groups: int) -> Score:
    counts = np.zeros((groups, 2, 3), np.int64)
    counts[..., 0], counts[..., 2] = hit, missed
    return Score(counts, 5, 100)


@pytest.mark.parametrize(
    ("gan", "says"),
    [
        (60, "Benefit: real + gan against the best other arm, real + duplicates: +10.0 points of mean IoU"),
        (45, "No benefit, it harms: real + gan against the best other arm, real + duplicates: -5.0 points"),
        (50, "No benefit shown: real + gan against the best other arm, real + duplicates: +0.0 points"),
    ],
)
def test_the_verdict_says_what_the_interval_allows(tmp_path: Path, gan: int, says: str) -> None:
    bench = bench_of(tmp_path, settings_of(), {})
    arms = [Arm("real", 0.0, "real"), Arm("duplicates", 0.35, "real + duplicates"), Arm("gan", 0.35, "real + gan")]
    hits = {"real": 40, "real + duplicates": 50, "real + gan": gan}
    scores = {(arm.name, seed): _score(hits[arm.name], 100 - hits[arm.name], 8) for arm in arms for seed in (0, 1)}
    numbers = summarise(bench, arms, (0, 1), scores, about="gan")
    assert numbers["verdict"].startswith(says)
    assert "(2 seeds, 8 test groups)" in numbers["verdict"]
    assert numbers["best_other"] == "real + duplicates"
    arm = numbers["arms"][2]
    assert arm["mean_iou"]["mean"] == pytest.approx(gan / 100)
    assert arm["dice"]["spot"] == pytest.approx(2 * gan / (100 + gan))
    assert arm["clean_false_positives"] == pytest.approx(0.05)


def test_without_a_synthetic_arm_nothing_is_said_about_benefit(tmp_path: Path) -> None:
    bench, arms = bench_of(tmp_path, settings_of(), {}), list_arms((), (0.35,))
    scores = {(arm.name, 0): _score(1, 1, 8) for arm in arms}
    assert "nothing is said about benefit" in summarise(bench, arms, (0,), scores, about="gan")["verdict"]


def test_the_picture_of_where_it_looks_has_two_rows_for_each_class(tmp_path: Path) -> None:
    settings = settings_of("evaluate.steps=2")
    bench = bench_of(tmp_path, settings, {"gan": write_set(tmp_path / "gan", {1: "train", 2: "train"})})
    arms = list_arms(("gan",), (0.35,))
    run(bench, arms, range(1))
    ((title, name),) = where_it_looks(bench, arms, 0, about="gan", device=CPU)
    assert "real + gan" in title
    assert cv2.imread(str(bench.folder / name)).shape == (4 * 192 + 48, 8 * 192, 3)


def test_a_budget_of_minutes_becomes_the_same_steps_for_every_training() -> None:
    speed = Speed(False, 0.5, 10.0)
    steps = steps_within(30, speed, trainings=25, jobs=1)
    assert 25 * (steps * 0.5 + 10) <= 30 * 60 < 25 * ((steps + 1) * 0.5 + 10)
    assert steps_within(30, speed, trainings=25, jobs=2) > 2 * steps
    assert steps_within(0.01, speed, trainings=25, jobs=1) == 1


def test_the_speed_is_measured_on_real_steps(tmp_path: Path) -> None:
    speed = measure_speed(bench_of(tmp_path, settings_of(), {}), device=CPU)
    assert speed.step > 0
    assert speed.scoring > 0


def test_the_successors_protocol_is_binary_and_counts_tiles(tmp_path: Path) -> None:
    asked = follow("coigan", settings_of())
    assert (asked.evaluate.segmenter, asked.evaluate.binary) == ("fcn_resnet50", True)
    bench = bench_of(tmp_path, settings_of(), {})
    assert tiles_of(bench.real) == 7 * 3 * 3
    resolved = counted(asked, real=10_000, synthetic=5_000).evaluate
    assert resolved.steps == 100 * 15_000 // asked.evaluate.batch
    with pytest.raises(UsageError, match="no protocol 'cogan'"):
        follow("cogan", settings_of())


def test_a_binary_bench_scores_one_class(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, settings_of("evaluate.steps=2", "evaluate.binary=true"), {})
    arms = list_arms((), (0.35,))
    numbers = summarise(bench, arms, (0,), run(bench, arms, range(1)), about="gan")
    assert numbers["classes"] == ["defect"]
    assert load_score(score_file(bench, arms[0], 0)).counts.shape == (8, 1, 3)


def test_an_unfinished_result_begun_alike_goes_on_and_another_gets_a_new_folder(tmp_path: Path) -> None:
    first = begin_result(tmp_path, "benefit", {"seeds": 5})
    assert first.name == "001-benefit"
    assert begin_result(tmp_path, "benefit", {"seeds": 5}) == first
    assert begin_result(tmp_path, "benefit", {"seeds": 3}).name == "002-benefit"
    result = Result(kind="benefit", verdict="v", command="c", measured_on={}, settings={}, numbers={"a": 1})
    write_result(first, result)
    assert read_result(first) == result
    assert [found.folder.name for found in list_results(tmp_path)] == ["001-benefit"]
    assert begin_result(tmp_path, "quality", {}).name == "003-quality"
