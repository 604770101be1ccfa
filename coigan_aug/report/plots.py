"""Charts of the data and of the training."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from coigan_aug.annotations.records import DefectClass
from coigan_aug.data.counting import ClassCount
from coigan_aug.data.statistics import ImageStatistics
from coigan_aug.report.figure import ACCENT, INK, LINE, MUTED, chart, colour, inline, rows, ticks, under, write
from coigan_aug.report.inventory import ClassInventory, Inventory

DOTS = 250
POINTS = 300
BARS = 19
_ONE = 1e-8
_NEAR = 1e-6  # of a step, by which a tick may lie outside
MOST = 4


def class_balance(inventory: Inventory) -> Markup:
    """Bars: objects of each class, train full and test pale."""
    classes = inventory.classes
    axes = chart(46 + 44 * len(classes), right=54)
    rows(axes, [row.item.name for row in classes])
    most = max([row.train for row in classes] + [row.test for row in classes] + [1])
    for k, row in enumerate(classes):
        for shift, count, strength in ((-0.18, row.train, 1.0), (0.18, row.test, 0.4)):
            axes.barh(k + shift, count, height=0.3, color=colour(row.item), alpha=strength, linewidth=0)
            write(axes, count, k + shift, f"{count:,}")
    axes.set_xlim(0, most)
    ticks(axes, nice(0, most), lambda value: f"{value:,.0f}")
    under(axes, "objects (upper bar train, lower bar test)")
    return inline(axes, "balance", "Objects of each class in train and test")


def object_sizes(inventory: Inventory) -> Markup:
    """Dots on a logarithmic scale: the area of each object, and each class' median."""
    axes = _dots(inventory.classes, [row.areas.astype(np.float64) for row in inventory.classes])
    under(axes, "area of an object, px (each dot one object; line: median)")
    return inline(axes, "sizes", "Areas of the objects of each class, in pixels, logarithmic")


def aspect_ratios(inventory: Inventory) -> Markup:
    """Dots on a logarithmic scale: width / height of each object's box."""
    axes = _dots(inventory.classes, [row.aspects for row in inventory.classes])
    axes.axvline(1, color=MUTED, linewidth=1, zorder=0.5)
    under(axes, "width / height of an object's box (line: median)")
    return inline(axes, "aspects", "Width by height of the boxes of the objects of each class, logarithmic")


def _dots(classes: Sequence[ClassInventory], values: Sequence[NDArray[np.float64]]) -> Axes:
    axes = chart(46 + 38 * len(classes))
    rows(axes, [row.item.name for row in classes])
    axes.set_xscale("log")
    for k, (row, numbers) in enumerate(zip(classes, values, strict=True)):
        if len(numbers):
            shown = np.sort(numbers)[np.unique(np.linspace(0, len(numbers) - 1, DOTS).round().astype(int))]
            jitter = (np.arange(len(shown)) * 0.6180339887 % 1 - 0.5) * 0.62
            axes.scatter(shown, k + jitter, s=9, color=colour(row.item), alpha=0.45, linewidth=0)
            axes.plot([np.median(numbers)] * 2, [k - 0.38, k + 0.38], color=INK, linewidth=2)
    everything = np.concatenate([numbers for numbers in values if len(numbers)] or [np.ones(1)])
    low, high = float(everything.min()) / 1.3, float(everything.max()) * 1.3
    axes.set_xlim(low, high)
    ticks(axes, log_ticks(low, high), lambda value: f"{value:,.10g}")
    return axes


def group_sizes(inventory: Inventory) -> Markup:
    """Bars: how many groups of near-duplicates have how many images; the last bar holds all larger ones."""
    sizes = np.minimum(np.array(inventory.groups, np.int64), BARS)
    counts = np.bincount(sizes, minlength=2)[1:]
    axes = chart(46 + 44 * max(len(inventory.classes), 3), left=44)
    axes.bar(range(1, len(counts) + 1), counts, width=0.72, color=ACCENT, linewidth=0)
    axes.xaxis.grid(False)
    step = 1 if len(counts) <= 10 else 2
    more = max(inventory.groups, default=0) > BARS
    ticks(axes, list(range(1, len(counts) + 1, step)), lambda v: f"{v:.0f}+" if more and v == BARS else f"{v:.0f}")
    axes.tick_params(axis="y", labelsize=10.5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    under(axes, "images in a group")
    return inline(axes, "groups", "Number of groups by the images in them")


def places(shares: NDArray[np.float64], item: DefectClass, key: str, *, kind: str = "") -> Markup:
    """Heat map: where in the images the objects of a class lie, float [h, w], darkest at the most frequent place.

    `kind` is "real", "synthetic" or nothing.
    """
    height = 360 * shares.shape[0] / shares.shape[1] + 4
    axes = chart(height, left=10, right=10, top=2, bottom=2)
    shade = np.zeros((*shares.shape, 4))
    shade[..., :3] = np.array(item.colour) / 255
    shade[..., 3] = shares / max(float(shares.max()), 1e-9)
    axes.imshow((shade * 255).round().astype(np.uint8), interpolation="none", aspect="auto")
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=LINE)
    return inline(axes, key, f"Where in the images {f'{kind} {item.name}'.strip()} lies")


