"""Pascal VOC. Truth: pictures painted by hand, Pillow for palettes, a standard XML parser for boxes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import CoiganError, DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.formats.voc import voc
from coigan_aug.formats.voc.classes import VOC_COLOURS, voc_colour
from coigan_aug.imaging import write_image
from tests.thorough import tries

H, W = 8, 10
SHAPE = (H, W)
CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\npit:200,10,10::\ncrack:10,200,10::\n"


def numbered(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Paint boxes (left, top, right, bottom) with the numbers that name them, `n3=...`, in that order."""
    picture = np.zeros(SHAPE, np.uint8)
    for name, (left, top, right, bottom) in boxes.items():
        picture[top:bottom, left:right] = int(name[1:])
    return picture


CLASSES = numbered(n1=(0, 0, 4, 3), n2=(5, 0, 9, 6))
OBJECTS = numbered(n1=(0, 0, 2, 3), n2=(2, 0, 4, 3), n3=(5, 0, 9, 6))


def palette_png(path: Path, numbers: np.ndarray, colours: dict[int, tuple[int, int, int]] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers.astype(np.uint8))
    own = [(colours or {}).get(k, (0, 0, 0)) if colours is not None else VOC_COLOURS[k] for k in range(256)]
    image.putpalette([part for colour in own for part in colour])
    image.save(path)


def dataset(
    folder: Path, classes: dict[str, Any], objects: dict[str, Any] | None = None, texts: dict[str, Any] | None = None
) -> Path:
    """Write masks (an array is a palette picture in VOC's colours, RGB where it has channels), images and texts."""
    for name, pictures in (("SegmentationClass", classes), ("SegmentationObject", objects or {})):
        for stem, picture in pictures.items():
            path = folder / name / f"{stem}.png"
            if picture is not None and picture.ndim == 3:
                write_image(path, picture)
            elif picture is not None:
                palette_png(path, picture)
            write_image(folder / "JPEGImages" / f"{stem}.jpg", np.zeros(SHAPE, np.uint8))
    for name, text in (texts or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def opened(path: Path, **options: Any) -> tuple[Source, list[ImageRecord], Problems]:
    problems = Problems()
    if "classes" in options:
        options["classes"] = parse_classes(options["classes"]) if options["classes"] else ()
    source = voc.read(Reading(path, options=ReadOptions(**options), problems=problems))
    return source, list(source.records), problems


def masks(record: ImageRecord) -> list[tuple[str, list[list[int]]]]:
    return [(a.label, rle.decode(a.rle).tolist()) for a in record.annotations]


EXPECTED = [(name, (k == OBJECTS).astype(int).tolist()) for k, name in ((1, "pit"), (2, "pit"), (3, "crack"))]


def test_the_colours_are_those_of_the_development_kit() -> None:
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 7: (128, 128, 128), 8: (64, 0, 0), 20: (0, 64, 128)}
    assert {k: voc_colour(k) for k in known} == known
    assert len(set(VOC_COLOURS)) == 256


def rgb(numbers: np.ndarray, colours: dict[int, tuple[int, int, int]]) -> np.ndarray:
    picture = np.zeros((*numbers.shape, 3), np.uint8)
    for number, colour in colours.items():
        picture[numbers == number] = colour
    return picture


