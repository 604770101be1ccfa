"""Measure what handles annotations, beside pycocotools, datumaro, supervision and hotcoco where they are installed.

    pip install "coigan-aug[bench]"
    python examples/bench_data.py

Makes a set of Severstal's size in a temporary folder (see `bench_data_set.py`) and does each thing in every way that
`bench_data_ways.py` knows, each run in a fresh process. Prints one table, the least of three runs each, taken by turns:

- CPU s: user and system seconds of the whole process, start and imports included;
- work s: those of the work alone (of reading records: microseconds for one);
- peak MB: ru_maxrss of the process;
- CPU x and work x: how many times this package's.

The images' size is said beforehand (as `--size` does, or by the COCO file), since the others open no image either; one
way reads the headers of all. Below the table stands which goals are met. `--rows N` makes the set smaller; the goals are
meant for the whole of it. supervision holds every mask as pixels, which takes 13 GB and a minute: `--supervision` measures
it too, once. Read ratios of one run: seconds vary with the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROWS, READS = 7_095, 5_000
HERE = Path(__file__).resolve().parent
CASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "CSV to COCO, rows checked",
        ("own_csv_to_coco", "own_csv_to_coco_with_images", "own_convert", "thesis_csv_to_coco", "datumaro_csv_to_coco"),
    ),
    ("CSV to polygons", ("own_csv_to_line_json", "naive_csv_to_line_json", "datumaro_csv_to_polygons")),
    ("open COCO polygons", ("own_open", "pycocotools_open", "hotcoco_open", "datumaro_open", "supervision_open")),
    (
        "check COCO polygons",
        ("own_validate", "own_validate_ids", "hotcoco_command", "hotcoco_validate", "pycocotools_validate"),
    ),
    ("decode all masks", ("own_decode", "pycocotools_decode", "hotcoco_decode", "thesis_decode")),
    ("read a record", ("own_read", "own_read_binary", "thesis_read")),
)
GROWING = ("own_csv_to_coco", "own_csv_to_line_json", "own_csv_to_csv", "own_coco_to_coco", "own_convert")
ONCE = frozenset({"supervision_open"})
PEERS = frozenset({"pycocotools", "hotcoco", "datumaro", "supervision"})
GOALS = (
    ("CSV to COCO: times faster than datumaro, at least 10", "datumaro_csv_to_coco", "own_csv_to_coco", "cpu", 10),
    ("CSV to COCO: times faster than the thesis' loop, at least 4", "thesis_csv_to_coco", "own_csv_to_coco", "cpu", 4),
    (
        "CSV to polygons: times faster than naive, at least 5",
        "naive_csv_to_line_json",
        "own_csv_to_line_json",
        "cpu",
        5,
    ),
    (
        "CSV to polygons: times faster than datumaro, at least 3",
        "datumaro_csv_to_polygons",
        "own_csv_to_line_json",
        "cpu",
        3,
    ),
    ("open COCO: times faster than pycocotools, at least 5", "pycocotools_open", "own_open", "cpu", 5),
    ("open COCO: times less memory than pycocotools, at least 3", "pycocotools_open", "own_open", "peak", 3),
    ("open COCO: times faster than datumaro, at least 20", "datumaro_open", "own_open", "cpu", 20),
    ("check COCO: times faster than hotcoco's command, at least 1", "hotcoco_command", "own_validate", "cpu", 1),
    (
        "check COCO, ids alone: times faster than hotcoco's command, at least 1",
        "hotcoco_command",
        "own_validate_ids",
        "cpu",
        1,
    ),
    ("check COCO: times faster than hotcoco's function, at least 1", "hotcoco_validate", "own_validate", "cpu", 1),
    ("decode: times faster than pycocotools, at least 15", "pycocotools_decode", "own_decode", "work", 15),
    ("decode: times faster than the thesis' loop, at least 4", "thesis_decode", "own_decode", "work", 4),
)
"""What is to be reached: in words, the other's way and ours, what is compared, and the ratio."""


@dataclass(frozen=True)
class Run:
    """What a way took: CPU seconds of the process and of its work, and its peak memory in MB."""

    cpu: float
    work: float
    peak: float


def measured(ways: Sequence[str], folder: Path, *, repeats: int) -> dict[str, Run | str]:
    """Run ways by turns, each in fresh processes, and return the least of each figure, or what one said last if it failed.

    On a machine that others use, what disturbs a run makes it longer, never shorter.
    """
    runs: dict[str, list[Run | str]] = {way: [] for way in ways}
    for k in range(repeats):
        for way in ways:
            if k == 0 or not (way in ONCE or isinstance(runs[way][0], str)):
                runs[way].append(_once(way, folder))
    return {way: _least(found) for way, found in runs.items()}


def _least(runs: Sequence[Run | str]) -> Run | str:
    wrong = next((run for run in runs if isinstance(run, str)), None)
    if wrong is not None:
        return wrong
    done = [run for run in runs if isinstance(run, Run)]
    return Run(*(min(getattr(run, key) for run in done) for key in ("cpu", "work", "peak")))


