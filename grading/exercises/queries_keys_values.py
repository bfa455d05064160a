"""The exercises of the chapter on queries, keys and values."""

import math
from typing import Any

import torch
from torch import Tensor

from course_lib import attention
from grading.exercise import Exercise, Inputs, Law, Misconception, Output, Probe, Tolerance

__all__ = ["EXERCISES"]

SLUG = "queries-keys-values"
SIZES = {"B": 5, "H": 6, "T": 7, "S": 9, "D": 4, "Dv": 8}


def _normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# project_qkv ------------------------------------------------------------------------------------


def _projections(generator: torch.Generator) -> Inputs:
    x, context = _normal(generator, 3, 7, 5), _normal(generator, 3, 9, 5)
    w_q, w_k, w_v = (_normal(generator, 5, size) for size in (4, 4, 8))
    return {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v, "context": context}


def _self_projections(generator: torch.Generator) -> Inputs:
    inputs = _projections(generator)
    return inputs | {"context": None}


def _square_projections(generator: torch.Generator) -> Inputs:
    x, context = _normal(generator, 2, 3), _normal(generator, 4, 3)
    w_q, w_k, w_v = (_normal(generator, 3, 3) for _ in range(3))
    return {"x": x, "w_q": w_q, "w_k": w_k, "w_v": w_v, "context": context}


