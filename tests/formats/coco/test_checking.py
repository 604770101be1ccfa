"""That what the COCO writer wrote is checked: files spoilt in each way that a writer's bug could spoil them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.formats.coco import checking, coco, writing
from coigan_aug.formats.coco.checking import Written, check_written
from coigan_aug.formats.source import make_classes
from tests.formats.trials import record_of

CLASSES = make_classes(["pit", "scratch"], source_ids=[None, None])


def records(count: int = 4) -> list[ImageRecord]:
    """Return images of 20 x 30 pixels with two masks each, of 6 and 12 pixels."""
    made = []
    for k in range(count):
        small, large = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
        small[2:4, k : k + 3] = large[10:14, k : k + 3] = 1
        made.append(record_of(f"images/{k}.png", ("pit", small), ("scratch", large)))
    return made


def _other_mask(top: dict[str, Any]) -> None:
    top["annotations"][3]["segmentation"] = top["annotations"][4]["segmentation"]


def _runs_beyond(top: dict[str, Any]) -> None:
    top["annotations"][0]["segmentation"]["counts"] = rle.compress(np.array([600, 50]), np.zeros(1, np.int64))[0]


SPOILS: dict[str, Callable[[dict[str, Any]], object]] = {
    "an annotation lost": lambda top: top["annotations"].pop(),
    "an id used twice": lambda top: top["annotations"][2].update(id=1),
    "an image lost": lambda top: top["images"].pop(),
    "an image's id used twice": lambda top: top["images"][1].update(id=1),
    "a category lost": lambda top: top["categories"].pop(),
    "an area of another mask": lambda top: top["annotations"][1].update(area=13),
    "another mask": _other_mask,
    "runs beyond the image": _runs_beyond,
    "no image of an annotation": lambda top: top["annotations"][0].pop("image_id"),
    "no list of annotations": lambda top: top.pop("annotations"),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=list(SPOILS))
def test_a_spoilt_file_is_a_bug_of_ours(tmp_path: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    written = Written(images=4, annotations=8, categories=2, pixels=4 * 18)
    path = coco.write(tmp_path, records(), classes=CLASSES)
    check_written(path, written, filled=True)
    top = json.loads(path.read_text())
    spoil(top)
    path.write_text(json.dumps(top))
    with pytest.raises(RuntimeError, match=r"annotations\.json is not as it was meant .* please report it"):
        check_written(path, written, filled=True)


def test_a_file_that_is_cut_off_is_a_bug_of_ours(tmp_path: Path) -> None:
    path = coco.write(tmp_path, records(), classes=CLASSES)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RuntimeError, match="pycocotools can't open it: JSONDecodeError"):
        check_written(path, Written(images=4, annotations=8, categories=2, pixels=72), filled=True)


@pytest.mark.parametrize("polygons", [None, "pycocotools"])
def test_the_writer_does_not_pass_over_a_wrong_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polygons: str | None
) -> None:
    measured = writing._measured

    def shifted(masks: Sequence[rle.Rle], **options: Any) -> Iterable[Any]:
        own = list(measured(masks, **options))
        return [(extents, own[k - 1][1]) for k, (extents, _) in enumerate(own)]

    monkeypatch.setattr(writing, "_measured", shifted)
    with pytest.raises(RuntimeError, match="annotation 1 has 12 pixels, written were 6"):
        coco.write(tmp_path, records(), classes=CLASSES, polygons=polygons)


def test_a_very_large_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_LARGEST", 10)
    monkeypatch.setattr(checking, "COCO", None)
    coco.write(tmp_path, records(), classes=CLASSES)


def test_nothing_is_said_of_what_is_as_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for polygons in (None, "pycocotools", "cv2"):
        coco.write(tmp_path, records(40), classes=CLASSES, polygons=polygons)
    coco.write(tmp_path, [], classes=())
    assert capsys.readouterr() == ("", "")
