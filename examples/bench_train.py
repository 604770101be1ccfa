"""Measure a training step: images a second, its share of what the device's matrix product reaches, waiting for data, memory.

    python examples/bench_train.py [--recipes tiny default coigan] [--device cpu] [--steps 4] [--batch N] [--workers N]

Each recipe trains a few full steps (both discriminators, generator, EMA; R1 and path length in the share of steps that
they fall due in) on the demo's steel strips, in a fresh process. Operations are counted by torch as they happen, backward
and double backward included, and divided by the time of the fastest step; beside it, in the same process, a square matrix
product in the same precision. Then the loader: windows composed a second by one core, and the share of the time that steps
wait for them.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from coigan_aug.compose.composer import Stream
from coigan_aug.config import load_settings
from coigan_aug.data.importing import import_dataset
from coigan_aug.demo.strips import CLASSES, write_strips
from coigan_aug.formats.source import ReadOptions, parse_classes
from coigan_aug.prepare.prepared import Prepared, prepare
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.training.batches import Batch, batches
from coigan_aug.training.networks import Networks, Step, build_networks, update_ema
from coigan_aug.training.run import resolve
from coigan_aug.training.steps import training_step

PRODUCT = {"cpu": 2048, "cuda": 8192}


def main() -> None:
    """Measure each recipe in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["tiny", "default", "coigan"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=4, help="timed steps, after one to warm up")
    parser.add_argument("--batch", type=int, help="default: the recipe's")
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--float32", action="store_true", help="no bfloat16 convolutions")
    given = parser.parse_args()
    if len(given.recipes) == 1:
        measure(given)
        return
    own = sys.argv[1:]
    if "--recipes" in own:
        first = own.index("--recipes")
        own = own[:first] + own[first + 1 + len(given.recipes) :]
    for recipe in given.recipes:
        subprocess.run([sys.executable, __file__, *own, "--recipes", recipe], check=True)


def measure(given: argparse.Namespace) -> None:
    """Measure one recipe and print its lines."""
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    with tempfile.TemporaryDirectory(prefix="bench-train-") as name:
        prepared, settings = strips(Path(name), given)
        networks = build_networks(prepared, settings, device, weights=None)
        stream = Stream(prepared, settings, settings.train.seed)
        source = batches(stream, start=0, batch=settings.train.batch, rank=0, world=1, workers=settings.train.workers)
        print(
            f"{given.recipes[0]}: {settings.data.window} px, batch {settings.train.batch}, {device},"
            f" {'float32' if given.float32 else 'bfloat16'}, {given.threads} thread(s), {settings.train.workers} worker(s)"
        )
        step_speed(networks, settings, source, device, given)
        loader_speed(stream)
    print(f"  peak memory               {peak(device):8.2f} GB", flush=True)


def strips(folder: Path, given: argparse.Namespace) -> tuple[Prepared, Settings]:
    """Make and import the demo's strips; the recipe's settings, without a loss that needs a download."""
    csv = write_strips(folder)
    import_dataset(
        csv, folder / "dataset", options=ReadOptions(classes=parse_classes(",".join(CLASSES))), command="bench",
    )  # fmt: skip
    overrides = [f"train.workers={given.workers}"]
    overrides += [f"train.batch={given.batch}"] if given.batch else []
    settings = load_settings(recipe=given.recipes[0], overrides=overrides)
    if settings.train.perceptual == "resnet50":
        settings = dataclasses.replace(
            settings, train=dataclasses.replace(settings.train, perceptual="efficientnet_lite0")
        )
    prepared = prepare(Dataset(folder / "dataset"), settings.data, cache_root=folder / "cache")
    return prepared, resolve(settings, prepared)


def step_speed(
    networks: Networks, settings: Settings, source: Iterator[Batch], device: torch.device, given: argparse.Namespace
) -> None:
    """Time plain steps, count their operations, and compare with a matrix product."""
    bfloat16, batch = not given.float32, settings.train.batch

    def take(number: int, sample: Batch) -> None:
        rng = torch.Generator().manual_seed(number)
        training_step(networks, sample, Step(number, settings, rng, device, bfloat16))
        update_ema(networks.average, networks.generator, decay=settings.train.ema, step=number)
        if device.type == "cuda":
            torch.cuda.synchronize()

    lazy, plain = 0, 1  # step 0 has every regulariser that falls due now and then, step 1 none
    take(plain, next(source).to(device))
    waited, took = [], []
    for _ in range(given.steps):
        begun = time.perf_counter()
        sample = next(source).to(device)
        waited.append(time.perf_counter() - begun)
        take(plain, sample)
        took.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    take(lazy, sample)
    with_lazy = time.perf_counter() - begun
    bare = min(t - w for t, w in zip(took, waited, strict=True))
    every = settings.train.r1_every or 16
    mean = bare + max(with_lazy - bare, 0) / every
    with FlopCounterMode(display=False) as counter:
        take(plain, sample)
    operations, best = counter.get_total_flops(), product(device, bfloat16)
    print(
        f"  images a second           {batch / mean:8.2f}      (step {bare:.3f} s, with regularisers {with_lazy:.3f} s)"
    )
    print(f"  operations an image       {operations / batch / 1e9:8.2f} G")
    print(
        f"  share of matrix product   {100 * operations / bare / best:8.1f} %    ({operations / bare / 1e9:.0f} of"
        f" {best / 1e9:.0f} GFLOP/s)"
    )
    print(f"  waiting for data          {100 * sum(waited) / sum(took):8.1f} % of the time")


def product(device: torch.device, bfloat16: bool) -> float:
    """Return the operations a second of a square matrix product, the best of five."""
    side = PRODUCT[device.type]
    a = torch.randn(side, side, device=device, dtype=torch.bfloat16 if bfloat16 else torch.float32)
    fastest = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize()
        fastest = min(fastest, time.perf_counter() - begun)
    return 2 * side**3 / fastest


def loader_speed(stream: Stream) -> None:
    """Compose samples in this process for two seconds."""
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < 2:
        stream[count]
        count += 1
    print(
        f"  samples composed a second {count / (time.perf_counter() - begun):8.1f}      (each three windows; one core)"
    )


def peak(device: torch.device) -> float:
    """Return the most memory that was in use, GB: of the device, or of this process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
