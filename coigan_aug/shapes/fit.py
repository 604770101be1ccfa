"""A shape generator: its training on the training objects, a minute or two on one thread of a CPU, and its file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from coigan_aug import __version__
from coigan_aug import rng as streams
from coigan_aug.errors import CoiganError, DataError
from coigan_aug.files import folder_lock, sha256, write_bytes
from coigan_aug.geometry import Box
from coigan_aug.log import note_kept
from coigan_aug.models.shape_generator import ShapeGenerator
from coigan_aug.partway import Partway
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, silent
from coigan_aug.settings import DataSettings
from coigan_aug.shapes.bend import draw_bend
from coigan_aug.shapes.forms import Traits, mask_of, measure
from coigan_aug.shapes.maps import EDGES, FEATURES, SIDE, Known, Map, square, to_map, upright
from coigan_aug.shapes.warp import warp_tight
from coigan_aug.shapes.warped import JITTER, draw_mirror, mirrored, mirrored_mask, rotation
from coigan_aug.weights import read_weights, weights_bytes

UNSURE = 0.15  # standard deviation of the noise on the known size and aspect, so that they do not name an object
METADATA = "coigan-aug shape generator"
CONTINUE = "Continue with the same command. --shapes real,warped draws without this training."


@dataclass(frozen=True, kw_only=True)
class ShapeGeneratorSettings:
    """A shape generator and its training."""

    seed: int = 7
    """of the first weights and of the examples"""
    width: int = 12
    """channels of the first stage"""
    latent: int = 8
    """numbers in the latent"""
    batch: int = 16
    """examples in a step"""
    steps: int = 2_500
    """length of the training"""
    examples: int = 1_500
    """maps that are made of the training objects, mirrored, turned and bent"""
    learning_rate: float = 2e-3
    """AdamW's step at the beginning"""
    divergence: float = 3e-3
    """weight of the latents' divergence from the normal distribution"""
    flip: bool = True
    """objects are mirrored"""


