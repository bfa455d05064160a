"""The module of latent attention: its naive twin's numbers, in one call, in chunks, by token."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import normal
from torch.testing import assert_close

from course_lib.cache.latent import LatentCache
from course_lib.config.latent import LatentAttentionConfig
from course_lib.config.norms import RMSNormConfig
from course_lib.config.rope import RopeConfig
from course_lib.model.attention_modules import latent as lib
from course_lib.model.initialise import initialise, num_parameters
from course_lib.naive.attention import latent as naive
from course_lib.naive.positions.rotation_table import rotation_table
from course_lib.positions.rope import rope_inv_freq

B, T, C = 2, 11, 12
CONFIG = LatentAttentionConfig(
    num_heads=3,
    head_dim=5,
    value_dim=7,
    latent_dim=8,
    rope=RopeConfig(base=100.0, rotary_dim=4),
    norm=RMSNormConfig(eps=1e-3),
)
X = normal(0, B, T, C)
EXACT = {"rtol": 1e-11, "atol": 1e-12}


def drawn() -> lib.LatentAttention:
    module = lib.LatentAttention(CONFIG, C).double()
    with torch.no_grad():
        for seed, weight in enumerate(module.parameters()):
            weight.copy_(normal(seed, *weight.shape) / 3)
    return module


def in_chunks(module: lib.LatentAttention, cuts: list[int], cache: LatentCache) -> torch.Tensor:
    with torch.no_grad():
        chunks = [module(X[:, start:end], cache) for start, end in pairwise([0, *cuts, T])]
    assert cache.length == T
    return torch.cat(chunks, dim=1)


def test_without_a_cache_it_is_the_naive_function() -> None:
    module = drawn()
    weight = {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}
    table = rotation_table(np.arange(T), rope_inv_freq(4, 100.0).numpy())
    may_attend = torch.ones(T, T, dtype=torch.bool).tril().numpy()
    output = module(X)
    for row in range(B):
        x = X[row].numpy()
        queries = naive.latent_queries(x, weight["w_q"], weight["w_qr"], 3, table)
        kept = naive.latent_keys(x, weight, table, 1e-3)
        mixed = torch.from_numpy(naive.latent_attention(*queries, *kept, weight, may_attend))
        expected = mixed.transpose(0, 1).flatten(1) @ module.w_o
        assert_close(output[row], expected, **EXACT)


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(1, T - 1), unique=True).map(sorted))
def test_any_cut_into_chunks_gives_the_output_of_one_call(cuts: list[int]) -> None:
    module = drawn()
    assert_close(in_chunks(module, cuts, module.new_cache()), module(X), **EXACT)


def test_decoding_makes_no_key_of_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    module, calls = drawn(), []
    for name in ("latent_attention", "latent_attention_absorbed"):
        form = getattr(lib, name)
        monkeypatch.setattr(lib, name, lambda *given, n=name, f=form: calls.append(n) or f(*given))
    in_chunks(module, [7, 8, 9], module.new_cache())
    assert calls == ["latent_attention", *["latent_attention_absorbed"] * 3]


def test_the_cache_keeps_dc_and_dr_numbers_a_token() -> None:
    module, cache = drawn(), LatentCache(T)
    in_chunks(module, [4], cache)
    assert cache.nbytes == B * T * (8 + 4) * 8


def test_no_position_reads_its_future_and_all_weights_learn() -> None:
    module, changed = drawn(), X.clone()
    changed[:, 6] += 1.0
    before, after = module(X), module(changed)
    assert torch.equal(before[:, :6], after[:, :6])
    assert ((before - after)[:, 6:].abs().amax((0, 2)) > 1e-6).all()
    before.square().sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in module.parameters())


def test_first_weights_and_their_number() -> None:
    module = lib.LatentAttention(CONFIG, C)
    # w_q, w_qr, w_dkv, w_kr, w_uk, w_uv, w_o, g_kv
    expected = 12 * 15 + 12 * 12 + 12 * 8 + 12 * 4 + 8 * 15 + 8 * 21 + 21 * 12 + 8
    assert num_parameters(module) == expected
    assert not module(X.float()).any()  # zeros until they are drawn
    initialise(module, torch.Generator().manual_seed(0), std=0.3)
    assert module(X.float()).isfinite().all()
    assert module(X.float()).any()


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_what_came() -> None:
    with pytest.raises(ValueError, match=r"value_dim >= 1; value_dim is 0; .*latent_dim = 8"):
        replace(CONFIG, value_dim=0)
    module, cache = drawn(), LatentCache()
    with pytest.raises(ValueError, match=r"x has 10 and w_q 12; shapes \(2, 11, 10\)"):
        module(X[..., :10], cache)
    assert cache.length == 0
