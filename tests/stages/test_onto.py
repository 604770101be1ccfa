"""synthesize --on: one line's training defects on another line's defect-free images, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.result import Result, begin_result, write_result
from coigan_aug.evaluation.transfer_numbers import AS_IT_IS, EngineNumbers, Transfer
from coigan_aug.folders import Folders
from coigan_aug.imaging import read_image, write_image
from coigan_aug.progress import Talk
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.synthesize import Synthesized, synthesize
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import origin_of, shape_source
from coigan_aug.store.writer import write_dataset
from tests.translation.lines import dimmed, write_line

pytestmark = pytest.mark.usefixtures("bare_pages")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Line `a`; line `b`, dimmed; and `good`, b's defect-free images alone."""
    folder = tmp_path_factory.mktemp("onto")
    write_line(folder / "a", first=0)
    other = write_line(folder / "b", first=4, look=dimmed)
    for k in (1, 3):
        write_image(folder / "good" / f"{k}.png", other.stored(k))
    return folder


def drawn(lines: Path, out: Path, **asked: object) -> Synthesized:
    settings = ("data.window=32", "data.scale=1.0")
    ask = SynthesizeAsk(out=out, per_class=6, overrides=settings, **asked)  # type: ignore[arg-type]
    made = synthesize(Folders(lines / "a"), ask, talk=Talk(quiet=False), quick_screen=True)
    assert made is not None
    return made


@pytest.mark.parametrize(("on", "names"), [("b", {"01.png", "03.png", "07.png"}), ("good", {"1.png", "3.png"})])
@pytest.mark.parametrize("windows", [False, True])
def test_bases_are_the_other_lines_clean_images_and_defects_this_lines(
    lines: Path, tmp_path: Path, on: str, names: set[str], windows: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = "paste" if windows else "auto"  # a small window holds few defects in their own place
    made = drawn(lines, tmp_path / "out", on=lines / on, windows=windows, engine=engine)
    said = capsys.readouterr().err
    assert ("engine  transplant (nothing is measured yet" in said) == (not windows)
    assert ("evaluate transfer --to" in said) == (on == "b" and not windows), "a folder without masks can't tell"
    assert made.made is not None and made.card is not None
    assert sum(made.card.defects.values()) == 12
    assert made.card.bases.line == str(lines / on) and made.card.bases.measured_by.startswith("evaluate transfer --to")
    records = Dataset(made.records)
    for record in records:
        origin = origin_of(record)
        assert origin is not None
        base = lines / origin.base
        assert base.name in names and base.is_relative_to(lines / on)
        assert all("/a/images/" in f"/{shape_source(item)}" for item in record.annotations)
        if not windows:
            image, before = read_image(made.out / record.file).astype(int), read_image(base).astype(int)
            masks = np.max([rle.decode(item.rle) for item in record.annotations], axis=0)
            assert (image == before)[grow(masks, made.card.margin_px) == 0].all()
            assert (image != before).any()


def test_the_engine_is_the_one_that_transfer_found_best(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = Dataset(lines / "a/dataset"), Dataset(lines / "b/dataset")
    kids = {AS_IT_IS: 0.3, "amplitude": 0.1, "paste": 0.2}
    engines = [EngineNumbers(name=name, kid=kid) for name, kid in kids.items()]
    measured_on = {"from": own.manifest["sha256"], "to": other.manifest["sha256"]}
    folder = begin_result(lines / "a/results", "transfer", measured_on)
    result = Result(
        kind="transfer", verdict="It helps.", command="", measured_on=measured_on, settings={},
        numbers=Transfer(engines=engines, best="amplitude", features="f"), folder=folder,
    )  # fmt: skip
    write_result(folder, result)
    made = drawn(lines, tmp_path / "out", on=lines / "b")
    assert made.card is not None and made.card.engine == "paste"
    assert "engine  paste, by 001-transfer, where amplitude was better still: It helps." in capsys.readouterr().err


def test_on_images_of_other_proportions_defects_keep_their_own(
    lines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Own images have 96 x 72 px; in their own place on 96 x 54 px defects would be flattened by a quarter."""
    image = Dataset(lines / "b/dataset").stored(1)
    for name, height in (("alike", 60), ("flat", 54)):
        write_image(tmp_path / name / "1.png", image[:height])
        made = drawn(lines, tmp_path / f"on {name}", on=tmp_path / name)
        assert made.card is not None and made.card.engine == ("transplant" if name == "alike" else "paste")
    assert "engine  paste (the other line's images have other proportions; nothing is" in capsys.readouterr().err


def test_what_can_not_be_drawn_on_is_refused(lines: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--bases erased are a line's own training images"):
        drawn(lines, tmp_path / "x", on=lines / "b", bases="erased")
    with pytest.raises(UsageError, match="--with-real does not go with --on"):
        drawn(lines, tmp_path / "x", on=lines / "b", with_real=True)
    with pytest.raises(DataError, match="is the line itself"):
        drawn(lines, tmp_path / "x", on=lines / "a", engine="paste")
    with pytest.raises(DataError, match="is neither a data set nor a folder of images"):
        drawn(lines, tmp_path / "x", on=lines / "nowhere", engine="paste")
    other = write_line(tmp_path / "c", first=4)
    defective = [record for record in other if record.annotations or record.split == "test"]
    write_dataset(
        tmp_path / "c/dataset", defective, classes=other.classes,
        image_root=other.image_root, provenance={},
    )  # fmt: skip
    with pytest.raises(DataError, match=r"No image of .* is known to be free of defects"):
        drawn(lines, tmp_path / "x", on=tmp_path / "c", engine="paste")
