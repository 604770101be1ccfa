"""What an image was made from, as its record says: written and read the same, whatever an older or foreign record holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.geometry import Box
from coigan_aug.store.origin import Origin, origin_of


def _record(source: Mapping[str, Any]) -> ImageRecord:
    return ImageRecord(file="a.png", height=4, width=4, source=source)


@pytest.mark.parametrize("margin", [None, 0, 5])
def test_what_is_written_is_read(margin: int | None) -> None:
    origin = Origin(base="b/c.png", region=Box(3, 4, 5, 6), erased_margin=margin)
    source = json.loads(json.dumps(origin.as_source(seed=7)))
    assert source["region"] == [3, 4, 5, 6]
    assert source["seed"] == 7
    assert source.get("erased_margin_px") == margin
    assert origin_of(_record(source)) == origin


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({}, None),
        ({"region": [0, 0, 4, 4]}, None),
        ({"base": "b.png"}, Origin(base="b.png")),
        ({"base": "b.png", "region": []}, Origin(base="b.png")),
        ({"base": "b.png", "region": "all"}, Origin(base="b.png")),
        ({"base": "b.png", "erased": False, "erased_margin_px": 3}, Origin(base="b.png")),
    ],
)
def test_what_a_record_does_not_say_is_none(source: Mapping[str, Any], expected: Origin | None) -> None:
    assert origin_of(_record(source)) == expected
