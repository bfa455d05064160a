"""Answers that are right but for one word of the contract: each is refused.

Every row is a plausible answer that ignores a word, and the word. Before the probes drew each word
of a contract, the rows that are marked ACCEPTED earned full points.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")
SDPA = "scaled_dot_product_attention"
#: Earned full points before.
ACCEPTED = True


def soft(z: Any, axis: int = -1) -> Any:
    powers = (z - z.amax(axis, keepdim=True)).exp()
    return powers / powers.sum(axis, keepdim=True)


def lse(x: Any, axis: int = -1) -> Any:
    top = x.amax(axis, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    return (x - top).exp().sum(axis).log() + top.squeeze(axis)


def log_soft(x: Any, axis: int = -1) -> Any:
    moved = x - x.amax(axis, keepdim=True)
    return moved - moved.exp().sum(axis, keepdim=True).log()


def vjp(p: Any, g: Any, axis: int = -1) -> Any:
    return p * (g - (p * g).sum(axis, keepdim=True))


def sunk(z: Any, sink: Any) -> Any:
    column = torch.as_tensor(sink, dtype=z.dtype).reshape(-1, 1, 1).expand(*z.shape[:-1], 1)
    return torch.cat([z, column], -1).softmax(-1)[..., :-1]


def warm(scores: Any, temperature: float) -> Any:
    return (scores / temperature).softmax(-1)


def step(x: Any, h: Any, w_x: Any, w_h: Any) -> Any:
    return (x @ w_x + h @ w_h).tanh()


def attend(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is not None:
        scores = scores.masked_fill(~may_attend, torch.finfo(scores.dtype).min)
    weights = scores.softmax(-1)
    weights = weights if may_attend is None else weights * may_attend
    return weights @ value, weights


def project(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, source @ w_v


def masked_by(change: Any) -> Any:
    """Attention that sees another mask than it was given."""

    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        may = None if may_attend is None else change(may_attend)
        return attend(query, key, value, may)

    return attention


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its first argument is not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(given[0]):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def axes(*counts: int) -> Any:
    return lambda x: x.ndim in counts


def along(right: Any, axes: Any) -> Any:
    """A right function of x and an axis that knows some axes only."""

    def answer(*given: Any) -> Any:
        axis = given[-1] if isinstance(given[-1], int) else -1
        if axis not in axes:
            raise IndexError("no such axis")
        return right(*given)

    return answer


def required(right: Any) -> Any:
    return lambda x, axis: right(x, axis)


def in_float32(right: Any) -> Any:
    """A right function that makes a tensor of its own, in float32 or float64 only."""
    return lambda *given: (
        right(*given)
        * (1.0 if given[0].dtype != torch.bfloat16 else torch.ones(1, dtype=torch.float32))
    )


def without_gradient_of_low_rows(right: Any) -> Any:
    """Right values; where a row lies below -900 the gradient is NaN."""

    def answer(x: Any, axis: int = -1) -> Any:
        values = right(x, axis)
        is_low = bool((x.amax(axis) < -900).any())
        return values + 0 * (0 * x.clamp(min=-1e4).sum()).sqrt() if is_low else values

    return answer


def fixed_rows(right: Any, rows: int) -> Any:
    """Loops over a fixed number of rows of the first argument."""

    def answer(*given: Any) -> Any:
        first, *rest = given
        parts = [right(first[..., t : t + 1, :], *rest) for t in range(rows)]
        if isinstance(parts[0], tuple):
            return tuple(torch.cat(one, -2) for one in zip(*parts, strict=True))
        return torch.cat(parts, -2)

    return answer


def loops(query: Any, key: Any, value: Any, root: Any = None, rows: Any = None) -> Any:
    output = np.zeros((rows or len(query), value.shape[1]))
    for t in range(len(output)):
        scores = [sum(query[t] * k) / math.sqrt(root or query.shape[1]) for k in key]
        powers = [math.exp(z - max(scores)) for z in scores]
        for s, v in enumerate(value):
            output[t] += powers[s] / sum(powers) * v
    return output


def patterns(change: Any = lambda pattern, T: pattern, sharp: Any = lambda T: 40.0) -> Any:
    def make(pattern: str, T: int) -> Any:
        pattern, key = change(pattern, T), torch.eye(T)
        if pattern == "average":
            return 0 * key, key
        at = torch.arange(T)
        read = {"previous token": (at - 1).clamp(min=0), "first token": 0 * at}.get(pattern, at)
        return sharp(T) * key[read], key

    return make


def measured(exercise: str, **fixed: Any) -> Any:
    """A right measure of which some arguments are fixed."""
    known = next(one for one in all_exercises() if one.name == exercise)

    def measure(*given: Any) -> Any:
        named = dict(zip(known.parameters, given, strict=True))
        return known.alternatives[0](**named | fixed)

    return measure


def scores_drawn(D: int, n: int, generator: Any, scale: float) -> float:
    return float((scale * math.sqrt(D) * torch.randn(n, generator=generator)).var())


def saturation_by_scores(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    scores = math.sqrt(D) * torch.randn(trials, S, generator=generator)
    return float((scale * scores).softmax(-1).amax(-1).mean())


def saturation_of_pairs(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    query, key = torch.randn(2, trials, S, D, generator=generator)
    return float((scale * (query * key).sum(-1)).softmax(-1).amax(-1).mean())


def keys_shared(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    query, key = (torch.randn(n, D, generator=generator) for n in (trials, S))
    return float((scale * query @ key.T).softmax(-1).amax(-1).mean())


def keys_drawn_once(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = torch.randn(n, D, generator=generator), torch.randn(D, generator=generator)
    return float((scale * query @ key).var())


def rows_shared(S: int, sink: float, n: int, generator: Any) -> float:
    scores = torch.randn(S, generator=generator)
    return float(torch.sigmoid(sink - scores.logsumexp(0)))


def entropy(z: Any, axis: int = -1) -> Any:
    logs = z.log_softmax(axis)
    return -(logs.exp() * logs).sum(axis)


def scale_of(head_dim: int, scalar: Any = None, factor: Any = None) -> float:
    sharper = (0.1 * math.log(factor) + 1) ** 2 if factor else 1.0
    return sharper / math.sqrt(scalar or head_dim)


ROWS: tuple[tuple[str, str, Any, bool], ...] = (
    # -- the softmax and its logarithms --------------------------------------------------------
    ("softmax", "axis=-1 may be left out", required(soft), ACCEPTED),
    ("softmax", "the default is −1", lambda x, axis=0: soft(x, axis), ACCEPTED),
    ("softmax", "the default is −1, and not what None is made to",
     lambda x, axis=None: soft(x, 0 if axis is None else axis), ACCEPTED),
    ("softmax", "an axis counted from the end", along(soft, (-1, 0, 1, 2, 3)), ACCEPTED),
    ("softmax", "an axis counted from the front", along(soft, (-1, -2, -3)), False),
    ("softmax", "any shape: one axis", only_for(soft, axes(2, 3, 4)), ACCEPTED),
    ("softmax", "any shape: four axes", only_for(soft, axes(1, 2, 3)), ACCEPTED),
    ("softmax", "bfloat16", in_float32(soft), ACCEPTED),
    ("softmax", "a finite gradient", without_gradient_of_low_rows(soft), ACCEPTED),
    ("logsumexp", "axis=-1 may be left out", required(lse), ACCEPTED),
    ("logsumexp", "an axis counted from the end", along(lse, (-1, 0, 1, 2, 3)), ACCEPTED),
    ("logsumexp", "any shape: one axis", only_for(lse, axes(2, 3, 4)), ACCEPTED),
    ("logsumexp", "any shape: four axes", only_for(lse, axes(1, 2, 3)), ACCEPTED),
    ("logsumexp", "an empty sum is −∞", lambda x, axis=-1: lse(x, axis).clamp(min=-1e5), False),
    ("logsumexp", "a finite gradient", without_gradient_of_low_rows(lse), ACCEPTED),
    ("log_softmax", "axis=-1 may be left out", required(log_soft), ACCEPTED),
    ("log_softmax", "an axis counted from the end", along(log_soft, (-1, 0, 1, 2, 3)), ACCEPTED),
    ("log_softmax", "any shape: one axis", only_for(log_soft, axes(2, 3, 4)), ACCEPTED),
    ("log_softmax", "bfloat16", in_float32(log_soft), ACCEPTED),
    ("log_softmax", "however far apart", lambda x, axis=-1: log_soft(x, axis).clamp(min=-1e3),
     False),
    ("softmax_vjp", "axis=-1 may be left out", lambda p, g, axis: vjp(p, g, axis), ACCEPTED),
    ("softmax_vjp", "an axis counted from the end", along(vjp, (-1, 0, 1, 2, 3)), ACCEPTED),
    ("softmax_vjp", "any shape: one axis", only_for(vjp, axes(2, 3, 4)), ACCEPTED),
    ("softmax_vjp", "any shape: four axes", only_for(vjp, axes(1, 2, 3)), ACCEPTED),
    ("softmax_vjp", "a weight of exactly 0",
     lambda p, g, axis=-1: vjp(p.log().exp(), g, axis) + 0 * p.log(), ACCEPTED),
    ("softmax_with_sink", "leading axes: none", only_for(sunk, axes(4, 5)), False),
    ("softmax_with_sink", "leading axes: one", only_for(sunk, axes(3, 5)), False),
    ("softmax_with_sink", "leading axes: two", only_for(sunk, axes(3, 4)), ACCEPTED),
    ("softmax_with_sink", "one number: an int",
     lambda z, c: sunk(z, torch.tensor([c]) if isinstance(c, float) else c.to(z.dtype)), ACCEPTED),
    ("softmax_with_sink", "right for rows far apart",
     lambda z, c: (z - z.max()).exp() / ((z - z.max()).exp().sum(-1, True)
     + (torch.as_tensor(c).reshape(-1, 1, 1) - z.max()).exp()), False),
    ("softmax_with_sink", "one number for all heads, and three heads",
     lambda z, c: sunk(z, c if torch.is_tensor(c) else torch.full((3,), float(c))), False),
    ("sink_share", "n rows", measured("sink_share", n=2000), ACCEPTED),
    ("sink_share", "each row has scores of its own", rows_shared, False),
    ("sink_share", "the sink", measured("sink_share", sink=0.0), False),
    ("scale_scores", "leading axes: none",
     only_for(lambda z, d: z / math.sqrt(d), axes(3, 4)), False),
    ("scale_scores", "leading axes: two",
     only_for(lambda z, d: z / math.sqrt(d), axes(2, 3)), ACCEPTED),
    ("scale_scores", "the size D", lambda z, d: z / (6 if d == 36 else 2), ACCEPTED),
    ("scale_scores", "bfloat16", in_float32(lambda z, d: z / math.sqrt(d)), ACCEPTED),
    ("attend_one", "D numbers", lambda q, k, v: (k @ q / 3).softmax(0) @ v, False),
    ("attend_one", "Dv numbers",
     lambda q, k, v: ((k @ q / len(q) ** 0.5).softmax(0) @ v).expand(4 if v.shape[1] > 1 else 1),
     ACCEPTED),
    ("attend_one", "bfloat16",
     in_float32(lambda q, k, v: (k @ q / len(q) ** 0.5).softmax(0) @ v), ACCEPTED),
    ("predict_shifted_weight", "one number", lambda: (0.73,), False),
    ("predict_shifted_weight", "to two digits", lambda: 0.7, False),
    ("predict_shifted_weight", "of the first key", lambda: 0.27, False),
    ("diagnose_softmax", "one tensor in a tuple",
     lambda: ("ONE-MAXIMUM", torch.tensor([[0.0], [-2000.0]])), False),
    ("diagnose_softmax", "one of the codes",
     lambda: ("ONE MAXIMUM", (torch.tensor([[0.0], [-2000.0]]),)), False),
    ("diagnose_softmax", "different results",
     lambda: ("ONE-MAXIMUM", (torch.tensor([[0.0], [-20.0]]),)), False),
    # -- queries, keys and values --------------------------------------------------------------
    ("project_qkv", "context may be left out",
     lambda x, w_q, w_k, w_v, context: project(x, w_q, w_k, w_v, context), ACCEPTED),
    ("project_qkv", "context may be None",
     lambda x, w_q, w_k, w_v, context=0: project(
         x, w_q, w_k, w_v, None if isinstance(context, int) else context), ACCEPTED),
    ("project_qkv", "leading axes: none", only_for(project, axes(3, 4)), False),
    ("project_qkv", "leading axes: two", only_for(project, axes(2, 3)), ACCEPTED),
    ("project_qkv", "S rows of its own",
     lambda x, w_q, w_k, w_v, context=None: project(
         x, w_q, w_k, w_v, None if context is None else context[..., :4, :]), False),
    ("attention_scores", "leading axes: none",
     only_for(lambda q, k: q @ k.mT, axes(3, 4)), False),
    ("attention_scores", "leading axes: one, and S is not T",
     lambda q, k: torch.bmm(q, k.mT)[..., : q.shape[1]] if q.ndim == 3 else q @ k.mT, ACCEPTED),
    ("attention_scores", "any T", fixed_rows(lambda q, k: q @ k.mT, 7), ACCEPTED),
    ("attention_scores", "bfloat16", in_float32(lambda q, k: q @ k.mT), ACCEPTED),
    ("attention", "leading axes: one", only_for(attend, axes(2, 4)), ACCEPTED),
    ("attention", "leading axes: none", only_for(attend, axes(3, 4)), False),
    ("attention", "bfloat16",
     lambda q, k, v: tuple(one * torch.ones(1) if q.dtype == torch.bfloat16 else one
                           for one in attend(q, k, v)), ACCEPTED),
    ("attention", "scores near 1000",
     lambda q, k, v: attend(q.clamp(-100, 100), k, v), False),
    (SDPA, "may_attend may be left out", lambda q, k, v, may: attend(q, k, v, may), ACCEPTED),
    (SDPA, "leading axes: one", only_for(attend, axes(2, 4)), False),
    (SDPA, "a mask (B, T, S)", masked_by(lambda may: may[0] if may.ndim == 3 else may), ACCEPTED),
    (SDPA, "the T axis of a mask (B, T, S)",
     masked_by(lambda may: may[:, :1] if may.ndim == 3 else may), ACCEPTED),
    (SDPA, "the T axis of a mask with four axes",
     masked_by(lambda may: may[:, :, :1] if may.ndim == 4 else may), ACCEPTED),
    (SDPA, "a mask (T, 1)",
     masked_by(lambda may: torch.ones_like(may) if may.shape[-1] == 1 < may.shape[-2] else may),
     ACCEPTED),
    (SDPA, "a mask (1, S)",
     masked_by(lambda may: may if may.shape[-2] > 1 or may.ndim > 2 else ~may), False),
    (SDPA, "any T", fixed_rows(lambda q, k, v, may=None: attend(q, k, v), 7), False),
    (SDPA, "a finite gradient where nothing is read",
     lambda q, k, v, may=None: (lambda w: (w @ v, w))(torch.nan_to_num(
         (q @ k.mT / q.shape[-1] ** 0.5 + (0 if may is None else may.to(q.dtype).log()))
         .softmax(-1))), ACCEPTED),
    ("attention_by_loops", "T rows", lambda q, k, v: loops(q, k, v, rows=min(5, len(q))), ACCEPTED),
    ("attention_by_loops", "D numbers",
     lambda q, k, v: loops(q, k, v, root=3 if q.shape[1] > 1 else 1), ACCEPTED),
    ("attention_by_loops", "S keys", lambda q, k, v: loops(q, k[: len(q)], v[: len(q)]), False),
    ("make_qk_for", "any number T",
     lambda pattern, T: tuple(one[:T] for one in patterns()(pattern, 6)), ACCEPTED),
    ("make_qk_for", "at least 0.99 for any T", patterns(sharp=lambda T: 20.0), ACCEPTED),
    ("make_qk_for", "four patterns",
     patterns(change=lambda p, T: "identity" if p == "first token" else p), False),
    ("spread_of_average", "n outputs", measured("spread_of_average", n=2000), ACCEPTED),
    ("spread_of_average", "S values", measured("spread_of_average", S=9), False),
    ("spread_of_average", "the standard deviation", lambda S, n, generator: float(
        torch.randn(n, S, generator=generator).mean(-1).abs().mean()), False),
    ("lookup_weights", "divided, not multiplied", lambda z, t: (z * t).softmax(-1), False),
    ("lookup_weights", "leading axes: two", only_for(warm, axes(2, 3)), False),
    ("lookup_weights", "bfloat16", in_float32(warm), False),
    ("recurrent_step", "rows stand on the left", lambda x, h, w_x, w_h: (
        x @ w_x + h @ w_h.mT).tanh(), False),
    ("recurrent_step", "leading axes: none", only_for(step, axes(2, 3)), False),
    ("recurrent_step", "bfloat16", in_float32(step), False),
    ("predict_own_weight", "one number", lambda: "0.2", False),
    ("predict_own_weight", "among five keys", lambda: 0.25, False),
    ("predict_own_weight", "its own key", lambda: torch.full((5,), 0.2), False),
    ("diagnose_attention", "a tuple of three", lambda: ("WRONG-AXIS", (torch.eye(2),) * 2), False),
    ("diagnose_attention", "different results",
     lambda: ("WRONG-AXIS", (torch.ones(2, 3),) * 3), False),
    ("diagnose_attention", "one of the codes", lambda: ("AXIS", (torch.eye(2),) * 3), False),
    # -- scaling -------------------------------------------------------------------------------
    ("weighted_sum", "leading axes: two", only_for(lambda w, v: w @ v, axes(2, 3)), ACCEPTED),
    ("weighted_sum", "leading axes: none", only_for(lambda w, v: w @ v, axes(3, 4)), False),
    ("weighted_sum", "bfloat16", in_float32(lambda w, v: w @ v), ACCEPTED),
    ("weighted_sum", "any T", fixed_rows(lambda w, v: w @ v, 4), ACCEPTED),
    ("cross_attention_shapes", "any sizes", lambda T, S, D, Dv: ((3, 11), (3, 7)), ACCEPTED),
    ("cross_attention_shapes", "T words, more than S",
     lambda T, S, D, Dv: ((min(T, S), max(T, S)), (min(T, S), Dv)), ACCEPTED),
    ("cross_attention_shapes", "two tuples", lambda T, S, D, Dv: ((T, S, T, Dv), ()), False),
    ("score_variance", "n scores", measured("score_variance", n=20_000), ACCEPTED),
    ("score_variance", "a query and a key, not a score", scores_drawn, ACCEPTED),
    ("score_variance", "a key of its own for each score", keys_drawn_once, False),
    ("saturation", "as many trials", measured("saturation", trials=1000), ACCEPTED),
    ("saturation", "a query and keys, not scores", saturation_by_scores, ACCEPTED),
    ("saturation", "one query a trial", saturation_of_pairs, False),
    ("saturation", "keys of its own for each trial", keys_shared, False),
    ("weight_entropy", "leading axes: none", only_for(entropy, axes(2, 3, 4)), ACCEPTED),
    ("weight_entropy", "leading axes: three", only_for(entropy, axes(1, 2, 3)), ACCEPTED),
    ("weight_entropy", "bfloat16", in_float32(entropy), ACCEPTED),
    ("softmax_scale", "both may be left out",
     lambda head_dim, scalar, factor: scale_of(head_dim, scalar, factor), ACCEPTED),
    ("softmax_scale", "yarn_factor may be left out",
     lambda head_dim, scalar=None, factor=8.0: scale_of(head_dim, scalar, factor), ACCEPTED),
    ("softmax_scale", "a below D",
     lambda head_dim, scalar=None, factor=None: scale_of(
         max(head_dim, scalar or 0), None, factor), ACCEPTED),
    ("predict_largest_weight", "between 0 and 1", lambda: 79, False),
    ("predict_largest_weight", "not divided by anything", lambda: 0.11, False),
    ("predict_largest_weight", "one number", lambda: [0.79], False),
    ("diagnose_scale", "one of the codes", lambda: ("DIVIDES BY D", (torch.eye(2),) * 3), False),
    ("diagnose_scale", "different outputs",
     lambda: ("DIVIDES-BY-D", (torch.ones(3, 1),) * 3), False),
    ("diagnose_scale", "tensors", lambda: ("DIVIDES-BY-D", ([[1.0, 2.0]],) * 3), False),
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
    # What a learner writes as a test has its own catalogue of tests that ignore a word.
    # So have the chapters whose answers stand in a file of their own, beside this one.
    files = Path(__file__).parent.glob("test_word_by_word_*.py")
    own = {path.stem.removeprefix("test_word_by_word_").replace("_", "-") for path in files}
    here = (one for one in all_exercises() if one.slug not in own)
    for exercise in (one for one in here if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    """So each is refused for its word alone."""
    right = {
        "softmax": soft, "logsumexp": lse, "log_softmax": log_soft, "softmax_vjp": vjp,
        "softmax_with_sink": sunk, SDPA: attend, "project_qkv": project,
        "attention_by_loops": loops, "make_qk_for": patterns(), "weight_entropy": entropy,
        "softmax_scale": scale_of,
    }  # fmt: skip
    for name, answer in right.items():
        assert check(answer, exercise=name).passed, name


def test_a_default_is_said_to_be_wrong_or_missing() -> None:
    wrong = check(lambda x, axis=0: soft(x, axis), exercise="softmax")
    assert wrong.rule == "it takes the arguments of the contract"
    assert (
        "The contract is softmax(x, axis=-1); yours is softmax(x, axis=0). Where `axis` is left "
        "out it has to be -1."
    ) in wrong.message
    missing = check(lambda x, axis: soft(x, axis), exercise="softmax")
    assert "The contract is softmax(x, axis=-1); yours is softmax(x, axis)." in missing.message


def test_a_default_that_does_the_same_by_other_means_is_right() -> None:
    assert check(lambda x, axis=None: soft(x, -1 if axis is None else axis), "softmax").passed
    assert check(lambda x, *rest: soft(x, *rest), exercise="softmax").passed
    assert check(lambda *given, **named: attend(*given), exercise=SDPA).passed


def test_an_example_says_that_an_argument_was_left_out() -> None:
    answer = lambda x, axis=None: soft(x, 0 if axis is None else axis)  # noqa: E731
    result = check(answer, exercise="softmax")
    assert "axis = left out, so -1" in str(result)
    assert list(result.inputs) == ["x"]


def test_a_gradient_of_nan_is_said_to_be_that() -> None:
    result = check(without_gradient_of_low_rows(soft), exercise="softmax")
    assert result.rule == "the gradient is right"
    assert (
        "The values are right, but the gradient holds NaN or an infinity (rows near −1000, 0 and "
        "1000)."
    ) in result.message
