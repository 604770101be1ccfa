"""Begin a training with the weights of another one, of other classes perhaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from coigan_aug.annotations.records import DefectClass
from coigan_aug.checkpoint import load_generator, load_latest
from coigan_aug.errors import DataError
from coigan_aug.store.dataset import class_from
from coigan_aug.training.networks import Networks
from coigan_aug.training.run import GENERATOR, Run

NETWORKS = ("generator", "average", "defect", "reference")
_IMAGE = 3
_MASKED = ("generator", "average")
"""Networks whose first layer sees an image, then one channel for the mask of each class, then the rest."""


@dataclass(frozen=True)
class _Begun:
    """The weights of a training's networks, and the names of its classes."""

    weights: Mapping[str, Mapping[str, Tensor]]
    classes: Sequence[str]


def init_from(networks: Networks, path: Path, classes: Sequence[DefectClass]) -> str:
    """Begin with the weights of another training, as far as they fit: by name and shape. Return what was taken, in words.

    A generator of other classes fits, too: what it sees of a mask is taken from the class of the same name, and where
    there is none from the mean of its classes.

    Args:
        path: a run's folder (its newest state: generator, average and discriminators), or a generator file.
        classes: of the training that begins.

    Raises:
        DataError: nothing can be read there, or nothing fits.
    """
    begun, names = _read(path), [item.name for item in classes]
    taken, of = 0, 0
    for name, weights in begun.weights.items():
        state = getattr(networks, name).state_dict()
        made = _for_classes(weights, begun.classes, names) if name in _MASKED else weights
        fit = {key: value for key, value in made.items() if key in state and state[key].shape == value.shape}
        state.update(fit)
        getattr(networks, name).load_state_dict(state)
        taken, of = taken + len(fit), of + len(state)
    if taken == 0:
        raise DataError(
            f"No weight of {path} fits this model.",
            remedy="Begin from a run of the same recipe, or without --init-from.",
        )
    return f"begins with {taken} of {of} weights of {path}"


def _read(path: Path) -> _Begun:
    """Read the weights of a run's networks, or of a generator file for generator and average."""
    state, _ = load_latest(path / "checkpoints") if path.is_dir() else (None, [])
    if state is not None:
        return _Begun(
            {name: state[name] for name in NETWORKS}, [class_from(item).name for item in Run(path).start().classes]
        )
    file = load_generator(path / GENERATOR if path.is_dir() else path)
    weights = file.generator.state_dict()
    return _Begun(dict.fromkeys(_MASKED, weights), [item.name for item in file.classes])


def _for_classes(weights: Mapping[str, Tensor], then: Sequence[str], now: Sequence[str]) -> dict[str, Tensor]:
    """Return a generator's weights with the first convolution, [out, 3 + K + S, k, k], made for the classes of now."""
    first = next((key for key, value in weights.items() if value.ndim == 4), None)
    if first is None or list(then) == list(now) or not then:
        return dict(weights)
    image, masks, rest = weights[first].split([_IMAGE, len(then), weights[first].shape[1] - _IMAGE - len(then)], dim=1)
    known = dict(zip(then, masks.unbind(dim=1), strict=True))
    made = torch.stack([known.get(name, masks.mean(dim=1)) for name in now], dim=1)
    return {**weights, first: torch.cat((image, made, rest), dim=1)}
