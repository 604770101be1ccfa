"""What the pages "Runs" and "Data" are told, and what is said of synthetic images by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.imaging import read_image
from coigan_aug.sealed import sealed_line
from coigan_aug.store.dataset import Dataset
from coigan_aug.studio.trainings import MOST_POINTS, curves
from coigan_aug.studio.verdicts import SUFFIX, say_verdict, write_accepted
from coigan_aug.studio.wire import unpack_layers
from coigan_aug.synthesis.rejected import Rejected
from coigan_aug.training.run import Run
from tests.studio.conftest import Open, disc, message, painted


def _decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_the_state_says_what_can_be_drawn_with_and_on(studio: Open) -> None:
    state = studio.json("GET", "api/state")
    dataset = Dataset(studio.session.workspace.dataset)
    assert [(item["name"], tuple(item["colour"])) for item in state["classes"]] == [
        (item.name, item.colour) for item in dataset.classes
    ]
    train = {k for k, record in enumerate(dataset) if record.split == "train"}
    assert {base["id"] for base in state["bases"]} == train
    for base in state["bases"]:
        assert base["erased"] == bool(dataset[base["id"]].annotations)
    assert state["runs"] == ["001-tiny"]


def test_a_base_is_sent_byte_for_byte_and_an_erased_one_differs_at_its_defects_alone(studio: Open) -> None:
    dataset, model = Dataset(studio.session.workspace.dataset), studio.session.current()
    clean = next(k for k, base in model.bases.items() if not base.erased)
    assert np.array_equal(_decoded(studio.ask("GET", f"api/base/{clean}")[1]), dataset.stored(clean))
    erased = next(k for k, base in model.bases.items() if base.erased)
    changed = _decoded(studio.ask("GET", f"api/base/{erased}")[1]) != dataset.stored(erased)
    masks = np.max(list(dataset.masks(erased).values()), axis=0)
    assert changed[masks != 0].any()
    assert not changed[cv2.dilate(masks, np.ones((7, 7), np.uint8)) == 0].any()


def test_shapes_are_the_masks_of_training_objects(studio: Open) -> None:
    shapes = studio.json("GET", "api/shapes?class=line")
    model = studio.session.current()
    assert [item["id"] for item in shapes] == sorted(
        model.prepared.by_class[1], key=lambda k: (shapes_area(shapes, k), k)
    )
    status, body = studio.ask("GET", f"api/shape/{shapes[0]['id']}")
    assert status == 200
    item = model.prepared.objects[shapes[0]["id"]]
    whole = model.prepared.dataset.masks(item.position)["line"]
    length = int.from_bytes(body[:4], "little")
    left, top, width, height = __import__("json").loads(body[4 : 4 + length])["box"]
    bits = np.unpackbits(np.frombuffer(body[4 + length :], np.uint8), count=width * height).reshape(height, width)
    assert np.array_equal(bits, whole[top : top + height, left : left + width])
    assert studio.ask("GET", f"api/shape/{shapes[0]['id']}/picture")[0] == 200


def shapes_area(shapes: list[dict[str, int]], k: int) -> int:
    return next(item["width"] * item["height"] for item in shapes if item["id"] == k)


def test_the_screen_says_what_it_measures(studio: Open) -> None:
    from coigan_aug.studio.model import draw_job, plan_job
    from coigan_aug.synthesis.change import measure_change

    asked, bits = painted(studio.session, [("spot", disc((30, 40), 6))])
    status, body = studio.ask("POST", "api/judge", message(asked, bits))
    assert status == 200
    said = __import__("json").loads(body)
    model = studio.session.current()
    job = plan_job(model, asked.base, asked.layers, unpack_layers(asked.layers, bits), seed=1)
    made = draw_job(model, job)
    change = measure_change(model.surface(asked.base), made, job.defects[0].rle, [], margin=model.margin)
    (defect,) = said["defects"]
    assert (defect["class"], defect["shown"], defect["overlap"]) == (
        "spot",
        round(change.shown, 3),
        round(change.iou, 3),
    )
    assert said["passes"] == (change.shown >= said["limits"]["shown"] and (change.seam or 0) <= said["limits"]["seam"])


def test_runs_are_listed_with_their_curves_and_samples(studio: Open) -> None:
    (row,) = studio.json("GET", "api/runs")
    assert (row["name"], row["state"]) == ("001-tiny", "finished")
    about = studio.json("GET", "api/runs/001-tiny")
    assert len(about["curves"]["defect_logistic"]) == 60
    assert about["curves"]["defect_logistic"][3] == [60, 1.4 - 0.003]
    assert [int(name) for name in about["samples"]] == [300, 600, 900, 1200]
    status, body = studio.ask("GET", "api/runs/001-tiny/samples/3?side=200")
    assert status == 200
    assert max(_decoded(body).shape[:2]) == 200


def test_a_long_curve_is_averaged_to_few_points(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.metrics.write_bytes(b"".join(sealed_line({"images": k, "loss": float(k % 2)}) for k in range(4 * MOST_POINTS)))
    points = curves(run)["loss"]
    assert len(points) == MOST_POINTS
    assert {value for _, value in points} == {0.5}
    assert points[0][0] == 1.5


def test_sets_are_filtered_by_class_state_and_name(studio: Open) -> None:
    sets = {item["name"]: item for item in studio.json("GET", "api/sets")}
    assert sets["dataset"]["real"] and not sets["made"]["real"]
    dataset = Dataset(studio.session.workspace.dataset)
    assert sets["dataset"]["states"] == {"annotated": 6, "clean": 6}
    for query, wanted in {
        "": range(12), "?class=line": range(0, 12, 2), "?state=clean": range(1, 12, 2), "?split=test": dataset.indices("test"),
        "?text=1": [1, 10, 11], "?class=line&split=test": [k for k in dataset.indices("test") if k % 2 == 0],
        "?from=9": range(9, 12),
    }.items():  # fmt: skip
        told = studio.json("GET", f"api/sets/dataset{query}")
        assert [item["position"] for item in told["items"]] == list(wanted), query
    assert told["count"] == 12


def test_a_picture_shows_the_masks_or_not(studio: Open) -> None:
    plain, outlined = (
        _decoded(studio.ask("GET", f"api/sets/dataset/images/0?side=96&masks={k}")[1]).astype(int) for k in (0, 1)
    )
    dataset = Dataset(studio.session.workspace.dataset)
    mask = np.max(list(dataset.masks(0).values()), axis=0)
    ring = (cv2.dilate(mask, np.ones((3, 3), np.uint8)) != 0) & (mask == 0)
    differs = np.abs(plain - outlined).max(axis=2)
    assert differs[ring].mean() > 40
    assert differs[cv2.dilate(mask, np.ones((25, 25), np.uint8)) == 0].max() < 30


def test_images_are_accepted_and_rejected_and_the_rest_is_a_set(studio: Open) -> None:
    workspace = studio.session.workspace
    for position, verdict in ((1, "rejected"), (4, "rejected"), (4, ""), (5, "accepted"), (7, "rejected")):
        told = studio.json("POST", "api/sets/made/verdict", {"position": position, "verdict": verdict})
    assert told["verdicts"] == {"rejected": 2, "accepted": 1}
    assert [i["position"] for i in studio.json("GET", "api/sets/made?verdict=rejected")["items"]] == [1, 7]
    assert len(studio.json("GET", "api/sets/made?verdict=open")["items"]) == 9
    made = studio.json("POST", "api/sets/made/accepted", {})
    assert (made["images"], made["left_out"]) == (10, 2)
    whole, rest = Dataset(workspace.synthetic / "made"), Dataset(workspace.synthetic / f"made{SUFFIX}")
    assert list(rest) == [record for k, record in enumerate(whole) if k not in (1, 7)]
    assert np.array_equal(rest.stored(0), read_image(whole.image_path(0)))
    say_verdict(workspace, "made", 7, "")
    assert write_accepted(workspace, "made").images == 11  # made anew


def test_what_the_screen_rejected_is_told_with_its_reason(studio: Open) -> None:
    folder = Dataset(studio.session.workspace.synthetic / "made").image_root
    picture = "rejected/000002-0.png"
    from coigan_aug.imaging import write_image

    write_image(folder / picture, np.full((20, 40, 3), 90, np.uint8))
    tries = [
        Rejected(number=2, part=0, attempt=0, reason="seam", label="spot", value=3.1, limit=2.5, file=picture),
        Rejected(number=3, part=0, attempt=0, reason="copy", label="line", value=1.0, limit=2.0, file="../../dataset/x.png"),
    ]  # fmt: skip
    (folder / "rejected.jsonl").write_bytes(b"".join(map(sealed_line, map(vars_of, tries))))
    told = studio.json("GET", "api/sets/made/rejected")
    assert [(item["class"], item["reason"]) for item in told["items"]] == [("spot", "seam"), ("line", "copy")]
    assert "seam" in told["items"][0]["words"]
    assert _decoded(studio.ask("GET", "api/sets/made/rejected/0")[1]).shape == (20, 40, 3)
    assert studio.ask("GET", "api/sets/made/rejected/1")[0] == 422  # it leads out of the set
    (folder / "rejected.jsonl").unlink()


def vars_of(item: Rejected) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(item)


def test_a_damaged_set_does_not_hide_the_others(studio: Open) -> None:
    folder = studio.session.workspace.synthetic / "broken"
    folder.mkdir()
    (folder / "dataset.json").write_text("{")
    told = {item["name"]: item for item in studio.json("GET", "api/sets")}
    assert told["broken"]["problem"]
    assert told["made"]["images"] == 12
    (folder / "dataset.json").unlink()
    folder.rmdir()


@pytest.mark.parametrize("name", ["index.html", "main.js", "studio.css", "icon.svg"])
def test_the_pages_files_name_no_other_host(studio: Open, name: str) -> None:
    status, body = studio.ask("GET", f"static/{name}")
    assert status == 200
    text = body.decode().replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
