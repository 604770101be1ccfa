"""A Run: the folder that a training writes. It is complete when `run.json` exists."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from coigan_aug import __version__
from coigan_aug.annotations.records import DefectClass
from coigan_aug.config import settings_from_dict, settings_to_dict, settings_to_yaml
from coigan_aug.errors import DataError
from coigan_aug.files import write_bytes
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import Damaged, read_lines, read_struct, write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import class_to

GENERATOR, LAST = "generator.safetensors", "last.safetensors"


class Machine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was begun on: device, whether it computes in bfloat16, threads, processes."""

    device: str
    bfloat16: bool
    threads: int
    processes: int | None = None


class Material(Protocol):
    """What a run learns from, as far as it is compared: a Dataset is such."""

    @property
    def folder(self) -> Path: ...

    @property
    def classes(self) -> Sequence[DefectClass]: ...

    @property
    def names(self) -> Sequence[str]: ...

    @property
    def manifest(self) -> Mapping[str, Any]: ...


class Weights(Struct, frozen=True, kw_only=True):
    """What a run began with: a run's folder or a generator file."""

    path: str


class RunStart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was begun with (`start.json`); data is the Dataset's checksum, settings are by section and name.

    The first four must be the same for it to be continued. `bundled`: its generator came with the program.
    """

    program: str
    settings: dict[str, dict[str, Any]]
    classes: list[dict[str, Any]]
    data: str
    machine: Machine | None = None
    command: str | None = None
    init_from: Weights | None = None
    recipe: str | None = None
    bundled: bool = False


@dataclass(frozen=True)
class Best:
    """The best measurement of a watched training: its distance, the samples seen then, the measurements since."""

    distance: float = math.inf
    images: int = 0
    since: int = 0

    def after(self, distance: float, images: int) -> Best:
        """Return the best after another measurement; one that is not a number is none.

        >>> Best(0.5, 1000).after(0.7, 2000)
        Best(distance=0.5, images=1000, since=1)
        """
        return Best(distance, images) if distance < self.distance else Best(self.distance, self.images, self.since + 1)

    def given_up(self, patience: int) -> bool:
        """Tell whether so many measurements have not been better; never for 0."""
        return 0 < patience <= self.since


class RunEnd(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run ended with (`run.json`): samples seen, its generator's file, the best measurement where it was watched."""

    images: int
    generator: str
    best: Best | None = None


class Spent(Struct, frozen=True, kw_only=True):
    """The seconds that a training took up to its last checkpoint, all its sessions together (`spent.json`)."""

    seconds: float


@dataclass(frozen=True)
class Run:
    """Where a training keeps things."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, such as 001-default."""
        return self.folder.name

    @property
    def checkpoints(self) -> Path:
        """States to continue from."""
        return self.folder / "checkpoints"

    @property
    def samples(self) -> Path:
        """Sample grids."""
        return self.folder / "samples"

    @property
    def metrics(self) -> Path:
        """Losses, one JSON object a line."""
        return self.folder / "metrics.jsonl"

    @property
    def generator(self) -> Path:
        """The averaged generator to draw with: the best one of a watched training, else the last."""
        return self.folder / GENERATOR

    @property
    def last(self) -> Path:
        """The last averaged generator of a watched training."""
        return self.folder / LAST

    @property
    def finished(self) -> bool:
        """True once the training reached its end."""
        return (self.folder / "run.json").exists()

    @property
    def saved(self) -> int:
        """The samples seen at the newest checkpoint, 0 where there is none."""
        named = (re.match(r"\d+(?=-)", path.name) for path in self.checkpoints.glob("*.pt"))
        return max((int(match[0]) for match in named if match), default=0)

    def start(self) -> RunStart:
        """Return what the run was begun with."""
        return read_struct(self.folder / "start.json", RunStart)

    def end(self) -> RunEnd | None:
        """Return what the run ended with; None before its end."""
        return read_struct(self.folder / "run.json", RunEnd) if self.finished else None

    def seconds(self) -> float | None:
        """Return how long it was trained up to its last checkpoint; None where that was not noted."""
        path = self.folder / "spent.json"
        return (
            read_struct(path, Spent, remedy=f"Delete it: {path} says the time alone.").seconds
            if path.exists()
            else None
        )

    def note_seconds(self, seconds: float) -> None:
        """Note how long it was trained up to this checkpoint."""
        write_sealed(self.folder / "spent.json", Spent(seconds=round(seconds, 1)))


