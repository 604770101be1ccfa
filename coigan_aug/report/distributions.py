"""Whether synthetic objects lie where real ones lie and are as large: from the records alone, no image is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng as streams
from coigan_aug.annotations.batches import in_batches, regions
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.origin import origin_of

BINS = 20
SPLITS = 50
FEWEST = 4  # images to halve: with less, chance is all there is
SMALL, LARGE = 0.2, 0.5  # of the real ones' standard deviation: what nobody sees, what everybody sees
CHANCE = 1.5  # times the floor: as far as random halves of the real ones may be by bad luck
_LEAST = {"x": 0.05, "y": 0.05, "edge": 0.02, "area": 0.1}  # the spread that counts at least: of the image, of ln(area)
MAP_WIDTH = 48


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How the synthetic objects of a class lie beside the real ones in one quantity.

    `name` is "x" or "y", the middle of an object's box as a share of the image's width or height, "edge", how far its
    box is from the nearest edge of the image as a share of the image's shorter side, or "area", in px. `edges` bound the
    bins of the counts, in even ratios for "area", else even. `distance` is Wasserstein-1
    (of ln(area)) over the standard deviation of the real ones; `floor` is what nine of ten random halves of the real
    ones, torn between images alone, keep among themselves: shapes and places are drawn from these very objects, so
    near-duplicates count each. Both are None where there are too few.
    """

    label: str
    name: str
    real_counts: tuple[int, ...]
    synthetic_counts: tuple[int, ...]
    edges: tuple[float, ...]
    distance: float | None
    floor: float | None


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The objects of a class: float [n] middles as shares of the whole image, distances from its nearest edge as shares of
    its shorter side, areas in px; int [n] which image.

    `heat` float [h, w] says how often a place of an image is covered, 1 at the most frequent one; 0 without objects.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    edge: NDArray[np.float64]
    area: NDArray[np.float64]
    image: NDArray[np.int64]
    heat: NDArray[np.float64]

    def of(self, name: str) -> NDArray[np.float64]:
        """Return the values of one quantity of a Comparison."""
        return {"x": self.x, "y": self.y, "edge": self.edge, "area": self.area}[name]


Frame = tuple[int, int, int, int]


def image_sizes(dataset: Dataset) -> dict[str, tuple[int, int]]:
    """Return height and width of the images by their files."""
    return {record.file: (record.height, record.width) for record in dataset}


def spread_of(
    dataset: Dataset, objects: Sequence[DefectObject], *, sizes: Mapping[str, tuple[int, int]], shape: tuple[int, int]
) -> Spread:
    """Say where in whole images objects lie.

    Args:
        sizes: height and width of the images that synthetic windows were cut from, by file: a window is put back there.
        shape: height and width of the heat map.
    """
    frames = {position: _frame(dataset[position], sizes) for position in dict.fromkeys(o.position for o in objects)}
    heat = np.zeros(shape)
    middles, distances = np.zeros((len(objects), 2)), np.zeros(len(objects))
    areas = np.zeros(len(objects))
    tight = (each for batch in in_batches(item.full for item in objects) for each in regions(batch))
    for k, (item, (x, y, mask)) in enumerate(zip(objects, tight, strict=True)):
        left, top, width, height = frames[item.position]
        (down, across), left, top = mask.shape, left + x, top + y
        middles[k] = (left + across / 2) / width, (top + down / 2) / height
        distances[k] = min(left, top, width - left - across, height - top - down) / min(width, height)
        rows, columns = np.nonzero(mask)
        areas[k] = len(rows)
        heat += _covered(rows + top, columns + left, (height, width), shape)
    return Spread(
        x=middles[:, 0],
        y=middles[:, 1],
        edge=distances,
        area=areas,
        image=np.array([item.position for item in objects], np.int64),
        heat=_smooth(heat),
    )


def _frame(record: ImageRecord, sizes: Mapping[str, tuple[int, int]]) -> Frame:
    """Return where a record's image lies in the whole one, and how large that is: left, top, width, height."""
    origin = origin_of(record)
    whole = sizes.get(origin.base) if origin is not None else None
    if origin is None or origin.region is None or whole is None:
        return (0, 0, record.width, record.height)
    return (origin.region.left, origin.region.top, whole[1], whole[0])