def _context_asks(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return source @ w_q, source @ w_k, source @ w_v


def _keys_from_x(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    return x @ w_q, x @ w_k, x @ w_v


def _values_from_x(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, x @ w_v


def _only_keys_from_x(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None
) -> Any:
    source = x if context is None else context
    return x @ w_q, x @ w_k, source @ w_v


def _swapped(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_v, source @ w_k


def _transposed(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q.T, source @ w_k.T, source @ w_v.T


def _shared(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_q, source @ w_q


def _shared_keys(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_q, source @ w_v


def _shared_values(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    return x @ w_q, source @ w_k, source @ w_k


def _by_einsum(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    source = x if context is None else context
    pairs = ((x, w_q), (source, w_k), (source, w_v))
    return tuple(torch.einsum("...tc,cd->...td", rows, w) for rows, w in pairs)


def _by_linear(x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, context: Any = None) -> Any:
    linear = torch.nn.functional.linear
    read = context if context is not None else x
    return [linear(x, w_q.T), linear(read, w_k.T), linear(read, w_v.T)]


PROJECT_QKV = Exercise(
    name="project_qkv", slug=SLUG, task="project", title="Queries, keys and values",
    kind="implement", points=1.0, difficulty=1, importance=3, minutes=10,
    parameters=("x", "w_q", "w_k", "w_v", "context"),
    outputs=(Output(name="query", axes="... T D"), Output(name="key", axes="... S D"),
             Output(name="value", axes="... S Dv")),
    reference=attention.project_qkv, equation="eq-project",
    next_rung="The same function now serves self-attention and cross-attention. Next: compare.",
    probes=(
        Probe(name="cross-attention, all sizes different", draw=_projections, gradient=True,
              single=True, sizes={"B": 3, "T": 7, "S": 9, "C": 5, "D": 4, "Dv": 8}),
        Probe(name="self-attention", draw=_self_projections,
              sizes={"B": 3, "T": 7, "C": 5, "D": 4, "Dv": 8}),
        Probe(name="square matrices", draw=_square_projections, edge=True),
    ),
    misconceptions=(
        Misconception(code="QKV-CTXQ", wrong=_context_asks, sentence=(
            "The queries come from the context. The sequence that asks is x; the context is "
            "what gets read.")),
        Misconception(code="QKV-KX", wrong=_keys_from_x,
                      also=(_values_from_x, _only_keys_from_x),
                      sentence=(
            "Keys or values come from x although a context is given. In cross-attention both "
            "belong to the sequence that is read.")),
        Misconception(code="QKV-SWAPKV", wrong=_swapped, sentence=(
            "The projections of keys and values are exchanged: the keys were made with w_v.")),
        Misconception(code="QKV-WT", wrong=_transposed, sentence=(
            "The matrices are transposed. Vectors are rows here, so the projection is x @ w with "
            "w of shape (C, D); nn.Linear stores the transpose.")),
        Misconception(code="QKV-SHARED", wrong=_shared, also=(_shared_keys, _shared_values),
                      sentence=(
            "One matrix projects more than one of the three. What a token looks for, how it is "
            "found and what it hands over are three different things.")),
    ),
    alternatives=(_by_einsum, _by_linear),
)  # fmt: skip


# attention_scores -------------------------------------------------------------------------------


def _query_key(generator: torch.Generator) -> Inputs:
    return {"query": _normal(generator, 5, 6, 7, 4), "key": _normal(generator, 5, 6, 9, 4)}


def _one_batch_axis(generator: torch.Generator) -> Inputs:
    return {"query": _normal(generator, 5, 7, 4), "key": _normal(generator, 5, 7, 4)}


def _no_batch(generator: torch.Generator) -> Inputs:
    return {"query": _normal(generator, 2, 3), "key": _normal(generator, 2, 3)}


def _cosine(query: Tensor, key: Tensor) -> Tensor:
    lengths = query.norm(dim=-1)[..., :, None] * key.norm(dim=-1)[..., None, :]
    return query @ key.mT / lengths


def _mixed_batch(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.flip(0).mT if query.ndim > 2 else query @ key.mT


def _summed_batch(query: Tensor, key: Tensor) -> Tensor:
    return torch.einsum("...td,...sd->ts", query, key).expand(*query.shape[:-2], -1, -1)


ATTENTION_SCORES = Exercise(
    name="attention_scores", slug=SLUG, task="scores", title="Every query against every key",
    kind="implement", points=1.0, difficulty=1, importance=3, minutes=10,
    parameters=("query", "key"), outputs=(Output(name="scores", axes="... T S"),),
    reference=attention.attention_scores, equation="eq-scores",
    next_rung="Row t holds the scores of query t. The softmax will run along that row.",
    probes=(
        Probe(name="all sizes different", draw=_query_key, gradient=True, single=True,
              sizes={"B": 5, "H": 6, "T": 7, "S": 9, "D": 4}),
        Probe(name="as many queries as keys", draw=_one_batch_axis, edge=True),
        Probe(name="two queries, two keys", draw=_no_batch, edge=True),
    ),
    misconceptions=(
        Misconception(code="SC-KQ", wrong=lambda query, key: key @ query.mT, sentence=(
            "Rows and columns are exchanged: row t has to hold the scores of query t, one "
            "column for each key.")),
        Misconception(code="SC-ELEM", wrong=lambda query, key: query * key, also=(
            lambda query, key: (query * key).sum(-1), lambda query, key: (query * key).sum(-2)),
            sentence=(
            "Query t is multiplied with key t only. Every query has to meet every key, so the "
            "result has an axis for queries and one for keys.")),
        Misconception(code="SC-TALL", wrong=lambda query, key: query @ key.T, sentence=(
            "key.T turns around all axes, batch and heads included. Only the last two may change "
            "places.")),
        Misconception(code="SC-COS", wrong=_cosine, sentence=(
            "The scores are divided by the vectors' lengths. That is the cosine; here a long "
            "key may score more than a short one.")),
        Misconception(code="SC-BATCHMIX", wrong=_mixed_batch, also=(_summed_batch,),
                      sentence=(
            "Queries of one example meet keys of another. Each example, and each head, keeps to "
            "itself.")),
        Misconception(code="SC-SCALED", wrong=lambda query, key: query @ key.mT
                      / math.sqrt(query.shape[-1]), sentence=(
            "The scores are already divided by √D. This function gives them unscaled; the next "
            "one divides.")),
    ),
    alternatives=(
        lambda query, key: torch.einsum("...td,...sd->...ts", query, key),
        lambda query, key: (query.unsqueeze(-2) * key.unsqueeze(-3)).sum(-1),
        lambda query, key: torch.matmul(query, key.transpose(-2, -1)),
    ),
)  # fmt: skip


# scaled_dot_product_attention -------------------------------------------------------------------

HOT = 1e5  # the query's product with a key that it may not read: any leak takes over the row


def _attention_inputs(generator: torch.Generator) -> Inputs:
    query, key = _normal(generator, 5, 6, 7, 4), _normal(generator, 5, 6, 9, 4)
    return {"query": query, "key": key, "value": _normal(generator, 5, 6, 9, 8), "may_attend": None}


def _masked_inputs(generator: torch.Generator) -> Inputs:
    inputs = _attention_inputs(generator)
    may_attend = torch.rand(7, 9, generator=generator) > 0.4
    may_attend[:, 0] = True
    return inputs | {"may_attend": may_attend}


def _control_rows(generator: torch.Generator) -> Inputs:
    """Row 0 must not read a key that would win by far; row 1 may read only keys that score very
    low; row 2 has nothing to read; the others are ordinary."""
    query, key = _normal(generator, 5, 3), _normal(generator, 7, 3)
    may_attend = torch.rand(5, 7, generator=generator) > 0.4
    may_attend[:, 1] = True
    query[0], key[6] = torch.tensor([HOT, 0, 0]), torch.tensor([2.0, 0, 0])
    key[:6, 0] = torch.linspace(0, 5e-5, 6, dtype=torch.float64)
    query[1], key[:, 1] = torch.tensor([0, -HOT, 0]), 2 + torch.linspace(0, 6e-5, 7)
    key[5, 1] = 0.0
    may_attend[0, 6], may_attend[1, 5], may_attend[2] = False, False, False
    value = _normal(generator, 7, 4)
    return {"query": query, "key": key, "value": value, "may_attend": may_attend}


def _two_by_one(generator: torch.Generator) -> Inputs:
    query, key = _normal(generator, 2, 1), _normal(generator, 2, 1)
    may_attend = torch.tensor([[True, False], [True, True]])
    return {"query": query, "key": key, "value": _normal(generator, 2, 1), "may_attend": may_attend}


def _one_by_one(generator: torch.Generator) -> Inputs:
    shapes = {"query": (1, 1, 2), "key": (1, 1, 2), "value": (1, 1, 2)}
    return {name: _normal(generator, *shape) for name, shape in shapes.items()} | {
        "may_attend": torch.ones(1, 1, dtype=torch.bool)
    }


def _variant(
    scale: Any = lambda query, key, value: 1 / math.sqrt(query.shape[-1]),
    fill: str = "zeros",
    axis: int = -1,
    mix: Any = lambda weights, value: weights @ value,
) -> Any:
    """Make an attention in which one step is replaced."""

    def attend(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
        scores = query @ key.mT * scale(query, key, value)
        weights = _MASKINGS[fill](scores, may_attend, axis)
        return mix(weights, value), weights

    return attend


def _zeros(scores: Tensor, may: Any, axis: int) -> Tensor:
    if may is None:
        return scores.softmax(axis)
    filled = scores.masked_fill(~may, torch.finfo(scores.dtype).min)
    return filled.softmax(axis) * may


def _filled_with(number: float) -> Any:
    def masked(scores: Tensor, may: Any, axis: int) -> Tensor:
        filled = scores if may is None else scores.masked_fill(~may, number)
        weights = filled.softmax(axis)
        return weights if may is None else weights * may.any(-1, keepdim=True)

    return masked


def _nan_row(scores: Tensor, may: Any, axis: int) -> Tensor:
    return (scores if may is None else scores.masked_fill(~may, -torch.inf)).softmax(axis)


def _uniform_row(scores: Tensor, may: Any, axis: int) -> Tensor:
    return (scores if may is None else scores.masked_fill(~may, -1e9)).softmax(axis)


def _added(number: float) -> Any:
    def masked(scores: Tensor, may: Any, axis: int) -> Tensor:
        weights = (scores if may is None else scores + number * ~may).softmax(axis)
        return weights if may is None else weights * may.any(-1, keepdim=True)

    return masked


def _multiplied(scores: Tensor, may: Any, axis: int) -> Tensor:
    return scores.softmax(axis) if may is None else scores.softmax(axis) * may


def _inverted(scores: Tensor, may: Any, axis: int) -> Tensor:
    return _zeros(scores, None if may is None else ~may, axis)


def _ignored(scores: Tensor, may: Any, axis: int) -> Tensor:
    return scores.softmax(axis)


def _scores_multiplied(scores: Tensor, may: Any, axis: int) -> Tensor:
    return (scores if may is None else scores * may).softmax(axis)


_MASKINGS: dict[str, Any] = {
    "zeros": _zeros, "nan": _nan_row, "uniform": _uniform_row, "multiplied": _multiplied,
    "inverted": _inverted, "ignored": _ignored, "score zero": _filled_with(0.0),
    "score zero, empty rows uniform": _scores_multiplied,
    "small": _filled_with(-30.0), "small 100": _filled_with(-100.0), "small 1000":
    _filled_with(-1e3), "small 1e4": _filled_with(-1e4), "added": _added(-1e4),
    "added 1000": _added(-1e3), "added 100": _added(-100.0), "added 30": _added(-30.0),
}  # fmt: skip


def _scaled_after(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    weights = _zeros(query @ key.mT, may_attend, -1) / math.sqrt(query.shape[-1])
    return weights @ value, weights


def _kept_probability(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    """Additive logarithm of the mask, with the empty rows mended: another right way."""
    scores = torch.einsum("...td,...sd->...ts", query / math.sqrt(query.shape[-1]), key)
    if may_attend is not None:
        scores = scores + may_attend.to(scores.dtype).log()
    weights = torch.nan_to_num(scores.softmax(-1), nan=0.0)
    return weights @ value, weights


def _from_torch(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    sdpa = torch.nn.functional.scaled_dot_product_attention
    eye = torch.eye(key.shape[-2], dtype=value.dtype).expand(*value.shape[:-1], -1)
    weights = sdpa(query, key, eye, attn_mask=may_attend)
    return sdpa(query, key, value, attn_mask=may_attend), weights


def _by_exponentials(query: Tensor, key: Tensor, value: Tensor, may_attend: Any = None) -> Any:
    scores = (query.unsqueeze(-2) * key.unsqueeze(-3)).sum(-1) * query.shape[-1] ** -0.5
    may = torch.ones_like(scores, dtype=torch.bool) if may_attend is None else may_attend
    top = torch.where(may, scores, -torch.inf).amax(-1, keepdim=True)
    top = torch.where(top.isinf(), 0.0, top)
    exps = torch.where(may, (torch.where(may, scores, top) - top).exp(), 0.0)
    total = exps.sum(-1, keepdim=True)
    weights = exps / torch.where(total == 0, 1.0, total)
    return torch.einsum("...ts,...sv->...tv", weights, value), weights


def _row_sums(inputs: Inputs, outputs: tuple[Any, ...]) -> str | None:
    sums = outputs[1].detach().double().sum(-1)
    may = inputs["may_attend"]
    expected = torch.ones_like(sums)
    if may is not None:
        expected = expected * may.any(-1).to(expected.dtype)
    if torch.allclose(sums, expected, rtol=1e-4, atol=1e-4):
        return None
    worst = int((sums - expected).abs().reshape(-1).argmax())
    got, wanted = float(sums.reshape(-1)[worst]), float(expected.reshape(-1)[worst])
    return f"A row of weights sums to {got:.4g}; it has to sum to {wanted:g}"


def _nothing_forbidden(inputs: Inputs, outputs: tuple[Any, ...]) -> str | None:
    if inputs["may_attend"] is None:
        return None
    blocked = outputs[1].detach() * ~inputs["may_attend"]
    if not bool((blocked.abs() > 1e-6).any()):
        return None
    return f"A key that may not be read has the weight {float(blocked.abs().max()):.4g}"


SDPA = Exercise(
    name="scaled_dot_product_attention", slug=SLUG, task="attention",
    title="Scaled dot-product attention", kind="implement", points=2.0, difficulty=3,
    importance=3, minutes=30, parameters=("query", "key", "value", "may_attend"),
    outputs=(Output(name="output", axes="... T Dv"), Output(name="weights", axes="... T S")),
    reference=attention.scaled_dot_product_attention, equation="eq-sdpa",
    next_rung="Every later mechanism of the course becomes this function at some limit.",
    laws=(
        Law(rule="a key that may not be read has weight 0", broken=_nothing_forbidden),
        Law(rule="each row of weights sums to 1, or to 0 with nothing to read", broken=_row_sums),
    ),
    probes=(
        Probe(name="no mask, all sizes different", draw=_attention_inputs, gradient=True,
              single=True, sizes=SIZES),
        Probe(name="a random mask", draw=_masked_inputs, gradient=True, sizes=SIZES, single=True),
        Probe(name="rows that control the mask", draw=_control_rows,
              sizes={"T": 5, "S": 7, "D": 3, "Dv": 4}, tolerance=Tolerance(rtol=1e-6, atol=1e-8)),
        Probe(name="two queries, two keys, D = 1", draw=_two_by_one, edge=True),
        Probe(name="one query, one key", draw=_one_by_one, edge=True),
    ),
    misconceptions=(
        Misconception(code="SDPA-NOSCALE", wrong=_variant(scale=lambda *_: 1.0), sentence=(
            "The scores are not divided by √D. With D = 64 the largest of 64 random weights is "
            "then 0.79 on average instead of 0.11.")),
        Misconception(code="SDPA-DK", wrong=_variant(scale=lambda q, k, v: 1 / q.shape[-1]),
                      sentence=(
            "The scores are divided by D. Their variance is D, so their spread is √D; dividing "
            "by D makes all weights nearly equal.")),
        Misconception(code="SDPA-DMODEL", wrong=_variant(
            scale=lambda q, k, v: 1 / math.sqrt(q.shape[-1] * (q.shape[-3] if q.ndim > 2 else 2))),
            also=(_variant(scale=lambda q, k, v: 1 / math.sqrt(v.shape[-1])),
                  _variant(scale=lambda q, k, v: 1 / math.sqrt(q.shape[-2])),
                  _variant(scale=lambda q, k, v: 1 / math.sqrt(k.shape[-2])),
                  _variant(scale=lambda q, k, v: 1 / math.sqrt(
                      q.shape[-1] * (q.shape[-3] if q.ndim > 2 else 1)))), sentence=(
            "The root is taken of another size. It is the size D of one query, the number of "
            "products that a score adds up.")),
        Misconception(code="SDPA-CONST8", wrong=_variant(scale=lambda *_: 1 / 8), sentence=(
            "The scores are divided by 8. That is √D for D = 64 only.")),
        Misconception(code="SDPA-AXIS", wrong=_variant(axis=-2), sentence=(
            "The softmax runs over the queries. Each query shares out its own attention, so "
            "the weights sum to 1 over the keys.")),
        Misconception(code="SDPA-SCALEAFTER", wrong=_scaled_after, sentence=(
            "The division by √D comes after the softmax, so each row of weights sums to 1/√D "
            "and the scores were never tamed.")),
        Misconception(code="SDPA-WTV", wrong=_variant(mix=lambda w, v: w.mT @ v), sentence=(
            "The weights are transposed before they meet the values. Row t of the weights "
            "already lists how much query t takes from each value.")),
        Misconception(code="SDPA-VNOTUSED", wrong=_variant(mix=lambda w, v: v), also=(
            _variant(mix=lambda w, v: v.mean(-2, keepdim=True).expand(*w.shape[:-1], -1)),
            _variant(mix=lambda w, v: w)), sentence=(
            "The output does not depend on the weights and the values together: it is the values, "
            "their plain mean, or the weights themselves.")),
        Misconception(code="SDPA-MASKINV", wrong=_variant(fill="inverted"), sentence=(
            "The mask is read the wrong way round. In may_attend, True means that the key may "
            "be read; nn.MultiheadAttention means the opposite.")),
        Misconception(code="SDPA-MASKNONE", wrong=_variant(fill="ignored"), sentence=(
            "The mask is not used: forbidden keys are read.")),
        Misconception(code="SDPA-MASK0", wrong=_variant(fill="score zero"),
                      also=(_variant(fill="score zero, empty rows uniform"),), sentence=(
            "Forbidden scores are set to 0. A score of 0 is an ordinary score, e⁰ = 1, and the "
            "key is still read.")),
        Misconception(code="SDPA-MASKMULT", wrong=_variant(fill="multiplied"), sentence=(
            "The weights are multiplied by the mask after the softmax. What the forbidden keys "
            "had taken is lost, so the rows no longer sum to 1.")),
        Misconception(code="SDPA-MASKSMALL", wrong=_variant(fill="small"), also=tuple(
            _variant(fill=fill) for fill in ("small 100", "small 1000", "small 1e4", "added",
                                             "added 1000", "added 100", "added 30")), sentence=(
            "Forbidden scores are made small but not small enough. Where every allowed score is "
            "lower still, or a forbidden one is very high, the forbidden key is read.")),
        Misconception(code="SDPA-NANROW", wrong=_variant(fill="nan"), sentence=(
            "A query with nothing to read gives NaN: the softmax of a row of −∞ is 0/0. The "
            "contract asks for zeros in weights and output.")),
        Misconception(code="SDPA-UNIFORMROW", wrong=_variant(fill="uniform"), sentence=(
            "A query with nothing to read reads everything: equal scores of −10⁹ give equal "
            "weights. The contract asks for zeros.")),
    ),
    alternatives=(_kept_probability, _from_torch, _by_exponentials),
)  # fmt: skip

EXERCISES = (PROJECT_QKV, ATTENTION_SCORES, SDPA)
