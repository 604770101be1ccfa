"""Measure how well a defect is erased: holes in the shapes of real objects, in images that have none.

    python examples/bench_erase.py --workspace coigan

Every hole is the mask of a real object of the test split, grown by 1 px, put somewhere on a defect-free image of the test
split at the working scale; no eraser has seen either. It is filled and compared with what was there. For each class of
shape and each way to fill, a markdown table says

- L1 (grey levels) and PSNR (dB) inside the hole;
- grain: the standard deviation of what a Gaussian of 1.5 px takes away, in the hole over a ring round it (1.00 is right);
- told apart: how well a logistic regression on EfficientNet-Lite0 features of the hole (strides 8 and 16, inside the mask)
  and of the crop tells filled crops from the same crops untouched, as the area under the ROC curve, by 5-fold
  cross-validation over groups of images (0.50: it can't).

`--pictures FILE` also writes what the fills look like, one row for each of some holes.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from coigan_aug import rng as streams
from coigan_aug.annotations import masks, rle
from coigan_aug.compose.erase import erase, with_texture
from coigan_aug.compose.placement import find_place, fit
from coigan_aug.config import load_settings
from coigan_aug.evaluation.crops import Crop
from coigan_aug.evaluation.embedding import embed_insides
from coigan_aug.imaging import cut_mirrored, write_image
from coigan_aug.metrics.features import Lite0
from coigan_aug.prepare.examples import Examples, load_examples
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
            image = np.ascontiguousarray(examples.pixels(position, (0, 0, width, height)))
            return Case(number, label, record.group or record.file, image, hole)


def navier_stokes(rng: np.random.Generator, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill as Bertalmio et al. 2001."""
    return np.where(hole[..., None] != 0, cv2.inpaint(image, hole, 3, cv2.INPAINT_NS), image)


def navier_stokes_grain(rng: np.random.Generator, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The same with moved texture."""
    return with_texture(rng, image, cv2.inpaint(image, hole, 3, cv2.INPAINT_NS).astype(np.float32), hole)


def telea(rng: np.random.Generator, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill as `data.erase: telea` does; the hole is grown already."""
    return erase(rng, image, hole, grow=0)


def untouched(rng: np.random.Generator, image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill nothing: what the measures say of real pixels."""
    return image


def grain_ratio(image: np.ndarray, hole: np.ndarray) -> float:
    """Return the grain's standard deviation in the hole over that in the ring 3 to 8 px round it."""
    grey = image.mean(axis=2, dtype=np.float32)
    grain = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    ring = (masks.grow(hole, 8) != 0) & (masks.grow(hole, 2) == 0)
    return float((grain[hole != 0].std() + 1e-3) / (grain[ring].std() + 1e-3)) if ring.any() else 1.0


def crop_of(case: Case, image: np.ndarray) -> Crop:
    """Cut the hole out with surroundings."""
    left, top, width, height = rle.box(rle.encode(case.hole))
    side = max(round(1.5 * max(width, height)), 32)
    region = (left + width // 2 - side // 2, top + height // 2 - side // 2, side, side)
    return Crop(case.number, cut_mirrored(image, region), rle.decode_box(rle.encode(case.hole), region))


def embed(examples: Sequence[Case], images: Sequence[np.ndarray], extractor: Lite0) -> np.ndarray:
    """Return the features of the crops, [n, D]."""
    crops = (crop_of(case, image) for case, image in zip(examples, images, strict=True))
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


def row(cases_: Sequence[Case], images: Sequence[np.ndarray], scores: np.ndarray) -> str:
    """Return the measures of some cases as cells."""
    errors = [(np.abs(image.astype(float) - c.image)[c.hole != 0]) for c, image in zip(cases_, images, strict=True)]
    l1 = np.mean([e.mean() for e in errors])
    psnr = np.mean([10 * np.log10(255**2 / max((e**2).mean(), 1e-2)) for e in errors])
    grain = np.median([grain_ratio(image, c.hole) for c, image in zip(cases_, images, strict=True)])
    return f"{l1:.1f} | {psnr:.1f} | {grain:.2f} | {area_under(scores):.2f}"


def learned_fills(paths: Sequence[Path]) -> dict[str, Fill]:
    """Return the fills of saved erasers, without and with moved texture."""
    from coigan_aug.models.eraser import Eraser

    fills: dict[str, Fill] = {}
    for path in paths:
        _, state = torch.load(path)
        width = state["network.head.weight"].shape[1]
        depth = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("network.downs"))
        eraser = Eraser(width=width, depth=depth, grey=True).eval()
        eraser.load_state_dict(state)

        @torch.no_grad()
        def filled(image: np.ndarray, hole: np.ndarray, eraser: Eraser = eraser) -> np.ndarray:
            x = torch.from_numpy(image.transpose(2, 0, 1).copy())[None].float() / 255
            out = eraser(x, torch.from_numpy(hole)[None, None].float())
            return (255 * out[0]).numpy().transpose(1, 2, 0)

        fills[f"{path.stem}"] = lambda rng, image, hole, f=filled: np.where(
            hole[..., None] != 0, np.rint(f(image, hole)).astype(np.uint8), image
        )
        fills[f"{path.stem} + texture"] = lambda rng, image, hole, f=filled: with_texture(
            rng, image, f(image, hole), hole
        )
    return fills


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure how well defects are erased.")
    parser.add_argument("--workspace", type=Path, default=Path("coigan"))
    parser.add_argument("--recipe", default="tiny", help="windows and scale (default tiny)")
    parser.add_argument("--per-class", type=int, default=100, help="holes of each class's shapes (default 100)")
    parser.add_argument("--erasers", type=Path, nargs="*", default=[])
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dataset = Dataset(options.workspace / "dataset")
    settings = load_settings(recipe=options.recipe)
    examples = load_examples(dataset, dataset.indices("test"), settings.data, cache_root=options.workspace / "cache")
    found = cases(examples, per_class=options.per_class, seed=0)
    fills: dict[str, Fill] = {
        "telea + texture": telea,
        "navier-stokes": navier_stokes,
        "navier-stokes + texture": navier_stokes_grain,
    } | learned_fills(options.erasers)
    extractor = Lite0()
    real = embed(found, [case.image for case in found], extractor)
    groups = [case.group for case in found]
    print("| shapes | fill | L1 | PSNR | grain | told apart |\n|---|---|---|---|---|---|")
    labels = np.array([case.label for case in found])
    table: dict[str, list] = {}
    for name, fill in fills.items():
        images = [fill(streams.generator(0, "fill", case.number), case.image, case.hole) for case in found]
        table[name] = [images, told_apart(real, embed(found, images, extractor), groups)]
        print(f"| all | {name} | {row(found, images, table[name][1])} |", flush=True)
    for label, title in enumerate(dataset.names):
        own = np.flatnonzero(labels == label)
        for name, (images, scores) in table.items():
            print(f"| {title} | {name} | {row([found[k] for k in own], [images[k] for k in own], scores[:, own])} |")
    if options.pictures:
        shown = [k for label in range(len(dataset.names)) for k in np.flatnonzero(labels == label)[:3]]
        write_image(options.pictures, sheet([(found[k], [images[k] for images, _ in table.values()]) for k in shown]))


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
