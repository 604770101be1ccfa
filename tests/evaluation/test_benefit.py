"""The benefit test: its controls come out right, its arms are paired, a stopped one goes on, its sentence fits its numbers."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.config import load_settings
from coigan_aug.errors import Stopped, UsageError
from coigan_aug.evaluation.arms import Arm, Bench, list_arms, load_tally, tally_file
from coigan_aug.evaluation.benefit import Speed, measure_speed, run_arms, steps_within
from coigan_aug.evaluation.looks import where_it_looks
from coigan_aug.evaluation.numbers import Benefit, Difference
from coigan_aug.evaluation.protocol import counted, follow, tiles_of
from coigan_aug.evaluation.result import Result, begin_result, list_results, read_result, write_result
from coigan_aug.evaluation.summary import Question, _verdict, summarise
from coigan_aug.evaluation.tally import BINS, COARSE, Held, Tally
from coigan_aug.files import to_values
from coigan_aug.imaging import write_image
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.segmenter.windows import Pool
from coigan_aug.settings import Settings
from coigan_aug.signals import StopRequest
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.conftest import CLASSES, make_image
from tests.training.children import FORKED

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("few_draws")
QUICK = (
    "data.window=32",
    "data.scale=1.0",
    "evaluate.window=32",
    "evaluate.segmenter=unet",
    "evaluate.width=8",
    "evaluate.depth=2",
    "evaluate.batch=8",
    "evaluate.learning_rate=4e-3",
    "evaluate.jitter=[1.0,1.0]",
    "evaluate.average=0.9",
)
NAMES = ("spot", "line")


def settings_of(*more: str) -> Settings:
    return load_settings(recipe="tiny", overrides=[*QUICK, *more])


def write_set(folder: Path, numbers: Mapping[int, str], *, beside: bool = False, swapped: bool = False) -> Dataset:
    """Write toy images, every one with both defects but those below 0, which have none; number -> split.

    `beside` puts the masks everywhere but on the defects, `swapped` calls each class by the other's name.
    """
    records = []
    for number, split in numbers.items():
        image, masks = make_image(abs(number), defective=number > 0)
        if beside:
            free = (np.sum(list(masks.values()), axis=0) == 0).astype(np.uint8)
            masks = {"spot": free * (np.arange(96) < 48), "line": free * (np.arange(96) >= 48)}
        masks = {NAMES[1 - NAMES.index(name)] if swapped else name: mask for name, mask in masks.items()}
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
    """Four defective training images and some clean ones; eight held-out defective images and four clean ones."""
    numbers = dict.fromkeys((1, 2, 3, 4, -5, -6, -7), "train")
    numbers |= dict.fromkeys((*range(11, 19), -19, -20, -21, -22), "test")
    dataset = write_set(folder / "real", numbers)
    test, real = (examples_of(dataset, split, settings, folder / "cache") for split in ("test", "train"))
    held = Held(
        test=test,
        defective=tuple(p for p in test.positions if dataset[p].annotations),
        clean=tuple(p for p in test.positions if not dataset[p].annotations),
        real=real,
        train_clean=tuple(p for p in real.positions if not dataset[p].annotations),
        binary=settings.evaluate.binary,
    )
    return Bench(
        real=real,
        held=held,
        added={
            name: Pool(examples=examples_of(own, "train", settings, folder / "cache"))
            for name, own in synthetic.items()
        },
        settings=settings,
        folder=folder / "result",
    )


def run(bench: Bench, arms: list[Arm], seeds: range, *, jobs: int = 1) -> dict[tuple[str, int, int], Tally]:
    return run_arms([bench], arms, seeds, device=CPU, jobs=jobs, stop=StopRequest())


def said(
    arms: list[Arm], tallies: Mapping[tuple[str, int, int], Tally], *, about: str, folds: int = 1,
    names: tuple[str, ...] = NAMES,
) -> dict[str, Any]:  # fmt: skip
    seeds = tuple(sorted({seed for _, _, seed in tallies}))
    question = Question(arms=tuple(arms), seeds=seeds, folds=folds, names=names, seed=0)
    return to_values(summarise(question, tallies, about=about))


@pytest.fixture(scope="module")
def controls(few_draws: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two seeds of real images with: duplicates; copies of them as a synthetic set; masks that are not where defects are;
    windows from anywhere in the added slots; the classes' names swapped.
    """
    folder, settings = (
        tmp_path_factory.mktemp("controls"),
        settings_of("evaluate.steps=40", "evaluate.shares=[0.5]", "evaluate.width=5"),
    )
    train = dict.fromkeys((1, 2, 3, 4), "train")
    sets = {
        "copies": write_set(folder / "copies", train),
        "random": write_set(folder / "random", train, beside=True),
        "swapped": write_set(folder / "swapped", train, swapped=True),
    }
    bench = bench_of(folder, settings, sets)
    arms = list_arms(("duplicates", "copies", "random", "empty", "swapped"), settings.evaluate.shares)
    return said(arms, run(bench, arms, range(2)), about="copies")


