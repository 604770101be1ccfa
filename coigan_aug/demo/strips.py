"""A procedural stand-in for the Severstal competition: grey steel strips with four kinds of defect.

Grey values are floats until the end. A defect is a map of relative change d, so that a strip with
defects is surface * (1 + d) and equals the strip without wherever d is 0. The mask is where |d| is seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.files import write_bytes
from coigan_aug.imaging import write_image

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]

CLASSES: tuple[str, ...] = ("pit", "crack", "scratch", "scale")
SHARES = (0.30, 0.22, 0.26, 0.22)
VISIBLE = 0.07  # relative change of the grey value from which a pixel belongs to the defect
GAP = 6  # pixels kept free between two defects and to the strip's border


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A picture, grey uint8 [H, W], and by class id (1-4, only those present) its mask, bool [H, W]."""

    image: NDArray[np.uint8]
    masks: dict[int, Mask]


def make_strip(seed: int, index: int, *, height: int = 128, width: int = 800, defective: bool) -> Strip:
    """Make strip `index` of the set `seed`; nothing else decides its pixels.

    Without `defective` it is the same strip before the defects came: pixels further than 1 px from the
    masks are equal. Defects of one strip are at least 6 px apart, so each is one component of its mask.

    Raises:
        ValueError: height is below 96 or width below 256, too small for the defects.
    """
    if height < 96 or width < 256:
        raise ValueError(f"a strip has at least 96 x 256 pixels, not {height} x {width}")
    ends = _dark_ends(rng.generator(seed, "demo.ends", index), width)
    surface = _surface(rng.generator(seed, "demo.surface", index), (height, width), ends=ends)
    masks: dict[int, Mask] = {}
    if defective:
        change, masks = _defects(rng.generator(seed, "demo.defects", index), (height, width), ends=ends)
        surface = surface * (1 + change)
    return Strip(image=np.clip(np.rint(surface), 0, 255).astype(np.uint8), masks=masks)


def write_strips(out: Path, *, count: int = 60, seed: int = 7, clean_share: float = 0.4) -> Path:
    """Write `count` strips as the Severstal competition did and return the CSV's path.

    Makes out/strips/strip_000.jpg ... (grey, JPEG quality 95) and out/strips.csv (ImageId, ClassId,
    EncodedPixels: 1-based column-major runs), with one row for each strip and class that it has;
    strips without a defect, `clean_share` of them, evenly spread, have no row.
    """
    rows = ["ImageId,ClassId,EncodedPixels"]
    for index in range(count):
        before, after = (round(n * (1 - clean_share)) for n in (index, index + 1))
        strip = make_strip(seed, index, defective=after > before)
        name = f"strip_{index:03d}.jpg"
        write_image(out / "strips" / name, strip.image, quality=95)
        rows += [f"{name},{label},{_pixels(mask)}" for label, mask in sorted(strip.masks.items())]
    write_bytes(out / "strips.csv", ("\n".join(rows) + "\n").encode())
    return out / "strips.csv"


def _pixels(mask: Mask) -> str:
    starts, stops = rle.intervals(rle.encode(mask))
    return " ".join(f"{start + 1} {stop - start}" for start, stop in zip(starts, stops, strict=True))


# The surface


def _noise(random: np.random.Generator, shape: tuple[int, int], *, across: float, along: float) -> Field:
    """Return smooth noise of deviation 1 whose grains measure about `across` x `along` pixels (rows, columns)."""
    step_y, step_x = max(1.0, across / 2), max(1.0, along / 2)
    coarse = (int(shape[0] / step_y) + 3, int(shape[1] / step_x) + 3)
    field = cv2.GaussianBlur(
        random.standard_normal(coarse, dtype=np.float32), (0, 0), sigmaX=along / step_x / 2, sigmaY=across / step_y / 2
    )
    field = field / max(float(field.std()), 1e-6)
    return np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _smoothstep(value: Field) -> Field:
    """Return 0 below 0, 1 above 1, and 3v^2 - 2v^3 between."""
    inside = np.clip(value, 0, 1)
    return np.asarray(inside * inside * (3 - 2 * inside), dtype=np.float32)


