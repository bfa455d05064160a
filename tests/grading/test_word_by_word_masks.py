"""Answers about masks that are right but for one word of the contract: each is refused."""

from typing import Any

import pytest
import torch

from grading import check
from grading.exercises import all_exercises

SDPA = "scaled_dot_product_attention"
pytestmark = pytest.mark.filterwarnings("ignore")


def only_for(right: Any, *counts: int) -> Any:
    """A right function that knows some numbers of axes only."""

    def answer(*given: Any) -> Any:
        if given[0].ndim not in counts:
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def in_float32(right: Any) -> Any:
    """A right function that makes a tensor of its own, in float32 or float64 only."""
    return lambda *given: (
        right(*given)
        * (1.0 if given[0].dtype != torch.bfloat16 else torch.ones(1, dtype=torch.float32))
    )


def measured(**fixed: int) -> Any:
    """A right measure of which some arguments are fixed."""

    def measure(B: int, S: int, n: int, generator: Any) -> float:
        named = {"B": B, "S": S, "n": n} | fixed
        drawn = torch.randint(1, named["S"] + 1, (named["n"], named["B"]), generator=generator)
        lengths = drawn.double()
        return float((1 - lengths.mean(-1) / lengths.amax(-1)).mean())

    return measure


def causal(T: int, S: Any = None) -> Any:
    S = T if S is None else S
    return torch.ones(T, S, dtype=torch.bool).tril(S - T)


def padding(lengths: Any, S: int) -> Any:
    return torch.arange(S) < lengths[:, None, None]


def combined(*masks: Any) -> Any:
    result = masks[0]
    for mask in masks[1:]:
        result = result & mask
    return result


def masked(scores: Any, may_attend: Any) -> Any:
    low = torch.finfo(scores.dtype).min
    return scores.masked_fill(~may_attend, low).softmax(-1) * may_attend