def _difference(numbers: dict[str, Any], arm: str, against: str, measure: str) -> dict[str, float]:
    key = (arm, against, measure, None)
    return next(r for r in numbers["differences"] if (r["arm"], r["against"], r["measure"], r["class"]) == key)


@pytest.mark.slow
def test_the_segmenter_finds_and_names_held_out_defects_at_all(controls: dict[str, Any]) -> None:
    """The controls below mean nothing where nothing is learnt."""
    real = controls["arms"][0]["measures"]
    assert real["pixel_ap"]["mean"] > 0.5
    assert real["ap"]["mean"] > 0.5
    assert real["iou"]["mean"] > 0.4
    assert real["found_10"]["mean"] > 0.5


@pytest.mark.slow
def test_copies_of_real_images_do_not_help_over_duplicates(controls: dict[str, Any]) -> None:
    for measure in ("pixel_ap", "ap"):
        found = _difference(controls, "real + copies", "real + duplicates", measure)
        assert abs(found["mean"]) < 0.05
        assert found["low"] < 0.01
    assert "benefit: " not in controls["verdict"].replace("no benefit", "")


@pytest.mark.slow
def test_masks_that_are_not_where_the_defects_are_do_harm(controls: dict[str, Any]) -> None:
    assert _difference(controls, "real + random", "real + duplicates", "pixel_ap")["high"] < 0


@pytest.mark.slow
def test_an_arm_of_empty_slots_equals_real_within_noise(controls: dict[str, Any]) -> None:
    for measure in ("pixel_ap", "ap"):
        found = _difference(controls, "real + empty", "real", measure)
        assert found["low"] < 0.02, measure
        assert found["high"] > -0.02, measure
        assert abs(found["mean"]) < 0.06, measure


@pytest.mark.slow
def test_swapped_names_harm_naming_and_leave_finding(controls: dict[str, Any]) -> None:
    named = _difference(controls, "real + swapped", "real + duplicates", "ap")
    found = _difference(controls, "real + swapped", "real + duplicates", "pixel_ap")
    assert named["high"] < 0
    assert named["mean"] < -0.1
    assert abs(found["mean"]) < 0.5 * abs(named["mean"])


def test_arms_are_real_then_what_is_asked_for_with_each_share() -> None:
    assert [arm.name for arm in list_arms(("duplicates", "gan"), (0.25,))] == [
        "real",
        "real + duplicates",
        "real + gan",
    ]
    swept = list_arms(("gan",), (0.1, 0.5))
    assert [(arm.name, arm.share) for arm in swept] == [("real", 0.0), ("real + gan 0.1", 0.1), ("real + gan 0.5", 0.5)]
    mixed = list_arms(("gan+transplant", "transplant/negatives"), (0.25,))[1:]
    assert [(arm.name, arm.sources, arm.negatives) for arm in mixed] == [
        ("real + gan + transplant", ("gan", "transplant"), False),
        ("real + transplant/negatives", ("transplant",), True),
    ]
    (single,) = list_arms(("patch:crack+duplicates:fray",), (0.25,))[1:]
    assert single.sources == ("patch:crack", "duplicates:fray")
    (forgiven,) = list_arms(("patch:CRACK+duplicates: Fray/negatives",), (0.25,), names=("crack", "fray"))[1:]
    assert forgiven == list_arms(("patch:crack+duplicates:fray/negatives",), (0.25,))[1]
    with pytest.raises(UsageError, match="asked for twice"):
        list_arms(("patch:Crack", "patch:crack"), (0.25,), names=("crack", "fray"))


