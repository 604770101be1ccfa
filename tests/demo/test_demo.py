"""The demo makes its data, imports it, draws with the bundled model, and may be run again."""

from __future__ import annotations

import html
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import grow
from coigan_aug.checkpoint import load_generator
from coigan_aug.demo.ask import DemoAsk
from coigan_aug.demo.demo import MODEL, run_demo
from coigan_aug.demo.strips import CLASSES
from coigan_aug.errors import UsageError
from coigan_aug.files import sha256
from coigan_aug.imaging import read_image
from coigan_aug.progress import SILENT, Talk
from coigan_aug.sealed import Damaged
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

pytestmark = pytest.mark.usefixtures("bare_pages")

PACKAGE = Path(run_demo.__code__.co_filename).parent


def _run(out: Path, talk: Talk = SILENT) -> None:
    run_demo(DemoAsk(out=out, per_class=3), talk=talk)


def test_the_demo_from_the_bundled_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("my demo")
    _run(out, Talk(quiet=False))
    _check_pages_and_next_step(out, capsys, monkeypatch)
    coco = COCO(str(out / "coco" / "annotations.json"))
    assert {item["name"] for item in coco.cats.values()} == set(CLASSES)
    assert len(coco.anns) == 3 * len(CLASSES)
    card = json.loads((out / "coco" / "card.json").read_text())
    assert card["defects"] == dict.fromkeys(CLASSES, 3)
    changes = {name: [] for name in CLASSES}
    source = {record.file: record for record in Dataset(out / "coigan" / "dataset")}
    for record in Dataset(out / "coigan" / "synthetic" / "coco"):
        made, base = (read_image(folder / name).astype(int) for folder, name in (
            (out / "coco", record.file), (out / "strips", Path(record.source["base"]).name)))  # fmt: skip
        assert not source[record.source["base"]].annotations
        union = np.max([rle.decode(annotation.rle) for annotation in record.annotations], axis=0)
        assert (made == base)[grow(union, card["margin_px"]) == 0].all()
        for annotation in record.annotations:
            inside = rle.decode(annotation.rle) > 0
            changes[annotation.label].append(np.abs(made - base)[inside].mean())
    for name, found in changes.items():
        assert np.mean(found) > 8, f"{name} can be seen: {found}"
    before = sha256(out / "coco" / "annotations.json"), sha256(out / "coco" / "images" / "synthetic_000001.png")
    _run(out)
    assert (
        sha256(out / "coco" / "annotations.json"),
        sha256(out / "coco" / "images" / "synthetic_000001.png"),
    ) == before


def _check_pages_and_next_step(out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages know the model; what is said to come next, and what the report says is missing, can be typed here."""
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "Next: " in line)
    words = shlex.split(line.partition("coigan-aug ")[2])
    assert words[:3] == ["synthesize", "--per-class", "20"]
    assert len(Dataset(Path(words[words.index("--workspace") + 1]) / "dataset")) == 60
    assert not Path(words[words.index("--out") + 1]).exists()
    report = html.unescape((out / "report.html").read_text())
    for page in (report, html.unescape((out / "coco" / "preview.html").read_text())):
        assert "Drawn by the model that comes with the program (000-steel)." in page
        assert "coigan-aug demo --out 'my demo' --per-class 3" in page
    assert "No model has been trained" not in report
    assert "coigan-aug evaluate benefit --workspace 'my demo/coigan'" in report
    code, out_text, _ = call(capsys, monkeypatch, "runs", "--workspace", str(out / "coigan"), "--json")
    (row,) = json.loads(out_text)["runs"]
    assert (row["recipe"], row["bundled"], row["state"], row["usual"]) == ("tiny", True, "finished", True)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_bytes(b"mine")
    with pytest.raises(UsageError, match="holds other files"):
        _run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.doc"]


def test_the_bundled_model_is_small() -> None:
    assert (PACKAGE / MODEL).stat().st_size <= 3_000_000


def test_the_bundled_model_has_a_checksum_so_that_damage_is_told(tmp_path: Path) -> None:
    data = bytearray((PACKAGE / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "it.safetensors").write_bytes(data)
    with pytest.raises(Damaged, match="is not as it was written"):
        load_generator(tmp_path / "it.safetensors")
