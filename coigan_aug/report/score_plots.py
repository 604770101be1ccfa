"""Charts of results: scores of the arms, differences with their intervals, distances beside their floors."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes

from coigan_aug.evaluation.numbers import TITLES, ArmScores
from coigan_aug.report.figure import ACCENT, INK, MUTED, PAPER, chart, evenly, inline, plain, rows, ticks, under, write
from coigan_aug.report.plots import nice
from coigan_aug.report.scores import PERCENT, Difference, Estimate, percent, percents, signed, value_of

NUMBERS = 124


def verdict_bar(difference: Difference) -> Markup:
    """Draw one interval against nothing: the width of what is not known."""
    axes = chart(64, left=14, right=14, top=8, bottom=30)
    axes.set_ylim(0.7, -0.7)
    axes.set_yticks([])
    _interval(axes, 0, difference.estimate, ACCENT, size=9)
    _differences(axes, [difference.estimate])
    under(
        axes,
        f"{difference.arm} minus {difference.against}, points of {TITLES.get(difference.measure, difference.measure)}",
    )
    return inline(axes, "verdict-bar", f"{difference.arm} minus {difference.against}: {signed(difference.estimate)}")


def mean_scores(arms: Sequence[ArmScores]) -> Markup:
    """Dots: mean IoU of each arm with its interval, and the single seeds."""
    axes = chart(52 + 34 * len(arms), left=118, right=58)
    rows(axes, [_brief(arm) for arm in arms])
    reach: list[float] = []
    for k, arm in enumerate(arms):
        shade, mean = ACCENT if arm.source == "gan" else INK, percent(arm.mean_iou)
        seeds = [PERCENT * seed.mean_iou for seed in arm.by_seed if seed.mean_iou is not None]
        axes.scatter(seeds, [k + 0.26] * len(seeds), s=12, color=MUTED, alpha=0.6, linewidth=0)
        reach += [*seeds, *(mean.ends if mean else ())]
        if mean:
            _interval(axes, k, mean, shade)
            axes.annotate(
                value_of(mean.mean), (1, k), (8, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center_baseline", fontsize=11, color=shade,
            )  # fmt: skip
    _limits(axes, reach)
    under(axes, "mean IoU on held-out images, % (dots: seeds)")
    return inline(axes, "scores", "Mean IoU of each arm with its 95 % interval")


def forest(differences: Sequence[Difference], key: str, *, reach: Sequence[Estimate]) -> Markup:
    """Draw the differences of one arm to another: all classes together first, then class by class in its colour.

    Args:
        reach: all estimates that the same scale is to show.
    """
    axes = chart(48 + 28 * len(differences), right=NUMBERS)
    rows(axes, [difference.label or "all classes" for difference in differences], bold_first=not differences[0].label)
    for k, difference in enumerate(differences):
        shade = difference.colour or INK
        _interval(axes, k, difference.estimate, shade, size=9 if not difference.label else 7)
        axes.annotate(
            signed(difference.estimate), (1, k), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center_baseline", fontsize=10.5, color=INK if not difference.label else MUTED,
        )  # fmt: skip
    _differences(axes, reach, about=2)
    under(axes, f"difference in {TITLES.get(differences[0].measure, differences[0].measure)}, points")
    return inline(
        axes, key, f"{differences[0].arm} minus {differences[0].against}, class by class, with 95 % intervals"
    )


def class_scores(name: str, shade: str, arms: Sequence[ArmScores], key: str) -> Markup:
    """Bars: a class' IoU in each arm, with the single seeds."""
    axes = chart(40 + 24 * len(arms), left=118, right=48)
    rows(axes, [_brief(arm) for arm in arms])
    for k, arm in enumerate(arms):
        value = percents(arm.iou).get(name)
        seeds = [PERCENT * score for seed in arm.by_seed if (score := seed.iou.get(name)) is not None]
        if value is None:
            write(axes, 0, k, "no test pixels")
            continue
        axes.barh(k, value, height=0.62, color=shade, alpha=1.0 if arm.source == "gan" else 0.5, linewidth=0)
        axes.scatter(seeds, [k] * len(seeds), s=8, color=INK, alpha=0.55, linewidth=0)
        axes.annotate(
            value_of(value), (1, k), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center_baseline", fontsize=10.5, color=INK if arm.source == "gan" else MUTED,
        )  # fmt: skip
    axes.set_xlim(0, 100)
    ticks(axes, [0, 25, 50, 75, 100], lambda value: f"{value:g}")
    under(axes, "IoU, % (dots: seeds)")
    return inline(axes, key, f"IoU of {name} in each arm")


