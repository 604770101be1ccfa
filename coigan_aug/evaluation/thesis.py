"""The thesis' protocol (section 4.5): FID of train against test tiles, and of synthetic against test tiles."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from coigan_aug import rng
from coigan_aug.errors import DataError
from coigan_aug.evaluation.comparison import FEW_FOR_FID, FID_IS_BIASED
from coigan_aug.evaluation.crops import in_blocks, list_tiles, tile_pixels
from coigan_aug.evaluation.embedding import BATCH, Advance, counted
from coigan_aug.evaluation.numbers import Fids, Published, Thesis, TileCounts
from coigan_aug.evaluation.result import Result
from coigan_aug.evaluation.sets import check_classes, check_set, measured_on
from coigan_aug.formats.names import CARD
from coigan_aug.imaging import Pixels
from coigan_aug.metrics.features import Extractor, load_extractor
from coigan_aug.metrics.frechet import Moments, frechet_distance
from coigan_aug.progress import Report, silent
from coigan_aug.settings import Settings
from coigan_aug.store.card import read_card
from coigan_aug.store.dataset import Dataset

IMAGES = 40_000
PUBLISHED = Published(train_test=1.02, synthetic_test=62.79, images=IMAGES, data="Severstal, tiles of 256 px")
Tiles = NDArray[np.int64]


def measure_thesis(
    real: Dataset, synthetic: Dataset, settings: Settings, *, images: int = IMAGES, folder: Path, device: torch.device,
    command: str, inception_weights: Path | None = None, report: Report = silent,
) -> Result[Thesis]:  # fmt: skip
    """Repeat the thesis' measurement, in the first feature space of `settings.evaluate.features`.

    Images are cut into tiles of `settings.data.window` px. Of the synthetic ones those count that the box of a mask
    touches: the others are real pixels. `images` tiles of each set are drawn without replacement, in an order that
    `settings.evaluate.seed` gives. Only the sets' moments are held, so memory does not grow with the number of tiles.

    Raises:
        DataError: other classes, no train or test images, or an image that is not there.
        EnvironmentProblem: the weights of the feature space can't be had.
    """
    begun = time.monotonic()
    check_classes(real, synthetic)
    side, name = settings.data.window, settings.evaluate.features[0]
    sources = {"train": real, "test": real, "synthetic": synthetic}
    tiles_of = {
        "train": _tiles(real, real.indices("train"), "train", side=side),
        "test": _tiles(real, real.indices("test"), "test", side=side),
        "synthetic": _tiles(synthetic, range(len(synthetic)), "synthetic", side=side, touched=True),
    }
    drawn = {which: _draw(tiles, images, seed=settings.evaluate.seed, name=which) for which, tiles in tiles_of.items()}
    extractor = load_extractor(name, device=device, weights=inception_weights if name == "inception" else None)
    advance = counted(report, sum(map(len, drawn.values())))
    moments = {
        which: _moments(tile_pixels(sources[which], tiles, side=side), extractor, advance)
        for which, tiles in drawn.items()
    }
    fids = Fids(
        train_test=frechet_distance(moments["train"], moments["test"]),
        synthetic_test=frechet_distance(moments["synthetic"], moments["test"]),
    )
    return Result(
        kind="thesis",
        verdict=f"FID {fids.synthetic_test:.2f} of synthetic against test tiles; train against test tiles"
        f" {fids.train_test:.2f}. The thesis has 62.79 and 1.02 on Severstal, in Inception features.",
        command=command,
        measured_on=measured_on(real, synthetic, read_card(synthetic.image_root / CARD)),
        settings={"evaluate": asdict(settings.evaluate), "data": {"window": side}, "images": images},
        numbers=Thesis(
            features=extractor.name,
            comparable=extractor.comparable,
            tile_px=side,
            asked=images,
            tiles={which: TileCounts(found=len(tiles_of[which]), used=len(tiles)) for which, tiles in drawn.items()},
            fid=fids,
            fid_biased=_biased(drawn, extractor),
            thesis=PUBLISHED,
        ),
        warnings=_warnings(drawn, images, extractor),
        seconds=time.monotonic() - begun,
        folder=folder,
    )


def _tiles(dataset: Dataset, positions: Sequence[int], name: str, *, side: int, touched: bool = False) -> Tiles:
    check_set(name, dataset, positions)
    tiles = list_tiles(dataset, positions, side=side, touched=touched)
    if len(tiles) < 2:
        raise DataError(
            f"{dataset.folder} gives {len(tiles)} {name} tile of {side} px; a FID needs 2 at least.",
            remedy="Cut smaller ones with --set data.window=64, or make more images.",
        )
    return tiles


def _draw(tiles: Tiles, count: int, *, seed: int, name: str) -> Tiles:
    """Draw tiles without replacement and put them back in order, so that each image is read once."""
    order = rng.generator(seed, f"tiles of {name}").permutation(len(tiles))
    return tiles[np.sort(order[:count])]


def _moments(tiles: Iterator[Pixels], extractor: Extractor, advance: Advance) -> Moments:
    moments = Moments(extractor.width)
    for block in in_blocks(tiles, BATCH * 16):
        rows = [extractor(block[start : start + BATCH]).cpu().numpy() for start in range(0, len(block), BATCH)]
        moments.add(np.concatenate(rows))
        advance(len(block))
    return moments


def _biased(drawn: Mapping[str, Tiles], extractor: Extractor) -> bool:
    return min(map(len, drawn.values())) < max(FEW_FOR_FID, extractor.width)


def _warnings(drawn: Mapping[str, Tiles], asked: int, extractor: Extractor) -> tuple[str, ...]:
    short = [f"{len(tiles):,} {name}" for name, tiles in drawn.items() if len(tiles) < asked]
    warnings = [f"{asked:,} tiles a side were asked for; there are only {', '.join(short)}."] if short else []
    if _biased(drawn, extractor):
        warnings.append(FID_IS_BIASED)
    if not extractor.comparable:
        warnings.append(f"Figures in {extractor.name} are not comparable with the thesis', which are in Inception's.")
    return tuple(warnings)
