"""Toy tasks: what the definitions say, position by position."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds
from torch.testing import assert_close

from course_lib.training.batch import Batch, joined
from course_lib.training.loss import IGNORE
from course_lib.training.tasks import (
    START,
    copy_batch,
    duplication_batch,
    induction_batch,
    reverse_batch,
)

B, LENGTH, V = 5, 6, 17
TASKS = (copy_batch, reverse_batch, duplication_batch, induction_batch)
Draw = Callable[[int, int, int, torch.Generator], Batch]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(seed=seeds, length=st.integers(1, 8), vocab_size=st.integers(3, 20))
def test_copy_and_reverse(seed: int, length: int, vocab_size: int) -> None:
    for draw, step in ((copy_batch, 1), (reverse_batch, -1)):
        batch = draw(B, length, vocab_size, generator(seed))
        source, target = batch.inputs
        assert source.shape == (B, length)
        for row, written, asked in zip(source, target, batch.targets, strict=True):
            assert written.tolist() == [START, *row.tolist()[::step]]
            assert asked.tolist() == [IGNORE, *row.tolist()[::step]]
        assert source.min() > START
        assert source.max() < vocab_size


@given(seed=seeds, length=st.integers(1, 8), vocab_size=st.integers(2, 20))
def test_duplication_is_0w0w(seed: int, length: int, vocab_size: int) -> None:
    batch = duplication_batch(B, length, vocab_size, generator(seed))
    (tokens,) = batch.inputs
    for row, asked in zip(tokens.tolist(), batch.targets.tolist(), strict=True):
        word = row[1 : length + 1]
        assert row == [0, *word, 0, *word]
        assert asked == [IGNORE] * (length + 2) + word
        assert set(word) <= set(range(1, vocab_size))


@given(seed=seeds, num_pairs=st.integers(1, 6), spare=st.integers(0, 4))
def test_induction_asks_for_what_followed_the_last_time(
    seed: int, num_pairs: int, spare: int
) -> None:
    batch = induction_batch(B, num_pairs, 2 * num_pairs + spare, generator(seed))
    (tokens,) = batch.inputs
    assert tokens.shape == (B, 4 * num_pairs)
    for row, asked in zip(tokens.tolist(), batch.targets.tolist(), strict=True):
        first, again = row[: 2 * num_pairs], row[2 * num_pairs :]
        assert len(set(first)) == 2 * num_pairs  # so nothing but the order tells what follows
        assert set(again) == set(first)
        positions = [t for t, token in enumerate(asked) if token != IGNORE]
        assert positions == [*range(2 * num_pairs + 1, 4 * num_pairs, 2)]
        for t in positions:
            assert asked[t] == row[t] == first[first.index(row[t - 1]) + 1]


def test_induction_pairs_come_again_in_another_order() -> None:
    (tokens,) = induction_batch(400, 3, V, generator()).inputs
    places = (tokens[:, 6::2, None] == tokens[:, None, :6:2]).int().argmax(-1)
    orders = {tuple(row) for row in places.tolist()}
    assert len(orders) == 6  # every one of the 3! orders
    assert_close(torch.bincount(tokens.flatten(), minlength=V) > 0, torch.ones(V).bool())


@pytest.mark.parametrize("draw", TASKS)
def test_a_seed_decides_everything(draw: Draw) -> None:
    first, again = (draw(B, LENGTH, V, generator(3)) for _ in range(2))
    other = draw(B, LENGTH, V, generator(4))
    torch.manual_seed(0)
    for one, same, different in zip(first.inputs, again.inputs, other.inputs, strict=True):
        assert_close(one, same)
        assert (one != different).any()
    source = generator(3)
    draw(B, LENGTH, V, source)
    assert (draw(B, LENGTH, V, source).inputs[0] != first.inputs[0]).any()


@pytest.mark.parametrize("draw", TASKS[:3])
def test_every_symbol_is_as_likely(draw: Draw) -> None:
    batch = draw(2000, 10, 7, generator())
    counts = torch.bincount(batch.targets[batch.targets != IGNORE], minlength=7)
    symbols = counts[counts > 0]
    assert len(symbols) == (6 if draw is duplication_batch else 5)
    # 20000 draws: the deviation of a share of 1/5 is 57; five of them.
    assert (symbols - 20000 / len(symbols)).abs().max() < 5 * 57


def test_joined_is_one_sequence() -> None:
    pairs = reverse_batch(B, LENGTH, V, generator())
    source, target = pairs.inputs
    batch = joined(pairs)
    (tokens,) = batch.inputs
    assert_close(tokens, torch.cat([source, target], dim=1))
    assert tokens[:, LENGTH].eq(START).all()
    assert batch.targets[:, : LENGTH + 1].eq(IGNORE).all()
    assert_close(batch.targets[:, LENGTH + 1 :], source.flip(1))


@pytest.mark.parametrize("draw", TASKS)
def test_sizes_that_make_no_task(draw: Draw) -> None:
    least = {copy_batch: 3, reverse_batch: 3, duplication_batch: 2, induction_batch: 2}[draw]
    draw(1, 1, least, generator())
    with pytest.raises(ValueError, match=f"batch_size is 1, the length 1, and .* {least - 1} leav"):
        draw(1, 1, least - 1, generator())
    with pytest.raises(ValueError, match="batch_size is 0, the length 6"):
        draw(0, LENGTH, V, generator())
    with pytest.raises(ValueError, match="batch_size is 5, the length 0"):
        draw(B, 0, V, generator())


def test_batches_that_are_none() -> None:
    (tokens,) = duplication_batch(B, LENGTH, V, generator()).inputs
    with pytest.raises(
        ValueError, match=r"has 70 tokens and targets 65; shapes .5, 14. and .5, 13"
    ):
        Batch(inputs=(tokens,), targets=tokens[:, 1:])
    with pytest.raises(ValueError, match=r"2 inputs; there are 1; shapes \[\(5, 14\)\]"):
        joined(Batch(inputs=(tokens,), targets=tokens))
