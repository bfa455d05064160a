"""Where NaN and infinity go in products of matrices, in moved entries and in recurrences."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from strategies import normal
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.additive import additive_scores
from course_lib.attention.dot_product import project_qkv
from course_lib.attention.grouped import grouped_mix, grouped_scores, mha_to_gqa
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.attention.latent import compress, latent_keys, latent_queries
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.attention.qk_norm import normalise_heads, normalise_projections
from course_lib.cache.attend import attend_with_cache
from course_lib.cache.growing import KVCache
from course_lib.cache.rolling import rolling_write
from course_lib.checkpoints.renaming import cut_fused
from course_lib.config.attention import CausalAttentionConfig
from course_lib.layers.activations import gelu, relu
from course_lib.layers.affine import affine
from course_lib.layers.embedding import embed, unembed
from course_lib.layers.feed_forward import (
    bilinear,
    feed_forward,
    gated_feed_forward,
    geglu,
    glu,
    reglu,
    swiglu,
)
from course_lib.model.vision import patches
from course_lib.positions.rotation_table import rotation_table
from course_lib.recurrence.cells import gru_step, lstm_step, rnn_step
from course_lib.recurrence.gradients import product_norms, state_jacobian_norms, step_jacobians
from course_lib.recurrence.sequences import gru_forward, lstm_forward, rnn_forward

INF, NAN = math.inf, math.nan
Function = Callable[[Tensor], Tensor | tuple[Tensor, ...]]

T, C, F, N = 4, 6, 5, 3
SPOILT = 2  # the row of x that holds NaN or an infinity
W = {size: normal(size, C, size) for size in (C, F, 8, 9, 12)}
GATED = (W[F], normal(20, C, F), normal(21, F, C))
LATENT = LatentParameters(
    w_dkv=W[F], g_kv=torch.ones(F).double(), w_kr=normal(22, C, 4), w_uk=normal(23, F, 8),
    w_uv=normal(24, F, 8),
)  # fmt: skip
TABLE = rotation_table(torch.arange(T), torch.tensor([1.0, 0.5]).double())
ONES = torch.ones(C).double()
FUSED = CausalAttentionConfig(num_heads=1, num_kv_heads=1, head_dim=2)
HEADS = normal(25, 1, 4, T, C)  # B H T D


def in_heads(x: Tensor) -> Tensor:
    return x.expand(1, 2, T, C)


#: x of T rows -> results of T rows, each made of its own row of x and of all entries of that row.
ROWS: dict[str, Function] = {
    "affine": lambda x: affine(x, W[F]),
    "unembed": lambda x: unembed(x, normal(26, 7, C)),
    "project_qkv": lambda x: project_qkv(x, W[F], W[F], W[8]),
    "grouped_scores, query": lambda x: grouped_scores(x.expand(1, 4, T, C), HEADS[:, :2]),
    "grouped_scores, key": lambda x: grouped_scores(HEADS, in_heads(x)).mT,
    "compress": lambda x: compress(x[None], W[F], ONES[:F], 1e-6),
    "latent_keys": lambda x: latent_keys(x[None], LATENT, TABLE, 1e-6),
    "latent_queries": lambda x: latent_queries(x[None], W[8], W[8], 2, TABLE),
    "normalise_heads": lambda x: normalise_heads(in_heads(x), in_heads(x), ONES, ONES, 1e-6),
    "normalise_projections": lambda x: normalise_projections(x, x, ONES, ONES, 1e-6),
    "step_jacobians, units": lambda x: step_jacobians(normal(27, T, T), x.mT)[1],
}
#: The same, where an infinity may meet a function that bounds it or cuts it off.
ROWS_OF_NAN: dict[str, Function] = {
    "additive_scores, query": lambda x: additive_scores(x, HEADS[0, 0], W[F], W[F], W[F][0]),
    "additive_scores, key": lambda x: additive_scores(HEADS[0, 0], x, W[F], W[F], W[F][0]).mT,
    "feed_forward": lambda x: feed_forward(x, W[F], None, GATED[2], None, relu),
    "gated_feed_forward": lambda x: gated_feed_forward(x, *GATED, gelu),
    **{
        network.__name__: partial(lambda x, network: network(x, *GATED), network=network)
        for network in (glu, bilinear, reglu, geglu, swiglu)
    },
    "rnn_step, x": lambda x: rnn_step(x, normal(30, T, N), W[9][:, :N], W[9][:N, :N], ONES[:N]),
    "rnn_step, h": lambda h: rnn_step(normal(30, T, N), h, W[C][:N], W[C], ONES),
    "lstm_step, x": lambda x: lstm_step(
        x, normal(31, T, N), normal(32, T, N), normal(33, C + N, 12), normal(34, 12)
    ),
    "lstm_step, h": lambda h: lstm_step(
        normal(31, T, N), h, normal(32, T, C), normal(33, C + N, 4 * C), normal(34, 4 * C)
    ),
    "gru_step, x": lambda x: gru_step(
        x, normal(35, T, N), W[9], W[9][:N], normal(36, 9), normal(37, 9)
    ),
    "gru_step, h": lambda h: gru_step(
        normal(35, T, N), h, normal(38, N, 3 * C), normal(39, C, 3 * C), *normal(36, 2, 3 * C)
    ),
}


def as_tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else result


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        *(pytest.param(f, w, id=f"{n}-{w}") for n, f in ROWS.items() for w in (NAN, INF, -INF)),
        *(pytest.param(f, NAN, id=n) for n, f in ROWS_OF_NAN.items()),
    ],
)
def test_a_row_spoils_its_own_result_alone(function: Function, wrong: float) -> None:
    x = normal(0, T, C)
    clean = as_tuple(function(x))
    x[SPOILT, 1] = wrong
    others = [row for row in range(T) if row != SPOILT]
    for result, expected in zip(as_tuple(function(x)), clean, strict=True):
        assert not result[..., SPOILT, :].isfinite().any()
        assert_close(result[..., others, :], expected[..., others, :])


#: x -> the same entries elsewhere.
MOVES: dict[str, Function] = {
    "split_heads": lambda x: split_heads(x, 2),
    "merge_heads": lambda x: merge_heads(split_heads(x, 3)),
    "embed": lambda x: embed(torch.arange(T).flip(0), x),
    "rolling_write": lambda x: rolling_write(torch.zeros_like(x), x, 3),
    "patches": lambda x: patches(x.reshape(1, 1, T, C), 2),
    "cut_fused": lambda x: tuple(cut_fused(x, FUSED).values()),
}


@pytest.mark.parametrize("wrong", [NAN, INF, -INF])
@pytest.mark.parametrize("name", MOVES)
def test_a_moved_entry_stays_what_it_is(name: str, wrong: float) -> None:
    x = normal(0, T, C)
    x[SPOILT, 1] = wrong
    moved = torch.cat([part.flatten() for part in as_tuple(MOVES[name](x))])
    assert_close(moved.sort().values, x.flatten().sort().values, equal_nan=True)


@pytest.mark.parametrize("wrong", [NAN, INF])
def test_a_value_that_is_no_number_reaches_every_query(wrong: float) -> None:
    value, weights = normal(0, 1, 2, T, C), torch.eye(T).double().expand(1, 4, T, T)
    value[0, 1, SPOILT] = wrong
    mixed = grouped_mix(weights, value)
    assert mixed[0, :2].isfinite().all()
    assert mixed[0, 2:, [0, 1, 3]].isnan().all()  # 0 · NaN and 0 · infinity
    key = normal(1, 1, 2, T, C)
    assert attend_with_cache(HEADS, key, value, KVCache())[0, 2:, 0].isnan().all()
    key[0, 1, SPOILT] = NAN
    read = attend_with_cache(HEADS, key, normal(2, 1, 2, T, C), KVCache())
    assert read[0, :, :SPOILT].isfinite().all()
    assert read[0, 2:, SPOILT:].isnan().all()


@pytest.mark.parametrize("wrong", [NAN, INF])
def test_a_mean_of_heads_is_spoilt_in_its_row_and_group(wrong: float) -> None:
    w_k = normal(0, 3, 8)
    w_k[1, 0] = wrong  # the first of two columns of the first of four heads
    assert torch.equal(~mha_to_gqa(w_k, G=2, H=4).isfinite(), torch.zeros(3, 4).bool().index_put(
        (torch.tensor(1), torch.tensor(0)), torch.tensor(True)
    ))  # fmt: skip


#: x, T steps -> states of T steps.
SEQUENCES: dict[str, Function] = {
    "rnn": lambda x: rnn_forward(x, ONES[:N], W[9][:, :N], W[9][:N, :N], ONES[:N]),
    "lstm": lambda x: lstm_forward(
        x, ONES[:N], ONES[:N], normal(33, C + N, 12), normal(34, 12)
    ),
    "gru": lambda x: gru_forward(x, ONES[:N], W[9], W[9][:N], normal(36, 9), normal(37, 9)),
}  # fmt: skip


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_state_after_nan_is_nan(name: str) -> None:
    x = normal(0, T, C)
    clean = as_tuple(SEQUENCES[name](x))
    x[SPOILT, 1] = NAN
    for states, expected in zip(as_tuple(SEQUENCES[name](x)), clean, strict=True):
        assert states[SPOILT:].isnan().all()
        assert_close(states[:SPOILT], expected[:SPOILT])
        x[SPOILT, 1] = INF
        assert as_tuple(SEQUENCES[name](x))[0].isfinite().all()
        x[SPOILT, 1] = NAN


def test_a_cell_that_is_nan_spoils_its_own_unit() -> None:
    x, h, c = normal(0, T, C), normal(1, T, N), normal(2, T, N)
    c[1, 2] = NAN
    for result in lstm_step(x, h, c, normal(33, C + N, 12), normal(34, 12)):
        assert result.isnan().nonzero().tolist() == [[1, 2]]


def test_norms_of_products_that_are_no_numbers() -> None:
    jacobians = torch.full((4, 2, 2), 1e20)
    assert product_norms(jacobians).tolist()[:2] == [INF, INF]
    assert_close(product_norms(jacobians)[2:], torch.tensor([2e20, 1.0]))
    jacobians = normal(0, 2, T, N, N)
    clean = product_norms(jacobians)
    jacobians[1, 2, 0, 1] = NAN
    norms = product_norms(jacobians)
    assert norms.isnan().nonzero().tolist() == [[1, 0], [1, 1]]
    assert_close(norms[0], clean[0])
    hs = normal(1, T, N).tanh()
    hs[2, 0] = NAN
    assert state_jacobian_norms(normal(2, N, N), hs).isnan().tolist() == [True, True, False, False]