@pytest.mark.parametrize(
    "asked",
    [
        ("gan", "gan"),
        ("+gan",),
        ("gan/positives",),
        ("real",),
        ("gan:",),
        (":crack",),
        ("real:crack",),
        ("cutmix:crack",),
    ],
)
def test_an_arm_that_is_none_is_refused(asked: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        list_arms(asked, (0.25,))


def test_a_stopped_measurement_goes_on_and_ends_equal(tmp_path: Path) -> None:
    settings = settings_of("evaluate.steps=3")
    whole, stopped = (bench_of(tmp_path / name, settings, {}) for name in ("whole", "stopped"))
    arms = list_arms(("duplicates",), (0.25,))
    expected = run(whole, arms, range(2))
    stop = StopRequest()

    def after_three(done: int, total: int, note: str = "") -> None:
        assert total == 4 * 3
        stop.signal_number = 2 * (done > 3 * 3)

    with pytest.raises(Stopped) as caught:
        run_arms([stopped], arms, range(2), device=CPU, jobs=1, stop=stop, report=after_three)
    assert caught.value.signal_number == 2
    assert sum(tally_file(stopped, arm, seed).exists() for arm in arms for seed in range(2)) == 3
    found = run(stopped, arms, range(2))
    assert all(_equal(found[key], expected[key]) for key in expected)


def _equal(one: Tally, other: Tally) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(Tally))


@pytest.mark.slow
def test_several_processes_measure_the_same_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forked from a server here: started from nothing each would spend seconds importing, and get the same, pickled."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda kind: FORKED)
    settings = settings_of("evaluate.steps=2")
    one, two = (bench_of(tmp_path / name, settings, {}) for name in ("one", "two"))
    arms = list_arms(("cutmix",), (0.25,))
    alone, together = run(one, arms, range(1)), run(two, arms, range(1), jobs=2)
    assert len(alone) == 2, "one for each process"
    assert all(_equal(alone[key], together[key]) for key in alone)


