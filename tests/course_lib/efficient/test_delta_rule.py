"""The delta rule: equal to its loops and to its chunks; it overwrites, forgets and goes on."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DV, B, D, arrays, assert_equals_twin, normal, seeds
from torch import Tensor
from torch.nn.functional import normalize
from torch.testing import assert_close

from course_lib.efficient import delta_rule as lib
from course_lib.efficient.delta_rule import (
    delta_rule,
    gated_delta_rule,
    gated_delta_rule_in_chunks,
)
from course_lib.naive.efficient import delta_rule as naive

DTYPES = (torch.float32, torch.float64)
T = 5


def tokens(seed: int = 0, size: int = T, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Query, key, value, alpha, beta, state; keys of length 1."""
    query, key = normal(seed, B, size, D), normalize(normal(seed + 1, B, size, D), dim=-1)
    gates = normal(seed + 3, 2, B, size).sigmoid()
    parts = [query, key, normal(seed + 2, B, size, DV), *gates, normal(seed + 4, B, D, DV)]
    return [part.to(dtype) for part in parts]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["gated_delta_rule", "gated_delta_rule_in_chunks", "delta_rule"])
def test_they_equal_their_loops(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lib, "_CHUNK", 2)
    given_ = tokens(dtype=dtype)
    if name == "delta_rule":
        del given_[3]
    for state in (True, False):
        parts = given_ if state else given_[:-1]
        found = getattr(lib, name)(*parts)
        for b in range(B):
            expected = getattr(naive, name)(*arrays(*(part[b] for part in parts)))
            for one, other in zip(found, expected, strict=True):
                assert_equals_twin(one[b], torch.from_numpy(other), dtype)


# Laws


@settings(max_examples=25)
@given(seed=seeds, size=st.integers(0, 9), chunk=st.integers(1, 11), forgets=st.booleans())
def test_chunks_of_any_size_are_the_steps(seed: int, size: int, chunk: int, forgets: bool) -> None:
    parts = tokens(seed, size)
    if forgets and size:
        parts[3][:, size // 2] = 0.0  # a logarithm of this would be minus infinity
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lib, "_CHUNK", chunk)
        found = gated_delta_rule_in_chunks(*parts)
    for one, other in zip(found, gated_delta_rule(*parts), strict=True):
        assert_close(one, other, rtol=1e-7, atol=1e-9)  # a system of 9 equations; measured 2e-13


@settings(max_examples=25)
@given(seed=seeds, cut=st.integers(0, T))
def test_two_pieces_are_the_whole(seed: int, cut: int) -> None:
    *parts, state = tokens(seed)
    for rule in (gated_delta_rule, gated_delta_rule_in_chunks):
        expected, last = rule(*parts, state)
        first = [part[:, :cut] for part in parts]
        rest = [part[:, cut:] for part in parts]
        begun, between = rule(*first, state)
        ended, end = rule(*rest, between)
        assert_close(torch.cat([begun, ended], dim=1), expected)
        assert_close(end, last)


@settings(max_examples=25)
@given(seed=seeds)
def test_the_last_value_of_a_key_is_read_back(seed: int) -> None:
    """beta = 1 and keys of length 1; linear attention would give a mean of all four."""
    _, key, value, _, _, state = tokens(seed, 4)
    key[:, 3] = key[:, 1]
    output, last = delta_rule(key, key, value, torch.ones(B, 4).double(), state)
    assert_close(output, value)
    assert_close(key[:, 1, None] @ last, value[:, 3, None])


@settings(max_examples=25)
@given(seed=seeds)
def test_orthogonal_keys_do_not_disturb_each_other(seed: int) -> None:
    *_, value, _, _, state = tokens(seed, 4)
    key = torch.linalg.qr(normal(seed, B, D, D))[0][:, :4]
    _, last = delta_rule(key, key, value, torch.ones(B, 4).double(), state)
    assert_close(key @ last, value)
    once = key[:, :1], key[:, :1], value[:, :1], torch.ones(B, 1).double()
    assert_close(key[:, 1:] @ delta_rule(*once, state)[1], key[:, 1:] @ state)


