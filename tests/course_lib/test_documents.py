"""Documents in one row: equal to their loops, lawful, and what each token reads is its own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, D, normal, stacked
from torch import Tensor
from torch.testing import assert_close

from course_lib import documents as lib
from course_lib.attention.dot_product import scaled_dot_product_attention
from course_lib.masks import causal_mask
from course_lib.naive import documents as naive

rows = st.lists(st.integers(0, 2), min_size=0, max_size=9)


def ids_of(*rows: list[int]) -> Tensor:
    return torch.tensor(rows, dtype=torch.int64)


@given(row=rows)
def test_documents_equal_their_loops(row: list[int]) -> None:
    ids = torch.tensor(row, dtype=torch.int64)
    assert_close(lib.document_mask(ids), torch.from_numpy(naive.document_mask(ids.numpy())))
    expected = torch.from_numpy(naive.document_positions(ids.numpy()))
    assert_close(lib.document_positions(ids), expected)


def test_a_batch_is_its_rows() -> None:
    ids = ids_of([4, 4, 1, 1], [2, 4, 4, 2], [0, 0, 0, 0])
    masks = stacked(naive.document_mask(row) for row in ids.numpy())
    assert_close(lib.document_mask(ids), masks)
    assert_close(lib.document_mask(ids.reshape(3, 1, 4)), masks.unsqueeze(1))
    positions = stacked(naive.document_positions(row) for row in ids.numpy())
    assert_close(lib.document_positions(ids), positions)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int32, torch.int64])
def test_any_integers_name_documents(dtype: torch.dtype) -> None:
    ids = torch.tensor([100, 100, -3, -3, -3], dtype=dtype)
    assert lib.document_positions(ids).tolist() == [0, 1, 0, 1, 2]
    assert lib.document_mask(ids).sum(-1).tolist() == [1, 2, 1, 2, 3]


def test_an_id_that_comes_back_begins_a_new_document() -> None:
    ids = torch.tensor([7, 2, 7])
    assert_close(lib.document_mask(ids), torch.eye(3, dtype=torch.bool))
    assert lib.document_positions(ids).tolist() == [0, 0, 0]


@given(row=rows)
def test_one_document_is_causal_and_names_do_not_matter(row: list[int]) -> None:
    ids = torch.tensor(row, dtype=torch.int64)
    assert_close(lib.document_mask(ids * 0), causal_mask(len(row)))
    assert_close(lib.document_mask(5 - ids), lib.document_mask(ids))
    # What a token reads is its document up to itself: as many keys as its position says.
    assert_close(lib.document_mask(ids).sum(-1), lib.document_positions(ids) + 1)


def test_a_document_in_a_row_gets_what_it_gets_alone() -> None:
    query, key, value = (normal(seed, B, 5, D) for seed in range(3))
    ids = torch.tensor([1, 1, 1, 0, 0])
    packed, _ = scaled_dot_product_attention(query, key, value, lib.document_mask(ids))
    for where in (slice(0, 3), slice(3, 5)):
        own = [part[:, where] for part in (query, key, value)]
        alone, _ = scaled_dot_product_attention(*own, causal_mask(own[0].shape[-2]))
        assert_close(packed[:, where], alone)