def fit_shape_generator(
    prepared: Prepared, traits: Mapping[int, Traits], settings: ShapeGeneratorSettings, *, device: torch.device,
    report: Report = silent, kept: Path | None = None,
) -> ShapeGenerator:  # fmt: skip
    """Train a shape generator on the objects in `traits`; it comes back in eval mode, on the CPU.

    Classes are seen equally often, and in each its groups of images, so that many pictures of one object count as one.
    AdamW with a learning rate that falls to nothing by a cosine.

    Args:
        kept: the file from which a training that was stopped goes on; None can't be stopped so.

    Raises:
        CoiganError: the loss is not finite. Stopped: Ctrl-C or SIGTERM; what there is lies in `kept`.
    """
    maps, labels, features = (part.to(device) for part in _examples(prepared, traits, settings))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.torch_seed(settings.seed, "shape generator weights"))
        network = build(settings, classes=prepared.classes)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=1e-2)
    with Partway(kept, {"network": network}, optimizer, remedy=CONTINUE).watched() as partway:
        for step in range(partway.begun, settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
            chosen, noise, unsure = (part.to(device) for part in _draw(settings, step))
            decoded, mean, log_variance = network(maps[chosen], labels[chosen], features[chosen] + unsure, noise)
            loss = shape_loss(decoded, maps[chosen], mean, log_variance, divergence=settings.divergence)
            if step % 100 == 0:
                if not math.isfinite(loss.item()):
                    raise CoiganError(f"The shape generator's loss is not finite at step {step}.")
                report(step, settings.steps, f"loss {loss.item():.4f}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            partway.after(step + 1, settings.steps)
    report(settings.steps, settings.steps)
    return network.cpu().eval()


def _draw(settings: ShapeGeneratorSettings, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a step's examples [B], the noise of their latents [B, latent] and what their features are blurred by [B, F]."""
    draw = streams.generator(settings.seed, "shape generator step", step)
    chosen = draw.integers(settings.examples, size=settings.batch)
    noise = draw.normal(size=(settings.batch, settings.latent)).astype(np.float32)
    unsure = draw.normal(0, UNSURE, (settings.batch, FEATURES)).astype(np.float32)
    unsure[:, :EDGES] = 0
    return torch.from_numpy(chosen), torch.from_numpy(noise), torch.from_numpy(unsure)


def build(settings: ShapeGeneratorSettings, *, classes: int) -> ShapeGenerator:
    """Make a shape generator with its first weights."""
    return ShapeGenerator(side=SIDE, classes=classes, features=FEATURES, latent=settings.latent, width=settings.width)


def shape_loss(decoded: Tensor, maps: Tensor, mean: Tensor, log_variance: Tensor, *, divergence: float) -> Tensor:
    """Return the mean L1 between maps, plus `divergence` times the mean Kullback-Leibler divergence of the latents.

    Shape: maps [B, 1, H, W], moments [B, latent] -> scalar. Source: Kingma and Welling 2014, appendix B.
    """
    apart = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
    return (decoded - maps).abs().mean() + divergence * apart.mean()


def _examples(
    prepared: Prepared, traits: Mapping[int, Traits], settings: ShapeGeneratorSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """Make the examples: maps [N, 1, side, side], labels [N], features [N, F]."""
    drawn = [example(prepared, traits, settings, index) for index in range(settings.examples)]
    maps = torch.from_numpy(np.stack([one for one, _ in drawn]))[:, None]
    features = torch.from_numpy(np.stack([known.features() for _, known in drawn]))
    return maps, torch.tensor([known.label for _, known in drawn]), features


def example(
    prepared: Prepared, traits: Mapping[int, Traits], settings: ShapeGeneratorSettings, index: int
) -> tuple[Map, Known]:
    """Return example `index` of the endless stream that the settings' seed names: an object's map, and what is known of it."""
    rng = streams.generator(settings.seed, "shape generator", index)
    chosen = _choose(prepared, traits, rng)
    item, mirror = prepared.objects[chosen], draw_mirror(rng, flip=settings.flip)
    edges = mirrored(traits[chosen].edges, mirror)
    mask = mirrored_mask(mask_of(item), mirror)
    mask = upright(mask, measure(mask), edges)
    known, small = Known(item.label, edges, mask.shape[1], mask.shape[0]), square(mask)
    bend = draw_bend(rng, width=small.shape[1], height=small.shape[0], edges=edges)
    turn = 0.0 if any(edges) else float(rng.normal(0, JITTER))
    bent = warp_tight(small, rotation(turn), bend, box=Box.of(small.shape)).mask
    return to_map(square(bent), edges), known


def _choose(prepared: Prepared, traits: Mapping[int, Traits], rng: np.random.Generator) -> int:
    """Choose a class, one of its groups of images, and one of its objects there (a position in `objects`)."""
    labels = [label for label, members in enumerate(prepared.by_class) if members]
    members = prepared.by_class[labels[int(rng.integers(len(labels)))]]
    groups = sorted({traits[k].group for k in members})
    group = groups[int(rng.integers(len(groups)))]
    of_group = [k for k in members if traits[k].group == group]
    return of_group[int(rng.integers(len(of_group)))]


@dataclass(frozen=True)
class ShapeGeneratorFile:
    """A shape generator ready to draw, and the hash of its file."""

    network: ShapeGenerator
    settings: ShapeGeneratorSettings
    sha256: str


def save_shape_generator(
    path: Path, network: ShapeGenerator, settings: ShapeGeneratorSettings, *, classes: int
) -> None:
    """Write the weights as safetensors with the settings and the number of classes beside them."""
    about = {"program": f"coigan-aug {__version__}", "settings": asdict(settings), "classes": classes}
    write_bytes(path, weights_bytes(network.state_dict(), METADATA, json.dumps(about)))


def load_shape_generator(path: Path) -> ShapeGeneratorFile:
    """Read a shape generator, in eval mode on the CPU.

    Raises:
        DataError: it is missing, damaged, or not a shape generator of this program.
    """
    remedy = "Delete it; the next command that draws learned shapes trains another."
    about, tensors = read_weights(path, METADATA, what="a shape generator", remedy=remedy)
    try:
        settings = ShapeGeneratorSettings(**about["settings"])
        network = build(settings, classes=int(about["classes"]))
        network.load_state_dict(tensors)
        return ShapeGeneratorFile(network.eval(), settings, sha256(path))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a shape generator that can be read: {error}", remedy=remedy) from error


def trained_shape_generator(
    prepared: Prepared, traits: Mapping[int, Traits], data: DataSettings, settings: ShapeGeneratorSettings, *,
    root: Path, device: torch.device, report: Report = silent,
) -> ShapeGeneratorFile:  # fmt: skip
    """Return the shape generator of these objects and settings; it is trained where `root` does not hold it yet."""
    key = [prepared.dataset.manifest["sha256"], prepared.positions, data.min_area, asdict(settings)]
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    path = root / "shapes" / f"{name}.safetensors"
    note_kept("shape generator", path, kept=path.exists())
    if not path.exists():
        with folder_lock(path.parent, wait=True):
            if not path.exists():
                kept = path.with_suffix(".partway")
                network = fit_shape_generator(prepared, traits, settings, device=device, report=report, kept=kept)
                save_shape_generator(path, network, settings, classes=prepared.classes)
    return load_shape_generator(path)
