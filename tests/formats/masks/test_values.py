"""What values of masks mean. Truth: the pixels that are written here."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from coigan_aug.annotations import rle
from coigan_aug.data.inspecting import inspect_subject
from coigan_aug.data.opening import opened
from coigan_aug.errors import DataError
from coigan_aug.formats.detect import detect, open_source
from coigan_aug.formats.masks import values as mask_values
from coigan_aug.formats.masks.values import is_void, naming
from coigan_aug.formats.source import Problems, ReadOptions, parse_classes
from tests.formats.masks.trees import NUMBERS, SHAPE, A, B, grow

MANY = np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE) % 7 * 90


def shown(folder: Path, classes: str = "", **options: bool) -> list[tuple[str, list[list[int]]]]:
    """Read a folder of one image and return its masks."""
    chosen = ReadOptions(classes=parse_classes(classes) if classes else (), **options)  # type: ignore[arg-type]
    (record,) = open_source(folder, options=chosen, problems=Problems()).records
    return [(a.label, rle.decode(a.rle).tolist()) for a in record.annotations]


def masks(**named: np.ndarray) -> list[tuple[str, list[list[int]]]]:
    return [(label, (mask > 0).astype(int).tolist()) for label, mask in named.items()]


@pytest.mark.parametrize(
    "mask",
    [
        A.astype(np.uint16) * 257,
        A.astype(np.uint16) // 255,
        A.astype(np.uint16),
        A // 255,
        np.where(A > 0, 65535, np.roll(A, 1, axis=0).astype(np.uint16) * 100),
    ],
)
def test_masks_of_sixteen_bits_are_read_whatever_their_white_is(mask: np.ndarray, tmp_path: Path) -> None:
    assert shown(grow(tmp_path, {"images/1.png": "", "masks/1.png": mask})) == masks(defect=A)


@pytest.mark.parametrize("mode", ["white", "red", "black", "whole", "palette", "grey"])
def test_transparency_counts_where_it_is_used(mode: str, tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": ""})
    (tmp_path / "masks").mkdir()
    colour = {"white": (255, 255, 255), "red": (255, 0, 0), "black": (0, 0, 0)}.get(mode, (255, 255, 255))
    pixels = np.zeros((*SHAPE, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = A
    if mode == "whole":  # opaque all over: the colours say it
        pixels[..., :3], pixels[..., 3] = A[..., None], 255
    picture = Image.fromarray(pixels)
    if mode == "grey":
        picture = Image.fromarray(np.dstack([np.full(SHAPE, 9, np.uint8), A]))
    if mode == "palette":
        picture = Image.fromarray(A // 255)
        picture.putpalette([200, 0, 0, 200, 0, 0])
        picture.info["transparency"] = 0
    picture.save(tmp_path / "masks" / "1.png")
    assert shown(tmp_path) == masks(defect=A)


def test_what_is_transparent_is_no_class_of_a_coloured_mask(tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": ""})
    pixels = np.full((*SHAPE, 4), (0, 0, 255, 0), np.uint8)
    pixels[A > 0], pixels[B > 0] = (255, 0, 0, 255), (0, 0, 255, 255)
    (tmp_path / "masks").mkdir()
    Image.fromarray(pixels).save(tmp_path / "masks" / "1.png")
    assert shown(tmp_path, "pit=#ff0000,dent=#0000ff") == masks(pit=A, dent=B)


@pytest.mark.parametrize("values", [(1,), (1, 2), (3, 7, 12)])
def test_values_with_a_border_of_255_ask_for_names_with_the_line_to_type(
    values: tuple[int, ...], tmp_path: Path
) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    for k, value in enumerate((*values, 255)):
        mask[3 * k : 3 * k + 2] = value
    grow(tmp_path, {"images/1.png": "", "masks/1.png": mask})
    assert detect(tmp_path)[0] == "mask-index"
    with pytest.raises(DataError, match="nothing names the values") as refused:
        shown(tmp_path)
    typed = refused.value.remedy.partition("--classes ")[2]
    assert typed == ",".join([*(f"NAME={value}" for value in values), "ignore=255"])
    named = typed
    for value in values:
        named = named.replace(f"NAME={value}", f"c{value}={value}")
    assert shown(tmp_path, named) == masks(**{f"c{value}": mask == value for value in values})


@pytest.mark.parametrize(
    ("used", "void"), [([1, 255], True), ([1, 31, 255], True), ([1, 40, 255], False), ([255], False), ([1, 2], False)]
)
def test_a_border_is_255_beside_values_of_classes_alone(used: list[int], void: bool) -> None:
    assert is_void(used) is void
    assert ("ignore=255" in naming(used)) is (255 in used)


@pytest.mark.parametrize("factor", [1, 300])
def test_numbered_masks_are_objects_of_the_one_class_that_is_named(factor: int, tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": "", "masks/1.png": NUMBERS.astype(np.uint16) * factor})
    with pytest.raises(DataError, match="nothing names the values") as refused:
        shown(tmp_path)
    assert "if they number objects:  --classes NAME" in refused.value.remedy
    assert shown(tmp_path, "cell") == [*masks(cell=A), *masks(cell=B)]
    if factor == 1:
        assert shown(tmp_path, "pit,dent") == masks(pit=A, dent=B)


def test_a_part_of_photographs_among_masks_is_an_error_by_name(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/1.png=A images/2.png masks/2.png")
    with pytest.raises(DataError, match=r"2\.png is no mask but a photograph"):
        list(open_source(tmp_path, options=ReadOptions(), problems=Problems()).records)
    with opened(tmp_path) as subject:
        errors = [str(finding) for finding in inspect_subject(subject).findings if finding.error]
    assert len(errors) == 1
    assert "2.png is no mask but a photograph" in errors[0]


@pytest.mark.parametrize("end", ["png", "jpg"])
def test_masks_with_a_white_background_are_a_question(end: str, tmp_path: Path) -> None:
    grow(tmp_path, f"images/1.png masks/1.{end}=inverted")
    with pytest.raises(
        DataError, match=r"1 of 1 masks mark most of the image as defect .*1\.\w+, marks 9\d%"
    ) as refused:
        shown(tmp_path)
    assert "--invert-masks if" in refused.value.remedy
    assert "--no-invert-masks if" in refused.value.remedy
    assert shown(tmp_path, invert_masks=False) == masks(defect=255 - A)
    assert shown(tmp_path, invert_masks=True) == masks(defect=A)
    with opened(tmp_path) as subject:
        errors = [str(finding) for finding in inspect_subject(subject).findings if finding.error]
    assert len(errors) == 1
    assert "mark most of the image as defect" in errors[0]


def test_one_large_defect_among_small_ones_is_no_question(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/1.png=inverted images/2.png masks/2.png=A images/3.png masks/3.png=B")
    problems = Problems(strict=True)
    assert len(list(open_source(tmp_path, options=ReadOptions(), problems=problems).records)) == 3


def test_a_mask_of_sixteen_bits_with_other_values_asks_what_they_are(tmp_path: Path) -> None:
    grow(tmp_path, {"images/1.png": "", "masks/1.png": np.where(A > 0, MANY + 300, 0).astype(np.uint16)})
    with pytest.raises(DataError, match="nothing names the values"):
        shown(tmp_path)


def test_a_gif_is_read_as_a_mask_and_as_no_image(tmp_path: Path) -> None:
    grow(tmp_path, "images/1.png masks/1_mask.gif=A preview.gif=B")
    assert shown(tmp_path) == masks(defect=A)
    assert cv2.imread(str(tmp_path / "images" / "1.png"), cv2.IMREAD_UNCHANGED).shape == SHAPE


@pytest.mark.parametrize("row", [0, 255, 256, 599])
def test_values_are_counted_in_all_rows_of_a_tall_mask(row: int) -> None:
    pixels = np.zeros((600, 3), np.uint8)
    pixels[row, 1], pixels[300, 2] = 7, 9
    assert mask_values._histogram(pixels) == ([7, 9], [1, 1])
