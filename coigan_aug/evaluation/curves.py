"""Two pictures of a benefit test: objects found over clean images alarmed, and what true classes are called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from coigan_aug.evaluation.arms import REAL
from coigan_aug.evaluation.numbers import ArmScores
from coigan_aug.files import atomic_write

CURVE, CONFUSION = "objects-found.png", "confusion.png"
_MOST = 0.3  # share of alarmed images up to which the curve is drawn: nobody works with more
_DOTS = 110


def draw_curve(folder: Path, arms: Sequence[ArmScores]) -> tuple[str, str]:
    """Draw the curves of the arms, a FROC of images, and return title and file name.

    Source: Chakraborty 1989, "Maximum likelihood analysis of free-response receiver operating characteristic (FROC) data";
    here an image without a defect is alarmed or not, however often.
    """
    figure = _figure(7.0, 4.4)
    axes = figure.add_subplot()
    for k, arm in enumerate(arms):
        alarmed, detected = (np.array(values, float) for values in (arm.curve.alarmed, arm.curve.found))
        real = arm.source == REAL
        axes.plot(
            100 * alarmed[alarmed <= _MOST], 100 * detected[alarmed <= _MOST], label=arm.name,
            color="black" if real else f"C{k % 10}", linewidth=2.4 if real else 1.5, linestyle="-" if k < 10 else "--",
        )  # fmt: skip
    axes.set_xlabel("clean test images alarmed, %")
    axes.set_ylabel("objects found, %")
    axes.set_xlim(0, 100 * _MOST)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    return _kept(figure, folder, CURVE, "Objects found over clean test images alarmed (mean over folds and seeds)")


def draw_confusions(
    folder: Path, arms: Sequence[ArmScores], names: Sequence[str], *, about: str | None
) -> tuple[str, str]:
    """Draw what true classes are called, pixels in percent of each row: real alone, and the arm it is about beside it."""
    shown = [arm for arm in arms if arm.source == REAL or arm.name == about]
    labels = ["background", *names]
    side = 1.6 + 0.62 * len(labels)
    figure = _figure(side * len(shown) + 0.4, side + 0.3)
    for k, arm in enumerate(shown, start=1):
        axes = figure.add_subplot(1, len(shown), k)
        counts = np.array(arm.confusion, float)
        shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(shares):
            text = f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if value > 55 else "black")
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontsize=8)
        axes.set_yticks(range(len(labels)), labels, fontsize=8)
        axes.set_xlabel("called")
        axes.set_ylabel("true")
        axes.set_title(arm.name, fontsize=10)
    return _kept(figure, folder, CONFUSION, "What the pixels of each class are called, % of its pixels")


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=_DOTS, layout="constrained")


def _kept(figure: Figure, folder: Path, name: str, title: str) -> tuple[str, str]:
    """Write a figure and return title and file name; the same numbers give the same bytes."""
    with atomic_write(folder / name) as stream:
        figure.savefig(stream, format="png", metadata={"Software": None})
    return title, name
