"""Wrong masks re-made from public threads are refused, and unusual right ones are accepted.

`answers_from_threads_masks.md` is made of the same table; a test says when it is not in step.
"""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from rows_of_threads import RARE, G, Row, codes, expected, verdict

from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_masks.md")
#: More reasons why a refused answer has no name.
TWO = "two mistakes at once, which nothing tells from another two"


def triangle(T: int, S: int, diagonal: int) -> Any:
    return torch.ones(T, S, dtype=torch.bool).tril(diagonal)


# -- wrong ones ------------------------------------------------------------------------------------


def earlier_tokens_alone(T: int, S: Any = None) -> Any:
    S = T if S is None else S
    return ~torch.ones(T, S).triu(S - T).bool()


def earlier_tokens_but_the_first_itself(T: int, S: Any = None) -> Any:
    mask = earlier_tokens_alone(T, S)
    mask[0, 0] = True
    return mask


def from_the_first_key(T: int, S: Any = None) -> Any:
    return triangle(T, T if S is None else S, 0)


def everything(T: int, S: Any = None) -> Any:
    return torch.ones(T, T if S is None else S, dtype=torch.bool)


def hidden_from_the_next_on(lengths: Any, S: int) -> Any:
    mask = torch.ones(len(lengths), 1, S, dtype=torch.bool)
    for row, length in zip(mask, lengths.tolist(), strict=True):
        row[:, length + 1 :] = False
    return mask


def of_the_queries(lengths: Any, S: int) -> Any:
    return (torch.arange(S) < lengths[:, None]).unsqueeze(2)


def blocked_by_both(*masks: Any) -> Any:
    """Join masks of what is blocked with and: blocked is what both block."""
    blocked = ~masks[0]
    for mask in masks[1:]:
        blocked = blocked & ~mask
    return ~blocked


def the_last_one_alone(*masks: Any) -> Any:
    return masks[-1]


def scores_times_the_mask(scores: Any, may_attend: Any) -> Any:
    return (scores * may_attend).softmax(-1)


def shared_out_again(scores: Any, may_attend: Any) -> Any:
    weights = scores.softmax(-1) * may_attend
    return weights / weights.sum(-1, keepdim=True)


def ten_thousand_million(scores: Any, may_attend: Any) -> Any:
    return scores.masked_fill(may_attend == 0, -1e10).softmax(-1)


def zeroed_behind_it(scores: Any, may_attend: Any) -> Any:
    return scores.masked_fill(~may_attend, -1e10).softmax(-1) * may_attend


def left_as_they_are(scores: Any, may_attend: Any) -> Any:
    return scores.softmax(-1)


def minus_ten_thousand(scores: Any, may_attend: Any) -> Any:
    return scores.masked_fill(~may_attend, -1e4).softmax(-1) * may_attend.any(-1, keepdim=True)


