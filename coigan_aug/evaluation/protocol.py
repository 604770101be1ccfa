"""How the benefit is measured: the package's own way, and the one of the thesis' successor."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from coigan_aug.errors import UsageError
from coigan_aug.prepare.examples import Examples
from coigan_aug.settings import Settings

SYNTHETIC_TILES = 5_000
EPOCHS = 100


@dataclass(frozen=True, slots=True)
class Protocol:
    """`tiles`: every window counts alike and nothing is balanced; `epochs`: length in passes over all of them, or None."""

    tiles: bool
    epochs: int | None


PROTOCOLS = {"default": Protocol(tiles=False, epochs=None), "coigan": Protocol(tiles=True, epochs=EPOCHS)}


def follow(protocol: str, settings: Settings) -> Settings:
    """Return the settings that a protocol asks for.

    "coigan" (the successor's published configuration): FCN-ResNet50, all classes as one, 5,000 synthetic tiles beside
    the real ones, 100 epochs; its tiles are 256 px, which is the window of recipe `default`.

    Raises:
        UsageError: there is no such protocol.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol {protocol!r}.", remedy=f"Protocols: {', '.join(PROTOCOLS)}.")
    if protocol == "default":
        return settings
    data = settings.data
    evaluate = dataclasses.replace(
        settings.evaluate,
        segmenter="fcn_resnet50",
        binary=True,
        slots="any",
        scale=data.scale,
        window=data.window,
        jitter=(1.0, 1.0),
    )
    return dataclasses.replace(settings, evaluate=evaluate)


def tiles_of(examples: Examples) -> int:
    """Return how many windows without overlap the images give."""
    shapes = (examples.cache[position].shape for position in examples.positions)
    return sum(-(-shape[0] // examples.window) * -(-shape[1] // examples.window) for shape in shapes)


def counted(settings: Settings, *, real: int, synthetic: int) -> Settings:
    """Return the settings with the share and the steps that follow from the numbers of tiles, one pass an epoch.

    >>> counted(Settings(), real=10_000, synthetic=5_000).evaluate.shares
    (0.3333,)
    """
    total = real + synthetic
    evaluate = dataclasses.replace(
        settings.evaluate,
        shares=(round(synthetic / total, 4),),
        steps=max(EPOCHS * total // settings.evaluate.batch, 1),
    )
    return dataclasses.replace(settings, evaluate=evaluate)
