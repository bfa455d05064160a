"""The layer with a state: its parts once more by hand, any cut alike, and a state of one size."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import normal
from torch import Tensor
from torch.testing import assert_close

from course_lib.cache.growing import KVCache
from course_lib.cache.state import StateCache
from course_lib.config.delta_rule import GatedDeltaRuleConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.counts.attention import attention_parameters, cache_elements, state_bytes
from course_lib.model.attention_modules import delta_rule as lib
from course_lib.model.initialise import initialise, num_parameters
from course_lib.model.padded_reading import PaddedReading
from course_lib.naive.attention.heads import split_heads
from course_lib.naive.efficient.delta_rule import gated_delta_rule
from course_lib.naive.efficient.forget_gate import forget_gate
from course_lib.naive.layers.activations import silu
from course_lib.naive.layers.affine import affine
from course_lib.naive.layers.norms import rms_norm, unit_length
from course_lib.naive.layers.short_convolution import short_convolution

B, T, C = 2, 11, 12
CONFIG = GatedDeltaRuleConfig(
    num_heads=6,
    num_key_heads=2,
    head_dim=5,
    value_dim=4,
    window=3,
    norm=RMSNormConfig(eps=1e-3),
)
X = normal(0, B, T, C)
EXACT = {"rtol": 1e-10, "atol": 1e-11}  # a chunk solves a system where a step does not


def drawn(config: GatedDeltaRuleConfig = CONFIG) -> lib.GatedDeltaRule:
    module = lib.GatedDeltaRule(config, C).double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape) / 2)
    return module


def in_chunks(module: lib.GatedDeltaRule, x: Tensor, cuts: list[int], cache: StateCache) -> Tensor:
    with torch.no_grad():
        chunks = [module(x[:, a:b], cache) for a, b in pairwise([0, *cuts, x.shape[1]])]
    assert cache.length == x.shape[1]
    return torch.cat(chunks, dim=1)


def by_hand(module: lib.GatedDeltaRule, x: np.ndarray) -> np.ndarray:
    """One sequence through the twins: head h of 6 reads with query and key h // 3."""
    w = {name: weight.detach().numpy() for name, weight in module.named_parameters()}
    rows = np.concatenate([affine(x, w[f"w_{letter}"]) for letter in "qkv"], axis=1)
    convolved, _ = short_convolution(rows, w["kernel"])
    bent = np.array([silu(row) for row in convolved])
    query, key = (split_heads(bent[:, start : start + 10], 2) for start in (0, 10))
    value = split_heads(bent[:, 20:], 6)
    alpha = forget_gate(affine(x, w["w_alpha"]), w["log_rate"], w["b_alpha"])
    beta = 1 / (1 + np.exp(-affine(x, w["w_beta"])))
    gate = split_heads(affine(x, w["w_gate"]), 6)
    heads = []
    for h in range(6):
        q, k = (np.array([unit_length(v, 1e-6) for v in part[h // 3]]) for part in (query, key))
        output, _ = gated_delta_rule(q / np.sqrt(5), k, value[h], alpha[:, h], beta[:, h])
        normed = np.array([rms_norm(row, w["g_o"], 1e-3) for row in output])
        heads.append(normed * np.array([silu(row) for row in gate[h]]))
    return affine(np.concatenate(heads, axis=1), w["w_o"])


def test_it_is_its_parts() -> None:
    module = drawn()
    output = module(X)
    for row in range(B):
        assert_close(output[row], torch.from_numpy(by_hand(module, X[row].numpy())), **EXACT)


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(1, T - 1), unique=True).map(sorted))
def test_any_cut_into_chunks_gives_the_output_of_one_call(cuts: list[int]) -> None:
    module = drawn()
    assert_close(in_chunks(module, X, cuts, module.new_cache()), module(X), **EXACT)


def test_a_single_token_takes_a_step_and_several_go_in_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, calls = drawn(), []
    for name in ("gated_delta_rule", "gated_delta_rule_in_chunks"):
        rule = getattr(lib, name)
        monkeypatch.setattr(lib, name, lambda *given, n=name, f=rule: calls.append(n) or f(*given))
    in_chunks(module, X, [7, 8, 9], module.new_cache())
    steps, chunks = "gated_delta_rule", "gated_delta_rule_in_chunks"
    assert calls == [chunks, steps, steps, chunks]


def test_a_long_sequence_leaves_no_more_than_a_short_one() -> None:
    """2,000 tokens, piece by piece: the bytes stand still, and are those of the count."""
    module, cache = drawn(), StateCache()
    long, held = normal(3, B, 2000, C), []
    with torch.no_grad():
        for piece in long.split([1, 1, 70, 128, 500, 1300], dim=1):
            output = module(piece, cache)
            held.append((cache.nbytes, cache.before.shape, cache.state.shape))
    assert cache.length == 2000
    assert output.isfinite().all()
    assert set(held) == {(B * state_bytes(CONFIG, 8), (B, 2, 44), (B, 6, 5, 4))}
    assert state_bytes(CONFIG, 8) == 8 * (6 * 5 * 4 + 2 * (2 * 2 * 5 + 6 * 4))
    assert cache_elements(CONFIG, 2000) == cache_elements(CONFIG, 1) == 0


def test_in_bfloat16_the_state_stays_in_float32() -> None:
    module, cache = drawn().bfloat16(), StateCache()
    low = X.bfloat16()
    output = in_chunks(module, low, [4, 5], cache)
    assert output.dtype == cache.before.dtype == torch.bfloat16
    assert cache.state.dtype == torch.float32
    assert cache.nbytes == B * state_bytes(CONFIG, 2)
    assert state_bytes(CONFIG, 2) == 4 * 120 + 2 * 88
    with torch.no_grad():
        exact = drawn().bfloat16().double()(low.double())
    # Of numbers up to 4: projections, convolution and output are rounded to 8 bits each.
    assert (output.double() - exact).abs().max() < 0.1


@given(seed=st.integers(0, 1000), t=st.integers(0, T - 1))
@settings(max_examples=20)
def test_no_position_reads_its_future_and_each_reads_all_before(seed: int, t: int) -> None:
    module, changed = drawn(), X.clone()
    changed[:, t] += normal(seed, B, C)
    before, after = module(X), module(changed)
    assert_close(before[:, :t], after[:, :t], **EXACT)
    assert ((before - after)[:, t:].abs().amax((0, 2)) > 1e-9).all()


def test_all_weights_learn() -> None:
    module = drawn()
    module(X).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in module.parameters())


def test_padding_on_the_left_changes_nothing() -> None:
    module, padding = drawn(), torch.tensor([0, 4])
    alone = module(X[1:, 4:])
    filled = X.clone()
    filled[1, :4] = torch.nan  # whatever stands there
    reading = PaddedReading(padding, 0, T, X.device)
    found = module(filled, reading=reading)
    assert_close(found[:1], module(X[:1]), **EXACT)
    assert_close(found[1:, 4:], alone, **EXACT)
    cache = module.new_cache()
    with torch.no_grad():
        module(filled[:, :6], cache, PaddedReading(padding, 0, 6, X.device))
        rest = module(filled[:, 6:], cache, PaddedReading(padding, 6, T - 6, X.device))
    assert_close(rest[1:], alone[:, 2:], **EXACT)


def test_as_many_keys_as_states_is_a_head_alone() -> None:
    """With G = H each head is its own: taking one away takes its part of the sum away."""
    each = replace(CONFIG, num_key_heads=6)
    module = drawn(each)
    whole = module(X)
    with torch.no_grad():
        parts = torch.zeros_like(whole)
        for head in range(6):
            alone = drawn(each)
            mask = torch.zeros(6, 4).index_fill(0, torch.tensor(head), 1.0).reshape(24, 1)
            alone.w_o.mul_(mask)
            parts += alone(X)
    assert_close(parts, whole, **EXACT)


def test_first_weights_and_their_number() -> None:
    module = lib.GatedDeltaRule(CONFIG, C)
    # w_q, w_k, w_v, kernel, w_alpha, w_beta, log_rate, b_alpha, w_gate, g_o, w_o
    expected = 12 * (10 + 10 + 24) + 3 * 44 + 2 * 12 * 6 + 2 * 6 + 12 * 24 + 4 + 24 * 12
    assert num_parameters(module) == attention_parameters(CONFIG, C) == expected
    assert not module(X.float()).any()  # zeros until they are drawn
    initialise(module, torch.Generator().manual_seed(0), std=0.3)
    assert module(X.float()).any()
    kept, _ = module.gates(torch.zeros(1, 1, C))
    assert_close(kept.amax(), torch.tensor(0.99), rtol=1e-3, atol=0)
    assert_close(kept.amin(), torch.tensor(0.852), rtol=1e-2, atol=0)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_what_came() -> None:
    with pytest.raises(ValueError, match=r"num_heads is 6 and num_key_heads 4"):
        replace(CONFIG, num_key_heads=4)
    with pytest.raises(ValueError, match=r"window >= 1; window is 0"):
        replace(CONFIG, window=0)
    module, cache = drawn(), StateCache()
    with pytest.raises(ValueError, match=r"x has 10 and w_q 12|x has 10 and .* 12"):
        module(X[..., :10], cache)
    assert cache.length == 0
    with pytest.raises(ValueError, match=r"in a StateCache; a KVCache came; new_cache"):
        module(X, KVCache())
    module(X, cache)
    with pytest.raises(ValueError, match=r"before has the shape \(2, 2, 44\) and is to have \(1,"):
        module(X[:1, :1], cache)
    assert cache.length == T
