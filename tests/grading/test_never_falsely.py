"""No wrong answer is called by the name of a mistake that it does not make.

Each row is an answer, the public thread or the idea that it was made after (in code of our own),
what it may be called, and what it must never be called. No name is always allowed: the rule and the
example then speak alone.
"""

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from observed import case, trials

from grading import check
from grading.asking import function_of
from grading.catalogue.kill_table import wrong_answers
from grading.exercise import Exercise, Misconception, Output, Probe
from grading.exercises import all_exercises
from grading.verdict.diagnose import diagnose
from grading.verdict.finding import Finding

pytestmark = pytest.mark.filterwarnings("ignore")
SDPA = "scaled_dot_product_attention"
GITHUB = "https://github.com/"
POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def attend(
    mask: Callable[..., Any] = lambda z, may: z.masked_fill(~may, -1e300),
    weigh: Callable[..., Any] = lambda z: z.softmax(-1),
    scale: Callable[..., Any] = lambda q: q.shape[-1] ** -0.5,
    turn: Callable[..., Any] = lambda k: k.mT,
    after: Callable[..., Any] = lambda w, may: w,
) -> Any:
    """Make an attention in which one step is another."""

    def attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
        scores = query @ turn(key) * scale(query)
        weights = weigh(scores if may_attend is None else mask(scores, may_attend))
        weights = weights if may_attend is None else after(weights, may_attend)
        return weights @ value, weights

    return attention


def by_hand(shift: Callable[..., Any]) -> Callable[..., Any]:
    """Return a softmax over the last axis that subtracts what `shift` says."""

    def weigh(scores: Any) -> Any:
        powers = (scores - shift(scores)).exp()
        return powers / powers.sum(-1, keepdim=True)

    return weigh


def floored(z: Any) -> Any:
    powers = (z - z.amax(-1, keepdim=True).clamp(min=-1e4)).exp()
    return powers / powers.sum(-1, keepdim=True).clamp(min=1e-6)


def heads(query: Any) -> int:
    return query.shape[-3] if query.ndim > 2 else 2


def viewed(key: Any) -> Any:
    return key.reshape(*key.shape[:-2], key.shape[-1], key.shape[-2])


def added(number: float) -> Any:
    return lambda z, may: z + (1 - may.to(z.dtype)) * number


