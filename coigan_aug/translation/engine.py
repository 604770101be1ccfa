"""What restyles an image: engines that need no training, fitted to images of the line whose look is to be taken.

Nothing that an engine does moves a pixel: what it returns has the image's size, and the image's masks stay true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from coigan_aug.errors import DataError, UsageError, meant
from coigan_aug.imaging import Pixels, to_rgb
from coigan_aug.progress import Report, silent
from coigan_aug.translation.amplitude import Amplitude
from coigan_aug.translation.histogram import Histogram
from coigan_aug.translation.references import References, measure


class Engine(Protocol):
    """Restyles images of one line as those of another.

    `name` is what commands call it. Picklable, and safe to share between threads.
    """

    @property
    def name(self) -> str: ...

    @property
    def draws(self) -> bool:
        """Whether another index or seed gives another picture: each image takes the look of one reference, drawn by both."""
        ...

    def about(self) -> Mapping[str, Any]:
        """Return what it was made of, as JSON values; engines that say the same make the same pictures."""
        ...

    def reference(self, *, index: int, seed: int) -> str:
        """Return the name of the image whose look a picture takes; "" where it is no single one."""
        ...

    def translate(self, image: Pixels, *, index: int, seed: int) -> Pixels:
        """Restyle an image, uint8 [H, W, 3] RGB of any size -> the same shape; it depends on engine, image, index and seed
        alone."""
        ...


UNTRAINED: Mapping[str, Callable[[References], Engine]] = {"histogram": Histogram, "amplitude": Amplitude}
"""Engines by name that are fitted in seconds, without a training; each takes what was measured of the references."""


def fit(name: str, paths: Sequence[Path], *, root: Path, report: Report = silent) -> Engine:
    """Fit an engine that needs no training to images of the line whose look is to be taken.

    Args:
        name: one of UNTRAINED.
        paths: the images; 1,000 of them at most are looked at, evenly spaced in the order of their names.
        root: the folder that they are named from.

    Raises:
        UsageError: there is no such engine. DataError: there is no image, or one can't be read.
    """
    if name not in UNTRAINED:
        raise UsageError(
            f"There is no engine {name!r}.{meant(name, list(UNTRAINED))}", remedy=f"Engines: {', '.join(UNTRAINED)}."
        )
    if not paths:
        raise DataError(f"{root} holds no images whose look could be taken.", remedy="Name another folder with --to.")
    return UNTRAINED[name](measure(paths, root=root, report=report))


def restyle(engine: Engine, image: Pixels, *, index: int, seed: int) -> Pixels:
    """Translate an image as it is stored, uint8 [H, W] or [H, W, 3]: grey stays grey, stored so or not.

    Raises:
        ValueError: the engine changed the size.
    """
    made = engine.translate(to_rgb(image), index=index, seed=seed)
    if made.shape != (*image.shape[:2], 3) or made.dtype != np.uint8:
        raise ValueError(f"{engine.name} made {made.dtype} {made.shape} of an image of {image.shape}")
    if not is_grey(image):
        return made
    grey = np.rint(made.mean(axis=2)).astype(np.uint8)
    return grey if image.ndim == 2 else to_rgb(grey)


def is_grey(image: Pixels) -> bool:
    """Tell whether an image [H, W] or [H, W, 3] has no colours."""
    return image.ndim == 2 or bool((image == image[..., :1]).all())
