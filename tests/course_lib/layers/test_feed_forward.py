"""The feed-forward networks: equal to their loops, lawful, differentiable, clear when refused."""

import pytest
import torch
from hypothesis import given
from strategies import B, C, T, normal, permutation, seeds, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib.layers import activations
from course_lib.layers import feed_forward as lib
from course_lib.naive.layers import activations as naive_activations
from course_lib.naive.layers import feed_forward as naive

F = 13
DTYPES = (torch.float32, torch.float64)
GATED = ("glu", "bilinear", "reglu", "geglu", "swiglu")
ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu")


def plain_parameters(dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((C, F), (F,), (F, C), (C,))
    return tuple(normal(seed, *shape, dtype=dtype) for seed, shape in enumerate(shapes, start=1))


def gated_parameters(seed: int = 1, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((C, F), (C, F), (F, C))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


def arrays(*tensors: Tensor | None) -> list[object]:
    return [None if tensor is None else tensor.double().numpy() for tensor in tensors]


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("without", [(), (1,), (3,), (1, 3)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_feed_forward_equals_its_loops(
    activation: str, without: tuple[int, ...], dtype: torch.dtype
) -> None:
    x, parts = normal(0, B, T, C, dtype=dtype), list(plain_parameters(dtype))
    parts = [None if index in without else tensor for index, tensor in enumerate(parts)]
    result = lib.feed_forward(x, *parts, getattr(activations, activation))
    slow = getattr(naive_activations, activation)
    expected = [
        stacked(naive.feed_forward(*arrays(row, *parts), slow) for row in example) for example in x
    ]
    assert_close(result, torch.stack(expected).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", GATED)
def test_gated_networks_equal_their_loops(name: str, dtype: torch.dtype) -> None:
    x, parts = normal(0, T, C, dtype=dtype), gated_parameters(dtype=dtype)
    expected = stacked(getattr(naive, name)(*arrays(row, *parts)) for row in x)
    assert_close(getattr(lib, name)(x, *parts), expected.to(dtype))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gated_feed_forward_equals_its_loops(activation: str) -> None:
    x, parts = normal(0, T, C), gated_parameters()
    slow = getattr(naive_activations, activation)
    expected = stacked(naive.gated_feed_forward(*arrays(row, *parts), slow) for row in x)
    result = lib.gated_feed_forward(x, *parts, getattr(activations, activation))
    assert_close(result, expected)


# Laws


@given(seed=seeds)
def test_every_vector_is_transformed_on_its_own(seed: int) -> None:
    x, order = normal(seed, T, C), permutation(seed, T)
    for name in GATED:
        parts = gated_parameters(seed + 1)
        assert_close(getattr(lib, name)(x[order], *parts), getattr(lib, name)(x, *parts)[order])
    parts = plain_parameters()
    whole = lib.feed_forward(x, *parts, activations.gelu)
    assert_close(lib.feed_forward(x[order], *parts, activations.gelu), whole[order])
    assert_close(lib.feed_forward(x[0], *parts, activations.gelu), whole[0])


@given(seed=seeds)
def test_hidden_units_have_no_order(seed: int) -> None:
    x, (w_gate, w_up, w_down) = normal(seed, T, C), gated_parameters(seed + 1)
    order = permutation(seed, F)
    for name in GATED:
        mixed = getattr(lib, name)(x, w_gate[:, order], w_up[:, order], w_down[order])
        assert_close(mixed, getattr(lib, name)(x, w_gate, w_up, w_down))


@given(seed=seeds)
def test_the_gate_is_bent_and_the_other_factor_is_not(seed: int) -> None:
    x, (w_gate, w_up, w_down) = normal(seed, T, C), gated_parameters(seed + 1)
    for name in GATED:
        network = getattr(lib, name)
        result = network(x, w_gate, w_up, w_down)
        assert_close(network(x, w_gate, 3 * w_up, w_down), 3 * result)
        assert_close(network(x, w_gate, w_up, 3 * w_down), 3 * result)
        swapped = network(x, w_up, w_gate, w_down)
        assert torch.allclose(swapped, result) == (name == "bilinear")
    zero = torch.zeros_like(w_gate)
    assert_close(lib.glu(x, zero, w_up, w_down), 0.5 * x @ w_up @ w_down)  # half open
    for name in ("bilinear", "reglu", "geglu", "swiglu"):
        closed = getattr(lib, name)(x, zero, w_up, w_down)
        assert torch.equal(closed, torch.zeros_like(closed))


@given(seed=seeds)
def test_products_grow_with_the_square(seed: int) -> None:
    x, parts = normal(seed, T, C), gated_parameters(seed + 1)
    assert_close(lib.bilinear(-3 * x, *parts), 9 * lib.bilinear(x, *parts))
    assert_close(lib.reglu(3 * x, *parts), 9 * lib.reglu(x, *parts))
    bent = lib.swiglu(3 * x, *parts)
    assert not torch.allclose(bent, 9 * lib.swiglu(x, *parts))


def test_the_gated_network_of_two_thirds_the_width_costs_the_same() -> None:
    """Shazeer 2020, sec. 3: d_ff 3072 becomes 2048 for d_model 768."""
    plain = [torch.empty(768, 3072), torch.empty(3072, 768)]
    gated = [torch.empty(768, 2048), torch.empty(768, 2048), torch.empty(2048, 768)]
    counts = [sum(matrix.numel() for matrix in matrices) for matrices in (plain, gated)]
    assert counts == [4_718_592, 4_718_592]


# Gradients


@pytest.mark.parametrize("name", GATED)
def test_gradients_of_gated_networks(name: str) -> None:
    inputs = [tensor.requires_grad_() for tensor in (normal(0, T, C), *gated_parameters())]
    assert torch.autograd.gradcheck(getattr(lib, name), inputs)


def test_gradients() -> None:
    inputs = [tensor.requires_grad_() for tensor in (normal(0, T, C), *plain_parameters())]
    for bend in (activations.relu, activations.gelu):
        assert torch.autograd.gradcheck(
            lambda *parts, bend=bend: lib.feed_forward(*parts, bend), inputs
        )


# Numerics


@pytest.mark.parametrize("name", GATED)
def test_bfloat16_and_large_inputs(name: str) -> None:
    parts = gated_parameters(dtype=torch.bfloat16)
    x = normal(0, 64, C, dtype=torch.bfloat16)
    exact = stacked(getattr(naive, name)(*arrays(row, *parts)) for row in x)
    result = getattr(lib, name)(x, *parts)
    assert result.dtype == torch.bfloat16
    # Four steps, each rounded to 8 binary digits. Measured: at most 0.81 % of the largest.
    assert (result.double() - exact).abs().max() < 0.012 * exact.abs().max()
    assert getattr(lib, name)(1e4 * x, *parts).isfinite().all()


# Errors


@pytest.mark.usefixtures("without_annotations")
def test_matrices_that_do_not_fit_are_refused() -> None:
    x, (w_gate, w_up, w_down) = torch.zeros(T, C), gated_parameters(dtype=torch.float32)
    w_in, b_in, w_out, b_out = plain_parameters(torch.float32)
    for name in GATED:
        with pytest.raises(ValueError, match=r"w_gate has 13 and w_up 12; shapes .*13\) and .*12"):
            getattr(lib, name)(x, w_gate, w_up[:, :12], w_down)
        with pytest.raises(ValueError, match=r"x has 11 and w_gate 10; shapes \(3, 11\) and \(10"):
            getattr(lib, name)(x, w_gate[:10], w_up, w_down)
        with pytest.raises(ValueError, match=r"x has 11 and w_up 10; shapes \(3, 11\) and \(10, 1"):
            getattr(lib, name)(x, w_gate, w_up[:10], w_down)
        with pytest.raises(ValueError, match=r"hidden layer has 13 and w_down 12; shapes \(3, 13"):
            getattr(lib, name)(x, w_gate, w_up, w_down[:12])

    def relu_of(*parts: Tensor | None) -> Tensor:
        return lib.feed_forward(x, *parts, activations.relu)

    with pytest.raises(ValueError, match=r"x has 11 and w_in 10; shapes \(3, 11\) and \(10, 13\)"):
        relu_of(w_in[:10], b_in, w_out, b_out)
    with pytest.raises(ValueError, match=r"hidden layer has 13 and w_out 12; shapes \(3, 13\)"):
        relu_of(w_in, b_in, w_out[:12], b_out)
    with pytest.raises(ValueError, match=r"w_in has 13 columns and its bias 12 numbers; shapes"):
        relu_of(w_in, b_in[:12], w_out, b_out)
    with pytest.raises(ValueError, match=r"w_out has 11 columns and its bias 1 numbers; .*\(1,\)"):
        relu_of(w_in, b_in, w_out, b_out[:1])
