"""Kernel attention in its three forms: equal to their loops and to each other, at their cost."""

import pytest
import torch
from allocations import Allocations
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    DV,
    B,
    D,
    S,
    T,
    arrays,
    assert_equals_twin,
    mask,
    normal,
    permutation,
    seeds,
    stacked,
)
from torch import Tensor
from torch.testing import assert_close

from course_lib.efficient import kernel_attention as lib
from course_lib.efficient.linear_attention import linear_attention, linear_attention_step
from course_lib.masks import causal_mask
from course_lib.naive.efficient import kernel_attention as naive
from course_lib.naive.efficient import linear_attention as naive_linear

DTYPES = (torch.float32, torch.float64)
NAN, INF = float("nan"), float("inf")


def qkv(
    T: int, S: int, seed: int = 0, dtype: torch.dtype = torch.float64, positive: bool = True
) -> tuple[Tensor, ...]:
    query, key = normal(seed, B, T, D, dtype=dtype), normal(seed + 1, B, S, D, dtype=dtype)
    if positive:
        query, key = query.abs() + 0.1, key.abs() + 0.1
    return query, key, normal(seed + 2, B, S, DV, dtype=dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_forms_equal_their_loops(dtype: torch.dtype) -> None:
    tensors = qkv(T, S, dtype=dtype)
    by_example = [arrays(*(tensor[b] for tensor in tensors)) for b in range(B)]
    expected = stacked(naive.kernel_attention(*parts) for parts in by_example)
    assert_equals_twin(lib.kernel_attention(*tensors), expected, dtype)
    may_attend = mask(3, T, S)
    expected = stacked(
        naive.kernel_attention_by_scores(*parts, may_attend.numpy()) for parts in by_example
    )
    assert_equals_twin(lib.kernel_attention_by_scores(*tensors, may_attend), expected, dtype)
    same = qkv(S, S, dtype=dtype)
    by_example = [arrays(*(tensor[b] for tensor in same)) for b in range(B)]
    for chunk in (1, 2, 5, 9):
        expected = stacked(naive.causal_kernel_attention(*parts, chunk) for parts in by_example)
        assert_equals_twin(lib.causal_kernel_attention(*same, chunk), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [True, False])
def test_linear_attention_equals_its_loops(causal: bool, dtype: torch.dtype) -> None:
    tensors = qkv(S if causal else T, S, dtype=dtype, positive=False)
    expected = stacked(
        naive_linear.linear_attention(*arrays(*(tensor[b] for tensor in tensors)), causal)
        for b in range(B)
    )
    assert_equals_twin(linear_attention(*tensors, causal), expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_features_and_a_step_equal_their_loops(dtype: torch.dtype) -> None:
    x = 3 * normal(0, T, D, dtype=dtype)
    x[0, 0] = 0.0
    assert_equals_twin(lib.elu_features(x), torch.from_numpy(naive.elu_features(*arrays(x))), dtype)
    query, key, value, state, normaliser = step = [
        normal(1, D, dtype=dtype), normal(2, D, dtype=dtype), normal(3, DV, dtype=dtype),
        normal(4, D, DV, dtype=dtype), normal(5, D, dtype=dtype).abs(),
    ]  # fmt: skip
    expected = naive_linear.linear_attention_step(*arrays(*step))
    for found, wanted in zip(linear_attention_step(*step), expected, strict=True):
        assert_equals_twin(found, torch.from_numpy(wanted), dtype)
    assert all(part.ndim for part in (query, key, value, state, normaliser))


# Laws


@settings(max_examples=25)
@given(seed=seeds, size=st.integers(1, 9), chunk=st.integers(1, 11))
def test_scores_chunks_and_steps_are_one_function(seed: int, size: int, chunk: int) -> None:
    query, key, value = qkv(size, size, seed, positive=False)
    features = lib.elu_features(query), lib.elu_features(key)
    whole = lib.kernel_attention_by_scores(*features, value, causal_mask(size))
    assert_close(lib.causal_kernel_attention(*features, value, chunk), whole)
    assert_close(linear_attention(query, key, value, causal=True), whole)
    state, normaliser = torch.zeros(B, D, DV).double(), torch.zeros(B, D).double()
    for t in range(size):
        output, state, normaliser = linear_attention_step(
            query[:, t], key[:, t], value[:, t], state, normaliser
        )
        assert_close(output, whole[:, t])
    two_sided = lib.kernel_attention(*features, value)
    assert_close(two_sided, lib.kernel_attention_by_scores(*features, value))
    assert_close(
        two_sided, lib.kernel_attention_by_scores(*features, value, torch.ones(1, 1).bool())
    )
    assert_close(two_sided[:, -1], whole[:, -1])


@settings(max_examples=25)
@given(seed=seeds)
def test_keys_have_no_order_no_length_and_no_influence_where_they_are_not_read(seed: int) -> None:
    query, key, value = qkv(T, S, seed)
    expected, order = lib.kernel_attention(query, key, value), permutation(seed, S)
    assert_close(lib.kernel_attention(query, key[:, order], value[:, order]), expected)
    assert_close(lib.kernel_attention(3 * query, 5 * key, value), expected)
    may_attend = mask(seed, T, S)
    may_attend[:, 2] = False
    hidden = lib.kernel_attention_by_scores(query, key, value, may_attend)
    key[:, 2] *= 1e4
    assert_close(lib.kernel_attention_by_scores(query, key, value, may_attend), hidden)
    assert torch.equal(hidden[:, 0], torch.zeros(B, DV).double())


@settings(max_examples=25)
@given(seed=seeds)
def test_outputs_lie_between_the_values(seed: int) -> None:
    query, key, value = qkv(S, S, seed, positive=False)
    for causal in (True, False):
        output = linear_attention(query, key, value, causal)
        assert (output <= value.amax(1, keepdim=True) + 1e-12).all()
        assert (output >= value.amin(1, keepdim=True) - 1e-12).all()
    assert_close(linear_attention(query, key, value, causal=True)[:, 0], value[:, 0])


def test_it_is_not_the_softmax() -> None:
    query, key, value = qkv(S, S, positive=False)
    scores = query @ key.mT / D**0.5
    far = (linear_attention(query, key, value, causal=False) - scores.softmax(-1) @ value).abs()
    assert far.max() > 0.1


# Extreme values


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, *DTYPES])
def test_features_of_huge_numbers_are_finite_and_have_gradients(dtype: torch.dtype) -> None:
    ends = torch.tensor([-3e4, -1e3, 0.0, 1e3, 3e4], dtype=dtype, requires_grad=True)
    features = lib.elu_features(ends)
    assert features.dtype == dtype
    assert (features >= 0).all()
    features.sum().backward()
    assert ends.grad is not None
    assert ends.grad.tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("wrong", [NAN, INF])