def _covered(
    rows: NDArray[np.int64], columns: NDArray[np.int64], size: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Return which share of each place of the whole image of a size (height, width) pixels cover."""
    height, width = size
    down = np.minimum(rows * shape[0] // height, shape[0] - 1)
    across = np.minimum(columns * shape[1] // width, shape[1] - 1)
    counts = np.bincount(down * shape[1] + across, minlength=shape[0] * shape[1]).reshape(shape)
    return np.minimum(counts * (shape[0] * shape[1]) / (width * height), 1)


def _smooth(heat: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur a heat map a little, so that few objects show a tendency, and bring its largest value to 1."""
    blurred = cv2.GaussianBlur(heat, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred / max(float(blurred.max()), 1e-9))


def map_shape(dataset: Dataset) -> tuple[int, int]:
    """Return height and width of a heat map in the usual shape of a data set's images."""
    ratio = float(np.median([record.height / record.width for record in dataset])) if len(dataset) else 1.0
    return min(max(round(MAP_WIDTH * ratio), 8), 2 * MAP_WIDTH), MAP_WIDTH


def compare(label: str, real: Spread, synthetic: Spread) -> Iterator[Comparison]:
    """Compare the objects of a class: across, down, from the image's edge, and in size."""
    for name in ("x", "y", "edge", "area"):
        known, made = real.of(name), synthetic.of(name)
        scaled, drawn = (np.log(known), np.log(made)) if name == "area" else (known, made)
        edges = _edges(np.concatenate([known, made]), name)
        spread = max(float(scaled.std()) if len(scaled) else 0.0, _LEAST[name])
        yield Comparison(
            label=label,
            name=name,
            real_counts=_counts(known, edges),
            synthetic_counts=_counts(made, edges),
            edges=tuple(edges.tolist()),
            distance=wasserstein(scaled, drawn) / spread if len(known) and len(made) else None,
            floor=_floor(scaled, real.image, most=len(made), spread=spread),
        )


def _edges(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    if name != "area":
        return np.linspace(0, 0.5 if name == "edge" else 1, BINS + 1)
    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 1.0)
    return np.geomspace(low / 1.1, high * 1.1, BINS + 1)


def _counts(values: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(np.histogram(values, edges)[0].tolist())


def _floor(values: NDArray[np.float64], images: NDArray[np.int64], *, most: int, spread: float) -> float | None:
    """Return the 90 % point of the distances between random halves of the images, the second of `most` objects at most."""
    known = np.unique(images)
    if len(known) < FEWEST or not most:
        return None
    rng = streams.generator(0, "halves", len(values))
    distances = []
    for _ in range(SPLITS):
        first = np.isin(images, rng.permutation(known)[: len(known) // 2])
        distances.append(wasserstein(values[first], rng.permutation(values[~first])[:most]))
    return float(np.quantile(distances, 0.9)) / spread


def wasserstein(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the Wasserstein-1 distance between two samples [n] and [m]: the area between their distribution functions.

    >>> wasserstein(np.array([0.0, 1.0]), np.array([1.0, 2.0, 1.0, 2.0]))
    1.0
    """
    first, second = np.sort(first), np.sort(second)
    places = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(values, places[:-1], side="right") / len(values) for values in (first, second)]
    return float(np.abs(shares[0] - shares[1]) @ np.diff(places))


# In words


def state_of(comparison: Comparison) -> str:
    """Return "fits", "near", "apart", or "unknown" where there are too few objects."""
    if comparison.distance is None or comparison.floor is None:
        return "unknown"
    if comparison.distance <= max(comparison.floor, SMALL):
        return "fits"
    return "near" if comparison.distance <= max(CHANCE * comparison.floor, LARGE) else "apart"


def words_of(comparison: Comparison) -> str:
    """Say whether a comparison fits, and if not, what is different; where no more than chance can explain it, that."""
    state = state_of(comparison)
    if state in ("fits", "unknown"):
        return {"fits": "fits", "unknown": "too few to say"}[state]
    words, small = _different(comparison)
    if state == "near" and small:
        return f"slightly {words}"
    chance = state == "near" and float(comparison.distance or 0) <= CHANCE * float(comparison.floor or 0)
    return f"{words}, which may be chance" if chance else words


def _different(comparison: Comparison) -> tuple[str, bool]:
    """Return what is different, and whether it is so little that one may call it slight."""
    edges = np.log(comparison.edges) if comparison.name == "area" else np.array(comparison.edges)
    real, made = (
        np.array(counts) / max(sum(counts), 1) for counts in (comparison.real_counts, comparison.synthetic_counts)
    )
    between = (np.cumsum(real) - np.cumsum(made)) @ np.diff(edges)
    whole = np.abs(np.cumsum(real) - np.cumsum(made)) @ np.diff(edges)
    if abs(between) < 0.5 * whole:
        wider = _deviation(made, edges) > _deviation(real, edges)
        return _SPREAD[comparison.name][int(wider)], bool(whole <= _SLIGHT[comparison.name])
    word = _SHIFT[comparison.name][int(between > 0)]
    by = f"a factor of {math.exp(abs(between)):.1f}" if comparison.name == "area" else f"{abs(between):.0%}"
    return f"{word} by {by}", bool(abs(between) <= _SLIGHT[comparison.name])


_SLIGHT = {"x": 0.1, "y": 0.1, "edge": 0.05, "area": math.log(1.35)}
"""Shifts of the image's sides, and of ln(area), up to which a person says "slightly"."""
_SHIFT = {
    "x": ("further left", "further right"),
    "y": ("higher up", "further down"),
    "edge": ("nearer to the edge", "further from the edge"),
    "area": ("smaller", "larger"),
}
_SPREAD = {
    "x": ("less spread out", "more spread out"),
    "y": ("less spread out", "more spread out"),
    "edge": ("less spread out", "more spread out"),
    "area": ("sizes less varied", "sizes more varied"),
}


def _deviation(shares: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    middles = (edges[1:] + edges[:-1]) / 2
    mean = float(shares @ middles)
    return float(shares @ (middles - mean) ** 2)
