"""evaluate transfer: what is tested on is never learnt from, whatever line it was seen on; and what is said of the engines."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from coigan_aug.data.shared_pieces import shared_pieces
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.choosing import TranslationChoice, choose_translation
from coigan_aug.evaluation.result import Result, list_results
from coigan_aug.evaluation.transfer import best_of, transfer_verdict
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, EngineNumbers, Transfer
from coigan_aug.folders import Folders
from coigan_aug.imaging import write_image
from coigan_aug.progress import Talk
from coigan_aug.stages.evaluate_transfer import evaluate_transfer
from coigan_aug.stages.translate import translate
from coigan_aug.stages.translate_asks import TransferAsk, TranslateAsk
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import origin_of, shape_source
from coigan_aug.store.writer import write_dataset
from tests.translation.lines import dimmed, write_line

pytestmark = pytest.mark.usefixtures("few_draws", "coarse")

LITTLE = (
    "evaluate.segmenter=unet", "evaluate.steps=2", "evaluate.width=8", "evaluate.depth=2", "evaluate.batch=4",
    "evaluate.window=32", "evaluate.screen_steps=2", "data.window=32", "evaluate.per_class=6",
)  # fmt: skip


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Line `a` has the pieces 0 to 7; `b` 4 to 11, dimmed, of which those with the numbers 6, 9 and 10 are for testing."""
    folder = tmp_path_factory.mktemp("lines")
    write_line(folder / "a", first=0)
    other = write_line(folder / "b", first=4, look=dimmed)
    for k in range(8):
        write_image(folder / "plain" / f"{k}.png", other.stored(k))
    return folder


@pytest.fixture(scope="module")
def measured(lines: Path) -> Result[Transfer]:
    workspace = Folders(lines / "w")
    ask = TransferAsk(source=lines / "a", to=lines / "b", seeds=1, overrides=LITTLE)
    return evaluate_transfer(workspace, ask)


def test_pieces_that_both_lines_show_are_found_whatever_their_exposure(lines: Path) -> None:
    a, b = Dataset(lines / "a/dataset"), Dataset(lines / "b/dataset")
    assert shared_pieces(a, range(8), b, range(8)) == [4, 5, 6, 7]
    assert shared_pieces(a, range(8), b, b.indices("test")) == [6]


def test_nothing_that_shows_a_tested_piece_is_learnt_from(measured: Result[Transfer], lines: Path) -> None:
    numbers = measured.numbers
    assert numbers.left_out == 1 and numbers.labelled and not numbers.binary
    home = next((lines / "w/results/trainings").glob("transfer-*"))
    sets = [path.parent for path in (home / "sets").rglob("dataset.json")]
    assert len(sets) == 2
    for folder in sets:
        assert {record.group for record in Dataset(folder)} == {f"piece {k}" for k in range(8) if k != 6}
    [folder] = [path.parent for path in (home / "drawn").rglob("dataset.json")]
    origins = [origin_of(record) for record in Dataset(folder)]
    assert {Path(origin.base).name for origin in origins if origin} == {"01.png", "03.png", "07.png"}, (
        "clean, for training"
    )
    drawn = [shape_source(annotation) for record in Dataset(folder) for annotation in record.annotations]
    assert {Path(file).relative_to(Path(file).parents[3]).as_posix() for file in drawn if file} == {
        "a/images/deep/00.png", "a/images/deep/04.png"
    }, "none of the piece 6, nor of a's test images"  # fmt: skip
    assert numbers.benefit is not None
    assert numbers.benefit.images.train == 5, (
        "of eight two are for testing on the line itself, one shows what is tested"
    )


def test_every_engine_is_measured_and_the_verdict_has_an_interval(measured: Result[Transfer], lines: Path) -> None:
    numbers = measured.numbers
    assert [item.name for item in numbers.engines] == [AS_IT_IS, "histogram", "amplitude", "transplant"]
    plain, histogram, amplitude, transplant = numbers.engines
    assert transplant.draws and transplant.kid is not None and transplant.edges_moved is None
    assert None not in (plain.kid, histogram.kid, amplitude.kid)
    assert numbers.floor is None, "three pieces have no two halves of two"
    assert all(item.edges_moved < 0.5 for item in (histogram, amplitude))
    assert [arm.name for arm in numbers.benefit.arms] == [AS_IT_IS, "histogram", "amplitude", "transplant"]
    assert {row.against for row in numbers.benefit.differences} >= {AS_IT_IS}
    assert "95 % interval" in measured.verdict and "against images as they are" in measured.verdict
    assert any("1 seed only" in text for text in measured.warnings)
    assert any("The best of 3 engines was chosen" in text for text in measured.warnings)
    assert "(1 seed, so the interval does not know by how much trainings differ by chance, " in measured.verdict
    assert list_results(lines / "w/results")[0].numbers == numbers


