"""The bench of the formats runs, on a set so small that its figures mean nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "bench_data.py"


@pytest.mark.slow
def test_the_bench_of_the_formats_prints_its_table_and_goals() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--rows", "12", "--repeats", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines() if line]
    ways = {row[1]: row for row in rows if len(row) == 7}
    assert float(ways["own_csv_to_coco"][4]) > 0
    assert not [row for row in ways.values() if row[2].startswith("failed")]
    assert any(row[0].startswith("decode: times faster than pycocotools") for row in rows if len(row) == 3)