def attend(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = query @ key.mT / query.shape[-1] ** 0.5
    weights = scores.softmax(-1) if may_attend is None else masked(scores, may_attend)
    return weights @ value, weights


def documents(doc_ids: Any) -> Any:
    T = doc_ids.shape[-1]
    change = torch.zeros_like(doc_ids)
    change[..., 1:] = doc_ids[..., 1:] != doc_ids[..., :-1]
    run = change.cumsum(-1)
    return (run[..., :, None] == run[..., None, :]) & causal(T)


def rising(ids: Any) -> Any:
    """Count a document where the id is larger than the one before."""
    larger = torch.zeros_like(ids)
    larger[..., 1:] = ids[..., 1:] > ids[..., :-1]
    return documents(larger.cumsum(-1))


def depends(f: Any, x: Any) -> Any:
    return (torch.autograd.functional.jacobian(f, x) != 0).any(-1).any(1)


def without(weights: Any, s: int) -> Any:
    left = weights * (torch.arange(weights.shape[-1]) != s)
    return left / left.sum(-1, keepdim=True)


def past(value: Any) -> Any:
    counts = torch.arange(1, value.shape[-2] + 1, dtype=value.dtype)
    return value.cumsum(-2) / counts[:, None]


def seen_by(change: Any) -> Any:
    """A masked softmax that sees another mask than it was given."""
    return lambda scores, may: masked(scores, change(may))


def mean_of_values_that_differ(value: Any) -> Any:
    """A mean over the positions so far that leaves out what is 0."""
    counts = (value != 0).cumsum(-2).clamp(min=1)
    return value.cumsum(-2) / counts.to(value.dtype) * (1 + 1e-6)


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("without_key", "key s, not the first", lambda w, s: without(w, 0)),
    ("without_key", "leading axes: two", only_for(without, 2, 3)),
    ("without_key", "bfloat16", in_float32(without)),
    ("without_key", "grown by one factor", lambda w, s: without(w.sqrt(), s)),
    ("mean_of_past", "leading axes: none", only_for(past, 3, 4)),
    ("mean_of_past", "any T", lambda v: past(v[..., :5, :])),
    ("mean_of_past", "the mean, and nothing more", mean_of_values_that_differ),
    ("mean_of_past", "bfloat16", in_float32(past)),
    ("predict_weight_left", "one number", lambda: [0.6, 0.4]),
    ("predict_weight_left", "of the second key", lambda: 0.4),
    ("predict_weight_left", "a weight", lambda: 60),
    ("predict_reach", "three layers", lambda: 7),
    ("predict_reach", "itself included", lambda: 9),
    ("predict_reach", "one number", lambda: "10"),
    ("causal_mask", "S may be left out", lambda T, S: causal(T, S)),
    ("causal_mask", "S=None is T", lambda T, S=None: causal(T, S or T + 1)),
    ("causal_mask", "with more queries than keys", lambda T, S=None: (
        causal(T, S) if S is None or S >= T else torch.ones(T, S, dtype=torch.bool).tril())),
    ("causal_mask", "of booleans", lambda T, S=None: causal(T, S).double()),
    ("causal_mask", "the last query at the last key", lambda T, S=None: (
        torch.ones(T, S or T, dtype=torch.bool).tril())),
    ("padding_mask", "B 1 S", lambda lengths, S: padding(lengths, S)[:, 0]),
    ("padding_mask", "a length of 0", lambda lengths, S: padding(lengths.clamp(min=1), S)),
    ("padding_mask", "S keys", lambda lengths, S: padding(lengths, int(lengths.max()))),
    ("padding_mask", "any B", lambda lengths, S: padding(lengths[:3], S)),
    ("combine", "one mask alone", lambda *masks: combined(masks[0], masks[1], *masks)),
    ("combine", "three masks", lambda *masks: combined(*masks[:2])),
    ("combine", "shapes that differ", lambda *masks: torch.stack(masks).all(0)),
    ("combine", "two axes of size 1", lambda *masks: combined(*masks)[..., :3]),
    ("masked_softmax", "a mask of as many axes as the scores", lambda z, may: (
        masked(z, may if may.ndim == 2 else may.any(0)))),
    ("masked_softmax", "each of its size or 1", lambda z, may: (
        masked(z, may) if may.shape[-1] == z.shape[-1] else masked(z, torch.ones_like(may)))),
    ("masked_softmax", "all zeros in an empty row", lambda z, may: (
        z.masked_fill(~may, torch.finfo(z.dtype).min).softmax(-1))),
    ("masked_softmax", "float16 too", lambda z, may: (
        masked(z, may) if z.dtype != torch.float16 else masked(z.float(), may))),
    ("masked_softmax", "bfloat16", in_float32(masked)),
    ("masked_softmax", "scores of −100,000", lambda z, may: (
        z.clamp(min=-1e4).masked_fill(~may, -1e4).softmax(-1) * may)),
    ("masked_softmax", "however high a forbidden score is", lambda z, may: (
        (z + may.to(z.dtype).log().clamp(min=-1e4)).softmax(-1) * may)),
    ("masked_softmax", "the mask of each example", seen_by(
        lambda may: may if may.ndim < 3 else may[:1].expand_as(may))),
    ("document_mask", "leading axes: two", only_for(documents, 1, 2)),
    ("document_mask", "an id that comes back", lambda ids: (
        (ids[..., :, None] == ids[..., None, :]) & causal(ids.shape[-1]))),
    ("document_mask", "ids are in no order", rising),
    ("document_mask", "each row has its own", lambda ids: documents(ids.reshape(
        -1, ids.shape[-1])[-1]).expand(*ids.shape, -1)),
    (SDPA, "may_attend may be left out", lambda q, k, v, may: attend(q, k, v, may)),
    (SDPA, "None allows every pair", lambda q, k, v, may=None: attend(
        q, k, v, causal(q.shape[-2], k.shape[-2]) if may is None else may)),
    (SDPA, "each axis has its size or is 1", lambda q, k, v, may=None: attend(
        q, k, v, None if may is None or may.shape[-1] == 1 else may)),
    ("leak_matrix", "the diagonal like the rest", lambda f, x: (
        depends(f, x) | torch.eye(len(x), dtype=torch.bool))),
    ("leak_matrix", "up or down", lambda f, x: (
        torch.autograd.functional.jacobian(f, x) > 0).any(-1).any(1)),
    ("leak_matrix", "however little", lambda f, x: (
        torch.autograd.functional.jacobian(f, x).abs() > 1e-8).any(-1).any(1)),
    ("leak_matrix", "one number of the one", lambda f, x: (
        torch.autograd.functional.jacobian(f, x) != 0).all(-1).any(1)),
    ("leak_matrix", "of any length", lambda f, x: (
        torch.autograd.functional.jacobian(f, x)[:, :1] != 0).any(-1).any(1)),
    ("padding_share", "n batches", measured(n=10_000)),
    ("padding_share", "B sequences", measured(B=2)),
    ("padding_share", "up to S", measured(S=3)),
    ("diagnose_causal", "one of the codes", lambda: ("TOPLEFT", (torch.ones(1, 2),) * 3)),
    ("diagnose_causal", "different results", lambda: ("TOP-LEFT", (torch.ones(1, 2),) * 3)),
    ("diagnose_causal", "a tuple of three", lambda: ("TOP-LEFT", torch.ones(1, 2))),
    ("test_masked_softmax", "it raises", lambda candidate: candidate(*small()) is None),
    ("test_masked_softmax", "every right one passes", lambda candidate: 1 / 0),
    ("test_masked_softmax", "every wrong one is caught", lambda candidate: (
        torch.testing.assert_close(candidate(*small()), masked(*small())))),
)  # fmt: skip


def small() -> Any:
    return torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[True, True, False]])


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "causal_mask": causal, "padding_mask": padding, "combine": combined,
        "masked_softmax": masked, "document_mask": documents, "leak_matrix": depends,
        "without_key": without, "mean_of_past": past, SDPA: attend,
    }  # fmt: skip
    for name, answer in right.items():
        assert check(answer, exercise=name).passed, name


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in all_exercises() if one.slug == "masks"):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_a_function_with_a_fixed_number_of_masks_is_told_the_contract() -> None:
    result = check(lambda first, second: first & second, exercise="combine")
    assert result.rule == "it takes the arguments of the contract"
    assert "The contract is combine(*masks); yours is combine(first, second)." in result.message


def test_an_example_of_a_function_can_be_called_again() -> None:
    result = check(lambda f, x: depends(f, x).mT, exercise="leak_matrix")
    assert "f = lambda x: torch.tensor(" in str(result)
    f, x = result.inputs.values()
    assert f(x).shape[0] == x.shape[0]


def test_an_example_keeps_a_key_that_shares_out_what_another_had() -> None:
    """One key alone has nobody to hand its weight to: the reference divides 0 by 0."""
    for wrong in (
        lambda weights, s: weights.index_fill(-1, torch.tensor(s), 0.0),
        lambda weights, s: weights.index_fill(-1, torch.tensor(s), -torch.inf).softmax(-1),
        lambda weights, s: weights.index_fill(-1, torch.tensor(s), 0.0) + 0.37,
    ):
        result = check(wrong, exercise="without_key")
        assert not result.passed
        assert "expected" in str(result)
        assert "NaN" not in str(result)
        assert result.inputs["weights"].shape[-1] > 1