def test_what_is_kept_is_not_trained_again_and_another_engine_is(
    measured: Result[Transfer], lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    from coigan_aug.evaluation import benefit

    run = benefit.run_arm
    monkeypatch.setattr(benefit, "run_arm", lambda *a, **k: (trained.append(a[1].name), run(*a, **k)))
    ask = TransferAsk(source=lines / "a", to=lines / "b", engines="amplitude", seeds=2, overrides=LITTLE)
    again = evaluate_transfer(Folders(lines / "w"), ask)
    assert trained == [AS_IT_IS, "amplitude"], "the second seed alone"
    first, second = (result.numbers.benefit.arms for result in (measured, again))
    assert first[0].by_seed[0] == second[0].by_seed[0] and first[2].by_seed[0] == second[1].by_seed[0]


def test_without_labels_images_are_compared_and_auto_takes_the_nearest(lines: Path, tmp_path: Path) -> None:
    workspace = Folders(tmp_path / "w")
    ask = TransferAsk(source=lines / "a", to=lines / "plain", overrides=LITTLE)
    result = evaluate_transfer(workspace, ask)
    numbers = result.numbers
    assert numbers.benefit is None and not numbers.labelled and numbers.left_out == 0
    assert numbers.floor is not None
    assert numbers.best in ("histogram", "amplitude") and "nothing is said of a segmenter there" in result.verdict
    assert all(item.found_before is not None for item in numbers.engines[1:])
    made = translate(
        workspace, TranslateAsk(source=lines / "a", to=lines / "plain", out=tmp_path / "out", overrides=LITTLE)
    )
    assert made.card.engine == numbers.best
    assert made.card.translated.found_before is not None, "the screen asks a segmenter"


def test_lines_of_other_classes_are_measured_by_finding_alone(lines: Path, tmp_path: Path) -> None:
    other = Dataset(lines / "b/dataset")
    classes = [dataclasses.replace(item, name={"spot": "hole", "line": "scratch"}[item.name]) for item in other.classes]
    names = {"spot": "hole", "line": "scratch"}
    records = [
        dataclasses.replace(r, annotations=tuple(dataclasses.replace(a, label=names[a.label]) for a in r.annotations))
        for r in other
    ]
    write_dataset(tmp_path / "c" / "dataset", records, classes=classes, image_root=other.image_root, provenance={})
    ask = TransferAsk(source=lines / "a", to=tmp_path / "c", engines="histogram", seeds=1, overrides=LITTLE)
    result = evaluate_transfer(Folders(tmp_path / "w"), ask)
    assert result.numbers.binary and result.numbers.benefit.classes == ["defect"]
    assert "pixel AP of any defect" in result.verdict and "by class" not in result.verdict


def test_what_can_not_be_measured_is_refused(lines: Path, tmp_path: Path) -> None:
    workspace = Folders(tmp_path / "w")
    with pytest.raises(UsageError, match="is the line that is translated"):
        evaluate_transfer(workspace, TransferAsk(source=lines / "a", to=lines / "a"))
    with pytest.raises(UsageError, match=r"no engine 'histgram'\. Did you mean 'histogram'"):
        evaluate_transfer(workspace, TransferAsk(source=lines / "a", to=lines / "b", engines="histgram"))
    with pytest.raises(DataError, match="holds no data set"):
        evaluate_transfer(workspace, TransferAsk(source=lines / "plain", to=lines / "b"))
    write_line(tmp_path / "same", first=0, look=dimmed)
    everything = Dataset(tmp_path / "same" / "dataset")
    tested = [dataclasses.replace(record, split="train" if k == 1 else "test") for k, record in enumerate(everything)]
    write_dataset(
        tmp_path / "same" / "dataset", tested, classes=everything.classes, image_root=everything.image_root,
        provenance={},
    )  # fmt: skip
    with pytest.raises(DataError, match="with a defect is left that shows other pieces"):
        evaluate_transfer(workspace, TransferAsk(source=lines / "a", to=tmp_path / "same"))


def engine(name: str, kid: float, **more: float) -> EngineNumbers:
    return EngineNumbers(name=name, kid=kid, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("engines", "best"),
    [
        ([engine("a", 0.2), engine("clean", 0.1), engine("labelled", 0.01)], "a"),
        ([engine("a", 0.2), engine("b", 0.1)], "b"),
        ([engine("a", 0.2), engine("b", 0.1, edges_moved=0.6)], "a"),
        ([engine("a", 0.2), engine("b", 0.1, visible=0.8)], "a"),
        ([engine("a", 0.31), engine("b", 0.1, visible=0.8)], AS_IT_IS),
        ([], AS_IT_IS),
    ],
)
def test_without_labels_the_nearest_engine_that_keeps_edges_and_defects_is_best(
    engines: list[EngineNumbers], best: str
) -> None:
    numbers = Transfer(engines=[engine(AS_IT_IS, 0.3), *engines], best="", features="f")
    assert best_of(numbers) == best


def test_auto_takes_the_newest_result_of_these_lines_and_says_so_where_nothing_helps() -> None:
    def result(kid: float, source: str, number: int) -> Result[Transfer]:
        engines = [engine(AS_IT_IS, 0.3), engine("histogram", kid), engine("other", 0.05)]
        own = Transfer(engines=engines, best="other", features="f", floor=0.01)
        return Result(
            kind="transfer", verdict=transfer_verdict(own), command="", measured_on={"from": source, "to": "b"},
            settings={}, numbers=own, folder=Path(f"{number:03d}-transfer"),
        )  # fmt: skip

    def chosen(source: str, target: str, *engines: str) -> TranslationChoice | None:
        return choose_translation(found, source=source, target=target, engines=engines, otherwise="Do as you like.")

    found = [result(0.1, "a", 1), result(0.4, "c", 2)]
    choice = chosen("a", "b", "histogram")
    assert choice is not None
    assert choice.engine == "histogram" and "001-transfer, where other was better still: " in choice.line
    choice = chosen("a", "b", "histogram", "other")
    assert choice is not None
    assert choice.engine == "other" and "300.0 -> 50.0; two halves of the other line are 10.0 apart" in choice.line
    assert chosen("a", "x", "histogram") is None
    assert chosen("a", "b", "amplitude") is None, "it was not measured"
    with pytest.raises(
        DataError, match="002-transfer found none of these engines better than the images as they are"
    ) as told:
        chosen("c", "b", "histogram")
    assert told.value.remedy == "Do as you like."


def test_controls_are_trained_but_are_no_engine(lines: Path, measured: Result[Transfer]) -> None:
    """`clean` has the other line's defect-free images beside, `labelled` nothing but the other line's own training images."""
    ask = TransferAsk(source=lines / "a", to=lines / "b", engines="clean,labelled", seeds=1, overrides=LITTLE)
    result = evaluate_transfer(Folders(lines / "w"), ask)
    numbers = result.numbers
    assert [item.name for item in numbers.engines] == [AS_IT_IS, "clean", "labelled"]
    assert [arm.name for arm in numbers.benefit.arms] == [AS_IT_IS, "clean", "labelled"]
    assert not any("The best of" in text for text in result.warnings), "controls are not chosen among"
    assert numbers.best == AS_IT_IS and result.verdict.startswith("No engine was tried")
    joined = [Dataset(path.parent) for path in (lines / "w/cache/lines").rglob("dataset.json")]
    [clean] = [dataset for dataset in joined if len(dataset) == numbers.benefit.images.train + 3]
    assert {record.split for record in clean} == {"train"}
    assert sorted(clean.image_path(k).relative_to(lines).as_posix() for k in range(len(clean))) == [
        *(f"a/images/deep/0{k}.png" for k in (0, 1, 3, 4, 7)), *(f"b/images/deep/0{k}.png" for k in (1, 3, 7)),
    ]  # fmt: skip


def test_where_nothing_can_be_tested_nothing_is_drawn(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = TransferAsk(source=lines / "a", to=lines / "plain", engines="histogram,patch,clean", overrides=LITTLE)
    result = evaluate_transfer(Folders(tmp_path / "w"), ask, talk=Talk(quiet=False))
    assert [item.name for item in result.numbers.engines] == [AS_IT_IS, "histogram"]
    said = capsys.readouterr().err
    assert all(
        f"{name} is left out: {lines / 'plain'} has no masks to test with." in said for name in ("patch", "clean")
    )


def test_a_line_without_good_pieces_can_still_be_the_upper_bound(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = Dataset(lines / "b/dataset")
    kept = [record for record in other if record.annotations or record.split == "test"]
    write_dataset(tmp_path / "c/dataset", kept, classes=other.classes, image_root=other.image_root, provenance={})
    ask = TransferAsk(source=lines / "a", to=tmp_path / "c", engines="transplant,labelled", seeds=1, overrides=LITTLE)
    result = evaluate_transfer(Folders(tmp_path / "w"), ask, talk=Talk(quiet=False))
    assert [item.name for item in result.numbers.engines] == [AS_IT_IS, "labelled"]
    assert "transplant is left out: no training image of" in capsys.readouterr().err
