"""Fuzz the readers for as long as you like: python -m tests.fuzz.run --seconds 600 [--source coco ...] [--seed 1]."""

from __future__ import annotations

import argparse
import collections
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from coigan_aug.errors import CoiganError
from tests.fuzz.mutations import KINDS, Mutation, mutate
from tests.fuzz.sources import EVERYTHING, Sample, carry_on, damaged_reads, write_sample

MEMORY = 1 << 30
SECONDS_EACH = 20
EVERY = 5
"""How many damaged sources are read for one that is stored and written, too."""


def drawn(draw: random.Random) -> Mutation:
    """Draw a damage."""
    return Mutation(draw.choice(list(KINDS)), draw.random(), draw.random(), draw.randrange(1 << 16))


def damage(sample: Sample, draw: random.Random) -> list[tuple[str, Mutation]]:
    """Damage one to four places of a source's files; return what was done."""
    done = []
    for _ in range(draw.choice([1, 1, 1, 2, 3, 4])):
        path = draw.choice(list(sample.files))
        mutation = drawn(draw)
        path.write_bytes(mutate(path.read_bytes(), mutation))
        done.append((path.name, mutation))
    return done


def fuzz(name: str, *, seconds: float, seed: int, keep: Path) -> collections.Counter[str]:
    """Damage and read one source again and again; inputs that end in anything but an error for people are kept."""
    counts: collections.Counter[str] = collections.Counter()
    seen: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample(name, Path(folder) / "data")
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            number += 1
            done = damage(sample, random.Random(f"{seed} {name} {number}"))
            signal.alarm(SECONDS_EACH)
            try:
                for result in damaged_reads(sample):
                    counts["refused" if isinstance(result, CoiganError) else "read"] += 1
                    if isinstance(result, tuple) and number % EVERY == 0:
                        carry_on(result, Path(folder))
                        counts["carried on"] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                counts["found"] += 1
                _keep(error, name, number, done, sample, keep=keep, seen=seen)
            signal.alarm(0)
            sample.mend()
    return counts


def _keep(
    error: BaseException,
    name: str,
    number: int,
    done: list[tuple[str, Mutation]],
    sample: Sample,
    *,
    keep: Path,
    seen: set[str],
) -> None:
    where = traceback.extract_tb(error.__traceback__)
    key = f"{type(error).__name__} {[f'{frame.name}:{frame.lineno}' for frame in where[-3:]]}"
    if key in seen:
        return
    seen.add(key)
    print(f"{name} #{number}: {key} {str(error)[:200]!r}\n   {done}", flush=True)
    for path in sample.files:
        out = keep / f"{name} {number}" / path.relative_to(sample.folder)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(path.read_bytes())


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"not done after {SECONDS_EACH} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60, help="for each source")
    parser.add_argument("--source", nargs="*", default=list(EVERYTHING), choices=list(EVERYTHING))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-found"), help="where inputs that were not dealt with go"
    )
    options = parser.parse_args()
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, _too_long)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    found = 0
    for name in options.source:
        counts = fuzz(name, seconds=options.seconds, seed=options.seed, keep=options.keep)
        print(f"{name}: {dict(counts)}", flush=True)
        found += counts["found"]
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
