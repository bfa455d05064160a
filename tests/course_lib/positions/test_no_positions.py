"""Why positions are needed: attention alone does not see order; a causal mask alone does (NoPE)."""

import torch
from hypothesis import given
from strategies import B, C, normal, permutation, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.dot_product import project_qkv, scaled_dot_product_attention
from course_lib.layers.feed_forward import swiglu
from course_lib.layers.norms import rms_norm
from course_lib.masks import causal_mask
from course_lib.positions.absolute import sinusoidal
from course_lib.positions.alibi import alibi_bias
from course_lib.positions.rope import rope
from course_lib.softmax import softmax

T, D = 7, 8


def parts(seed: int) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Vectors, an order other than their own, and three projections."""
    order = permutation(seed, T)
    if torch.equal(order, torch.arange(T)):
        order = order.roll(1)
    projections = tuple(normal(seed + i, C, D) for i in range(1, 4))
    return normal(seed, B, T, C), order, projections


def attend(x: Tensor, projections: tuple[Tensor, ...], may_attend: Tensor | None = None) -> Tensor:
    return scaled_dot_product_attention(*project_qkv(x, *projections), may_attend)[0]


@given(seed=seeds)
def test_attention_alone_is_permutation_equivariant(seed: int) -> None:
    x, order, projections = parts(seed)
    assert_close(attend(x[:, order], projections), attend(x, projections)[:, order])


@given(seed=seeds)
def test_so_are_the_layers_around_it(seed: int) -> None:
    x, order, _ = parts(seed)
    g, weights = normal(seed + 4, C), [normal(seed + 5, C, 5), normal(seed + 6, C, 5)]
    down = normal(seed + 7, 5, C)

    def layer(y: Tensor) -> Tensor:
        return y + swiglu(rms_norm(y, g, 1e-6), *weights, down)

    assert_close(layer(x[:, order]), layer(x)[:, order])


@given(seed=seeds)
def test_a_causal_mask_alone_tells_positions_apart(seed: int) -> None:
    """NoPE: what a query reads depends on how many stand before it."""
    x, order, projections = parts(seed)
    causal = causal_mask(T)
    shuffled = attend(x[:, order], projections, causal)
    assert not torch.allclose(shuffled, attend(x, projections, causal)[:, order])
    # Not every order shows: the last query reads all, whatever their order before it.
    first = torch.cat([permutation(seed, T - 1), torch.tensor([T - 1])])
    moved = attend(x[:, first], projections, causal)
    assert_close(moved[:, -1], attend(x, projections, causal)[:, -1])


@given(seed=seeds)
def test_each_kind_of_position_breaks_the_symmetry(seed: int) -> None:
    x, order, projections = parts(seed)
    positions = torch.arange(T)

    def with_sinusoids(y: Tensor) -> Tensor:
        return attend(y + sinusoidal(T, C, dtype=y.dtype), projections)

    def with_rope(y: Tensor) -> Tensor:
        query, key, value = project_qkv(y, *projections)
        turned = [rope(tensor, positions, 100.0) for tensor in (query, key)]
        return scaled_dot_product_attention(*turned, value)[0]

    def with_alibi(y: Tensor) -> Tensor:
        query, key, value = project_qkv(y, *projections)
        scores = query @ key.mT / D**0.5 + alibi_bias(8, T, T, dtype=y.dtype)[0]
        return softmax(scores) @ value

    for attention in (with_sinusoids, with_rope, with_alibi):
        assert not torch.allclose(attention(x[:, order]), attention(x)[:, order])
