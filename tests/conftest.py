"""One thread, no network, nothing of the person's home; and a small data set that tests share."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import functools
import itertools
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import hypothesis
import numpy as np
import pytest
import torch
from markupsafe import Markup

from coigan_aug import rng
from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord, colour_of
from coigan_aug.config import load_settings
from coigan_aug.imaging import write_image
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.chromium import opened
from tests.thorough import tries

# What is written outlives the processes that tests kill without waiting for the disk, which took a tenth of the time.
os.fsync = lambda descriptor: None  # type: ignore[assignment]
torch.set_num_threads(1)
cv2.setNumThreads(0)
hypothesis.settings.register_profile("here", deadline=None, max_examples=tries(100))
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


def _alone(self: pytest.TempPathFactory, basename: str, numbered: bool = True) -> Path:
    """Make a folder two levels down: images are looked for beside a folder, too, and there lie those of other tests.

    Counted here, since pytest looks through all folders that there are to find the next number.
    """
    numbers = vars(self).setdefault("numbers", itertools.count())
    folder = self.getbasetemp() / (f"{basename}-{next(numbers)}" if numbered else basename) / "here" / "alone"
    folder.mkdir(parents=True)
    return folder


pytest.TempPathFactory.mktemp = _alone  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with most slow tests first; the order within a file stays."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(autouse=True)
def sealed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point home and caches to a temporary folder and refuse every connection beyond this machine."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(home))
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):  # type: ignore[index]
            raise OSError(f"tests make no connection to {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", local_only)


CLASSES = (
    DefectClass(name="spot", colour=colour_of(0), source_id=1),
    DefectClass(name="line", colour=colour_of(1), source_id=2),
)


def make_image(index: int, *, defective: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Paint a grey image 72 x 96 with streaks; a defective one gets a dark disc and a bright slanted line."""
    draw = rng.generator(11, "toy", index)
    streaks = cv2.GaussianBlur(draw.normal(0, 30, (72, 96)), (31, 1), 6)
    image = np.clip(130 + 20 * draw.normal() + streaks + draw.normal(0, 3, (72, 96)), 20, 235)
    masks = {}
    if defective:
        disc, line = np.zeros((72, 96), np.uint8), np.zeros((72, 96), np.uint8)
        centre = (int(draw.integers(12, 40)), int(draw.integers(14, 58)))
        cv2.circle(disc, centre, int(draw.integers(4, 8)), 1, -1)
        start = (int(draw.integers(56, 66)), int(draw.integers(8, 20)))
        cv2.line(line, start, (start[0] + 18, start[1] + 34), 1, 2)
        image = np.where(disc, image * 0.4, image)
        image = np.where(line, np.minimum(image + 90, 250), image)
        masks = {"spot": disc, "line": line}
    return image.astype(np.uint8), masks


def write_toy(folder: Path, *, count: int = 12) -> Dataset:
    """Write a data set of `count` images, every second one defective, three quarters of them for training."""
    records = []
    for index in range(count):
        image, masks = make_image(index, defective=index % 2 == 0)
        write_image(folder / "images" / f"{index:02d}.png", image)
        annotations = tuple(Annotation(label=name, rle=rle.encode(mask)) for name, mask in masks.items())
        split = "test" if index % 4 == 3 or index % 8 == 6 else "train"
        records.append(
            ImageRecord(
                file=f"{index:02d}.png", height=72, width=96, annotations=annotations, group=str(index), split=split
            )
        )
    return write_dataset(
        folder / "coigan" / "dataset", records, classes=CLASSES, image_root=folder / "images",
        provenance={"format": "coco"},
    )  # fmt: skip


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The small data set; tests only read it."""
    return write_toy(tmp_path_factory.mktemp("toy"))


@contextmanager
def pages_left_bare(*, padding: int = 0, keep_pictures: bool = False) -> Iterator[None]:
    """Leave out of pages what takes most of their time: for tests of anything else.

    Args:
        padding: how many bytes each chart has.
        keep_pictures: leave out the charts alone.
    """
    from coigan_aug.report import fit, html, plots, score_plots

    with pytest.MonkeyPatch.context() as patch:
        for module in (fit, plots, score_plots):
            for name, function in vars(module).items():
                if getattr(function, "__annotations__", {}).get("return") == "Markup" and name != "inline":
                    patch.setattr(module, name, functools.partial(_empty_chart, padding, name))
        patch.setattr(plots, "_curve", lambda *lines, **even: None)
        patch.setattr(plots, "inline", lambda axes, key, label: _empty_chart(padding, label))
        if not keep_pictures:
            patch.setattr(html, "data_uri", lambda pixels, level: "data:image/webp;base64,AAAA")
        yield


def _empty_chart(padding: int, label: str, *_: object, **__: object) -> Markup:
    return Markup('<svg class="plot" role="img" aria-label="{}">{}</svg>').format(label, padding * "x")


@pytest.fixture
def bare_pages() -> Iterator[None]:
    with pages_left_bare():
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as started:
        yield started


@pytest.fixture(scope="module")
def few_draws() -> Iterator[None]:
    """Intervals from 200 draws instead of 2,000."""
    from coigan_aug.evaluation import summary

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summary, "draw", functools.partial(summary.draw, draws=200))
        yield


@pytest.fixture(scope="module")
def coarse() -> Iterator[None]:
    """Lite0 looks at 96 px instead of 224, in a sixth of the time: for what holds in any space of features."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coigan_aug.metrics.features._LITE0_SIDE", 96)
        yield


SMALL = (
    "data.fit=0", "model.generator=unet", "model.contrast=false", "model.reference_discriminator=same",
    "train.mismatch=0", "train.contrast=0", "log.watch_every=0",
    "data.window=32", "data.scale=1.0", "model.width=8", "model.depth=2", "model.discriminator_width=8",
    "model.discriminator_layers=2", "train.batch=4", "train.threads=1", "train.precision=float32", "train.images=24",
    "log.samples_every=16", "log.checkpoint_every=8", "log.metrics_every=1", "synthesize.defects=[0,0.5,0.5]",
    "evaluate.screen_steps=60", "evaluate.window=32",
)  # fmt: skip


@pytest.fixture(scope="session")
def small() -> Settings:
    """The recipe `tiny`, made smaller still, without what takes long."""
    return load_settings(recipe="tiny", overrides=SMALL)


@pytest.fixture(scope="session")
def prepared(toy: Dataset, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The small data set, prepared at full scale with 32 px windows."""
    return prepare(toy, small.data, cache_root=tmp_path_factory.mktemp("cache"))
