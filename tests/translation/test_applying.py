"""translate apply: masks bit for bit, grey stays grey, what is lost is tried again, and a kill or threads change no byte."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from coigan_aug.errors import DataError, Stopped, UsageError
from coigan_aug.evaluation.leaks import check_synthetic
from coigan_aug.files import sha256
from coigan_aug.folders import Folders
from coigan_aug.formats.detect import format_named
from coigan_aug.formats.names import NAMES
from coigan_aug.imaging import Pixels, read_image, write_image
from coigan_aug.sealed import read_sealed
from coigan_aug.stages.translate import translate
from coigan_aug.stages.translate_asks import TranslateAsk
from coigan_aug.store.dataset import Dataset
from coigan_aug.translation import applying
from coigan_aug.translation.applying import LOG, START, Work, read_rows
from coigan_aug.translation.engine import fit
from coigan_aug.translation.judging import Judge
from coigan_aug.translation.lines import find_line
from tests.translation.lines import dimmed, write_line


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the lines `a` and `b`, and of the latter's images alone the folder `plain`."""
    folder = tmp_path_factory.mktemp("lines")
    write_line(folder / "a", first=0, colour=4, unknown=7)
    other = write_line(folder / "b", first=50, count=4, look=dimmed)
    for k in range(4):
        write_image(folder / "plain" / "x" / f"{k}.png", other.stored(k))
    return folder


def asked(lines: Path, out: Path, **more: object) -> TranslateAsk:
    return TranslateAsk(
        source=lines / "a",
        out=out,
        **{"to": lines / "b", "engine": "histogram", "screen": False} | more,  # type: ignore[arg-type]
    )


def files_of(out: Path) -> dict[str, str]:
    return {
        p.relative_to(out).as_posix(): sha256(p) for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"
    }


def test_every_mask_stays_bit_for_bit_and_images_say_where_they_come_from(lines: Path, tmp_path: Path) -> None:
    workspace, a = Folders(tmp_path / "w"), Dataset(lines / "a/dataset")
    made = translate(workspace, asked(lines, tmp_path / "out"))
    records = Dataset(made.records)
    kept = [k for k in range(8) if k != 7]
    assert [record.source["translated_from"] for record in records] == [a[k].file for k in kept]
    assert made.card.translated.unknown == 1
    for k, record in zip(kept, records, strict=True):
        assert [(item.label, item.rle) for item in record.annotations] == [(i.label, i.rle) for i in a[k].annotations]
        assert (record.void, record.split, record.group) == (a[k].void, a[k].split, a[k].group)
        assert record.source["engine"] == "histogram"
        assert record.source["reference"] in {f"deep/0{n}.png" for n in (0, 1, 3)}, "image 2 is for testing"
        assert read_image(made.out / record.file).shape == a.stored(k).shape, "grey stays grey"
    assert made.card.translated.void_lost == 1, "COCO can't hold void pixels"
    coco = COCO(str(made.out / "annotations.json"))
    for image in coco.loadImgs(coco.getImgIds()):
        masks = np.max([coco.annToMask(item) for item in coco.imgToAnns[image["id"]]] or [np.zeros((72, 96))], axis=0)
        record = next(item for item in records if item.file.endswith(image["file_name"].removeprefix("images/")))
        unions = a.masks(kept[[item.file for item in records].index(record.file)])
        np.testing.assert_array_equal(masks, np.max([*unions.values()] or [np.zeros((72, 96))], axis=0))
    darker = np.mean([records.stored(k).mean() for k in (0, 1)])
    assert abs(darker - np.mean([Dataset(lines / "b/dataset").stored(k).mean() for k in (0, 1, 3)])) < 12
    check_synthetic(records, a, kept)
    with pytest.raises(DataError, match=r"00\.png.* not among the training images"):
        check_synthetic(records, a, kept[1:])


@pytest.mark.parametrize("form", [*NAMES, "source"])
def test_every_writer_takes_a_translated_set(lines: Path, tmp_path: Path, form: str) -> None:
    made = translate(Folders(tmp_path / "w"), asked(lines, tmp_path / "out", to=lines / "plain", format=form))
    assert made.card.format == ("voc" if form == "source" else form)
    assert (made.out / made.card.translated.annotations).exists()
    assert all((made.out / record.file).exists() for record in Dataset(made.records))
    assert made.card.translated.void_lost == (0 if format_named(made.card.format).void else 1)