def read_metrics(run: Run) -> Iterator[dict[str, float]]:
    """Yield the lines of a run's metrics: the samples seen (`images`), and losses or a measurement (`kid`) by name.

    Raises:
        Damaged: a line is not as it was written, or of another kind.
    """
    remedy = f"Mend or delete the line, or delete {run.metrics}: the training goes on without it."
    for number, line in enumerate(read_lines(run.metrics, remedy=remedy), start=1):
        try:
            values = msgspec.convert(line, dict[str, float])
            values["images"] = int(values["images"])
        except (msgspec.ValidationError, KeyError, ValueError, OverflowError) as error:
            raise Damaged(f"{run.metrics}:{number} is damaged ({error}).", remedy=remedy) from error
        yield values


def list_runs(root: Path) -> list[Run]:
    """Return the runs below a folder, oldest first."""
    numbered = [path for path in root.glob("*") if re.match(r"\d+-", path.name) and (path / "start.json").exists()]
    return [Run(path) for path in sorted(numbered, key=lambda path: int(path.name.split("-")[0]))]


def usual_run(root: Path) -> Run | None:
    """Return the run that is taken where none is named: the newest finished one with a generator, else the newest with one."""
    drawn = [run for run in list_runs(root) if run.generator.exists()]
    return next(reversed([run for run in drawn if run.finished] or drawn), None)


def why_taken(root: Path) -> str:
    """Say which run is taken where none is named, if that could be another than one thinks; else nothing.

    That is where a newer one is not finished, or where none is.
    """
    taken = usual_run(root)
    if taken is None:
        return ""
    if not taken.finished:
        return f"run {taken.name} is taken; it is not finished ({taken.saved:,} samples seen so far)."
    newer = list_runs(root)[-1]
    if newer == taken:
        return ""
    other = f" (--run {newer.name} takes it)" if newer.generator.exists() else ""
    return f"run {taken.name} is taken; {newer.name} is newer, but not finished{other}."


def find_run(root: Path, name: str | None) -> Run:
    """Return a run with a generator by its name, number or folder; `usual_run` where none is named.

    Raises:
        DataError: there is none.
    """
    runs = list_runs(root)
    if name is None:
        usual = usual_run(root)
        if usual is not None:
            return usual
        raise DataError(f"{root} holds no trained generator yet.", remedy="Train one first: coigan-aug train")
    for run in [*runs, Run(Path(name))]:
        if name in (run.name, run.name.split("-")[0].lstrip("0"), str(run.folder)) and run.generator.exists():
            return run
    known = ", ".join(run.name for run in runs) or "none"
    raise DataError(f"There is no run {name!r} with a generator in {root}.", remedy=f"Runs: {known}.")


def begin_run(
    root: Path, *, recipe: str, settings: Settings, dataset: Material, machine: Machine, command: str,
    init_from: Path | None = None,
) -> Run:  # fmt: skip
    """Make the folder of a new run and write what it begins with.

    Args:
        init_from: run or generator file whose weights it begins with.
    """
    last = max((int(run.name.split("-")[0]) for run in list_runs(root)), default=0)
    run = Run(root / f"{last + 1:03d}-{recipe}")
    run.folder.mkdir(parents=True, exist_ok=True)
    write_bytes(run.folder / "config.yaml", settings_to_yaml(settings).encode())
    weights = None if init_from is None else Weights(path=str(init_from))
    start = structs.replace(
        start_of(settings, dataset), machine=machine, command=command, init_from=weights, recipe=recipe
    )
    write_sealed(run.folder / "start.json", start)
    return run


