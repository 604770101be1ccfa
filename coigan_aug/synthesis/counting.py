"""How many defects of which classes are made, and which of them share an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coigan_aug import rng as streams
from coigan_aug.errors import UsageError, class_named
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import SynthesizeSettings

MOST_TOGETHER = 8


@dataclass(frozen=True)
class Together:
    """How defects share images: shares of images with 1, 2, ... defects, and how often a further one has any class.

    Otherwise a further one has the class of the first.
    """

    shares: tuple[float, ...]
    mixed: float


def parse_counts(asked: int | str | Mapping[str, int], names: Sequence[str]) -> tuple[int, ...]:
    """Read `500` (of each class) or `crack=800,fray=200` (none of the others), names in any case: a count for each class.

    A number and a mapping of classes to numbers say the same.

    >>> parse_counts("fray=2", ["crack", "fray"])
    (0, 2)

    Raises:
        UsageError: a class is unknown or named twice, or something is no count; the message says which.
    """
    if isinstance(asked, Mapping):
        items, text = [(name, str(number)) for name, number in asked.items()], str(dict(asked))
    elif "=" not in (text := str(asked)):
        return (_count(text, text),) * len(names)
    else:
        items = [(name.strip(), number) for name, _, number in (item.partition("=") for item in text.split(","))]
    counts: dict[str, int] = {}
    for written, number in items:
        name = class_named(written, names, where=f"--per-class {text}")
        if name in counts:
            raise UsageError(f"--per-class {text}: {name} is named twice.")
        counts[name] = _count(number, text)
    return tuple(counts.get(name, 0) for name in names)


def _count(number: str, text: str) -> int:
    if not number.strip().isdecimal() or int(number) < 1:
        raise UsageError(
            f"--per-class {text}: {number.strip()!r} is not a count of at least 1.",
            remedy="Write  --per-class 500  or  --per-class crack=800,fray=200 .",
        )
    return int(number)


def balancing(prepared: Prepared) -> tuple[int, ...]:
    """Return how many defects of each class bring it up to the largest one's number of training objects.

    Raises:
        UsageError: all classes are as large as each other.
    """
    counts = [len(members) for members in prepared.by_class]
    if len(set(counts)) == 1:
        raise UsageError(f"Each class has {counts[0]:,} training objects already.", remedy="Give --per-class.")
    return tuple(max(counts) - count for count in counts)


def together_of(prepared: Prepared, settings: SynthesizeSettings) -> Together:
    """Return how defects share images: as the settings say, or as in the training images."""
    if not settings.defects:
        return real_together(prepared)
    shares = settings.defects[1:]
    return Together(tuple(share / sum(shares) for share in shares), 1.0)


def real_together(prepared: Prepared) -> Together:
    """Measure on the training images with defects how many they have, and of how many classes; 8 and more count as 8."""
    labels = [[prepared.objects[k].label for k in of_image] for of_image in prepared.by_record.values()]
    counts = np.bincount([min(len(of_image), MOST_TOGETHER) for of_image in labels], minlength=2)[1:]
    further = sum(len(of_image) - 1 for of_image in labels)
    other = sum(label != of_image[0] for of_image in labels for label in of_image[1:])
    several = len({label for of_image in labels for label in of_image})
    chance = (several - 1) / several if several > 1 else 1.0  # that any class differs from the first
    mixed = min(other / further / chance, 1.0) if further else 0.0
    return Together(tuple((counts / counts.sum()).tolist()), round(mixed, 4))


def parse_together(text: str) -> list[float]:
    """Read `2`, `1-3` (each as often) or shares such as `0.6,0.3,0.1` of images with 1, 2, 3 defects.

    Returns:
        The shares of images with 0, 1, 2, ... defects, as `synthesize.defects` has them.

    >>> parse_together("1-2")
    [0.0, 0.5, 0.5]

    Raises:
        UsageError: it is none of them.
    """
    wrong = UsageError(
        f"--defects-per-image {text}: neither a number, a range nor shares.",
        remedy="Write  2 , 1-3  or the shares of images with 1, 2, 3 defects:  0.6,0.3,0.1 .",
    )
    try:
        if "," in text:
            shares = [float(part) for part in text.split(",")]
        else:
            low, _, high = text.partition("-")
            first, last = int(low), int(high or low)
            shares = [float(first <= count) for count in range(1, last + 1)]
    except ValueError as error:
        raise wrong from error
    if not shares or min(shares) < 0 or not sum(shares) > 0 or len(shares) > 100:
        raise wrong
    return [0.0, *(share / sum(shares) for share in shares)]


def share_out(counts: Sequence[int], together: Together, *, seed: int) -> Iterator[tuple[int, ...]]:
    """Yield the classes of each image's defects until every class has its count; holds the counts alone in memory."""
    rng = streams.generator(seed, "plan")
    left = np.array(counts, np.int64)
    while left.sum():
        how_many = 1 + int(rng.choice(len(together.shares), p=np.array(together.shares) / sum(together.shares)))
        own: list[int] = []
        while len(own) < how_many and left.sum():
            if own and rng.random() >= together.mixed:
                if not left[own[0]]:
                    break
                label = own[0]
            else:
                label = int(rng.choice(len(left), p=left / left.sum()))
            own.append(label)
            left[label] -= 1
        yield tuple(own)
