"""Passages of a text, and the entropy of its tokens."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import permutation, seeds
from torch.testing import assert_close

from course_lib.naive.training import text as naive
from course_lib.training import text as lib
from course_lib.training.loss import lm_loss

V = 9


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(seed: int, length: int = 50) -> torch.Tensor:
    return (torch.rand(length, generator=generator(seed)) ** 2 * (V - 1)).long()


@given(seed=seeds)
def test_unigram_entropy_equals_its_loops(seed: int) -> None:
    ids = draw(seed)
    ours = lib.unigram_entropy(ids, V)
    assert_close(ours.item(), naive.unigram_entropy(ids.numpy(), V))
    assert_close(lib.unigram_entropy(permutation(seed, V)[ids], V), ours)
    assert_close(lib.unigram_entropy(ids.repeat(3), V + 5), ours)


def test_the_ends_of_entropy() -> None:
    assert lib.unigram_entropy(torch.full((5,), 3), V).item() == 0.0
    assert_close(lib.unigram_entropy(torch.arange(V), V).item(), math.log(V))


@given(seed=seeds)
def test_no_loss_without_context_is_below_the_entropy(seed: int) -> None:
    ids = draw(seed)
    shares = torch.bincount(ids, minlength=V).double() / len(ids)
    first = torch.cat([torch.zeros(1, dtype=torch.long), ids])[None]  # so that every id is counted
    best = shares.log().expand(1, len(ids) + 1, V)
    assert_close(lm_loss(best, first), lib.unigram_entropy(ids, V))
    other = torch.rand(V, generator=generator(seed), dtype=torch.float64)
    assert lm_loss(other.expand_as(best), first) > lib.unigram_entropy(ids, V)


@given(seed=seeds, batch_size=st.integers(1, 5), length=st.integers(1, 20))
def test_passages_are_cut_out_of_the_text(seed: int, batch_size: int, length: int) -> None:
    ids = torch.arange(100, 120)
    batch = lib.text_batch(ids, batch_size, length, generator(seed))
    (passages,) = batch.inputs
    assert passages.shape == (batch_size, length)
    assert_close(passages - passages[:, :1], torch.arange(length).expand(batch_size, length))
    assert passages.min() >= 100
    assert passages.max() < 120
    assert_close(batch.targets, passages)
    assert_close(lib.text_batch(ids, batch_size, length, generator(seed)).inputs[0], passages)


def test_every_place_is_reached() -> None:
    (passages,) = lib.text_batch(torch.arange(8), 500, 3, generator()).inputs
    assert set(passages[:, 0].tolist()) == set(range(6))


def test_errors_name_the_numbers() -> None:
    ids = torch.arange(V)
    with pytest.raises(ValueError, match=r"length 10; the text has 9 tokens, shape \(9,\)"):
        lib.text_batch(ids, 2, 10, generator())
    with pytest.raises(ValueError, match="batch_size is 2 and length 0"):
        lib.text_batch(ids, 2, 0, generator())
    with pytest.raises(ValueError, match="batch_size is 0 and length 4"):
        lib.text_batch(ids, 0, 4, generator())
    with pytest.raises(ValueError, match=r"V is 8 and the ids go from 0 to 8; shape \(9,\)"):
        lib.unigram_entropy(ids, V - 1)
    with pytest.raises(ValueError, match="V is 9 and the ids go from -1 to 7"):
        lib.unigram_entropy(ids - 1, V)
    with pytest.raises(ValueError, match=r"V is 9 and the ids are none; shape \(0,\)"):
        lib.unigram_entropy(ids[:0], V)