@pytest.mark.parametrize(
    ("classes", "objects", "texts", "chosen"),
    [
        (CLASSES, OBJECTS, {}, "pit,crack"),
        (CLASSES, OBJECTS, {}, "crack=2,pit=1"),
        (CLASSES, OBJECTS, {}, "pit=#800000,crack=#008000"),
        (CLASSES, OBJECTS, {"class_names.txt": "_background_\npit\r\ncrack\n"}, ""),
        (CLASSES, OBJECTS, {"class_names.txt": "__ignore__\n_background_\npit\ncrack\n"}, ""),
        (CLASSES, OBJECTS, {"labels.txt": "background\npit\ncrack\n"}, ""),
        (CLASSES, OBJECTS, {"labels.txt": "__ignore__\n_background_\npit\ncrack\n"}, ""),
        (CLASSES, OBJECTS, {"label_list.txt": "pit\ncrack\n"}, ""),
        (CLASSES, OBJECTS, {"labels.txt": "0 Background\n2 crack\n1 pit\n"}, ""),
        (np.repeat(CLASSES[:, :, None], 3, axis=2), OBJECTS, {}, "pit,crack"),
        (CLASSES, OBJECTS, {"labelmap.txt": "background:::\npit:::\ncrack:::\n"}, ""),
        (rgb(CLASSES, {1: (128, 0, 0), 2: (0, 128, 0)}), rgb(OBJECTS, dict(enumerate(VOC_COLOURS[:4]))),
         {"labelmap.txt": "# label:color_rgb:parts:actions\nbackground:::\npit:::\ncrack:::\n"}, ""),
        (rgb(CLASSES, {1: (200, 10, 10), 2: (10, 200, 10)}), OBJECTS, {"labelmap.txt": "\ufeff" + CVAT}, ""),
        (rgb(CLASSES, {1: (200, 10, 10), 2: (10, 200, 10)}), rgb(OBJECTS, dict(enumerate(VOC_COLOURS[:4]))),
         {"labelmap.txt": CVAT}, ""),
        (CLASSES, OBJECTS, {"labelmap.txt": "pit:128,0,0::\nbackground:0,0,0::\ncrack:0,128,0::\n"}, ""),
        (CLASSES, OBJECTS, {"labelmap.txt": "a:1,2,3::\ncrack:0,128,0::\npit:128,0,0::\n"}, "pit,crack"),
    ],
)  # fmt: skip
def test_objects_and_classes_are_read(tmp_path: Path, classes: Any, objects: Any, texts: dict, chosen: str) -> None:
    dataset(tmp_path, {"a": classes}, {"a": objects}, texts)
    assert detect(tmp_path)[0] == "voc"
    source, (record,), problems = opened(tmp_path, classes=chosen)
    assert masks(record) == EXPECTED
    assert record.file == "a.jpg"
    assert {"pit", "crack"} == {found.name for found in source.classes}
    assert not problems.all


def test_a_palette_in_the_labelmaps_colours_is_read_by_them(tmp_path: Path) -> None:
    dataset(tmp_path, {"a": CLASSES}, {"a": OBJECTS}, {"labelmap.txt": CVAT})
    palette_png(tmp_path / "SegmentationClass" / "a.png", CLASSES, {1: (10, 200, 10), 2: (200, 10, 10)})
    (record,) = opened(tmp_path)[1]
    assert [label for label, _ in masks(record)] == ["crack", "crack", "pit"]


def test_colours_are_voc_s_where_the_labelmap_says_none_at_all(tmp_path: Path) -> None:
    picture = rgb(CLASSES, {1: (128, 0, 0), 2: (10, 200, 10)})
    dataset(tmp_path, {"a": picture}, texts={"labelmap.txt": "background:::\npit:::\ncrack:10,200,10::\n"})
    with pytest.raises(DataError, match=r"a\.png has colours without a class: \(128, 0, 0\)"):
        opened(tmp_path)


def described(*names: str) -> dict[str, str]:
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    return {"Annotations/a.xml": f"<annotation>{objects}</annotation>"}


def test_the_names_of_pascal_voc_stand_for_its_colours_where_xml_files_name_them(tmp_path: Path) -> None:
    dataset(tmp_path, {"a": np.where(CLASSES == 2, 15, CLASSES * 20)}, texts=described("person", "tvmonitor"))
    source, (record,), _ = opened(tmp_path)
    assert [(found.name, found.source_id) for found in source.classes] == [("person", 15), ("tvmonitor", 20)]
    assert [label for label, _ in masks(record)] == ["person", "tvmonitor"]
    assert "Classes: those of Pascal VOC" in source.description
    palette_png(tmp_path / "SegmentationClass" / "a.png", CLASSES, {1: (1, 2, 3), 2: (3, 2, 1)})
    with pytest.raises(DataError, match=r"a\.png has values without a class: 1, 2") as caught:
        opened(tmp_path)
    assert "--classes NAME=1" in caught.value.remedy


