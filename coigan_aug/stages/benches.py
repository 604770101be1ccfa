"""What the benefit test needs of each fold: its training and test images, and what its arms add."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.config import settings_to_dict
from coigan_aug.errors import DataError
from coigan_aug.evaluation.arms import CONTROLS, REAL, Arm, Bench, class_of, engine_of, evaluated_at, label_of
from coigan_aug.evaluation.leaks import check_synthetic
from coigan_aug.evaluation.protocol import PROTOCOLS, SYNTHETIC_TILES
from coigan_aug.evaluation.tally import Held
from coigan_aug.folders import Folders
from coigan_aug.formats.names import CARD
from coigan_aug.places.kept import kept_places
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.progress import Talk
from coigan_aug.segmenter.windows import Pool, Source
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import shape_source
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.synthesize import synthesize
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.engines import OWN_PLACE, Engine
from coigan_aug.synthesis.live import LiveCopies
from coigan_aug.synthesis.plan import Planner, make_planner

LIVE = ("transplant", "paste")
"""Copies that are made anew for each window; the others are too slow for that and come from a pool."""
REVISION = 2
"""Of how copies and drawn defects are made; another one makes trainings on them anew."""
MOST_CLEAN = 100
"""Defect-free training images that the threshold for use is taken from, at most."""
_FREE = ("batch", "workers", "synthetic_share")  # of the settings of synthesize: no pixel depends on them
# Of those of data, what only the GAN's training samples depend on.
_COMPOSED = ("transforms", "shift", "shear", "shapes", "reference")
# As it was before there were these; while they are so they name nothing.
_LATER = {"strength": [1.0, 1.0], "size": [1.0, 1.0], "masks": "planned", "clean": "boxes", "truncation": 1.0}
_SEGMENTED = ("hard",)  # of them, what only the segmenter that screens drawn defects asks for


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold: its workspace and Dataset, the run that is drawn with where one is, and where its part of the result goes."""

    workspace: Folders
    dataset: Dataset
    run: str | None
    generator: GeneratorFile | None
    given: Mapping[str, Dataset]
    settings: Settings
    folder: Path


def make_bench(
    fold: Fold, arms: Sequence[Arm], *, protocol: str, screen: bool, device: torch.device, command: str, talk: Talk
) -> Bench:
    """Make the synthetic images that are missing, and open everything that the arms need.

    Raises:
        DataError: no test image has a defect, or a synthetic set saw other images than the fold's training images.
    """
    dataset, settings, cache = fold.dataset, fold.settings, fold.workspace.cache
    with talk.steps() as begin:
        prepared = prepare(dataset, settings.data, cache_root=cache, progress=begin)
        seen = evaluated_at(settings.data, settings.evaluate)
        real = load_examples(dataset, prepared.positions, seen, cache_root=cache, progress=begin)
        held_out = dataset.indices("test")
        test = load_examples(dataset, held_out, seen, cache_root=cache, progress=begin)
    held = hold(real, test, held_out, binary=settings.evaluate.binary)
    sources = dict.fromkeys(source for arm in arms for source in arm.sources)
    _check_classes(sources, prepared)
    names = [source for source in sources if engine_of(source) not in (REAL, *CONTROLS)]
    tiles = PROTOCOLS[protocol].tiles
    live = any(engine_of(name) in LIVE for name in names) or any(arm.negatives for arm in arms)
    copies = _Copies(fold, prepared) if live else None
    added: dict[str, Source] = {}
    for name in names:
        if engine_of(name) in LIVE and copies is not None and not tiles:
            added[name] = copies.live(name)
            continue
        synthetic = fold.given.get(engine_of(name)) or _synthesized(
            fold, prepared, name, screen=screen, tiles=tiles, device=device, command=command, talk=talk
        )
        check_synthetic(synthetic, dataset, prepared.positions)
        opened = load_examples(synthetic, range(len(synthetic)), seen, cache_root=cache)
        label = label_of(name, dataset.names)
        if label is not None and not tiles and not opened.by_image[label]:
            raise DataError(f"{synthetic.folder} holds no {class_of(name)}, which the arm {name!r} is to add.")
        added[name] = Pool(examples=opened, jitter=settings.evaluate.jitter, tiles=tiles, label=label)
    negatives = copies.live(OWN_PLACE, counterfeit=True) if copies and any(arm.negatives for arm in arms) else None
    marks = {name: _mark(fold, name, screen=screen) for name in sources}
    return Bench(
        real=real, held=held, added=added, settings=settings, folder=fold.folder, negatives=negatives, marks=marks,
        tiles=tiles,
    )  # fmt: skip


