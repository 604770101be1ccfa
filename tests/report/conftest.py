"""Results made up for the layout, in the format that `evaluate` writes, and workspaces to report on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug import rng
from coigan_aug.annotations.records import DefectClass
from coigan_aug.checkpoint import save_generator
from coigan_aug.evaluation.result import Result, write_result
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.models.build import build_generator
from coigan_aug.pictures import contact_sheet
from coigan_aug.sealed import write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from coigan_aug.training.run import Machine, begin_run
from coigan_aug.training.samples import COLUMNS

SOURCES = ("real", "duplicates", "paste", "poisson", "gan")


def benefit_numbers(names: Sequence[str], *, shares: Sequence[float] = (0.35,), gain: float = 0.02) -> dict[str, Any]:
    """The numbers of a benefit result: every arm a little better than the one before, the GAN by `gain`."""
    draw = rng.generator(5, "made-up")
    arms = []
    for k, source in enumerate(SOURCES):
        for share in shares if source != "real" else (0.0,):
            level = 0.32 + 0.006 * k + (gain if source == "gan" else 0.0) + 0.01 * share
            iou = {name: round(float(np.clip(level + 0.15 * draw.normal(), 0, 1)), 4) for name in names}
            seeds = [round(float(level + 0.015 * draw.normal()), 4) for _ in range(5)]
            name = source if source == "real" else f"real + {source}" + (f" {share}" if len(shares) > 1 else "")
            arms.append(
                {
                    "name": name,
                    "source": source,
                    "share": share,
                    "mean_iou": _around(level, 0.02),
                    "mean_dice": round(level + 0.1, 4),
                    "iou": iou,
                    "dice": {name: round(value**0.8, 4) for name, value in iou.items()},
                    "clean_false_positives": 0.0012 - 0.0001 * k,
                    "by_seed": [
                        {"seed": s, "mean_iou": v, "iou": {n: round(iou[n] + v - level, 4) for n in names}}
                        for s, v in enumerate(seeds)
                    ],
                }
            )
    differences = [
        {"arm": arms[-1]["name"], "against": against, "class": name, **_around(gain + 0.02 * draw.normal(), 0.03)}
        for against in ("real", "real + paste")
        for name in (None, *names)
    ]
    return {
        "classes": list(names),
        "groups": {"test_defective": 37},
        "images": {"train": 1080, "test_defective": 75, "test_clean": 190},
        "steps": 1000,
        "seeds": [0, 1, 2, 3, 4],
        "arms": arms,
        "differences": differences,
        "about": arms[-1]["name"],
        "best_other": "real + paste",
        "verdict": "made up",
    }


def _around(mean: float, half: float) -> dict[str, float]:
    return {"mean": round(mean, 4), "low": round(mean - half, 4), "high": round(mean + half, 4)}


def quality_numbers(names: Sequence[str]) -> dict[str, Any]:
    """The numbers of a quality result; the second space lacks what a reader must do without."""
    space = {
        "features": "efficientnet_lite0",
        "comparable": False,
        "width": 1280,
        "images": _comparisons(0),
        "objects": _comparisons(1),
        "classes": {name: _comparisons(2 + k) for k, name in enumerate(names)},
    }
    inside = {
        "diversity": {"features": "lite0", "synthetic": 0.84, "train": 0.86, "ratio": 0.97, "n_synthetic": 20},
        "copies": {"share": 0.1, "floor": 0.25, "from_shape_source": None, "by_chance": 0.02, "n_synthetic": 20},
    }
    seams = {"n": 20, "median": 1.01, "p95": 1.04}
    return {
        "counts": {"synthetic": {"images": 67}},
        "spaces": [space, {"features": "inception", "comparable": True, "images": {}, "objects": {}}],
        "inside": dict.fromkeys(names, inside),
        "seams": {"pixels_outside": 7_003_897, "pixels_changed_outside": 0, "classes": dict.fromkeys(names, seams)},
        "agreement": {name: {"synthetic": 0.4, "real": 0.5, "ratio": 0.8} for name in names},
        "something new": {name: {"a": 1, "b": None} for name in names},
    }


def _comparisons(k: int) -> dict[str, Any]:
    made = {"n_first": 100, "n_second": 20, "fid": 41.5 + 9 * k, "fid_biased": True}
    floor = {"n_first": 90 + k, "n_second": 20, "fid": 30.0 + 4 * k, "fid_biased": True}
    return {
        "synthetic_train": {**made, "kid": 0.001, "kid_error": 0.001, "precision": 0.9, "recall": 0.9},
        "synthetic_test": {**made, "kid": 0.021 + 0.008 * k, "kid_error": 0.003, "precision": 0.71, "recall": 0.42},
        "floor": {**floor, "kid": 0.009 + 0.002 * k, "kid_error": 0.002, "precision": None, "recall": None},
    }


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    """Noise, which compresses worst."""
    return rng.generator(seed, "noise").integers(0, 256, (height, width, 3)).astype(np.uint8)


def write_results(root: Path, names: Sequence[str], *, picture: Pixels | None = None) -> None:
    """Write a quality and a benefit result with pictures."""
    shown = noise(300, 400) if picture is None else picture
    for folder, kind, numbers, pictures in (
        ("001-quality", "quality", quality_numbers(names), [("Nearest training objects", "nearest.png")]),
        ("002-benefit", "benefit", benefit_numbers(names), [("Where it looks (Grad-CAM)", "cam.png")]),
    ):
        for _, name in pictures:
            write_image(root / folder / name, shown)
        verdict = {
            "quality": "Near the floor.",
            "benefit": "The GAN's images raise the mean IoU by 0.02 [-0.01, 0.05].",
        }
        write_result(
            root / folder,
            Result(
                kind=kind,
                verdict=verdict[kind],
                command=f"coigan-aug evaluate {kind}",
                measured_on={"dataset": {"images": 12}, "synthetic": ["coco"]},
                settings={"seeds": 5, "steps": 1000},
                numbers=numbers,
                warnings=("Five seeds are few.",),
                pictures=tuple(pictures),
                seconds=754.0,
            ),
        )


def write_run(root: Path, dataset: Dataset, settings: Settings, *, command: str = "coigan-aug train") -> Path:
    """Write a run as a training leaves it: settings, log with a torn last line, sample sheets, an untrained generator."""
    run = begin_run(
        root, recipe="tiny", settings=settings, dataset=dataset,
        machine=Machine(device="cpu", bfloat16=True, threads=1), command=command,
    )  # fmt: skip
    lines = [
        {"images": 20 * k, "defect_logistic": 1.4 - 0.001 * k, "reference_logistic": 1.3, "generator_adversarial": 0.7}
        | {"generator_reference_adversarial": 0.9, "generator_paired": 0.3 / (1 + k)}
        | ({"defect_r1": 0.01} if k % 16 == 0 else {})
        for k in range(60)
    ]
    run.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"images": 12')
    for images in range(300, 1300, 300):
        rows = [[noise(64, 64, seed=images + row) for _ in COLUMNS] for row in range(2)]
        write_image(run.samples / f"{images:012d}.png", contact_sheet(rows, headings=COLUMNS, classes=dataset.classes))
    network = build_generator(settings.model, len(dataset.classes))
    save_generator(run.generator, network, settings=settings, classes=dataset.classes, images=1200)
    write_sealed(run.folder / "run.json", {"images": 1200, "generator": run.generator.name})
    return run.folder


def copy_with_classes(dataset: Dataset, folder: Path, classes: Sequence[DefectClass], command: str = "") -> Dataset:
    """Write a data set anew with other class names, its images copied beside it."""
    shutil.copytree(dataset.image_root, folder.parents[1] / "images")
    renamed = dict(zip(dataset.names, (item.name for item in classes), strict=True))
    records = [_renamed(record, renamed) for record in dataset]
    provenance = {"source": "/data/strips.csv", "format": "coco", "command": command}
    return write_dataset(
        folder, records, classes=classes, image_root=folder.parents[1] / "images", provenance=provenance
    )


def _renamed(record: Any, names: dict[str, str]) -> Any:
    from dataclasses import replace

    own = tuple(replace(annotation, label=names[annotation.label]) for annotation in record.annotations)
    return replace(record, annotations=own)


def write_synthetic(workspace: Path, dataset: Dataset, *, run: str = "001-tiny") -> None:
    """Write a synthetic set that is a copy of the data set's images."""
    out = workspace.parent / "made"
    shutil.copytree(dataset.image_root, out)
    made = "coigan-aug synthesize --per-class 3 --out made"
    write_dataset(
        workspace / "synthetic" / "made", list(dataset), classes=dataset.classes, image_root=out,
        provenance={"made_by": made, "run": run},
    )  # fmt: skip
    card = {"images": len(dataset), "command": made, "data": dataset.manifest["sha256"], "generator": {"run": run}}
    write_sealed(out / "card.json", card)


IMPORTED = {
    "groups": 3,
    "grouped": 9,
    "grouping": "near-duplicates",
    "leakage": 0.0,
    "random_leakage": 0.75,
    "problems": [
        {"file": f"{k}.png", "row": k or None, "what": "the mask is empty", "done": "image kept"} for k in range(15)
    ],
}


@pytest.fixture
def full(everything: Path, tmp_path: Path) -> Path:
    """A workspace in which everything has been done, for a test to change."""
    shutil.copytree(everything.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "coigan"


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, toy: Dataset, small: Settings) -> Path:
    """The same to read only."""
    workspace = tmp_path_factory.mktemp("everything") / "coigan"
    dataset = copy_with_classes(toy, workspace / "dataset", toy.classes, command="coigan-aug import strips.csv")
    write_sealed(workspace / "dataset" / "import.json", IMPORTED)
    write_run(workspace / "runs", dataset, small, command="coigan-aug train --recipe tiny")
    write_synthetic(workspace, dataset)
    write_results(workspace / "results", toy.names)
    return workspace
