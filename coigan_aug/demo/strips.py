"""A procedural stand-in for the Severstal competition: grey steel strips with four kinds of defect.

Grey values are floats until the end. A defect is a map of relative change d, so that a strip with
defects is surface * (1 + d) and equals the strip without wherever d is 0. The mask is where |d| is seen.
"""

from __future__ import annotations

from collections.abc import Callable
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
SHARES = (0.28, 0.21, 0.27, 0.24)
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
    field = random.standard_normal(coarse, dtype=np.float32)
    field = _blur(field, across / step_y / 2, along / step_x / 2)
    fine = cv2.resize(field / field.std(), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, dtype=np.float32)


def _blur(field: Field, sigma_y: float, sigma_x: float) -> Field:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y), dtype=np.float32)


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
    return np.asarray(grey + 3 + 1.6 * random.standard_normal(shape, dtype=np.float32), dtype=np.float32)


def _roll_marks(random: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return fine lines along the whole strip and, across it, the faint ribs of a chattering roll."""
    rows = 0.018 * _noise(random, (shape[0], 4), across=1.5, along=100)[:, :1]
    period, phase = random.uniform(34, 90), random.uniform(0, 6.3)
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    ribs = random.uniform(0, 0.014) * np.sin(columns * (2 * np.pi / period) + phase)
    return np.asarray(rows + ribs, dtype=np.float32)


def _lighting(random: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return the slow change of the light: a slope along, a vault across, and one or two bright bands."""
    y, x = (
        np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None],
        np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :],
    )
    light = 1 + random.uniform(-0.16, 0.16) * x - random.uniform(0, 0.18) * (y - random.uniform(-0.5, 0.5)) ** 2
    for _ in range(int(random.integers(1, 3))):
        middle = random.uniform(-1, 1) + random.uniform(-0.15, 0.15) * x
        light = light + random.uniform(-0.07, 0.10) * np.exp(-(((y - middle) / random.uniform(0.12, 0.4)) ** 2))
    return np.asarray(light * (1 + 0.025 * _noise(random, shape, across=90, along=220)), dtype=np.float32)


def _steel(random: np.random.Generator, shape: tuple[int, int], *, ends: tuple[int, int]) -> Field:
    """Return 1 on the strip and almost 0 beyond its ends, with a slightly slanted and worn edge."""
    wander = 0.5 * _noise(random, (shape[0], 4), across=24, along=100)[:, :1]
    wander = wander + random.uniform(-5, 5) * np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    left = (columns - ends[0] - wander) / 3 if ends[0] > 0 else np.ones_like(columns)
    right = (ends[1] - columns + wander) / 3 if ends[1] < shape[1] else np.ones_like(columns)
    return np.asarray(0.02 + 0.98 * _smoothstep(np.minimum(left, right)), dtype=np.float32)


# The defects: each draws its map of relative change on a canvas of its own


def _defects(
    random: np.random.Generator, shape: tuple[int, int], *, ends: tuple[int, int]
) -> tuple[Field, dict[int, Mask]]:
    """Place 2-5 defects apart from each other; return the change [H, W] and the masks by class id."""
    change, taken = np.zeros(shape, np.float32), np.zeros(shape, bool)
    masks: dict[int, Mask] = {}
    for label in random.choice(len(CLASSES), size=int(random.integers(2, 6)), p=SHARES) + 1:
        patch, mask = _cut_out(_DRAW[CLASSES[label - 1]](random))
        place = _free_place(random, taken, mask.shape, ends=ends)
        if place is not None:
            change[place] = patch
            taken[place] = True
            masks.setdefault(int(label), np.zeros(shape, bool))[place] = mask
    return change, masks


