"""The run-length CSV. Truth: pairs worked out by hand (1-based, column-major), and the masks that were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, make_classes, parse_classes
from coigan_aug.formats.tables import cells, rle_csv
from coigan_aug.formats.tables import rows as table_rows
from coigan_aug.imaging import write_image

HEADER = "ImageId,ClassId,EncodedPixels\n"


def write_images(folder: Path, *names: str, height: int = 4, width: int = 5) -> None:
    for name in names:
        write_image(folder / name, np.full((height, width), 90, np.uint8))


def opened(folder: Path, text: str | bytes, **options: object) -> tuple[list[ImageRecord], Problems]:
    path = folder / "train.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    source = rle_csv.read(Reading(path, options=ReadOptions(**options), problems=problems))
    records = list(source.records)
    problems.check_broken()
    return records, problems


def pixels(record: ImageRecord) -> dict[str, list[int]]:
    """Return the 1-based column-major numbers of the pixels of each class."""
    return {a.label: (np.flatnonzero(rle.decode(a.rle).ravel(order="F")) + 1).tolist() for a in record.annotations}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_images(tmp_path / "train_images", "a.jpg", "b.jpg", "c.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEADER + "a.jpg,1,1 2 9 1\n", {"1": [1, 2, 9]}),
        ("\ufeff" + HEADER + "a.jpg,1,1 2 9 1\n", {"1": [1, 2, 9]}),
        (HEADER.replace("\n", "\r\n") + "a.jpg,1,1 2 9 1\r\n\r\n", {"1": [1, 2, 9]}),
        ("EncodedPixels,imageid , CLASSID\n1 2 9 1,a.jpg,1\n", {"1": [1, 2, 9]}),
        ("ImageId;ClassId;EncodedPixels\na.jpg;1;1 2 9 1\n", {"1": [1, 2, 9]}),
        ("ImageId_ClassId,EncodedPixels\na.jpg_1,1 2\na.jpg_2,\nb.jpg_1,\n", {"1": [1, 2]}),
        (HEADER + "a.jpg,2.0,20 1\na.jpg,1,1 20\n", {"1": list(range(1, 21)), "2": [20]}),
        (HEADER + "a.jpg,pit,1 1\n", {"pit": [1]}),
        (HEADER + "a.jpg,1,\n", {}),
        (HEADER + "a.jpg,1,NaN\n", {}),
        (HEADER + "a.jpg,1,-1\n", {}),
        (HEADER + "a.jpg,,\n", {}),
        (HEADER + "a.jpg,1,  1   2\t9 1 \n", {"1": [1, 2, 9]}),
        (HEADER + "a.jpg,1,1 2 3 2\n", {"1": [1, 2, 3, 4]}),
    ],
)
def test_rows_are_read(folder: Path, text: str, expected: dict[str, list[int]]) -> None:
    records, problems = opened(folder, text)
    assert [record.file for record in records] == ["a.jpg", "b.jpg", "c.jpg"]
    assert pixels(records[0]) == expected
    assert not records[1].annotations
    assert not problems.all


@pytest.mark.parametrize(
    ("row", "expected", "what", "done"),
    [
        ("a.jpg,1,9 1 1 2", [1, 2, 9], "out of order", "sorted"),
        ("a.jpg,1,1 4 3 3", [1, 2, 3, 4, 5], "overlap", "joined"),
        ("a.jpg,1,3 0 5 1", [5], "no pixels", "dropped"),
        ("a.jpg,1,1 2\na.jpg,1,2 3", [1, 2, 3, 4], "twice", "masks joined"),
    ],
)
def test_odd_rows_are_mended_and_noted(folder: Path, row: str, expected: list[int], what: str, done: str) -> None:
    records, problems = opened(folder, HEADER + row + "\n")
    assert pixels(records[0])["1"] == expected
    assert [(what in problem.what, problem.done) for problem in problems.all] == [(True, done)]
    assert problems.all[0].file == "train.csv"
    assert problems.all[0].row == 2 + row.count("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", "columns: a, b"),
        ("", "columns: none"),
        (HEADER + "a.jpg,1\n", "train.csv:2  has 2 cells; the first line has 3"),
        (HEADER + ",1,1 1\n", "train.csv:2  names no image"),
        (HEADER + "a.jpg,1,1 1\n\na.jpg,2,1 2 3\n", "train.csv:4  EncodedPixels holds 3 numbers"),
        (HEADER + "a.jpg,1,1 x\n", "train.csv:2  EncodedPixels holds 'x'"),
        (HEADER + "a.jpg,1,1.5 2\n", "'1.5', which is not a whole number"),
        (HEADER + "a.jpg,1,5 -2\n", "'-2', which is not a whole number"),
        (HEADER + "a.jpg,1,٣ ٤\n", "which is not a whole number"),
        (HEADER + "a.jpg,,1 2\n", "has pixels and no class"),
        (
            HEADER + "a.jpg,1,20 2\n",
            "RLE run 20+2 ends outside a.jpg (4 x 5 = 20 px). Was the mask made for another size?",
        ),
        (HEADER + "a.jpg,1,0 2\n", "RLE run 0+2 of a.jpg begins before the first pixel"),
        (HEADER + "a.jpg,1,99999999999999999999 1\n", "ends outside a.jpg"),
        (HEADER + "a.jpg,1,1 9223372036854775807\n", "ends outside a.jpg"),
        (HEADER + "x.jpg,1,1 1\na.jpg,1,1 1\n", "x.jpg (train.csv:2) not found in train_images/; 1 others were."),
        (HEADER + "../../etc/passwd,1,1 1\na.jpg,1,1 1\n", "leaves the image folder"),
        (HEADER + "/etc/passwd,1,1 1\na.jpg,1,1 1\n", "/etc/passwd (train.csv:2) not found in"),
        (HEADER.encode() + b"a\xff.jpg,1,1 1\n", "not UTF-8"),
    ],
)
def test_wrong_rows_are_errors_with_their_place(folder: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        opened(folder, text)
    assert expected in str(caught.value)


TABLES = {
    "ImageId,EncodedPixels\na,1 2\na,9 1\nb,\n": [("1", [1, 2]), ("1", [9])],
    "id,rle\na,1 2\na,9 1\n": [("1", [1, 2]), ("1", [9])],
    "id;rle_mask\na.jpg;1 2\n": [("1", [1, 2])],
    "Image_Label,EncodedPixels\na.jpg_Big_Fish,1 2 9 1\na.jpg_Gravel,\n": [("Big_Fish", [1, 2, 9])],
    "ImageId,EncodedPixels,Height,Width,CategoryId\na,1 2 9 1,4,5,pit\n": [("pit", [1, 2, 9])],
    "filename,class,segmentation\na.jpg,pit,1 2 9 1\n": [("pit", [1, 2, 9])],
}


@pytest.mark.parametrize("text", TABLES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
def test_columns_and_encodings_of_other_tables_are_known(folder: Path, text: str, encoding: str) -> None:
    records, problems = opened(folder, text.encode(encoding))
    alone = [[pixels(replace(record, annotations=(a,))) for a in record.annotations] for record in records]
    assert alone == [[{label: own} for label, own in TABLES[text]], [], []]
    assert rle_csv.sniff(folder / "train.csv")
    assert not problems.all


@pytest.mark.parametrize(
    ("columns", "order", "expected"),
    [
        ("id,class,segmentation", None, [1, 5, 9]),  # 4 x 5: the pixels 1 to 3 of the first row
        ("id,class,segmentation", "columns", [1, 2, 3]),
        ("ImageId,ClassId,EncodedPixels", "rows", [1, 5, 9]),
        ("id,cell_type,annotation", None, [1, 5, 9]),
    ],
)
def test_runs_along_rows_are_read_where_the_columns_or_the_person_say_so(
    folder: Path, columns: str, order: str | None, expected: list[int]
) -> None:
    records, _ = opened(folder, f"{columns}\na,pit,1 3\nb,pit,\nc,pit,20 1\n", rle_order=order)
    assert [pixels(record) for record in records] == [{"pit": expected}, {}, {"pit": [20]}]


def test_a_row_of_too_few_cells_costs_its_image_its_state(folder: Path) -> None:
    problems = Problems(lenient=True)
    path = folder / "train.csv"
    path.write_text("id,class,rle\na,pit\nb,pit,1 1\n")
    list(rle_csv.read(Reading(path, problems=problems)).records)
    assert problems.lost == {"a", "a.jpg"}
    assert str(problems.all[0]).startswith("train.csv:2  has 2 cells; the first line has 3. It is of a")


@pytest.mark.parametrize("quoted", ["", '"'])
def test_a_line_or_cell_longer_than_any_masks_is_refused(
    folder: Path, quoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "_SLACK", 1000)
    with pytest.raises(DataError, match=r"train.csv:2  EncodedPixels holds 4,000 signs, more than a mask of a.jpg"):
        opened(folder, HEADER + f"a.jpg,1,{quoted}{'1 1 ' * 999}1  1{quoted}\n")
    monkeypatch.setattr(table_rows, "_LONGEST", 1000)
    with pytest.raises(DataError, match=r"train.csv:3  is longer than 1,000 signs"):
        opened(folder, HEADER + f"b.jpg,1,{quoted}1 1{quoted}\na.jpg,1,{quoted}{'1 1 ' * 999}{quoted}\n")


def test_a_bare_name_that_fits_two_images_is_an_error(tmp_path: Path) -> None:
    write_images(tmp_path / "train_images", "a.jpg", "a.bmp")
    with pytest.raises(DataError, match=r"train.csv:2  the image name a fits a.bmp and a.jpg"):
        opened(tmp_path, "id,rle\na,1 1\n")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("19 9", [19, 20]), ("0 3", [1, 2]), ("1 1 30 4", [1]), ("5 99999999999999999999", list(range(5, 21)))],
)
def test_clipping_cuts_runs_that_leave_the_image(folder: Path, cell: str, expected: list[int]) -> None:
    records, problems = opened(folder, HEADER + f"a.jpg,1,{cell}\n", clip_rle=True)
    assert pixels(records[0])["1"] == expected
    assert problems.all[0].done == "cut"
    assert str(problems.all[0]).startswith("train.csv:2  RLE run ")


def test_a_run_outside_says_how_to_cut_it(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(folder, HEADER + "a.jpg,1,20 2\n")
    assert caught.value.remedy == "--clip-rle cuts it"


def test_a_mask_wholly_outside_leaves_the_image_free_of_defects(folder: Path) -> None:
    records, problems = opened(folder, HEADER + "a.jpg,1,50 4\n", clip_rle=True)
    assert not records[0].annotations
    assert len(problems.all) == 2


def test_missing_images_may_be_skipped(folder: Path) -> None:
    records, problems = opened(folder, HEADER + "x.jpg,1,1 1\na.jpg,1,1 1\n", skip_missing=True)
    assert [record.file for record in records] == ["a.jpg", "b.jpg", "c.jpg"]
    assert str(problems.all[0]) == "train.csv:2  x.jpg not found in train_images/; image left out"


def test_broken_images_are_errors_or_skipped(folder: Path) -> None:
    whole = (folder / "train_images" / "b.jpg").read_bytes()
    (folder / "train_images" / "b.jpg").write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"b\.jpg is cut off") as caught:
        opened(folder, HEADER + "a.jpg,1,1 1\n")
    assert "--skip-broken" in caught.value.remedy
    for row in ("a.jpg,1,1 1", "b.jpg,1,1 1"):
        records, problems = opened(folder, HEADER + row + "\n", skip_broken=True)
        assert [record.file for record in records] == ["a.jpg", "c.jpg"]
        assert len(problems.all) == 1
        assert "cut off" in problems.all[0].what


@pytest.mark.parametrize(
    ("choice", "label", "expected"),
    [
        ("scratch,pit", "2", {"pit": [1]}),
        ("scratch=7,pit=2", "2", {"pit": [1]}),
        ("scratch=7,pit=2", "7", {"scratch": [1]}),
    ],
)
def test_classes_are_named(folder: Path, choice: str, label: str, expected: dict[str, list[int]]) -> None:
    records, _ = opened(folder, HEADER + f"a.jpg,{label},1 1\n", classes=parse_classes(choice))
    assert pixels(records[0]) == expected


def test_a_class_beyond_those_given_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        opened(folder, HEADER + "a.jpg,5,1 1\n", classes=parse_classes("a,b,c,d"))
    assert str(caught.value) == "train.csv:2  class 5 is not among the classes 1-4 given with --classes a,b,c,d"


def test_classes_keep_their_ids_in_numeric_order(folder: Path) -> None:
    (folder / "train.csv").write_text(HEADER + "a.jpg,10,1 1\na.jpg,9,2 1\n")
    source = rle_csv.read(Reading(folder / "train.csv"))
    assert [(found.name, found.source_id) for found in source.classes] == [("9", 9), ("10", 10)]
    assert source.description == (
        "Severstal RLE CSV (columns ImageId, ClassId, EncodedPixels). Images: train_images/ (found beside it)"
    )


def test_images_are_found_in_other_folders_by_name(tmp_path: Path) -> None:
    write_images(tmp_path / "deep" / "x", "a.jpg")
    write_images(tmp_path / "deep" / "y", "b.jpg")
    records, _ = opened(tmp_path, HEADER + "a.jpg,1,1 1\nb.jpg,1,1 1\n")
    assert [record.file for record in records] == ["deep/x/a.jpg", "deep/y/b.jpg"]
    assert records[0].source == {"name": "a.jpg"}


def test_a_name_that_fits_two_images_is_an_error_unless_the_folder_is_named(tmp_path: Path) -> None:
    write_images(tmp_path / "x", "a.jpg")
    write_images(tmp_path / "y", "a.jpg")
    with pytest.raises(DataError, match=r"train.csv:2  the image name a.jpg fits x/a.jpg and y/a.jpg"):
        opened(tmp_path, HEADER + "a.jpg,1,1 1\n", images=tmp_path)
    records, _ = opened(tmp_path, HEADER + "y\\a.jpg,1,1 1\n", images=tmp_path)
    assert [len(record.annotations) for record in records] == [0, 1]


def test_masks_beside_images_are_not_images(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "a.jpg", "a.png", "b.jpg")
    records, problems = opened(tmp_path, HEADER + "a.jpg,1,1 1\n")
    assert [record.file for record in records] == ["a.jpg", "b.jpg"]
    assert "1 .png files lie beside images" in problems.all[0].what


def test_links_out_of_the_image_folder_are_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_images(elsewhere, "z.jpg")
    (folder / "train_images" / "z.jpg").symlink_to(elsewhere / "z.jpg")
    records, problems = opened(folder, HEADER + "a.jpg,1,1 1\n")
    assert [record.file for record in records] == ["a.jpg", "b.jpg", "c.jpg"]
    assert "1 links lead out" in problems.all[0].what
    with pytest.raises(DataError, match="through a link"):
        opened(folder, HEADER + "a.jpg,1,1 1\nz.jpg,1,1 1\n", images=folder / "train_images")


def test_cells_beyond_the_csv_limit_are_read(tmp_path: Path) -> None:
    write_images(tmp_path / "images", "a.png", height=400, width=400)
    cell = " ".join(f"{start} 1" for start in range(1, 160_000, 2))
    assert len(cell) > 131_072
    records, _ = opened(tmp_path, HEADER + f"a.png,1,{cell}\n")
    assert rle.area(records[0].annotations[0].rle) == 80_000


def test_unicode_and_spaces_in_names(tmp_path: Path) -> None:
    write_images(tmp_path / "Bilder größe", "Stück 1, oben.jpg")
    records, _ = opened(tmp_path, HEADER + '"Stück 1, oben.jpg",1,1 1\n')
    assert [record.file for record in records] == ["Stück 1, oben.jpg"]
    assert len(records[0].annotations) == 1


def test_no_folder_with_the_images_is_an_error(tmp_path: Path) -> None:
    alone = tmp_path / "project" / "data"  # beside it lie other tests' folders
    alone.mkdir(parents=True)
    with pytest.raises(DataError, match=r"none of the images named in train\.csv") as caught:
        opened(alone, HEADER + "a.jpg,1,1 1\n")
    assert "--images" in caught.value.remedy


def test_written_masks_are_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    classes = make_classes(["pit", "crack"], source_ids=[7, 3])
    records = []
    for k in range(6):
        masks = [(random.random((9, 13)) < 0.3).astype(np.uint8) for _ in range(3)]
        labels = ("pit", "crack", "pit")[: k % 4]
        annotations = tuple(Annotation(label=a, rle=rle.encode(m)) for a, m in zip(labels, masks, strict=False))
        records.append(ImageRecord(file=f"images/n, {k}.png", height=9, width=13, annotations=annotations))
        write_images(tmp_path, records[-1].file, height=9, width=13)
    path = rle_csv.write(tmp_path, records, classes=classes)
    options = ReadOptions(classes=parse_classes("pit=7,crack=3"), images=tmp_path)
    source = rle_csv.read(Reading(path, options=options))
    found = list(source.records)
    assert source.classes == classes
    assert [record.file for record in found] == [record.file for record in records]
    for before, after in zip(records, found, strict=True):
        for label in {annotation.label for annotation in before.annotations}:
            union = rle.union([a.rle for a in before.annotations if a.label == label])
            assert [a.rle for a in after.annotations if a.label == label] == [union]


def test_strict_makes_the_first_problem_an_error(folder: Path) -> None:
    (folder / "train.csv").write_text(HEADER + "a.jpg,1,9 1 1 2\n")
    with pytest.raises(DataError, match=r"train\.csv:2  the runs of a\.jpg are out of order"):
        rle_csv.read(Reading(folder / "train.csv", problems=Problems(strict=True)))


def test_a_mistake_in_an_earlier_row_is_told_before_one_in_a_later_row(folder: Path) -> None:
    with pytest.raises(DataError, match=r"train.csv:2  EncodedPixels holds 'x'"):
        opened(folder, HEADER + "a.jpg,1,1 x\nb.jpg,1\n", images=folder / "train_images")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1 2 x 1", "train.csv:151  EncodedPixels holds 'x'"),
        ("1 2 3", "train.csv:151  EncodedPixels holds 3 numbers"),
        ("20 2", "train.csv:151  RLE run 20+2 ends outside c.jpg"),
        ("0 2", "train.csv:151  RLE run 0+2 of c.jpg begins before the first pixel"),
        ("99999999999999999999 1", "ends outside c.jpg"),
    ],
)
def test_a_wrong_cell_among_hundreds_is_named_by_its_line(folder: Path, cell: str, expected: str) -> None:
    rows = [f"{'ab'[k % 2]}.jpg,{k},1 2\n" for k in range(300)]
    rows[149] = f"c.jpg,1,{cell}\n"
    with pytest.raises(DataError) as caught:
        opened(folder, HEADER + "".join(rows))
    assert expected in str(caught.value)


def test_odd_cells_among_plain_ones_are_read_and_noted_by_their_lines(folder: Path) -> None:
    odd = {40: "9 1 1 2", 90: "1 3 2 2", 130: "  1\t2 ", 131: "1 2 5 0", 170: "1 2 3 2", 171: "1 20", 172: "16 5"}
    pixels_of = {40: [1, 2, 9], 90: [1, 2, 3], 130: [1, 2], 131: [1, 2], 170: [1, 2, 3, 4], 171: [*range(1, 21)]}
    pixels_of[172] = [*range(16, 21)]
    rows = [f"{'abc'[k % 3]}.jpg,{k},{odd.get(k, '2 1 4 3')}\n" for k in range(200)]
    records, problems = opened(folder, HEADER + "".join(rows))
    found = {int(label): own for record in records for label, own in pixels(record).items()}
    assert found == {k: pixels_of.get(k, [2, 4, 5, 6]) for k in range(200)}
    assert [(problem.row, problem.done) for problem in problems.all] == [
        (42, "sorted"),
        (92, "joined"),
        (133, "dropped"),
    ]


@pytest.mark.parametrize("odd", ['"c.jpg",3,"1 2"\n', "ü.jpg,3,1 2\n", "c.jpg,3,1 2\r\n", '"c\n.jpg",3,1 2\n'])
def test_rows_after_one_that_is_not_plain_are_read_once_and_named_by_their_lines(tmp_path: Path, odd: str) -> None:
    name = "ü.jpg" if "ü" in odd else "c\n.jpg" if "c\n" in odd else "c.jpg"
    write_images(tmp_path / "train_images", "a.jpg", "b.jpg", name)
    text = HEADER + "a.jpg,1,1 2\n" + odd + "b.jpg,2,3 1\n"
    records, problems = opened(tmp_path, text)
    assert {record.file: pixels(record) for record in records} == {
        "a.jpg": {"1": [1, 2]},
        name: {"3": [1, 2]},
        "b.jpg": {"2": [3]},
    }
    assert not problems.all
    with pytest.raises(DataError) as caught:
        opened(tmp_path, text + "b.jpg,1,1\n")
    assert f"train.csv:{6 if 'c' + chr(10) in odd else 5}  EncodedPixels holds 1 numbers" in str(caught.value)