@pytest.mark.parametrize("texts", [{}, described("person", "pit"), described("pit")])
def test_numbers_that_nothing_names_are_no_aeroplanes(tmp_path: Path, texts: dict[str, str]) -> None:
    dataset(tmp_path, {"a": CLASSES}, texts=texts)
    with pytest.raises(
        DataError, match=r"SegmentationClass hold the classes 1, 2, and no file says their names"
    ) as caught:
        opened(tmp_path)
    assert "--classes NAME=1,NAME=2" in caught.value.remedy


def test_an_only_class_has_the_only_name_of_the_xml_files(tmp_path: Path) -> None:
    dataset(tmp_path, {"a": (CLASSES == 2) * 3}, texts=described("pit", "pit"))
    source, (record,), _ = opened(tmp_path)
    assert [(found.name, found.source_id) for found in source.classes] == [("pit", 3)]
    assert [label for label, _ in masks(record)] == ["pit"]


def test_void_pixels_are_part_of_no_mask_but_the_void_of_their_image(tmp_path: Path) -> None:
    border = np.zeros(SHAPE, bool)
    border[:, [4, 9]] = True
    with_void = {"a": np.where(border, 255, CLASSES), "b": np.where(border, 255, CLASSES)}
    dataset(tmp_path, with_void, {name: np.where(border, 255, OBJECTS) for name in "ab"})
    _, records, problems = opened(tmp_path, classes="pit,crack")
    assert [masks(record) for record in records] == [EXPECTED] * 2
    assert all(np.array_equal(rle.decode(record.void), border) for record in records)
    assert not problems.all
    coloured = rgb(with_void["a"], {1: VOC_COLOURS[1], 2: VOC_COLOURS[2], 255: (224, 224, 192)})
    dataset(tmp_path, {"a": coloured}, {"a": rgb(np.where(border, 255, OBJECTS), dict(enumerate(VOC_COLOURS)))})
    record = opened(tmp_path, classes="pit=#800000,crack=#008000")[1][0]
    assert masks(record) == EXPECTED
    assert np.array_equal(rle.decode(record.void), border)


def test_void_is_written_as_255_into_both_pictures(tmp_path: Path) -> None:
    border = np.zeros(SHAPE, bool)
    border[:, [4, 9]] = True
    own = Annotation(label="pit", rle=rle.encode((CLASSES == 1) & ~border))
    record = ImageRecord(
        file="JPEGImages/a.jpg", height=SHAPE[0], width=SHAPE[1], annotations=(own,), void=rle.encode(border)
    )
    voc.write(tmp_path, [record], classes=make_classes(["pit"], source_ids=[1]))
    for folder in ("SegmentationClass", "SegmentationObject"):
        numbers = np.array(Image.open(tmp_path / folder / "a.png"))
        assert np.array_equal(numbers == 255, border)
        assert np.array_equal(numbers == 1, (CLASSES == 1) & ~border)


def test_without_objects_each_class_of_an_image_is_a_mask(tmp_path: Path) -> None:
    dataset(tmp_path, {"a": CLASSES})
    _, (record,), problems = opened(tmp_path, classes="pit,crack")
    assert masks(record) == [(n, (k == CLASSES).astype(int).tolist()) for k, n in ((1, "pit"), (2, "crack"))]
    assert not problems.all


def test_pixels_that_fit_no_object_or_class_are_noted(tmp_path: Path) -> None:
    classes = numbered(n1=(0, 0, 4, 4), n2=(4, 0, 8, 4))
    objects = numbered(n1=(0, 0, 3, 4), n2=(4, 0, 10, 4))
    objects[:, 3] = 2
    classes[7, 0] = 2
    dataset(tmp_path, {"a": classes}, {"a": objects})
    _, (record,), problems = opened(tmp_path, classes="pit,crack")
    assert [(label, int(np.sum(mask))) for label, mask in masks(record)] == [
        ("crack", 1), ("pit", 12), ("pit", 4), ("crack", 16),
    ]  # fmt: skip
    assert [problem.what for problem in problems.all] == [
        "1 images have pixels of an object without a class",
        "1 images have pixels of a class without an object",
        "1 objects have pixels of several classes",
    ]


