"""Measure how well a defect is erased: holes in the shapes of real objects, in images that have none.

    python examples/bench_erase.py --workspace coigan

Every hole is the mask of a real object of the test split, grown by 1 px, put somewhere on a defect-free image of the test
split, at the working scale (or, with --full-size, at the images' own). It is filled and compared with what was there. The
learned eraser is trained on clean training windows where the workspace's cache does not hold it yet. For each way to fill
and each class of shapes, a markdown table says

- L1 (grey levels) and PSNR (dB) inside the hole: the nearer to the pixels that were there, the better; a fill that is
  smooth where the surface is rough does well here, so they are not what decides;
- grain: the standard deviation of what a Gaussian of 1.5 px takes away, in the hole over a ring round it (right is
  what the row "nothing done" has: about 1, less where a ring holds edges that the hole does not);
- told apart: how well a logistic regression tells filled crops from the same crops untouched, by EfficientNet-Lite0
  features of the crop and inside the hole (strides 8 and 16), as the area under the ROC curve, cross-validated 5-fold over
  groups of images (0.50: it can't).

A second table has the same by the brightness of the surface: the cases in thirds by the mean grey level of what was in the
hole, dark to bright, all shapes together; its L1 is also given in percent of that level. `--no-learned` leaves out the
learned eraser, and its training.

`--pictures FILE` also writes what the fills look like: three holes of each class, one in a row; the image, the hole, then the
fills in the table's order.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from coigan_aug import rng as streams
from coigan_aug.annotations import masks, rle
from coigan_aug.compose.erase import TELEA, with_texture
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.config import load_settings
from coigan_aug.eraser.erasing import EraserFile, learned, predict, trained_eraser
from coigan_aug.eraser.fit import EraserSettings
from coigan_aug.evaluation.crops import Crop
from coigan_aug.evaluation.embedding import embed_insides
from coigan_aug.geometry import Box
from coigan_aug.imaging import cut_mirrored, write_image
from coigan_aug.metrics.features import Lite0
from coigan_aug.prepare.examples import Examples, load_examples
from coigan_aug.prepare.prepared import prepare
from coigan_aug.progress import progress
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset

GROW, FOLDS, LARGEST = 1, 5, 0.4
Fill = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A defect-free image [h, w, 3], a hole in it [h, w], the class of its shape and the group of its image."""

    number: int
    label: int
    group: str
    image: np.ndarray
    hole: np.ndarray


def cases(examples: Examples, *, per_class: int, seed: int) -> list[Case]:
    """Put shapes on images; a shape that is larger than an image is cut, and one that fills over 40 % drawn again."""
    clean = [position for position in examples.positions if not examples.by_record.get(position)]
    found: list[Case] = []
    for label, members in enumerate(examples.by_class):
        for number in range(per_class):
            rng = streams.generator(seed, f"bench{label}", number)
            found.append(_case(examples, rng, clean, members, label, len(found)))
    return found


