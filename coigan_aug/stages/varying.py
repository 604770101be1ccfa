"""What `synthesize --vary` names, and the latents that redraw it; each is found once and kept in the workspace's cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct

from coigan_aug import __version__
from coigan_aug import rng as streams
from coigan_aug.annotations import rle
from coigan_aug.checkpoint import GeneratorFile
from coigan_aug.compose.erase import Erasing
from coigan_aug.compose.noise import latent_shape
from coigan_aug.eraser.erasing import erasing_of
from coigan_aug.errors import DataError, Stopped, UsageError, meant
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.geometry import Box
from coigan_aug.prepare.contrast import contrast_of
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Report, Talk
from coigan_aug.sealed import read_struct, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.signals import stop_request_here
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.synthesis.bases import Base, read_base
from coigan_aug.synthesis.latents import packed, unpacked
from coigan_aug.synthesis.projecting import (
    FEATURES,
    RATE,
    STEPS,
    TRIES,
    Features,
    Projection,
    defect_of,
    load_projecting,
    project,
)
from coigan_aug.synthesis.siblings import Siblings

ALL, SPREAD = "all", 0.3
ENGINE = "gan"


class _Kept(Struct, frozen=True, kw_only=True):
    """A projection as it is kept."""

    latent: str
    random: float
    best: float
    projected: float


def check_vary(ask: SynthesizeAsk) -> None:
    """Refuse options that do not go with `--vary`, or need it.

    Raises:
        UsageError: names them.
    """
    if ask.vary is None:
        if ask.spread is not None:
            raise UsageError("--spread is of --vary, which says what is varied.", remedy="Such as  --vary all .")
        return
    if ask.spread is not None and not 0 <= ask.spread <= 1:
        raise UsageError(f"--spread {ask.spread:g} is not from 0 to 1.", remedy="Such as  --spread 0.3 .")
    if ask.plan is not None:
        raise UsageError(
            "--vary does not go with --plan: its lines have their latents.", remedy="Leave one of them out."
        )
    if ask.engine not in (ENGINE, "auto"):
        raise UsageError(f"--vary draws with the engine {ENGINE}, not {ask.engine}.", remedy="Leave --engine out.")


def counts_of(prepared: Prepared, objects: Sequence[int], counts: Sequence[int], ask: SynthesizeAsk) -> tuple[int, ...]:
    """Keep the counts of those classes (by position) that are varied.

    Raises:
        UsageError: none is left, or one was asked for by name that is not varied.
    """
    labels = {prepared.objects[k].label for k in objects}
    names = prepared.dataset.names
    other = [name for k, name in enumerate(names) if counts[k] and k not in labels]
    named = isinstance(ask.per_class, Mapping) or "=" in str(ask.per_class)
    kept = tuple(count if k in labels else 0 for k, count in enumerate(counts))
    if not any(kept) or (other and named):
        varied = ", ".join(names[k] for k in sorted(labels))
        raise UsageError(
            f"--vary {ask.vary} means objects of {varied}; --per-class asks for {', '.join(other) or 'none'}.",
            remedy=f"Such as  --vary {ask.vary} --per-class 10 .",
        )
    return kept


def objects_named(prepared: Prepared, name: str) -> list[int]:
    """Return the training objects that a name means: "all", a class, an image's file, or one object of it as FILE:NUMBER.

    Raises:
        UsageError: there is none such, or the image is held out.
    """
    names = prepared.dataset.names
    if name == ALL:
        return [k for members in prepared.by_class for k in members]
    if name in names:
        members = list(prepared.by_class[names.index(name)])
        if not members:
            raise UsageError(
                f"--vary {name}: there is no training object of it.", remedy=f"Classes: {', '.join(names)}."
            )
        return members
    file, colon, number = name.rpartition(":") if name.rpartition(":")[2].isdecimal() else (name, "", "")
    positions = {prepared.dataset[k].file: k for k in prepared.positions}
    if file not in positions:
        raise UsageError(
            f"--vary {name}: {_why_not(prepared, file, names)}",
            remedy="Such as  --vary all ,  --vary "
            f"{names[0]}  or  --vary IMAGE:0 , as plan.jsonl has `of` and `object`.",
        )
    own = prepared.by_record.get(positions[file], [])
    if not colon and own:
        return list(own)
    if not colon or int(number) >= len(own):
        listed = ", ".join(f"{k} ({_said(prepared, item)})" for k, item in enumerate(own)) or "none"
        raise UsageError(f"--vary {name}: training objects of {file}: {listed}.", remedy=f"Name one: --vary {file}:0")
    return [own[int(number)]]


def _why_not(prepared: Prepared, file: str, names: Sequence[str]) -> str:
    if any(record.file == file for record in prepared.dataset):
        return f"{file} is not among the training images, and what is held out must not get into what is drawn."
    return f"there is no class and no training image of that name.{meant(file, names)}"


def _said(prepared: Prepared, number: int) -> str:
    item = prepared.objects[number]
    area = rle.area(item.full)
    return f"{prepared.dataset.names[item.label]}, {area:,} px"


def chosen(prepared: Prepared, objects: Sequence[int], counts: Sequence[int], *, seed: int) -> list[int]:
    """Choose the objects to vary: of each class (by position) no more than defects of it are drawn, at random."""
    out: list[int] = []
    for label, count in enumerate(counts):
        own = [k for k in objects if prepared.objects[k].label == label]
        order = streams.generator(seed, "vary", label).permutation(len(own))[:count]
        out += [own[k] for k in sorted(order.tolist())]
    return out


def siblings_of(
    workspace: Folders, prepared: Prepared, generator: GeneratorFile, settings: Settings, objects: Sequence[int], *,
    spread: float | None, device: torch.device, talk: Talk,
) -> Siblings:  # fmt: skip
    """Find the latents of the objects to vary, and say how near they come."""
    erasing = erasing_of(
        prepared, settings, cache_root=workspace.cache, scale=settings.data.scale, device=device, talk=talk
    )
    generator.generator.to(device)
    with talk.step("project the real defects") as report:
        found = sources_of(prepared, generator, objects, erasing=erasing, root=workspace.cache, report=report)
    siblings = Siblings(found, SPREAD if spread is None else spread)
    about = siblings.about(prepared)
    talk.say(
        f"vary    {len(found):,} real defects; inside their masks random latents are {about.random:.1f} grey levels off, the"
        f" best of 8 {about.best_of_8:.1f}, projected ones {about.projected:.1f}"
    )
    return siblings


def sources_of(
    prepared: Prepared,
    generator: GeneratorFile,
    objects: Sequence[int],
    *,
    erasing: Erasing,
    root: Path,
    report: Report,
) -> dict[int, Projection]:
    """Project training objects, or take what the cache `root` has of them.

    Raises:
        Stopped: Ctrl-C or SIGTERM; what is done is kept.
    """
    shape, features, found = latent_shape(generator.settings.model), None, dict[int, Projection]()
    read = _Bases(prepared, erasing)
    with stop_request_here() as stop:
        for done, number in enumerate(objects):
            report(done, len(objects))
            path = root / "projections" / f"{_key(prepared, generator, number, erasing)}.json"
            kept = _read(path)
            if kept is None:
                features = features or load_projecting()
                with folder_lock(path.parent, wait=True):  # of several shares at once, one projects and all take that
                    kept = _read(path) or _as_kept(_projected(prepared, generator, number, read, features))
                    write_sealed(path, kept)
            found[number] = Projection(unpacked(kept.latent, shape), kept.random, kept.best, kept.projected)
            if stop.signal_number:
                said = f"Stopped; {len(found):,} of {len(objects):,} defects are projected."
                raise Stopped(said, signal_number=stop.signal_number, remedy="Continue with the same command.")
    report(len(objects), len(objects))
    return found


class _Bases:
    """Images without and with their defects, the last one kept."""

    def __init__(self, prepared: Prepared, erasing: Erasing) -> None:
        self.prepared, self.erasing = prepared, erasing
        self.last: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def pair(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        if self.last is None or self.last[0] != position:
            image = self.prepared.dataset.stored(position)
            base = read_base(self.prepared, Base(position, Box.of(image.shape), erased=True), self.erasing)
            self.last = position, (base, image)
        return self.last[1]


def _projected(
    prepared: Prepared, generator: GeneratorFile, number: int, read: _Bases, features: Features
) -> Projection:
    item = prepared.objects[number]
    base, image = read.pair(item.position)
    defect = defect_of(item.label, item.full, round(contrast_of(prepared, item), 4))
    return project(generator, base, defect, image, features=features)


def _as_kept(made: Projection) -> _Kept:
    return _Kept(latent=packed(made.latent), random=made.random, best=made.best, projected=made.projected)


def _read(path: Path) -> _Kept | None:
    if not path.exists():
        return None
    try:
        return read_struct(path, _Kept)
    except DataError:  # damaged: projected anew
        return None


def _key(prepared: Prepared, generator: GeneratorFile, number: int, erasing: Erasing) -> str:
    item = prepared.objects[number]
    values = [
        __version__, prepared.dataset.manifest["sha256"], generator.sha256, prepared.dataset[item.position].file,
        item.full.counts, prepared.dataset.names[item.label], erasing.name, erasing.key, STEPS, TRIES, RATE, FEATURES,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:20]
