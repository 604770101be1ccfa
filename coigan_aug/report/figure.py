"""Charts as inline SVG: one size, the page's own fonts and colours, text that stays text."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from coigan_aug.annotations.records import DefectClass
from coigan_aug.errors import plain as spelled_out

WIDTH = 380.0
INK, MUTED, LINE, ACCENT, PAPER = "#15171c", "#5d636e", "#dedbd5", "#2b5d8f", "#fdfcfb"
_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", ACCENT: "--accent", PAPER: "--paper"}
_NAME = 20


def chart(height: float, *, left: float = 78, right: float = 12, top: float = 10, bottom: float = 34) -> Axes:
    """Return empty axes in a figure of WIDTH x `height` px with margins in px and no frame but faint grid lines."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    figure.patch.set_alpha(0)
    room = (left / WIDTH, bottom / height, (WIDTH - left - right) / WIDTH, (height - top - bottom) / height)
    axes: Axes = figure.add_axes(room)
    axes.patch.set_alpha(0)
    axes.tick_params(length=0, labelsize=11, labelcolor=MUTED, pad=6)
    axes.set_axisbelow(True)
    axes.grid(color=LINE, linewidth=1)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def rows(axes: Axes, names: list[str], *, bold_first: bool = False) -> None:
    """Give a chart one named row after the other, from the top; no grid across."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.yaxis.set_major_locator(FixedLocator(list(range(len(names)))))
    axes.set_yticklabels([plain(name) for name in names])
    axes.yaxis.grid(False)
    for k, label in enumerate(axes.get_yticklabels()):
        label.set_color(INK)
        if bold_first and k == 0:
            label.set_fontweight("bold")


def ticks(axes: Axes, values: list[float], form: Callable[[float], str]) -> None:
    """Set the ticks of the horizontal axis."""
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))


def evenly(values: list[float]) -> Callable[[float], str]:
    """Return what writes all of some round numbers with as many decimals as the longest needs."""
    places = max((len(f"{value:.6f}".rstrip("0").partition(".")[2]) for value in values), default=0)
    return lambda value: f"{value:.{places}f}".replace("-", "−")


def under(axes: Axes, text: str) -> None:
    """Name the horizontal axis."""
    axes.set_xlabel(plain(text, longest=70), fontsize=11, color=MUTED, labelpad=5)


def write(axes: Axes, x: float, y: float, text: str, *, align: str = "left", colour: str = MUTED) -> None:
    """Write a text beside the point (x, y) of the data."""
    shift = {"left": 6, "right": -6, "center": 0}[align]
    axes.annotate(
        plain(text, longest=40), (x, y), (shift, 0), textcoords="offset points", ha=align, va="center_baseline",
        fontsize=10.5, color=colour, annotation_clip=False,
    )  # fmt: skip


def plain(text: str, *, longest: int = _NAME) -> str:
    """Shorten a text and keep its dollar signs from being read as mathematics."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return short.replace("$", r"\$")


def colour(item: DefectClass) -> str:
    """Return a class' colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*item.colour)


def inline(axes: Axes, key: str, label: str) -> Markup:
    """Turn a chart into an SVG element for a page.

    Args:
        key: unique on the page; begins every id inside.
        label: what the chart shows, for those who can't see it.
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        axes.get_figure().savefig(stream, format="svg", metadata={"Date": None})  # type: ignore[union-attr]
    root = ElementTree.fromstring(spelled_out(stream.getvalue()))  # XML holds no control signs
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.split("}")[-1] in ("metadata", "style")]:
            parent.remove(child)
    defined = {id(element) for part in root.iter() if part.tag.endswith("}defs") for element in part.iter()}
    for element in root.iter():
        _adopt(element, key, defined=id(element) in defined)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"class": "plot", "viewBox": box, "role": "img", "aria-label": label})
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _adopt(element: ElementTree.Element, key: str, *, defined: bool) -> None:
    """Free an element of name spaces, give it the page's colours and font, and make the ids that are needed its own."""
    element.tag = element.tag.split("}")[-1]
    attributes = {name.split("}")[-1]: value for name, value in element.attrib.items()}
    element.attrib.clear()
    for name, value in attributes.items():
        if name == "style":
            element.set(name, _style(value))
        elif name == "href" and value.startswith("#"):
            element.set(name, f"#{key}-{value[1:]}")
        elif name != "id":
            element.set(name, value.replace("url(#", f"url(#{key}-"))
        elif defined:
            element.set(name, f"{key}-{value}")


def _style(value: str) -> str:
    for shade, variable in _VARIABLES.items():
        value = value.replace(shade, f"var({variable})")
    return re.sub(r"font-family: [^;]*; ?", "", value)
