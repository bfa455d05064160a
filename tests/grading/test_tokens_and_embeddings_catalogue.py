"""What the catalogue on tokens and embeddings takes as given, and whom it calls by no name."""

from typing import Any

import pytest
import torch
from answers_from_threads_tokens_and_embeddings import the_longest_first

from course_lib.tokenizer.bpe import BYTE_RANKS, bpe_encode, merges_from_ranks
from course_lib.tokenizer.pre_tokens import GPT2_PATTERN
from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.tokens_and_embeddings import testing as of_encode
from grading.exercises.tokens_and_embeddings.encoding import BPE_ENCODE
from grading.exercises.tokens_and_embeddings.questions import SHARE, TOKENS
from grading.exercises.tokens_and_embeddings.telling import BYTE_IDS
from grading.exercises.tokens_and_embeddings.training import BPE_TRAIN
from grading.exercises.tokens_and_embeddings.training_steps import DEFAULT
from grading.verdict.case import ANSWER, Case

pytestmark = pytest.mark.filterwarnings("ignore")

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-ROUNDTRIP": {"BPE-LONGEST", "BPE-NOMERGE"},
    "TEST-ASCII": {"BPE-CHARS"},
    "TEST-NORUNS": {"BPE-RIGHTLEFT"},
    "TEST-LISTED": {"BPE-DICTORDER"},
    "TEST-LENGTH": {"BPE-BYTEID"},
    "TEST-ONEWORD": {"BPE-LONGESTPAIR", "BPE-PARTRANK"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
}


def test_ids_and_pattern_are_the_librarys() -> None:
    assert BYTE_IDS == BYTE_RANKS
    assert str(DEFAULT) == GPT2_PATTERN
    assert repr(DEFAULT) == "GPT2_PATTERN"


def test_the_vocabularies_are_such_as_training_makes() -> None:
    for probe in BPE_ENCODE.probes:
        ranks = probe.draw(torch.Generator())["ranks"]
        assert len(merges_from_ranks(ranks)) == sum(len(token) > 1 for token in ranks)


def test_the_predictions_are_counted() -> None:
    assert len(bpe_encode("注意力".encode(), BYTE_RANKS)) == TOKENS
    table, C = 50257 * 768, 768
    layer = 4 * (C * C + C) + 8 * C * C + 5 * C + 4 * C
    assert table + 1024 * C + 12 * layer + 2 * C == 124_439_808
    assert round(table / 124_439_808, 3) == SHARE


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    for exercise in (BPE_TRAIN, BPE_ENCODE):
        assert exercise.steps is not None
        assert 0 < len(exercise.steps.products) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_encode.TEST_BPE_ENCODE, of_encode._CANDIDATES
    names = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(names, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number)


def test_a_wrong_merge_is_told_in_its_tokens() -> None:
    result = check(
        lambda text, merges, pattern=GPT2_PATTERN: [(b"l", b"o")] * merges, exercise="bpe_train"
    )
    assert "Merge 1 joins b'l' and b'o'; it has to join b'lo' and b'w'." in result.message
    short = check(the_longest_first, exercise="bpe_encode")
    assert "b'lowe' b's' b't'; they have to be [10, 9], which is b'low' b'est'" in short.message


def like(value: float, width: int) -> Any:
    def answer(one: Any, table: Any) -> Any:
        shape = (*one.shape, table.shape[1]) if width else (*one.shape[:-1], table.shape[0])
        return torch.full(shape, value, dtype=table.dtype) + 0 * table.sum()

    return answer


def noise(h: Any, table: Any) -> Any:
    logits = torch.randn(*h.shape[:-1], len(table), dtype=h.dtype)
    logits.view(-1)[0] = torch.nan
    return logits


NAMELESS: tuple[tuple[str, Any], ...] = (
    ("merge_pair", lambda ids, pair, merged: [merged]),
    ("merge_pair", lambda ids, pair, merged: list(ids)),
    ("merge_pair", lambda ids, pair, merged: sorted(ids)),
    ("bpe_train", lambda text, merges, pattern=GPT2_PATTERN: [(b"a", b"b")] * merges),
    ("bpe_train", lambda text, merges, pattern=GPT2_PATTERN: [(b"l", b"o")]),
    ("bpe_train", lambda text, merges, pattern=GPT2_PATTERN: merges),
    ("bpe_encode", lambda piece, ranks: [0]),
    ("bpe_encode", lambda piece, ranks: []),
    ("bpe_encode", lambda piece, ranks: sorted(ranks.values())),
    ("bpe_encode", lambda piece, ranks: [ranks[piece[:1]]] * len(piece)),
    ("embed", like(0.0, 1)), ("embed", like(torch.nan, 1)),
    ("embed", lambda ids, table: table[ids.flip(-1)]),
    ("embed", lambda ids, table: table[ids].abs()),
    ("unembed", like(0.0, 0)), ("unembed", like(torch.nan, 0)), ("unembed", noise),
    ("unembed", lambda h, table: torch.softmax(3 * h @ table.T, -1)),
    ("unembed", lambda h, table: (h @ table.T).relu()),
    ("sum_is_order_blind", lambda e, p: (e, p)),
    ("sum_is_order_blind", lambda e, p: (0, 1)),
    ("predict_tokens_of_a_word", lambda: 12), ("predict_tokens_of_a_word", lambda: -1),
    ("predict_share_of_the_table", lambda: 0.2), ("predict_share_of_the_table", lambda: 1.5),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(*row, id=f"{row[0]}-{number}") for number, row in enumerate(NAMELESS)],
)
def test_what_is_no_mistake_of_the_catalogue_has_no_name(exercise: str, answer: Any) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception is None, str(result)