def _once(way: str, folder: Path) -> Run | str:
    command = [sys.executable, str(HERE / "bench_data_ways.py"), way, str(folder)]
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=told, env=_environment())
        assert child.stdout is not None
        with child.stdout as stream:
            said = stream.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            told.seek(0)
            return told.read().decode(errors="replace").strip().rpartition("\n")[2]
    work = json.loads(said.splitlines()[-1])["work"]
    return Run(
        usage.ru_utime + usage.ru_stime, work, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    )


def _environment() -> dict[str, str]:
    """Return the environment with one thread for each process, and this package found where it is not installed."""
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    return os.environ | {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "PYTHONPATH": path}


def compare(folder: Path, *, repeats: int, supervision: bool) -> dict[str, Run]:
    """Measure all cases and print their rows; return what was measured."""
    print("| case | way | CPU s | work s | peak MB | CPU x | work x |\n|---|---|---|---|---|---|---|")
    found: dict[str, Run] = {}
    for title, ways in CASES:
        asked = [way for way in ways if supervision or not way.startswith("supervision")]
        runs = measured([way for way in asked if _is_there(way)], folder, repeats=repeats)
        for way in asked:
            run = runs.get(way)
            if isinstance(run, Run):
                found[way] = run
            print(_row(title, way, run, found.get(ways[0])), flush=True)
    return found


def _is_there(way: str) -> bool:
    package = way.partition("_")[0]
    return package not in PEERS or find_spec(package) is not None


def _row(title: str, way: str, run: Run | str | None, own: Run | None) -> str:
    if run is None:
        return f"| {title} | {way} | not installed | | | | |"
    if isinstance(run, str):
        return f"| {title} | {way} | failed: {run[:80]} | | | | |"
    work = f"{run.work / READS * 1e6:.1f} us" if title == "read a record" else f"{run.work:.2f}"
    ratios = f"{run.cpu / own.cpu:.1f} | {run.work / own.work:.1f}" if own else "|"
    return f"| {title} | {way} | {run.cpu:.2f} | {work} | {run.peak:.0f} | {ratios} |"


def grow(small: Path, large: Path, *, repeats: int, known: Mapping[str, Run]) -> dict[str, tuple[float, float]]:
    """Measure and print the peak memory on a set and on one twice as large; return both."""
    found = {}
    for way in GROWING:
        runs = [known.get(way) or measured([way], small, repeats=repeats)[way]]
        runs.append(measured([way], large, repeats=repeats)[way])
        for words, run in zip(("", ", twice the set"), runs, strict=True):
            print(_row(f"memory{words}", way, run, runs[0] if isinstance(runs[0], Run) else None), flush=True)
        if isinstance(runs[0], Run) and isinstance(runs[1], Run):
            found[way] = (runs[0].peak, runs[1].peak)
    return found


def goals(found: Mapping[str, Run], memory: Mapping[str, tuple[float, float]]) -> list[tuple[str, float, bool]]:
    """Return the goals that could be measured: in words, the value, and whether it is met."""
    results = [
        (words, getattr(found[peer], key) / getattr(found[own], key), limit)
        for words, peer, own, key, limit in GOALS
        if peer in found and own in found
    ]
    told = [(words, value, value >= limit) for words, value, limit in results]
    if "own_csv_to_coco" in found:
        peak = found["own_csv_to_coco"].peak
        told.append(("CSV to COCO: peak MB, at most 80", peak, peak <= 80))
    if "own_read" in found:
        each = found["own_read"].work / READS * 1e6
        told.append(("read a record: microseconds, at most 25", each, each <= 25))
    for way, (small, large) in memory.items():
        told.append(
            (f"{way}: peak on twice the set over that on the set, at most 1.1", large / small, large / small <= 1.1)
        )
    return told


def make(folder: Path, rows: int) -> None:
    """Write a set of so many rows in a process of its own, so that this one stays small."""
    command = [sys.executable, str(HERE / "bench_data_set.py"), str(folder), "--rows", str(rows)]
    subprocess.run(command, check=True, env=_environment())


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the sets, measure, and print."""
    parser = argparse.ArgumentParser(description="Measure what handles annotations.")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of the CSV (default {ROWS})")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each way (default 3)")
    parser.add_argument("--supervision", action="store_true", help="measure supervision too: 13 GB")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="bench-data-"))
    try:
        small, large = folder / "set", folder / "twice"
        make(small, options.rows)
        found = compare(small, repeats=options.repeats, supervision=options.supervision)
        make(large, 2 * options.rows)
        memory = grow(small, large, repeats=options.repeats, known=found)
        print("\n| goal | measured | met |\n|---|---|---|")
        for words, value, met in goals(found, memory):
            print(f"| {words} | {value:.2f} | {'yes' if met else 'no'} |")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
