"""Patches: equal to their loops, a rearrangement and nothing else, clear when refused."""

import pytest
import torch
from hypothesis import given
from strategies import B, normal, seeds, stacked
from torch.testing import assert_close

from course_lib.config.encoder import EncoderConfig, VisionConfig
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.layers.activations import gelu
from course_lib.model import vision as lib
from course_lib.model.initialise import initialise
from course_lib.naive.model import vision as naive

CHANNELS, PATCH, ROWS, COLUMNS = 3, 4, 2, 5


def images(seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return normal(seed, B, CHANNELS, ROWS * PATCH, COLUMNS * PATCH, dtype=dtype)


def tiny() -> lib.VisionTransformer:
    feed_forward = PlainFeedForwardConfig(d_ff=24, activation=gelu, has_bias=True)
    layers = EncoderConfig(
        d_model=12,
        num_heads=3,
        head_dim=4,
        num_layers=2,
        feed_forward=feed_forward,
        norm=LayerNormConfig(),
        has_bias=True,
    )
    config = VisionConfig(image_size=8, patch_size=4, num_channels=1, num_classes=10, layers=layers)
    model = lib.VisionTransformer(config)
    initialise(model, torch.Generator().manual_seed(0), std=0.5)
    return model.double()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_patches_equal_their_loops(dtype: torch.dtype) -> None:
    expected = stacked(naive.patches(image.numpy(), PATCH) for image in images())
    assert_close(lib.patches(images(dtype=dtype), PATCH), expected.to(dtype))


@given(seed=seeds)
def test_patches_move_numbers_and_change_none(seed: int) -> None:
    given_images = images(seed)
    result = lib.patches(given_images, PATCH)
    assert result.shape == (B, ROWS * COLUMNS, CHANNELS * PATCH**2)
    for image, rows in zip(given_images, result, strict=True):
        assert torch.equal(image.flatten().sort().values, rows.flatten().sort().values)


def test_one_patch_is_the_image() -> None:
    square = images()[..., :PATCH, :PATCH]
    assert torch.equal(lib.patches(square, PATCH)[:, 0], square.flatten(1))


def test_gradient_of_patches() -> None:
    small = normal(0, 1, 2, 2, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: lib.patches(x, 2), (small,))


def test_without_positions_the_order_of_patches_does_not_matter() -> None:
    model, image = tiny(), normal(0, 1, 1, 8, 8)
    turned = image.roll(4, dims=2)  # the two rows of patches change places
    assert (model(image) - model(turned)).abs().max() > 1e-3
    with torch.no_grad():
        model.positions[1:] = model.positions[1]
    assert_close(model(image), model(turned))


def test_refusals_name_the_sizes() -> None:
    with pytest.raises(ValueError, match=r"patch_size is 3, height 8, width 20; shape \(2, 3, 8"):
        lib.patches(images(), 3)
    with pytest.raises(
        ValueError, match=r"expected .*\(1, 8, 8\) and came \(1, 4, 8\); shape \(2,"
    ):
        tiny()(torch.zeros(2, 1, 4, 8).double())
    undrawn = lib.VisionTransformer(tiny().config)
    with pytest.raises(
        ValueError, match=r"w_patch has 192 numbers and 192 are 0; shape \(16, 12\)"
    ):
        undrawn(torch.ones(2, 1, 8, 8))
    with pytest.raises(ValueError, match="image_size is 9 and patch_size 4"):
        VisionConfig(
            image_size=9,
            patch_size=4,
            num_channels=1,
            num_classes=2,
            layers=tiny().config.layers,
        )
