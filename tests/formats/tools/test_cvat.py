"""CVAT. Truth: pycocotools for outlines, pixels counted by hand for run lengths, brute force for ellipses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import DefectClass
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.formats.tools import cvat
from coigan_aug.imaging import write_image
from tests.formats.trials import block, content, masks, peak_of, read_or_refuse, record_of, there_and_back
from tests.thorough import tries

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
META = """<meta><task><id>7</id><labels>
<label><name>pit</name><color>#ff0080</color><type>any</type><attributes><attribute><name>deep</name></attribute>
</attributes></label>
<label><name> böse </name><color>red</color></label>
<label><name>edge</name><color>#000000</color><type>polyline</type></label>
</labels></task><dumped>2024-01-01</dumped></meta>"""


def document(*shapes: str, meta: str = META, image: str = 'id="4" name="a.png" width="8" height="6"') -> str:
    inner = "\n".join(shapes)
    return f"<?xml version='1.0' encoding='utf-8'?>\n<annotations>\n{meta}\n<image {image}>\n{inner}\n</image></annotations>"


def polygon(points: str = "1,1;4,1;4,3;1,3", **values: object) -> str:
    about = " ".join(f'{key}="{value}"' for key, value in {"label": "pit", "points": points, **values}.items())
    return f"<polygon {about}></polygon>"


def runs(counts: str, box: tuple[int, int, int, int], label: str = "pit") -> str:
    left, top, width, height = box
    return f'<mask label="{label}" rle="{counts}" left="{left}" top="{top}" width="{width}" height="{height}"></mask>'


def opened(folder: Path, text: str | bytes, **options: Any) -> tuple[Source, Problems]:
    if not (folder / "images").exists():
        write_image(folder / "images" / "a.png", np.zeros((6, 8), np.uint8))
    path = folder / "annotations.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    problems = Problems()
    return cvat.read(Reading(path, options=ReadOptions(**options), problems=problems)), problems


def first_mask(folder: Path, shape: str, **options: Any) -> np.ndarray:
    source, _ = opened(folder, document(shape), **options)
    return rle.decode(next(source.records).annotations[0].rle)


def coco(*points: tuple[float, float]) -> np.ndarray:
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([[v for point in points for v in point]], 6, 8)))


def painted(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros((6, 8), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (polygon(), coco((1, 1), (4, 1), (4, 3), (1, 3))),
        (polygon("0.6,0.2;7.9,3.3;2.5,5.7"), coco((0.6, 0.2), (7.9, 3.3), (2.5, 5.7))),
        (polygon("1.00,1.00; 4.00,1.00;4.00,3.00;1.00,3.00;"), painted(1, 1, 4, 3)),
        ('<box label="pit" xtl="1.4" ytl="1.4" xbr="4.6" ybr="2.6"/>', painted(1, 1, 5, 3)),
        ('<box label="pit" xtl="3" ytl="1" xbr="5" ybr="5" rotation="90.00"/>', painted(2, 2, 6, 4)),
        (runs("0, 2, 1, 3", (2, 1, 3, 2)), painted(2, 1, 5, 3) - painted(4, 1, 5, 2)),
        (runs("3,3", (2, 1, 3, 2)), painted(2, 2, 5, 3)),
        (runs("0, 48", (0, 0, 8, 6)), painted(0, 0, 8, 6)),
    ],
)
def test_shapes_become_masks(tmp_path: Path, shape: str, expected: np.ndarray) -> None:
    assert np.array_equal(first_mask(tmp_path, shape), expected)


@given(
    centre=st.tuples(st.floats(-1, 9), st.floats(-1, 7)), radii=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    degrees=st.sampled_from([0, 30, 45, 90, 200]),
)  # fmt: skip
def test_an_ellipse_holds_the_pixels_whose_centres_lie_inside(
    tmp_path_factory: pytest.TempPathFactory, centre: tuple[float, float], radii: tuple[float, float], degrees: int
) -> None:
    (cx, cy), (rx, ry) = centre, radii
    angle = math.radians(degrees)
    expected = np.zeros((6, 8))
    for row in range(6):
        for column in range(8):
            x, y = column + 0.5 - cx, row + 0.5 - cy
            u, v = x * math.cos(angle) + y * math.sin(angle), -x * math.sin(angle) + y * math.cos(angle)
            expected[row, column] = (u / rx) ** 2 + (v / ry) ** 2
    shape = f'<ellipse label="pit" cx="{cx!r}" cy="{cy!r}" rx="{rx!r}" ry="{ry!r}" rotation="{degrees}"/>'
    source, problems = opened(tmp_path_factory.mktemp("e"), document(shape))
    found = next(source.records).annotations
    mask = rle.decode(found[0].rle) if found else np.zeros((6, 8))
    clear = np.abs(expected - 1) > 1e-9
    assert np.array_equal(mask[clear] > 0, (expected <= 1)[clear])
    assert found or "has no pixels" in problems.all[-1].what


def test_labels_colours_ids_and_attributes_are_kept(tmp_path: Path) -> None:
    shape = (
        '<mask label="pit" source="manual" occluded="1" z_order="3" group_id="9" rle="0,1" left="0" top="0" width="1"'
        ' height="1">\n<attribute name="deep">yes &amp; no</attribute><attribute name="mm"></attribute></mask>'
    )
    source, problems = opened(tmp_path, document(shape))
    record = next(source.records)
    assert next((c.name, c.colour) for c in source.classes) == ("pit", (255, 0, 128))
    assert [c.name for c in source.classes] == ["pit", "böse"]
    assert record.source == {"id": 4}
    assert record.annotations[0].attributes == {
        "occluded": 1, "z_order": 3, "group_id": 9, "deep": "yes & no", "mm": "",
    }  # fmt: skip
    assert source.description.startswith("CVAT for images 1.1 (1 images, 1 shapes with an area). Images: images/")
    assert not problems.all


def test_shapes_without_an_area_are_counted_and_boxes_are_told(tmp_path: Path) -> None:
    skeleton = (
        '<skeleton label="pit"><points label="1" points="1,1"><attribute name="x">1</attribute></points></skeleton>'
    )
    shapes = ['<polyline label="edge" points="1,1;2,2"/>', '<tag label="pit"/>', skeleton, skeleton]
    shapes += ['<box label="pit" xtl="0" ytl="0" xbr="2" ybr="2"/>']
    source, problems = opened(tmp_path, document(*shapes))
    assert len(next(source.records).annotations) == 1
    assert list(source.records) == []
    assert [str(problem) for problem in problems.all] == [
        "annotations.xml  1 shapes without an area (polyline; --line-width PX gives it one) (first: annotations.xml:10);"
        " dropped",
        "annotations.xml  1 shapes without an area (tag) (first: annotations.xml:11); dropped",
        "annotations.xml  2 shapes without an area (skeleton) (first: annotations.xml:12); dropped",
        "annotations.xml  1 boxes, which need not be outlines (first: annotations.xml:14); taken as filled",
    ]


def test_polylines_become_masks_where_their_width_is_said(tmp_path: Path) -> None:
    line = '<polyline label="edge" points="1.0,2.0;5.5,3.5;7.0,1.0"/>'
    source, problems = opened(tmp_path, document(line), line_width=1.5)
    assert [found.name for found in source.classes] == ["pit", "böse", "edge"]
    mask = rle.decode(next(source.records).annotations[0].rle)
    parts = [((1, 2), (5.5, 3.5)), ((5.5, 3.5), (7, 1))]
    for row, column in np.ndindex(6, 8):
        near = min(distance((column + 0.5, row + 0.5), *part) for part in parts)
        assert mask[row, column] == (near <= 0.75)
    assert not problems.all


def distance(point: tuple[float, float], begin: tuple[float, float], end: tuple[float, float]) -> float:
    """Return how far a point is from a segment, by the cosine of its corner at either end."""
    along, to = np.subtract(end, begin), np.subtract(point, begin)
    share = min(max(float(np.dot(along, to) / np.dot(along, along)), 0), 1)
    return math.dist(point, np.add(begin, share * along))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "annotations.xml:1  is not valid XML"),
        ("<annotations><image", "is not valid XML: unclosed token"),
        ("<annotations><image></annotations>", "is not valid XML: mismatched tag"),
        (document(polygon())[:-14], "annotations.xml:11  is not valid XML"),
        ("<annotation><filename>a.png</filename></annotation>", "outermost element is <annotation>"),
        ("<annotations><track id='0'/></annotations>", "annotations.xml:1  holds tracks"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotations>&b;</annotations>", "has a document type (DTD) or entities"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotations/>", "annotations.xml:1  has a document type"),
        ("<annotations>&b;</annotations>", "is not valid XML: undefined entity"),
        ("<?xml version='1.0' encoding='x-none'?><annotations/>", "encoding"),
        ("<annotations>" + "<image name='a.png'>" * 80, "nested too deeply"),
        (document(image='id="1" width="8" height="6"'), "annotations.xml:9  an image has no name"),
        (document(image='id="1" name="../../a.png"'), "annotations.xml:9  the file name '../../a.png' leaves the image"),
        (document(image='name="/etc/passwd"'), "looked for /etc/passwd"),
        (document(image='name="c.png"'), "lies beside it (looked for c.png)"),
        (document(image='name="a.png" width="6" height="8"'), "annotations.xml:9 says 8 x 6. Was it turned (EXIF)"),
        (document(image='name="a.png" width="x"'), "annotations.xml:9 says 6 x x"),
        (document().replace("</annotations>", "<image name='a.png'/></annotations>"), "a.png is in line 9 already"),
        (document(polygon("1,1;2,2;3")), "annotations.xml:10  point 3 of a polygon of a.png has 1 values; x,y are"),
        (document("", polygon("1,1;2,2,5;3,3")), "annotations.xml:11  point 2 of a polygon of a.png has 3 values"),
        (document(polygon("1,1;2,x;3,3")), "annotations.xml:10  the points of a polygon of a.png are not numbers"),
        (document(polygon("1,1;2,nan;3,3")), "are not pixels"),
        (document(polygon("1,1;2,1e400;3,3")), "are not pixels"),
        (document(polygon("1,1;40,2;3,3")), "annotations.xml:10: a polygon reaches 32 px out of a.png (6 x 8)"),
        (document(polygon(label="")), "annotations.xml:10  a polygon of a.png has no label"),
        (document('<box label="pit" xtl="1"/>'), "annotations.xml:10  the box of a.png has no ytl"),
        (document('<box label="pit" xtl="1" ytl="q" xbr="2" ybr="3"/>'), "ytl is 'q', a number is expected"),
        (document('<ellipse label="pit" cx="1" cy="1" rx="1e8" ry="1"/>'), "px out of a.png"),
        (document(runs("0, 2, 1, 2", (2, 1, 3, 2))), "annotations.xml:10  the rle of a mask of a.png has 5 values, its box"),
        (document(runs("", (2, 1, 3, 2))), "has 0 values, its box has 6 (2 x 3)"),
        (document(runs("0, 2, x, 2", (2, 1, 3, 2))), "is not a list of whole numbers"),
        (document(runs("-1, 7", (2, 1, 3, 2))), "has runs that leave its box"),
        (document(runs("0, 99999999999999999999999", (2, 1, 3, 2))), "is not a list of whole numbers"),
        (document(runs("0, 6", (6, 1, 3, 2))), "annotations.xml:10: its box (2 x 3 at row 1, column 6) leaves a.png (6 x 8)"),
        (document(runs("0, 6", (0, 0, 0, 6))), "its box has no pixels (6 x 0)"),
        (document(runs("0, 1", (0, 0, 900_000_000, 900_000_000))), "leaves a.png"),
    ],
)  # fmt: skip
def test_wrong_files_are_errors_with_their_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        list(opened(tmp_path, text)[0].records)
    assert expected in str(caught.value)


def test_a_box_that_leaves_the_image_is_cut_when_asked(tmp_path: Path) -> None:
    mask = first_mask(tmp_path, runs("0, 6", (6, 1, 3, 2)), clip_rle=True)
    assert np.array_equal(mask, painted(6, 1, 8, 3))


@pytest.mark.parametrize("shape", [polygon("1,1;2,2"), polygon(""), polygon("1,1;1,1;1,1"), runs("6", (0, 0, 3, 2))])
def test_shapes_without_pixels_are_noted(tmp_path: Path, shape: str) -> None:
    source, problems = opened(tmp_path, document(shape))
    assert next(source.records).annotations == ()
    assert problems.all[0].done == "dropped"
    assert problems.all[0].what.startswith("annotations.xml:10 of a.png")


def test_strict_ends_at_the_first_oddity(tmp_path: Path) -> None:
    opened(tmp_path, document("<tag label='pit'/>"))
    source = cvat.read(Reading(tmp_path / "annotations.xml", problems=Problems(strict=True)))
    with pytest.raises(DataError, match=r"1 shapes without an area \(tag\)"):
        list(source.records)


def test_classes_are_chosen_and_renamed(tmp_path: Path) -> None:
    source, _ = opened(tmp_path, document(polygon()), classes=parse_classes("hole=pit"))
    assert [(c.name, c.colour) for c in source.classes] == [("hole", (255, 0, 128))]
    assert next(source.records).annotations[0].label == "hole"
    source, _ = opened(tmp_path, document(polygon()), classes=parse_classes("dent"), skip_missing=True)
    with pytest.raises(DataError, match="the label pit is not among the classes dent given with --classes"):
        list(source.records)


def test_a_project_of_subsets_names_images_by_their_folders(tmp_path: Path) -> None:
    for name in ("train/a.png", "val/a.png"):
        write_image(tmp_path / "images" / name, np.zeros((6, 8), np.uint8))
    images = "".join(f'<image name="a.png" subset="{part}" width="8" height="6"/>' for part in ("train", "val"))
    (tmp_path / "x.xml").write_text(f"<annotations>{images}</annotations>")
    source = cvat.read(Reading(tmp_path / "x.xml"))
    assert [record.file for record in source.records] == ["train/a.png", "val/a.png"]


def test_other_encodings_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    text = document(polygon(label="böse")).replace("'utf-8'", "'utf-16'")
    for data in (text.encode("utf-16"), b"\xef\xbb\xbf" + document(polygon(label="böse")).encode()):
        source, _ = opened(tmp_path, data)
        assert next(source.records).annotations[0].label == "böse"


def test_the_format_is_recognised(tmp_path: Path) -> None:
    opened(tmp_path, document())
    assert detect(tmp_path / "annotations.xml")[0] == "cvat"
    (tmp_path / "voc.xml").write_text("<annotation><object/></annotation>")
    assert cvat.sniff(tmp_path / "voc.xml") is None


@settings(max_examples=tries(40))
@given(st.lists(st.tuples(st.sampled_from(["pit", "<b&'\">"]), masks()), min_size=1, max_size=3))
def test_written_masks_are_read_again_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, own: list[tuple[str, np.ndarray]]
) -> None:
    records = [record_of(f"images/ä {k}.png", pair) for k, pair in enumerate(own)]
    _, found, losses, problems = there_and_back(cvat, tmp_path_factory.mktemp("w"), records)
    assert content(found) == content(records)
    assert not problems.all
    empty = sum(not mask.any() for _, mask in own)
    assert sum(loss.count for loss in losses.lost()) == empty


def test_classes_colours_and_attributes_are_written(tmp_path: Path) -> None:
    mask = np.ones((2, 3), bool)
    said = {"z_order": 2, "occluded": 1, "depth": "a\n<b> \t\"'", "score": 0.5, "ok": True, "control": "a\x01b"}
    records = [record_of("images/a.png", ("pit", mask), **said, list=[1])]
    classes = (
        DefectClass(name="pit", colour=(1, 2, 255), source_id=7),
        DefectClass(name="unused", colour=(0, 9, 0)),
    )
    source, found, losses, _ = there_and_back(cvat, tmp_path, records, classes=classes)
    assert [(c.name, c.colour) for c in source.classes] == [("pit", (1, 2, 255)), ("unused", (0, 9, 0))]
    text = said | {"score": "0.5", "ok": "true", "control": "a?b"}
    assert found[0].annotations[0].attributes == text
    assert {loss.what: loss.count for loss in losses.lost()} == {
        "attributes with signs that XML can't hold, which become ?": 1,
        "attributes that are lists or objects, which are not written": 1,
    }
    assert "<name>depth</name>" in (tmp_path / "annotations.xml").read_text()


def test_random_damage_is_refused_or_read(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    whole = document(polygon(), runs("0, 2, 1, 3", (2, 1, 3, 2)), '<box label="pit" xtl="1" ytl="1" xbr="4" ybr="3"/>')
    data = np.frombuffer(whole.encode(), np.uint8)
    for _ in range(300):
        hurt = data.copy()
        hurt[random.integers(0, len(hurt), random.integers(1, 4))] = random.integers(1, 256)
        cut = bytes(hurt[: random.integers(1, len(hurt) + 1)]) if random.random() < 0.3 else bytes(hurt)
        read_or_refuse(lambda cut=cut: list(opened(tmp_path, cut)[0].records), repr(cut))


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    peaks = {}
    for many in (4, 40):
        records = [record_of(f"images/{k}.png", ("pit", block(k))) for k in range(many)]
        there_and_back(cvat, tmp_path / str(many), records)
        source = cvat.read(Reading(tmp_path / str(many) / "annotations.xml"))
        peaks[many] = peak_of(source.records)
    assert peaks[40] < 1.2 * peaks[4]


def test_strict_writing_refuses_what_would_be_lost(tmp_path: Path) -> None:
    records = [record_of("a.png", ("pit", np.ones((2, 2), bool)), list=[1])]
    classes = make_classes(["pit"], source_ids=[None])
    with pytest.raises(DataError, match="the format can't hold attributes that are lists"):
        cvat.write(tmp_path, records, classes=classes, losses=Losses(strict=True))
    assert [path.name for path in tmp_path.iterdir()] == []