def _free_place(
    random: np.random.Generator, taken: Mask, size: tuple[int, ...], *, ends: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Find a place for a box on the steel, away from what is taken, its border and its ends; None after 50 tries."""
    low = ends[0] + (3 * GAP if ends[0] > 0 else GAP)
    high = ends[1] - (3 * GAP if ends[1] < taken.shape[1] else GAP)
    for _ in range(50):
        top = int(random.integers(GAP, taken.shape[0] - size[0] - GAP + 1))
        left = int(random.integers(low, high - size[1] + 1))
        if not taken[top - GAP : top + size[0] + GAP, left - GAP : left + size[1] + GAP].any():
            return slice(top, top + size[0]), slice(left, left + size[1])
    return None


def _cut_out(change: Field) -> tuple[Field, Mask]:
    """Cut a drawn defect to its mask's box and 1 px more: the change, 0 beyond 1 px from the mask, and the mask.

    The mask is the largest connected part of what is visible, its holes below 16 px filled.
    """
    seen = cv2.morphologyEx((np.abs(change) > VISIBLE).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - seen, connectivity=4)
    seen = np.maximum(seen, (stats[:, cv2.CC_STAT_AREA] < 16)[labels].astype(np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(seen, connectivity=8)
    mask = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    near = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    x, y, w, h = cv2.boundingRect(near)
    box = slice(y, y + h), slice(x, x + w)
    return np.asarray(change[box] * near[box], dtype=np.float32), mask[box] > 0


def _grid(size: int) -> tuple[Field, Field]:
    """Return the coordinates (x, y) of a square canvas, pixels from its middle."""
    axis = np.arange(size, dtype=np.float32) - (size - 1) / 2
    return np.broadcast_to(axis[None, :], (size, size)), np.broadcast_to(axis[:, None], (size, size))


def _pit(random: np.random.Generator) -> Field:
    """A hollow of one to three lobes, 12-35 px: dark, darkest under its upper wall, the lower rim bright."""
    x, y = _grid(72)
    radius = random.uniform(3.5, 10)
    depth = np.zeros_like(x)
    for lobe in range(int(random.integers(1, 4))):
        share = 1.0 if lobe == 0 else random.uniform(0.45, 0.8)
        angle, away = random.uniform(0, 2 * np.pi), 0.0 if lobe == 0 else 0.9 * radius
        dx, dy = x - away * np.cos(angle), y - away * np.sin(angle)
        reach = np.hypot(dx / random.uniform(0.9, 1.35), dy) / (radius * share)
        depth = np.maximum(depth, share * _smoothstep((1.2 - reach) / 0.55))
    depth = depth * (1 + 0.18 * _noise(random, (72, 72), across=4, along=4)) * (depth > 0)
    depth = _blur(depth, 0.7, 0.7)
    slope = np.roll(depth, 1, axis=0) - np.roll(depth, -1, axis=0)
    rim = _blur(np.roll(np.clip(slope, 0, 0.6), 2, axis=0), 0.7, 0.7)
    strength = random.uniform(0.42, 0.62)
    change = -strength * depth * (1 - 0.6 * rim) + random.uniform(0.5, 0.9) * rim + 0.3 * np.clip(slope, None, 0)
    return np.asarray(np.maximum(change, -0.85), dtype=np.float32)


def _scratch(random: np.random.Generator) -> Field:
    """A long thin groove, 20-80 px, slightly bent, mostly along the rolling direction: bright core, dark flank."""
    x, y = _grid(112)
    along_rolling = random.random() < 0.75
    angle = random.normal(0, 0.22) if along_rolling else random.uniform(-1.2, 1.2)
    half = random.uniform(16, 43) if along_rolling else random.uniform(13, 28)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    bend = random.uniform(-2.5, 2.5) * (u / half) ** 2 + random.uniform(-0.7, 0.7) * np.sin(u / half * 2.5)
    jitter = 0.25 * _noise(random, (4, 112), across=100, along=7)[0]
    columns = np.clip(u + 55.5, 0, 111).astype(np.int32)
    offset = v - bend - jitter[columns]
    force = 0.85 + 0.22 * _noise(random, (4, 112), across=100, along=7)[0]
    fade = _smoothstep((1 - np.abs(u) / half) * random.uniform(2, 4)) * np.clip(force, 0.4, 1.25)[columns]
    width, side = random.uniform(0.7, 1.3), random.choice([-1.0, 1.0])
    core = np.exp(-((offset / width) ** 2))
    flank = np.exp(-(((offset - side * 1.9 * width) / (0.9 * width)) ** 2))
    strength = random.uniform(0.55, 0.9)
    return np.asarray(strength * fade * (core - 0.55 * flank), dtype=np.float32)


def _crack(random: np.random.Generator) -> Field:
    """A dark jagged line with up to three branches, 14-58 px, thinning towards its ends."""
    heading = random.uniform(0.5, 2.6) * random.choice([-1.0, 1.0])
    length = random.uniform(24, 58)
    start = -0.5 * length * np.array([np.cos(heading), np.sin(heading)])
    trunk = _walk(random, start, heading=heading, length=length)
    paths = [(trunk, random.uniform(1.3, 2.0))]
    for _ in range(int(random.integers(0, 4))):
        root = int(random.integers(len(trunk) // 5, len(trunk) * 4 // 5))
        turned = heading + random.uniform(0.4, 0.9) * random.choice([-1.0, 1.0])
        branch = _walk(random, trunk[root], heading=turned, length=length * random.uniform(0.15, 0.4))
        paths.append((branch, random.uniform(0.9, 1.3)))
    line = _ink(random, paths)
    halo = _blur(line, 1.6, 1.6)
    rim = np.roll(line, (1, 1), axis=(0, 1))
    return np.asarray(-random.uniform(0.6, 0.8) * line - 0.12 * halo + 0.14 * rim * (1 - line), dtype=np.float32)


def _ink(random: np.random.Generator, paths: list[tuple[NDArray[np.float64], float]]) -> Field:
    """Draw paths of a width in px, thinning to their ends, at 4 times the size; return the canvas reduced."""
    size, scale = 88, 4
    ink = np.zeros((size * scale, size * scale), np.float32)
    for path, width in paths:
        points = np.rint((path + size / 2) * scale).astype(np.int32)
        thinning = np.linspace(1, 0.4, len(points) - 1) * random.uniform(0.7, 1.25, len(points) - 1) * width * scale
        for a, b, thickness in zip(points[:-1], points[1:], thinning, strict=True):
            cv2.line(ink, a.tolist(), b.tolist(), 1.0, max(1, round(float(thickness))), cv2.LINE_8)
    return _blur(np.asarray(cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA), dtype=np.float32), 0.6, 0.6)


def _walk(
    random: np.random.Generator, start: NDArray[np.float64], *, heading: float, length: float
) -> NDArray[np.float64]:
    """Return the points [n, 2] of a jagged path of about `length` px whose steps turn round one heading."""
    steps = max(3, int(length / 2.6))
    turns = heading + random.normal(0, 0.65, steps) + 0.3 * np.sin(np.linspace(0, random.uniform(1, 5), steps))
    moves = random.uniform(1.6, 4.0, (steps, 1)) * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def _scale(random: np.random.Generator) -> Field:
    """A flat patch of rolled-in scale, 20-75 px, drawn out along the rows: dark, mottled, ragged at its edge."""
    size = 104
    x, y = _grid(size)
    half_x, half_y = random.uniform(12, 26), random.uniform(7, 15)
    ragged = 0.32 * _noise(random, (size, size), across=9, along=16)
    ragged = ragged + 0.16 * _noise(random, (size, size), across=3, along=6)
    alpha = _smoothstep((1.05 - np.hypot(x / half_x, y / half_y) + 0.6 * ragged) / 0.16)
    streaks = _noise(random, (size, size), across=2, along=9) + 0.8 * _noise(random, (size, size), across=2.5, along=3)
    tone = -random.uniform(0.26, 0.40) + 0.11 * streaks
    tone = np.where(streaks > 1.9, tone + 0.35, tone)
    return _blur(np.asarray(alpha * np.clip(tone, -0.65, 0.3), dtype=np.float32), 0.6, 0.6)


_DRAW: dict[str, Callable[[np.random.Generator], Field]] = {
    "pit": _pit,
    "crack": _crack,
    "scratch": _scratch,
    "scale": _scale,
}