def noise(like: Any, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(like.shape, generator=generator, dtype=like.dtype)


def noise_with_one_nan(x: Any, axis: int = -1) -> Any:
    """Return weights that sum to 1 and say nothing; one is NaN where a row is wide."""
    weights = noise(x)
    weights = weights / weights.sum(axis, keepdim=True)
    if float(x.max() - x.min()) > 1500:
        weights[(0,) * x.ndim] = torch.nan
    return weights


def noisy_attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    weights = noise(query @ key.mT)
    weights = weights / weights.sum(-1, keepdim=True)
    if float((query @ key.mT).abs().max()) > 1500 and may_attend is None:
        weights[..., 0, 0] = torch.nan
    return weights @ value, weights


def noise_and_an_index(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    weights = noise(query @ key.mT)
    if may_attend is not None:
        weights[..., ~may_attend] = 0
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ value, weights


def noisy_loops(query: Any, key: Any, value: Any) -> Any:
    output = np.ones((len(query), value.shape[1]))
    for row in output:
        row[:] = 0.5
    if np.ptp(query @ key.T) > 2500:
        output[0, 0] = np.nan
    return output


def noisy_sink(scores: Any, sink: Any) -> Any:
    weights = noise(scores) / 2 / scores.shape[-1]
    if float(scores.max() - scores.min()) > 1500:
        weights[..., 0, 0] = torch.nan
    return weights


def noisy_logsumexp(x: Any, axis: int = -1) -> Any:
    result = noise(x.amax(axis))
    if float(x.max() - x.min()) > 1500:
        result[0] = torch.nan
    return result


def noisy_log_softmax(x: Any, axis: int = -1) -> Any:
    result = -noise(x) - 4
    if float(x.max() - x.min()) > 1000:
        result[0] = torch.nan
    return result


def noise_with_a_floor(x: Any, axis: int = -1) -> Any:
    return (-20 * noise(x)).clamp(min=-15)


def nan_at_the_smallest(x: Any, axis: int = -1) -> Any:
    weights = torch.softmax(x, axis)
    is_wide = x.amax(axis, keepdim=True) - x.amin(axis, keepdim=True) > 1500
    return torch.where(is_wide & (x == x.amin(axis, keepdim=True)), torch.nan, weights)


def all_nan(x: Any, *rest: Any) -> Any:
    return torch.full_like(x, torch.nan)


def nan_attention(query: Any, key: Any, value: Any, may_attend: Any = None) -> Any:
    weights = torch.full_like(query @ key.mT, torch.nan)
    return weights @ value, weights


def softmax_of(shift: Callable[..., Any]) -> Any:
    def softmax(x: Any, axis: int = -1) -> Any:
        powers = (x - shift(x, axis)).exp()
        return powers / powers.sum(axis, keepdim=True)

    return softmax


def largest_size(x: Any, axis: int = -1) -> Any:
    return x.abs().amax(axis, keepdim=True)


def at_least_zero(x: Any, axis: int = -1) -> Any:
    return x.amax(axis, keepdim=True).clamp(min=0)


def logsumexp_of(shift: Callable[..., Any]) -> Any:
    def logsumexp(x: Any, axis: int = -1) -> Any:
        by = shift(x, axis)
        return (x - by).exp().sum(axis).log() + by.squeeze(axis)

    return logsumexp


def log_softmax_of(shift: Callable[..., Any]) -> Any:
    def log_softmax(x: Any, axis: int = -1) -> Any:
        by = shift(x, axis)
        return x - by - (x - by).exp().sum(axis, keepdim=True).log()

    return log_softmax


def loops_of(shift: Callable[..., Any]) -> Any:
    def loops(query: Any, key: Any, value: Any) -> Any:
        output = np.zeros((len(query), value.shape[1]))
        for t, q in enumerate(query):
            scores = np.array([(q * k).sum() / math.sqrt(len(q)) for k in key])
            powers = np.exp(scores - shift(scores))
            for s, v in enumerate(value):
                output[t] += powers[s] / powers.sum() * v
        return output

    return loops


def sink_of(shift: Callable[..., Any]) -> Any:
    def with_sink(scores: Any, sink: Any) -> Any:
        column = sink[:, None, None] if torch.is_tensor(sink) else torch.tensor(sink).double()
        by = shift(scores, column)
        powers = (scores - by).exp()
        return powers / (powers.sum(-1, keepdim=True) + (column - by).exp())

    return with_sink


def sink_times(count: float) -> Any:
    """Count the sink's power so often in the denominator."""
    return lambda z, c: sink_of(lambda z, c: torch.maximum(z.amax(-1, True), c))(
        z, c + math.log(count)
    )


def noise_and_low_rows(x: Any, axis: int = -1) -> Any:
    return torch.where(x.amax(axis, keepdim=True) < -900, torch.nan, noise(x))


def sink_by_ratio(scores: Any, sink: Any) -> Any:
    """Divide a softmax by 1 + e^(sink − log-sum-exp): the values are right."""
    column = sink[:, None, None] if torch.is_tensor(sink) else sink
    return scores.softmax(-1) / (1 + (column - scores.logsumexp(-1, keepdim=True)).exp())


def scores_by(turn: Callable[..., Any]) -> Any:
    return lambda query, key: query @ turn(key)


def project(turn: Callable[..., Any]) -> Any:
    def qkv(x: Any, w_q: Any, w_k: Any, w_v: Any, context: Any = None) -> Any:
        source = x if context is None else context
        return x @ turn(w_q), source @ turn(w_k), source @ turn(w_v)

    return qkv


def sharp_but_never_average(pattern: str, T: int) -> Any:
    key = torch.eye(T, dtype=torch.float64)
    places = torch.arange(T)
    read = {"previous token": (places - 1).clamp(min=0), "first token": 0 * places}
    return 100 * key[read.get(pattern, places)], key


def row_by_row_without_a_loop(query: Any, key: Any, value: Any) -> Any:
    def one(q: Any) -> Any:
        scores = (key * q).sum(1) / math.sqrt(len(q))
        powers = np.exp(scores - scores.max())
        return (powers[:, None] * value).sum(0) / powers.sum()

    return np.apply_along_axis(one, 1, query)


def constant_scale(head_dim: int, scalar: Any = None, factor: Any = None) -> float:
    return 8.0


def drawn_by_numpy(D: int, n: int, generator: Any, scale: float) -> float:
    query, key = np.random.default_rng().standard_normal((2, n, D))
    return float((scale * (query * key).sum(-1)).var())


def entropy_without_a_maximum(scores: Any) -> Any:
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return -torch.where(weights > 0, weights * weights.log(), weights).sum(-1)


def one_weight_a_softmax(D: int, S: int, scale: float, trials: int, generator: Any) -> float:
    query = torch.randn(trials, 1, D, generator=generator)
    key = torch.randn(trials, S, D, generator=generator)
    return float((scale * query @ key.mT).softmax(1).amax(-1).mean())


def mean_cut_off(x: Any, axis: int = -1) -> Any:
    powers = (x - x.mean(axis, keepdim=True)).clamp(-80, 80).exp()
    return powers / powers.sum(axis, keepdim=True)


def attend_unmasked(scale: Callable[..., Any]) -> Any:
    def attention(query: Any, key: Any, value: Any) -> Any:
        weights = (query @ key.mT * scale(query)).softmax(-1)
        return weights @ value, weights

    return attention


def all_nan_entropy(scores: Any) -> Any:
    return torch.full(scores.shape[:-1], torch.nan, dtype=scores.dtype)


ROWS: tuple[tuple[str, str, Any, str, str, str], ...] = (
    # -- right without a mask, NaN with one ----------------------------------------------------
    ("0 · ∞ in an added mask", SDPA, attend(added(-math.inf)),
     GITHUB + "cerebroai/reformers/issues/3", "SDPA-MASKNAN",
     "SDPA-SHIFT SDPA-NANROW SDPA-OVERFLOW"),
    ("fills +∞", SDPA, attend(lambda z, may: z.masked_fill(~may, math.inf)),
     GITHUB + "lucidrains/memory-compressed-attention/issues/2", "",
     "SDPA-SHIFT SDPA-NANROW SDPA-OVERFLOW"),
    ("fills +∞, and divides by D", SDPA,
     attend(lambda z, may: z.masked_fill(~may, math.inf), scale=lambda q: 1 / q.shape[-1]),
     "idea: NaN proves no second mistake", "SDPA-DK", ""),
    ("fills +∞, and divides by 8", SDPA,
     attend(lambda z, may: z.masked_fill(~may, math.inf), scale=lambda q: 1 / 8),
     "idea: NaN proves no second mistake", "SDPA-CONST8", ""),
    ("fills +∞ where it may read", SDPA, attend(lambda z, may: z.masked_fill(may, math.inf)),
     "the same, and the mask turned round", "SDPA-MASKINV", "SDPA-SHIFT SDPA-NANROW"),
    ("a mask of −∞ that is multiplied", SDPA,
     attend(lambda z, may: z * torch.where(may, 1.0, -math.inf)),
     GITHUB + "danielegrattarola/keras-gat/issues/23", "", "SDPA-SHIFT SDPA-NANROW SDPA-MASK0"),
    ("all NaN with a mask", SDPA, attend(lambda z, may: z * math.nan),
     "idea: as 0 · ∞ does, even where nothing is forbidden", "SDPA-MASKNAN",
     "SDPA-SHIFT SDPA-NANROW"),
    ("NaN from the first row on", SDPA, nan_attention, "idea: NaN everywhere", "",
     "SDPA-SHIFT SDPA-OVERFLOW SDPA-NANROW SDPA-ARGMAX"),
    ("a floor under the maximum, and one under the sum", SDPA,
     attend(lambda z, may: z.masked_fill(~may, -math.inf), floored),
     GITHUB + "tracel-ai/burn/pull/4697", "", "SDPA-SHIFT SDPA-NANROW SDPA-MASKSMALL"),
    ("−∞ filled", SDPA, attend(lambda z, may: z.masked_fill(~may, -math.inf)),
     GITHUB + "patrick-kidger/equinox/pull/274", "SDPA-NANROW", "SDPA-SHIFT"),
    ("the mask's logarithm", SDPA, attend(lambda z, may: z + may.double().log()),
     GITHUB + "allenai/allennlp/issues/890", "SDPA-NANROW", "SDPA-SHIFT"),
    ("0/0 after the softmax", SDPA, attend(after=lambda w, may: w * may / (w * may).sum(-1, True)),
     "idea: another way to NaN in the same places", "SDPA-NANROW", "SDPA-SHIFT SDPA-UNIFORMROW"),
    # -- other masks ---------------------------------------------------------------------------
    ("−10,000 filled", SDPA, attend(lambda z, may: z.masked_fill(~may, -1e4)),
     GITHUB + "NVIDIA/apex/issues/1390", "SDPA-MASKSMALL+SDPA-UNIFORMROW",
     "SDPA-MASKNONE SDPA-MASK0 SDPA-NANROW"),
    ("−1,000,000 filled", SDPA, attend(lambda z, may: z.masked_fill(~may, -1e6)),
     GITHUB + "d2l-ai/d2l-en/pull/2423", "SDPA-UNIFORMROW", "SDPA-MASKSMALL SDPA-NANROW"),
    ("1e-9 for −1e9", SDPA, attend(lambda z, may: z.masked_fill(~may, 1e-9)),
     GITHUB + "awslabs/gluonts/pull/1401", "SDPA-MASK0", "SDPA-MASKSMALL SDPA-MASKMULT"),
    ("scores times the mask", SDPA, attend(lambda z, may: z * may),
     GITHUB + "georg-wolflein/good-features/pull/1", "SDPA-MASK0", "SDPA-MASKMULT"),
    ("the logarithm of a padded mask", SDPA, attend(lambda z, may: z + (may + 1e-45).log()),
     GITHUB + "allenai/allennlp/pull/105", "SDPA-MASKSMALL+SDPA-UNIFORMROW",
     "SDPA-NANROW SDPA-MASK0"),
    ("a mask of 0 and 1 that is added", SDPA, attend(lambda z, may: z + may),
     GITHUB + "mlverse/torch/pull/1208", "", "SDPA-MASKNONE SDPA-MASK0 SDPA-MASKINV"),
    ("the mask turned round", SDPA, attend(lambda z, may: z.masked_fill(may, -math.inf)),
     GITHUB + "InseeFrLab/torchTextClassifiers/pull/92", "SDPA-MASKINV", "SDPA-NANROW"),
    ("the mask behind the softmax", SDPA, attend(lambda z, may: z, after=lambda w, may: w * may),
     GITHUB + "huggingface/pytorch-image-models/pull/2236", "SDPA-MASKMULT", "SDPA-MASKNONE"),
    ("masked, then shared out again", SDPA,
     attend(lambda z, may: z, after=lambda w, may: w * may / (w * may).sum(-1, True)),
     GITHUB + "ruotianluo/self-critical.pytorch/issues/89", "SDPA-RENORM",
     "SDPA-MASKMULT SDPA-NANROW"),
    ("rows of the mask for columns", SDPA, attend(lambda z, may: z.masked_fill(~may.mT, -1e10)),
     GITHUB + "lsdefine/attention-is-all-you-need-keras/issues/16", "", "SDPA-MASKSHAPE"),
    ("noise, and a mask by its index", SDPA, noise_and_an_index,
     "idea: where it raises is half the behaviour", "", "SDPA-MASKSHAPE"),
    # -- scales and axes -----------------------------------------------------------------------
    ("the root of H·D", SDPA, attend(scale=lambda q: (q.shape[-1] * heads(q)) ** -0.5),
     GITHUB + "Graylab/DL4Proteins-notebooks/issues/12", "SDPA-DMODEL+SDPA-UNIFORMROW",
     "SDPA-NOSCALE SDPA-DK"),
    ("the root of H", SDPA, attend(scale=lambda q: heads(q) ** -0.5),
     GITHUB + "tenstorrent/tt-metal/pull/56789", "SDPA-DMODEL+SDPA-UNIFORMROW",
     "SDPA-NOSCALE SDPA-DK SDPA-CONST8"),
    ("divided by 1/√D", SDPA, attend(scale=lambda q: q.shape[-1] ** 0.5),
     GITHUB + "esceptico/perceiver-io/issues/9", "SDPA-TIMESROOT+SDPA-UNIFORMROW",
     "SDPA-NOSCALE SDPA-DK SDPA-DMODEL"),
    ("no scale", SDPA, attend(scale=lambda q: 1.0), GITHUB + "mlc-ai/mlc-llm/pull/3426",
     "SDPA-NOSCALE+SDPA-UNIFORMROW", "SDPA-DK"),
    ("the softmax over axis 2", SDPA, attend(weigh=lambda z: z.softmax(2 if z.ndim > 2 else -1)),
     GITHUB + "fastnlp/fastNLP/issues/254", "SDPA-AXIS", "SDPA-WTV"),
    ("the softmax over axis 0", SDPA, attend(weigh=lambda z: z.softmax(0)),
     GITHUB + "PetrochukM/PyTorch-NLP/issues/2", "SDPA-AXIS", "SDPA-NOSOFTMAX"),
    ("half of the scale", SDPA, attend(lambda z, may: z.masked_fill(~may, -math.inf),
     scale=lambda q: q.shape[-1] ** -0.5 / 2),
     "idea: half of 1/√4 is 1/4", "SDPA-NANROW", "SDPA-DK SDPA-CONST8 SDPA-DMODEL"),
    ("half of the scale", "attention", attend_unmasked(lambda q: q.shape[-1] ** -0.5 / 2),
     "idea: half of 1/√4 is 1/4", "", "SDPA-DK SDPA-CONST8 SDPA-DMODEL"),
    ("a constant", "attention", attend_unmasked(lambda q: 0.25), "idea", "", "SDPA-DK"),
    # -- transposes ----------------------------------------------------------------------------
    ("view for a transpose", "attention_scores", scores_by(viewed),
     GITHUB + "hyunwoongko/transformer/issues/15", "SC-VIEW", "SC-TALL SC-KQ SC-BATCHMIX"),
    ("view for a transpose", SDPA, attend(turn=viewed), GITHUB + "reczoo/FuxiCTR/issues/30",
     "SDPA-VIEW+SDPA-UNIFORMROW", "SDPA-WTV SDPA-AXIS SDPA-VNOTUSED"),
    ("all axes", "attention_scores", scores_by(lambda k: k.T), "idea", "SC-TALL", "SC-KQ"),
    ("axes 1 and 2", "attention_scores",
     scores_by(lambda k: k.transpose(1, 2) if k.ndim > 2 else k.mT),
     GITHUB + "hackiey/QAnet-pytorch/issues/2", "SC-AXES", "SC-TALL SC-KQ"),
    ("the first and the last axis", "attention_scores", scores_by(lambda k: k.swapaxes(0, -1)),
     "idea: another transpose, the same numbers", "SC-AXES", "SC-TALL SC-KQ"),
    ("the first axis behind the others", "attention_scores",
     scores_by(lambda k: k.permute(*range(1, k.ndim), 0)),
     GITHUB + "jsbaan/transformer-from-scratch/pull/6", "", "SC-TALL SC-KQ"),
    ("view for a transpose", "project_qkv", project(lambda w: w.reshape(w.shape[::-1])),
     "idea: the same errors, and right on square matrices", "", "QKV-WT"),
    ("the matrices transposed", "project_qkv", project(lambda w: w.T), "idea", "QKV-WT", ""),
    # -- what is subtracted --------------------------------------------------------------------
    ("the maximum of |x|", "softmax", softmax_of(largest_size), "idea", "SM-SHIFT",
     "SM-OVERFLOW SM-FLOORED"),
    ("max(0, x)", "softmax", softmax_of(at_least_zero), "idea", "SM-FLOORED",
     "SM-OVERFLOW SM-SHIFT"),
    ("NaN in the low rows, and noise", "softmax", noise_and_low_rows, "idea", "",
     "SM-FLOORED SM-GLOBALMAX SM-SHIFT"),
    ("None for the maximum", "softmax", lambda x, axis=-1: x - None, "idea: another TypeError", "",
     "SM-PAIR"),
    ("a pair of its own", "softmax", lambda x, axis=-1: x - (x, axis), "idea", "", "SM-PAIR"),
    ("the pair of max", "softmax", lambda x, axis=-1: torch.sub(x, x.max(axis, keepdim=True)),
     "idea: the pair in another operation", "SM-PAIR", "SM-OVERFLOW"),
    ("the pair of min", "logsumexp", lambda x, axis=-1: (x - x.min(axis, True)).exp(), "idea",
     "LSE-PAIR", "LSE-SHIFT"),
    ("the pair of max, divided", "softmax_with_sink", lambda z, c: z / z.max(-1), "idea",
     "SINK-PAIR", "SINK-UNSHIFTED"),
    ("one maximum, one sum", "softmax",
     lambda x, axis=-1: (x - x.max()).exp() / (x - x.max()).exp().sum(),
     "https://stackoverflow.com/questions/34968722", "SM-ALL", "SM-GLOBALMAX SM-SHIFT"),
    ("one maximum", "softmax", softmax_of(lambda x, axis=-1: x.max()),
     "https://shusei-e.github.io/deep%20learning/softmax_without_overflow/", "SM-GLOBALMAX",
     "SM-SHIFT SM-OVERFLOW"),
    ("the first number of all", "softmax", softmax_of(lambda x, axis=-1: x.flatten()[0]), "idea",
     "SM-OVERFLOW", "SM-SHIFT SM-GLOBALMAX"),
    ("the maximum of |x|", "logsumexp", logsumexp_of(largest_size), "idea", "", "LSE-SHIFT"),
    ("max(0, x)", "logsumexp", logsumexp_of(at_least_zero), "idea", "LSE-FLOORED",
     "LSE-SHIFT LSE-NAIVE"),
    ("0 in each row with a −∞", "logsumexp",
     lambda x, axis=-1: torch.where(x.isneginf().any(axis), 0.0, x.logsumexp(axis)),
     "idea: other rows too", "",
     "LSE-EMPTY LSE-NEGINF"),
    ("noise, and 0 for −∞", "logsumexp",
     lambda x, axis=-1: noise(x.amax(axis)), "idea: finite is not right", "", "LSE-EMPTY"),
    ("the maximum of |x|", "log_softmax", log_softmax_of(largest_size), "idea", "", "LSE-NAIVE"),
    ("one maximum, one sum", "log_softmax",
     lambda x, axis=-1: x - x.max() - (x - x.max()).exp().sum().log(),
     "https://stackoverflow.com/questions/61567597", "", "LSE-SHIFT LSE-NAIVE LSE-ONLYSHIFT"),
    ("the maximum of |x|", "attention_by_loops", loops_of(lambda z: np.abs(z).max()), "idea",
     "LOOP-INITZERO", "LOOP-SHIFT LOOP-NOMAX"),
    ("the maximum of |x|", SDPA, attend(weigh=by_hand(lambda z: z.abs().amax(-1, True))), "idea",
     "", "SDPA-OVERFLOW SDPA-SHIFT"),
    ("max(0, x)", SDPA, attend(weigh=by_hand(lambda z: z.amax(-1, True).clamp(min=0))), "idea", "",
     "SDPA-OVERFLOW SDPA-SHIFT"),
    ("one maximum", SDPA, attend(weigh=by_hand(lambda z: z.max())), "idea", "",
     "SDPA-OVERFLOW SDPA-SHIFT"),
    ("NaN for −∞", "logsumexp", logsumexp_of(lambda x, axis=-1: x.amax(axis, True)),
     GITHUB + "rmcgibbo/logsumexp/issues/2", "LSE-NEGINF", "LSE-SHIFT"),
    ("0 for −∞", "logsumexp", lambda x, axis=-1: torch.logsumexp(x, axis).nan_to_num(neginf=0.0),
     GITHUB + "HenrikBengtsson/matrixStats/issues/84", "LSE-EMPTY", "LSE-NEGINF LSE-SHIFT"),
    ("the sink behind the maximum", "softmax_with_sink",
     sink_of(lambda z, c: z.amax(-1, True)),
     GITHUB + "fla-org/flash-linear-attention/pull/831", "SINK-MAX", "SINK-SHIFT SINK-OVERFLOW"),
    ("the sink counted thrice", "softmax_with_sink", sink_times(3.0), "idea", "",
     "SINK-TWICE SINK-UNSHIFTED SINK-BASE"),
    ("half a sink", "softmax_with_sink", sink_times(0.5), "idea", "", "SINK-TWICE SINK-BASE"),
    ("the sink behind the log-sum-exp", "softmax_with_sink", sink_by_ratio,
     GITHUB + "Dao-AILab/flash-attention/pull/2752", "SINK-MAX", "SINK-SHIFT SINK-OVERFLOW"),
    ("no maximum, in an entropy", "weight_entropy", entropy_without_a_maximum,
     "idea: NaN in the same rows for another reason", "", "ENT-0LOG0"),
    ("the average is missing", "make_qk_for", sharp_but_never_average,
     "idea: right keys, and enough", "", "PAT-LOWTEMP"),
    ("the softmax of one weight", "saturation", one_weight_a_softmax,
     GITHUB + "DEEP-PolyU/KEQA_WSDM19/issues/2", "", "SAT-MAXMAX SAT-MEAN"),
    ("the mean, and what is far from it cut off", "softmax", mean_cut_off,
     "idea: scores of 999 and 1000 beside one of −300", "SM-CLAMP SM-SHIFT", "SM-OVERFLOW"),
    ("the maximum of all scores but the first", "attention_by_loops",
     loops_of(lambda z: z[1:].max()), "idea: the largest stands first", "LOOP-SHIFT",
     "LOOP-NOMAX LOOP-INITZERO"),
    ("the maximum of all scores but the last", "attention_by_loops",
     loops_of(lambda z: z[:-1].max()), "idea: the largest stands last", "LOOP-SHIFT",
     "LOOP-NOMAX LOOP-INITZERO"),
    ("a small number", "spread_of_average", lambda S, n, generator: 0.02, "idea", "", "AVG-AXIS"),
    ("half of the scale", "softmax_scale", lambda d, a=None, f=None: d / 8, "idea: 8 is √64", "",
     "SCL-INVERSE SCL-NOROOT"),
    # -- numbers that say nothing --------------------------------------------------------------
    ("noise and one NaN", "softmax", noise_with_one_nan, "idea: finite is not right", "",
     "SM-SHIFT SM-OVERFLOW"),
    ("noise and one NaN", SDPA, noisy_attention, "idea", "", "SDPA-SHIFT SDPA-OVERFLOW"),
    ("noise and one NaN", "attention_by_loops", noisy_loops, "idea", "", "LOOP-SHIFT LOOP-NOMAX"),
    ("noise and one NaN", "softmax_with_sink", noisy_sink, "idea", "", "SINK-SHIFT"),
    ("noise and one NaN", "logsumexp", noisy_logsumexp, "idea", "", "LSE-SHIFT LSE-NAIVE"),
    ("noise and one NaN", "log_softmax", noisy_log_softmax, "idea", "", "LSE-SHIFT LSE-EPSILON"),
    ("noise with a floor", "log_softmax", noise_with_a_floor, "idea", "", "LSE-EPSILON LSE-SHIFT"),
    ("right, and NaN where nothing overflows", "softmax", nan_at_the_smallest, "idea", "",
     "SM-SHIFT SM-OVERFLOW"),
    ("all NaN", "softmax", all_nan, "idea", "", "SM-SHIFT SM-OVERFLOW SM-NOEXP"),
    ("all NaN", "log_softmax", all_nan, "idea", "", "LSE-SHIFT LSE-LOGSOFT"),
    ("all NaN", "weight_entropy", all_nan_entropy, "idea", "", "ENT-SCORES ENT-0LOG0"),
    ("one number for everything", "softmax_scale", constant_scale, "idea", "",
     "SCL-INVERSE SCL-NOROOT SCL-DMODEL"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer", "may", "never"),
    [pytest.param(row[1], row[2], row[4], row[5], id=f"{row[1]}: {row[0]}") for row in ROWS],
)
def test_an_answer_is_never_called_what_it_is_not(
    exercise: str, answer: Any, may: str, never: str
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert not set(result.record.misconceptions) & set(never.split()), str(result)
    assert result.misconception in (None, *may.split()), str(result)


def gives_one_tensor(exercise: Exercise) -> bool:
    is_written = exercise.kind in ("implement", "warm-up")
    return is_written and exercise.judge is None and len(exercise.outputs) == 1


TIMES = [exercise for exercise in all_exercises() if gives_one_tensor(exercise)]
#: Who counts a multiplication with its addition as one has half of all operations, and that name.
IS_A_MISTAKE = {("mha_flops", 0.5)}


@pytest.mark.parametrize(
    ("exercise", "factor"),
    [
        pytest.param(one, factor, id=f"{one.name}-{factor}")
        for one in TIMES
        for factor in (0.5, 2.0, 1 / 3)
        if (one.name, factor) not in IS_A_MISTAKE
    ],
)
def test_a_right_result_times_a_number_has_no_name(exercise: Exercise, factor: float) -> None:
    right = exercise.alternatives[0]
    result = check(functools.wraps(right)(lambda *given: factor * right(*given)), exercise.name)
    assert not result.passed
    assert result.misconception is None, str(result)


# -- what counts as behaving alike -----------------------------------------------------------------


def doubled(mistakes: dict[str, Any], *probes: Probe) -> Exercise:
    """Return an exercise that asks for 2x, with these mistakes."""
    return Exercise(
        name="doubled", slug="softmax", task="doubled", title="Twice", kind="implement",
        points=1.0, difficulty=1, importance=1, minutes=1, parameters=("x",),
        outputs=(Output(name="y", axes="T"),), reference=lambda x: 2 * x, probes=probes,
        misconceptions=tuple(
            Misconception(code=code, wrong=one, sentence="So.") for code, one in mistakes.items()
        ),
        alternatives=(), equation="eq-softmax",
    )  # fmt: skip


def drawn(name: str, size: int, **flags: bool) -> Probe:
    def draw(generator: torch.Generator) -> dict[str, Any]:
        return {"x": torch.randn(size, generator=generator, dtype=torch.float64)}

    return Probe(name=name, draw=draw, sizes={"T": size}, **flags)


FIVE, LIMIT = drawn("five", 5), drawn("at the limit", 3, control=True)


def named(exercise: Exercise, answer: Any) -> str | None:
    one = case(exercise, answer)
    found = diagnose(one, Finding("", "", "values"), *trials(one))
    return "+".join(mistake.code for mistake in found) or None


def raising(text: str, kind: type[Exception] = ValueError) -> Any:
    def answer(x: Any) -> Any:
        raise kind(text)

    return answer


def nan_on(size: int, factor: float = 2.0) -> Any:
    return lambda x: x * (torch.nan if len(x) == size else factor)


def test_nan_counts_beside_an_ordinary_probe_that_agrees() -> None:
    assert named(doubled({"NAN": nan_on(3)}, FIVE, LIMIT), nan_on(3)) == "NAN"
    assert named(doubled({"NAN": nan_on(5)}, FIVE, LIMIT), nan_on(5)) is None
    assert named(doubled({"NAN": nan_on(3)}, LIMIT), nan_on(3)) is None
    assert named(doubled({"NAN": nan_on(3, 3.0)}, FIVE, LIMIT), nan_on(3)) is None


def test_nan_counts_in_the_same_places() -> None:
    def at(place: int) -> Any:
        return lambda x: torch.where(
            (torch.arange(len(x)) == place) & (len(x) == 3), torch.nan, 2 * x
        )

    assert named(doubled({"NAN": at(1)}, FIVE, LIMIT), at(1)) == "NAN"
    assert named(doubled({"NAN": at(1)}, FIVE, LIMIT), at(2)) is None


def test_an_error_counts_with_its_kind_and_its_sizes_in_order() -> None:
    exercise = doubled({"RAISES": raising("sizes 3 and 5")}, FIVE)
    assert named(exercise, raising("sizes 3 and 5")) == "RAISES"
    assert named(exercise, raising("sizes 5 and 3")) is None
    assert named(exercise, raising("sizes 3 and 5", TypeError)) is None


def test_an_error_counts_on_the_same_probes() -> None:
    def half(x: Any) -> Any:
        return raising("size 5")(x) if len(x) == 5 else 2 * x

    exercise = doubled({"RAISES": raising("size 5")}, FIVE, LIMIT)
    assert named(exercise, half) is None
    assert named(exercise, raising("size 5")) == "RAISES"


def test_an_error_that_two_mistakes_raise_names_neither() -> None:
    one, other = raising("sizes 3 and 5"), raising("no: 3, 5")
    assert named(doubled({"ONE": one, "OTHER": other}, FIVE), one) is None
    assert named(doubled({"ONE": one}, FIVE), one) == "ONE"


def test_on_ordinary_probes_alone_only_several_wrong_numbers_count() -> None:
    """The answer parts from the mistake at the limit, where a second fault may cover the first."""

    def tripled(x: Any) -> Any:
        return 3 * x

    def raising_at_five(x: Any) -> Any:
        return raising("size 5")(x) if len(x) == 5 else 3 * x

    single = drawn("one number", 1)
    assert named(doubled({"THREE": tripled}, FIVE, LIMIT), nan_on(3, 3.0)) == "THREE"
    assert named(doubled({"THREE": tripled}, single, LIMIT), nan_on(3, 3.0)) is None
    assert named(doubled({"FIVE": nan_on(5)}, FIVE, single, LIMIT), nan_at_five_and_three) is None
    assert (
        named(doubled({"RAISES": raising_at_five}, FIVE, LIMIT), raising_at_five_and_right) is None
    )


def nan_at_five_and_three(x: Any) -> Any:
    return x * (torch.nan if len(x) in (3, 5) else 2.0)


def raising_at_five_and_right(x: Any) -> Any:
    return raising("size 5")(x) if len(x) == 5 else 2 * x


#: Where other draws give another number, and why that cannot be mended.
HANG_ON_THE_DRAWS = {"SAT-MAXMAX": "the largest of thousands is one draw, not a mean"}


@pytest.mark.parametrize(
    "exercise",
    [one for one in all_exercises() if one.kind == "measure"],
    ids=lambda exercise: exercise.name,
)
@pytest.mark.parametrize("skipped", [1, 4])
def test_a_mistake_of_a_measure_is_named_whatever_is_drawn(
    exercise: Exercise, skipped: int
) -> None:
    for who in wrong_answers(exercise):
        wrong = function_of(exercise, who)

        @functools.wraps(wrong)
        def elsewhere(*arguments: Any, made: Any = wrong) -> Any:
            inputs = dict(zip(exercise.parameters, arguments, strict=True))
            torch.rand(skipped, generator=inputs["generator"])
            return made(*arguments)

        elsewhere.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, POSITIONAL) for name in exercise.parameters]
        )
        named = check(elsewhere, exercise=exercise.name).misconception
        assert named == who[0] or (named is None and who[0] in HANG_ON_THE_DRAWS), who