def share_sweep(arms: Sequence[ArmScores]) -> Markup:
    """Lines: mean IoU over the share of synthetic windows, one a source, the GAN with its interval; real across."""
    axes = chart(220, left=48, right=84)
    names: list[tuple[float, str, str]] = []
    means = [(arm, mean) for arm in arms if (mean := percent(arm.mean_iou))]
    level = next((mean for arm, mean in means if arm.source == "real"), None)
    if level:
        axes.axhline(level.mean, color=INK, linewidth=1, dashes=(3, 3))
        names.append((level.mean, "real", INK))
    for k, source in enumerate(dict.fromkeys(arm.source for arm in arms if arm.source != "real")):
        points = sorted((arm.share, mean) for arm, mean in means if arm.source == source)
        shade, estimates = ACCENT if source == "gan" else MUTED, [mean for _, mean in points]
        shares = [share for share, _ in points]
        axes.plot(shares, [e.mean for e in estimates], color=shade, linewidth=2, marker="osD^v"[k % 5], markersize=5)
        if source == "gan":
            axes.fill_between(
                shares, [e.low for e in estimates], [e.high for e in estimates], color=shade, alpha=0.15, linewidth=0
            )
        names += [(estimates[-1].mean, source, shade)] if estimates else []
    ticks(axes, sorted({arm.share for arm in arms if arm.source != "real"}), lambda value: f"{value:g}")
    axes.tick_params(axis="y", labelsize=10.5)
    _name_ends(axes, names)
    under(axes, "share of synthetic windows in a step")
    return inline(axes, "sweep", "Mean IoU over the share of synthetic windows")


def _name_ends(axes: Axes, names: Sequence[tuple[float, str, str]]) -> None:
    """Write (height, text, colour) at the right of a chart, 13 px apart at least."""
    low, high = axes.get_ylim()
    least, below = 13 / 176 * (high - low), low
    for height, text, shade in sorted(names):
        below = max(height, below + least if below > low else height)
        axes.annotate(
            plain(text), (1, below), (8, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            va="center_baseline", fontsize=11, color=shade, annotation_clip=False,
        )  # fmt: skip


def clean_area(arms: Sequence[ArmScores]) -> Markup:
    """Bars: share of the pixels of defect-free test images that each arm calls a defect."""
    axes = chart(46 + 24 * len(arms), left=118, right=62)
    rows(axes, [_brief(arm) for arm in arms])
    areas = [arm.clean_false_positives for arm in arms]
    most = max((area or 0.0 for area in areas), default=0.0) or 1.0
    for k, (arm, area) in enumerate(zip(arms, areas, strict=True)):
        shade = ACCENT if arm.source == "gan" else MUTED
        axes.barh(k, area or 0.0, height=0.6, color=shade, linewidth=0)
        write(axes, area or 0.0, k, "–" if area is None else f"{area:.3%}", colour=INK)
    axes.set_xlim(0, most)
    ticks(axes, nice(0, most, about=3), lambda value: f"{value:.2%}")
    under(axes, "clean surface called a defect")
    return inline(axes, "clean", "Share of clean surface that each arm calls a defect")


def distances(table: Sequence[tuple[str, str | None, Estimate | None, Estimate | None]], key: str, name: str) -> Markup:
    """Dots: the distance of the synthetic data to the test data, and as a ring the floor, that of the training data.

    Args:
        table: (label, colour, synthetic, floor) of each row.
    """
    axes = chart(46 + 30 * len(table), left=98, right=14)
    rows(axes, [label for label, *_ in table])
    for k, (_, shade, made, floor) in enumerate(table):
        if floor and made:
            axes.plot([floor.mean, made.mean], [k, k], color=MUTED, linewidth=1, alpha=0.5)
        if floor:
            _interval(axes, k, floor, MUTED, hollow=True)
        if made:
            _interval(axes, k, made, shade or INK)
    _limits(axes, [0.0, *(end for *_, made, floor in table for one in (made, floor) if one for end in one.ends)])
    under(axes, f"{name} to the held-out real test data")
    return inline(axes, key, f"{name} of the synthetic data to the test data, beside that of the training data")


def _interval(axes: Axes, row: float, estimate: Estimate, shade: str, *, size: float = 8, hollow: bool = False) -> None:
    axes.plot(estimate.ends, [row, row], color=shade, linewidth=2.5, solid_capstyle="round")
    face = PAPER if hollow else shade
    axes.plot(
        [estimate.mean], [row], "o", markersize=size, markerfacecolor=face, markeredgecolor=shade, markeredgewidth=1.5
    )


def _differences(axes: Axes, reach: Sequence[Estimate], *, about: int = 4) -> None:
    """Scale to the estimates with nothing in sight, and draw the line at 0."""
    axes.axvline(0, color=INK, linewidth=1, zorder=0.5)
    low, high = _limits(axes, [0.0, *(end for estimate in reach for end in estimate.ends)])
    values = nice(low, high, about=about)
    form = evenly(values)
    ticks(axes, values, lambda value: f"+{form(value)}" if value > 0 else form(value) if value else "0")


def _limits(axes: Axes, values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.07 * (high - low) or 0.05
    axes.set_xlim(low - room, high + room)
    values = nice(low, high)
    ticks(axes, values, evenly(values))
    return low - room, high + room


def _brief(arm: ArmScores) -> str:
    """Name an arm without the "real" that all but one begin with."""
    return arm.name.replace("real + ", "+ ", 1) if arm.name.startswith("real + ") else arm.name
