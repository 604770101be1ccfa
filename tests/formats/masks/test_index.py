"""Index masks and masks by instance. Truth: pictures painted by hand, and Pillow for palettes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect, open_source
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.masks import folder as mask_folder
from coigan_aug.formats.masks import index as mask_index
from coigan_aug.formats.masks import instances as mask_instances
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes, parse_classes
from coigan_aug.imaging import write_image
from tests.thorough import tries

H, W = 6, 8
NUMBERS = np.zeros((H, W), np.uint8)
NUMBERS[1:3, 1:4], NUMBERS[0:6, 5:7] = 1, 2
VOID = NUMBERS.copy()
VOID[:, 7] = 255
COLOURS = [0, 0, 0, 200, 0, 0, 0, 0, 200] + [9] * 759


def picture(path: Path, numbers: np.ndarray, palette: list[int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)


def dataset(folder: Path, masks: dict[str, tuple[np.ndarray, list[int] | None]], classes: Any = None) -> Path:
    """Write images and masks below images/ and masks/, and a classes.json."""
    for name, (numbers, palette) in masks.items():
        picture(folder / "masks" / f"{name}.png", numbers, palette)
        write_image(folder / "images" / f"{name}.jpg", np.zeros((H, W), np.uint8))
    if classes is not None:
        (folder / "classes.json").write_text(classes if isinstance(classes, str) else json.dumps(classes))
    return folder


def opened(path: Path, classes: str = "", name: str | None = None) -> tuple[Source, list[ImageRecord], Problems]:
    problems = Problems()
    choices = parse_classes(classes) if classes else ()
    source = open_source(path, options=ReadOptions(classes=choices), problems=problems, name=name)
    return source, list(source.records), problems


def masks(record: ImageRecord) -> list[tuple[str, list[list[int]]]]:
    return [(a.label, rle.decode(a.rle).tolist()) for a in record.annotations]


def expected(*names: str, numbers: np.ndarray = NUMBERS) -> list[tuple[str, list[list[int]]]]:
    return [(name, (numbers == k).astype(int).tolist()) for k, name in enumerate(names, start=1)]


FILE = {"classes": [{"value": 1, "name": "pit"}, {"value": 2, "name": "dent"}]}


@pytest.mark.parametrize("palette", [None, COLOURS])
@pytest.mark.parametrize(
    ("classes", "file"), [("pit,dent", None), ("dent=2,pit=1", None), ("", FILE), ("pit,dent", FILE)]
)
def test_values_are_named_by_classes_or_a_file(tmp_path: Path, palette: Any, classes: str, file: Any) -> None:
    dataset(tmp_path, {"a": (NUMBERS, palette), "b": (NUMBERS * 0, palette)}, file)
    assert detect(tmp_path) == ("mask-index", "index masks, images/ and masks/")
    source, (first, second), problems = opened(tmp_path, classes)
    assert sorted(masks(first)) == sorted(expected("pit", "dent"))
    assert second.annotations == ()
    assert {c.name: c.source_id for c in source.classes} == {"pit": 1, "dent": 2}
    assert source.format == "mask-index"
    assert source.description.startswith("Index mask images (images/ and masks/)")
    assert not problems.all


def test_255_beside_named_values_is_void(tmp_path: Path) -> None:
    dataset(tmp_path, {"a": (VOID, COLOURS)})
    with pytest.raises(DataError, match=r"nothing names the values .* have 1, 2, 255") as caught:
        opened(tmp_path)
    assert caught.value.remedy == "Name them: --classes NAME=1,NAME=2,ignore=255"
    for classes in ("pit,dent", "pit=1,dent=2", "pit=1,dent=2,ignore=255"):
        source, (record,), problems = opened(tmp_path, classes)
        assert [known.name for known in source.classes] == ["pit", "dent"]
        assert masks(record) == expected("pit", "dent")
        assert np.array_equal(rle.decode(record.void), VOID == 255)
        assert not problems.all


def test_an_image_of_void_alone_has_no_mask(tmp_path: Path) -> None:
    only = np.where(VOID == 255, VOID, 0).astype(np.uint8)
    dataset(tmp_path, {"a": (VOID, COLOURS), "b": (only, COLOURS), "c": (NUMBERS, COLOURS)})
    _, (_, second, third), _ = opened(tmp_path, "pit,dent")
    assert (second.annotations, second.state) == ((), "clean")
    assert np.array_equal(rle.decode(second.void), only == 255)
    assert third.void is None


@pytest.mark.parametrize("classes", ["pit=1", "pit=40,dent=41", "pit=#010101,dent=#020202"])
def test_255_is_no_void_where_it_may_be_the_class_itself(tmp_path: Path, classes: str) -> None:
    """The one class under another value than was said; values that are no small numbers; colours."""
    numbers = np.where(NUMBERS == 1, 255, 0).astype(np.uint8)
    dataset(tmp_path, {"a": (numbers, None)})
    with pytest.raises(DataError, match="without a class: 255"):
        opened(tmp_path, classes, "mask-index")


@pytest.mark.parametrize(
    ("file", "classes", "message"),
    [
        ("{", "", "classes.json:1 is not valid JSON"),
        ([1], "", "holds no list of classes"),
        ({"classes": [3]}, "", "holds no list of classes"),
        ({"classes": [{"value": 0, "name": "pit"}]}, "", "classes[0] needs a value from 1 to 255"),
        ({"classes": [{"value": True, "name": "pit"}]}, "", "classes[0] needs a value"),
        ({"classes": [{"value": 1, "name": " "}]}, "", "classes[0] needs a value"),
        ({"classes": [{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]}, "", "classes[1] needs"),
        ({"classes": [{"value": 1, "name": "a"}, {"value": 2, "name": "a"}]}, "", "classes[1] needs"),
        (FILE, "crack", "classes.json has no class crack as --classes says; it has pit, dent"),
        (FILE, "pit", "a.png has values without a class: 2"),
    ],
)
def test_wrong_class_files_are_errors(tmp_path: Path, file: Any, classes: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        opened(dataset(tmp_path, {"a": (NUMBERS, None)}, file), classes)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "numbers", [NUMBERS // 2 * 255, NUMBERS // 2, np.repeat(NUMBERS[:, :, None] // 2 * 200, 3, axis=2)]
)
def test_binary_and_coloured_masks_are_no_index_masks(tmp_path: Path, numbers: np.ndarray) -> None:
    assert detect(dataset(tmp_path, {"a": (numbers, None)}))[0] == "mask-folder"


def test_folders_of_classes_are_no_index_masks(tmp_path: Path) -> None:
    dataset(tmp_path, {"pit/a": (NUMBERS // 2, None), "dent/a": (NUMBERS // 2, None)})
    assert detect(tmp_path)[0] == "mask-folder"


# Writing

ONE = arrays.arrays(np.uint8, (H, W), elements=st.integers(0, 1))
PAIRS = st.lists(st.tuples(st.sampled_from(["pit", "böse/r"]), ONE), max_size=4)


def record(name: str, pairs: list[tuple[str, np.ndarray]]) -> ImageRecord:
    annotations = tuple(Annotation(label=label, rle=rle.encode(mask)) for label, mask in pairs)
    return ImageRecord(file=name, height=H, width=W, annotations=annotations)


@settings(max_examples=tries(80), deadline=None)
@given(PAIRS)
def test_an_index_mask_gives_each_pixel_to_the_last_class_on_it(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, np.ndarray]]
) -> None:
    folder, losses = tmp_path_factory.mktemp("index"), Losses()
    write_image(folder / "images" / "s" / "a.jpg", np.zeros((H, W), np.uint8))
    classes = make_classes(["pit", "böse/r"], source_ids=[7, 2])
    mask_index.write(folder, [record("images/s/a.jpg", pairs)], classes=classes, losses=losses)
    last = np.zeros((H, W), int)
    for label, mask in pairs:
        last[mask > 0] = {"pit": 7, "böse/r": 2}[label]
    with Image.open(folder / "masks" / "s" / "a.png") as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), last)
        shown = np.array(image.convert("RGB"))
    for defect_class in classes:
        assert (shown[last == defect_class.source_id] == defect_class.colour).all()
    source, (found,), problems = opened(folder)
    assert [(c.name, c.source_id) for c in source.classes] == [("pit", 7), ("böse/r", 2)]
    assert masks(found) == [
        (name, (last == k).astype(int).tolist()) for name, k in (("pit", 7), ("böse/r", 2)) if (last == k).any()
    ]
    assert not problems.all
    union = {label: np.any([m for own, m in pairs if own == label], axis=0) for label, _ in pairs}
    covered = sum((last[mask > 0] != {"pit": 7, "böse/r": 2}[label]).any() for label, mask in union.items())
    counts = {loss.what: loss.count for loss in losses.lost()}
    assert counts.get("classes that others cover in an image, which lose those pixels", 0) == covered
    assert counts.get("masks joined with another of their class in the image", 0) == len(pairs) - len(union)


@settings(max_examples=tries(60), deadline=None)
@given(PAIRS)
def test_masks_by_instance_are_read_again_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, np.ndarray]]
) -> None:
    folder, losses = tmp_path_factory.mktemp("instances"), Losses()
    for name in ("a_b.jpg", "s/a.jpg"):
        write_image(folder / "images" / name, np.zeros((H, W), np.uint8))
    records = [record("images/a_b.jpg", pairs), record("images/s/a.jpg", pairs[::-1])]
    classes = make_classes(["pit", "böse/r"], source_ids=[1, 2])
    assert mask_instances.write(folder, records, classes=classes, losses=losses) == folder / "masks"
    filled = [(label, mask) for label, mask in pairs if mask.any()]
    if not filled:
        return
    _, found, problems = opened(folder)
    for own, order in zip(found, (filled, filled[::-1]), strict=True):
        wanted = [(label, m.tolist()) for label in ("pit", "böse/r") for k, m in order if k == label]
        assert masks(own) == wanted
    assert not problems.all
    empty = sum(loss.count for loss in losses.lost() if "without pixels" in loss.what)
    assert empty == 2 * (len(pairs) - len(filled))


def test_a_mask_named_as_another_image_is_a_loss(tmp_path: Path) -> None:
    losses, mask = Losses(), np.ones((H, W), np.uint8)
    records = [record("a.png", [("pit", mask)]), record("a_1.png", [("pit", mask)])]
    mask_instances.write(tmp_path, records, classes=make_classes(["pit"], source_ids=[1]), losses=losses)
    assert "1 masks are named as another image, which a reader gives them to (first: a_1.png)" in map(
        str, losses.lost()
    )
    assert mask_instances.MASK_INSTANCES.sniff(tmp_path) is None
    for name in ("a.png", "a_1.png"):
        write_image(tmp_path / "images" / name, mask)
    _, (first, second), _ = opened(tmp_path, name="mask-instances")
    assert [len(first.annotations), len(second.annotations)] == [0, 2]


def test_ids_that_no_value_can_be_become_positions(tmp_path: Path) -> None:
    classes = make_classes(["pit", "dent"], source_ids=[300, 2])
    losses = Losses()
    mask_index.write(tmp_path, [record("a.png", [("dent", np.ones((H, W)))])], classes=classes, losses=losses)
    assert [c["value"] for c in json.loads((tmp_path / "classes.json").read_text())["classes"]] == [1, 2]
    assert [str(loss) for loss in losses.lost()] == ["1 class ids, which are numbered anew (first: pit)"]
    with pytest.raises(DataError, match="values for 254 classes; there are 255"):
        many = make_classes([str(k) for k in range(255)], source_ids=range(255))
        mask_index.write(tmp_path, [], classes=many)


@pytest.mark.parametrize("module", [mask_index, mask_instances, mask_folder])
def test_images_that_differ_in_their_suffix_only_are_refused(tmp_path: Path, module: Any) -> None:
    records = [record(name, [("pit", np.ones((H, W)))]) for name in ("a.png", "a.jpg")]
    with pytest.raises(DataError, match=r"a\.png and a\.jpg would both be written"):
        module.write(tmp_path, records, classes=make_classes(["pit"], source_ids=[1]))


@pytest.mark.parametrize("ids", [(1, 2), (40, 41), (None, None)])
def test_void_is_written_as_255_and_said_in_the_list_of_classes(tmp_path: Path, ids: Any) -> None:
    annotations = tuple(Annotation(label=n, rle=rle.encode(k == NUMBERS)) for k, n in ((1, "pit"), (2, "dent")))
    void = rle.encode(VOID == 255)
    records = [
        ImageRecord(file="images/a.jpg", height=H, width=W, annotations=annotations, void=void),
        ImageRecord(file="images/b.jpg", height=H, width=W, void=void),
    ]
    dataset(tmp_path, {"a": (NUMBERS, None), "b": (NUMBERS, None)})
    mask_index.write(tmp_path, records, classes=make_classes(["pit", "dent"], source_ids=list(ids)))
    painted = np.array(Image.open(tmp_path / "masks" / "b.png"))
    assert np.array_equal(painted, np.where(VOID == 255, 255, 0))
    assert json.loads((tmp_path / "classes.json").read_text())["void"] == 255
    _, back, _ = opened(tmp_path)
    assert [(record.void, masks(record)) for record in back] == [(void, masks(record)) for record in records]


def test_a_list_of_classes_says_nothing_of_void_where_there_is_none(tmp_path: Path) -> None:
    mask_index.write(
        tmp_path, [ImageRecord(file="a.jpg", height=H, width=W)], classes=make_classes(["x"], source_ids=[1])
    )
    assert list(json.loads((tmp_path / "classes.json").read_text())) == ["classes"]
