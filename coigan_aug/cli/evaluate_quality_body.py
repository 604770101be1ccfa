"""What `coigan-aug evaluate quality` does once torch is loaded: find the sets, measure, say what was found."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from coigan_aug.checkpoint import load_generator
from coigan_aug.cli.workspace import Workspace
from coigan_aug.config import load_settings
from coigan_aug.errors import DataError, UsageError
from coigan_aug.evaluation.agreement import real_only
from coigan_aug.evaluation.numbers import Comparison, Quality, SeamRatios, Space
from coigan_aug.evaluation.quality import measure_quality
from coigan_aug.evaluation.result import RESULT, Result, new_folder, to_json, write_result
from coigan_aug.evaluation.thesis import IMAGES, measure_thesis
from coigan_aug.files import folder_lock
from coigan_aug.progress import progress, say
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import MANIFEST, Dataset
from coigan_aug.training.device import choose_device
from coigan_aug.training.run import list_runs

PROTOCOLS = ("default", "thesis")


def evaluate_quality_here(
    workspace: Workspace, *, synthetic_name: str | None, features: str | None, inception_weights: Path | None,
    segmenter: bool, protocol: str, images: int | None, device_name: str | None, overrides: Sequence[str], config: Path | None,
    as_json: bool, quiet: bool, command: str,
) -> None:  # fmt: skip
    """Measure the quality of a workspace's synthetic set, as the options of `coigan-aug evaluate quality` say."""
    _check(protocol, images, inception_weights)
    settings = _settings(protocol, features, overrides, config)
    device = choose_device(device_name, gpus=None)
    real, synthetic = Dataset(workspace.dataset), find_synthetic(workspace, synthetic_name)
    folder = new_folder(workspace.results, "thesis" if protocol == "thesis" else "quality")
    agreement = None
    if segmenter and protocol == "default":
        if device.type == "cpu":
            torch.set_num_threads(1)
        with progress("training a segmenter on real images", quiet=quiet) as report:
            drawn = _drawn_by(workspace, settings)
            agreement = real_only(real, drawn, cache_root=workspace.cache, device=device, report=report)
    with folder_lock(folder), progress(f"measuring {synthetic.folder.name}", quiet=quiet) as report:
        result: Result[Any]
        if protocol == "thesis":
            result = measure_thesis(
                real, synthetic, settings, images=images or IMAGES, folder=folder, device=device, command=command,
                inception_weights=inception_weights, report=report,
            )  # fmt: skip
        else:
            result = measure_quality(
                real, synthetic, settings, folder=folder, device=device, command=command,
                inception_weights=inception_weights, agreement=agreement, report=report,
            )  # fmt: skip
        write_result(folder, result)
    if not quiet:
        show(result)
    if as_json:
        print(json.dumps(to_json(result), ensure_ascii=False))


def _check(protocol: str, images: int | None, inception_weights: Path | None) -> None:
    if protocol not in PROTOCOLS:
        raise UsageError(f"There is no protocol {protocol!r}.", remedy=f"Protocols: {', '.join(PROTOCOLS)}.")
    if images is not None and protocol != "thesis":
        raise UsageError(
            "--images counts the tiles of the thesis' protocol.", remedy="Add --protocol thesis, or leave it out."
        )
    if inception_weights is not None and not inception_weights.exists():
        raise UsageError(f"{inception_weights} does not exist.", remedy="Name the file with --inception-weights FILE.")


def _settings(protocol: str, features: str | None, overrides: Sequence[str], config: Path | None) -> Settings:
    spaces = features or ("inception" if protocol == "thesis" else None)
    flags = {} if spaces is None else {"evaluate.features": tuple(name.strip() for name in spaces.split(","))}
    return load_settings(file=config, overrides=overrides, flags=flags)


def _drawn_by(workspace: Workspace, settings: Settings) -> Settings:
    """Return the settings with the windows and scale of the newest run, where there is one."""
    runs = [run for run in list_runs(workspace.runs) if run.generator.exists()]
    return dataclasses.replace(settings, data=load_generator(runs[-1].generator).settings.data) if runs else settings


def find_synthetic(workspace: Workspace, name: str | None) -> Dataset:
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


def show(result: Result[Any]) -> None:
    """Print what was measured, on stderr."""
    console = Console(stderr=True)
    if isinstance(result.numbers, Quality):
        for space in result.numbers.spaces:
            console.print(_space_table(space))
        console.print(_inside_table(result.numbers))
    for text in result.warnings:
        say(f"! {text}")
    say(result.verdict)
    say("   ".join(str(result.folder / name) for name in (RESULT, *(name for _, name in result.pictures))))
    say("Next: coigan-aug evaluate benefit")


def _space_table(space: Space) -> Table:
    """Show how far synthetic pictures are from test ones, beside how far train ones are."""
    comparable = "as papers measure" if space.comparable else "not comparable with papers"
    table = _table(f"synthetic against test, beside train against test (floor); {space.features}, {comparable}")
    for title in ("synth / test", "KID x1000", "floor", "FID", "floor", "precision", "recall"):
        table.add_column(title, justify="right")
    for name, pairs in {"whole images": space.images, "objects": space.objects, **space.classes}.items():
        if pairs:
            table.add_row(name, *_cells(pairs.synthetic_test, pairs.floor), end_section=name == "objects")
    return table


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=0, collapse_padding=True
    )
    table.add_column("", no_wrap=True)
    return table


def _cells(made: Comparison, floor: Comparison) -> list[str]:
    fids = [_number(pair.fid, ".0f") for pair in (made, floor)]
    shares = [_number(share, ".2f") for share in (made.precision, made.recall)]
    return [f"{made.n_first:,} / {made.n_second:,}", _kid(made), _kid(floor), *fids, *shares]


def _kid(pair: Comparison) -> str:
    if pair.kid is None:
        return "-"
    return f"{1000 * pair.kid:.1f} ± {'?' if pair.kid_error is None else format(1000 * pair.kid_error, '.1f')}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _inside_table(numbers: Quality) -> Table:
    """Show how varied the insides of the masks are, whether they are copies, and the seams."""
    table = _table("inside the masks, and at the margin's edge (1.00: as varied, no seam, found as often as real ones)")
    for title in (
        "diversity",
        "near copies",
        "test's",
        "own shape's",
        "by chance",
        "seam",
        "seam 95 %",
        "found",
    ):
        table.add_column(title, justify="right")
    seams = numbers.seams.classes if numbers.seams else {}
    for name, inside in numbers.inside.items():
        copies, seam, agreed = inside.copies, seams.get(name, SeamRatios()), (numbers.agreement or {}).get(name)
        shares = (copies.share, copies.floor, copies.from_shape_source, copies.by_chance)
        ratios = (seam.median, seam.p95, agreed.ratio if agreed else None)
        cells = [*(_number(share, ".0%") for share in shares), *(_number(ratio, ".2f") for ratio in ratios)]
        table.add_row(name, _number(inside.diversity.ratio, ".2f"), *cells)
    return table