def hold(real: Examples, test: Examples, held_out: Sequence[int], *, binary: bool) -> Held:
    """Return the test images at some positions, and clean training images beside.

    Raises:
        DataError: no test image has a defect.
    """
    defective = tuple(p for p in held_out if test.dataset[p].annotations)
    if not defective:
        raise DataError("No test image has a defect; nothing can be measured.", remedy="Import again with --split 0.7.")
    clean = [p for p in real.positions if not real.dataset[p].annotations]
    step = -(-len(clean) // MOST_CLEAN)
    return Held(
        test=test,
        defective=defective,
        clean=tuple(p for p in held_out if not test.dataset[p].annotations),
        real=real,
        train_clean=tuple(clean[:: max(step, 1)]),
        binary=binary,
    )


def _check_classes(sources: Iterable[str], prepared: Prepared) -> None:
    """Refuse a source of a class that no training image has."""
    for source in sources:
        label = label_of(source, prepared.dataset.names)
        if label is not None and not prepared.by_class[label]:
            raise DataError(
                f"No training image has a defect of the class {class_of(source)!r}, which the arm {source!r} would draw."
            )


def _mark(fold: Fold, source: str, *, screen: bool) -> str:
    """Name what a source's windows depend on beside data and seed; nothing for controls of all classes."""
    mark = _mark_of_all(fold, engine_of(source), screen=screen)
    return short_hash([mark, class_of(source)]) if class_of(source) else mark


def _mark_of_all(fold: Fold, name: str, *, screen: bool) -> str:
    if name in (REAL, *CONTROLS):
        return ""
    if name in fold.given:
        return short_hash(fold.given[name].manifest["sha256"])
    values = settings_to_dict(fold.settings)
    drawn = _naming(values["synthesize"], without=(*_FREE, *_SEGMENTED))
    data = _naming(values["data"], without=_COMPOSED)
    parts = [REVISION, data, values["model"]["grow"], values["model"]["soften"], drawn]
    if name not in LIVE:
        generator = fold.generator.sha256 if fold.generator and name == "gan" else None
        parts += [generator, values["evaluate"]["per_class"], screen, values["evaluate"]["screen_steps"]]
        parts += [values["synthesize"][key] for key in _SEGMENTED]
    return short_hash(parts)


def _naming(values: Mapping[str, Any], *, without: Sequence[str]) -> dict[str, Any]:
    """Return the settings of a section that name what is drawn."""
    kept = {key: value for key, value in values.items() if key not in without}
    return {key: value for key, value in kept.items() if key not in _LATER or value != _LATER[key]}


def short_hash(value: Any) -> str:
    """Return eight hexadecimal digits of a JSON value's SHA-256."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


class _Copies:
    """Makes the sources of copies; what they are planned with is measured once."""

    def __init__(self, fold: Fold, prepared: Prepared) -> None:
        self._fold, self._prepared = fold, prepared
        self._places = kept_places(prepared, root=fold.workspace.cache)
        self._shapes = shape_source(
            prepared, fold.settings.data, fold.settings.synthesize.shapes, root=fold.workspace.cache,
            device=torch.device("cpu"),
        )  # fmt: skip

    def live(self, source: str, *, counterfeit: bool = False) -> LiveCopies:
        """Return what makes windows with copies by an engine, or counterfeit negatives."""
        evaluate, engine = self._fold.settings.evaluate, engine_of(source)
        return LiveCopies(
            planner=self._planner(engine),
            engine=engine,
            label=label_of(source, self._prepared.dataset.names),
            scale=evaluate.scale,
            window_side=evaluate.window,
            jitter=evaluate.jitter,
            counterfeit=counterfeit,
        )

    def _planner(self, name: str) -> Planner:
        counts = [bool(members) for members in self._prepared.by_class]
        return make_planner(
            self._prepared, self._fold.settings, counts, source=self._shapes, places=self._places, windows=False,
            bases="auto", own_places=Engine(name, lambda *_: ()).own_places(len(counts)),
        )  # fmt: skip


def _synthesized(
    fold: Fold,
    prepared: Prepared,
    source: str,
    *,
    screen: bool,
    tiles: bool,
    device: torch.device,
    command: str,
    talk: Talk,
) -> Dataset:
    """Return the set that an engine drew for this measurement, drawn where it is not there yet."""
    engine, only = engine_of(source), class_of(source)
    name = f"{engine}-{_mark(fold, source, screen=screen)}"
    out, records = fold.folder / "images" / name, fold.folder / "synthetic" / name
    if not (out / CARD).exists():
        each = -(-SYNTHETIC_TILES // prepared.classes) if tiles else fold.settings.evaluate.per_class
        names = prepared.dataset.names
        with_objects = [name for name, members in zip(names, prepared.by_class, strict=True) if members]
        counts = {name: each for name in with_objects if only in (None, name)}
        ask = SynthesizeAsk(
            out=out, per_class=counts, engine=engine, run=fold.run, windows=tiles, screen=screen, device=str(device)
        )
        synthesize(
            fold.workspace, ask, talk=talk, command=command, settings=fold.settings, prepared=prepared, records=records
        )
    return Dataset(records)
