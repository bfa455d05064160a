"""Caches: any chunking gives the same output, nothing is copied twice, clear when refused."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, arrays, normal, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.latent import latent_attention as expanded_attention
from course_lib.attention.latent import latent_attention_absorbed, latent_keys
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.cache.attend import attend_with_cache
from course_lib.cache.growing import KVCache
from course_lib.cache.latent import LatentCache
from course_lib.cache.rolling import RollingKVCache, rolling_write
from course_lib.counts.cache import kv_cache_bytes
from course_lib.masks import causal_mask, window_mask
from course_lib.naive.cache import attend as naive_attend
from course_lib.naive.cache import rolling as naive_rolling
from course_lib.naive.counts import cache as naive_size
from course_lib.positions.rope import rope, rope_inv_freq
from course_lib.positions.rotation_table import rotation_table

DTYPES = (torch.float32, torch.float64)
EXACT = {"rtol": 1e-12, "atol": 1e-13}  # assert_close's 1e-7 cannot tell float32 apart
H, G, TOKENS = 6, 2, 11
WINDOWS = (1, 2, 3, 5, 11, 20)  # TOKENS is at least 2 W + 1 for the first four
Cache = KVCache | RollingKVCache


def qkv(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((B, H, TOKENS, D), (B, G, TOKENS, D), (B, G, TOKENS, DV))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


def chunked(tensors: tuple[Tensor, ...], cuts: list[int], cache: Cache) -> Tensor:
    """The outputs of all chunks: cuts are where a new one begins."""
    edges = [0, *cuts, TOKENS]
    outputs = []
    for start, end in pairwise(edges):
        assert cache.length == start
        new = (tensor[:, :, start:end] for tensor in tensors)
        outputs.append(attend_with_cache(*new, cache))
    assert cache.length == TOKENS
    return torch.cat(outputs, dim=2)


def new_cache(window: int | None) -> Cache:
    return KVCache() if window is None else RollingKVCache(window)


def at_once(tensors: tuple[Tensor, ...], window: int | None) -> Tensor:
    may_attend = causal_mask(TOKENS) if window is None else window_mask(TOKENS, TOKENS, window)
    return grouped_query_attention(*tensors, may_attend)


#: Where the sequence is cut: into single tokens, not at all, and whatever Hypothesis draws.
cuts = st.lists(st.integers(min_value=1, max_value=TOKENS - 1), unique=True).map(sorted)
CUTS = {
    "prefill": [],
    "prefill, then decode": [7, 8, 9, 10],
    "decode": list(range(1, TOKENS)),
    "chunks that cross the window's edge": [4, 6, 9],
}


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize("window", [None, *WINDOWS])
def test_attend_with_cache_equals_its_loops(
    window: int | None, name: str, dtype: torch.dtype
) -> None:
    tensors = qkv(dtype=dtype)
    output = chunked(tensors, CUTS[name], new_cache(window))
    for b in range(B):
        parts = arrays(*(tensor[b] for tensor in tensors))
        expected = naive_attend.attend_with_cache(*parts, naive_attend.TokenList(window))
        exact = EXACT if dtype == torch.float64 else {}
        assert_close(output[b], torch.from_numpy(expected).to(dtype), **exact)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slots", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 4, 12])
@pytest.mark.parametrize("position", [0, 1, 3, 7])
def test_rolling_write_equals_its_loops(
    position: int, count: int, slots: int, dtype: torch.dtype
) -> None:
    ring, new = normal(0, B, slots, D, dtype=dtype), normal(1, B, count, D, dtype=dtype)
    result = rolling_write(ring, new, position)
    for b in range(B):
        expected = naive_rolling.rolling_write(*arrays(ring[b], new[b]), position)
        assert torch.equal(result[b], torch.from_numpy(expected).to(dtype))


@pytest.mark.parametrize("windows", [None, [2, None, 7], [1, 1, 1], [None, None, None]])
@pytest.mark.parametrize("tokens", [0, 1, 2, 5, 9])
def test_kv_cache_bytes_equals_its_loops(tokens: int, windows: list[int | None] | None) -> None:
    sizes = (3, 2, 5, tokens, 4)
    assert kv_cache_bytes(*sizes, windows) == naive_size.kv_cache_bytes(*sizes, windows)


def test_bytes_of_released_models() -> None:
    def size(layers: int, groups: int, head_dim: int, windows: list[int | None] | None = None):
        return kv_cache_bytes(layers, groups, head_dim, 131_072, 2, windows)

    assert size(24, 8, 64, [128, None] * 12) == 3_224_371_200  # gpt-oss-20b
    assert size(24, 8, 64) == 6_442_450_944
    assert size(32, 8, 128) == 16 * 2**30  # Llama 3 8B
    # Gemma 3 27B: five layers of 1024 tokens, then one of all.
    gemma = ([1024] * 5 + [None]) * 10 + [1024] * 2
    assert round(size(62, 16, 128, gemma) / 2**30, 1) == 10.4
    assert size(62, 16, 128) == 62 * 2**30
    # Per token: Llama 2 7B keeps 512 KiB, and sharing four query heads a key divides by four.
    assert kv_cache_bytes(32, 32, 128, 1, 2) == 512 * 1024
    assert kv_cache_bytes(32, 8, 128, 1, 2) == 128 * 1024


# Any chunking gives the same output


@given(seed=seeds, cuts=cuts)
def test_any_chunking_gives_the_output_of_one_call(seed: int, cuts: list[int]) -> None:
    tensors = qkv(seed)
    assert_close(chunked(tensors, cuts, KVCache()), at_once(tensors, None), **EXACT)


@given(seed=seeds, cuts=cuts, window=st.sampled_from(WINDOWS))
def test_a_rolling_cache_equals_a_full_one_with_a_window(
    seed: int, cuts: list[int], window: int
) -> None:
    tensors = qkv(seed)
    rolling = chunked(tensors, cuts, RollingKVCache(window))
    assert_close(rolling, at_once(tensors, window), **EXACT)
    query, key, value = tensors
    full = KVCache()
    edges = [0, *cuts, TOKENS]
    for start, end in pairwise(edges):
        keys, values = full.extend(key[:, :, start:end], value[:, :, start:end])
        may_attend = window_mask(end - start, end, window)
        output = grouped_query_attention(query[:, :, start:end], keys, values, may_attend)
        assert_close(rolling[:, :, start:end], output, **EXACT)


@given(seed=seeds, cuts=cuts, window=st.sampled_from([None, *WINDOWS]))
def test_rotated_once_at_their_own_positions(
    seed: int, cuts: list[int], window: int | None
) -> None:
    query, key, value = normal(seed, B, H, TOKENS, 8), normal(seed + 1, B, G, TOKENS, 8), qkv()[2]
    positions = torch.arange(TOKENS)
    rotated = (rope(query, positions, 100.0), rope(key, positions, 100.0), value)
    cache, outputs = new_cache(window), []
    edges = [0, *cuts, TOKENS]
    for start, end in pairwise(edges):
        # The position goes on where the cache stands, also when it has forgotten tokens.
        here = torch.arange(cache.length, cache.length + end - start)
        new_query, new_key = (rope(part[:, :, start:end], here, 100.0) for part in (query, key))
        outputs.append(attend_with_cache(new_query, new_key, value[:, :, start:end], cache))
    assert_close(torch.cat(outputs, dim=2), at_once(rotated, window), **EXACT)


@settings(max_examples=30)
@given(seed=seeds, cuts=cuts)
def test_latent_cache_gives_the_output_of_one_call(seed: int, cuts: list[int]) -> None:
    d_model, latent_dim, rotary_dim = 8, 5, 4
    x, query = normal(seed, B, TOKENS, d_model), normal(seed + 1, B, H, TOKENS, D)
    rotary_query = normal(seed + 2, B, H, TOKENS, rotary_dim)
    given = LatentParameters(
        w_dkv=normal(seed + 3, d_model, latent_dim),
        g_kv=normal(seed + 4, latent_dim),
        w_kr=normal(seed + 5, d_model, rotary_dim),
        w_uk=normal(seed + 6, latent_dim, H * D) / 3,
        w_uv=normal(seed + 7, latent_dim, H * DV),
    )
    inv_freq, cache, outputs = rope_inv_freq(rotary_dim, 100.0), LatentCache(), []
    edges = [0, *cuts, TOKENS]
    for start, end in pairwise(edges):
        positions = torch.arange(cache.length, cache.length + end - start)
        new = latent_keys(x[:, start:end], given, rotation_table(positions, inv_freq), 1e-6)
        latent, rotary_key = cache.extend(*new)
        asked = (query[:, :, start:end], rotary_query[:, :, start:end])
        may_attend = causal_mask(end - start, end)
        outputs.append(latent_attention_absorbed(*asked, latent, rotary_key, given, may_attend))
    kept = latent_keys(x, given, rotation_table(torch.arange(TOKENS), inv_freq), 1e-6)
    expected = expanded_attention(query, rotary_query, *kept, given, causal_mask(TOKENS))
    assert_close(torch.cat(outputs, dim=2), expected)


def test_a_new_token_never_changes_what_an_earlier_one_read() -> None:
    query, key, value = qkv()
    outputs = chunked((query, key, value), [5, 6], KVCache())
    key[:, :, 8:], value[:, :, 8:] = 1e4, -1e4
    again = chunked((query, key, value), [5, 6], KVCache())
    assert_close(again[:, :, :8], outputs[:, :, :8])


# What the caches keep


@pytest.mark.parametrize("capacity", [0, 1, 4, 11, 100])
def test_extend_returns_all_keys_and_values_in_the_order_of_time(capacity: int) -> None:
    _, key, value = qkv()
    cache = KVCache(capacity)
    assert cache.length == 0
    for start, end in ((0, 2), (2, 3), (3, 3), (3, 9), (9, 11)):
        keys, values = cache.extend(key[:, :, start:end], value[:, :, start:end])
        assert torch.equal(keys, key[:, :, :end])
        assert torch.equal(values, value[:, :, :end])
        assert cache.length == end


@pytest.mark.parametrize("window", WINDOWS)
def test_extend_returns_what_a_window_can_reach(window: int) -> None:
    _, key, value = qkv()
    cache = RollingKVCache(window)
    for start, end in ((0, 2), (2, 3), (3, 3), (3, 9), (9, 11)):
        keys, values = cache.extend(key[:, :, start:end], value[:, :, start:end])
        first = max(0, start - (window - 1))
        assert torch.equal(keys, key[:, :, first:end])
        assert torch.equal(values, value[:, :, first:end])
        assert cache.length == end
        if end > start:
            assert cache.nbytes == B * G * min(end, window) * (D + DV) * 8


@pytest.mark.parametrize("window", [1, 2, 3, 5])
def test_a_ring_holds_the_tokens_of_a_rolling_cache(window: int) -> None:
    _, key, value = qkv()
    ring, cache = torch.zeros(B, G, window, D, dtype=torch.float64), RollingKVCache(window)
    for start, end in ((0, 1), (1, 7), (7, 8), (8, 11)):
        ring = rolling_write(ring, key[:, :, start:end], start)
        cache.extend(key[:, :, start:end], value[:, :, start:end])
    kept = torch.arange(TOKENS - window, TOKENS)
    assert torch.equal(ring[:, :, kept % window], key[:, :, kept])
    reach, _ = cache.extend(key[:, :, :1], value[:, :, :1])
    assert torch.equal(reach[:, :, :-1], key[:, :, kept[1:]])


def test_slots_that_no_token_has_reached_keep_what_they_held() -> None:
    ring = rolling_write(torch.full((4, 1), -9.0), torch.tensor([[1.0], [2.0]]), 0)
    assert ring.flatten().tolist() == [1.0, 2.0, -9.0, -9.0]


@pytest.mark.parametrize("window", [None, 1, 3, 20])
def test_a_cache_does_not_share_memory_with_what_it_was_given(window: int | None) -> None:
    _, key, value = qkv()
    expected = key.clone(), value.clone()
    cache, given = new_cache(window), []
    for start, end in ((0, 1), (1, 5), (5, 6)):
        new = key[:, :, start:end].clone(), value[:, :, start:end].clone()
        returned = cache.extend(*new)
        for result, tensor in zip(returned, new, strict=True):
            assert result.untyped_storage().data_ptr() != tensor.untyped_storage().data_ptr()
        given.extend(new)
        for tensor in given:
            tensor.fill_(torch.nan)  # the caller goes on with its own memory
    first = 0 if window is None else max(0, 5 - (window - 1))
    assert_close(returned, tuple(part[:, :, first:6] for part in expected))


def test_a_latent_cache_does_not_share_memory_with_what_it_was_given() -> None:
    cache, new = LatentCache(), (torch.ones(B, 3, 5), torch.ones(B, 3, 4))
    returned = cache.extend(*new)
    for tensor in new:
        tensor.fill_(torch.nan)
    assert_close(returned, (torch.ones(B, 3, 5), torch.ones(B, 3, 4)))


def test_two_caches_are_independent() -> None:
    _, key, value = qkv()
    first, second = KVCache(), KVCache()
    first.extend(key, value)
    keys, _ = second.extend(key[:, :, :1], value[:, :, :1])
    assert first.length == TOKENS
    assert keys.shape[2] == second.length == 1


@pytest.mark.parametrize("window", [None, 3])
def test_arguments_are_not_modified(window: int | None) -> None:
    tensors = qkv()
    before = [tensor.clone() for tensor in tensors]
    chunked(tensors, [4, 5], new_cache(window))
    assert all(map(torch.equal, tensors, before))
    ring, new = normal(0, 3, D), normal(1, 2, D)
    copies = ring.clone(), new.clone()
    rolling_write(ring, new, 2)
    assert torch.equal(ring, copies[0])
    assert torch.equal(new, copies[1])


# Cost


def test_within_its_capacity_extend_copies_only_what_is_new() -> None:
    _, key, value = qkv()
    cache = KVCache(capacity=TOKENS)
    cache.extend(key[:, :, :6], value[:, :, :6])
    for t in range(6, TOKENS):
        with Allocations() as made:
            cache.extend(key[:, :, t : t + 1], value[:, :, t : t + 1])
        assert made.largest == 0
        assert made.copied == B * G * (D + DV)


@pytest.mark.parametrize("first", [1, 100])
def test_growing_costs_a_constant_per_token(first: int) -> None:
    tokens = 1000
    cache = KVCache()
    with Allocations() as made:
        cache.extend(torch.zeros(1, 1, first, 1), torch.zeros(1, 1, first, 1))
        for _ in range(first, tokens):
            cache.extend(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    assert made.copied < 3 * 2 * tokens  # one copy of each token at a time would be 250 times more
    assert 2 * 4 * tokens <= cache.nbytes < 2 * 2 * 4 * tokens


@pytest.mark.parametrize("window", [4, 16])
def test_decoding_never_makes_more_than_w_keys(window: int) -> None:
    size, groups = 32, 2
    cache = RollingKVCache(window)
    cache.extend(normal(0, B, groups, 100, size), normal(1, B, groups, 100, size))
    for step in range(5):
        new = [normal(step, B, heads, 1, size) for heads in (4, groups, groups)]
        with Allocations() as made:
            attend_with_cache(*new, cache)
        assert made.largest == B * groups * window * size
        assert cache.nbytes == 2 * B * groups * window * size * 8


def test_decoding_from_a_full_cache_copies_no_past_key() -> None:
    size, groups, tokens = 32, 2, 200
    cache = KVCache(capacity=2 * tokens)
    cache.extend(normal(0, B, groups, tokens, size), normal(1, B, groups, tokens, size))
    new = [normal(2, B, heads, 1, size) for heads in (8, groups, groups)]
    with Allocations() as made:
        attend_with_cache(*new, cache)
    assert made.largest == B * 8 * (tokens + 1)  # the scores
    assert made.copied == 2 * B * groups * size


@pytest.mark.parametrize("window", [1, 3, 8])
def test_a_prompt_is_not_copied_for_a_window(window: int) -> None:
    _, key, value = qkv()
    cache = RollingKVCache(window)
    with Allocations() as made:
        keys, values = cache.extend(key, value)
    assert made.largest == B * G * window * D  # D is above Dv
    assert cache.nbytes == B * G * window * (D + DV) * 8
    assert torch.equal(keys, key)
    assert torch.equal(values, value)
    expected = key[:, :, -window:].clone()
    key.fill_(torch.nan)  # what the cache keeps is a copy
    reach, _ = cache.extend(torch.zeros(B, G, 0, D).double(), torch.zeros(B, G, 0, DV).double())
    assert torch.equal(reach, expected[:, :, 1:])


def test_bytes_are_those_of_the_formula() -> None:
    tokens, windows = 50, [None, 8, None, 64]
    total = 0
    for window in windows:
        cache = KVCache(tokens) if window is None else RollingKVCache(window)
        assert cache.nbytes == 0
        cache.extend(torch.zeros(1, 3, tokens, 5).half(), torch.zeros(1, 3, tokens, 5).half())
        total += cache.nbytes
    assert total == kv_cache_bytes(4, 3, 5, tokens, 2, windows)


def test_a_latent_cache_keeps_few_numbers_whatever_the_number_of_heads() -> None:
    # DeepSeek-V3: 512 + 64 numbers a token and layer, where 128 heads of 128 would keep 32,768.
    cache = LatentCache(capacity=10)
    cache.extend(torch.zeros(1, 10, 512).bfloat16(), torch.zeros(1, 10, 64).bfloat16())
    assert cache.length == 10
    assert cache.nbytes == 10 * 2 * (512 + 64)
    assert 61 * cache.nbytes // 10 // 2 == 35_136
    cache.extend(torch.zeros(1, 1, 512).bfloat16(), torch.zeros(1, 1, 64).bfloat16())
    assert cache.nbytes == 20 * 2 * (512 + 64)  # room doubles


# Numerics


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_the_dtype_is_kept_and_huge_scores_stay_finite(
    dtype: torch.dtype, window: int | None
) -> None:
    query, key, value = qkv(dtype=dtype)
    output = chunked((30 * query, 30 * key, value), [4, 5], new_cache(window))  # scores of ±1e4
    assert output.dtype == dtype
    assert output.isfinite().all()


def test_chunks_in_bfloat16_are_near() -> None:
    # Measured: equal. Chunks multiply matrices of other shapes, so another machine may sum in
    # another order: one last digit of outputs up to 2.1.
    tensors = qkv(dtype=torch.bfloat16)
    expected = chunked(tensors, [], KVCache())
    for name in CUTS:
        actual = chunked(tensors, CUTS[name], KVCache())
        assert_close(actual, expected, rtol=2**-7, atol=2**-8)


@pytest.mark.parametrize("window", [None, 3])
def test_no_gradient_passes_through_a_cache(window: int | None) -> None:
    tensors = [tensor.requires_grad_() for tensor in qkv()]
    output = attend_with_cache(*tensors, new_cache(window))
    query, key, value = torch.autograd.grad(output.sum(), tensors, allow_unused=True)
    assert query is not None
    assert key is None
    assert value is None


def test_gradient_of_rolling_write() -> None:
    ring, new = normal(0, 3, 2).requires_grad_(), normal(1, 4, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda *given: rolling_write(*given, 5), (ring, new))


@pytest.mark.parametrize("window", [None, 3])
def test_a_cache_filled_in_inference_mode_can_be_used_outside_it(window: int | None) -> None:
    query, key, value = qkv()
    cache = KVCache(TOKENS) if window is None else RollingKVCache(window)
    with torch.inference_mode():
        cache.extend(key[:, :, :4].clone(), value[:, :, :4].clone())
    output = attend_with_cache(query[:, :, 4:], key[:, :, 4:], value[:, :, 4:], cache)
    assert_close(output, at_once((query, key, value), window)[:, :, 4:])


# Errors


def after(
    first: tuple[tuple[int, ...], ...], cache: Callable[[], Cache | LatentCache]
) -> Callable[[tuple[tuple[int, ...], ...]], None]:
    def extend(second: tuple[tuple[int, ...], ...]) -> None:
        filled = cache()
        filled.extend(*(torch.zeros(shape) for shape in first))
        before = filled.length, filled.nbytes
        try:
            filled.extend(*(torch.zeros(shape) for shape in second))
        finally:
            assert (filled.length, filled.nbytes) == before  # what was refused left no trace

    return extend


CACHES = (KVCache, lambda: RollingKVCache(3))
FIRST = ((2, 3, 4, 7), (2, 3, 4, 6))


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    ("second", "message"),
    [
        (((1, 3, 1, 7), (1, 3, 1, 6)), r"key has \(2, 3, 7\) and the new one \(1, 3, 7\); shapes"),
        (((2, 6, 1, 7), (2, 6, 1, 6)), r"key has \(2, 3, 7\) and the new one \(2, 6, 7\); shapes"),
        (((2, 3, 1, 8), (2, 3, 1, 6)), r"key has \(2, 3, 7\) and the new one \(2, 3, 8\); shapes"),
        (((2, 3, 1, 7), (2, 3, 1, 5)), r"value has \(2, 3, 6\) and the new one \(2, 3, 5\)"),
        (
            ((2, 3, 1, 7), (2, 3, 2, 6)),
            r"key has \(2, 3, 1\) and value \(2, 3, 2\); shapes \(2, 3, 1, 7\) and \(2, 3, 2, 6\)",
        ),
    ],
)
def test_what_does_not_fit_the_cache_is_refused(
    cache: Callable[[], Cache], second: tuple[tuple[int, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        after(FIRST, cache)(second)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("second", "message"),
    [
        (((1, 1, 9), (1, 1, 4)), r"latent has \(2, 9\) and the new one \(1, 9\); shapes"),
        (((2, 1, 8), (2, 1, 4)), r"latent has \(2, 9\) and the new one \(2, 8\); shapes"),
        (((2, 1, 9), (2, 1, 6)), r"rotary_key has \(2, 4\) and the new one \(2, 6\); shapes"),
        (((2, 1, 9), (2, 2, 4)), r"latent has \(2, 1\) and rotary_key \(2, 2\); shapes"),
    ],
)
def test_what_does_not_fit_the_latent_cache_is_refused(
    second: tuple[tuple[int, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        after(((2, 5, 9), (2, 5, 4)), LatentCache)(second)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("cache", [*CACHES, LatentCache])
@pytest.mark.parametrize("filled", [False, True])
def test_other_axes_are_refused(cache: Callable[[], Cache | LatentCache], filled: bool) -> None:
    new = cache()
    is_latent = isinstance(new, LatentCache)
    right = torch.zeros(2, 4, 7) if is_latent else torch.zeros(2, 3, 4, 7)
    if filled:
        new.extend(right, right)
    names = ("latent", "rotary_key") if is_latent else ("key", "value")
    count = right.ndim
    for wrong, came in (
        (torch.zeros(5), r"1; shape \(5,\)"),
        (right[0], rf"{count - 1}; shape \("),
    ):
        with pytest.raises(
            ValueError,
            match=rf"{names[0]} has the axes B .*, {count} in number; {names[0]} has {came}",
        ):
            new.extend(wrong, wrong)
        with pytest.raises(
            ValueError,
            match=rf"{names[1]} has the axes B .*, {count} in number; {names[1]} has {came}",
        ):
            new.extend(right, wrong)
    assert new.length == (4 if filled else 0)


@pytest.mark.parametrize("cache", CACHES)
def test_another_dtype_is_refused(cache: Callable[[], Cache]) -> None:
    filled = cache()
    filled.extend(torch.zeros(2, 3, 4, 7), torch.zeros(2, 3, 4, 6))
    message = r"kept key is torch.float32 on cpu, the new one torch.float64 on cpu; shapes \(2, 3,"
    with pytest.raises(ValueError, match=message):
        filled.extend(torch.zeros(2, 3, 1, 7).double(), torch.zeros(2, 3, 1, 6).double())


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            (2, 6, 2, 7),
            r"query has T=2 and key_new T=1; shapes \(2, 6, 2, 7\) and \(2, 3, 1, 7\)",
        ),
        ((2, 4, 1, 7), r"query has H=4 and key_new G=3; shapes \(2, 4, 1, 7\)"),
        ((1, 6, 1, 7), r"query has B=1 and key_new B=2"),
        ((2, 6, 1, 8), r"queries have D=8 and the keys D=7"),
    ],
)
def test_a_refused_call_leaves_the_cache_as_it_was(
    cache: Callable[[], Cache], query: tuple[int, ...], message: str
) -> None:
    filled = cache()
    filled.extend(torch.zeros(2, 3, 4, 7), torch.zeros(2, 3, 4, 6))
    with pytest.raises(ValueError, match=message):
        attend_with_cache(
            torch.zeros(query), torch.zeros(2, 3, 1, 7), torch.zeros(2, 3, 1, 6), filled
        )
    assert filled.length == 4


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: KVCache(-1), r"capacity >= 0; capacity is -1"),
        (lambda: LatentCache(-2), r"capacity >= 0; capacity is -2"),
        (lambda: RollingKVCache(0), r"window >= 1; window is 0"),
        (
            lambda: rolling_write(torch.zeros(2, 3, 7), torch.zeros(2, 1, 6), 0),
            r"kept ring has \(2, 7\) and the new one \(2, 6\); shapes \(2, 3, 7\) and \(2, 1, 6\)",
        ),
        (
            lambda: rolling_write(torch.zeros(2, 3, 7), torch.zeros(1, 1, 7), 0),
            r"kept ring has \(2, 7\) and the new one \(1, 7\); shapes \(2, 3, 7\) and \(1, 1, 7\)",
        ),
        (
            lambda: rolling_write(torch.zeros(3, 7), torch.zeros(1, 7).double(), 0),
            r"kept ring is torch.float32 on cpu, the new one torch.float64 on cpu; "
            r"shapes \(3, 7\) and \(1, 7\)",
        ),
        (
            lambda: rolling_write(torch.zeros(7), torch.zeros(1, 7), 0),
            r"ring has the axes \*batch W D, at least 2 in number; ring has 1; shape \(7,\)",
        ),
        (
            lambda: rolling_write(torch.zeros(3, 7), torch.zeros(7), 0),
            r"new has the axes \*batch T D, at least 2 in number; new has 1; shape \(7,\)",
        ),
        (
            lambda: attend_with_cache(
                torch.zeros(5), torch.zeros(1, 1, 1, 5), torch.zeros(1, 1, 1, 5), KVCache()
            ),
            r"query has the axes B H T D, 4 in number; query has 1; shape \(5,\)",
        ),
        (
            lambda: attend_with_cache(
                torch.zeros(1, 1, 1, 5), torch.zeros(5), torch.zeros(5), KVCache()
            ),
            r"key_new has the axes B G T D, 4 in number; key_new has 1; shape \(5,\)",
        ),
        (
            lambda: rolling_write(torch.zeros(0, 7), torch.zeros(1, 7), 4),
            r"W is 0 and position 4; shape \(0, 7\)",
        ),
        (
            lambda: rolling_write(torch.zeros(3, 7), torch.zeros(1, 7), -1),
            r"W is 3 and position -1; shape \(3, 7\)",
        ),
        (
            lambda: kv_cache_bytes(3, 0, 64, 10, 2),
            r"num_kv_heads >= 1; num_kv_heads is 0; num_layers = 3, num_kv_heads = 0, head",
        ),
        (
            lambda: kv_cache_bytes(3, 8, 64, -1, 2),
            r"num_tokens >= 0; num_tokens is -1, with num_layers = 3",
        ),
        (
            lambda: kv_cache_bytes(3, 8, 64, 10, 2, [128, None]),
            r"num_layers is 3 and windows has 2 entries",
        ),
        (
            lambda: kv_cache_bytes(2, 8, 64, 10, 2, [128, 0]),
            r"window >= 1; windows are \[128, 0\]",
        ),
    ],
)
def test_other_refusals_name_what_came(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
