"""Objects are looked for once for each data set and scale; a kept list that is not what it was is made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from coigan_aug.annotations.records import DefectClass
from coigan_aug.prepare import kept
from coigan_aug.prepare.kept import kept_objects
from coigan_aug.prepare.objects import DefectObject, objects_of
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset


def _looked_for(data: Dataset, scale: float) -> list[list[DefectObject]]:
    return [objects_of(record, k, names=data.names, scale=scale) for k, record in enumerate(data)]


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_objects_are_looked_for_once(
    toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    expected, said = _looked_for(toy, scale), list[str]()
    assert kept_objects(toy, scale=scale, root=tmp_path) == expected
    monkeypatch.setattr(kept, "objects_of_all", None)
    again = kept_objects(toy, scale=scale, root=tmp_path, progress=said.append)  # type: ignore[arg-type]
    assert again == expected
    assert not said
    assert all(item.scaled is item.full for own in again for item in own) == (scale == 1)


def test_each_scale_and_each_list_of_classes_has_its_own(toy: Dataset, tmp_path: Path) -> None:
    """Classes are positions in the list: turned round, the same records have other objects."""
    turned = write_dataset(
        tmp_path / "turned", iter(toy), classes=tuple(reversed(toy.classes)), image_root=toy.image_root, provenance={}
    )
    assert turned.manifest["sha256"] == toy.manifest["sha256"]
    for data, scale in ((toy, 1.0), (turned, 1.0), (toy, 0.5), (toy, 1.0)):
        assert kept_objects(data, scale=scale, root=tmp_path / "cache") == _looked_for(data, scale)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_other_records_have_other_objects(toy: Dataset, tmp_path: Path) -> None:
    fewer = write_dataset(
        tmp_path / "fewer", list(toy)[1:], classes=toy.classes, image_root=toy.image_root, provenance={}
    )
    for data in (toy, fewer):
        assert kept_objects(data, scale=1.0, root=tmp_path / "cache") == _looked_for(data, 1.0)


def test_a_list_that_is_damaged_is_made_anew(toy: Dataset, tmp_path: Path) -> None:
    """Whatever byte of it is another one, whether it is cut off, or there is more of it."""
    expected = kept_objects(toy, scale=0.5, root=tmp_path)
    (path,) = tmp_path.glob("objects-*.jsonl")
    whole = path.read_bytes()
    flipped = [whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :] for k in range(0, len(whole), len(whole) // 40)]
    lines = whole.splitlines(keepends=True)
    for data in (*flipped, whole[:-1], b"".join(lines[:-1]), whole + lines[-1], b"", lines[0]):
        path.write_bytes(data)
        assert kept_objects(toy, scale=0.5, root=tmp_path) == expected
        assert path.read_bytes() == whole


def test_a_class_without_objects_and_an_image_without_any_are_kept_too(toy: Dataset, tmp_path: Path) -> None:
    more = (DefectClass(name="crack", colour=(1, 2, 3)), *toy.classes)
    data = write_dataset(tmp_path / "more", iter(toy), classes=more, image_root=toy.image_root, provenance={})
    for _ in range(2):
        found = kept_objects(data, scale=1.0, root=tmp_path / "cache")
        assert found == _looked_for(data, 1.0)
        assert not any(item.label == 0 for own in found for item in own)
