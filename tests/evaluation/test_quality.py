"""evaluate quality: copies are seen as copies, noise as noise, and the order of the images does not matter."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from msgspec import structs

from coigan_aug import rng
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.evaluation.copies import measure_copies
from coigan_aug.evaluation.crops import Instance
from coigan_aug.evaluation.numbers import Comparison, Pairs, Quality
from coigan_aug.evaluation.quality import measure_quality
from coigan_aug.evaluation.result import Result, read_result, to_json, write_result
from coigan_aug.evaluation.verdict import copy_warnings, quality_verdict
from coigan_aug.files import to_values
from coigan_aug.imaging import read_image
from coigan_aug.metrics import features
from coigan_aug.metrics.features import Lite0
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("coarse")


def _measure(real: Dataset, made: Dataset, settings: Settings, folder: Path, **options: Any) -> Result[Quality]:
    return measure_quality(real, made, settings, folder=folder, device=CPU, command="coigan-aug evaluate", **options)


def _numbers(result: Result[Quality]) -> dict[str, Any]:
    """The numbers as they stand in the file."""
    return to_values(result.numbers)


def _rewritten(made: Dataset, folder: Path, records: Sequence[ImageRecord]) -> Dataset:
    return write_dataset(folder, records, classes=made.classes, image_root=made.image_root, provenance={})


@pytest.fixture(scope="module")
def made(make_synthetic: Callable[..., Dataset], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_synthetic(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def result(
    coarse: None, real: Dataset, made: Dataset, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Result[Quality]:
    return _measure(real, made, settings, tmp_path_factory.mktemp("result"))


def test_every_figure_stands_beside_its_floor_its_counts_and_its_feature_space(result: Result[Quality]) -> None:
    space = _numbers(result)["spaces"][0]
    assert _numbers(result)["counts"] == {
        "synthetic": {"images": 10, "objects": 20, "classes": {"spot": 10, "line": 10}},
        "train": {"images": 12, "objects": 24, "classes": {"spot": 12, "line": 12}},
        "test": {"images": 4, "objects": 8, "classes": {"spot": 4, "line": 4}},
    }
    counts = {"images": (10, 12, 4), "objects": (20, 24, 8)}
    for part, (synthetic, train, test) in counts.items():
        sizes = {name: (pair["n_first"], pair["n_second"]) for name, pair in space[part].items()}
        expected = {"synthetic_train": (synthetic, train), "synthetic_test": (synthetic, test), "floor": (train, test)}
        assert sizes == expected
        for pair in space[part].values():
            assert pair["features"] == "efficientnet_lite0"
            assert pair["comparable"] is False
            assert pair["fid"] > 0
            assert pair["fid_biased"] is True
            assert pair["kid_error"] > 0
    assert any(text.startswith("FID of fewer than 2,048 pictures") for text in result.warnings)
    assert any("fewer than 5 groups" in text and "spot (4 of 4)" in text for text in result.warnings)


def test_a_result_is_json_and_reads_back(result: Result[Quality], tmp_path: Path) -> None:
    write_result(tmp_path, result)
    kept = json.loads((tmp_path / "result.json").read_text())
    assert kept.pop("crc32")
    assert kept == json.loads(json.dumps(to_json(result)))
    assert read_result(tmp_path).verdict == result.verdict


def test_the_picture_shows_pairs_and_nothing_else_is_left_behind(result: Result[Quality]) -> None:
    assert sorted(path.name for path in result.folder.iterdir()) == ["copies.png"]
    assert read_image(result.folder / "copies.png").shape[1] == 8 * 128


def test_the_training_images_as_synthetic_are_no_distance_from_train_and_the_floor_from_test(
    real: Dataset, settings: Settings, tmp_path: Path
) -> None:
    copies = _rewritten(real, tmp_path / "copies", [real[k] for k in real.indices("train")])
    found = _measure(real, copies, settings, tmp_path)
    objects = _numbers(found)["spaces"][0]["objects"]
    assert objects["synthetic_train"]["kid"] <= 0
    assert objects["synthetic_train"]["fid"] == pytest.approx(0, abs=1e-6)
    assert (objects["synthetic_train"]["precision"], objects["synthetic_train"]["recall"]) == (1, 1)
    assert objects["synthetic_test"]["kid"] == pytest.approx(objects["floor"]["kid"])
    assert _numbers(found)["seams"] is None
    for name in real.names:
        own = _numbers(found)["inside"][name]
        assert own["diversity"]["ratio"] == pytest.approx(1)
        assert own["copies"]["share"] == 1
        assert own["copies"]["from_shape_source"] is None
    assert sum("nearer to a training object" in text for text in found.warnings) == 2
    assert any("seams are not measured" in text for text in found.warnings)


def test_training_images_are_as_crisp_as_themselves_noise_crisper_and_what_is_blurred_less(
    real: Dataset, result: Result[Quality], make_synthetic: Callable[..., Dataset], settings: Settings, tmp_path: Path
) -> None:
    copies = _rewritten(real, tmp_path / "copies", [real[k] for k in real.indices("train")])
    same = _numbers(_measure(real, copies, settings, tmp_path / "same"))["crispness"]

    def blur(image: np.ndarray, mask: np.ndarray, index: int) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(np.where(mask[..., None] > 0, 30, image), (0, 0), 3))

    soft = _numbers(_measure(real, make_synthetic(tmp_path / "soft", paint=blur), settings, tmp_path / "less"))[
        "crispness"
    ]
    for name in real.names:
        assert (same[name]["grain"], same[name]["edge"]) == (1, 1)
        assert soft[name]["edge"] < 0.9
        assert (soft[name]["synthetic"]["n"], soft[name]["train"]["n"], soft[name]["test"]["n"]) == (10, 12, 4)
        assert soft[name]["test_edge"] == pytest.approx(same[name]["test_edge"])


def test_noise_is_farther_than_what_looks_real(
    real: Dataset, result: Result[Quality], make_synthetic: Callable[..., Dataset], settings: Settings, tmp_path: Path
) -> None:
    def scramble(image: np.ndarray, mask: np.ndarray, index: int) -> np.ndarray:
        colours = rng.generator(5, "noise", index).integers(0, 256, image.shape)
        return np.where(mask[..., None] > 0, colours, image)

    noise = _measure(real, make_synthetic(tmp_path / "noise", paint=scramble), settings, tmp_path)
    for part in ("objects", "images"):
        near, far = (_numbers(item)["spaces"][0][part]["synthetic_test"] for item in (result, noise))
        assert far["kid"] > 2 * near["kid"]
        assert far["fid"] > near["fid"]
        assert far["precision"] <= near["precision"]
    assert "real" in noise.verdict


def test_the_order_of_the_images_does_not_matter(
    real: Dataset, made: Dataset, result: Result[Quality], settings: Settings, tmp_path: Path
) -> None:
    order = rng.generator(0, "order")
    mixed = [_rewritten(real, tmp_path / "real", order.permutation(list(real)).tolist())]  # type: ignore[arg-type]
    mixed.append(_rewritten(made, tmp_path / "made", order.permutation(list(made)).tolist()))  # type: ignore[arg-type]
    again = _measure(*mixed, settings, tmp_path)
    for part in ("objects", "images"):
        for name, pair in _numbers(again)["spaces"][0][part].items():
            before = _numbers(result)["spaces"][0][part][name]
            for key in ("fid", "kid", "kid_error", "precision", "recall"):
                assert pair[key] == pytest.approx(before[key], rel=1e-4, abs=1e-6), (part, name, key)
    for name, own in _numbers(again)["inside"].items():
        for part, values in own.items():
            for key, value in values.items():
                before = _numbers(result)["inside"][name][part][key]
                assert value == (before if isinstance(before, str) else pytest.approx(before, rel=1e-4))


def test_what_a_segmenter_finds_is_given_as_a_ratio(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path
) -> None:
    asked: list[tuple[Dataset, list[int]]] = []

    def agreement(dataset: Dataset, positions: Sequence[int]) -> Mapping[str, float]:
        asked.append((dataset, list(positions)))
        return {"spot": 0.3, "line": 0.5} if dataset is made else {"spot": 0.6, "line": 0.0}

    found = _numbers(_measure(real, made, settings, tmp_path, agreement=agreement))["agreement"]
    assert found["spot"] == {"synthetic": 0.3, "real": 0.6, "ratio": pytest.approx(0.5)}
    assert found["line"]["ratio"] is None
    assert asked == [
        (made, list(range(10))),
        (real, [k for k in real.indices("test") if real[k].annotations]),
    ]


def test_windows_are_compared_object_by_object_only(
    real: Dataset, make_synthetic: Callable[..., Dataset], settings: Settings, tmp_path: Path
) -> None:
    found = _measure(real, make_synthetic(tmp_path / "windows", region=True), settings, tmp_path)
    assert _numbers(found)["spaces"][0]["images"] == {}
    assert _numbers(found)["spaces"][0]["objects"]["synthetic_test"]["n_first"] > 10
    assert _numbers(found)["seams"]["pixels_changed_outside"] == 0
    assert any("holds windows" in text for text in found.warnings)


def test_a_class_without_training_or_test_objects_gives_no_figures_and_no_error(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path
) -> None:
    def without(record: ImageRecord) -> ImageRecord:
        kept = tuple(item for item in record.annotations if item.label != "line")
        return dataclasses.replace(record, annotations=kept)

    found = _measure(_rewritten(real, tmp_path / "d", [without(item) for item in real]), made, settings, tmp_path)
    pairs = _numbers(found)["spaces"][0]["classes"]["line"]
    assert [pairs["synthetic_test"][key] for key in ("fid", "kid", "precision")] == [None, None, None]
    assert _numbers(found)["inside"]["line"]["copies"]["threshold"] is None
    assert _numbers(found)["inside"]["line"]["diversity"]["ratio"] is None


def test_both_feature_spaces_are_measured_and_lite0_passes_over_each_object_once(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stand:
        """Inception's place taken by the mean colour."""

        name, width, comparable = "inception", 3, True

        def to(self, device: torch.device) -> Stand:
            return self

        def __call__(self, images: Sequence[np.ndarray]) -> torch.Tensor:
            return torch.tensor(np.array([image.mean(axis=(0, 1)) for image in images]), dtype=torch.float32)

    monkeypatch.setattr(features, "Inception", lambda weights: Stand())
    passes: list[int] = []
    inside = Lite0.with_inside
    monkeypatch.setattr(
        Lite0, "with_inside", lambda self, images, masks: passes.append(len(images)) or inside(self, images, masks)
    )
    evaluate = dataclasses.replace(settings.evaluate, features=("inception", "efficientnet_lite0"))
    reported: list[tuple[int, int]] = []
    found = _measure(
        real, made, dataclasses.replace(settings, evaluate=evaluate), tmp_path,
        report=lambda done, total, note="": reported.append((done, total)),
    )  # fmt: skip
    assert [(space["features"], space["comparable"]) for space in _numbers(found)["spaces"]] == [
        ("inception", True), ("efficientnet_lite0", False), ("efficientnet_lite0, inside the masks", False),
    ]  # fmt: skip
    assert sum(passes) == 20 + 24 + 8
    assert reported[-1][0] == reported[-1][1]


