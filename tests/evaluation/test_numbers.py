"""The numbers of results: what was measured once is read, and written again byte by byte; what is damaged is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from coigan_aug.errors import DataError
from coigan_aug.evaluation.numbers import Benefit, Comparison, Pairs, Quality, Space
from coigan_aug.evaluation.result import RESULT, list_results, newest, read_result, to_json
from coigan_aug.files import to_values
from coigan_aug.sealed import read_sealed, write_sealed

STORED = sorted((Path(__file__).parents[2] / "examples" / "results" / "benefit").glob("*.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_result_is_written_as_it_was(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / RESULT)
    result = read_result(tmp_path)
    assert isinstance(result.numbers, Benefit)
    before = read_sealed(path)
    value = to_json(result) | {key: before[key] for key in ("program", "versions")}
    write_sealed(tmp_path / "again.json", value)
    write_sealed(tmp_path / "before.json", before)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "before.json").read_bytes()


def test_whole_images_that_are_not_compared_are_nothing_on_disk() -> None:
    value = to_values(Space(features="lite0", objects=Pairs(floor=Comparison(n_first=1))))
    assert value["images"] == {}
    assert list(value["objects"]) == ["floor"]
    assert not Pairs()
    assert Pairs(floor=Comparison())


def test_the_newest_of_a_kind_is_found_and_other_kinds_are_passed_over(tmp_path: Path) -> None:
    for number, kind in enumerate(("benefit", "benefit", "quality", "later"), start=1):
        write_sealed(
            tmp_path / f"{number:03d}-{kind}" / RESULT,
            {"format_version": 1, "kind": kind, "verdict": "v", "command": "c", "measured_on": {}, "settings": {}}
            | {"warnings": [], "pictures": [], "seconds": 1.0, "numbers": {"of later versions": 1}},
        )
    results = list_results(tmp_path)
    found = newest(results, Benefit)
    assert found is not None
    assert found.folder.name == "002-benefit"
    assert newest(results, Quality) == results[2]
    assert newest(results[:2], Quality) is None


@pytest.mark.parametrize("numbers", [{"arms": 3}, {"arms": [{"share": 0.5}]}, [], {"seeds": ["one"]}])
def test_numbers_of_another_kind_are_damage(tmp_path: Path, numbers: object) -> None:
    value = json.loads(STORED[0].read_text()) | {"numbers": numbers}
    write_sealed(tmp_path / RESULT, value)
    with pytest.raises(DataError, match=r"result\.json is damaged"):
        read_result(tmp_path)