def test_lists_say_which_images_are_meant_and_for_what(tmp_path: Path) -> None:
    lists = "ImageSets/Segmentation/"
    texts = {
        lists + "train.txt": "\ufeffa\r\nsub/höhe 1\r\n",
        lists + "val.txt": '"b c"\n\n',
        lists + "default.txt": "d\na\n",
    }
    texts[lists + "test.txt"] = "t\n"
    names = dict.fromkeys(("a", "sub/höhe 1", "b c"), CLASSES)
    dataset(tmp_path, names | dict.fromkeys(("d", "t", "photo")), texts=texts)
    _, records, problems = opened(tmp_path, classes="pit,crack")
    assert {record.file: dict(record.source) for record in records} == {
        "a.jpg": {"split": "train"}, "b c.jpg": {"split": "val"}, "d.jpg": {}, "sub/höhe 1.jpg": {"split": "train"},
    }  # fmt: skip
    assert [str(problem) for problem in problems.all] == [
        "SegmentationClass/  1 images have no mask (first: d); of unknown state",
        "SegmentationClass/  1 images of test.txt have no mask (first: t); left out, not annotated",
    ]


def xml(*objects: str, size: str = f"<size><width>{W}</width><height>{H}</height></size>") -> str:
    return f"<annotation>{size}{''.join(f'<object>{found}</object>' for found in objects)}</annotation>"


def test_what_xml_says_of_the_object_of_a_number_is_kept(tmp_path: Path) -> None:
    pit = "<name>pit</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>"
    other = "<name>crack</name><occluded>1</occluded>"
    text = xml(pit, other, "<name>crack</name><pose>Unspecified</pose>", other)
    dataset(tmp_path, {"a": CLASSES}, {"a": OBJECTS}, {"Annotations/a.xml": text})
    _, (record,), problems = opened(tmp_path, classes="pit,crack")
    assert [dict(a.attributes) for a in record.annotations] == [{"pose": "Left", "truncated": 1}, {}, {}]
    assert [str(problem) for problem in problems.all] == [
        "a.jpg  1 objects of XML files have a box and no mask; dropped"
    ]


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "a.xml:1  has a document type (DTD) or entities"),
        (BOMB.encode("utf-16"), "a.xml:1  has a document type (DTD) or entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', "a.xml:1  has a document type (DTD) or entities"),
        ("<annotation>\n<object>\n</annotation>", "a.xml:3  is not valid XML"),
        ("<annotation>&lol;</annotation>", "is not valid XML"),
        ("", "is not valid XML"),
        (b"\0\0", "is not valid XML"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "a.xml is in an encoding that can't be read"),
        ("<annotation>" + f"<!--{'x' * 1000}-->" * 10_000, "a.xml has over 10,000,000 bytes"),
        ("<annotation>\n<object>\n<name>" + "a" * 1_100_000, "a.xml:3  holds more text than an annotation has"),
        ("<a>\n" * 300_000, "a.xml:65  is nested too deeply"),
        (xml(size="<size><width>7</width><height>5</height></size>"), "a.jpg is 8 x 10 pixels"),
        (xml(size="<size><width>8</width><height>10</height></size>"), "a.xml says 10 x 8. Was it turned (EXIF)"),
    ],
)
def test_xml_that_is_wrong_or_dangerous_is_refused(tmp_path: Path, text: str | bytes, expected: str) -> None:
    dataset(tmp_path, {"a": CLASSES}, {"a": OBJECTS}, {"Annotations/a.xml": text})
    with pytest.raises(DataError) as caught:
        opened(tmp_path, classes="pit,crack")
    assert expected in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
