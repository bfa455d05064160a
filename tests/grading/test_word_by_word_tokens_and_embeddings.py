"""Answers on tokens and embeddings that are right but for one word of the contract: all refused."""

from typing import Any

import pytest
import torch
from answers_from_threads_tokens_and_embeddings import (
    by_tables_of_unions,
    learnt_recursively,
    merged_by_popping,
)

from grading import check
from grading.exercises.tokens_and_embeddings import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
O200K = r"\p{N}{1,3}|\p{L}+| "


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def changing(right: Any) -> Any:
    """A right function that empties the list it was given."""

    def answer(ids: Any, *others: Any) -> Any:
        result = right(ids, *others)
        ids.clear()
        return result

    return answer


def sorted_by_rank(piece: Any, ranks: Any) -> Any:
    """Right, and the dict that came in is sorted afterwards."""
    result = by_tables_of_unions(piece, ranks)
    held = sorted(ranks.items(), key=lambda pair: pair[1])
    ranks.clear()
    ranks.update(held)
    return result


def on_one(ids: Any, S: Any) -> Any:
    return (ids[..., None] == torch.arange(S)).float()


def embed(ids: Any, table: Any) -> Any:
    return table[ids]


def unembed(h: Any, table: Any) -> Any:
    return h @ table.mT


def order(e: Any, p: Any) -> Any:
    first = torch.arange(len(p)).clamp(max=1)
    return first, first.flip(0)


def axes(*counts: int) -> Any:
    return lambda x, *others: x.ndim in counts


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("all_on_one", "floating-point numbers", lambda ids, S: on_one(ids, S).long()),
    ("all_on_one", "leading axes: none", only_for(on_one, lambda ids, S: ids.ndim > 1)),
    ("all_on_one", "leading axes: two", only_for(on_one, lambda ids, S: ids.ndim < 3)),
    ("all_on_one", "S columns", lambda ids, S: on_one(ids, ids.max() + 1)),
    ("all_on_one", "from 0", lambda ids, S: on_one(ids - 1, S)),
    ("merge_pair", "a new list", changing(merged_by_popping)),
    ("merge_pair", "a list of ints", lambda *three: tuple(merged_by_popping(*three))),
    ("merge_pair", "from left to right", lambda ids, pair, merged: merged_by_popping(
        ids[::-1], pair[::-1], merged)[::-1]),
    ("merge_pair", "in this order", lambda ids, pair, merged: merged_by_popping(
        ids, tuple(sorted(pair)), merged)),
    ("bpe_train", "at most so many merges",
     lambda text, merges, pattern="": learnt_recursively(text, merges + 1)),
    ("bpe_train", "the pattern may be left out",
     lambda text, merges, pattern: learnt_recursively(text, merges, pattern)),
    ("bpe_train", "the pattern is GPT-2's where it is left out",
     lambda text, merges, pattern=O200K: learnt_recursively(text, merges, pattern)),
    ("bpe_train", "pairs of bytes", lambda *given: [
        left + right for left, right in learnt_recursively(*given)]),
    ("bpe_train", "a list", lambda *given: tuple(learnt_recursively(*given))),
    ("bpe_train", "in the order of learning", lambda *given: sorted(learnt_recursively(*given))),
    ("bpe_train", "or sooner", only_for(learnt_recursively, lambda text, *others: len(text) > 8)),
    ("bpe_train", "in UTF-8",
     only_for(learnt_recursively, lambda text, *others: text.isascii())),
    ("bpe_encode", "the ids as a list", lambda *two: tuple(by_tables_of_unions(*two))),
    ("bpe_encode", "ids and not tokens", lambda piece, ranks: [
        {rank: token for token, rank in ranks.items()}[one]
        for one in by_tables_of_unions(piece, ranks)]),
    ("bpe_encode", "the dict stays as it was", sorted_by_rank),
    ("bpe_encode", "a piece may be empty", only_for(by_tables_of_unions, lambda p, r: len(p) > 0)),
    ("bpe_encode", "bytes and no text",
     only_for(by_tables_of_unions, lambda piece, ranks: piece.isascii())),
    ("embed", "leading axes: none", only_for(embed, axes(2, 3))),
    ("embed", "leading axes: two", only_for(embed, axes(1, 2))),
    ("embed", "bfloat16", lambda ids, table: table[ids] * torch.ones(1)),
    ("embed", "its gradient flows back", lambda ids, table: table.detach()[ids]),
    ("embed", "nothing is scaled", lambda ids, table: table[ids] * table.shape[1] ** 0.5),
    ("unembed", "leading axes: none", only_for(unembed, axes(3, 4))),
    ("unembed", "leading axes: two", only_for(unembed, axes(2, 3))),
    ("unembed", "no softmax", lambda h, table: unembed(h, table).softmax(-1)),
    ("unembed", "its gradient flows back", lambda h, table: unembed(h, table).detach()),
    ("unembed", "bfloat16", lambda h, table: unembed(h, table) * torch.ones(1)),
    ("sum_is_order_blind", "two different sentences", lambda e, p: (order(e, p)[0],) * 2),
    ("sum_is_order_blind", "of T ids", lambda e, p: (torch.tensor([0, 1]), torch.tensor([1, 0]))),
    ("sum_is_order_blind", "int64", lambda e, p: tuple(ids.int() for ids in order(e, p))),
    ("sum_is_order_blind", "from 0 to V − 1", lambda e, p: tuple(
        ids + len(e) - 1 for ids in order(e, p))),
    ("sum_is_order_blind", "tensors", lambda e, p: tuple(ids.tolist() for ids in order(e, p))),
    ("predict_tokens_of_a_word", "one number", lambda: [9]),
    ("predict_tokens_of_a_word", "tokens, not characters", lambda: 3),
    ("predict_tokens_of_a_word", "of the word alone", lambda: 10),
    ("predict_share_of_the_table", "between 0 and 1", lambda: 31),
    ("predict_share_of_the_table", "used at both ends", lambda: 0.47),
    ("predict_share_of_the_table", "one number", lambda: [0.31]),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "all_on_one": on_one, "merge_pair": merged_by_popping, "bpe_train": learnt_recursively,
        "bpe_encode": by_tables_of_unions, "embed": embed, "unembed": unembed,
        "sum_is_order_blind": order,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
