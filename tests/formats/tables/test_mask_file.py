"""Strings that wait in a file. Truth: the strings."""

from __future__ import annotations

import io

import numpy as np
import pytest

from coigan_aug.errors import ResourceError
from coigan_aug.formats.tables import mask_file
from coigan_aug.formats.tables.mask_file import MaskFile


@pytest.mark.parametrize("block", [1, 100, 1 << 18])
def test_strings_come_back_in_any_order_while_others_are_added(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_file, "_BLOCK", block)
    random, file = np.random.default_rng(3), MaskFile()
    texts = ["".join(map(chr, random.integers(48, 112, size))) for size in random.integers(0, 400, 200)]
    places: list[int] = []
    for text in texts:
        places.append(file.put(text))
        k = int(random.integers(len(places)))
        assert file.get(places[k]) == texts[k]
    assert [file.get(place) for place in places] == texts


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(mask_file.tempfile, "TemporaryFile", Full)
    with pytest.raises(ResourceError, match="No space left on device") as caught:
        MaskFile().put("1234")
    assert "TMPDIR" in caught.value.remedy