@pytest.mark.parametrize("size", ["", "<size><width/><height>0</height></size>", "<size><width>x</width></size>"])
def test_xml_is_read_in_any_encoding_and_need_not_say_the_size(tmp_path: Path, encoding: str, size: str) -> None:
    part = "<part><name>rand</name><pose>Right</pose></part>"
    text = xml(f"{part}<name> größe </name><pose>Süd</pose>", size=size)
    declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>{text}'
    names = "_background_\ngröße\ncrack\n"
    texts = {"Annotations/a.xml": declared.encode(encoding), "class_names.txt": names}
    dataset(tmp_path, {"a": CLASSES}, {"a": OBJECTS}, texts)
    (record,) = opened(tmp_path)[1]
    assert dict(record.annotations[0].attributes) == {"pose": "Süd"}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"labelmap.txt": "pit:1,2::\n"}, "labelmap.txt:1  is not  name:red,green,blue"),
        ({"labelmap.txt": "pit:1,2,3::\ndent:1,2,300::\n"}, "labelmap.txt:2  is not"),
        ({"labelmap.txt": "pit:a,b,c::\n"}, "labelmap.txt:1  is not"),
        ({"labelmap.txt": "pit:1,2,3::\npit:3,2,1::\n"}, "labelmap.txt:2  the name or colour of pit"),
        ({"labelmap.txt": "pit:1,2,3::\ndent:1,2,3::\n"}, "labelmap.txt:2  the name or colour of dent"),
        ({"labelmap.txt": b"\xff\n"}, "labelmap.txt is not UTF-8 text"),
        ({"labelmap.txt": "pit:128,0,0::\n"}, "a.png has values without a class: 2"),
        ({"class_names.txt": "_background_\npit\npit\n"}, "class_names.txt:3  the class pit is there twice"),
        ({"class_names.txt": "_background_\npit\n"}, "a.png has values without a class: 2"),
        ({"ImageSets/Segmentation/train.txt": "a\n../../etc/passwd\n"}, "train.txt:2  the name '../../etc/passwd'"),
        ({"ImageSets/Segmentation/train.txt": "nothing\n"}, "the image nothing is not in JPEGImages/"),
        ({"ImageSets/Segmentation/train.txt": b"\xff"}, "train.txt is not UTF-8 text"),
    ],
)
def test_wrong_texts_are_errors_with_their_place(tmp_path: Path, texts: dict[str, Any], expected: str) -> None:
    dataset(tmp_path, {"a": CLASSES}, {"a": OBJECTS}, texts)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: palette_png(path, CLASSES[:, :5]), "is 8 x 5 pixels, its image a.jpg is 8 x 10"),
        (lambda path: path.write_bytes(path.read_bytes()[:-15]), "is cut off"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"x" * 99), "is not an image"),
        (lambda path: write_image(path, np.full((*SHAPE, 3), 7, np.uint8)), "values without a class: 7"),
        (lambda path: write_image(path, rgb(CLASSES, {1: (1, 2, 3)})), "colours without a class: (1, 2, 3)"),
    ],
)
@pytest.mark.parametrize("folder", ["SegmentationClass", "SegmentationObject"])
def test_masks_that_do_not_fit_are_errors(tmp_path: Path, change: Any, expected: str, folder: str) -> None:
    dataset(tmp_path, {"a": CLASSES, "b": CLASSES}, {"a": OBJECTS, "b": OBJECTS})
    change(tmp_path / folder / "a.png")
    if "without a class" in expected and folder == "SegmentationObject":
        return
    with pytest.raises(DataError) as caught:
        opened(tmp_path, classes="pit,crack")
    assert expected in str(caught.value)
    if "cut off" in expected or "empty" in expected:
        _, records, problems = opened(tmp_path, classes="pit,crack", skip_broken=True)
        assert [record.file for record in records] == ["b.jpg"]
        assert str(problems.all[0]) == f"a.jpg  the mask {folder}/a.png is broken; image left out"


