"""Near-duplicates are found through exposure, shift, crop, noise and JPEG; other pieces of the same process are not."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from coigan_aug.data import likeness
from coigan_aug.data.groups import (
    SAME,
    candidates,
    find_groups,
    find_links,
    groups_from_pattern,
    join_links,
    neighbours,
)
from coigan_aug.data.kept_links import Links
from coigan_aug.data.likeness import correlation, whiten
from coigan_aug.errors import DataError, Stopped, UsageError
from coigan_aug.imaging import write_image
from coigan_aug.progress import Report

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def texture(seed: int, kind: str) -> np.ndarray:
    draw = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(draw.normal(0, 1, (300, 360)), (0, 0), 4) * 120
    if kind == "streaks":
        grain = cv2.GaussianBlur(draw.normal(0, 240, (300, 360)), (0, 0), sigmaX=1.5, sigmaY=30) + grain / 2
    if kind == "parts":
        cv2.circle(grain, (180 + seed % 3, 150), 90, 70, 12)
    if kind == "strips":
        grain[:, : 40 + 37 * (seed % 4)] = -120
    return grain + 120


def photograph(piece: np.ndarray, shot: int) -> np.ndarray:
    draw = np.random.default_rng(shot)
    gain, offset, ramp = draw.uniform(0.6, 1.4), draw.uniform(-20, 20), draw.uniform(-20, 20)
    top, left = draw.integers(0, 20, 2)
    shown = piece[top : top + 270, left : left + 330]
    light = np.linspace(-ramp, ramp, shown.shape[1])
    return np.clip((shown - 120) * gain + 120 + offset + light + draw.normal(0, 4, shown.shape), 0, 255).astype(
        np.uint8
    )


def take(folder: Path, *, kind: str, pieces: int, shots: int) -> tuple[list[Path], list[str]]:
    for piece in range(pieces):
        for shot in range(shots if piece % 2 == 0 else 1):
            image = photograph(texture(piece, kind), 100 * piece + shot)
            name = f"{LETTERS[piece // 26]}{LETTERS[piece % 26]}-{LETTERS[shot]}.jpg"
            write_image(folder / name, image, quality=70 + shot)
    paths = sorted(folder.iterdir())
    return paths, [path.name for path in paths]


@pytest.mark.parametrize("kind", ["grain", "streaks", "strips"])
@pytest.mark.parametrize("pieces", [2, 40])
def test_photographs_of_a_piece_are_grouped_and_pieces_kept_apart(tmp_path: Path, kind: str, pieces: int) -> None:
    paths, names = take(tmp_path, kind=kind, pieces=pieces, shots=3)
    groups = find_groups(paths, names)
    assert all(name[:2] == group[:2] for name, group in zip(names, groups, strict=True)), "different pieces joined"
    alone = sum(name[:2] + "-a.jpg" != group for name, group in zip(names, groups, strict=True))
    assert alone <= (0 if kind != "strips" else len(names) // 10)


def test_parts_in_one_fixture_are_not_one_group(tmp_path: Path) -> None:
    paths, names = take(tmp_path, kind="parts", pieces=40, shots=1)
    assert max(Counter(find_groups(paths, names)).values()) == 1


def test_another_crop_of_a_piece_is_found_by_its_number(tmp_path: Path) -> None:
    for piece in range(12):
        whole = photograph(texture(piece, "grain"), piece)
        write_image(tmp_path / f"shot_{1000 * piece + 100}.png", whole)
        write_image(tmp_path / f"shot_{1000 * piece + 120}.png", whole[20:240, 30:300])
    paths = sorted(tmp_path.iterdir())
    groups = find_groups(paths, [path.name for path in paths])
    assert len(set(groups)) == 12
    assert set(Counter(groups).values()) == {2}


def test_groups_do_not_depend_on_the_order(tmp_path: Path) -> None:
    paths, names = take(tmp_path, kind="streaks", pieces=12, shots=3)
    expected = dict(zip(names, find_groups(paths, names), strict=True))
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = [names[k] for k in order]
    assert dict(zip(shuffled, find_groups([paths[k] for k in order], shuffled), strict=True)) == expected


def test_images_without_any_contrast_stay_alone(tmp_path: Path) -> None:
    for k in range(3):
        write_image(tmp_path / f"{k}.png", np.full((80, 80), 90, np.uint8))
    paths = sorted(tmp_path.iterdir())
    assert len(set(find_groups(paths, [path.name for path in paths]))) == 3


def test_no_images_give_no_groups_and_one_image_gives_one(tmp_path: Path) -> None:
    assert find_groups([], []) == []
    write_image(tmp_path / "a.png", photograph(texture(0, "grain"), 0))
    assert find_groups([tmp_path / "a.png"], ["a.png"]) == ["a.png"]


def test_an_image_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"a\.png"):
        find_groups([tmp_path / "a.png"], ["a.png"])


def test_every_long_step_says_how_far_it_is_and_ends_at_its_total(tmp_path: Path) -> None:
    paths, names = take(tmp_path, kind="grain", pieces=4, shots=2)
    seen: dict[str, list[tuple[int, int]]] = {}

    def begin(title: str) -> Report:
        own = seen.setdefault(title, [])
        return lambda done, total: own.append((done, total))

    find_groups(paths, names, progress=begin)
    assert list(seen) == [
        "looking for near-duplicates", "finding images that are alike", "comparing images that are alike",
    ]  # fmt: skip
    assert seen["looking for near-duplicates"][-1] == (len(names), len(names))
    assert all(steps[-1][0] == steps[-1][1] > 0 for steps in seen.values())


def test_a_shifted_copy_agrees_and_another_texture_does_not() -> None:
    draw = np.random.default_rng(0)
    images = np.stack([cv2.GaussianBlur(draw.normal(0, 1, (64, 64)), (0, 0), 1.5) for _ in range(8)])
    images[1] = np.roll(images[0], (7, -9), (0, 1))
    found = correlation(whiten(images), np.full((8, 2), 64.0), np.array([[0, 0], [0, 1], [0, 2]]))
    assert found[0] > 0.99
    assert found[1] > 0.57
    assert found[2] < 0.35


def test_candidates_hold_every_near_copy() -> None:
    draw = np.random.default_rng(0)
    base = np.stack([cv2.GaussianBlur(draw.normal(0, 1, (64, 64)), (0, 0), 1.5) for _ in range(40)])
    noisy = base + draw.normal(0, base.std() / 2, base.shape)
    pairs = {tuple(pair) for pair in candidates(whiten(np.concatenate([base, noisy]))).tolist()}
    assert {(k, k + 40) for k in range(40)} <= pairs


def test_neighbours_are_ordered_by_the_longest_number_whatever_the_folder() -> None:
    names = ["x/exp1_num_100.jpg", "y/exp2_num_120.jpg", "x/exp1_num_90000.jpg", "z.jpg", "other_110.jpg"]
    assert neighbours(names).tolist() == [[0, 1], [0, 2], [1, 2]]
    in_turns = [f"exp{1 + k % 2}_num_{100 + k}.jpg" for k in range(9)]
    assert {tuple(pair) for pair in neighbours(in_turns).tolist()} == {
        (a, b) for a in range(9) for b in range(a + 1, min(a + 5, 9))
    }


def test_links_are_joined_from_their_own_level_on() -> None:
    """Four images in a row of links, by hand; the last link is one of neighbours by name."""
    names = ["c", "a", "d", "b"]
    links = Links(
        np.array([[0, 1], [1, 2], [2, 3]]), np.array([0.8, 0.3, 0.5], np.float32), np.array([False, False, True])
    )
    assert join_links(names, links) == ["c", "a", "c", "a"]
    assert join_links(names, links, same=0.25, same_neighbours=0.25) == ["a"] * 4
    assert join_links(names, links, same=0.85, same_neighbours=0.85) == names
    assert join_links(names, links, same=0.85) == ["c", "a", "c", "b"]


def test_the_same_and_different_pieces_are_far_apart_in_agreement(tmp_path: Path) -> None:
    paths, names = take(tmp_path, kind="grain", pieces=20, shots=3)
    links = find_links(paths, names)
    ordered = sorted(names)
    same = np.array([ordered[a][:2] == ordered[b][:2] for a, b in links.pairs.tolist()])
    assert links.alike[same].min() > SAME > links.alike[~same].max()


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


@pytest.mark.parametrize(
    ("pattern", "says"), [("(", "not a regular expression"), ("zzz", "matches none of the 1 names")]
)
def test_a_useless_pattern_is_refused_with_a_remedy(pattern: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        groups_from_pattern(["a.png"], pattern)
    assert caught.value.remedy


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[str]]:
    return take(tmp_path_factory.mktemp("photographs"), kind="grain", pieces=50, shots=2)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("looking for near-duplicates", "Stopped; 64 of 75 images are read for near-duplicates, which is kept."),
        ("comparing images that are alike", r"Stopped; 16 of [\d,]+ pairs of images are compared, which is kept."),
    ],
)
def test_a_search_that_is_stopped_goes_on_where_it_was(
    tmp_path: Path, photographs: tuple[list[Path], list[str]], monkeypatch: pytest.MonkeyPatch, step: str, message: str
) -> None:
    paths, names = photographs
    expected, told = find_links(paths, names), dict[str, list[int]]()

    def stopping(title: str) -> Report:
        def report(done: int, total: int, note: str = "") -> None:
            if title == step and done and done < total:
                _interrupt()

        return report

    def noting(title: str) -> Report:
        return lambda done, total, note="": told.setdefault(title, []).append(done)

    monkeypatch.setattr(likeness, "TOGETHER", 16)
    with pytest.raises(Stopped) as stopped:
        find_links(paths, names, root=tmp_path, progress=stopping)
    assert re.fullmatch(message, stopped.value.message)
    assert stopped.value.remedy == "Continue with the same command."
    found = find_links(paths, names, root=tmp_path, progress=noting)
    reading = told.get("looking for near-duplicates", [])
    assert reading == ([75] if step.startswith("looking") else [])
    assert told["comparing images that are alike"][0] == (0 if step.startswith("looking") else 16)
    _same(found, expected)
    assert [path.suffix for path in tmp_path.iterdir()] == [".links"]


def _same(found: Links, expected: Links) -> None:
    for name in ("pairs", "alike", "named"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_what_was_found_is_not_looked_for_again_unless_it_is_damaged_or_an_image_has_changed(tmp_path: Path) -> None:
    paths, names = take(tmp_path / "images", kind="grain", pieces=3, shots=2)
    root, told = tmp_path / "cache", list[str]()

    def begin(title: str) -> Report:
        told.append(title)
        return lambda done, total, note="": None

    expected = find_links(paths, names, root=root)
    _same(find_links(paths[::-1], names[::-1], root=root, progress=begin), expected)
    assert not told
    (path,) = root.iterdir()
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:-9] + b"\0" + whole[-8:], b""):
        path.write_bytes(data)
        told.clear()
        _same(find_links(paths, names, root=root, progress=begin), expected)
        assert told and path.read_bytes() == whole
    told.clear()
    os.utime(paths[2], ns=(5, 5))
    find_links(paths, names, root=root, progress=begin)
    assert told and len(list(root.iterdir())) == 2


def test_what_was_read_and_is_damaged_is_read_again(tmp_path: Path, photographs: tuple[list[Path], list[str]]) -> None:
    paths, names = photographs

    def stop(title: str) -> Report:
        return lambda done, total, note="": _interrupt() if done == 64 else None

    with pytest.raises(Stopped):
        find_links(paths, names, root=tmp_path, progress=stop)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    _same(find_links(paths, names, root=tmp_path), find_links(paths, names))