def _instances(count: int, shape_of: Sequence[str] = ()) -> list[Instance]:
    mask = Annotation(label="x", rle=None).rle  # type: ignore[arg-type]
    sources = shape_of or [""] * count
    return [Instance(k, 0, mask, f"g{k}", source) for k, source in zip(range(count), sources, strict=True)]


def test_copies_are_counted_against_the_closest_training_objects_of_different_groups() -> None:
    """On a line: train at 0, 10, 20, ..., so the threshold is 10; half of the synthetic and of the test objects lie nearer."""
    train = np.arange(0, 100, 10, dtype=np.float32)[:, None]
    made = np.array([[1], [22], [-30], [200]], np.float32)
    test = np.array([[93], [500]], np.float32)
    sources = ["f0", "f3", "f0", "f9"]
    found, pairs = measure_copies(
        (made, train, test), _instances(4, sources), _instances(10), [f"f{k}" for k in range(10)], features="line"
    )
    assert found.threshold == pytest.approx(10)
    assert (found.share, found.floor) == (0.5, 0.5)
    assert found.from_shape_source == 0.75, "the nearest of 22 is f2, not f3 whose shape it took"
    assert found.by_chance == pytest.approx(0.1)
    assert [(pair.synthetic, pair.train, pair.distance) for pair in pairs[:2]] == [(0, 0, 1.0), (1, 2, 2.0)]
    assert copy_warnings({"x": found}, "copies.png") == []
    certain = structs.replace(found, floor=0.05)
    assert "x: 50% of the synthetic objects" in copy_warnings({"x": certain}, "copies.png")[0]


