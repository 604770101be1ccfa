"""The fit of a synthetic set: where its objects lie and how large they are beside the real ones, drawn and in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from coigan_aug.annotations.batches import extents
from coigan_aug.annotations.records import DefectClass
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.report import plots
from coigan_aug.report.distributions import Comparison, compare, image_sizes, map_shape, spread_of
from coigan_aug.report.figure import MUTED, chart, colour, inline, ticks, under
from coigan_aug.store.dataset import Dataset

_UNDER = {
    "x": "from the left edge to the right one",
    "y": "from the upper edge to the lower one",
    "edge": "from the image's nearest edge, share of its shorter side",
    "area": "area of an object, px",
}
FEW = 10  # objects: charts of fewer show chance
TITLES = {"x": "Across", "y": "Down", "edge": "From the edge", "area": "Size"}


@dataclass(frozen=True, kw_only=True)
class ClassFit:
    """A class: numbers of real and synthetic objects, its comparisons, its heat maps and charts (title, chart)."""

    item: DefectClass
    real: int
    synthetic: int
    compared: tuple[Comparison, ...]
    maps: tuple[tuple[str, Markup], ...]
    charts: tuple[tuple[str, Markup], ...]


def fits_of(
    real: Dataset, drawn: Dataset, *, objects: Sequence[DefectObject], made: Sequence[DefectObject], least_area: int,
    most: int,
) -> Iterator[ClassFit]:  # fmt: skip
    """Compare the synthetic objects of each class with those of the real training images; no image is read.

    Args:
        objects: those of the real training images at full size; `made` are the synthetic ones.
        least_area: objects of fewer px are left out; training takes no shapes from them.
        most: how many classes get charts, the first ones; the others, and those with fewer than FEW objects on either
            side, get their numbers alone.
    """
    sizes, shape = image_sizes(real), map_shape(real)
    objects, made = (_large(own, least_area) for own in (objects, made))
    for k, item in enumerate(real.classes):
        label = drawn.names.index(item.name) if item.name in drawn.names else -1
        first = spread_of(real, [defect for defect in objects if defect.label == k], sizes=sizes, shape=shape)
        second = spread_of(drawn, [defect for defect in made if defect.label == label], sizes=sizes, shape=shape)
        compared = tuple(compare(item.name, first, second))
        drawable = k < most and min(len(first.x), len(second.x)) >= FEW
        maps: list[tuple[str, Markup]] = []
        charts: list[tuple[str, Markup]] = []
        if drawable:
            for kind, spread in (("real", first), ("synthetic", second)):
                maps.append((f"Where, {kind}", plots.places(spread.heat, item, f"fit{k}-{kind}", kind=kind)))
            for quantity in compared:
                charts.append((TITLES[quantity.name], histogram(quantity, colour(item), f"fit{k}-{quantity.name}")))
        yield ClassFit(
            item=item,
            real=len(first.x),
            synthetic=len(second.x),
            compared=compared,
            maps=tuple(maps),
            charts=tuple(charts),
        )


def _large(objects: Sequence[DefectObject], least_area: int) -> list[DefectObject]:
    sizes = extents([item.full for item in objects])
    return [item for item, (area, _) in zip(objects, sizes, strict=True) if area >= least_area]


def histogram(comparison: Comparison, shade: str, key: str) -> Markup:
    """Steps: the shares of the real objects filled in grey, those of the synthetic ones as a line in the class' colour."""
    axes = chart(180, left=44, right=14, top=26)
    real, made = (
        np.array(counts) / max(sum(counts), 1) for counts in (comparison.real_counts, comparison.synthetic_counts)
    )
    axes.stairs(real, comparison.edges, fill=True, color=MUTED, alpha=0.4, linewidth=0)
    axes.stairs(made, comparison.edges, color=shade, linewidth=2)
    for left, text, tone in ((44, "▇ real", MUTED), (110, "▁ synthetic", shade)):
        axes.annotate(text, (left, 164), xycoords="figure pixels", fontsize=11, color=tone)
    axes.set_xlim(comparison.edges[0], comparison.edges[-1])
    axes.set_ylim(0, 1.08 * max(float(real.max()), float(made.max()), 1e-9))
    axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.tick_params(axis="y", labelsize=10.5)
    if comparison.name == "area":
        axes.set_xscale("log")
        ticks(axes, plots.log_ticks(comparison.edges[0], comparison.edges[-1]), lambda value: f"{value:,.10g}")
    else:
        ticks(axes, np.linspace(0, comparison.edges[-1], 6 if comparison.name == "edge" else 5).tolist(), _percent)
    under(axes, _UNDER[comparison.name])
    return inline(axes, key, f"{TITLES[comparison.name]}: {comparison.label}, synthetic beside real")


def _percent(value: float, _: int = 0) -> str:
    return f"{value:.0%}"