def _case(
    examples: Examples, rng: np.random.Generator, clean: list[int], members: list[int], label: int, number: int
) -> Case:
    while True:
        item = examples.objects[members[int(rng.integers(len(members)))]]
        position = clean[int(rng.integers(len(clean)))]
        height, width = examples.cache[position].shape[:2]
        shape = rle.decode_box(item.scaled, item.box)
        rows, columns = fit(rng, shape, height=height, width=width)
        shape = shape[rows, columns]
        left, top = find_place(rng, shape, np.zeros((height, width), bool)) or (0, 0)
        hole = np.zeros((height, width), np.uint8)
        hole[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
        hole = masks.grow(hole, GROW)
        if 0 < hole.mean() <= LARGEST:
            record = examples.dataset[position]
            image = np.ascontiguousarray(examples.pixels(position, Box(0, 0, width, height)))
            return Case(number, label, record.group or record.file, image, hole)


def plain(flag: int) -> Fill:
    """Fill with an algorithm of OpenCV, and no more."""
    return lambda rng, image, hole: np.where(hole[..., None] != 0, cv2.inpaint(image, hole, 3, flag), image)


def textured(flag: int) -> Fill:
    """Fill the same way, with texture moved there."""
    return lambda rng, image, hole: with_texture(rng, image, cv2.inpaint(image, hole, 3, flag).astype(np.float32), hole)


def learned_alone(file: EraserFile, *, window: int, scale: float) -> Fill:
    """Fill with what the network says, and no more."""

    def fill(rng: np.random.Generator, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return np.rint(predict(file.eraser, image, hole, window=window, scale=scale)).astype(np.uint8)

    return fill


def grain_ratio(image: np.ndarray, hole: np.ndarray) -> float:
    """Return the grain's standard deviation in the hole over that in the ring 3 to 8 px round it."""
    grey = image.mean(axis=2, dtype=np.float32)
    grain = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    ring = (masks.grow(hole, 8) != 0) & (masks.grow(hole, 2) == 0)
    return float((grain[hole != 0].std() + 1e-3) / (grain[ring].std() + 1e-3)) if ring.any() else 1.0


def crop_of(case: Case, image: np.ndarray) -> Crop:
    """Cut the hole out with surroundings."""
    region = rle.box(rle.encode(case.hole)).square(1.5, least=32)
    return Crop(case.number, cut_mirrored(image, region), rle.decode_box(rle.encode(case.hole), region))


def embed(found: Sequence[Case], images: Sequence[np.ndarray], extractor: Lite0) -> np.ndarray:
    """Return the features of the crops, [n, D]."""
    crops = (crop_of(case, image) for case, image in zip(found, images, strict=True))
    with tempfile.TemporaryDirectory() as name:
        whole, inside = embed_insides(
            crops, extractor, count=len(images), folder=Path(name), name="crops", advance=lambda done: None
        )
        return np.concatenate([np.asarray(inside), np.asarray(whole)], axis=1)


def told_apart(real: np.ndarray, filled: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Return the logits of held-out crops, [2, n] real and filled: logistic regression, folds over groups."""
    names = {name: number for number, name in enumerate(sorted(set(groups)))}
    fold = np.array([names[group] % FOLDS for group in groups])
    scores = np.zeros((2, len(fold)))
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        rows = np.concatenate([real[train], filled[train]])
        mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
        labels = np.repeat([0.0, 1.0], train.sum())
        weights, bias = logistic((rows - mean) / spread, labels)
        for side, both in enumerate((real, filled)):
            scores[side, test] = (both[test] - mean) / spread @ weights + bias
    return scores


def logistic(rows: np.ndarray, labels: np.ndarray, *, ridge: float = 0.01) -> tuple[np.ndarray, float]:
    """Fit a logistic regression with a ridge on standardised rows [n, D]."""
    x, y = torch.from_numpy(rows).double(), torch.from_numpy(labels).double()
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = x @ weights[:-1] + weights[-1]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y) + ridge * weights[:-1].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    found = weights.detach().numpy()
    return found[:-1], float(found[-1])


def area_under(scores: np.ndarray) -> float:
    """Return the area under the ROC curve of [2, n] scores, real and filled."""
    real, filled = scores
    return float((filled[:, None] > real[None]).mean() + 0.5 * (filled[:, None] == real[None]).mean())


def row(found: Sequence[Case], images: Sequence[np.ndarray], scores: np.ndarray) -> str:
    """Return the measures of some cases as cells."""
    errors = [(np.abs(image.astype(float) - c.image)[c.hole != 0]) for c, image in zip(found, images, strict=True)]
    l1 = np.mean([e.mean() for e in errors])
    psnr = np.mean([10 * np.log10(255**2 / max((e**2).mean(), 1e-9)) for e in errors])
    grain = np.median([grain_ratio(image, c.hole) for c, image in zip(found, images, strict=True)])
    far = f"{l1:.1f} | {psnr:.1f}" if l1 > 0 else "0 | ∞"
    return f"{far} | {grain:.2f} | {area_under(scores):.2f}"


def level_of(case: Case) -> float:
    """Return the mean grey level of what was in the hole, 0..255."""
    return float(case.image.mean(axis=2)[case.hole != 0].mean())


def thirds(found: Sequence[Case]) -> dict[str, np.ndarray]:
    """Return which cases lie on the darkest, the middle and the brightest third of the surfaces, by a name that says where.

    Cases of one level go to one third.
    """
    levels = np.array([level_of(case) for case in found])
    low, high = np.quantile(levels, (1 / 3, 2 / 3))
    parts = {"dark": levels <= low, "middle": (levels > low) & (levels <= high), "bright": levels > high}
    named = {name: np.flatnonzero(part) for name, part in parts.items() if part.any()}
    return {f"{name} ({levels[own].min():.0f} to {levels[own].max():.0f})": own for name, own in named.items()}


def print_by_brightness(found: Sequence[Case], table: dict[str, tuple[list[np.ndarray], np.ndarray]]) -> None:
    """Print the measures of each third of the surfaces, and the L1 over the grey level."""
    print("\n| surface (grey level) | holes | fill | L1 | PSNR | grain | told apart | L1, % of the level |")
    print("|---|---|---|---|---|---|---|---|")
    for title, own in thirds(found).items():
        level = np.mean([level_of(found[k]) for k in own])
        for name, (images, scores) in table.items():
            cases_here, filled = [found[k] for k in own], [images[k] for k in own]
            errors = [
                np.abs(i.astype(float) - c.image)[c.hole != 0].mean() for c, i in zip(cases_here, filled, strict=True)
            ]
            share = 100 * np.mean(errors) / level
            print(f"| {title} | {len(own)} | {name} | {row(cases_here, filled, scores[:, own])} | {share:.1f} |")


def fills_of(
    dataset: Dataset, settings: Settings, cache: Path, *, scale: float, with_learned: bool = True
) -> dict[str, Fill]:
    """Return the ways to fill by name; `scale` brings the images to the working scale."""
    classical: dict[str, Fill] = {
        "nothing done": lambda rng, image, hole: image,
        "Telea": plain(cv2.INPAINT_TELEA),
        "Telea + texture": TELEA.fill,
        "Navier-Stokes": plain(cv2.INPAINT_NS),
        "Navier-Stokes + texture": textured(cv2.INPAINT_NS),
    }
    if not with_learned:
        return classical
    prepared = prepare(dataset, settings.data, cache_root=cache)
    with progress("train the eraser") as report:
        file = trained_eraser(
            prepared, settings.data, EraserSettings(), root=cache, device=torch.device("cpu"),
            bfloat16=settings.train.precision == "bfloat16", report=report,
        )  # fmt: skip
    window = settings.data.window
    return classical | {
        "learned": learned_alone(file, window=window, scale=scale),
        "learned + texture": learned(file, window=window, scale=scale).fill,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how well defects are erased.")
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--recipe", default="tiny", help="windows and scale (default tiny)")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--per-class", type=int, default=60, help="holes of each class's shapes (default 60)")
    parser.add_argument("--full-size", action="store_true", help="holes in full-size images")
    parser.add_argument("--no-learned", action="store_true", help="without the learned eraser")
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset, cache = Dataset(options.workspace / "dataset"), options.workspace / "cache"
    settings = load_settings(recipe=options.recipe, overrides=options.overrides)
    scale = settings.data.scale if options.full_size else 1.0
    fills = fills_of(dataset, settings, cache, scale=scale, with_learned=not options.no_learned)
    data = dataclasses.replace(settings.data, scale=1.0) if options.full_size else settings.data
    found = cases(
        load_examples(dataset, dataset.indices("test"), data, cache_root=cache), per_class=options.per_class, seed=0
    )
    measure(found, fills, dataset.names, options.pictures)


def measure(found: list[Case], fills: dict[str, Fill], names: Sequence[str], pictures: Path | None) -> None:
    """Print the table, all shapes first, and draw the pictures."""
    extractor, groups = Lite0(), [case.group for case in found]
    real = embed(found, [case.image for case in found], extractor)
    print("| shapes | fill | L1 | PSNR | grain | told apart |\n|---|---|---|---|---|---|")
    labels = np.array([case.label for case in found])
    table: dict[str, tuple[list[np.ndarray], np.ndarray]] = {}
    for name, fill in fills.items():
        images = [fill(streams.generator(0, "fill", case.number), case.image, case.hole) for case in found]
        table[name] = (images, told_apart(real, embed(found, images, extractor), groups))
        print(f"| all | {name} | {row(found, images, table[name][1])} |", flush=True)
    for label, title in enumerate(names):
        own = np.flatnonzero(labels == label)
        for name, (images, scores) in table.items():
            print(f"| {title} | {name} | {row([found[k] for k in own], [images[k] for k in own], scores[:, own])} |")
    print_by_brightness(found, table)
    if pictures:
        shown = [k for label in range(len(names)) for k in np.flatnonzero(labels == label)[:3]]
        kept = [images for name, (images, _) in table.items() if name != "nothing done"]
        write_image(pictures, sheet([(found[k], [images[k] for images in kept]) for k in shown]))


def sheet(rows: Sequence[tuple[Case, list[np.ndarray]]]) -> np.ndarray:
    """Show the image, the hole, and the fills."""
    out = []
    for case, fills in rows:
        cells = [case.image, np.where(case.hole[..., None] != 0, 255, case.image).astype(np.uint8), *fills]
        crops = [crop_of(case, cell).pixels for cell in cells]
        out.append(np.concatenate([cv2.resize(c, (192, 192), interpolation=cv2.INTER_NEAREST) for c in crops], axis=1))
    return np.concatenate(out)


if __name__ == "__main__":
    main()
