"""Charts of what a data set looks like as a whole: frequencies, brightness and sizes of its images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from coigan_aug.data.counting import ClassCount
from coigan_aug.data.statistics import ImageStatistics
from coigan_aug.report.figure import ACCENT, MUTED, chart, colour, inline, rows, ticks, under, write
from coigan_aug.report.inventory import ClassInventory
from coigan_aug.report.plots import nice

MOST = 4


def class_counts(classes: Sequence[ClassInventory], counts: Sequence[ClassCount]) -> Markup:
    """Bars: objects of each class, full, and the images they are in, pale."""
    axes = chart(46 + 44 * len(classes), right=54)
    rows(axes, [own.item.name for own in classes])
    by_name = {own.name: own for own in counts}
    most = max([len(own.objects) for own in classes] + [1])
    for k, own in enumerate(classes):
        images = by_name[own.item.name].images
        for shift, count, strength in ((-0.18, len(own.objects), 1.0), (0.18, images, 0.4)):
            axes.barh(k + shift, count, height=0.3, color=colour(own.item), alpha=strength, linewidth=0)
            write(axes, count, k + shift, f"{count:,}")
    axes.set_xlim(0, most)
    ticks(axes, nice(0, most), lambda value: f"{value:,.0f}")
    under(axes, "upper bar objects, lower bar images with any")
    return inline(axes, "counts", "Objects of each class, and images that hold any")


def objects_an_image(classes: Sequence[ClassInventory]) -> Markup:
    """Stacked bars: which share of a class' images holds one, two, three, four or more objects of it."""
    axes = chart(46 + 38 * len(classes))
    rows(axes, [own.item.name for own in classes])
    for k, own in enumerate(classes):
        images = np.unique([found.position for found in own.objects], return_counts=True)[1]
        counts = np.bincount(np.minimum(images, MOST), minlength=MOST + 1)[1:]
        left = 0.0
        for number, share in enumerate((counts / max(counts.sum(), 1)).tolist(), start=1):
            axes.barh(k, share, left=left, height=0.56, color=colour(own.item), alpha=number / MOST, linewidth=0)
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
