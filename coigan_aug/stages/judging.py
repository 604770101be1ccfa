"""What drawn pictures are judged by, made ready in a workspace."""

from __future__ import annotations

from pathlib import Path

import torch

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Talk
from coigan_aug.segmenter.real_only import real_only_segmenter, segmenter_key
from coigan_aug.settings import Settings
from coigan_aug.synthesis.agreeing import Sight, kept_bounds
from coigan_aug.synthesis.margin import margin_of
from coigan_aug.synthesis.resemblance import known_objects
from coigan_aug.synthesis.screen import Screen


def screen_of(
    prepared: Prepared,
    settings: Settings,
    *,
    on: bool,
    copies: bool,
    cache_root: Path,
    device: torch.device,
    talk: Talk,
) -> Screen:
    """Return the screen: with a segmenter of the training images, trained once, and with their objects.

    Args:
        on: reject at all; else pictures are measured only.
        copies: look for copies of training objects too.
    """
    margin = margin_of(settings)
    if not on:
        return Screen(settings, margin, on=False)
    with talk.step("train the screening segmenter") as report:
        network = real_only_segmenter(prepared.dataset, settings, cache_root=cache_root, device=device, report=report)
    sight = Sight(network, prepared.scale, prepared.window, device)
    name = segmenter_key(prepared.dataset, settings, device)
    bounds = kept_bounds(sight, prepared, cache_root / f"segmenter-{name}.json")
    known = None
    if copies:
        with talk.step("look at the training objects") as report:
            known = known_objects(prepared, cache_root=cache_root, device=device, report=report)
    return Screen(settings, margin, sight, bounds, known)
