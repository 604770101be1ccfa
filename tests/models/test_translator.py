"""The networks of a change of look: what they see, and what they leave alone."""

from __future__ import annotations

import pytest
import torch

from coigan_aug.models.translator import SeventyDiscriminator, Translator


@pytest.fixture(scope="module")
def network() -> Translator:
    torch.manual_seed(0)
    made = Translator(width=4, blocks=2, grey=False)
    torch.nn.init.normal_(made.last.weight, std=0.05)
    return made.eval()


def test_a_verdict_sees_seventy_pixels() -> None:
    """The gradient of one logit reaches a square of 70 px and no further: 1 + 3 (1 + 2 + 4 + 8 + 8)."""
    torch.manual_seed(0)
    judge = SeventyDiscriminator(width=4)
    image = torch.rand(1, 3, 128, 128, requires_grad=True)
    logits = judge(image)
    assert logits.shape == (1, 1, 14, 14)
    logits[0, 0, 7, 7].backward()
    assert image.grad is not None
    rows, columns = (image.grad.abs().sum(dim=(0, 1)).sum(dim=k).nonzero().flatten() for k in (1, 0))
    for places in (rows, columns):
        assert int(places.max() - places.min()) + 1 == 70


@pytest.mark.parametrize("size", [(64, 64), (37, 50), (5, 90), (1, 1)])
def test_any_size_comes_out_as_it_went_in(network: Translator, size: tuple[int, int]) -> None:
    made = network(torch.rand(1, 3, *size))
    assert made.shape == (1, 3, *size)
    assert torch.isfinite(made).all()


def test_images_of_a_batch_do_not_touch_each_other(network: Translator) -> None:
    images = torch.rand(3, 3, 32, 40)
    together = network(images)
    alone = torch.cat([network(images[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_it_begins_with_the_image_as_it_is_and_a_grey_one_changes_all_channels_alike() -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 24, 24)
    for grey in (False, True):
        fresh = Translator(width=4, blocks=1, grey=grey)
        assert (fresh(image) - image).abs().max() < 0.1
        torch.nn.init.normal_(fresh.last.weight, std=0.1)
        change = fresh(image) - image
        assert change.abs().max() > 0.1
        assert torch.allclose(change.mean(dim=1, keepdim=True).expand_as(change), change, atol=1e-5) == grey


def test_a_patch_of_constant_brightness_is_told_by_how_bright_it_is(network: Translator) -> None:
    """Instance normalisation alone would give both the same change."""
    dark, bright = (network(torch.full((1, 3, 32, 32), level)) - level for level in (0.2, 0.8))
    assert (dark - bright).abs().max() > 1e-3


def test_traced_features_are_those_of_each_residual_block(network: Translator) -> None:
    image = torch.rand(1, 3, 32, 48)
    made, features = network.traced(image)
    assert [tuple(item.shape) for item in features] == [(1, 16, 8, 12)] * 2
    again = features[0] + network.blocks[1].change(features[0])
    torch.testing.assert_close(features[1], again)
    torch.testing.assert_close(made, network(image))


def test_what_follows_the_blocks_leaves_their_attention_weights(network: Translator) -> None:
    """A gradient that comes through instance normalisation adds up to 0 over an image, and Grad-CAM's weights are such sums."""
    made, features = network.traced(torch.rand(1, 3, 48, 48))
    (gradient,) = torch.autograd.grad(made.square().sum(), features[-1])
    share = gradient.mean(dim=(2, 3)).abs() / gradient.abs().mean(dim=(2, 3)).clamp_min(1e-12)
    assert float(share.max()) > 1e-2
