"""Defects inserted on the fly: only inside the mask's reach, the class' own, never those of held-out images, by their seed."""

from __future__ import annotations

import pickle
import runpy
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from coigan_aug.errors import DataError, UsageError
from coigan_aug.insertion import DefectInserter, albumentations_transform
from coigan_aug.store.dataset import Dataset
from tests.conftest import write_toy


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("insertion")
    write_toy(folder)
    return folder / "coigan"


@pytest.fixture(scope="module")
def insert(workspace: Path) -> DefectInserter:
    return DefectInserter(workspace, p=1, seed=3)


@pytest.fixture(scope="module")
def clean(workspace: Path) -> np.ndarray:
    dataset = Dataset(workspace / "dataset")
    return dataset.stored(next(k for k in dataset.indices("train") if not dataset[k].annotations))


@pytest.mark.parametrize("colour", [False, True])
def test_nothing_changes_beyond_a_pixel_round_the_mask(insert: DefectInserter, clean: np.ndarray, colour: bool) -> None:
    image = np.repeat(clean[..., None], 3, axis=2) if colour else clean
    before = image.copy()
    for number in range(20):
        made, mask = insert(image, index=number)
        assert made.dtype == mask.dtype == np.uint8
        assert made.shape == image.shape
        assert set(np.unique(mask)) in ({0, 1}, {0, 2})
        beyond = cv2.dilate(mask, np.ones((3, 3), np.uint8)) == 0
        assert np.array_equal(made[beyond], image[beyond])
        changed = (made != image) if made.ndim == 2 else (made != image).any(axis=2)
        assert changed[mask > 0].mean() > 0.5
        assert not colour or (made == made[..., :1]).all(), "grey stays grey"
    assert np.array_equal(image, before)


def test_a_spot_is_dark_and_a_line_is_bright_as_theirs_are(insert: DefectInserter, clean: np.ndarray) -> None:
    for number in range(30):
        made, mask = insert(clean, index=number)
        difference = made.astype(float)[mask > 0].mean() - clean.astype(float)[mask > 0].mean()
        assert difference < -15 if mask.max() == 1 else difference > 15


def test_defects_of_held_out_images_are_never_inserted(workspace: Path, insert: DefectInserter) -> None:
    dataset = Dataset(workspace / "dataset")
    train = {k for k in range(len(dataset)) if dataset[k].split == "train" and dataset[k].annotations}
    assert {donor.image for donor in insert.donors} == train
    assert any(dataset[k].split == "test" and dataset[k].annotations for k in range(len(dataset)))


def test_transplants_lie_where_they_lay_and_pasted_ones_anywhere(workspace: Path, clean: np.ndarray) -> None:
    """The middles of all spots of the small set lie in the left 42 of 96 columns."""

    def middles(engine: str, image: np.ndarray) -> np.ndarray:
        insert = DefectInserter(workspace, engine=engine, p=1, flip=False, classes=["spot"])
        rows = [np.nonzero(insert(image, index=k)[1]) for k in range(40)]
        return np.array([(y.mean() / image.shape[0], x.mean() / image.shape[1]) for y, x in rows if len(y)])

    moved, pasted = middles("transplant", clean), middles("paste", clean)
    assert moved[:, 1].max() < 0.45
    assert pasted[:, 1].max() > 0.6
    assert np.array_equal(middles("auto", clean), moved)
    window = np.ascontiguousarray(clean[:48, :48])
    assert np.array_equal(middles("auto", window), middles("paste", window))


