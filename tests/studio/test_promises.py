"""What the studio promises: masks bit for bit, bytes outside the margin, the same pixels from the commands."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from msgspec import UNSET

from coigan_aug.checkpoint import save_generator
from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.errors import UsageError
from coigan_aug.imaging import read_image
from coigan_aug.models.build import build_generator
from coigan_aug.sealed import read_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.studio.model import draw_job, plan_job
from coigan_aug.studio.session import Session
from coigan_aug.studio.wire import Layer, Painted, split_message, unpack_layers
from coigan_aug.synthesis.rows import read_made
from coigan_aug.training.run import Machine, begin_run
from tests.studio.conftest import disc, message, painted

SPOTS = disc((20, 20), 5) | disc((50, 70), 4)
LINE = np.zeros((72, 96), np.uint8)
cv2.line(LINE, (30, 60), (60, 44), 1, 2)
LINE &= 1 - SPOTS


@pytest.fixture
def kept(session: Session) -> tuple[Session, Path]:
    """Two pictures kept: one of two classes, one of another seed."""
    asked, bits = painted(session, [("spot", SPOTS), ("line", LINE)], seeds=(5,), into="mine")
    session.keep(asked, bits)()
    session.keep(*painted(session, [("line", LINE)], seeds=(6,), into="mine"))()
    return session, session.workspace.root / "studio" / "mine"


def _call(monkeypatch: pytest.MonkeyPatch, command: str) -> int:
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    return run(app)


def test_kept_masks_are_those_that_were_painted_bit_for_bit(kept: tuple[Session, Path]) -> None:
    session, _ = kept
    records = Dataset(session.workspace.synthetic / "mine")
    assert len(records) == 2
    first, second = records.masks(0), records.masks(1)
    assert first.keys() == {"spot", "line"}
    assert np.array_equal(first["spot"], SPOTS)
    assert np.array_equal(first["line"], LINE)
    assert second.keys() == {"line"}
    assert np.array_equal(second["line"], LINE)


def test_kept_pictures_are_the_base_outside_the_margin_and_differ_inside(kept: tuple[Session, Path]) -> None:
    session, _ = kept
    records, model = Dataset(session.workspace.synthetic / "mine"), session.current()
    side = 2 * model.margin + 1
    for k, mask in enumerate([SPOTS | LINE, LINE]):
        base = session.workspace.dataset.parent.parent / "images" / records[k].source["base"]
        changed = records.stored(k) != read_image(base)
        near = cv2.dilate(mask, np.ones((side, side), np.uint8)) != 0
        assert not changed[~near].any()
        assert changed[mask != 0].mean() > 0.5


def test_the_copied_command_draws_the_same_pixels(
    kept: tuple[Session, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session, out = kept
    monkeypatch.chdir(tmp_path)
    command = session.copy_command(*painted(session, [("spot", SPOTS), ("line", LINE)], seeds=(5,)))
    assert command.startswith("coigan-aug draw --image ")
    assert _call(monkeypatch, command) == 0
    words = shlex.split(command)
    drawn = read_image(Path(words[words.index("--out") + 1]))
    assert np.array_equal(drawn, read_image(out / "images/synthetic_000001.png"))


def test_synthesize_makes_the_plan_of_a_kept_set_again(
    kept: tuple[Session, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session, out = kept
    again = tmp_path / "again"
    command = f"coigan-aug synthesize --plan {out}/plan.jsonl --engine gan --no-screen --out {again} --quiet"
    assert _call(monkeypatch, f"{command} --workspace {session.workspace.root}") == 0
    for row in read_made(out):
        assert np.array_equal(read_image(again / row.file), read_image(out / row.file)), row.file


@pytest.mark.usefixtures("bare_pages")
def test_synthesize_adds_to_a_kept_set_and_what_was_kept_stays(
    kept: tuple[Session, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session, out = kept
    before = (out / "images/synthetic_000001.png").read_bytes()
    command = f"coigan-aug synthesize --per-class 1 --engine paste --no-screen --out {out} --append --quiet"
    assert _call(monkeypatch, f"{command} --workspace {session.workspace.root}") == 0
    card, records = read_sealed(out / "card.json"), Dataset(session.workspace.synthetic / "mine")
    assert card["images"] == len(records) > 2
    assert card["earlier"][0]["command"] == "coigan-aug studio"
    assert np.array_equal(records.masks(0)["spot"], SPOTS)
    assert (out / "images/synthetic_000001.png").read_bytes() == before
    session.keep(*painted(session, [("spot", SPOTS)], into="mine"))()
    assert len(Dataset(session.workspace.synthetic / "mine")) == len(records) + 1


def test_what_is_sent_back_holds_all_that_changed(session: Session) -> None:
    asked, bits = painted(session, [("spot", SPOTS), ("line", LINE)], seeds=(3, 4))
    model = session.current()
    base = model.surface(asked.base)
    head, pixels = split_message_of(session.draw(asked, bits))
    assert head["seeds"] == [3, 4]
    for k, seed in enumerate(head["seeds"]):
        masks = unpack_layers(asked.layers, bits)
        whole = draw_job(model, plan_job(model, asked.base, asked.layers, masks, seed=seed))
        shown = base.copy()
        for left, top, width, height in head["boxes"]:
            size = width * height * head["channels"]
            shown[top : top + height, left : left + width] = pixels[:size].reshape(height, width, *base.shape[2:])
            pixels = pixels[size:]
        assert np.array_equal(shown, whole), k
    assert pixels.size == 0


def split_message_of(data: bytes) -> tuple[dict[str, object], np.ndarray]:
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), np.frombuffer(data[4 + length :], np.uint8)


def test_parts_that_the_network_draws_apart_are_defects_of_their_own(session: Session) -> None:
    asked, bits = painted(session, [("spot", SPOTS)])
    model, masks = session.current(), unpack_layers(asked.layers, bits)
    assert len(plan_job(model, asked.base, asked.layers, masks, seed=1).defects) == 2
    near = disc((20, 20), 3) | disc((20, 28), 3)
    asked, bits = painted(session, [("spot", near)])
    job = plan_job(model, asked.base, asked.layers, unpack_layers(asked.layers, bits), seed=1)
    assert len(job.defects) == 1


def test_an_erased_base_has_a_command_and_a_plan_of_the_same_pixels(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    erased = next(k for k, base in session.current().bases.items() if base.erased)
    asked, bits = painted(session, [("spot", SPOTS)], base=erased, seeds=(9,), into="over")
    kept = session.keep(asked, bits)()
    command = session.copy_command(asked, bits)
    assert _call(monkeypatch, command) == 0
    words = shlex.split(command)
    made = read_image(kept.out / kept.file)
    assert np.array_equal(read_image(Path(words[words.index("--out") + 1])), made)
    card = read_sealed(kept.out / "card.json")
    assert card["bases"]["kind"] == "both"
    assert card["bases"]["erased"] == 1


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 41, "made", "ümlaut", "a b"])
def test_a_name_that_is_none_for_a_set_is_refused_and_nothing_is_written(session: Session, name: str) -> None:
    asked, bits = painted(session, [("spot", SPOTS)], into=name)
    if not name:
        assert session.keep(asked, bits)().out.name == "painted"
        return
    before = sorted(path for path in session.workspace.root.rglob("*") if path.is_file())
    with pytest.raises(UsageError):
        session.keep(asked, bits)()
    assert sorted(path for path in session.workspace.root.rglob("*") if path.is_file()) == before


def test_a_picture_whose_keeping_was_killed_is_finished_by_the_next_one(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from coigan_aug.studio import keep

    session.keep(*painted(session, [("spot", SPOTS)], into="mine"))()
    with monkeypatch.context() as patch:
        patch.setattr(keep, "finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            session.keep(*painted(session, [("line", LINE)], into="mine"))()
    assert session.keep(*painted(session, [("spot", LINE)], into="mine"))().images == 3
    records = Dataset(session.workspace.synthetic / "mine")
    assert [set(records.masks(k)) for k in range(3)] == [{"spot"}, {"line"}, {"spot"}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"base": 10_000}, "no base"),
        ({"base": 3}, "no base"),  # a test image
        ({"layers": (("spot", (90, 60, 20, 20)),)}, "beyond the image"),
        ({"layers": (("hole", (0, 0, 8, 8)),)}, "no class 'hole'"),
        ({"layers": ()}, "Nothing is painted"),
    ],
)
def test_what_cannot_be_drawn_is_told_in_words(session: Session, change: dict[str, object], says: str) -> None:
    asked, bits = painted(session, [("spot", SPOTS)])
    value = {"base": asked.base, "run": asked.run, "layers": asked.layers} | change
    if "layers" in change:
        value["layers"] = layers = tuple(Layer(label=name, box=box) for name, box in change["layers"])  # type: ignore[attr-defined]
        bits = memoryview(b"\xff" * sum(-(-layer.box[2] * layer.box[3] // 8) for layer in layers))
    with pytest.raises(UsageError, match=says):
        session.draw(Painted(**value), bits)  # type: ignore[arg-type]


def test_a_message_is_read_back_and_a_broken_one_refused(session: Session) -> None:
    asked, bits = painted(session, [("spot", SPOTS)])
    body = message(asked, bits)
    head, rest = split_message(body, Painted)
    assert head == asked
    assert bytes(rest) == bytes(bits)
    for broken in (b"", body[:3], body[:30], b"\xff\xff\xff\xff" + body, body[:4] + b"[" + body[5:]):
        with pytest.raises(UsageError):
            split_message(broken, Painted)
    with pytest.raises(UsageError, match="bytes"):
        unpack_layers(head.layers, rest[:-1])


def test_a_truncation_goes_into_the_picture_the_plan_and_the_command(
    session: Session, small: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dataset, root = Dataset(session.workspace.dataset), session.workspace.runs
    model = dataclasses.replace(small.model, generator="style_unet", latent=8, blocks=1)
    settings = dataclasses.replace(small, model=model)
    run = begin_run(
        root, recipe="tiny", settings=settings, dataset=dataset, machine=Machine(device="cpu", bfloat16=False, threads=1),
        command="",
    )  # fmt: skip
    torch.manual_seed(3)
    network = build_generator(model, len(dataset.classes))
    save_generator(run.generator, network, settings=settings, classes=dataset.classes, images=8)
    session.load(run.name)
    monkeypatch.chdir(tmp_path)
    kept, commands = [], []
    for truncation in (1.0, 0.3):
        asked, bits = painted(session, [("spot", SPOTS)], truncation=truncation, into="styled")
        made = session.keep(asked, bits)()
        kept.append(read_image(made.out / made.file))
        commands.append(session.copy_command(asked, bits))
    assert not np.array_equal(*kept)
    assert ["--truncation" in command for command in commands] == [False, True]
    assert [row.truncation for row in read_made(made.out)] == [UNSET, 0.3]
    assert _call(monkeypatch, commands[1]) == 0
    words = shlex.split(commands[1])
    assert np.array_equal(read_image(Path(words[words.index("--out") + 1])), kept[1])
