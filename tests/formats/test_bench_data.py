"""The bench of the formats runs, on a set so small that its figures mean nothing."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _example(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_bench_of_the_formats_prints_its_table_and_goals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One way runs in a process of its own, as all do in the bench; the others run here."""
    bench, ways = _example("bench_data", monkeypatch), _example("bench_data_ways", monkeypatch)
    known, alone = {way.__name__: way for way in ways.WAYS}, bench._once

    def once(way: str, folder: Path) -> object:
        if way == "own_csv_to_coco":
            return alone(way, folder)
        begun = time.process_time()
        known[way](folder)()
        return bench.Run(*[time.process_time() - begun] * 2, peak=1.0)

    monkeypatch.setattr(bench, "_once", once)
    bench.main(["--rows", "12", "--repeats", "1"])
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines() if line
    ]
    ways = {row[1]: row for row in rows if len(row) == 7}
    assert float(ways["own_csv_to_coco"][4]) > 1, "megabytes"
    assert not [row for row in ways.values() if row[2].startswith("failed")]
    assert any(row[0].startswith("decode: times faster than pycocotools") for row in rows if len(row) == 3)
