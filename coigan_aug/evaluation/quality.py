"""evaluate quality: how far synthetic images are from real ones, beside how far real ones are from each other."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from coigan_aug.evaluation.comparison import Kind, Sample, compare_all
from coigan_aug.evaluation.copies import copies_picture, measure_copies, measure_diversity
from coigan_aug.evaluation.crispness import chosen, compared, measure_crispness
from coigan_aug.evaluation.crops import CROP_FACTOR, Instance
from coigan_aug.evaluation.embedding import Advance, Embedded, PictureSet, counted, embed
from coigan_aug.evaluation.numbers import (
    Agreed,
    Crisp,
    Inside,
    Pairs,
    Quality,
    SeamCounts,
    SeamRatios,
    SetCounts,
    Space,
)
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.seams import Seams, measure_seams
from coigan_aug.evaluation.sets import measured_on, picture_sets, set_warnings, shows_parts
from coigan_aug.evaluation.verdict import comparison_warnings, copy_warnings, quality_verdict, seam_warnings
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import write_image
from coigan_aug.metrics.features import Extractor, Lite0, load_extractor
from coigan_aug.prepare.examples import load_examples
from coigan_aug.progress import Report, silent
from coigan_aug.segmenter.real_only import real_only_segmenter
from coigan_aug.segmenter.scoring import class_counts, iou
from coigan_aug.settings import Settings
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset

Sets = Mapping[str, PictureSet]
INSIDE = "efficientnet_lite0, inside the masks"
PICTURE = "copies.png"


Neighbours = Sequence[tuple[Instance, Instance]]
"""A synthetic and a training object, nearest first."""
Agreement = Callable[[Dataset, Sequence[int]], Mapping[str, float]]


def measure_quality(
    real: Dataset, synthetic: Dataset, settings: Settings, *, folder: Path, device: torch.device, command: str,
    inception_weights: Path | None = None, agreement: Agreement | None = None, report: Report = silent,
) -> Result[Quality]:  # fmt: skip
    """Measure a synthetic set against the real training and test images.

    Compared are whole images that hold objects, object crops, and object crops of each class, in the feature spaces
    of `settings.evaluate.features`; then how varied the insides of the masks are, whether they are copies, how crisp they
    are, the seams, and how well a segmenter that knows only real images finds the synthetic objects. Rows of features lie
    in files below `folder` until it is done, so memory does not grow with the number of images.

    Args:
        folder: where the picture of the nearest pairs goes.
        agreement: gives the IoU of each class that such a segmenter reaches on some records of a Dataset; None leaves
            that out.

    Raises:
        DataError: other classes, no train or test images with objects, or an image that is not there.
        EnvironmentProblem: the weights of a feature space can't be had.
    """
    begun = time.monotonic()
    sets = picture_sets(real, synthetic, min_area=settings.data.min_area)
    card = read_card(synthetic.image_root / CARD)
    if shows_parts(synthetic, real):
        sets = {name: dataclasses.replace(pictures, positions=()) for name, pictures in sets.items()}
    lite0 = Lite0().to(device)
    extractors = {
        name: lite0 if name == lite0.name else load_extractor(name, device=device, weights=inception_weights)
        for name in settings.evaluate.features
    }
    passes = len(extractors.keys() | {Lite0.name})  # of an object: once through Lite0 for its inside, in any case
    work = sum(len(extractors) * len(p.positions) + passes * len(p.instances) for p in sets.values())
    work += sum(len(chosen(p.instances, k)) for p in sets.values() for k in range(len(real.names)))
    advance = counted(report, work + len(synthetic) * (card.margin_px is not None))
    spaces, inside, neighbours = _measure_rows(
        sets, extractors, lite0, factor=CROP_FACTOR, folder=folder, advance=advance
    )
    crisp = {name: _crisp(sets, k, advance) for k, name in enumerate(real.names)}
    seams = None
    if card.margin_px is not None:
        seams = measure_seams(synthetic, real, margin=card.margin_px, advance=advance)
    write_image(folder / PICTURE, copies_picture(neighbours, synthetic, real, factor=CROP_FACTOR))
    return Result(
        kind="quality",
        verdict=quality_verdict(spaces[0].objects, spaces[0].classes),
        command=command,
        measured_on=measured_on(real, synthetic, card),
        settings={"evaluate": asdict(settings.evaluate), "data": {"min_area": settings.data.min_area}},
        numbers=Quality(
            counts={name: _counts(pictures) for name, pictures in sets.items()},
            spaces=spaces,
            inside=inside,
            seams=None if seams is None else _seam_counts(seams, real.names),
            crispness=crisp,
            agreement=None if agreement is None else _agreed(agreement, sets),
        ),
        warnings=(*set_warnings(real, synthetic, card), *_warnings(spaces, inside, seams)),
        pictures=(("Synthetic objects beside the nearest training object", PICTURE),),
        seconds=time.monotonic() - begun,
        folder=folder,
    )


def _warnings(spaces: Sequence[Space], inside: Mapping[str, Inside], seams: Seams | None) -> list[str]:
    whole = [
        space for space in spaces if space.features != INSIDE
    ]  # that one is of the same objects, with the same doubts
    compared = [text for space in whole for text in comparison_warnings(space)]
    copies = copy_warnings({name: insides.copies for name, insides in inside.items()}, PICTURE)
    return [*dict.fromkeys(compared), *copies, *([] if seams is None else seam_warnings(seams))]


def _measure_rows(
    sets: Sets, extractors: Mapping[str, Extractor], lite0: Lite0, *, factor: float, folder: Path, advance: Advance
) -> tuple[list[Space], dict[str, Inside], list[Neighbours]]:
    """Embed the sets and compare their rows; the files of the rows are removed at the end.

    Returns:
        The spaces, and by class what is inside the masks and the nearest pairs.
    """
    rows = folder / ".features"
    shutil.rmtree(rows, ignore_errors=True)
    rows.mkdir(parents=True)
    try:
        embedded = {
            name: embed(pictures, extractors, lite0, factor=factor, folder=rows, advance=advance)
            for name, pictures in sets.items()
        }
        spaces = [_measure_space(sets, embedded, extractor) for extractor in extractors.values()]
        insides = {name: Sample(rows.inside, sets[name].object_groups()) for name, rows in embedded.items()}
        spaces.append(_space(sets, Kind(INSIDE, Lite0.inside_width, False), Pairs(), insides))
        measured = [_measure_inside(sets, embedded, k) for k in range(len(_names(sets)))]
        by_class = {name: inside for name, (inside, _) in zip(_names(sets), measured, strict=True)}
        return spaces, by_class, [pairs for _, pairs in measured]
    finally:
        shutil.rmtree(rows, ignore_errors=True)


def _names(sets: Sets) -> tuple[str, ...]:
    return sets["train"].dataset.names


def _measure_space(sets: Sets, embedded: Mapping[str, Embedded], extractor: Extractor) -> Space:
    kind = Kind(extractor.name, extractor.width, extractor.comparable)
    images = {name: Sample(rows.images[extractor.name], sets[name].image_groups()) for name, rows in embedded.items()}
    objects = {
        name: Sample(rows.objects[extractor.name], sets[name].object_groups()) for name, rows in embedded.items()
    }
    whole = compare_all(images, kind) if all(len(sample.rows) for sample in images.values()) else Pairs()
    return _space(sets, kind, whole, objects)


def _space(sets: Sets, kind: Kind, whole: Pairs, objects: Mapping[str, Sample]) -> Space:
    classes = {}
    for k, label in enumerate(_names(sets)):
        members = {name: pictures.members(k) for name, pictures in sets.items()}
        samples = {
            name: Sample(objects[name].rows[places], objects[name].groups[places]) for name, places in members.items()
        }
        classes[label] = compare_all(samples, kind)
    return Space(
        features=kind.name,
        comparable=kind.comparable,
        width=kind.width,
        images=whole,
        objects=compare_all(objects, kind),
        classes=classes,
    )


def _measure_inside(sets: Sets, embedded: Mapping[str, Embedded], label: int) -> tuple[Inside, Neighbours]:
    rows = {name: pictures.members(label) for name, pictures in sets.items()}
    made, train, test = (embedded[name].inside[rows[name]] for name in ("synthetic", "train", "test"))
    objects, known = sets["synthetic"].instances[rows["synthetic"]], sets["train"].instances[rows["train"]]
    files = [sets["train"].dataset[item.position].file for item in known]
    copies, pairs = measure_copies((made, train, test), objects, known, files, features=INSIDE)
    inside = Inside(diversity=measure_diversity(made, train, features=INSIDE), copies=copies)
    return inside, [(objects[pair.synthetic], known[pair.train]) for pair in pairs]


def _crisp(sets: Sets, label: int, advance: Advance) -> Crisp:
    made, train, test = (
        measure_crispness(pictures.dataset, chosen(pictures.instances, label), advance=advance)
        for pictures in (sets[name] for name in ("synthetic", "train", "test"))
    )
    return compared(made, train, test)


def _counts(pictures: PictureSet) -> SetCounts:
    names = pictures.dataset.names
    classes = {name: len(pictures.instances[pictures.members(k)]) for k, name in enumerate(names)}
    return SetCounts(images=len(pictures.positions), objects=len(pictures.instances), classes=classes)


def _seam_counts(seams: Seams, names: Sequence[str]) -> SeamCounts:
    return SeamCounts(
        margin_px=seams.margin,
        images=seams.images,
        pixels_outside=seams.outside,
        pixels_changed_outside=seams.changed,
        classes={name: _ratios(seams.ratios.get(k, [])) for k, name in enumerate(names)},
    )


def _ratios(ratios: Sequence[float]) -> SeamRatios:
    median, high = (float(np.quantile(ratios, q)) if ratios else None for q in (0.5, 0.95))
    return SeamRatios(n=len(ratios), median=median, p95=high)


def _agreed(agreement: Agreement, sets: Sets) -> dict[str, Agreed]:
    """Return by class the IoU of a segmenter that knows only real images, on synthetic and on held-out real ones."""
    made, real = (
        agreement(sets[name].dataset, sorted({item.position for item in sets[name].instances}))
        for name in ("synthetic", "test")
    )
    return {
        name: Agreed(synthetic=made[name], real=real[name], ratio=made[name] / real[name] if real[name] > 0 else None)
        for name in _names(sets)
    }


def real_only(
    real: Dataset, settings: Settings, *, cache_root: Path, device: torch.device, report: Report = silent
) -> Agreement:
    """Train a segmenter on the real training images and return what gives its IoU for each class on some records.

    The IoU is pooled over the records' pixels at the working scale; 0 where a class is neither there nor predicted.
    The segmenter is kept below `cache_root` for the next synthetic set of the same data and settings.
    """
    network = real_only_segmenter(real, settings, cache_root=cache_root, device=device, report=report)

    def scores(dataset: Dataset, positions: Sequence[int]) -> dict[str, float]:
        examples = load_examples(dataset, positions, settings.data, cache_root=cache_root)
        values = iou(class_counts(network, examples, positions, device=device).sum(axis=0))
        return {name: float(np.nan_to_num(value)) for name, value in zip(dataset.names, values, strict=True)}

    return scores
