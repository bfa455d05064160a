"""Shared experts behind a gate: the mixture without them, and a part of what they give."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from strategies import normal, seeds
from torch.testing import assert_close

from course_lib.config.experts import GatedMixtureConfig, GatedSharedMixtureConfig
from course_lib.counts.feed_forward import feed_forward_parameters
from course_lib.layers.feed_forward import swiglu
from course_lib.model.initialise import num_parameters
from course_lib.model.mixture_modules import GatedMixture, GatedSharedMixture

B, T, C = 2, 5, 11
CONFIG = GatedSharedMixtureConfig(num_experts=4, experts_per_token=2, d_ff=3, num_shared=2)


def drawn() -> tuple[GatedSharedMixture, GatedMixture]:
    """The mixture, and the one of the same experts without shared ones."""
    module = GatedSharedMixture(CONFIG, C).double()
    plain = GatedMixture(GatedMixtureConfig(num_experts=4, experts_per_token=2, d_ff=3), C).double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape))
    state = {name: tensor for name, tensor in module.state_dict().items() if "shared" not in name}
    state.pop("w_open")
    plain.load_state_dict(state)
    return module, plain


@given(seed=seeds)
def test_the_gate_is_one_number_of_each_token(seed: int) -> None:
    module, plain = drawn()
    x = normal(seed, B, T, C)
    with torch.no_grad():
        shared = swiglu(x, module.w_shared_gate, module.w_shared_up, module.w_shared_down)
        expected = plain(x) + torch.sigmoid(x @ module.w_open) * shared
        assert_close(module(x), expected)
        module.w_open.zero_()
        assert_close(module(x), plain(x) + shared / 2)


def test_parameters_and_gradients() -> None:
    module, _ = drawn()
    expected = 3 * (4 + 2) * C * 3 + 4 * C + C
    assert num_parameters(module) == feed_forward_parameters(CONFIG, C) == expected
    module(normal(0, B, T, C)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in module.parameters())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"num_shared >= 1; num_shared is 0"):
        replace(CONFIG, num_shared=0)
    with pytest.raises(ValueError, match=r"experts_per_token is 5 and num_experts 4"):
        replace(CONFIG, experts_per_token=5)