def test_a_photograph_is_no_mask_of_objects(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (200, 200, 3)).astype(np.uint8)
    dataset(tmp_path, {"a": CLASSES}, {"a": photo})
    with pytest.raises(DataError, match="is it a photograph"):
        opened(tmp_path, classes="pit,crack")


def test_missing_images_can_be_skipped_and_lie_elsewhere(tmp_path: Path) -> None:
    dataset(tmp_path / "v", {"a": CLASSES, "b": CLASSES})
    (tmp_path / "v" / "JPEGImages" / "b.jpg").unlink()
    with pytest.raises(DataError, match="the image b is not in JPEGImages/"):
        opened(tmp_path / "v", classes="pit,crack")
    _, records, problems = opened(tmp_path / "v", classes="pit,crack", skip_missing=True)
    assert [record.file for record in records] == ["a.jpg"]
    assert problems.all[0].done == "left out"
    write_image(tmp_path / "w" / "a.bmp", np.zeros(SHAPE, np.uint8))
    write_image(tmp_path / "w" / "b.png", np.zeros(SHAPE, np.uint8))
    assert len(opened(tmp_path / "v", classes="pit,crack", images=tmp_path / "w")[1]) == 2
    write_image(tmp_path / "w" / "b.tif", np.zeros(SHAPE, np.uint8))
    (tmp_path / "w" / "b.png").rename(tmp_path / "w" / "b.bmp")
    with pytest.raises(DataError, match=r"b\.bmp and b\.tif in w/ have one name"):
        opened(tmp_path / "v", classes="pit,crack", images=tmp_path / "w")


def test_a_folder_without_masks_of_classes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no SegmentationClass/"):
        opened(tmp_path)


@pytest.mark.parametrize(("chosen", "expected"), [("dent", "has no class dent"), ("pit", "colours|values")])
def test_classes_that_do_not_fit_are_refused(tmp_path: Path, chosen: str, expected: str) -> None:
    dataset(tmp_path, {"a": CLASSES}, texts={"labelmap.txt": "pit:128,0,0::\ncrack:0,128,0::\n"})
    with pytest.raises(DataError, match=expected):
        opened(tmp_path, classes=chosen)


@settings(max_examples=tries(100), deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from(["labelmap.txt", "class_names.txt", "Annotations/a.xml", "ImageSets/Segmentation/train.txt"]),
)
def test_arbitrary_bytes_give_errors_for_people_only(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    folder = dataset(tmp_path_factory.mktemp("fuzz"), {"a": CLASSES}, {"a": OBJECTS}, {name: data})
    with contextlib.suppress(CoiganError):
        opened(folder)


# Writing

BINARY = arrays.arrays(np.uint8, SHAPE, elements=st.integers(0, 1))


def record(name: str, *pairs: tuple[str, np.ndarray], split: str = "", **attributes: Any) -> ImageRecord:
    annotations = tuple(Annotation(label=n, rle=rle.encode(mask), attributes=attributes) for n, mask in pairs)
    return ImageRecord(file=name, height=H, width=W, annotations=annotations, split=split)


@settings(max_examples=tries(80), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["pit", "böse: 2"]), BINARY), max_size=4))
def test_what_no_later_mask_covers_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, np.ndarray]]
) -> None:
    folder, losses = tmp_path_factory.mktemp("voc"), Losses()
    write_image(folder / "JPEGImages" / "s" / "a.png", np.zeros(SHAPE, np.uint8))
    classes = make_classes(["pit", "böse: 2"], source_ids=[1, 2])
    assert voc.write(folder, [record("JPEGImages/s/a.png", *pairs)], classes=classes, losses=losses) == folder
    expected, cut, gone = [], 0, 0
    for k, (label, mask) in enumerate(pairs):
        seen = mask & ~np.any([later for _, later in pairs[k + 1 :]] or [np.zeros(SHAPE, np.uint8)], axis=0)
        expected += [(label, seen.tolist())] if seen.any() else []
        cut += bool(seen.any() and (seen != mask).any())
        gone += bool(mask.any() and not seen.any())
    source, (found,), problems = opened(folder)
    assert masks(found) == expected
    assert [(c.name, c.source_id) for c in source.classes] == [("pit", 1), ("böse: 2", 2)]
    counts = {loss.what: loss.count for loss in losses.lost()}
    assert counts.get("masks that later ones cover in part, which lose those pixels", 0) == cut
    assert counts.get("masks that later ones cover wholly, which are lost", 0) == gone
    assert counts.get("masks without pixels, which are left out", 0) == sum(not mask.any() for _, mask in pairs)
    dropped = sum(1 for problem in problems.all if "box and no mask" in problem.what)
    assert len(problems.all) == dropped == (len(expected) < len(pairs))


