"""Ids to vectors and back to scores."""

import pytest
import torch
from hypothesis import given
from strategies import B, C, T, normal, permutation, seeds, stacked
from torch.testing import assert_close

from course_lib.layers import embedding as lib
from course_lib.naive.layers import embedding as naive

V = 13


def ids_of(seed: int, *shape: int) -> torch.Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(seed))


@given(seed=seeds)
def test_embed_is_its_twin(seed: int) -> None:
    ids, table = ids_of(seed, B, T), normal(seed, V, C)
    expected = stacked(naive.embed(row.numpy(), table.numpy()) for row in ids)
    assert torch.equal(lib.embed(ids, table), expected)


@given(seed=seeds)
def test_unembed_is_its_twin(seed: int) -> None:
    hidden, table = normal(seed, B, T, C), normal(seed + 1, V, C)
    expected = stacked(naive.unembed(row.numpy(), table.numpy()) for row in hidden)
    assert_close(lib.unembed(hidden, table), expected)


@given(seed=seeds)
def test_a_sum_of_embeddings_is_blind_to_order(seed: int) -> None:
    ids, table = ids_of(seed, T), normal(seed, V, C)
    shuffled = ids[permutation(seed, T)]
    assert_close(lib.embed(ids, table).sum(0), lib.embed(shuffled, table).sum(0))


@given(seed=seeds)
def test_orthonormal_rows_find_their_token_again(seed: int) -> None:
    ids = ids_of(seed, B, T)
    table = torch.linalg.qr(normal(seed, V, V))[0]
    logits = lib.unembed(lib.embed(ids, table), table)
    assert_close(logits, torch.nn.functional.one_hot(ids, V).double())


@given(seed=seeds)
def test_renaming_the_tokens_changes_nothing(seed: int) -> None:
    ids, table, order = ids_of(seed, T), normal(seed, V, C), permutation(seed, V)
    assert torch.equal(lib.embed(ids, table[order]), lib.embed(order[ids], table))
    hidden = normal(seed + 1, T, C)
    assert_close(lib.unembed(hidden, table[order]), lib.unembed(hidden, table)[:, order])


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_ids_of_any_integer_type(dtype: torch.dtype) -> None:
    ids, table = ids_of(0, B, T), normal(0, V, C)
    assert torch.equal(lib.embed(ids.to(dtype), table), table[ids])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_dtype_is_the_tables(dtype: torch.dtype) -> None:
    table = normal(0, V, C, dtype=dtype)
    vectors = lib.embed(ids_of(0, B, T), table)
    assert vectors.dtype == dtype
    assert lib.unembed(vectors, table).dtype == dtype


def test_no_ids_and_one_id() -> None:
    table = normal(0, V, C)
    assert lib.embed(ids_of(0, B, 0), table).shape == (B, 0, C)
    assert torch.equal(lib.embed(torch.tensor([V - 1]), table), table[-1:])


def test_gradient() -> None:
    ids = torch.tensor([[0, 2, 2], [1, 0, 2]])
    table = normal(0, 4, 2).requires_grad_()
    hidden = normal(1, 3, 2).requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        assert torch.autograd.gradcheck(lambda table: lib.embed(ids, table), (table,))
        assert torch.autograd.gradcheck(lib.unembed, (hidden, table))
        assert torch.autograd.gradgradcheck(lib.unembed, (hidden, table))


def test_a_row_learns_once_for_each_time_it_is_read() -> None:
    table = normal(0, 4, 2).requires_grad_()
    lib.embed(torch.tensor([0, 2, 2]), table).sum().backward()
    assert table.grad is not None
    assert torch.equal(table.grad[:, 0], torch.tensor([1.0, 0.0, 2.0, 0.0]).double())


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("wrong", [V, -1])
def test_an_id_must_be_in_the_table(wrong: int) -> None:
    low, high = min(wrong, 3), max(wrong, 3)
    message = rf"V is 13 and ids go from {low} to {high}; shapes \(2,\) and \(13, 11\)"
    with pytest.raises(ValueError, match=message):
        lib.embed(torch.tensor([3, wrong]), normal(0, V, C))


@pytest.mark.usefixtures("without_annotations")
def test_hidden_and_table_must_have_one_width() -> None:
    message = r"hidden has 7 and table 11; shapes \(3, 7\) and \(13, 11\)"
    with pytest.raises(ValueError, match=message):
        lib.unembed(torch.zeros(T, 7), torch.zeros(V, C))


def test_weights_that_nobody_drew_are_refused() -> None:
    table, ids = torch.zeros(V, C), torch.tensor([3, 1])
    message = r"table has 143 numbers and 143 are 0; shape \(13, 11\)"
    with pytest.raises(ValueError, match=message):
        lib.require_drawn(lib.embed(ids, table), "table", table)
    table[0, 5] = 1.0  # a row of zeros may be learnt, and no id may come
    lib.require_drawn(lib.embed(ids, table), "table", table)
    lib.require_drawn(lib.embed(ids[:0], table), "table", table)


def test_no_input_is_modified() -> None:
    ids, table = ids_of(0, B, T), normal(0, V, C)
    before = ids.clone(), table.clone()
    lib.unembed(lib.embed(ids, table), table)
    assert torch.equal(ids, before[0])
    assert torch.equal(table, before[1])