def times_the_mask(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = (scores if may_attend is None else scores * may_attend).softmax(-1)
    return weights @ value, weights


def positions_alone(doc_ids: Any) -> Any:
    T = doc_ids.shape[-1]
    return triangle(T, T, 0).expand(*doc_ids.shape, T)


def equal_ids(doc_ids: Any) -> Any:
    T = doc_ids.shape[-1]
    return (doc_ids.unsqueeze(-1) == doc_ids.unsqueeze(-2)) & triangle(T, T, 0)


def a_disturbance_that_keeps_the_sign(f: Any, x: Any) -> Any:
    """Set each row to huge numbers of its own signs; where a number is 0 nothing happens."""
    columns = []
    for s in range(len(x)):
        changed = x.clone()
        changed[s] = 1e10 * torch.sign(x[s])
        columns.append((f(changed) - f(x)).abs().sum(-1) > 1e-3)
    return torch.stack(columns, -1)


def future_gradients_alone(f: Any, x: Any) -> Any:
    """Ask of one position after another whether a later one has a gradient."""
    jacobian = torch.autograd.functional.jacobian(f, x)
    return (jacobian != 0).any(-1).any(1) & ~triangle(len(x), len(x), 0)


def tokens_counted(B: int, S: int, n: int, generator: Any) -> float:
    lengths = torch.randint(1, S + 1, (n, B), generator=generator).double()
    return float((lengths.sum(-1) / (B * lengths.amax(-1))).mean())


def up_to_the_models_length(B: int, S: int, n: int, generator: Any) -> float:
    lengths = torch.randint(1, S + 1, (n, B), generator=generator).double()
    return float(1 - lengths.mean() / S)


def first_index_twice(value: Any) -> Any:
    """Divide one position too late: the first sum stands twice, the last one is gone."""
    sums = value.cumsum(-2)
    shifted = torch.cat([sums[..., :1, :], sums[..., :-1, :]], -2)
    return shifted / torch.arange(1, value.shape[-2] + 1, dtype=value.dtype)[:, None]


def one_too_many(value: Any) -> Any:
    return value.cumsum(-2) / torch.arange(2, value.shape[-2] + 2, dtype=value.dtype)[:, None]


def taken_out_and_not_shared(weights: Any, s: int) -> Any:
    left = weights.clone()
    left[..., s] = 0
    return left


ROWS = tuple(Row(*row) for row in (
    ("causal_mask", "keeps a token from itself", earlier_tokens_alone,
     G + "pbloem/former/issues/10", "MASK-STRICT"),
    ("causal_mask", "keeps all tokens but the first from themselves",
     earlier_tokens_but_the_first_itself, G + "pytorch/pytorch/issues/143287", RARE),
    ("causal_mask", "starts at the first key", from_the_first_key,
     G + "pytorch/pytorch/issues/103082", "MASK-TOPLEFT"),
    ("causal_mask", "leaves the mask out", everything,
     G + "paiml/entrenar/issues/310", "MASK-ALL"),
    ("padding_mask", "hides from one position too late on", hidden_from_the_next_on,
     G + "ajhalthor/Transformer-Neural-Network/issues/15", "PAD-INCL"),
    ("padding_mask", "stands along the queries", of_the_queries,
     G + "hyunwoongko/transformer/pull/40", "PAD-QUERY"),
    ("combine", "joins what is blocked with and", blocked_by_both,
     G + "lucidrains/local-attention/issues/5", "PAD-OR"),
    ("combine", "a mask that is given replaces the other", the_last_one_alone,
     G + "keras-team/keras/pull/23040", RARE),
    ("masked_softmax", "multiplies the scores with the mask", scores_times_the_mask,
     G + "georg-wolflein/good-features/pull/1", "ROW-ZERO"),
    ("masked_softmax", "shares the weights out again", shared_out_again,
     G + "abisee/pointer-generator/issues/88", "ROW-RENORM"),
    ("masked_softmax", "fills −1e10, which float16 does not hold", ten_thousand_million,
     G + "bentrevett/pytorch-seq2seq/issues/191", RARE),
    ("masked_softmax", "fills −1e10 and zeroes the weights", zeroed_behind_it,
     G + "tatp22/linformer-pytorch/pull/19", "ROW-FP16"),
    ("masked_softmax", "does not mask", left_as_they_are,
     G + "tensorflow/tensorflow/issues/43941", "ROW-NOMASK"),
    ("masked_softmax", "fills −1e4", minus_ten_thousand,
     G + "huggingface/transformers/pull/17306", "ROW-SMALL"),
    ("scaled_dot_product_attention", "multiplies the scores with the mask", times_the_mask,
     G + "georg-wolflein/good-features/pull/1", "SDPA-MASK0"),
    ("document_mask", "starts the positions anew and hides nothing", positions_alone,
     G + "DeepOpt-com/WrinkleFree-Monorepo/issues/53", "PACK-POS"),
    ("document_mask", "is the causal mask", positions_alone,
     G + "alex-hh/profam/issues/495", "PACK-POS"),
    ("document_mask", "compares ids", equal_ids,
     G + "huggingface/nanoVLM/pull/204", "PACK-REUSEID"),
    ("leak_matrix", "disturbs by a sign, so a 0 stays 0", a_disturbance_that_keeps_the_sign,
     G + "HazyResearch/safari/issues/40", RARE),
    ("leak_matrix", "asks for later tokens alone", future_gradients_alone,
     G + "HomebrewML/Olmax/issues/78", "LEAK-AHEAD"),
    ("padding_share", "counts the tokens", tokens_counted,
     G + "CarperAI/trlx/issues/448", "SHARE-KEPT"),
    ("padding_share", "pads to the largest length there is", up_to_the_models_length,
     G + "PaddlePaddle/PaddleNLP/issues/2969", "SHARE-FULL"),
    ("mean_of_past", "is off by one from the second position on", first_index_twice,
     G + "tidyverse/dplyr/issues/5287", RARE),
    ("mean_of_past", "divides by one too many", one_too_many,
     G + "jiaminc-cmu/pdd_stress_test/issues/4", RARE),
    ("without_key", "takes the weight out and shares nothing", taken_out_and_not_shared,
     G + "abisee/pointer-generator/issues/88", "KEY-LOST"),
))  # fmt: skip


# -- unusual right ones ----------------------------------------------------------------------------


def causal_by_sorting(T: int, S: Any = None) -> Any:
    """A key may be read if it does not come behind the query in a sorted list of both."""
    S = T if S is None else S
    position = torch.arange(T).add(S - T).clamp(min=-1)
    return torch.searchsorted(torch.arange(S), position, right=True)[:, None] > torch.arange(S)


def causal_by_powers(T: int, S: Any = None) -> Any:
    S = T if S is None else S
    rows = [[1] * max(min(S - T + t + 1, S), 0) for t in range(T)]
    return torch.tensor([row + [0] * (S - len(row)) for row in rows]).bool()


def padding_by_sums(lengths: Any, S: int) -> Any:
    """Begin with the lengths and count down."""
    return ((lengths[:, None, None] - torch.ones(S).cumsum(0)) >= 0).bool()


def padding_by_numpy(lengths: Any, S: int) -> Any:
    ranks = torch.from_numpy(lengths.numpy()[:, None, None])
    return torch.lt(torch.arange(S).reshape(1, 1, -1), ranks)


def combined_by_minima(*masks: Any) -> Any:
    shape = torch.broadcast_shapes(*(mask.shape for mask in masks))
    return torch.stack([mask.expand(shape).to(torch.uint8) for mask in masks]).amin(0).bool()


def combined_with_where(*masks: Any) -> Any:
    result, *others = masks
    for mask in others:
        result = torch.where(mask, result, False)
    return result.clone()


def masked_by_sorting_nothing(scores: Any, may_attend: Any) -> Any:
    """Go row by row, and take the softmax over what may be read alone."""
    may = may_attend.expand_as(scores).reshape(-1, scores.shape[-1])
    rows = []
    for row, allowed in zip(scores.reshape(-1, scores.shape[-1]), may, strict=True):
        weights = row[allowed].softmax(0)
        rows.append(torch.zeros_like(row).masked_scatter(allowed, weights))
    return torch.stack(rows).reshape(scores.shape)


def masked_by_log_sum_exp(scores: Any, may_attend: Any) -> Any:
    wide = scores.double()
    low = wide.masked_fill(~may_attend, -1e300)
    weights = (low - low.logsumexp(-1, keepdim=True)).exp()
    return torch.where(may_attend, weights, 0.0).to(scores.dtype)


def masked_with_a_key_more(scores: Any, may_attend: Any) -> Any:
    """Give an empty row one more key, which takes all of it."""
    spare = torch.where(may_attend.any(-1, keepdim=True), -math.inf, 0.0).to(scores.dtype)
    spare = spare.expand(*scores.shape[:-1], 1)
    allowed = scores.masked_fill(~may_attend, -math.inf)
    return torch.cat([allowed, spare], -1).softmax(-1)[..., :-1]


def attended_with_a_key_more(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    may = torch.ones(1, 1, dtype=torch.bool) if may_attend is None else may_attend
    weights = masked_with_a_key_more(scores, may.expand_as(scores))
    return torch.einsum("...ts,...sv->...tv", weights, value), weights


def documents_by_changes_between(doc_ids: Any) -> Any:
    """Two tokens are in one document if no change lies between them."""
    T = doc_ids.shape[-1]
    changes = torch.cat([doc_ids[..., :1] * 0, doc_ids.diff(dim=-1).ne(0).long()], -1).cumsum(-1)
    between = changes.unsqueeze(-1) - changes.unsqueeze(-2)
    return (between == 0) & triangle(T, T, 0)


def documents_by_blocks(doc_ids: Any) -> Any:
    rows = []
    for row in doc_ids.reshape(-1, doc_ids.shape[-1]):
        _, counts = torch.unique_consecutive(row, return_counts=True)
        blocks = [torch.ones(size, size).tril() for size in counts.tolist()]
        rows.append(torch.block_diag(*blocks).bool())
    return torch.stack(rows).reshape(*doc_ids.shape, doc_ids.shape[-1])


def leaks_by_forward_mode(f: Any, x: Any) -> Any:
    return torch.func.jacfwd(f)(x).ne(0).any(-1).any(1)


def leaks_by_a_batch_of_changes(f: Any, x: Any) -> Any:
    T, C = x.shape
    steps = torch.eye(T * C, dtype=x.dtype).reshape(T * C, T, C)
    moved = torch.stack([f(x + step) for step in steps]) != f(x)
    return moved.any(-1).reshape(T, C, T).any(1).mT


def share_by_masks(B: int, S: int, n: int, generator: Any) -> Any:
    total = torch.zeros(())
    for _ in range(n):
        lengths = torch.randint(1, S + 1, (B,), generator=generator)
        total += torch.arange(int(lengths.max())).ge(lengths[:, None]).float().mean()
    return total / n


def past_by_a_triangle(value: Any) -> Any:
    T = value.shape[-2]
    weights = torch.zeros(T, T, dtype=value.dtype).masked_fill(~triangle(T, T, 0), -math.inf)
    return torch.einsum("ts,...sv->...tv", weights.softmax(-1), value)


def past_step_by_step(value: Any) -> Any:
    mean, means = torch.zeros_like(value[..., 0, :]), []
    for t, row in enumerate(value.unbind(-2)):
        mean = mean + (row - mean) / (t + 1)
        means.append(mean)
    return torch.stack(means, -2)


def without_by_indices(weights: Any, s: int) -> Any:
    kept = [key for key in range(weights.shape[-1]) if key != s]
    left = weights[..., kept]
    return torch.zeros_like(weights).index_copy(
        -1, torch.tensor(kept), left / left.sum(-1, keepdim=True)
    )


RIGHT = tuple((of, one.__name__, one) for of, *ones in (
    ("causal_mask", causal_by_sorting, causal_by_powers),
    ("padding_mask", padding_by_sums, padding_by_numpy),
    ("combine", combined_by_minima, combined_with_where),
    ("masked_softmax", masked_by_sorting_nothing, masked_by_log_sum_exp, masked_with_a_key_more),
    ("scaled_dot_product_attention", attended_with_a_key_more),
    ("document_mask", documents_by_changes_between, documents_by_blocks),
    ("leak_matrix", leaks_by_forward_mode, leaks_by_a_batch_of_changes),
    ("padding_share", share_by_masks), ("mean_of_past", past_by_a_triangle, past_step_by_step),
    ("without_key", without_by_indices),
) for one in ones)  # fmt: skip


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "name", "answer"), RIGHT, ids=[row[1] for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, name: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    kinds = ("implement", "measure", "warm-up")
    asked = {one.name for one in all_exercises() if one.slug == "masks" and one.kind in kinds}
    assert asked - {row.exercise for row in ROWS} == set()
    assert asked - {row[0] for row in RIGHT} == set()
    assert len({row.thread for row in ROWS}) >= 8


def log() -> str:
    """Return the page: counts, a line for each wrong answer, and the names of the right ones."""
    named = sum(codes(row.said) is not None for row in ROWS)
    lines = [
        "# Masks: wrong answers re-made from public threads, and unusual right ones", "",
        "As `answers_from_threads.md`, for one chapter: no line of a thread stands here. The table",
        "is that of `test_answers_from_threads_masks.py`.", "",
        f"{len(ROWS)} wrong answers: {len(ROWS)} refused, {named} rightly named, 0 falsely named, "
        f"{len(ROWS) - named} without a name. {len(RIGHT)} unusual right answers: all accepted.",
        "", "| exercise | thread | what the answer does | said |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in ROWS:
        said = f"`{row.said}`" if codes(row.said) else row.said
        lines.append(f"| `{row.exercise}` | {row.thread} | {row.does} | {said} |")
    lines += ["", "## Unusual right answers", ""]
    for exercise in dict.fromkeys(of for of, _, _ in RIGHT):
        names = [name.replace("_", " ") for of, name, _ in RIGHT if of == exercise]
        lines.append(f"- `{exercise}`: {'; '.join(names)}.")
    return "\n".join(lines) + "\n"


def test_the_log_is_that_of_the_table() -> None:
    made = LOG.parents[2] / "_build" / LOG.name
    made.parent.mkdir(exist_ok=True)
    made.write_text(log(), encoding="utf-8")
    assert LOG.read_text(encoding="utf-8") == log(), f"copy {made} to {LOG}"