def _dark_ends(random: np.random.Generator, width: int) -> tuple[int, int]:
    """Return the columns [left, right) that show steel; one strip in four ends within the picture."""
    if random.random() > 0.25:
        return 0, width
    cut = int(width * random.uniform(0.08, 0.3))
    return (cut, width) if random.random() < 0.5 else (0, width - cut)


def _surface(random: np.random.Generator, shape: tuple[int, int], *, ends: tuple[int, int]) -> Field:
    """Return a rolled surface, grey values about 70-150: grain along the rows, lighting, roll marks, sensor noise."""
    grain = 0.030 * _noise(random, shape, across=1.6, along=70) + 0.022 * _noise(random, shape, across=1.2, along=18)
    grain += 0.016 * _noise(random, shape, across=1.0, along=5) + 0.015 * _noise(random, shape, across=14, along=40)
    relief = 1 + random.uniform(0.7, 1.3) * grain + _roll_marks(random, shape)
    grey = random.uniform(78, 138) * relief * _lighting(random, shape) * _steel(random, shape, ends=ends)
    sensor = 1.6 * random.standard_normal(shape, dtype=np.float32)
    return np.asarray(grey + 3 + np.abs(sensor) * 0 + sensor, dtype=np.float32)


def _roll_marks(random: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return fine lines along the whole strip and, across it, the faint ribs of a chattering roll."""
    rows = 0.018 * _noise(random, (shape[0], 4), across=1.5, along=100)[:, :1]
    period, phase = random.uniform(34, 90), random.uniform(0, 6.3)
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    ribs = random.uniform(0, 0.014) * np.sin(columns * (2 * np.pi / period) + phase)
    return np.asarray(rows + ribs, dtype=np.float32)


def _lighting(random: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return the slow change of the light: a slope along, a vault across, and one or two bright bands."""
    y, x = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None], np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    light = 1 + random.uniform(-0.16, 0.16) * x - random.uniform(0, 0.18) * (y - random.uniform(-0.5, 0.5)) ** 2
    for _ in range(int(random.integers(1, 3))):
        middle = random.uniform(-1, 1) + random.uniform(-0.15, 0.15) * x
        light = light + random.uniform(-0.07, 0.10) * np.exp(-(((y - middle) / random.uniform(0.12, 0.4)) ** 2))
    return np.asarray(light * (1 + 0.025 * _noise(random, shape, across=90, along=220)), dtype=np.float32)


def _steel(random: np.random.Generator, shape: tuple[int, int], *, ends: tuple[int, int]) -> Field:
    """Return 1 on the strip and almost 0 beyond its ends, with a slightly slanted and worn edge."""
    wander = 1.2 * _noise(random, (shape[0], 4), across=12, along=100)[:, :1]
    wander = wander + random.uniform(-5, 5) * np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    left = (columns - ends[0] - wander) / 3 if ends[0] > 0 else np.ones_like(columns)
    right = (ends[1] - columns + wander) / 3 if ends[1] < shape[1] else np.ones_like(columns)
    return np.asarray(0.02 + 0.98 * _smoothstep(np.minimum(left, right)), dtype=np.float32)


# The defects: each makes its map of relative change on a canvas of its own


def _defects(random: np.random.Generator, shape: tuple[int, int], *, ends: tuple[int, int]) -> tuple[Field, dict[int, Mask]]:
    """Place 2-5 defects apart from each other; return the change [H, W] and the masks by class id."""
    change, taken = np.zeros(shape, np.float32), np.zeros(shape, bool)
    masks: dict[int, Mask] = {}
    margin = 2 * GAP
    for label in random.choice(len(CLASSES), size=int(random.integers(2, 6)), p=SHARES) + 1:
        patch, mask = _cut_out(DRAW[CLASSES[label - 1]](random))
        h, w = mask.shape
        for _ in range(50):
            top = int(random.integers(GAP, shape[0] - h - GAP + 1))
            left = int(random.integers(ends[0] + (margin if ends[0] else GAP), ends[1] - w - margin))
            near = taken[top - GAP : top + h + GAP, left - GAP : left + w + GAP]
            if not near.any():
                break