def test_stopped_and_continued_with_other_threads_it_is_the_same_set(
    lines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each image in turn; once with a log whose last line was torn off by a kill."""
    whole = translate(Folders(tmp_path / "w"), asked(lines, tmp_path / "one" / "out"))
    out, stops = tmp_path / "two" / "out", 0
    append = applying.append_line

    def stopping(stream: object, row: object) -> None:
        append(stream, row)  # type: ignore[arg-type]
        raise Stopped("now", signal_number=2)

    again = asked(lines, out, overrides=("synthesize.workers=0",))
    with monkeypatch.context() as patch:
        patch.setattr(applying, "append_line", stopping)
        while stops < 3:
            with pytest.raises(Stopped):
                translate(Folders(tmp_path / "w2"), again)
            stops += 1
            assert len(list(read_rows(out))) == stops
    log = out / LOG
    log.write_bytes(log.read_bytes()[:-9])
    with pytest.raises(UsageError, match="begun with another set, engine or other options"):
        translate(Folders(tmp_path / "w2"), asked(lines, out, seed=5))
    resumed = translate(Folders(tmp_path / "w2"), dataclasses.replace(again, overrides=("synthesize.workers=3",)))
    first, second = files_of(whole.out), files_of(resumed.out)
    assert first.keys() == second.keys() and START not in first
    assert {name for name in first if first[name] != second[name]} == {"card.json"}, "which names its own command"
    assert first != files_of(translate(Folders(tmp_path / "w"), asked(lines, tmp_path / "three", seed=5)).out)


def test_a_finished_set_is_replaced_only_when_told_and_other_files_stay(lines: Path, tmp_path: Path) -> None:
    workspace, out = Folders(tmp_path / "w"), tmp_path / "out"
    translate(workspace, asked(lines, out))
    (out / "images" / "mine.png").write_bytes(b"")
    with pytest.raises(UsageError, match="already holds 7 images translated by histogram"):
        translate(workspace, asked(lines, out, engine="amplitude"))
    translate(workspace, asked(lines, out, engine="amplitude", format="yolo", overwrite=True))
    assert (out / "images" / "mine.png").exists() and not (out / "annotations.json").exists()
    assert read_sealed(out / "card.json")["engine"] == "amplitude"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a.txt").write_text("")
    with pytest.raises(UsageError, match=r"holds other files \(a\.txt\)"):
        translate(workspace, asked(lines, tmp_path / "theirs", overwrite=True))


class Losing:
    """An engine that paints defects over in every picture but those of one attempt."""

    name, draws = "losing", True

    def __init__(self, good: int) -> None:
        self.good = good

    def about(self) -> dict[str, str]:
        return {"engine": self.name}

    def reference(self, *, index: int, seed: int) -> str:
        return str(index)

    def translate(self, image: Pixels, *, index: int, seed: int) -> Pixels:
        return image if index // 8 == self.good else np.full_like(image, 99)


@pytest.mark.parametrize("good", [0, 2, 9])
def test_a_defect_that_is_lost_is_tried_again_with_another_reference(lines: Path, tmp_path: Path, good: int) -> None:
    a = Dataset(lines / "a/dataset")
    work = Work(
        dataset=a, engine=Losing(good), judge=Judge(), out=tmp_path, files={0: "0.png", 1: "1.png"}, seed=1, attempts=3
    )
    row = work.make(0)
    assert [(item.reason, item.attempt) for item in row.rejected] == [("invisible", k) for k in range(min(good, 3))]
    assert (tmp_path / "0.png").exists() == (good < 3)
    if good < 3:
        assert (row.file, row.reference, row.attempt) == ("0.png", str(8 * good), good)
        assert all(item.gap[0] == item.gap[1] > 2 and item.moved < 0.01 for item in row.objects)
    assert work.make(1).file == "1.png", "without a defect there is nothing to lose"
    unjudged = dataclasses.replace(work, judge=Judge(on=False)).make(0)
    assert unjudged.file == "0.png" and unjudged.objects[0].gap[1] == (0 if good else unjudged.objects[0].gap[0])


def test_hard_ones_are_rejected_only_when_told(lines: Path, tmp_path: Path) -> None:
    """A segmenter that finds everything on the images themselves and nothing on others."""
    a = Dataset(lines / "a/dataset")
    image = a.stored(0)

    def finds(pixels: Pixels, record: object) -> list[float]:
        return [float((pixels == image).all())] * 2

    engine = fit("histogram", find_line(lines / "plain").paths, root=lines / "plain")
    work = Work(
        dataset=a, engine=engine, judge=Judge(finds=finds), out=tmp_path, files={0: "0.png"}, seed=1, attempts=2
    )
    assert [item.found for item in work.make(0).objects] == [(1.0, 0.0)] * 2
    row = dataclasses.replace(work, judge=Judge(finds=finds, hard=True)).make(0)
    assert [item.reason for item in row.rejected] == ["mask", "mask"]
    with pytest.raises(AttributeError):
        _ = row.file.strip  # type: ignore[union-attr]


def test_test_images_of_the_other_line_and_masks_beside_images_serve_as_no_look(lines: Path, tmp_path: Path) -> None:
    assert [path.name for path in find_line(lines / "b").paths] == ["00.png", "01.png", "03.png"]
    write_image(tmp_path / "a.jpg", np.zeros((5, 5), np.uint8))
    write_image(tmp_path / "a.png", np.zeros((5, 5), np.uint8))
    write_image(tmp_path / "sub" / "b.png", np.zeros((5, 5), np.uint8))
    assert [path.relative_to(tmp_path).as_posix() for path in find_line(tmp_path).paths] == ["a.jpg", "sub/b.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        find_line(tmp_path / "empty")
    with pytest.raises(DataError, match="is no folder"):
        find_line(tmp_path / "nowhere")


def test_the_card_can_be_read_as_json_and_counts_what_was_measured(lines: Path, tmp_path: Path) -> None:
    made = translate(Folders(tmp_path / "w"), asked(lines, tmp_path / "out", engine="amplitude"))
    card = json.loads((made.out / "card.json").read_text())
    about = card["translated"]
    assert card["defects"] == {"spot": 4, "line": 4} and about["objects"] == 8
    assert about["edges_moved"] < 0.1 and about["visible"] == 1
    assert about["about"]["references"] == 3 and about["found_after"] is None