def test_an_index_decides_and_calls_differ(workspace: Path, clean: np.ndarray) -> None:
    first, second = (DefectInserter(workspace, p=0.7, seed=5) for _ in range(2))
    a, b = [first(clean)[1] for _ in range(8)], [second(clean)[1] for _ in range(8)]
    assert all(np.array_equal(one, other) for one, other in zip(a, b, strict=True))
    assert len({mask.tobytes() for mask in a}) > 4
    again = pickle.loads(pickle.dumps(first))
    assert np.array_equal(again(clean, index=11)[0], second(clean, index=11)[0])
    other = DefectInserter(workspace, p=0.7, seed=6)
    assert any(not np.array_equal(other(clean, index=k)[1], first(clean, index=k)[1]) for k in range(5))


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
def test_the_chance_is_what_is_asked_for(workspace: Path, clean: np.ndarray, p: float) -> None:
    insert = DefectInserter(workspace, p=p, seed=1)
    share = np.mean([insert(clean, index=k)[1].any() for k in range(120)])
    assert share == p if p in (0, 1) else 0.28 < share < 0.52


def test_defects_that_are_there_are_kept_and_never_met(insert: DefectInserter, clean: np.ndarray) -> None:
    there = np.zeros(clean.shape, np.uint8)
    there[10:50, 5:60] = 2
    for number in range(20):
        made, mask = insert(clean, there, index=number)
        assert np.array_equal(mask[there > 0], there[there > 0])
        assert np.array_equal(made[there > 0], clean[there > 0])
    assert set(np.unique(there)) == {0, 2}, "the mask that was given is not written to"


def test_several_defects_at_most_as_many_as_asked_for(workspace: Path, clean: np.ndarray) -> None:
    insert = DefectInserter(workspace, p=1, most=3, classes=["spot"], engine="paste")
    numbers = {cv2.connectedComponents(insert(clean, index=k)[1])[0] - 1 for k in range(40)}
    assert max(numbers) == 3
    assert min(numbers) == 1


