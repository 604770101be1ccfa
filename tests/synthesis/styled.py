"""A generator with a latent that nobody trained: what it draws differs from style to style."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from coigan_aug.checkpoint import GeneratorFile, load_generator, save_generator
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings


def styled_generator(folder: Path, prepared: Prepared, settings: Settings) -> GeneratorFile:
    """Return such a generator."""
    return untrained(folder, prepared, settings, generator="style_unet", latent=6, blocks=1, colour="grey")


def untrained(folder: Path, prepared: Prepared, settings: Settings, **model: Any) -> GeneratorFile:
    """Return a generator that changes what it may: its last layer is made large. `model` are settings of it."""
    settings = dataclasses.replace(settings, model=dataclasses.replace(settings.model, **model))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_generator(settings.model, prepared.classes)
        torch.nn.init.normal_(network.network.head.weight, std=0.3)
    path = folder / "generator.safetensors"
    save_generator(path, network, settings=settings, classes=prepared.dataset.classes, images=0)
    return load_generator(path)
