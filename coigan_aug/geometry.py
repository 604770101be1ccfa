"""Boxes of whole pixels: how those of objects, windows and images lie to each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle of `width` x `height` pixels from (`left`, `top`) on; it may reach beyond its image, on any side.

    A `shape` is that of an image's array, (height, width) and whatever follows.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, shape: Sequence[int]) -> Box:
        """Return the box of a whole image.

        >>> Box.of((20, 30, 3))
        Box(left=0, top=0, width=30, height=20)
        """
        return cls(0, 0, shape[1], shape[0])

    @property
    def right(self) -> int:
        """The first column behind it.

        >>> Box(2, 3, 10, 20).right
        12
        """
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it.

        >>> Box(2, 3, 10, 20).bottom
        23
        """
        return self.top + self.height

    @property
    def longer(self) -> int:
        """The longer side, px.

        >>> Box(2, 3, 10, 20).longer
        20
        """
        return max(self.width, self.height)

    @property
    def shorter(self) -> int:
        """The shorter side, px.

        >>> Box(2, 3, 10, 20).shorter
        10
        """
        return min(self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rows and the columns, for an array; it must not begin above or left of that.

        >>> Box(2, 3, 10, 20).slices
        (slice(3, 23, None), slice(2, 12, None))
        """
        left, top, width, height = self
        return slice(top, top + height), slice(left, left + width)

    def clip(self, shape: Sequence[int]) -> Box:
        """Return the part that lies in an image; a side is 0 where there is none.

        >>> Box(-2, 3, 10, 20).clip((10, 30))
        Box(left=0, top=3, width=8, height=7)
        """
        left, top, width, height = self
        first, last = max(left, 0), min(left + width, shape[1])
        above, below = max(top, 0), min(top + height, shape[0])
        return Box(first, above, max(last - first, 0), max(below - above, 0))

    def grow(self, pixels: int) -> Box:
        """Return what is so many pixels larger on every side.

        >>> Box(2, 3, 10, 20).grow(2)
        Box(left=0, top=1, width=14, height=24)
        """
        left, top, width, height = self
        return Box(left - pixels, top - pixels, width + 2 * pixels, height + 2 * pixels)

    def meets(self, other: Box) -> bool:
        """Tell whether the two, which have pixels, have any in common.

        >>> Box(2, 3, 10, 20).meets(Box(11, 0, 5, 4)), Box(2, 3, 10, 20).meets(Box(12, 0, 5, 4))
        (True, False)
        """
        left, top, width, height = self
        x, y, across, down = other
        return x < left + width and y < top + height and x + across > left and y + down > top

    def within(self, other: Box) -> bool:
        """Tell whether it lies wholly in another one.

        >>> Box(2, 3, 10, 20).within(Box(0, 0, 12, 23)), Box(2, 3, 10, 20).within(Box(0, 0, 12, 22))
        (True, False)
        """
        left, top, width, height = self
        x, y, across, down = other
        return left >= x and top >= y and left + width <= x + across and top + height <= y + down

    def hull(self, others: Iterable[Box]) -> Box:
        """Return the smallest box that holds it and others.

        >>> Box(2, 3, 10, 20).hull([Box(0, 5, 4, 4)])
        Box(left=0, top=3, width=12, height=20)
        """
        boxes = [self, *others]
        left, top = min(box.left for box in boxes), min(box.top for box in boxes)
        return Box(left, top, max(box.right for box in boxes) - left, max(box.bottom for box in boxes) - top)

    def seen_from(self, other: Box) -> Box:
        """Return where it lies in what is cut out along another one.

        >>> Box(2, 3, 10, 20).seen_from(Box(-1, 2, 50, 50))
        Box(left=3, top=1, width=10, height=20)
        """
        return Box(self.left - other.left, self.top - other.top, self.width, self.height)

    def around(self, width: int, height: int) -> Box:
        """Return the box of that size with the same middle.

        >>> Box(10, 10, 4, 6).around(8, 2)
        Box(left=8, top=12, width=8, height=2)
        """
        return Box(self.left + self.width // 2 - width // 2, self.top + self.height // 2 - height // 2, width, height)

    def square(self, factor: float, *, least: int) -> Box:
        """Return the square with the same middle and a side of `factor` times the longer one's, at `least` so many px.

        >>> Box(100, 100, 40, 10).square(1.5, least=32)
        Box(left=90, top=75, width=60, height=60)
        """
        side = max(round(factor * self.longer), least)
        return self.around(side, side)

    def shifted_into(self, shape: Sequence[int]) -> Box:
        """Return it moved no further than it takes to lie in an image; where it is larger, in the image's middle.

        >>> Box(-5, 18, 10, 10).shifted_into((20, 30)), Box(-5, 18, 10, 24).shifted_into((20, 30))
        (Box(left=0, top=10, width=10, height=10), Box(left=0, top=-2, width=10, height=24))
        """
        left, top, width, height = self
        return Box(_shifted(left, width, shape[1]), _shifted(top, height, shape[0]), width, height)


def _shifted(start: int, length: int, room: int) -> int:
    return min(max(start, 0), room - length) if length <= room else (room - length) // 2