def _tally(hit: int, missed: int, pieces: int, *, wrong: int = 0) -> Tally:
    """Make up pieces with one spot and one line each: pixels hit, missed, and hit under the other name."""
    high, low, ratio = BINS - 1, 0, BINS // COARSE
    defects = np.zeros((pieces, 2, BINS), np.int64)
    classes = np.zeros((pieces, 2, 2, BINS), np.int64)
    named = np.zeros((pieces, 3, 2, COARSE), np.int64)
    for k in range(2):
        defects[:, 1, high] += hit + wrong
        defects[:, 1, low] += missed
        classes[:, k, 1, high] += hit
        classes[:, k, 1, low] += missed + wrong
        classes[:, 1 - k, 0, high] += wrong
        classes[:, 1 - k, 0, low] += hit + missed
        named[:, k + 1, k, high // ratio] += hit
        named[:, k + 1, 1 - k, high // ratio] += wrong
        named[:, k + 1, k, low] += missed
    defects[:, 0, low] += 1000
    classes[:, :, 0, low] += 1000
    named[:, 0, 0, low] += 1000
    found = np.where(np.arange(2 * pieces) % 10 < hit // 10, high, low)
    return Tally(
        pieces=tuple(f"piece {k:02d}" for k in range(pieces)),
        pieces_of=np.full(2, pieces),
        defects=defects,
        classes=classes,
        named=named,
        clean=np.zeros((pieces, BINS), np.int64),
        objects=np.array([(piece, k) for piece in range(pieces) for k in range(2)]),
        object_scores=found,
        clean_pieces=np.arange(pieces),
        clean_scores=np.full(pieces, 5),
        train_scores=np.full(4, 5),
    )


ARMS = [
    Arm(("real",), 0.0, "real"),
    Arm(("duplicates",), 0.25, "real + duplicates"),
    Arm(("gan",), 0.25, "real + gan"),
]


@pytest.mark.parametrize(
    ("gan", "says"),
    [
        (60, "Finding: benefit: real + gan against the best other arm, real + duplicates: +"),
        (45, "Finding: no benefit, it harms: real + gan against the best other arm, real + duplicates: -"),
        (50, "Finding: no benefit shown: real + gan against the best other arm, real + duplicates: +0.0 points of"),
    ],
)
def test_the_verdict_says_what_the_interval_allows(gan: int, says: str) -> None:
    hits = {"real": 40, "real + duplicates": 50, "real + gan": gan}
    tallies = {(arm.name, 0, seed): _tally(hits[arm.name], 100 - hits[arm.name], 8) for arm in ARMS for seed in (0, 1)}
    numbers = said(ARMS, tallies, about="gan")
    assert numbers["verdict"].startswith(says)
    assert "(2 seeds, 8 test pieces with a defect)" in numbers["verdict"]
    assert numbers["best_other"] == "real + duplicates"
    arm = numbers["arms"][2]
    assert arm["iou"]["spot"] == pytest.approx(gan / 100)
    assert arm["measures"]["iou_any"]["mean"] == pytest.approx(gan / 100)
    assert arm["spread"]["pixel_ap"] == 0
    assert numbers["pieces"] == {"spot": 8, "line": 8}
    assert {row["measure"] for row in numbers["differences"]} >= {"pixel_ap", "found_5", "found_10", "ap", "iou"}


@pytest.mark.parametrize(
    ("ap", "found", "says"),
    [
        (
            (-9, 2),
            (1, 12),
            r"no benefit shown: .*; the interval holds 0; but \+6.5 points of objects found, 10 % of .*",
        ),
        ((-9, -2), (1, 12), r"no benefit, it harms: .*; but \+6.5 points of objects found, .* \+1.0 to \+12.0"),
        ((1, 5), (-9, -2), "benefit: .*; but -5.5 points of objects found, .*"),
        ((1, 5), (1, 5), r"benefit: .* interval \+1.0 to \+5.0"),
        ((1, 5), (-1, 5), r"benefit: .* interval \+1.0 to \+5.0"),
        ((-1, 5), (-1, 5), r"no benefit shown: .*; the interval holds 0"),
    ],
)
def test_objects_found_are_told_where_they_say_something_else(
    ap: tuple[float, float], found: tuple[float, float], says: str
) -> None:
    rows = [
        Difference(
            arm="real + gan", against="real", measure=name, mean=sum(bounds) / 200, low=bounds[0] / 100, high=bounds[1] / 100
        )
        for name, bounds in (("pixel_ap", ap), ("ap", ap), ("found_10", found))
    ]  # fmt: skip
    assert re.fullmatch(says, str(_verdict("finding", ARMS[2], Arm(("real",), 0.0, "real"), rows)))
    assert "objects found" not in str(_verdict("naming", ARMS[2], Arm(("real",), 0.0, "real"), rows))


def test_defects_called_by_another_name_lower_naming_and_not_finding() -> None:
    tallies = {
        ("real", 0, 0): _tally(80, 20, 8),
        ("real + duplicates", 0, 0): _tally(80, 20, 8),
        ("real + gan", 0, 0): _tally(50, 20, 8, wrong=30),
    }
    numbers = said(ARMS, tallies, about="gan")
    real, gan = numbers["arms"][0], numbers["arms"][2]
    assert gan["measures"]["pixel_ap"] == real["measures"]["pixel_ap"]
    assert gan["measures"]["ap"]["mean"] < real["measures"]["ap"]["mean"]
    assert "no benefit shown" in numbers["verdicts"]["finding"]
    assert "it harms" in numbers["verdicts"]["naming"]
    assert gan["confusion"][1] == [8 * 20, 8 * 50, 8 * 30], "spots: missed, called spots, called lines"


def test_folds_are_pooled_and_every_piece_counts_once() -> None:
    tallies = {("real", fold, 0): _tally(60 + 20 * fold, 40 - 20 * fold, 6) for fold in (0, 1)}
    numbers = said(ARMS[:1], tallies, about="gan", folds=2)
    assert numbers["pieces"] == {"spot": 12, "line": 12}
    assert numbers["arms"][0]["measures"]["iou_any"]["mean"] == pytest.approx(0.7)
    assert numbers["arms"][0]["measures"]["found_10"]["mean"] == pytest.approx((8 + 10) / 24)


def test_without_clean_test_images_nothing_is_said_about_alarms() -> None:
    """An image that can't be alarmed sets no threshold; the rest is measured, and all of it can be written down."""
    none = np.zeros(0, np.int64)
    tally = dataclasses.replace(_tally(60, 40, 8), clean_pieces=none, clean_scores=none, train_scores=none)
    numbers = said(ARMS, {(arm.name, 0, 0): tally for arm in ARMS}, about="gan")
    measures = numbers["arms"][0]["measures"]
    assert measures["found_10"] == measures["clean_alarms"] == {"mean": None, "low": None, "high": None}
    assert measures["iou_any"]["mean"] == pytest.approx(0.6)
    assert {row["measure"] for row in numbers["differences"]} == {"pixel_ap", "iou_any", "ap", "iou"}
    json.dumps(numbers, allow_nan=False)


def test_without_a_synthetic_arm_nothing_is_said_about_benefit() -> None:
    tallies = {(arm.name, 0, 0): _tally(1, 1, 8) for arm in ARMS[:2]}
    numbers = said(ARMS[:2], tallies, about="gan")
    assert "nothing is said about benefit" in numbers["verdict"]
    assert numbers["verdicts"] == {"finding": None, "naming": None}


def test_the_picture_of_where_it_looks_has_two_rows_for_each_class(tmp_path: Path) -> None:
    settings = settings_of("evaluate.steps=2")
    bench = bench_of(tmp_path, settings, {"gan": write_set(tmp_path / "gan", {1: "train", 2: "train"})})
    arms = list_arms(("gan",), (0.25,))
    run(bench, arms, range(1))
    ((title, name),) = where_it_looks(bench, arms, 0, about="gan", folder=tmp_path, device=CPU)
    assert "real + gan" in title
    assert cv2.imread(str(tmp_path / name)).shape == (4 * 192 + 48, 8 * 192, 3)


def test_a_budget_of_minutes_becomes_the_same_steps_for_every_training() -> None:
    speed = Speed(0.5, 10.0)
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
    assert counted(asked, real=100, synthetic=5_000).evaluate.shares == (0.9804,), "few real tiles beside many"
    with pytest.raises(UsageError, match="no protocol 'cogan'"):
        follow("cogan", settings_of())


def test_a_binary_bench_scores_one_class(tmp_path: Path) -> None:
    bench = bench_of(tmp_path, settings_of("evaluate.steps=2", "evaluate.binary=true"), {})
    arms = list_arms(("duplicates",), (0.25,))
    numbers = said(arms, run(bench, arms, range(1)), about="gan", names=("defect",))
    assert numbers["classes"] == ["defect"]
    assert load_tally(bench, arms[0], 0).classes.shape == (12, 1, 2, BINS)


def test_an_unfinished_result_begun_alike_goes_on_and_another_gets_a_new_folder(tmp_path: Path) -> None:
    first = begin_result(tmp_path, "benefit", {"seeds": 5})
    assert first.name == "001-benefit"
    assert begin_result(tmp_path, "benefit", {"seeds": 5}) == first
    assert begin_result(tmp_path, "benefit", {"seeds": 3}).name == "002-benefit"
    result = Result(kind="benefit", verdict="v", command="c", measured_on={}, settings={}, numbers=Benefit(seeds=[1]))
    write_result(first, result)
    assert read_result(first) == result
    assert [found.folder.name for found in list_results(tmp_path)] == ["001-benefit"]
    assert begin_result(tmp_path, "quality", {}).name == "003-quality"