def test_what_is_spoilt_reaches_its_chunk_and_what_comes_after(wrong: float) -> None:
    query, key, value = qkv(9, 9)
    clean = lib.causal_kernel_attention(query, key, value, 3)
    value[:, 4] = wrong
    spoilt = lib.causal_kernel_attention(query, key, value, 3)
    assert torch.equal(spoilt[:, :3], clean[:, :3])
    assert not spoilt[:, 4:].isfinite().any()
    assert not lib.kernel_attention(query, key, value).isfinite().any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_long_text_in_half_precision_is_summed_in_float32(dtype: torch.dtype) -> None:
    """Sums of 2,000 features in bfloat16 would be rounded with each chunk; here the output is."""
    low = [normal(seed, 2000, 3, dtype=dtype) for seed in range(2)]
    low.append(normal(2, 2000, 2).abs().to(dtype))
    for causal in (True, False):
        features = [lib.elu_features(part.double()) for part in low[:2]]
        kernel = features[0] @ features[1].mT
        kernel = kernel.tril() if causal else kernel
        exact = kernel / kernel.sum(-1, keepdim=True) @ low[2].double()
        found = linear_attention(*low, causal)
        assert found.dtype == dtype
        assert_close(found.double(), exact, rtol=1.01 * torch.finfo(dtype).eps / 2, atol=1e-6)


def test_nothing_to_read_gives_zeros_and_finite_gradients() -> None:
    tensors = [tensor.requires_grad_() for tensor in qkv(T, S)]
    with torch.autograd.set_detect_anomaly(True):
        output = lib.kernel_attention_by_scores(*tensors, mask(0, T, S))
        output.sum().backward()
    assert torch.equal(output[:, 0], torch.zeros(B, DV).double())
    for tensor in tensors:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


