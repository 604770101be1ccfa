"""Flip every bit of every file that is ours, one at a time, read it, and count what comes of it.

    python examples/flip_bits.py --most 20000

Of a file with more bits than `--most` every n-th one is flipped, and all of its last 36 bytes, where a checksum stands.
Prints a table by kind and file: bits tried, told (an error that names the file, exit code 3), rebuilt (what was read is what it
was, and so is the file again), without meaning (what was read is what it was), unseen (another result without a word).
Ends with 1 where a bit went unseen. The files are those of tests/faults/kept.py, as small as a data set and a network can be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from coigan_aug.config import load_settings
from tests.conftest import SMALL, write_toy
from tests.faults.kept import KINDS, Kept, files_of, outcome_of

LAST = 36 * 8
COLUMNS = ("told", "rebuilt", "without meaning", "unseen")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=20_000, help="bits of a file that are flipped at most, about")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of files, by commas")
    asked = parser.parse_args()
    settings = load_settings(recipe="tiny", overrides=SMALL)
    unseen = 0
    print(f"| kind | file | bits | tried | {' | '.join(COLUMNS)} |\n|{'---|' * 8}")
    for kind in asked.kinds.split(","):
        with tempfile.TemporaryDirectory() as folder:
            toy = write_toy(Path(folder) / "toy")
            place = Path(folder) / "kept"
            place.mkdir()
            kept = KINDS[kind](place, toy, settings)
            for path in files_of(kept):
                counts = count(kept, path, most=asked.most)
                unseen += counts["unseen"]
                cells = (f"{counts[name]:,}" for name in COLUMNS)
                bits = 8 * path.stat().st_size
                print(f"| {kind} | {path.name} | {bits:,} | {counts.total():,} | {' | '.join(cells)} |", flush=True)
    sys.exit(unseen > 0)


def count(kept: Kept, path: Path, *, most: int) -> Counter[str]:
    """Flip bits of a file and count the outcomes; what another kind of error ended in was not seen either."""
    data, before = path.read_bytes(), kept.read()
    bits = 8 * len(data)
    chosen = sorted({*range(0, bits, -(-bits // most)), *range(max(bits - LAST, 0), bits)})
    counts = Counter[str]()
    for bit in chosen:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        counts[outcome_of(kept, path, bytes(damaged), before).partition(":")[0]] += 1
    return counts


if __name__ == "__main__":
    main()
