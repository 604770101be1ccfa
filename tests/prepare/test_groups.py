"""Near-duplicates are found through exposure, shift and noise; other pieces of the same process are not."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.errors import DataError, UsageError
from coigan_aug.imaging import write_image
from coigan_aug.prepare.groups import (
    burst_gap,
    burst_neighbours,
    candidates,
    correlation,
    find_groups,
    groups_from_pattern,
    textures_of,
)


def _texture(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(draw.normal(0, 1, (300, 240)), (0, 0), 4) * 120
    return np.clip(128 + rough, 5, 250)


def _photograph(piece: np.ndarray, *, gain: float, offset: float, shift: int, seed: int) -> np.ndarray:
    light = np.linspace(-15, 15, piece.shape[1])[None, :] * (seed % 3 - 1)
    shown = piece[shift : 280 + shift, shift : 220 + shift] * gain + offset + light[:, :220]
    return np.clip(shown + np.random.default_rng(seed).normal(0, 3, shown.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[str]]:
    """Eight pieces, three photographs of each: darker or brighter, shifted by up to 9 px, noisy, as JPEG."""
    folder = tmp_path_factory.mktemp("pieces")
    for piece in range(8):
        for shot, (gain, offset, shift) in enumerate([(1.0, 0, 0), (0.7, 10, 5), (1.2, -20, 9)]):
            image = _photograph(_texture(piece), gain=gain, offset=offset, shift=shift, seed=3 * piece + shot)
            write_image(folder / f"{'abcdefgh'[piece]}-{'xyz'[shot]}.jpg", image)
    paths = sorted(folder.iterdir())
    return paths, [path.name for path in paths]


def test_photographs_of_a_piece_are_grouped_and_pieces_kept_apart(pieces: tuple[list[Path], list[str]]) -> None:
    paths, names = pieces
    assert find_groups(paths, names) == [f"{name[0]}-x.jpg" for name in names]


def test_groups_do_not_depend_on_the_order(pieces: tuple[list[Path], list[str]]) -> None:
    paths, names = pieces
    order = list(range(len(names)))
    random.Random(1).shuffle(order)
    expected = dict(zip(names, find_groups(paths, names), strict=True))
    shuffled = find_groups([paths[k] for k in order], [names[k] for k in order])
    assert dict(zip([names[k] for k in order], shuffled, strict=True)) == expected


def test_images_without_any_contrast_stay_alone(tmp_path: Path) -> None:
    for k in range(3):
        write_image(tmp_path / f"{k}.png", np.full((80, 80), 90, np.uint8))
    paths = sorted(tmp_path.iterdir())
    assert len(set(find_groups(paths, [path.name for path in paths]))) == 3


def test_no_images_give_no_groups() -> None:
    assert find_groups([], []) == []


def test_an_image_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"a\.png"):
        find_groups([tmp_path / "a.png"], ["a.png"])


def test_correlation_is_that_of_numpy_at_the_best_shift() -> None:
    draw = np.random.default_rng(0)
    thumbnails = draw.integers(0, 255, (3, 64, 64)).astype(np.uint8)
    thumbnails[1] = np.roll(thumbnails[0], (2, -3), (0, 1))
    textures = textures_of(thumbnails)
    best = []
    for a, b in ((0, 1), (0, 2)):
        tried = []
        for y in range(-4, 5):
            for x in range(-4, 5):
                one = textures[a][max(y, 0) : 64 + min(y, 0), max(x, 0) : 64 + min(x, 0)]
                other = textures[b][max(-y, 0) : 64 + min(-y, 0), max(-x, 0) : 64 + min(-x, 0)]
                tried.append(np.corrcoef(one.ravel(), other.ravel())[0, 1])
        best.append(max(tried))
    found = correlation(textures, np.array([[0, 1], [0, 2]]))
    np.testing.assert_allclose(found, best, atol=1e-4)
    assert found[0] > 0.9
    assert found[1] < 0.2


def test_candidates_hold_every_near_copy() -> None:
    base = np.stack([cv2.resize(_texture(k), (64, 64)) for k in range(40)]).astype(np.uint8)
    noisy = np.clip(base + np.random.default_rng(0).normal(0, 4, base.shape), 0, 255).astype(np.uint8)
    pairs = {tuple(pair) for pair in candidates(textures_of(np.concatenate([base, noisy]))).tolist()}
    assert {(k, k + 40) for k in range(40)} <= pairs


@pytest.mark.parametrize(
    ("gaps", "bursts"),
    [
        ([20, 18, 22, 25, 3000, 19, 21, 2500, 20, 24, 5000], True),
        ([1] * 30, False),
        ([1, 2, 1, 2, 1, 2, 1, 3, 1, 2], False),
        ([20, 3000], False),
        ([], False),
    ],
)
def test_numbers_come_in_bursts_only_where_the_gaps_are_of_two_kinds(gaps: list[int], bursts: bool) -> None:
    widest = burst_gap(np.array(gaps, np.int64))
    assert (widest > 0) == bursts
    if bursts:
        assert 25 <= widest < 2500


def test_neighbours_in_a_burst_are_pairs_and_evenly_numbered_files_are_not() -> None:
    burst = [f"exp{k % 3 + 1}_num_{5000 * (k // 3) + 20 * (k % 3) + 100}.jpg" for k in range(30)]
    assert {tuple(pair) for pair in burst_neighbours(burst).tolist()} == {
        (3 * p + a, 3 * p + b) for p in range(10) for a, b in ((0, 1), (0, 2), (1, 2))
    }
    assert len(burst_neighbours([f"strip_{k:03d}.jpg" for k in range(60)])) == 0
    assert len(burst_neighbours(["a.jpg", "b.jpg"])) == 0


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^([a-z]+)", ["ab", "ab", "c"]),
        (r"\d", ["1", "2", "1"]),
        (r"^ab", ["ab", "ab", "c1.png"]),
        (r"^(ab)?", ["ab", "ab", "c1.png"]),
    ],
)
def test_a_pattern_groups_by_its_first_group_or_all_of_it(pattern: str, expected: list[str]) -> None:
    assert groups_from_pattern(["ab1.png", "ab2.png", "c1.png"], pattern) == expected


@pytest.mark.parametrize(("pattern", "says"), [("(", "not a regular expression"), ("zzz", "matches none of the names")])
def test_a_useless_pattern_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        groups_from_pattern(["a.png"], pattern)
