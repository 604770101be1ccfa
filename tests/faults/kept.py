"""Every kind of file that is ours, written into a folder, and what reads it whole: what the tests of damage damage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from coigan_aug.checkpoint import load_generator, load_latest, save_generator, save_state
from coigan_aug.data.folds import Folds, read_folds, write_folds
from coigan_aug.errors import CoiganError, exit_code_of
from coigan_aug.models.build import build_generator
from coigan_aug.places.kept import kept_places
from coigan_aug.prepare.cache import open_cache
from coigan_aug.prepare.examples import load_examples
from coigan_aug.sealed import append_line, read_struct, sealed_line, write_sealed
from coigan_aug.settings import DataSettings, Settings
from coigan_aug.store.card import BasesUsed, Card, read_card
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.noted import note_images
from coigan_aug.store.writer import write_dataset
from coigan_aug.synthesis.agreeing import Bounds
from coigan_aug.synthesis.parts import ALONE, log_of, numbers_of, open_log, read_log
from coigan_aug.synthesis.rejected import REJECTED, Rejected, read_rejected
from coigan_aug.synthesis.rows import PLAN, DefectRow, LogRow, MadeDefect, MadeRow, Row, read_made, read_rows
from coigan_aug.training.run import Best, Run, RunEnd, read_metrics
from coigan_aug.weights import read_weights, weights_bytes
from tests.conftest import CLASSES

IMAGES = 3
COUNTS = "0b010000a02"


@dataclass(frozen=True)
class Kept:
    """Files of ours in a folder, and what reads them: what was read, as values that can be compared."""

    folder: Path
    read: Callable[[], object]


def data_set(folder: Path, toy: Dataset) -> Kept:
    records = list(toy)[:IMAGES]
    (folder / "images").mkdir()
    for record in records:
        shutil.copyfile(toy.image_root / record.file, folder / "images" / record.file)
    noted = note_images(folder / "images" / record.file for record in records)
    write_dataset(
        folder, records, classes=CLASSES, image_root=folder / "images", provenance={"format": "coco"}, noted=noted
    )

    def read() -> object:
        dataset = Dataset(folder)
        images = [dataset.image(k).tobytes() for k in range(len(dataset))]
        return list(dataset), dataset.classes, dict(dataset.manifest), images

    return Kept(folder, read)


def _values(state: dict[str, torch.Tensor]) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in state.items()}


def generator(folder: Path, settings: Settings) -> Kept:
    network = build_generator(settings.model, len(CLASSES))
    save_generator(folder / "generator.safetensors", network, settings=settings, classes=CLASSES, images=24)

    def read() -> object:
        file = load_generator(folder / "generator.safetensors")
        return _values(file.generator.state_dict()), file.settings, file.classes, file.images

    return Kept(folder, read)


def checkpoints(folder: Path) -> Kept:
    for images in (8, 16):
        save_state(folder, {"images": images, "average": {"w": torch.arange(50.0) + images}}, images=images, keep=2)

    def read() -> object:
        state, damaged = load_latest(folder)
        if damaged:
            assert state is not None
            assert state["images"] == 8
            raise CoiganError(f"{damaged} is damaged; using the one before it")  # as the training says
        return state and (state["images"], _values(state["average"]))

    return Kept(folder, read)


def synthetic(folder: Path) -> Kept:
    defect = DefectRow(label="spot", contrast=-0.25, size=(8, 8), counts=COUNTS, warp=(1.0, 0.0, 0.5, 0.0, 1.0, 2.0))
    made = MadeDefect(label="spot", size=(8, 8), counts=COUNTS, engine="gan", shown=0.5, effective_iou=0.75)
    row = Row(number=1, base="a.png", region=(0, 0, 8, 8), defects=(defect,), seed=77)
    image = MadeRow(
        file="images/x.png", number=1, part=0, attempt=0, seed=7, base="a.png", region=(0, 0, 8, 8), erased=False,
        defects=(made,),
    )  # fmt: skip
    rejected = Rejected(number=1, part=0, attempt=0, reason="seam", label="line", value=0.5, limit=0.25)
    (folder / "given.jsonl").write_bytes(sealed_line(row) * 2)
    (folder / PLAN).write_bytes(sealed_line(image) * 2)
    (folder / REJECTED).write_bytes(sealed_line(rejected) * 2)
    write_sealed(folder / "card.json", Card(images=2, engine="gan", defects={"spot": 2}, bases=BasesUsed(erased=0)))
    with open_log(folder, ALONE) as log:
        log.add(LogRow(number=1, made=(image,), rejected=(rejected,)))
        log.end()

    def read() -> object:
        lines = [*read_made(folder), *read_rejected(folder), *read_log(log_of(folder, ALONE))]
        numbers = list(numbers_of(log_of(folder, ALONE)))
        return (
            [*lines, *(row for _, row in read_rows(folder / "given.jsonl"))],
            numbers,
            read_card(folder / "card.json"),
        )

    return Kept(folder, read)


def run_of(folder: Path) -> Kept:
    run = Run(folder)
    write_sealed(folder / "run.json", RunEnd(images=24, generator="generator.safetensors", best=Best(0.5, 16, 1)))
    write_sealed(folder / "bounds.json", {"found": [0.25, None], "spilled": [0.5, None]})
    write_folds(folder, Folds(test=1, seed=3, files=(("a.png",), ("b.png",))))
    with run.metrics.open("ab") as stream:
        for images in (4, 8, 12):
            append_line(stream, {"images": images, "generator_l1": 0.125 * images})
        append_line(stream, {"images": 12, "kid": 0.03})

    def read() -> object:
        bounds = read_struct(folder / "bounds.json", Bounds)
        return run.end(), list(read_metrics(run)), read_folds(folder), bounds

    return Kept(folder, read)


def weights(folder: Path) -> Kept:
    path = folder / "segmenter.safetensors"
    path.write_bytes(weights_bytes({"w": torch.arange(64.0), "n": torch.tensor(3)}, "coigan-aug segmenter", "{}"))

    def read() -> object:
        about, tensors = read_weights(path, "coigan-aug segmenter", bare=True)
        return about, _values(tensors)

    return Kept(folder, read)


def measured(folder: Path, toy: Dataset) -> Kept:
    examples = load_examples(toy, range(3), DataSettings(window=32, min_area=1), cache_root=folder / "decoded")

    def read() -> object:
        return kept_places(examples, root=folder / "kept")

    read()
    return Kept(folder / "kept", read)


def cache(folder: Path, toy: Dataset) -> Kept:
    def read() -> object:
        opened = open_cache(toy, range(4), scale=0.25, root=folder)
        return [opened[position].tobytes() for position in opened]

    read()
    return Kept(folder, read)


KINDS: dict[str, Callable[[Path, Dataset, Settings], Kept]] = {
    "data set": lambda folder, toy, _: data_set(folder, toy),
    "generator": lambda folder, _, settings: generator(folder, settings),
    "checkpoints": lambda folder, *_: checkpoints(folder),
    "synthetic set": lambda folder, *_: synthetic(folder),
    "run": lambda folder, *_: run_of(folder),
    "weights": lambda folder, *_: weights(folder),
    "cache": lambda folder, toy, _: cache(folder, toy),
    "places": lambda folder, toy, _: measured(folder, toy),
}
"""What writes and reads each kind, from the small data set and settings."""


def files_of(kept: Kept) -> list[Path]:
    return sorted(path for path in kept.folder.rglob("*") if path.is_file() and path.name != ".lock")


def outcome_of(kept: Kept, path: Path, damaged: bytes, before: object) -> str:
    """Read with a damaged file and say what came of it; the files are as they were afterwards."""
    files = {file: file.read_bytes() for file in files_of(kept)}
    path.write_bytes(damaged)
    try:
        now = kept.read()
    except CoiganError as error:
        assert exit_code_of(error) == 3
        assert str(path.name) in str(error) or path.name in ("cache.json", "images.crc"), f"{path.name}: {error}"
        return "told"
    except Exception as error:
        return f"unseen: {type(error).__name__}"
    else:
        if now != before:
            return "unseen"
        return "rebuilt" if path.read_bytes() == files[path] else "without meaning"
    finally:
        for file, data in files.items():
            if not file.exists() or file.read_bytes() != data:
                file.write_bytes(data)
