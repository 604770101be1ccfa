"""Begin a training with the weights of another one, of other classes perhaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from coigan_aug.annotations.records import DefectClass
from coigan_aug.checkpoint import load_generator, load_latest
from coigan_aug.errors import DataError
from coigan_aug.settings import ModelSettings
from coigan_aug.store.dataset import class_from
from coigan_aug.training.networks import Networks
from coigan_aug.training.run import GENERATOR, Run, find_run

NETWORKS = ("generator", "average", "defect", "reference")
BUNDLED = Path("bundled")
"""Stands for the generator that comes with the program, wherever that is installed."""
_SHAPE = ("generator", "width", "depth", "blocks", "latent", "noise", "noise_scales", "contrast")
"""The settings that a generator's weights depend on."""
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
        path: a run's folder (its newest state: generator, average and discriminators), a generator file, or `BUNDLED`.
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
    whose = "the bundled model (--set train.start=none begins without)" if path == BUNDLED else path
    return f"begins with {taken} of {of} weights of {whose}"


def find_weights(root: Path, name: str) -> Path:
    """Return what `--init-from NAME` names: a run's folder, by its name or number, a generator file, or the bundled one.

    Raises:
        DataError: there is none of them.
    """
    if name == str(BUNDLED):
        return BUNDLED
    if Path(name).is_file():
        return Path(name)
    return find_run(root, name).folder


def bundled_fits(model: ModelSettings) -> bool:
    """Tell whether the generator that comes with the program is one of these settings, but for its classes."""
    bundled = load_generator(_file(BUNDLED)).settings.model
    return all(getattr(model, name) == getattr(bundled, name) for name in _SHAPE)


def _file(path: Path) -> Path:
    """Return where a generator lies, the bundled one where the program is installed."""
    return Path(str(resources.files("coigan_aug") / "demo" / "steel.safetensors")) if path == BUNDLED else path


def _read(path: Path) -> _Begun:
    """Read the weights of a run's networks, or of a generator file for generator and average."""
    state, _ = load_latest(path / "checkpoints") if path.is_dir() else (None, [])
    if state is not None:
        return _Begun(
            {name: state[name] for name in NETWORKS}, [class_from(item).name for item in Run(path).start().classes]
        )
    file = load_generator(path / GENERATOR if path.is_dir() else _file(path))
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
