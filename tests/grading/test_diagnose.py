"""Mistakes as learners make them, which are not written as the catalogue writes them."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grading import check
from grading.words.result import CheckResult

pytestmark = pytest.mark.filterwarnings("ignore")
SDPA = "scaled_dot_product_attention"


def assert_refused(answer: Callable[..., Any], exercise: str, code: str | None) -> CheckResult:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception == code, str(result)
    return result


# -- only the maximum bounds the exponentials ------------------------------------------------------

SHIFTS = {
    "mean": lambda x, axis=-1: x.mean(axis, keepdim=True),
    "minimum": lambda x, axis=-1: x.amin(axis, keepdim=True),
    "median": lambda x, axis=-1: x.median(axis, keepdim=True).values,
    "first": lambda x, axis=-1: x.narrow(axis, 0, 1),
    "middle": lambda x, axis=-1: (x.amin(axis, keepdim=True) + x.amax(axis, keepdim=True)) / 2,
    "trimmed mean": lambda x, axis=-1: (x.sum(axis, keepdim=True) - x.amax(axis, keepdim=True)) / 5,
}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_that_is_no_maximum_is_seen_in_one_wide_row(name: str) -> None:
    shift = SHIFTS[name]

    def softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        powers = torch.exp(x - shift(x, axis))
        return powers / powers.sum(axis, keepdim=True)

    def logsumexp(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        by = shift(x, axis)
        return torch.log(torch.exp(x - by).sum(axis)) + by.squeeze(axis)

    def log_softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        return x - shift(x, axis) - torch.exp(x - shift(x, axis)).sum(axis, keepdim=True).log()

    def with_sink(scores: torch.Tensor, sink: Any) -> torch.Tensor:
        column = sink[:, None, None] if torch.is_tensor(sink) else torch.tensor(sink).double()
        by = shift(scores, -1)
        powers = torch.exp(scores - by)
        return powers / (powers.sum(-1, keepdim=True) + torch.exp(column - by))

    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        powers = torch.exp(scores - shift(scores, -1))
        if may_attend is not None:
            powers = powers * may_attend
        total = powers.sum(-1, keepdim=True)
        weights = powers / torch.where(total == 0, 1.0, total)
        return weights @ value, weights

    assert "maximum bounds" in assert_refused(softmax, "softmax", "SM-SHIFT").message
    assert_refused(logsumexp, "logsumexp", "LSE-SHIFT")
    assert_refused(log_softmax, "log_softmax", "LSE-SHIFT")
    assert_refused(with_sink, "softmax_with_sink", "SINK-SHIFT")
    # It masks the exponentials besides, and what is shared out then is NaN for a second reason.
    code = "SDPA-SHIFT" if name == "trimmed mean" else "SDPA-SHIFT+SDPA-RENORM"
    assert_refused(attention, SDPA, code)


@pytest.mark.parametrize("shift", [min, lambda z: sum(z) / len(z), lambda z: z[0], np.median])
@pytest.mark.parametrize("power", [math.exp, np.exp])
def test_loops_that_subtract_no_maximum_are_named(shift: Any, power: Any) -> None:
    def loops(query: Any, key: Any, value: Any) -> Any:
        output = np.zeros((len(query), value.shape[1]))
        for t in range(len(query)):
            scores = [sum(query[t] * k) / math.sqrt(query.shape[1]) for k in key]
            powers = [power(z - shift(scores)) for z in scores]
            for s in range(len(key)):
                output[t] += powers[s] / sum(powers) * value[s]
        return output

    assert_refused(loops, "attention_by_loops", "LOOP-SHIFT")


def test_attention_by_hand_without_any_shift_is_named() -> None:
    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        powers = (query @ key.mT / query.shape[-1] ** 0.5).exp()
        if may_attend is not None:
            powers = powers * may_attend
        weights = torch.nan_to_num(powers / powers.sum(-1, keepdim=True))
        return weights @ value, weights

    # nan_to_num hides the overflow where there is a mask; without one the row is 0, not 1.
    assert not check(attention, exercise=SDPA).passed

    def plainly(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        powers = (query @ key.mT / query.shape[-1] ** 0.5).exp()
        if may_attend is not None:
            powers = powers * may_attend
        weights = powers / powers.sum(-1, keepdim=True)
        return weights @ value, weights

    assert_refused(plainly, SDPA, "SDPA-OVERFLOW+SDPA-RENORM")


# -- a mask that broadcasts ------------------------------------------------------------------------


def attention_with(fill: Any, weigh: Any = lambda z: z.softmax(-1), scaled: bool = True) -> Any:
    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ key.mT / (math.sqrt(query.shape[-1]) if scaled else 1.0)
        if may_attend is not None:
            scores = fill(scores, may_attend)
        weights = weigh(scores)
        return weights @ value, weights

    return attention


def by_index(scores: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    scores[..., ~may] = -1e300
    return scores


def with_assertion(scores: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    assert may.shape == scores.shape[-2:]
    return scores.masked_fill(~may, -1e300)


def by_loops(scores: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    for t in range(scores.shape[-2]):
        for s in range(scores.shape[-1]):
            if not may[t, s]:
                scores[..., t, s] = -1e300
    return scores


@pytest.mark.parametrize("fill", [by_index, with_assertion, by_loops])
def test_a_mask_of_fewer_axes_is_in_the_contract(fill: Any) -> None:
    result = assert_refused(attention_with(fill), SDPA, "SDPA-MASKSHAPE")
    assert "it broadcasts" in result.message
    assert "(B, 1, 1, S)" in result.message


# -- two faults at once ----------------------------------------------------------------------------


def filled(number: float, *, inverted: bool = False) -> Any:
    return lambda z, may: z.masked_fill(may if inverted else ~may, number)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (attention_with(filled(-math.inf, inverted=True)), "SDPA-MASKINV"),
        (attention_with(filled(-1e9, inverted=True)), "SDPA-MASKINV"),
        (attention_with(filled(-1e300, inverted=True)), "SDPA-MASKINV"),
        (attention_with(filled(-math.inf), scaled=False), "SDPA-NOSCALE+SDPA-NANROW"),
        (attention_with(filled(-1e9), scaled=False), "SDPA-NOSCALE+SDPA-UNIFORMROW"),
        (attention_with(lambda z, may: z * may), "SDPA-MASK0"),
        (attention_with(filled(-20.0)), "SDPA-MASKSMALL+SDPA-UNIFORMROW"),
        (
            attention_with(filled(-math.inf), lambda z: z.softmax(1) if z.ndim > 2 else z),
            "SDPA-AXIS",
        ),
        (attention_with(filled(-math.inf), lambda z: z.softmax(-2)), "SDPA-AXIS"),
        (attention_with(filled(-math.inf)), "SDPA-NANROW"),
        (attention_with(filled(-1e9)), "SDPA-UNIFORMROW"),
    ],
)
def test_a_second_fault_on_empty_rows_covers_no_first_one(answer: Any, code: str | None) -> None:
    assert_refused(answer, SDPA, code)


def test_unstable_forms_of_the_sinks_mistakes_are_named() -> None:
    def softmax1(scores: torch.Tensor, sink: Any) -> torch.Tensor:
        return scores.exp() / (1 + scores.exp().sum(-1, keepdim=True))

    def no_exponential(scores: torch.Tensor, sink: Any) -> torch.Tensor:
        column = sink[:, None, None] if torch.is_tensor(sink) else sink
        return scores.exp() / (column + scores.exp().sum(-1, keepdim=True))

    assert_refused(softmax1, "softmax_with_sink", "SINK-ZERO+SINK-OVERFLOW")
    assert_refused(no_exponential, "softmax_with_sink", "SINK-NOEXP")


# -- loops -----------------------------------------------------------------------------------------


def test_a_maximum_that_starts_at_zero_in_plain_python() -> None:
    def loops(query: Any, key: Any, value: Any) -> Any:
        rows = []
        for q in query:
            top, scores = 0, []
            for k in key:
                z = sum(float(a) * float(b) for a, b in zip(q, k, strict=True)) / len(q) ** 0.5
                scores.append(z)
                if z > top:
                    top = z
            e = [math.exp(z - top) for z in scores]
            z = sum(e)
            rows.append(
                [
                    sum(a / z * v[d] for a, v in zip(e, value, strict=True))
                    for d in range(value.shape[1])
                ]
            )
        return np.array(rows)

    assert_refused(loops, "attention_by_loops", "LOOP-INITZERO")


@pytest.mark.parametrize("start_again", [True, False])
def test_a_division_behind_the_loops(start_again: bool) -> None:
    def loops(query: Any, key: Any, value: Any) -> Any:
        output, z = np.zeros((len(query), value.shape[1])), 0.0
        for t, q in enumerate(query):
            scores = [(q * k).sum() / len(q) ** 0.5 for k in key]
            if start_again:
                z = 0.0
            for s, score in enumerate(scores):
                e = math.exp(score - max(scores))
                z += e
                output[t] += e * value[s]
        return output / z

    assert_refused(loops, "attention_by_loops", "LOOP-SUMW")


def broadcast(query: Any, key: Any, value: Any) -> Any:
    scores = (query[:, None, :] * key[None]).sum(-1) / np.sqrt(query.shape[1])
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return (powers[:, :, None] * value).sum(1) / powers.sum(1, keepdims=True)


def copied_inside(query: Any, key: Any, value: Any) -> Any:
    query, key = np.array(query), np.array(key)
    scores = (query[:, None, :] * key[None]).sum(-1) / np.sqrt(query.shape[1])
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return (powers[:, :, None] * value).sum(1) / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("answer", [broadcast, copied_inside])
def test_broadcasting_is_no_loop(answer: Any) -> None:
    result = assert_refused(answer, "attention_by_loops", "LOOP-BROADCAST")
    assert result.rule == "it costs no more than it may"


def test_rows_at_a_time_are_loops() -> None:
    def by_rows(query: Any, key: Any, value: Any) -> Any:
        rows = []
        for q in query:
            scores = (key * q).sum(1) / len(q) ** 0.5
            powers = np.exp(scores - scores.max())
            rows.append((powers[:, None] / powers.sum() * value).sum(0))
        return np.stack(rows)

    def by_map(query: Any, key: Any, value: Any) -> Any:
        def one(q: Any) -> Any:
            scores = list(map(lambda k: (k * q).sum() / len(q) ** 0.5, key))
            powers = [math.exp(z - max(scores)) for z in scores]
            return sum(p * v for p, v in zip(powers, value, strict=True)) / sum(powers)

        return np.array(list(map(one, query)))

    for answer in (by_rows, by_map):
        result = check(answer, exercise="attention_by_loops")
        assert result.passed, str(result)


# -- axes, counted from the front ------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -2])
def test_a_softmax_along_an_axis_counted_from_the_front(axis: int) -> None:
    answer = attention_with(filled(-1e300), lambda z: z.softmax(axis))
    assert_refused(answer, SDPA, "SDPA-AXIS")


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
def test_a_fixed_axis_of_the_other_functions(axis: int) -> None:
    assert_refused(lambda x, a=-1: library_softmax(x, axis), "softmax", "SM-AXISFIXED")
    assert_refused(
        lambda p, g, a=-1: p * (g - (p * g).sum(axis, keepdim=True)), "softmax_vjp", "VJP-AXIS"
    )
    assert_refused(lambda x, a=-1: x - lse(x, axis).unsqueeze(axis), "log_softmax", "LSE-AXISFIXED")
    assert_refused(lambda x, a=-1: lse(x, axis), "logsumexp", "LSE-AXISFIXED")
    if axis != 2:

        def entropy(scores: torch.Tensor) -> torch.Tensor:
            logs = scores.log_softmax(axis)
            return -(logs.exp() * logs).sum(axis)

        assert_refused(entropy, "weight_entropy", "ENT-AXIS")


def library_softmax(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    powers = (x - x.amax(axis, keepdim=True)).exp()
    return powers / powers.sum(axis, keepdim=True)


def lse(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
    top = x.amax(axis, keepdim=True).clamp(min=-1e308)
    total = (x - top).exp().sum(axis)
    return torch.where(total == 0, -torch.inf, total.log() + top.squeeze(axis))


# -- other natural ones ----------------------------------------------------------------------------

KEEPDIM = [
    ("softmax_vjp", "VJP-NOKEEP", lambda p, g, axis=-1: p * (g - (p * g).sum(axis))),
    ("logsumexp", "LSE-NOKEEP", lambda x, a=-1: (x - x.amax(a)).exp().sum(a).log() + x.amax(a)),
    ("log_softmax", "LSE-NOKEEP", lambda x, a=-1: x - torch.logsumexp(x, a)),
    ("softmax", "SM-NOKEEP", lambda x, a=-1: x.exp() / x.exp().sum(a)),
    ("softmax", "SM-NOKEEP", lambda x, a=-1: (x - x.max()).exp() / (x - x.max()).exp().sum(a)),
]


@pytest.mark.parametrize(("exercise", "code", "answer"), KEEPDIM)
def test_a_lost_axis_is_named(exercise: str, code: str, answer: Any) -> None:
    assert_refused(answer, exercise, code)


def qkv(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, source @ w_v


def roles_exchanged(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
    return qkv(x if context is None else context, w_q, w_k, w_v, x)


def turned(*places: int) -> Any:
    return lambda *arguments: [qkv(*arguments)[place] for place in places]


def no_softmax(z: torch.Tensor) -> torch.Tensor:
    return z


def best_only(z: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(z).scatter(-1, z.argmax(-1, keepdim=True), 1.0)


def reversed_pattern(pattern: str, T: int) -> Any:
    key = torch.eye(T, dtype=torch.float64)
    if pattern == "average":
        return key, torch.zeros(T, T, dtype=torch.float64)
    read = {
        "identity": torch.arange(T),
        "previous token": (torch.arange(T) - 1).clamp(min=0),
        "first token": torch.zeros(T, dtype=torch.long),
    }[pattern]
    return (100 * key[read], key)[::-1]


def in_the_other_order(*inputs: Any) -> Any:
    return attention_with(filled(-1e300))(*inputs)[::-1]


OTHERS = [
    ("project_qkv", "QKV-CTXQ", roles_exchanged),
    ("project_qkv", "QKV-ORDER", turned(1, 0, 2)),
    ("project_qkv", "QKV-ORDER", turned(2, 1, 0)),
    ("project_qkv", "QKV-SWAPKV", turned(0, 2, 1)),
    ("make_qk_for", "PAT-ROWCOL", reversed_pattern),
    (SDPA, "SDPA-NOSOFTMAX", attention_with(filled(-math.inf), no_softmax)),
    (SDPA, "SDPA-NOSOFTMAX", attention_with(filled(0.0), no_softmax)),
    (SDPA, "SDPA-ARGMAX", attention_with(filled(-math.inf), best_only)),
    (SDPA, "SDPA-UNIFORMROW+SDPA-ORDER", in_the_other_order),
    ("attention_scores", "SC-SOFTMAX", lambda q, k: (q @ k.mT).softmax(-1)),
    ("attention_scores", "SC-SOFTMAX", lambda q, k: (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)),
    ("cross_attention_shapes", "SHAPE-ORDER", lambda T, S, D, Dv: ((T, Dv), (T, S))),
    ("softmax_scale", "SCL-HEADDIM+SCL-NOYARN", lambda d, a=None, f=None: 1 / math.sqrt(d)),
    (
        "softmax_scale",
        "SCL-BOTH+SCL-YARNONCE",
        lambda d, a=None, f=None: scale(d * (a or 1), None) * (0.1 * math.log(f) + 1 if f else 1),
    ),
    ("softmax_scale", "SCL-BOTH", lambda d, a=None, f=None: scale(d * (a or 1), f)),
    ("softmax_scale", "SCL-DMODEL", lambda d, a=None, f=None: scale((a or d) * 32, f)),
    ("softmax", "SM-RESCALED", lambda x, a=-1: library_softmax(x / x.norm(dim=a, keepdim=True), a)),
]


def scale(size: float, factor: float | None) -> float:
    return (1 if factor is None else 0.1 * math.log(factor) + 1) ** 2 / math.sqrt(size)


@pytest.mark.parametrize(("exercise", "code", "answer"), OTHERS)
def test_other_natural_mistakes_are_named(exercise: str, code: str, answer: Any) -> None:
    assert_refused(answer, exercise, code)


# -- names that would be wrong ---------------------------------------------------------------------


def test_a_jacobian_is_named_only_where_there_is_one() -> None:
    def two_terms(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
        both = torch.stack([p * g, p * (p * g).sum(axis, keepdim=True)])
        return both[0] - both[1]

    def many_copies(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
        copies = torch.stack([p * (g - (p * g).sum(axis, keepdim=True))] * 8)
        return copies.mean(0)

    def jacobian(p: torch.Tensor, g: torch.Tensor, axis: int = -1) -> torch.Tensor:
        p, g = p.movedim(axis, -1), g.movedim(axis, -1)
        matrix = p[..., :, None] * (torch.eye(p.shape[-1], dtype=p.dtype) - p[..., None, :])
        return torch.einsum("...rs,...r->...s", matrix, g).movedim(-1, axis)

    result = check(two_terms, exercise="softmax_vjp")
    assert result.passed, str(result)
    assert_refused(many_copies, "softmax_vjp", None)
    assert_refused(jacobian, "softmax_vjp", "VJP-JACOBIAN")


def test_the_mean_before_the_maximum_is_another_mistake_than_the_mean() -> None:
    def measure(pick: Any) -> Any:
        def saturation(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
            query = torch.randn(trials, 1, D, generator=generator)
            key = torch.randn(trials, S, D, generator=generator)
            return float(pick((scale * (query * key).sum(-1)).softmax(-1)))

        return saturation

    assert_refused(measure(lambda w: w.mean(0).max()), "saturation", "SAT-MEANMAX")
    assert_refused(measure(lambda w: w.mean(1).mean()), "saturation", "SAT-MEAN")


# -- late digits -----------------------------------------------------------------------------------

EPSILONS = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)


@pytest.mark.parametrize("number", EPSILONS)
def test_a_small_number_is_named_where_it_can_be_seen(number: float) -> None:
    def padded_sum(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        powers = (x - x.amax(axis, keepdim=True)).exp()
        return powers / (powers.sum(axis, keepdim=True) + number)

    def padded_logarithm(x: torch.Tensor, axis: int = -1) -> torch.Tensor:
        return torch.log(library_softmax(x, axis) + number)

    def padded_entropy(scores: torch.Tensor) -> torch.Tensor:
        weights = scores.softmax(-1)
        return -(weights * (weights + number).log()).sum(-1)

    def padded_weights(scores: torch.Tensor) -> torch.Tensor:
        weights = scores.softmax(-1) + number
        return -(weights * weights.log()).sum(-1)

    for answer, exercise, code in (
        (padded_sum, "softmax", "SM-EPSILON"),
        (padded_logarithm, "log_softmax", "LSE-EPSILON"),
        (padded_entropy, "weight_entropy", "ENT-EPSILON"),
        (padded_weights, "weight_entropy", "ENT-EPSILON"),
    ):
        result = check(answer, exercise=exercise)
        assert result.passed or result.misconception == code, str(result)
        assert "float32" not in result.message
    assert not check(padded_logarithm, exercise="log_softmax").passed
    assert check(padded_sum, exercise="softmax").passed == (number <= 1e-7)


def test_float32_is_said_only_where_there_is_one() -> None:
    def in_single(scores: torch.Tensor) -> torch.Tensor:
        logs = scores.log_softmax(-1)
        return -(logs.float().exp().double() * logs).sum(-1)

    def short_constant(scores: torch.Tensor) -> torch.Tensor:
        logs = scores.log_softmax(-1)
        return -(2.718282**logs * logs).sum(-1)

    assert "float32" in assert_refused(in_single, "weight_entropy", None).message
    message = assert_refused(short_constant, "weight_entropy", None).message
    assert "float32" not in message
    assert "few digits" in message

    def short_root(head_dim: int, a: Any = None, factor: Any = None) -> float:
        return scale(a or head_dim, factor) * 1.000001

    assert "few digits" in assert_refused(short_root, "softmax_scale", None).message

    def single_loops(query: Any, key: Any, value: Any) -> Any:
        rows = []
        for q in query.astype(np.float32):
            scores = [(q * k).sum() / len(q) ** 0.5 for k in key]
            powers = [math.exp(z - max(scores)) for z in scores]
            rows.append(sum(p / sum(powers) * v for p, v in zip(powers, value, strict=True)))
        return np.array(rows)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "few digits" not in check(single_loops, exercise="attention_by_loops").message


# -- dropout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_dropout_is_known_by_its_weights(share: float) -> None:
    def dropped(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        weights = right_weights(query, key, may_attend)
        weights = torch.nn.functional.dropout(weights, share)
        return weights @ value, weights

    def larger(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        weights = right_weights(query, key, may_attend) / (1 - share)
        return weights @ value, weights

    def sparse(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        weights = right_weights(query, key, may_attend)
        weights = torch.where(weights < 0.2, 0.0, weights / (1 - share))
        return weights @ value, weights

    torch.manual_seed(1)
    assert_refused(dropped, SDPA, "SDPA-DROPOUT")
    assert_refused(larger, SDPA, None)
    assert_refused(sparse, SDPA, None)


def right_weights(query: Any, key: Any, may_attend: Any) -> torch.Tensor:
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    if may_attend is None:
        return scores.softmax(-1)
    return scores.masked_fill(~may_attend, -1e300).softmax(-1) * may_attend


# -- common mistakes of attention, in other words than the catalogue's ---------------------------


def written(
    turn: Callable[..., Any] = lambda k: k.transpose(-2, -1),
    divide: Callable[..., Any] = lambda z, q: z / math.sqrt(q.size(-1)),
    after: Callable[..., Any] = lambda z: z,
    weigh: Callable[..., Any] | None = None,
) -> Any:
    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = after(divide(torch.matmul(query, turn(key)), query))
        if may_attend is None:
            weights = torch.softmax(scores, dim=-1)
        elif weigh is not None:
            weights = weigh(scores, may_attend)
        else:
            weights = torch.softmax(torch.where(may_attend, scores, -1e300), dim=-1)
            weights = torch.where(may_attend, weights, 0.0)
        return torch.matmul(weights, value), weights

    return attention


def past_only(z: torch.Tensor) -> torch.Tensor:
    future = torch.triu(torch.ones(z.shape[-2:], dtype=torch.bool), diagonal=1)
    return z.masked_fill(future, float("-inf"))


def shared_out_again(z: torch.Tensor, may: torch.Tensor) -> torch.Tensor:
    weights = z.softmax(-1) * may
    return weights / weights.sum(-1, keepdim=True)


COMMON = [
    ("SDPA-TIMESROOT", written(divide=lambda z, q: z / q.size(-1) ** -0.5)),
    ("SDPA-DMODEL", written(divide=lambda z, q: z / math.sqrt(q.size(1) * q.size(-1)))),
    ("SDPA-DMODEL", written(divide=lambda z, q: z / q.size(1) ** 0.5)),
    ("SDPA-VIEW", written(turn=lambda k: k.view(*k.shape[:-2], k.shape[-1], k.shape[-2]))),
    ("SDPA-AXES", written(turn=lambda k: torch.transpose(k, 2, 3))),
    ("SDPA-AXES", written(turn=lambda k: k.swapaxes(1, 2))),
    ("SDPA-AXES", written(turn=lambda k: k.permute(0, 1, 3, 2))),
    ("SDPA-CAUSAL", written(after=past_only)),
    ("SDPA-FILLAFTER", written(weigh=lambda z, m: z.softmax(-1).masked_fill(m == 0, -1e9))),
    ("SDPA-MASKNAN", written(weigh=lambda z, m: (z + (~m) * float("-inf")).softmax(-1))),
    ("SDPA-RENORM", written(weigh=shared_out_again)),
    ("SDPA-RENORM", written(weigh=lambda z, m: shared_out_again(z, m).nan_to_num())),
    ("SDPA-MASKMULT", written(weigh=lambda z, m: z.softmax(-1) * m)),
]  # fmt: skip


@pytest.mark.parametrize(("code", "answer"), COMMON)
def test_common_mistakes_of_attention_are_named(code: str, answer: Any) -> None:
    assert_refused(answer, SDPA, code)


def test_without_a_mask_they_are_named_as_well() -> None:
    for code, answer in COMMON[:8]:
        plain = lambda query, key, value, attend=answer: attend(query, key, value)  # noqa: E731
        assert_refused(plain, "attention", code)