def test_at_half_scale_defects_are_half_as_large(workspace: Path, clean: np.ndarray) -> None:
    small = cv2.resize(clean, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    areas = [
        np.median(
            [
                (DefectInserter(workspace, p=1, scale=s, classes=["spot"])(image, index=k)[1] > 0).sum()
                for k in range(20)
            ]
        )
        for s, image in ((1.0, clean), (0.5, small))
    ]
    assert areas[0] / areas[1] == pytest.approx(4, rel=0.35)


class _Tiles(torch.utils.data.Dataset):  # type: ignore[type-arg]
    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.image, np.zeros(self.image.shape, np.uint8)


def test_sizes_and_strengths_vary_within_what_is_asked_for(workspace: Path, clean: np.ndarray) -> None:
    """As large, and as strong, as the same draws have it without: only the factor is between."""

    def drawn(**given: tuple[float, float]) -> list[tuple[int, float]]:
        insert = DefectInserter(workspace, p=1, seed=5, engine="transplant", classes=["spot"], **given)
        made = [insert(clean, index=k) for k in range(80)]
        return [(int((mask > 0).sum()), float((clean.astype(int) - image)[mask > 0].mean())) for image, mask in made]

    plain = np.median(drawn(), axis=0)
    small, large, faint = (
        np.median(drawn(**given), axis=0)
        for given in ({"size": (0.5, 0.6)}, {"size": (1.9, 2.0)}, {"strength": (0.5, 0.5)})
    )
    assert small[0] == pytest.approx(0.3 * plain[0], rel=0.25)
    assert large[0] == pytest.approx(3.8 * plain[0], rel=0.25)
    assert faint == pytest.approx([plain[0], plain[1] / 2], rel=0.1)
    assert np.abs(np.array([small[1], large[1]]) - plain[1]).max() < 0.25 * plain[1], "they are as dark as ever"


def test_workers_and_epochs_draw_anew_and_a_seed_repeats_them(insert: DefectInserter, clean: np.ndarray) -> None:
    def epochs() -> list[bytes]:
        loader = torch.utils.data.DataLoader(
            insert.over(_Tiles(clean)),  # type: ignore[arg-type]
            batch_size=1, num_workers=2, generator=torch.Generator().manual_seed(4), multiprocessing_context="fork",
        )  # fmt: skip
        return [mask.numpy().tobytes() for _ in range(2) for _, mask in loader]

    first = epochs()
    assert len(set(first)) > 5
    assert first[:6] != first[6:], "another epoch"
    assert first[:6:2] != first[1:6:2], "another worker"
    assert first == epochs()


def test_what_makes_no_sense_is_refused_in_words(workspace: Path, insert: DefectInserter, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a workspace"):
        DefectInserter(tmp_path)
    for wrong, says in (
        ({"engine": "gan"}, "no engine 'gan'"),
        ({"p": 1.5}, "p=1.5"),
        ({"classes": ["dent"]}, "'dent'"),
        ({"size": (2.0, 0.5)}, "size=.* is not from and to"),
        ({"strength": (0.5, 3.0)}, "within 0.05 to 2"),
    ):
        with pytest.raises(UsageError, match=says):
            DefectInserter(workspace, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"not float32 \[72, 96\]"):
        insert(np.zeros((72, 96), np.float32))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="A mask is uint8"):
        insert(np.zeros((72, 96), np.uint8), np.zeros((3, 3), np.uint8))


def test_as_a_transform_of_albumentations(insert: DefectInserter, clean: np.ndarray) -> None:
    albumentations = pytest.importorskip("albumentations")
    transform = albumentations.Compose([albumentations_transform(insert), albumentations.HorizontalFlip(p=1)])
    image = np.repeat(clean[..., None], 3, axis=2)
    made = transform(image=image, mask=np.zeros(clean.shape, np.uint8))
    changed = (made["image"] != image[:, ::-1]).any(axis=2)
    assert made["mask"].any()
    assert changed[made["mask"] > 0].mean() > 0.5
    assert not changed[cv2.dilate(made["mask"], np.ones((3, 3), np.uint8)) == 0].any()


class _DiceLoss(torch.nn.Module):
    """A stand-in for the loss of segmentation-models-pytorch: 1 less the mean probability of the right class."""

    def __init__(self, mode: str, ignore_index: int | None = None) -> None:
        super().__init__()
        assert mode == "multiclass"

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return 1 - logits.softmax(dim=1).gather(1, labels[:, None]).mean()


class _Levels(torch.nn.Module):
    """Tells sixteen levels of grey apart, strongly, so that a few steps are enough to learn what each is called."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = torch.linspace(0, 1, 16)[:, None, None]
        return 50 * torch.exp(-(((x.mean(dim=1, keepdim=True) - levels) * 16) ** 2))


def test_the_example_trains_without_and_with_inserted_defects(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """segmentation-models-pytorch is too heavy for a test; its place takes a network that only sees colours."""

    def unet(encoder: str, *, encoder_weights: str | None, in_channels: int, classes: int) -> torch.nn.Module:
        assert (encoder, encoder_weights, in_channels, classes) == ("resnet18", None, 3, 3)
        return torch.nn.Sequential(_Levels(), torch.nn.Conv2d(16, classes, 1))

    stand_in = types.SimpleNamespace(Unet=unet, losses=types.SimpleNamespace(DiceLoss=_DiceLoss))
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", stand_in)
    main = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "train_with_insertion.py"))["main"]
    main([str(workspace), "--steps=60", "--window=32", "--encoder-weights=none", "--workers=0", "--device=cpu"])
    head, line, real, inserted = capsys.readouterr().out.splitlines()
    assert head == "| | spot | line | mean |"
    assert line == "|---|---|---|---|"
    assert real.startswith("| real | ")
    assert inserted.startswith("| real, defects inserted | ")
    values = [[float(cell.strip(" %")) for cell in row.split("|")[2:-1]] for row in (real, inserted)]
    assert all(value[2] == pytest.approx(np.mean(value[:2]), abs=0.1) for value in values)
    assert min(value[1] for value in values) > 30, "lines are bright: colours tell them"