CURVES = (
    ("Discriminators", "defect_logistic", "reference_logistic", 2 * math.log(2)),
    ("Generator against them", "generator_adversarial", "generator_reference_adversarial", math.log(2)),
)
_NAMED = {name for _, first, second, _ in CURVES for name in (first, second)}


_WEIGHTS = {
    "defect_logistic": "discriminator_weight", "reference_logistic": "discriminator_weight",
    "generator_adversarial": "adversarial", "generator_reference_adversarial": "reference_adversarial",
}  # fmt: skip
"""The setting that each adversarial loss was weighted with."""


def training_curves(
    metrics: Sequence[Mapping[str, float]], *, train: Mapping[str, Any] | None = None
) -> list[tuple[str, Markup]]:
    """Draw losses over samples seen, (title, chart): the adversarial ones in pairs, the others one by one.

    A loss that was logged less than twice is left out.

    Args:
        train: the settings of the section `train` that the losses were weighted with; 1 where there is none.
    """
    logged = Counter(name for line in metrics for name in line)
    out: list[tuple[str, Markup]] = []
    for title, first, second, even in CURVES:
        pair = [(first, ACCENT, "defects alone"), (second, INK, "whole image")]
        known = [line for line in pair if logged[line[0]] > 1]
        if known:
            levels = {even * float((train or {}).get(_WEIGHTS[name], 1)) for name, *_ in known}
            axes = _curve(metrics, known, even=levels)
            out.append((title, inline(axes, f"curve{len(out)}", f"{title}: losses over samples seen")))
    for name in logged:
        if name not in _NAMED | {"images"} and logged[name] > 1:
            axes = _curve(metrics, [(name, ACCENT, "")])
            title = loss_title(name)
            out.append((title, inline(axes, f"curve{len(out)}", f"{title} over samples seen")))
    return out


def loss_title(name: str) -> str:
    """Return what a page calls a loss, or a measurement, of the training's log.

    >>> loss_title("reference_mismatch")
    'Wrong masks on whole images'
    """
    if name in _TITLES:
        return _TITLES[name]
    who, _, rest = name.partition("_")
    title = _PENALTIES.get(rest, "").format({"defect": "defects alone", "reference": "whole images"}.get(who, ""))
    return title or name.replace("_", " ")


_PENALTIES = {
    "mismatch": "Wrong masks on {}",
    "r1": "Steepness at real pictures, {}",
    "r2": "Steepness at drawn pictures, {}",
    "gradient_penalty": "Steepness between real and drawn, {}",
    "accuracy": "Told rightly before the step, {}",
}
_TITLES = {
    "kid": "Distance from real defects (KID)",
    "generator_paired": "Erased real defects drawn again, L1",
    "generator_contrast": "Brightness against the surroundings",
    "generator_smooth_l1": "Change outside the masks, L1",
    "generator_perceptual": "Change outside the masks, perceptual",
    "generator_discriminator_perceptual": "Change outside the masks, in the discriminator's features",
    "generator_path_length": "Path length",
}


def _curve(
    metrics: Sequence[Mapping[str, float]], lines: Sequence[tuple[str, str, str]], *, even: Collection[float] = ()
) -> Axes:
    """Draw named losses (name, colour, label), and across the levels at which nothing is decided."""
    several = bool(even)
    axes = chart(190 if several else 174, left=44, right=14, top=26 if several else 10)
    most = max((line["images"] for line in metrics), default=1)
    for name, shade, _ in lines:
        points = [(line["images"], line[name]) for line in metrics if name in line]
        shown = thin(np.array(points, np.float64).reshape(-1, 2), POINTS)
        axes.plot(*shown.T, color=shade, linewidth=1, alpha=0.28)
        axes.plot(*smooth(shown).T, color=shade, linewidth=2)
    for level in even:
        axes.axhline(level, color=MUTED, linewidth=1, dashes=(3, 3))
    keys = [(shade, f"— {label}") for _, shade, label in lines if label]
    for k, (shade, label) in enumerate([*keys, (MUTED, "┄ undecided")] if several else []):
        axes.annotate(label, (44 + 112 * k, 174), xycoords="figure pixels", fontsize=11, color=shade)
    axes.set_xlim(0, most)
    axes.tick_params(axis="y", labelsize=10.5)
    ticks(axes, nice(0, most), thousands)
    under(axes, "samples seen")
    return axes


def smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average points [n, 2] over a moving window of a twelfth of them; the ends average over what is there."""
    reach = max(len(points) // 24, 1)
    parts = [points[max(k - reach, 0) : k + reach + 1] for k in range(len(points))]
    return np.array([(points[k, 0], part[:, 1].mean()) for k, part in enumerate(parts)]).reshape(-1, 2)


def thin(points: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Average neighbouring points [n, 2] until at most `most` are left."""
    if len(points) <= most:
        return points
    return np.array([part.mean(axis=0) for part in np.array_split(points, most)])