@settings(max_examples=25)
@given(seed=seeds)
def test_gates_at_their_ends(seed: int) -> None:
    query, key, value, alpha, beta, state = tokens(seed)
    ones, zeros = torch.ones_like(alpha), torch.zeros_like(alpha)
    assert_close(
        gated_delta_rule(query, key, value, ones, beta, state),
        delta_rule(query, key, value, beta, state),
    )
    output, last = delta_rule(query, key, value, zeros, state)  # nothing is written
    assert_close((output, last), (query @ state, state))
    output, last = gated_delta_rule(query, key, value, zeros, ones, state)  # all is forgotten
    assert_close(output, (query * key).sum(-1, keepdim=True) * value)
    decayed, _ = gated_delta_rule(query, key, value, alpha, zeros, state)
    assert_close(decayed, alpha.cumprod(-1)[..., None] * (query @ state))


def test_a_key_too_long_makes_the_error_grow() -> None:
    key, value = torch.tensor([[2.0]]).repeat(4, 1), torch.ones(4, 1)
    output, _ = delta_rule(key, key, value, torch.ones(4))
    # The error is multiplied by 1 - beta k² = -3 with each token.
    assert_close((output - 1).squeeze(-1), torch.tensor([3.0, -9.0, 27.0, -81.0]))


def test_a_state_in_half_precision_is_rounded_once() -> None:
    low = tokens(dtype=torch.bfloat16)
    for rule in (gated_delta_rule, gated_delta_rule_in_chunks):
        output, state = rule(*low)
        assert output.dtype == state.dtype == torch.bfloat16
        exact = rule(*(part.double() for part in low))
        for found, wanted in zip((output, state), exact, strict=True):
            assert_close(found.double(), wanted, rtol=2**-8, atol=1e-5)
        assert rule(*low[:-1])[1].dtype == torch.float32


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_spoilt_reaches_what_comes_after(wrong: float) -> None:
    parts = tokens()
    clean, _ = gated_delta_rule(*parts)
    parts[2][:, 2] = wrong
    output, state = gated_delta_rule(*parts)
    assert torch.equal(output[:, :2], clean[:, :2])
    assert not output[:, 2:].isfinite().any()
    assert not state.isfinite().any()


def test_what_is_held_does_not_grow_with_the_pairs() -> None:
    size = 512
    parts = [normal(seed, 1, size, 4) for seed in range(3)]
    gates = torch.full((1, size), 0.5).double()
    with Allocations() as made:
        gated_delta_rule_in_chunks(*parts, gates, gates)
    assert made.largest == lib._CHUNK**2


def test_gradients_and_purity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lib, "_CHUNK", 2)
    shapes = ((3, 2), (3, 2), (3, 1), (3,), (3,), (2, 1))
    given_ = [normal(seed, *shape) for seed, shape in enumerate(shapes)]
    given_[3][1] = 0.0
    tensors = [tensor.clone().requires_grad_() for tensor in given_]
    for rule in (gated_delta_rule, gated_delta_rule_in_chunks):
        assert torch.autograd.gradcheck(rule, tensors)
    for tensor, copy in zip(tensors, given_, strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value, alpha, beta, state = tokens()
    for rule in (gated_delta_rule, gated_delta_rule_in_chunks):
        with pytest.raises(ValueError, match=r"key has \(2, 5\) of them and alpha \(2, 4\)"):
            rule(query, key, value, alpha[:, :4], beta, state)
        with pytest.raises(ValueError, match=r"key has \(2, 5\) of them and beta \(2, 5, 1\)"):
            rule(query, key, value, alpha, beta[..., None], state)
        with pytest.raises(ValueError, match=r"key has \(2, 5\) of them and value \(2, 4\)"):
            rule(query, key, value[:, :4], alpha, beta, state)
        with pytest.raises(ValueError, match=r"key has \(2, 5\) of them and query \(2, 4\)"):
            rule(query[:, :4], key, value, alpha, beta, state)
        with pytest.raises(ValueError, match=r"the shape \(2, 6, 7\) and is to have \(2, 7, 6\)"):
            rule(query, key, value, alpha, beta, state.mT)
        with pytest.raises(ValueError, match=r"queries have D=6 and the keys D=7"):
            rule(query[..., :6], key, value, alpha, beta)
        with pytest.raises(ValueError, match=r"key is torch.float64 and beta torch.float32"):
            rule(query, key, value, alpha, beta.float())
    with pytest.raises(ValueError, match=r"state is torch.int64"):
        delta_rule(query, key, value, beta, state.long())
