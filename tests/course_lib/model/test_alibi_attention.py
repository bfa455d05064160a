"""ALiBi as a layer: the function's bias on the scores, through caches and inside a decoder."""

from dataclasses import replace
from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import normal
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_mix, grouped_scores
from course_lib.attention.heads import merge_heads
from course_lib.config.attention import AlibiAttentionConfig
from course_lib.config.attention_parts import Everything, Window
from course_lib.masks import causal_mask
from course_lib.model.attention_modules.alibi import AlibiAttention
from course_lib.model.attention_modules.causal import CausalAttention
from course_lib.model.reading import Reading
from course_lib.naive.positions.alibi import alibi_bias
from course_lib.softmax import masked_softmax

B, T, C, H, G, D = 2, 9, 11, 12, 3, 4  # the slopes of 12 heads are no powers of two
CONFIG = AlibiAttentionConfig(num_heads=H, num_kv_heads=G, head_dim=D)
X = normal(0, B, T, C)


def drawn(window: int | None = None) -> AlibiAttention:
    reach = Everything() if window is None else Window(size=window)
    return with_weights(AlibiAttention(replace(CONFIG, reach=reach), C))


def with_weights(module: CausalAttention) -> CausalAttention:
    module = module.double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape) / 3)
    return module


def test_the_bias_is_the_naive_functions() -> None:
    module = drawn()
    query, key, value = module.project(X, Reading(0, T, X.device))
    bias = torch.from_numpy(alibi_bias(H, T, T))
    weights = masked_softmax(grouped_scores(query, key) / D**0.5 + bias, causal_mask(T))
    expected = merge_heads(grouped_mix(weights, value)) @ module.w_o
    assert_close(module(X), expected, rtol=1e-12, atol=1e-13)
    assert (
        with_weights(CausalAttention(CONFIG.without_slopes, C))(X) - expected
    ).abs().max() > 1e-2


@settings(max_examples=30)
@given(
    cuts=st.lists(st.integers(1, T - 1), unique=True).map(sorted),
    window=st.sampled_from([None, 1, 3, 20]),
)
def test_any_cut_into_chunks_gives_the_output_of_one_call(
    cuts: list[int], window: int | None
) -> None:
    module = drawn(window)
    cache = module.new_cache()
    with torch.no_grad():
        chunks = [module(X[:, start:end], cache) for start, end in pairwise([0, *cuts, T])]
        assert_close(torch.cat(chunks, dim=1), module(X), rtol=1e-11, atol=1e-12)
