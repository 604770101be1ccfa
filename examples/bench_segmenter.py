"""Time one training step of the benefit test's segmenter in several ways, by turns: which of them a CPU should take.

    python examples/bench_segmenter.py --rounds 5

Prints the least and the median processor time of a step (8 windows of 144 px, one thread), and the ratio of medians to the
way it is done. `compiled` needs a C++ compiler and a minute; bfloat16 is quick only where the processor has instructions
for it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from coigan_aug.segmenter.build import build_segmenter
from coigan_aug.segmenter.fit import segmentation_loss
from coigan_aug.settings import EvaluateSettings

CLASSES, BATCH, SIDE = 5, 8, 144
Step = Callable[[], None]


def main() -> None:
    """Read the command line and time every way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile, too")
    parser.add_argument("--bfloat16", action="store_true", help="bfloat16, too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    ways: dict[str, Step] = {
        "as it is done": step_of(stride=2),
        "answers at full size (stride 1)": step_of(stride=1),
        "rows of pixels (not channels last)": step_of(stride=2, layout=torch.contiguous_format),
        "first two stages of the encoder frozen": step_of(stride=2, frozen=2),
        "the loss' first version": step_of(stride=2, loss=first_loss),
    }
    if asked.compile:
        ways["compiled"] = step_of(stride=2, compiled=True)
    if asked.bfloat16:
        ways["bfloat16"] = step_of(stride=2, bfloat16=True)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(asked.rounds + 1):
        for name, step in ways.items():
            begun = time.process_time()
            step()
            if turn:  # the first one allocates, and compiles
                times[name].append(time.process_time() - begun)
    usual = statistics.median(times["as it is done"])
    for name, own in times.items():
        middle = statistics.median(own)
        print(f"{name:42} least {min(own):6.3f} s   median {middle:6.3f} s   x {middle / usual:.2f}")


def step_of(
    *, stride: int, layout: torch.memory_format = torch.channels_last, frozen: int = 0, compiled: bool = False,
    bfloat16: bool = False, loss: Callable[[Tensor, Tensor], Tensor] = segmentation_loss,
) -> Step:  # fmt: skip
    """Return what takes one step."""
    network = build_segmenter(EvaluateSettings(stride=stride), CLASSES, seed=0).to(memory_format=layout).train()
    for stage in network.encoder[:frozen]:  # type: ignore[index, union-attr]
        stage.eval().requires_grad_(False)
    optimizer = torch.optim.AdamW([value for value in network.parameters() if value.requires_grad], lr=1e-3)
    predict: nn.Module = torch.compile(network) if compiled else network  # type: ignore[assignment]
    images = torch.rand(BATCH, 3, SIDE, SIDE).contiguous(memory_format=layout)
    masks = (torch.rand(BATCH, CLASSES, SIDE, SIDE) > 0.99).float()

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
            logits = predict(images)
        optimizer.zero_grad(set_to_none=True)
        loss(logits, masks).backward()
        optimizer.step()

    return step


def first_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return the same loss, its labels by argmax over the classes and softmax and cross-entropy apart."""
    labels = torch.where(masks.amax(dim=1) > 0, masks.argmax(dim=1) + 1, 0)
    shares = logits.softmax(dim=1)[:, 1:]
    both, sums = (shares * masks).sum(dim=(2, 3)), shares.sum(dim=(2, 3)) + masks.sum(dim=(2, 3))
    present = masks.amax(dim=(2, 3)) > 0
    missed = torch.where(present, 1 - 2 * both / sums.clamp_min(1e-6), torch.zeros_like(both))
    return nn.functional.cross_entropy(logits, labels) + missed.sum() / present.sum().clamp_min(1)


if __name__ == "__main__":
    main()
