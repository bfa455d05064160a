"""Caches against those of transformers: what they hand over, what they keep, how large they are."""

from itertools import pairwise

import pytest
import torch
from strategies import DV, B, D, normal
from torch.nn import functional as F
from transformers import GptOssConfig, LlamaConfig, StaticCache
from transformers.cache_utils import (
    DynamicLayer,
    DynamicSlidingWindowLayer,
    StaticSlidingWindowLayer,
)

from course_lib.cache.attend import attend_with_cache
from course_lib.cache.growing import KVCache
from course_lib.cache.rolling import RollingKVCache, rolling_write
from course_lib.counts.cache import kv_cache_bytes
from course_lib.masks import causal_mask, window_mask

H, G, TOKENS = 6, 2, 11
EDGES = (0, 3, 4, 9, 10, TOKENS)
QUERY = normal(0, B, H, TOKENS, D)
KEY, VALUE = normal(1, B, G, TOKENS, D), normal(2, B, G, TOKENS, DV)


@pytest.mark.parametrize("window", [None, 2, 3, 5, 20])
def test_a_cache_hands_over_what_transformers_does(window: int | None) -> None:
    ours = KVCache() if window is None else RollingKVCache(window)
    theirs = DynamicLayer() if window is None else DynamicSlidingWindowLayer(window)
    for start, end in pairwise(EDGES):
        new = KEY[:, :, start:end], VALUE[:, :, start:end]
        for result, expected in zip(ours.extend(*new), theirs.update(*new), strict=True):
            assert torch.equal(result, expected)
        assert ours.length == theirs.get_seq_length()


# float32: measured 4.8e-7.
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
@pytest.mark.parametrize("window", [None, 1, 2, 3, 5, 20])
def test_attend_with_cache_is_one_call_of_torchs_kernel(
    window: int | None, dtype: torch.dtype, bound: float
) -> None:
    tensors = [tensor.to(dtype) for tensor in (QUERY, KEY, VALUE)]
    mask = causal_mask(TOKENS) if window is None else window_mask(TOKENS, TOKENS, window)
    expected = F.scaled_dot_product_attention(*tensors, mask, enable_gqa=True)
    cache = KVCache() if window is None else RollingKVCache(window)
    for start, end in pairwise(EDGES):
        output = attend_with_cache(*(tensor[:, :, start:end] for tensor in tensors), cache)
        assert (output - expected[:, :, start:end]).abs().max() < bound


@pytest.mark.parametrize("window", [2, 3, 5])
def test_a_ring_holds_what_a_static_window_of_transformers_holds(window: int) -> None:
    theirs = StaticSlidingWindowLayer(max_cache_len=window, sliding_window=window)
    ring = torch.zeros(B, G, window, D, dtype=torch.float64)
    for start, end in pairwise(EDGES):
        ring = rolling_write(ring, KEY[:, :, start:end], start)
        theirs.update(KEY[:, :, start:end], KEY[:, :, start:end])
        if end >= window:  # theirs is in the order of time, ours in that of the slots
            slots = torch.arange(end - window, end) % window
            assert torch.equal(ring[:, :, slots], theirs.keys)


@pytest.mark.parametrize("tokens", [100, 131_072])
def test_kv_cache_bytes_are_those_of_a_static_cache(tokens: int) -> None:
    sizes = {"batch_size": 1, "dtype": torch.bfloat16, "device": torch.device("meta")}
    for config, windows in (
        (GptOssConfig(num_hidden_layers=24), [128, None] * 12),
        (LlamaConfig(num_hidden_layers=32, num_key_value_heads=8, head_dim=128), None),
    ):
        cache = StaticCache(config=config, max_cache_len=tokens)
        groups, head_dim = config.num_key_value_heads, config.head_dim
        cache.early_initialization(num_heads=groups, head_dim=head_dim, **sizes)
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        layers = config.num_hidden_layers
        assert kv_cache_bytes(layers, groups, head_dim, tokens, 2, windows) == held
    assert kv_cache_bytes(24, 8, 64, 131_072, 2, [128, None] * 12) == 3_224_371_200
