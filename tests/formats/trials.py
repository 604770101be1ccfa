"""What the tests of several formats share: masks of all kinds, images to annotate, and ways to break a file."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.losses import Losses
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import Problems, ReadOptions, Source, make_classes
from coigan_aug.imaging import write_image

WRONG: tuple[Any, ...] = (
    None, True, -1, 0.5, 1e308, 10**30, "", "x", "../../etc/passwd", "ü" * 3000, [], {}, {"x": 1}, [[1, 2], [3]],
)  # fmt: skip


@st.composite
def masks(draw: st.DrawFn, *, most: int = 12) -> np.ndarray:
    """Draw a mask of up to `most` pixels a side: noise, empty, full, one pixel, a ring, two parts, stripes."""
    height, width = draw(st.integers(1, most)), draw(st.integers(1, most))
    kind = draw(st.sampled_from(["noise", "empty", "full", "pixel", "ring", "parts", "stripes"]))
    mask = np.zeros((height, width), bool)
    if kind == "noise":
        mask = draw(arrays.arrays(bool, (height, width)))
    elif kind == "full":
        mask[:] = True
    elif kind == "pixel":
        mask[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    elif kind == "ring":
        mask[:] = True
        mask[1:-1, 1:-1] = False
    elif kind == "parts":
        mask[:, :1] = mask[:, -1:] = True
    elif kind == "stripes":
        mask[::2] = True
    return mask


def record_of(file: str, *own: tuple[str, np.ndarray], **attributes: Any) -> ImageRecord:
    """Make a record of masks of one size, each with its class."""
    height, width = own[0][1].shape
    annotations = tuple(Annotation(label=label, rle=rle.encode(mask), attributes=attributes) for label, mask in own)
    return ImageRecord(file=file, height=height, width=width, annotations=annotations)


def write_images(folder: Path, records: Sequence[ImageRecord]) -> None:
    """Write a grey image for each record, where its file name says."""
    for record in records:
        write_image(folder / record.file, np.full((record.height, record.width), 90, np.uint8))


def there_and_back(
    module: ModuleType, folder: Path, records: Sequence[ImageRecord], *, classes: tuple[DefectClass, ...] | None = None,
    images: str | None = None, **options: Any,
) -> tuple[Source, list[ImageRecord], Losses, Problems]:  # fmt: skip
    """Write records and their images to a folder and read them again."""
    labels = list(dict.fromkeys(a.label for record in records for a in record.annotations))
    losses, problems = Losses(), Problems()
    write_images(folder, records)
    chosen = classes if classes is not None else make_classes(labels, source_ids=[None] * len(labels))
    path = module.write(folder, iter(records), classes=chosen, losses=losses, **options)
    wanted = ReadOptions(images=folder / images if images is not None else None)
    source = module.read(Reading(path, options=wanted, problems=problems))
    return source, list(source.records), losses, problems


def content(records: Sequence[ImageRecord]) -> dict[str, list[tuple[str, rle.Rle]]]:
    """Return what is in records, by the last part of the image's name; masks without pixels are left out."""
    return {
        record.file.rpartition("/")[2]: [(a.label, a.rle) for a in record.annotations if rle.area(a.rle)]
        for record in records
    }


def broken(value: Any, wrong: Sequence[Any] = WRONG) -> Iterator[tuple[str, Any]]:
    """Yield copies of a JSON value, each with one part replaced by something wrong, or left out; and which part."""
    for path in _paths(value):
        for bad in wrong:
            changed = copy.deepcopy(value)
            _set(changed, path, bad)
            yield f"{path} = {bad!r:.40}", changed
        changed = copy.deepcopy(value)
        _delete(changed, path)
        yield f"{path} deleted", changed


def _paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield (*before, key)
        yield from _paths(value[key], (*before, key))


def _set(value: Any, path: tuple[Any, ...], bad: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = bad


def _delete(value: Any, path: tuple[Any, ...]) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]


def block(k: int) -> np.ndarray:
    """Return a mask of 400 x 600 pixels, a fifth of them in one block."""
    mask = np.zeros((400, 600), bool)
    mask[100:300, k : k + 240] = True
    return mask


def peak_of(records: Iterable[object]) -> int:
    """Return the most memory, in bytes, that Python's objects took while the records were gone through."""
    tracemalloc.start()
    for _ in records:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def read_or_refuse(read: Callable[[], object], what: str) -> str:
    """Read something; return the refusal's message ("" where it was read), and let no other error through."""
    try:
        read()
    except (DataError, UsageError) as error:
        assert error.message, what
        return error.message
    except Exception as error:
        raise AssertionError(f"{what}: {error!r}") from error
    return ""