def test_written_pictures_are_what_other_programs_expect(tmp_path: Path) -> None:
    first, second = (OBJECTS == 1).astype(np.uint8), (OBJECTS == 3).astype(np.uint8)
    records = [record("images/a.png", ("pit", first), ("pit", second), split="train", pose="Left", truncated=True)]
    records += [record("images/b.png", split="test")]
    voc.write(tmp_path, records, classes=make_classes(["<pit>&", "pit"], source_ids=[1, 2]))
    for name, expected in (("SegmentationClass", 2 * (first | second)), ("SegmentationObject", first + 2 * second)):
        with Image.open(tmp_path / name / "a.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.array(image), expected)
            assert np.array_equal(np.array(image.convert("RGB"))[0, 0], VOC_COLOURS[expected[0, 0]])
    with Image.open(tmp_path / "SegmentationClass" / "b.png") as image:
        assert not np.array(image).any()
    root = ElementTree.parse(tmp_path / "Annotations" / "a.xml").getroot()
    boxes = [[int(box.findtext(key)) for key in ("xmin", "ymin", "xmax", "ymax")] for box in root.iter("bndbox")]
    assert boxes == [[1, 1, 2, 3], [6, 1, 9, 6]]
    assert [found.findtext("truncated") for found in root.iter("object")] == ["1", "1"]
    assert [root.findtext(f"size/{key}") for key in ("width", "height", "depth")] == ["10", "8", "3"]
    lists = {path.stem: path.read_text() for path in (tmp_path / "ImageSets" / "Segmentation").iterdir()}
    assert lists == {"train": "a\n", "val": "b\n", "trainval": "a\nb\n"}
    expected_map = "# label:color_rgb:parts:actions\nbackground:0,0,0::\n<pit>&:128,0,0::\npit:0,128,0::\n"
    assert (tmp_path / "labelmap.txt").read_text() == expected_map


def test_the_254th_object_is_the_last_that_has_a_number(tmp_path: Path) -> None:
    pixels = np.arange(300).reshape(15, 20)
    annotations = tuple(Annotation(label="pit", rle=rle.encode(pixels == k)) for k in range(260))
    losses = Losses()
    written = ImageRecord(file="a.png", height=15, width=20, annotations=annotations)
    voc.write(tmp_path, [written], classes=make_classes(["pit"], source_ids=[1]), losses=losses)
    assert [str(loss) for loss in losses.lost()] == [
        "6 objects after the 254th of their image, which only their class is kept of (first: a.png)"
    ]
    write_image(tmp_path / "JPEGImages" / "a.png", np.zeros((15, 20), np.uint8))
    _, (found,), _ = opened(tmp_path)
    assert len(found.annotations) == 255
    assert rle.union([a.rle for a in found.annotations]) == rle.encode(pixels < 260)


def test_what_can_not_be_written_is_refused(tmp_path: Path) -> None:
    names = [f"c{k}" for k in range(255)]
    with pytest.raises(DataError, match="numbers for 254 classes; there are 255"):
        voc.write(tmp_path, [], classes=make_classes(names, source_ids=range(255)))
    with pytest.raises(DataError, match=r"a\.jpg and a\.png would both be written as SegmentationClass/a\.png"):
        voc.write(tmp_path, [record("a.jpg"), record("a.png")], classes=make_classes(["pit"], source_ids=[1]))
