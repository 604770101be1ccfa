"""The report as one HTML page: the template filled in, pictures inside it, no larger than its bound."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from coigan_aug import __version__
from coigan_aug.errors import ResourceError, plain
from coigan_aug.evaluation.numbers import TITLES
from coigan_aug.files import to_values
from coigan_aug.imaging import Pixels, encode_image
from coigan_aug.report import scores
from coigan_aug.report.contents import Contents
from coigan_aug.report.figure import colour
from coigan_aug.report.missing import missing_of, shown_sections
from coigan_aug.report.plots import thousands
from coigan_aug.report.quality import shown_together
from coigan_aug.report.words import key_words, several

MOST_BYTES = 10_000_000
LONGEST = 1400


@dataclass(frozen=True)
class Level:
    """How finely pictures are stored: their size as a share of what it could be, and WebP's quality, 1-100."""

    scale: float
    quality: int


LEVELS = (Level(1.0, 84), Level(0.75, 72), Level(0.5, 60), Level(0.33, 50), Level(0.2, 40))


def render(contents: Contents, *, made: datetime, most_bytes: int = MOST_BYTES) -> str:
    """Fill in the report, at the finest level of pictures that keeps it within `most_bytes` (as UTF-8).

    Raises:
        ResourceError: even the coarsest is too large.
    """
    values = {
        "report": contents,
        "sections": shown_sections(contents),
        "missing": list(missing_of(contents)),
        "made": made,
    }
    return fill("report.html.j2", values, most_bytes=most_bytes)


def fill(name: str, values: Mapping[str, Any], *, most_bytes: int) -> str:
    """Fill in a template, at the finest level of pictures that keeps the page within `most_bytes` (as UTF-8).

    Raises:
        ResourceError: even the coarsest is too large.
    """
    template = _environment().get_template(name)
    for level in LEVELS:
        try:
            page = plain(template.render(values, version=__version__, picture=_pictures(level, most_bytes)))
        except _TooLarge:
            continue
        if len(page.encode()) <= most_bytes:
            return page
    raise ResourceError(f"The page would be larger than {most_bytes:,} bytes.")


class _TooLarge(Exception):
    """The pictures alone are more than the page may have."""


def _pictures(level: Level, most_bytes: int) -> Callable[[Pixels], str]:
    """Return what makes data addresses of pictures until they are too many, which is known long before the last one."""
    left = most_bytes

    def picture(pixels: Pixels) -> str:
        nonlocal left
        uri = data_uri(pixels, level)
        left -= len(uri)
        if left < 0:
            raise _TooLarge
        return uri

    return picture


def data_uri(pixels: Pixels, level: Level) -> str:
    """Return a picture as a WebP data address, its longer side at most LONGEST px times the level's scale."""
    height, width = pixels.shape[:2]
    factor = level.scale * min(LONGEST / max(height, width), 1)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    small = pixels if factor == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    data = encode_image(np.asarray(small, np.uint8), suffix=".webp", quality=level.quality)
    return "data:image/webp;base64," + base64.b64encode(data).decode()


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("coigan_aug.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "count": lambda value: scores.DASH if value is None else f"{value:,}",
        "thousands": thousands,
        "thousands_of": lambda value: thousands(float(f"{value:.3g}")),
        "median": lambda values, places: f"{float(np.median(values)):,.{places}f}" if len(values) else scores.DASH,
        "cell": scores.cell,
        "facts": lambda value: [(key_words(name), text) for name, text in scores.facts(to_values(value))],
        "hex": colour,
        "interval": lambda share: scores.with_interval(scores.percent(share)),
        "error": lambda estimate: scores.DASH if estimate is None else _with_error(estimate),
        "signed": scores.signed,
        "percent": lambda value, places=0: scores.DASH if value is None else f"{value:.{places}%}",
        "two": lambda value: scores.DASH if value is None else f"{value:.2f}",
        "plural": several,
        "minutes": lambda seconds: f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s",
        "together": lambda compared: list(shown_together(compared).items()),
        "sentence": _sentence,
        "measure": lambda name: TITLES.get(name, name),
    }
    return environment


def _with_error(estimate: scores.Estimate) -> str:
    half = (estimate.high - estimate.low) / 2
    return f"{estimate.mean:.1f}".replace("-", "−") + (f" ± {half:.1f}" if half else "")


def _sentence(text: str) -> str:
    """Begin a name with a capital letter and part its words."""
    words = text.replace("_", " ")
    return words[:1].upper() + words[1:]