def resolve(settings: Settings, prepared: Prepared) -> Settings:
    """Decide what the settings leave to the data: colour."""
    if settings.model.colour != "auto":
        return settings
    colour = "grey" if prepared.grey else "rgb"
    return dataclasses.replace(settings, model=dataclasses.replace(settings.model, colour=colour))


def start_of(settings: Settings, dataset: Material) -> RunStart:
    """Return what must be the same for a training to be continued: settings, classes and data."""
    return RunStart(
        program=f"coigan-aug {__version__}",
        settings=settings_to_dict(settings),
        classes=[class_to(item) for item in dataset.classes],
        data=dataset.manifest["sha256"],
    )


def unfinished_run(root: Path, *, settings: Settings, dataset: Material, init_from: Path | None = None) -> Run | None:
    """Return the newest run if it stopped before its end and was begun with the same settings, data and weights."""
    runs = list_runs(root)
    if not runs or runs[-1].finished:
        return None
    begun = runs[-1].start()
    weights = begun.init_from.path if begun.init_from else None
    same = same_as(runs[-1], settings, dataset) and weights == (None if init_from is None else str(init_from))
    return runs[-1] if same else None


def same_as(run: Run, settings: Settings, dataset: Material) -> bool:
    """Tell whether a run was begun with these settings, as far as a training depends on them, classes and data."""
    begun, now = run.start(), start_of(settings, dataset)
    return (begun.classes, begun.data) == (now.classes, now.data) and not _changed(begun, now)


def newest_run(
    root: Path, dataset: Material, flags: Mapping[str, Any], *, command: str = "coigan-aug train"
) -> tuple[Run, Settings]:
    """Return the newest run and its settings, made longer where the flags ("section.key" -> value) say so.

    Raises:
        DataError: there is none, or it was begun with other classes, data or settings.
    """
    runs = list_runs(root)
    if not runs:
        raise DataError(f"{root} holds no run to continue.", remedy=f"Start one with: {command}")
    values = {section: dict(keys) for section, keys in runs[-1].start().settings.items()}
    for name, value in flags.items():
        section, key = name.split(".")
        values[section][key] = value
    settings = settings_from_dict(values, where=str(runs[-1].folder / "start.json"))
    check_same(runs[-1], settings, dataset)
    return runs[-1], settings


def check_same(run: Run, settings: Settings, dataset: Material) -> None:
    """Refuse to continue a run with other classes, data or settings than it was begun with.

    Raises:
        DataError: they differ; the message names what.
    """
    begun, now = run.start(), start_of(settings, dataset)
    if begun.classes != now.classes:
        before, after = ", ".join(item["name"] for item in begun.classes), ", ".join(dataset.names)
        raise DataError(f"{run.name} was trained on the classes {before}; the data set now has {after}.", remedy=_ANEW)
    if begun.data != now.data:
        raise DataError(f"{run.name} was trained on another data set than {dataset.folder} holds now.", remedy=_ANEW)
    for section, key in _changed(begun, now):
        if (section, key) != ("train", "images"):
            first = begun.settings.get(section, {}).get(key, settings_to_dict(Settings())[section][key])
            value = now.settings[section][key]
            raise DataError(f"{run.name} was begun with {section}.{key} = {first}, not {value}.", remedy=_ANEW)


def _changed(begun: RunStart, now: RunStart) -> list[tuple[str, str]]:
    """List the settings (section, key) that a training depends on and that differ.

    A setting that is newer than the run had its default then: defaults stand for what was always so.
    """
    defaults = settings_to_dict(Settings())
    return [
        (section, key)
        for section in ("data", "model", "train", "log", "translate")
        for key, value in now.settings[section].items()
        if begun.settings.get(section, {}).get(key, defaults[section][key]) != value
    ]


_ANEW = "Start a new run with: coigan-aug train  (without --resume; --init-from RUN begins with its weights)"
