"""The stage evaluate quality: find the sets, measure how far synthetic images are from real ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from coigan_aug.checkpoint import load_generator
from coigan_aug.config import detail_settings, load_settings, settings_file
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.numbers import Quality, Thesis
from coigan_aug.evaluation.quality import measure_quality, real_only
from coigan_aug.evaluation.result import Result, new_folder, write_result
from coigan_aug.evaluation.thesis import IMAGES, measure_thesis
from coigan_aug.files import folder_lock
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.evaluate_asks import QualityAsk
from coigan_aug.store.accepting import accept
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import list_runs, usual_run

PROTOCOLS = ("default", "thesis")


def evaluate_quality(
    workspace: Folders, ask: QualityAsk, *, talk: Talk = SILENT, command: str = ""
) -> Result[Quality] | Result[Thesis]:
    """Measure how far a synthetic set is from real images, beside how far real train and test images are apart.

    Raises:
        UsageError: no such protocol or file. DataError: there is no synthetic set.
    """
    _check(ask)
    spaces = ask.features or ("inception" if ask.protocol == "thesis" else None)
    flags = {} if spaces is None else {"evaluate.features": tuple(name.strip() for name in spaces.split(","))}
    settings = load_settings(file=settings_file(ask.config), overrides=ask.overrides, flags=flags)
    detail_settings(settings)
    command, device = command or ask.command(), choose_device(ask.device, gpus=None)
    weights = Path(ask.inception_weights) if ask.inception_weights is not None else None
    accept(None, workspace, talk, asked=ask.accept_changes)
    real, synthetic = Dataset(workspace.dataset), find_synthetic(workspace, ask.synthetic)
    folder = new_folder(workspace.results, "thesis" if ask.protocol == "thesis" else "quality")
    agreement = None
    if ask.segmenter and ask.protocol == "default":
        if device.type == "cpu":
            torch.set_num_threads(1)
        with talk.step("training a segmenter on real images") as report:
            drawn = _drawn_by(workspace, synthetic, settings)
            agreement = real_only(real, drawn, cache_root=workspace.cache, device=device, report=report)
    with folder_lock(folder), talk.step(f"measuring {synthetic.folder.name}") as report:
        result: Result[Quality] | Result[Thesis]
        if ask.protocol == "thesis":
            result = measure_thesis(
                real, synthetic, settings, images=ask.images or IMAGES, folder=folder, device=device, command=command,
                inception_weights=weights, report=report,
            )  # fmt: skip
        else:
            result = measure_quality(
                real, synthetic, settings, folder=folder, device=device, command=command, inception_weights=weights,
                agreement=agreement, report=report,
            )  # fmt: skip
        write_result(folder, result)
    return result


def _check(ask: QualityAsk) -> None:
    protocol, images, weights = ask.protocol, ask.images, ask.inception_weights
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol {protocol!r}.", remedy=f"Protocols: {', '.join(PROTOCOLS)}.")
    if images is not None and protocol != "thesis":
        raise UsageError(
            "--images counts the tiles of the thesis' protocol.", remedy="Add --protocol thesis, or leave it out."
        )
    if weights is not None and not Path(weights).exists():
        raise UsageError(f"{weights} does not exist.", remedy="Name the file with --inception-weights FILE.")


def _drawn_by(workspace: Folders, synthetic: Dataset, settings: Settings) -> Settings:
    """Return the settings with windows and scale of the run that drew a set, else of the usual run; as they are without one."""
    name = synthetic.manifest["provenance"].get("run")
    own = [run for run in list_runs(workspace.runs) if run.name == name and run.generator.exists()]
    run = own[0] if own else usual_run(workspace.runs)
    return settings if run is None else dataclasses.replace(settings, data=load_generator(run.generator).settings.data)


def find_synthetic(workspace: Folders, name: str | None) -> Dataset:
    """Return a synthetic set by its name, by the folder of its images or of its records; None names the newest.

    Raises:
        DataError: there is none, or none of that name.
    """
    sets = sorted(path.parent for path in workspace.synthetic.glob(f"*/{MANIFEST}"))
    if name is None and sets:
        return Dataset(max(sets, key=lambda folder: (folder / MANIFEST).stat().st_mtime))
    if name is None:
        raise DataError(
            f"{workspace.synthetic} holds no synthetic set.",
            remedy="Make one with: coigan-aug synthesize --per-class 200 --out synthetic/",
        )
    if workspace.synthetic / name in sets:
        return Dataset(workspace.synthetic / name)
    if (Path(name) / MANIFEST).exists():
        return Dataset(Path(name))
    for folder in sets:
        if Dataset(folder).image_root == Path(name).resolve():
            return Dataset(folder)
    known = ", ".join(folder.name for folder in sets) or "none"
    raise DataError(
        f"There is no synthetic set {name}.",
        remedy=f"{workspace.synthetic} holds: {known}. Make one with: coigan-aug synthesize",
    )
