"""The module of causal attention is its functions in a row; a cache that forgets is refused."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from strategies import normal, seeds
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.heads import merge_heads, split_heads
from course_lib.attention.qk_norm import normalise_heads, normalise_projections
from course_lib.cache.growing import KVCache
from course_lib.cache.rolling import RollingKVCache
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases, Everything, OutputGate, Window
from course_lib.config.norms import HeadQKNorm, ProjectionQKNorm, RMSNormConfig
from course_lib.layers.affine import affine
from course_lib.masks import causal_mask
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.reading import Reading

B, T, C, H, G, D = 2, 5, 11, 6, 2, 4
CONFIG = CausalAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=D)
RMS = RMSNormConfig(eps=1e-3)
X = normal(0, B, T, C)
READING = Reading(0, T, X.device)


def drawn(config: CausalAttentionConfig) -> CausalAttention:
    module = CausalAttention(config, C).double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape))
    return module


@pytest.mark.parametrize("biases", list(Biases))
def test_without_more_steps_it_is_grouped_query_attention(biases: Biases) -> None:
    module = drawn(replace(CONFIG, biases=biases))
    parts = [
        split_heads(affine(X, getattr(module, f"w_{one}"), getattr(module, f"b_{one}")), heads)
        for one, heads in (("q", H), ("k", G), ("v", G))
    ]
    mixed = merge_heads(grouped_query_attention(*parts, causal_mask(T)))
    assert torch.equal(module(X), affine(mixed, module.w_o, module.b_o))


def test_its_norms_of_queries_and_keys_are_the_functions() -> None:
    plain = drawn(CONFIG)
    for norm, normalise in (
        (HeadQKNorm(norm=RMS), normalise_heads),
        (ProjectionQKNorm(norm=RMS), normalise_projections),
    ):
        module = drawn(replace(CONFIG, qk_norm=norm))
        gains = module.norm_q.gain, module.norm_k.gain
        query, key = X @ module.w_q, X @ module.w_k
        if normalise is normalise_projections:
            query, key = normalise(query, key, *gains, 1e-3)
        query, key = split_heads(query, H), split_heads(key, G)
        if normalise is normalise_heads:
            query, key = normalise(query, key, *gains, 1e-3)
        assert_close(module.project(X, READING)[:2], (query, key), rtol=1e-12, atol=1e-14)
        assert (plain.project(X, READING)[0] - query).abs().max() > 0.1


@given(seed=seeds)
def test_a_gate_lets_through_a_part_of_each_entry_by_the_token_that_reads(seed: int) -> None:
    filling = CausalAttentionConfig(num_heads=C, num_kv_heads=1, head_dim=1)  # H D is C
    plain = drawn(filling)
    gated = CausalAttention(replace(filling, output_gate=OutputGate.PER_ENTRY), C).double()
    x = normal(seed, B, T, C)
    with torch.no_grad():
        for name, weight in plain.named_parameters():
            gated.get_parameter(name).copy_(weight)
        assert_close(gated(x), plain(x) / 2)  # a gate of zeros
        gated.w_gate.copy_(normal(seed + 1, C, C))
        # The last projection hides what passes, so both have the identity for it.
        plain.w_o = gated.w_o = torch.nn.Parameter(torch.eye(C, dtype=x.dtype))
        assert_close(gated(x), plain(x) * torch.sigmoid(x @ gated.w_gate))


@pytest.mark.parametrize(
    ("reach", "kept", "message"),
    [
        (
            Everything(),
            3,
            r"cache keeps window = 3 tokens and the layer reads all tokens \(no window\)",
        ),
        (Window(size=3), 2, r"cache keeps window = 2 tokens and the layer reads window = 3 tokens"),
    ],
)
def test_a_cache_that_forgets_too_much_is_refused(
    reach: Everything | Window, kept: int, message: str
) -> None:
    cache = RollingKVCache(kept)
    with pytest.raises(ValueError, match=message):
        drawn(replace(CONFIG, reach=reach))(X, cache)
    assert cache.length == 0


@pytest.mark.parametrize("cache", [KVCache(), RollingKVCache(3), RollingKVCache(4)])
def test_a_cache_that_keeps_enough_gives_the_same(cache: KVCache | RollingKVCache) -> None:
    module = drawn(replace(CONFIG, reach=Window(size=3)))
    with torch.no_grad():
        rows = [module(X[:, t : t + 1], cache) for t in range(T)]
        assert_close(torch.cat(rows, dim=1), module(X), rtol=1e-12, atol=1e-13)