def nice(low: float, high: float, *, about: int = 4) -> list[float]:
    """Return round numbers between two others, `about` of them: multiples of 1, 2 or 5 times a power of ten.

    Two numbers that differ by less than some 1e-8 of themselves are one: floats between them are not evenly spaced.

    >>> nice(0, 97)
    [0.0, 20.0, 40.0, 60.0, 80.0]
    """
    if not high - low > _ONE * max(abs(low), abs(high)):
        return [low]
    raw = (high - low) / about
    power = math.floor(math.log10(raw))
    step = min((10.0**power * factor for factor in (1, 2, 5, 10)), key=lambda value: abs(value - raw))
    first, last = math.ceil(low / step - _NEAR), math.floor(high / step + _NEAR)
    return [round(k * step, -power) for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten between two numbers, or where there are fewer than two, 1, 2 and 5 times them."""
    powers = [10.0**k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    inside = [value for value in powers if low <= value <= high]
    return inside if len(inside) > 1 else [v * f for v in powers for f in (1, 2, 5) if low <= v * f <= high]


def thousands(value: float) -> str:
    """Write a count briefly: 950, 4k, 1.5M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def class_counts(classes: Sequence[ClassInventory], counts: Sequence[ClassCount]) -> Markup:
    """Bars: objects of each class, full, and the images they are in, pale."""
    axes = chart(46 + 44 * len(classes), right=54)
    rows(axes, [row.item.name for row in classes])
    by_name = {row.name: row for row in counts}
    most = max([len(row.objects) for row in classes] + [1])
    for k, row in enumerate(classes):
        images = by_name[row.item.name].images
        for shift, count, strength in ((-0.18, len(row.objects), 1.0), (0.18, images, 0.4)):
            axes.barh(k + shift, count, height=0.3, color=colour(row.item), alpha=strength, linewidth=0)
            write(axes, count, k + shift, f"{count:,}")
    axes.set_xlim(0, most)
    ticks(axes, nice(0, most), lambda value: f"{value:,.0f}")
    under(axes, "upper bar objects, lower bar images with any")
    return inline(axes, "counts", "Objects of each class, and images that hold any")


def objects_an_image(classes: Sequence[ClassInventory]) -> Markup:
    """Stacked bars: which share of a class' images holds one, two, three, four or more objects of it."""
    axes = chart(46 + 38 * len(classes))
    rows(axes, [row.item.name for row in classes])
    for k, row in enumerate(classes):
        images = np.unique([item.position for item in row.objects], return_counts=True)[1]
        counts = np.bincount(np.minimum(images, MOST), minlength=MOST + 1)[1:]
        left = 0.0
        for number, share in enumerate((counts / max(counts.sum(), 1)).tolist(), start=1):
            axes.barh(k, share, left=left, height=0.56, color=colour(row.item), alpha=number / MOST, linewidth=0)
            if share > 0.08:
                text = f"{number}+" if number == MOST else str(number)
                write(axes, left + share / 2, k, text, align="center")
            left += share
    axes.set_xlim(0, 1)
    ticks(axes, [0, 0.25, 0.5, 0.75, 1], lambda value: f"{value:.0%}")
    under(axes, "of the images with the class, by objects in an image")
    return inline(axes, "frequency", "Number of objects in the images of each class")


def brightness(looks: ImageStatistics) -> Markup:
    """Steps: how many images have which mean brightness."""
    axes = chart(190, left=44, right=14)
    edges = np.linspace(0, 256, len(looks.brightness_counts) + 1)
    axes.stairs(looks.brightness_counts, edges, fill=True, color=ACCENT, alpha=0.75, linewidth=0)
    axes.set_xlim(0, 256)
    axes.set_ylim(0, 1.08 * max(looks.brightness_counts))
    axes.tick_params(axis="y", labelsize=10.5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    ticks(axes, [0, 64, 128, 192, 255], lambda value: f"{value:.0f}")
    under(axes, "mean brightness of an image, 0 to 255")
    return inline(axes, "brightness", "Number of images by their mean brightness")


def image_sizes(sizes: Sequence[tuple[int, int]]) -> Markup:
    """Dots: width and height of each image, in pixels."""
    axes = chart(240, left=52, right=14)
    heights, widths = np.array(sizes).T
    axes.scatter(widths, heights, s=10, color=ACCENT, alpha=0.4, linewidth=0)
    axes.set_xlim(0, 1.06 * widths.max())
    axes.set_ylim(0, 1.06 * heights.max())
    axes.tick_params(axis="y", labelsize=10.5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.set_ylabel("height, px", fontsize=11, color=MUTED, labelpad=5)
    ticks(axes, nice(0, float(widths.max())), lambda value: f"{value:,.0f}")
    under(axes, "width, px (each dot one image)")
    return inline(axes, "image-sizes", "Width and height of the images")