# Cost


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_no_form_but_that_by_scores_makes_a_matrix_of_pairs(size: int) -> None:
    tensors = [normal(seed, 1, 1, size, 4) for seed in range(3)]
    for causal in (True, False):
        with Allocations() as made:
            linear_attention(*tensors, causal)
        assert made.largest == 4 * size
    features = lib.elu_features(tensors[0]), lib.elu_features(tensors[1])
    with Allocations() as made:  # what the measurement would show
        lib.kernel_attention_by_scores(*features, tensors[2])
    assert made.largest == size * size


# Gradients, purity, refusals

SMALL = [normal(seed, 1, 3, 2) for seed in range(3)]


def test_gradients_and_purity() -> None:
    tensors = [tensor.clone().requires_grad_() for tensor in SMALL]
    for causal in (True, False):
        assert torch.autograd.gradcheck(
            lambda *all_: linear_attention(*all_, causal),  # noqa: B023
            tensors,
        )
    assert torch.autograd.gradcheck(
        lambda q, k, v: lib.causal_kernel_attention(q.exp(), k.exp(), v, 2), tensors
    )
    assert torch.autograd.gradcheck(
        lambda q, k, v: lib.kernel_attention_by_scores(q.exp(), k.exp(), v, mask(0, 3, 3)), tensors
    )
    step = [normal(1, 2), normal(2, 2), normal(3, 1), normal(4, 2, 1), normal(5, 2).exp()]
    step = [tensor.requires_grad_() for tensor in step]
    kept = [tensor.detach().clone() for tensor in step]
    assert torch.autograd.gradcheck(linear_attention_step, step)
    for tensor, copy in zip([*tensors, *step], [*SMALL, *kept], strict=True):
        assert torch.equal(tensor, copy)


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_the_sizes() -> None:
    query, key, value = qkv(T, S)
    for call in (lib.kernel_attention, lib.kernel_attention_by_scores):
        with pytest.raises(ValueError, match=r"queries have D=7 and the keys D=6"):
            call(query, key[..., :6], value)
        with pytest.raises(ValueError, match=r"keys have S=5 and the values S=4"):
            call(query, key, value[:, :4])
        with pytest.raises(ValueError, match=r"there are S=0"):
            call(query, key[:, :0], value[:, :0])
        with pytest.raises(ValueError, match=r"query has \(2,\) and key \(1,\)"):
            call(query, key[:1], value)
        with pytest.raises(ValueError, match=r"and value torch.float32"):
            call(query, key, value.float())
    with pytest.raises(ValueError, match=r"T=3, S=5; shapes \(5, 3\) and \(2, 3, 5\)"):
        lib.kernel_attention_by_scores(query, key, value, torch.ones(5, 3).bool())
    with pytest.raises(ValueError, match=r"T is 3 and S is 5; shapes \(2, 3, 7\) and \(2, 5, 7\)"):
        lib.causal_kernel_attention(query, key, value, 2)
    with pytest.raises(ValueError, match=r"T is 3 and S is 5"):
        linear_attention(query, key, value, causal=True)
    with pytest.raises(ValueError, match=r"chunk >= 1; chunk is 0"):
        lib.causal_kernel_attention(key, key, value, 0)
    with pytest.raises(ValueError, match=r"x is torch.int64; shape \(2,\)"):
        lib.elu_features(torch.tensor([1, 2]))
    step = [torch.zeros(size) for size in ((2, 7), (2, 7), (2, 6), (2, 7, 6), (2, 7))]
    names = ["query", "key", "value", "state", "normaliser"]
    for wrong, shape in (("key", (2, 5)), ("value", (3, 6)), ("state", (2, 6, 7)),
                         ("normaliser", (7,))):  # fmt: skip
        given_ = {**dict(zip(names, step, strict=True)), wrong: torch.zeros(shape)}
        message = rf"{wrong} has \([\d, ]+\); its shape is \({', ?'.join(map(str, shape))},?\)"
        with pytest.raises(ValueError, match=message):
            linear_attention_step(**given_)
    with pytest.raises(ValueError, match=r"state is torch.int64"):
        linear_attention_step(*step[:3], step[3].long(), step[4])
