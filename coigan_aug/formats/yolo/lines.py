"""The lines of a YOLO label file: `class x1 y1 x2 y2 ...`, shares of the image's width and height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coigan_aug.annotations.polygons import Points, fill_on_image
from coigan_aug.annotations.rle import Rle, area
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import DROPPED, place, whole_number

_BOX = 4
_MARGIN = 1.0  # pixels that a point may lie out of the image by rounding alone
_DIGITS = 6
_LARGEST = 1e9
_LARGE = 1 << 18  # pixels from which six digits no longer tell them apart
_SIGNS = b"0123456789+-.eE"
_SPACES = b" \t\n\r\v\f"
BOXES = "lines have a box and no mask"
POSES = "lines have a box and key points (pose), and no mask"
NOTHING = "polygons have no pixels in their image"
BEYOND = "polygons reach out of their image by a pixel at most"
DONE = {BOXES: DROPPED, POSES: DROPPED, NOTHING: DROPPED, BEYOND: "cut"}
"""What is counted over all label files, and what becomes of it."""


@dataclass(frozen=True)
class Line:
    """A line of a label file: its place, the class, and the shares [n, 2] of (x, y); None where it is a box.

    `lack` says what there is instead of points, for the note.
    """

    file: str
    number: int
    label: int
    points: Points | None
    lack: str = ""

    @property
    def place(self) -> str:
        """Where the line stands, `file:row`."""
        return place(self.file, self.number)


def read_line(text: bytes, *, file: str, number: int, pose: bool = False) -> Line | None:
    """Read a line; None where it is blank.

    Args:
        pose: lines hold a box and key points, whatever their numbers look like.

    Raises:
        DataError: it is not a class and pairs of numbers, of which there are at least 3 (2 are a box).
    """
    words = text.split()
    if not words:
        return None
    at = place(file, number)
    odd = bool(text.translate(None, _SIGNS + _SPACES))  # at once; which word it is in is seldom asked for
    wrong = next((word for word in words if word.translate(None, _SIGNS)), None) if odd else None
    label = whole_number(words[0].decode("latin-1"))
    if wrong is not None or label is None:
        shown = (wrong or words[0])[:40].decode("utf-8", errors="replace")
        raise DataError(f"{at}  holds {shown!r}, which is not a {'number' if wrong else 'class number'}.")
    values = _numbers(words[1:], at)
    if (pose and len(values) > _BOX) or _is_pose(values):
        return Line(file, number, label, None, POSES)
    if len(values) == _BOX:
        return Line(file, number, label, None, BOXES)
    if len(values) % 2:
        what = f"{at}  has {len(values)} numbers behind the class; they must be pairs of x and y."
        raise DataError(
            what, remedy="If the last one says how sure a detector was, save the labels without (save_conf)."
        )
    if len(values) < _BOX:
        raise DataError(f"{at}  has {len(values) // 2} points; a polygon needs 3.")
    return Line(file, number, label, values.reshape(-1, 2))


def _is_pose(values: NDArray[np.float64]) -> bool:
    """Tell whether numbers can be a box and key points with their visibility (0, 1 or 2), and no polygon."""
    seen = values[_BOX + 2 :: 3]
    fits = len(values) > _BOX and len(values[_BOX:]) % 3 == 0 and bool(np.isin(seen, (0, 1, 2)).all())
    return fits and (len(values) % 2 == 1 or bool((seen == 2).any()))


def _numbers(words: Sequence[bytes], at: str) -> NDArray[np.float64]:
    try:
        values = np.fromiter(map(float, words), np.float64, count=len(words))
    except ValueError as error:
        raise DataError(f"{at}  holds something that is not a number.") from error
    if not (np.abs(values) < _LARGEST).all():
        raise DataError(f"{at}  holds a number that is too large.")
    return values


def turned_rectangles(lines: Sequence[Line]) -> bool:
    """Tell whether lines look like rotated boxes (OBB): all have four points, and not all of them lie along the axes."""
    points = [line.points for line in lines if line.points is not None]
    along = [len(np.unique(own[:, 0])) == len(np.unique(own[:, 1])) == 2 for own in points]
    return bool(points) and all(len(own) == _BOX for own in points) and not all(along)


def fill_line(reading: Reading, line: Line, *, height: int, width: int, image: str) -> Rle | None:
    """Draw a line's polygon as its readers do (cv2.fillPoly on the image, corners rounded); None where nothing is left.

    Args:
        height: that of the image as its readers see it, which is turned as EXIF says; so with `width`.

    Raises:
        DataError: it leaves the image by more than a pixel and is not to be cut, or by the image's size.
    """
    if line.points is None:
        return None
    problems, clipping = reading.problems, reading.options.clip_rle
    size = np.array([width, height])
    points = line.points * size
    far = float(max(-points.min(), (points - size).max()))
    if far > (max(size) if clipping else _MARGIN):
        raise _outside(line, image, clipping=clipping)
    if far > _MARGIN:
        problems.add(f"a polygon reaches {far:.0f} px out of {image}", file=line.file, row=line.number, done="cut")
    elif far > 0:
        problems.count(BEYOND, file=line.file, row=line.number, done=DONE[BEYOND])
    mask = fill_on_image([points], height=height, width=width)
    if area(mask) == 0:
        problems.count(NOTHING, file=line.file, row=line.number, done=DONE[NOTHING], lost=image)
        return None
    return mask


def _outside(line: Line, image: str, *, clipping: bool) -> DataError:
    values = np.empty(0) if line.points is None else line.points.ravel()
    wrong = float(values[(values < 0) | (values > 1)][0])
    what = f"{line.place}  the value {wrong:g} is not between 0 and 1, as shares of {image} are."
    pixels = bool((values >= 0).all() and np.median(values) > 1)
    remedy = "" if clipping else "--clip-rle cuts polygons that reach out of their image."
    return DataError(
        what, remedy="These look like pixels: divide x by the width, y by the height." if pixels else remedy
    )


def write_line(label: int, points: NDArray[np.int32], *, height: int, width: int) -> str:
    """Write a polygon [n, 2] of pixel centres (x, y) as a line, so that readers that round and those that cut agree.

    Each value lies a quarter of a pixel behind the pixel's number: rounded or cut off, the number comes back, whereas
    6 digits of the number itself may lie below it.

    >>> write_line(0, np.array([[0, 0], [1, 2], [3, 0]]), height=4, width=4)
    '0 0.062500 0.062500 0.312500 0.562500 0.812500 0.062500'
    """
    digits = _DIGITS if max(height, width) <= _LARGE else 2 * _DIGITS
    values = ((points + 0.25) / [width, height]).ravel().tolist()
    return f"{label} " + " ".join([f"%.{digits}f"] * len(values)) % tuple(values)