def _pair(kid: float | None, error: float | None = 0.001, *, groups: int = 50) -> Comparison:
    return Comparison(
        features="inception", comparable=True, n_first=100, n_second=90, groups_first=80, groups_second=groups, fid=1.0,
        fid_biased=False, kid=kid, kid_error=error, precision=0.5, recall=0.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("made", "floor", "says"),
    [
        (_pair(0.0412, 0.003), _pair(0.0061), "KID 41.2 ± 3.0 (x1000) against a floor of 6.1: far from real; worst class b."),
        (_pair(0.018, 0.001), _pair(0.006), "short of real; worst class b."),
        (_pair(0.011, 0.001), _pair(0.006), "near real; worst class b."),
        (_pair(0.007, 0.001), _pair(0.006), "no difference that 100 synthetic and 90 test objects (of 50 groups of images)"),
        (_pair(0.2, None), _pair(0.006), "KID 200.0 (x1000) against a floor of 6.0: one group of near-duplicate images tells"),
        (_pair(None), _pair(0.006), "100 synthetic and 90 test objects are too few for a KID."),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_numbers(made: Comparison, floor: Comparison, says: str) -> None:
    def both(kid: float) -> Pairs:
        return Pairs(synthetic_test=_pair(kid), floor=_pair(0.01))

    verdict = quality_verdict(Pairs(synthetic_test=made, floor=floor), {"a": both(0.02), "b": both(0.03)})
    assert says in verdict


def test_another_state_of_the_data_set_and_other_classes_are_told(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path
) -> None:
    changed = _rewritten(real, tmp_path / "changed", list(real)[:-1])
    assert any("another state" in text for text in _measure(changed, made, settings, tmp_path).warnings)
    other = write_dataset(
        tmp_path / "other", list(made), classes=made.classes[::-1], image_root=made.image_root, provenance={}
    )
    with pytest.raises(DataError, match="has the classes line, spot; the data set has spot, line"):
        _measure(real, other, settings, tmp_path)


def test_no_test_split_and_a_missing_image_are_told_before_any_work(
    real: Dataset, made: Dataset, settings: Settings, tmp_path: Path
) -> None:
    untested = [dataclasses.replace(item, split="train") for item in real]
    with pytest.raises(DataError, match="has no test images") as caught:
        _measure(_rewritten(real, tmp_path / "untested", untested), made, settings, tmp_path)
    assert "--split 0.8" in caught.value.remedy
    lost = [dataclasses.replace(item, file=f"lost-{k}.png") for k, item in enumerate(made)]
    with pytest.raises(DataError, match=r"lost-0\.png is not there \(10 of 10 are missing\)") as caught:
        _measure(real, _rewritten(made, tmp_path / "lost", lost), settings, tmp_path)
    assert "coigan-aug synthesize --overwrite" in caught.value.remedy
    with pytest.raises(DataError, match="hold no objects of 5000 px or more"):
        data = dataclasses.replace(settings.data, min_area=5000)
        _measure(real, made, dataclasses.replace(settings, data=data), tmp_path)
