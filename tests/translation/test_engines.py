"""Engines that need no training: levels and low frequencies of a reference, held against slower ways to the same."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from coigan_aug import rng
from coigan_aug.errors import DataError, UsageError
from coigan_aug.imaging import Pixels, write_image
from coigan_aug.translation.amplitude import SHARE
from coigan_aug.translation.engine import UNTRAINED, Engine, fit, restyle

SIZES = [(60, 90), (1, 1), (5, 3), (241, 130)]


def picture(seed: int, height: int, width: int, *, grey: bool = False) -> Pixels:
    """Paint a coloured picture with a gradient and noise."""
    draw = rng.generator(seed, "picture")
    ramp = np.linspace(0, 80, width)[None, :, None] * draw.random(3) + 60 * draw.random(3)
    pixels = np.clip(ramp + draw.normal(20, 9, (height, width, 3)), 0, 255).astype(np.uint8)
    return pixels[..., 0] if grey else pixels


@pytest.fixture(scope="module")
def line_b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three images, all of other sizes."""
    folder = tmp_path_factory.mktemp("b")
    for k, (height, width) in enumerate([(60, 90), (70, 50), (33, 44)]):
        write_image(folder / "deep" / f"{k}.png", picture(100 + k, height, width))
    return folder


def fitted(name: str, folder: Path) -> Engine:
    return fit(name, sorted(folder.rglob("*.png")), root=folder)


def drawn(engine: Engine, wanted: str) -> int:
    """Return an index at which an engine takes a reference."""
    return next(k for k in range(100) if engine.reference(index=k, seed=3) == wanted)


@pytest.mark.parametrize("name", UNTRAINED)
@pytest.mark.parametrize("size", SIZES)
def test_a_picture_has_the_size_of_its_image_and_depends_on_index_and_seed_alone(
    name: str, size: tuple[int, int], line_b: Path
) -> None:
    engine, image = fitted(name, line_b), picture(1, *size)
    again = pickle.loads(pickle.dumps(fitted(name, line_b)))
    for index in (0, 7):
        made = engine.translate(image, index=index, seed=3)
        assert made.shape == image.shape and made.dtype == np.uint8
        np.testing.assert_array_equal(made, again.translate(image, index=index, seed=3))
    assert {engine.reference(index=k, seed=3) for k in range(40)} == {f"deep/{k}.png" for k in range(3)}
    assert engine.about() == again.about()


@pytest.mark.parametrize("name", UNTRAINED)
def test_grey_stays_grey_whatever_the_references_are(name: str, line_b: Path) -> None:
    engine, grey = fitted(name, line_b), picture(1, 40, 50, grey=True)
    stored = restyle(engine, grey, index=4, seed=3)
    assert stored.shape == grey.shape
    in_colours = restyle(engine, np.repeat(grey[..., None], 3, axis=2), index=4, seed=3)
    np.testing.assert_array_equal(in_colours, np.repeat(stored[..., None], 3, axis=2))
    colours = restyle(engine, picture(1, 40, 50), index=4, seed=3)
    assert (colours[..., 0] != colours[..., 1]).any()


def test_matched_levels_are_those_of_the_reference_in_the_order_of_the_own(line_b: Path) -> None:
    """Of an image as large as the reference, without ties: pixel by rank, as sorting both does it."""
    engine = fitted("histogram", line_b)
    image = np.repeat(rng.generator(0, "levels").permutation(256).astype(np.uint8).reshape(16, 16, 1), 3, axis=2)
    made = engine.translate(image, index=drawn(engine, "deep/0.png"), seed=3)
    reference = picture(100, 60, 90)
    for k in range(3):
        values = np.sort(reference[..., k], axis=None)
        middle = values[((np.arange(256) + 0.5) * values.size / 256).astype(int)]
        expected = middle[image[..., k]].astype(int)
        assert np.abs(made[..., k] - expected).max() <= 1  # between two levels in proportion
        order = np.argsort(image[..., k], axis=None)
        assert (np.diff(made[..., k].ravel()[order].astype(int)) >= 0).all()


def test_an_image_keeps_its_levels_where_the_reference_has_the_same(tmp_path: Path) -> None:
    image = picture(5, 50, 60)
    write_image(tmp_path / "b.png", image)
    for name in UNTRAINED:
        made = fitted(name, tmp_path).translate(image, index=0, seed=0).astype(int)
        assert np.abs(made - image).max() <= (0 if name == "histogram" else 1), name


def test_low_amplitudes_are_exchanged_as_the_paper_does_it(tmp_path: Path) -> None:
    """The paper's way: whole transforms of both, the middle square of the amplitudes put in place, and back."""
    image, reference = picture(7, 240, 310), picture(8, 240, 310)
    write_image(tmp_path / "b.png", reference)
    made = fitted("amplitude", tmp_path).translate(image, index=0, seed=0)
    source, target = (np.fft.fft2(pixels.astype(float), axes=(0, 1)) for pixels in (image, reference))
    wanted, taken = (np.fft.fftshift(np.abs(spectrum), axes=(0, 1)) for spectrum in (source, target))
    half, (row, column) = int(240 * SHARE), (120, 155)
    square = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    wanted[square] = taken[square]
    spectrum = np.fft.ifftshift(wanted, axes=(0, 1)) * np.exp(1j * np.angle(source))
    expected = np.fft.ifft2(spectrum, axes=(0, 1)).real.clip(0, 255)
    assert half == 2
    assert np.abs(made - expected).max() < 0.51


def test_what_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no engine 'histogramm'\. Did you mean 'histogram'"):
        fit("histogramm", [tmp_path / "a.png"], root=tmp_path)
    with pytest.raises(DataError, match="holds no images"):
        fit("histogram", [], root=tmp_path)
