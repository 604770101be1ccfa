"""Several lines in one Dataset: files stay where they are, only what is known to be clean is drawn on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.data.joining import join, surface_of
from coigan_aug.data.lines import open_line
from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.noted import note_images
from coigan_aug.store.writer import write_dataset
from tests.translation.lines import dimmed, write_line


@pytest.fixture
def lines(tmp_path: Path) -> tuple[Dataset, Dataset]:
    """Line a, and line b whose image 7 is of unknown state."""
    return write_line(tmp_path / "a", first=0), write_line(tmp_path / "b", first=4, look=dimmed, unknown=7)


def test_surface_is_what_is_known_to_be_clean_and_not_for_testing(lines: tuple[Dataset, Dataset]) -> None:
    """Odd numbers are clean; 2, 5 and 6 are for testing."""
    assert [surface_of(line) for line in lines] == [[1, 3, 7], [1, 3]]


def test_images_are_joined_where_they_lie_with_their_masks(lines: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    a, b = lines
    joined = join([(a, [0, 2]), (b, [1, 3])], root=tmp_path / "cache")
    assert [record.file for record in joined] == [
        "a/images/deep/00.png", "a/images/deep/02.png", "b/images/deep/01.png", "b/images/deep/03.png",
    ]  # fmt: skip
    for k, (line, position) in enumerate([(a, 0), (a, 2), (b, 1), (b, 3)]):
        assert np.array_equal(joined.stored(k), line.stored(position))
        assert joined[k] == dataclasses.replace(line[position], file=joined[k].file, split="train")
    again = join([(a, [0, 2]), (b, [1, 3])], root=tmp_path / "cache")
    other = join([(a, [0]), (b, [1, 3])], root=tmp_path / "cache")
    assert joined.folder == again.folder != other.folder


def test_an_image_that_changed_is_told_before_and_after(lines: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    a, b = lines
    noted = note_images([a.image_path(k) for k in range(len(a))])
    write_dataset(a.folder, list(a), classes=a.classes, image_root=a.image_root, provenance={}, noted=noted)
    a = Dataset(a.folder)
    joined = join([(a, [0]), (b, [1])], root=tmp_path / "cache")
    write_image(a.image_path(0), np.zeros((72, 96), np.uint8))
    with pytest.raises(DataError, match=r"00\.png is not the image that was imported"):
        join([(a, [0]), (b, [1])], root=tmp_path / "cache")
    with pytest.raises(DataError, match="is not the image that was imported"):
        joined.stored(0)
    write_image(b.image_path(1), np.zeros((72, 96), np.uint8))
    again = join([(a, [4]), (b, [1])], root=tmp_path / "cache")
    assert not again.stored(1).any(), "nothing was noted of b: what there is when it is joined counts"


def test_a_folder_is_read_into_one_place_and_anew_only_where_it_changed(tmp_path: Path) -> None:
    """Several processes of one command open it at the same time."""
    write_image(tmp_path / "good/a.png", np.zeros((4, 5), np.uint8))
    first = open_line(tmp_path / "good", root=tmp_path / "lines")
    written = (first.folder / "dataset.json").stat().st_mtime_ns
    again = open_line(tmp_path / "good", root=tmp_path / "lines")
    assert (again.folder, (again.folder / "dataset.json").stat().st_mtime_ns) == (first.folder, written)
    write_image(tmp_path / "good/b.png", np.zeros((4, 5), np.uint8))
    assert [record.file for record in open_line(tmp_path / "good", root=tmp_path / "lines")] == ["a.png", "b.png"]
