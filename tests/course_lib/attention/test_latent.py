"""Multi-head latent attention: both forms equal their loops and each other; clear when refused."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from allocations import Allocations
from hypothesis import given
from strategies import (
    DV,
    B,
    C,
    D,
    H,
    S,
    T,
    arrays,
    assert_equals_twin,
    mask,
    normal,
    permutation,
    seeds,
)
from torch import Tensor
from torch.testing import assert_close

from course_lib.attention import latent as lib
from course_lib.attention.grouped import grouped_query_attention
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.masks import causal_mask
from course_lib.naive.attention import latent as naive
from course_lib.positions.rope import rope_inv_freq, rotate
from course_lib.positions.rotation_table import rotation_table

DTYPES = (torch.float32, torch.float64)
EXACT = {"rtol": 1e-12, "atol": 1e-13}  # assert_close's 1e-7 cannot tell float32 apart
DC, DR, EPS = 9, 4, 1e-6
FORMS = (lib.latent_attention, lib.latent_attention_absorbed)
INV_FREQ = rope_inv_freq(DR, 10.0)


def turns(start: int, count: int = T) -> tuple[Tensor, Tensor]:
    return rotation_table(torch.arange(start, start + count), INV_FREQ)


def parameters(
    seed: int = 10, dtype: torch.dtype = torch.float64, heads: int = H
) -> LatentParameters:
    """Small enough that keys, values and scores are of size 1."""
    shapes = {"w_dkv": (C, DC), "w_kr": (C, DR), "w_uk": (DC, heads * D), "w_uv": (DC, heads * DV)}
    drawn = {
        name: (normal(seed + i, *shape) / shape[0] ** 0.5).to(dtype)
        for i, (name, shape) in enumerate(shapes.items())
    }
    return LatentParameters(g_kv=normal(seed + 4, DC, dtype=dtype), **drawn)


def as_arrays(given: LatentParameters) -> dict[str, np.ndarray]:
    names = [field.name for field in dataclasses.fields(given)]
    return dict(zip(names, arrays(*(getattr(given, name) for name in names)), strict=True))


def inputs(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    shapes = ((B, H, T, D), (B, H, T, DR), (B, S, DC), (B, S, DR))
    return tuple(normal(seed + i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


# Equal to the twin


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_kept_equals_its_loops(dtype: torch.dtype) -> None:
    x, given, table = normal(0, B, T, C, dtype=dtype), parameters(dtype=dtype), turns(7)
    # Angles are rounded to the dtype of x: 6e-8 of an entry of size 1.
    for b in range(B):
        expected = naive.latent_keys(*arrays(x[b]), as_arrays(given), tuple(arrays(*table)), EPS)
        results = lib.latent_keys(x, given, table, EPS)
        for result, twin in zip(results, expected, strict=True):
            assert_equals_twin(result[b], torch.from_numpy(twin), dtype)
        squeezed = lib.compress(x, given.w_dkv, given.g_kv, EPS)[b]
        twin = naive.compress(*arrays(x[b], given.w_dkv, given.g_kv), EPS)
        assert_equals_twin(squeezed, torch.from_numpy(twin), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_queries_equal_their_loops(dtype: torch.dtype) -> None:
    x, table = normal(0, B, T, C, dtype=dtype), turns(2)
    w_q, w_qr = (normal(i, C, H * size, dtype=dtype) for i, size in ((1, D), (2, DR)))
    results = lib.latent_queries(x, w_q, w_qr, H, table)
    for b in range(B):
        expected = naive.latent_queries(*arrays(x[b], w_q, w_qr), H, tuple(arrays(*table)))
        for result, twin in zip(results, expected, strict=True):
            assert_equals_twin(result[b], torch.from_numpy(twin), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [None, (T, S), (B, 1, T, S), (1, S)])
@pytest.mark.parametrize("name", ["latent_attention", "latent_attention_absorbed"])
def test_attention_equals_its_loops(
    name: str, shape: tuple[int, ...] | None, dtype: torch.dtype
) -> None:
    tensors, given = inputs(dtype=dtype), parameters(dtype=dtype)
    may_attend = None if shape is None else mask(3, *shape)
    output = getattr(lib, name)(*tensors, given, may_attend)
    for b in range(B):
        allowed = None if may_attend is None else may_attend.expand(B, 1, T, S)[b, 0].numpy()
        parts = arrays(*(tensor[b] for tensor in tensors))
        expected = getattr(naive, name)(*parts, as_arrays(given), allowed)
        assert_equals_twin(output[b], torch.from_numpy(expected), dtype)


# Laws


@given(seed=seeds)
def test_absorbing_the_matrices_changes_nothing(seed: int) -> None:
    tensors, given, may_attend = inputs(seed), parameters(seed + 5), mask(seed, T, S)
    expected = lib.latent_attention(*tensors, given, may_attend)
    assert_close(lib.latent_attention_absorbed(*tensors, given, may_attend), expected, **EXACT)


@pytest.mark.parametrize("form", FORMS)
def test_the_scale_counts_both_parts_of_a_key(form: Callable[..., Tensor]) -> None:
    query, rotary_query, latent, rotary_key = inputs()
    given = parameters()
    key = (latent @ given.w_uk).unflatten(-1, (H, D)).transpose(1, 2)
    value = (latent @ given.w_uv).unflatten(-1, (H, DV)).transpose(1, 2)
    scores = (query @ key.mT + rotary_query @ rotary_key[:, None].mT) / (D + DR) ** 0.5
    expected = scores.softmax(-1) @ value
    assert_close(form(query, rotary_query, latent, rotary_key, given), expected)


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds)
def test_what_may_not_be_read_has_no_influence(form: Callable[..., Tensor], seed: int) -> None:
    query, rotary_query, latent, rotary_key = inputs(seed)
    given, may_attend = parameters(seed), mask(seed, T, S)
    may_attend[:, 2] = False
    expected = form(query, rotary_query, latent, rotary_key, given, may_attend)
    latent[:, 2], rotary_key[:, 2] = 1e4, -1e4
    actual = form(query, rotary_query, latent, rotary_key, given, may_attend)
    assert_close(actual, expected)
    assert torch.equal(actual[:, :, 0], torch.zeros(B, H, DV).double())  # reads nothing


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds)
def test_permuting_what_is_read_changes_nothing(form: Callable[..., Tensor], seed: int) -> None:
    query, rotary_query, latent, rotary_key = inputs(seed)
    given, order = parameters(seed), permutation(seed, S)
    expected = form(query, rotary_query, latent, rotary_key, given)
    permuted = (latent[:, order], rotary_key[:, order])
    assert_close(form(query, rotary_query, *permuted, given), expected)


@pytest.mark.parametrize("form", FORMS)
@given(seed=seeds)
def test_only_distances_count(form: Callable[..., Tensor], seed: int) -> None:
    x, given = normal(seed, B, T, C), parameters(seed)
    w_q, w_qr = normal(seed + 6, C, H * D), normal(seed + 7, C, H * DR)

    def run(start: int) -> Tensor:
        queries = lib.latent_queries(x, w_q, w_qr, H, turns(start))
        kept = lib.latent_keys(x, given, turns(start), EPS)
        return form(*queries, *kept, given, causal_mask(T))

    assert_close(run(0), run(1000))


def test_rotating_the_latent_vector_would_break_it() -> None:
    # Why positions have a key of their own: rotated latent vectors are no longer what W^UK and
    # W^UV expect, and the output depends on where the sequence starts.
    query, rotary_query, latent, rotary_key = inputs()
    latent = latent[..., : 2 * (DC // 2)]
    given = parameters()
    fewer = dataclasses.replace(
        given,
        w_dkv=given.w_dkv[:, :-1],
        g_kv=given.g_kv[:-1],
        w_uk=given.w_uk[:-1],
        w_uv=given.w_uv[:-1],
    )
    inv_freq = rope_inv_freq(DC - 1, 10.0)
    outputs = [
        lib.latent_attention(
            query,
            rotary_query,
            rotate(latent, torch.arange(start, start + S), inv_freq),
            rotary_key,
            fewer,
        )
        for start in (0, 1)
    ]
    assert (outputs[0] - outputs[1]).abs().max() > 0.1


def test_the_norm_makes_the_size_of_x_irrelevant_to_the_latent_vector() -> None:
    x, given = normal(0, B, T, C), parameters()
    expected = lib.compress(x, given.w_dkv, given.g_kv, 0.0)
    assert_close(lib.compress(100 * x, given.w_dkv, given.g_kv, 0.0), expected)


def test_without_rotary_parts_it_is_multi_head_attention() -> None:
    query, rotary_query, latent, rotary_key = inputs()
    given = parameters()
    key, value = (
        (latent @ w).unflatten(-1, (H, -1)).transpose(1, 2) for w in (given.w_uk, given.w_uv)
    )
    # A rotary query of zeros leaves only the scale, √(D + Dr) instead of √D, to undo.
    louder = query * ((D + DR) / D) ** 0.5
    expected = grouped_query_attention(query, key, value)
    for form in FORMS:
        actual = form(louder, 0 * rotary_query, latent, rotary_key, given)
        assert_close(actual, expected)


# Cost


def test_the_absorbed_form_makes_no_key_per_head() -> None:
    heads, keys, latent_dim = 16, 200, 32
    shapes = ((1, heads, 1, 8), (1, heads, 1, DR), (1, keys, latent_dim), (1, keys, DR))
    tensors = [normal(i, *shape) for i, shape in enumerate(shapes)]
    given = LatentParameters(
        w_dkv=normal(4, C, latent_dim),
        g_kv=normal(5, latent_dim),
        w_kr=normal(6, C, DR),
        w_uk=normal(7, latent_dim, heads * 8),
        w_uv=normal(8, latent_dim, heads * 8),
    )
    with Allocations() as absorbed:
        lib.latent_attention_absorbed(*tensors, given)
    with Allocations() as expanded:
        lib.latent_attention(*tensors, given)
    # The scores of 16 heads, or the matrices reordered by head; never a key per head and position.
    assert absorbed.largest <= max(heads * keys, given.w_uk.numel())
    assert expanded.largest >= heads * keys * (8 + DR)


# Extreme values, gradients, purity


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_queries_stay_finite(form: Callable[..., Tensor], dtype: torch.dtype) -> None:
    query, rotary_query, latent, rotary_key = inputs(dtype=dtype)
    output = form(1e4 * query, rotary_query, latent, rotary_key, parameters(dtype=dtype))
    assert output.isfinite().all()
    assert output.dtype == dtype


@pytest.mark.parametrize("form", FORMS)
def test_one_position_reads_its_own_value(form: Callable[..., Tensor]) -> None:
    given, latent = parameters(), normal(2, B, 1, DC)
    value = (latent @ given.w_uv).unflatten(-1, (H, DV)).transpose(1, 2)
    single = (normal(0, B, H, 1, D), normal(1, B, H, 1, DR), latent, normal(3, B, 1, DR))
    assert_close(form(*single, given), value)


def low_precision_error(form: Callable[..., Tensor]) -> float:
    low = form(*inputs(dtype=torch.bfloat16), parameters(dtype=torch.bfloat16))
    assert low.dtype == torch.bfloat16
    given = parameters(dtype=torch.bfloat16)
    wide = LatentParameters(
        **{f.name: getattr(given, f.name).double() for f in dataclasses.fields(given)}
    )
    expected = form(*(tensor.double() for tensor in inputs(dtype=torch.bfloat16)), wide)
    return float((low.double() - expected).abs().max())


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16_is_near(form: Callable[..., Tensor]) -> None:
    # Outputs reach 1.6, and 8 bits are left of each product; measured 9.2e-3 and 7.0e-3.
    assert low_precision_error(form) < 1.5e-2


SHAPES = ((1, 2, 2, 2), (1, 2, 2, 2), (1, 3, 2), (1, 3, 2), (2, 2), (2,), (2, 2), (2, 4), (2, 2))


def run(form: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    names = ("w_dkv", "g_kv", "w_kr", "w_uk", "w_uv")
    given = LatentParameters(**dict(zip(names, tensors[4:], strict=True)))
    return form(*tensors[:4], given, mask(0, 2, 3))


@pytest.mark.parametrize("form", FORMS)
def test_gradient_and_purity(form: Callable[..., Tensor]) -> None:
    tensors = [normal(i, *shape) for i, shape in enumerate(SHAPES)]
    before = [tensor.clone() for tensor in tensors]
    leaves = tuple(
        tensor.clone().requires_grad_(i not in (4, 5, 6)) for i, tensor in enumerate(tensors)
    )
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lambda *given: run(form, *given), leaves)
    run(form, *tensors)
    assert all(map(torch.equal, tensors, before))


def test_gradient_of_what_is_kept_and_of_the_queries() -> None:
    x, w, w_r = normal(0, 1, 2, 3), normal(1, 3, 4), normal(2, 3, 4)
    table = rotation_table(torch.arange(2), rope_inv_freq(2, 10.0))

    def kept(x: Tensor, w: Tensor, g: Tensor, w_r: Tensor) -> tuple[Tensor, ...]:
        given = LatentParameters(w_dkv=w, g_kv=g, w_kr=w_r[:, :2], w_uk=w, w_uv=w)
        return lib.latent_keys(x, given, table, EPS)

    leaves = [tensor.requires_grad_() for tensor in (x, w[:, :3].clone(), normal(3, 3), w_r)]
    assert torch.autograd.gradcheck(kept, leaves)
    assert torch.autograd.gradcheck(
        lambda *given: lib.latent_queries(*given, 2, table),
        (x, w.requires_grad_(), w_r),
    )


# Errors


def attend(
    query: tuple[int, ...] = (B, H, T, D),
    rotary_query: tuple[int, ...] = (B, H, T, DR),
    latent: tuple[int, ...] = (B, S, DC),
    rotary_key: tuple[int, ...] = (B, S, DR),
    heads: int = H,
) -> Callable[[Callable[..., Tensor]], Tensor]:
    tensors = [torch.zeros(shape).double() for shape in (query, rotary_query, latent, rotary_key)]
    return lambda form: form(*tensors, parameters(heads=heads))


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            attend(rotary_query=(B, 1, T, DR)),
            r"query has \(2, 4, 3\) and rotary_query \(2, 1, 3\); shapes \(2, 4, 3, 7\)",
        ),
        (
            attend(rotary_key=(B, 6, DR)),
            r"latent has \(2, 5\) and rotary_key \(2, 6\); shapes \(2, 5, 9\) and \(2, 6, 4\)",
        ),
        (
            attend(latent=(B, S, 8)),
            r"latent has 8 and w_uk 9; shapes \(2, 5, 8\) and \(9, 28\)",
        ),
        (
            attend(heads=3),
            r"w_uk has 21 and the queries H · D = 28; shapes \(9, 21\) and \(2, 4, 3, 7\)",
        ),
        (
            attend(rotary_query=(B, H, T, 6)),
            r"queries have D=6 and the keys D=4; shapes \(2, 4, 3, 6\) and \(2, 5, 4\)",
        ),
        (attend(latent=(1, S, DC), rotary_key=(1, S, DR)), r"B=2 and key B=1"),
    ],
)
def test_refusals_name_both_sizes(
    form: Callable[..., Tensor], call: Callable[[Callable[..., Tensor]], Tensor], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call(form)


@pytest.mark.usefixtures("without_annotations")
def test_other_refusals() -> None:
    given, table = parameters(), turns(0)
    with pytest.raises(ValueError, match=r"x has 10 and w_kr 11; shapes \(2, 3, 10\)"):
        lib.latent_keys(torch.zeros(B, T, 10).double(), given, table, EPS)
    with pytest.raises(ValueError, match=r"x has 10 and w_down 11; shapes \(2, 3, 10\)"):
        lib.compress(torch.zeros(B, T, 10).double(), given.w_dkv, given.g_kv, EPS)
    with pytest.raises(ValueError, match=r"have 9 entries and g has 8"):
        lib.compress(torch.zeros(B, T, C).double(), given.w_dkv, given.g_kv[:-1], EPS)
    x, w_q, w_qr = torch.zeros(B, T, C), torch.zeros(C, H * D), torch.zeros(C, H * DR)
    with pytest.raises(ValueError, match=r"x has 11 and w_q 10; shapes \(2, 3, 11\)"):
        lib.latent_queries(x, w_q[:-1], w_qr, H, table)
    with pytest.raises(ValueError, match=r"x has 11 and w_qr 10; shapes \(2, 3, 11\)"):
        lib.latent_queries(x, w_q, w_qr[:-1], H, table)
    with pytest.raises(ValueError, match=r"width is 16 and num_heads 3; shape \(2, 3, 16\)"):
        lib.latent_queries(x, w_q, w_qr, 3, table)
    narrow = dataclasses.replace(given, w_uv=given.w_uv[:-1])
    tensors = [torch.zeros(shape).double() for shape in ((B, H, T, D), (B, H, T, DR), (B, S, DC))]
    for form in FORMS:
        with pytest.raises(ValueError, match=r"latent has 9 and w_uv 8; shapes \(2, 5, 9\)"):
            form(*tensors, torch.zeros(B, S, DR).double(), narrow)
