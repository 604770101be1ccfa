"""The card: the keys of a file stand in one order, what is not known is not written, earlier versions are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from coigan_aug.errors import DataError
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.store.card import BasesUsed, Beside, Card, DrawnBy, Effective, PlacesUsed, Screening, read_card

WHOLE = Card(
    images=3,
    format="coco",
    command="coigan-aug synthesize",
    program="coigan-aug 0",
    engine="gan",
    engines={"spot": {"gan": 3}},
    generator=DrawnBy(run="001-tiny", sha256="ab", images_seen=0),
    defects={"spot": 3},
    plan_sha256="cd",
    margin_px=4,
    promise="p",
    bases=BasesUsed(kind="clean", erased=0, erased_share=0.0),
    places=PlacesUsed(parts_used=True, parts="everywhere"),
    screening=Screening(
        on=True, limits={}, missing={}, effective={"spot": Effective(n=3, median=0.5, p05=0.4, shown=1.0)}
    ),
    data="ef",
    settings={"data": {"min_area": 9}},
    versions={"python": "3"},
)


def test_a_card_is_written_in_its_order_and_read_back(tmp_path: Path) -> None:
    write_sealed(tmp_path / "card.json", WHOLE)
    value = read_sealed(tmp_path / "card.json")
    assert list(value) == [
        "images", "format", "command", "program", "engine", "engines", "generator", "defects", "plan_sha256", "margin_px",
        "promise", "bases", "places", "screening", "data", "settings", "versions",
    ]  # fmt: skip
    assert value["generator"] == {"run": "001-tiny", "sha256": "ab", "images_seen": 0}
    assert value["bases"] == {"kind": "clean", "erased": 0, "erased_share": 0.0}
    assert list(value["screening"]) == ["on", "limits", "missing", "effective"]
    assert read_card(tmp_path / "card.json") == WHOLE


def test_a_card_of_an_earlier_version_says_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    screening = {"effective": {"spot": 0.5, "line": {"median": 0.25, "n": 2}, "none": None}, "of a later version": 1}
    write_sealed(path, {"images": 2, "generator": {"run": "001-tiny"}, "screening": screening, "later": {}})
    card = read_card(path)
    assert (card.images, card.margin_px, card.data, card.engine) == (2, None, None, "?")
    assert card.generator == DrawnBy(run="001-tiny")
    assert {name: own.median for name, own in card.effective.items()} == {"spot": 0.5, "line": 0.25}
    assert not card.real
    assert read_card(tmp_path / "nowhere.json") == Card()


def test_real_images_beside_stand_last(tmp_path: Path) -> None:
    write_sealed(tmp_path / "card.json", structs.replace(WHOLE, real=Beside(images=2, synthetic_share=0.6)))
    assert list(read_sealed(tmp_path / "card.json"))[-1] == "real"


@pytest.mark.parametrize("value", [[], {"images": "many"}, {"screening": 3}, {"defects": {"spot": None}}])
def test_a_damaged_card_is_named(tmp_path: Path, value: object) -> None:
    (tmp_path / "card.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=r"card\.json is damaged"):
        read_card(tmp_path / "card.json")
