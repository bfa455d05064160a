"""alibi_scores: where a bias joins the scores."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.positions.biases import behind
from grading.exercises.positions.rotation_steps import seldom
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["ALIBI_SCORES"]


def _scores(do: Any) -> Any:
    def alibi_scores(query: Tensor, key: Tensor, slopes: Tensor) -> Any:
        T, S = query.shape[-2], key.shape[-2]
        bias = do.slopes(slopes, T, S) * do.distances(T, S).to(query.dtype)
        return do.join(query @ key.mT, -do.sign(bias), query.shape[-1] ** 0.5)

    return alibi_scores


def _distances(T: int, S: int) -> Tensor:
    return torch.arange(S - T, S)[:, None] - torch.arange(S)


def _top_left(T: int, S: int) -> Tensor:
    return (torch.arange(T)[:, None] - torch.arange(S)).abs()


def _each_head(slopes: Tensor, T: int, S: int) -> Any:
    return slopes[:, None, None]


STEPS = Pipeline(
    compose=_scores,
    steps=(
        Step(name="slopes", right=_each_head),
        Step(name="distances", right=_distances, wrong={
            "ALIBI-ALIGN": (_top_left,),
            "ALIBI-REVERSED": (lambda T, S: torch.arange(S).expand(T, S),),
        }),
        Step(name="sign", right=lambda bias: bias, wrong={"ALIBI-SIGN": (lambda bias: -bias,)}),
        Step(name="join", right=lambda scores, bias, root: scores / root + bias, wrong={
            "ALIBI-SCALE": (lambda scores, bias, root: (scores + bias) / root,),
            "SDPA-NOSCALE": (lambda scores, bias, root: scores + bias,),
        }),
    ),
)  # fmt: skip

#: Mistakes that are seldom made beside another: no products.
MORE = {
    "ALIBI-FIRSTHEAD": (STEPS.answer({"slopes": lambda slopes, T, S: slopes[0]}),),
    "ALIBI-MULTIPLY": (
        STEPS.answer({"join": lambda scores, bias, root: scores / root * bias}),
    ),
    "ALIBI-NOBIAS": (
        STEPS.answer({"join": lambda scores, bias, root: scores / root + 0 * bias}),
    ),
    "ALIBI-HEADAXIS": (
        STEPS.answer({"slopes": lambda slopes, T, S: slopes}),
        STEPS.answer({"slopes": lambda slopes, T, S: slopes[:, None]}),
    ),
    "ALIBI-WEIGHTS": (
        STEPS.answer({"join": lambda scores, bias, root: (scores / root).softmax(-1) + bias}),
        STEPS.answer({"join": lambda scores, bias, root: (scores / root + bias).softmax(-1)}),
    ),
}  # fmt: skip


def _drawn(T: int, S: int, D: int, slopes: tuple[float, ...], *leading: int) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        H = len(slopes)
        query, key = (normal(generator, *leading, H, rows, D) for rows in (T, S))
        return {"query": query, "key": key, "slopes": torch.tensor(slopes).double()}

    return draw


def _sizes(one: Any) -> tuple[int, int]:
    return one.inputs["query"].shape[-2], one.inputs["key"].shape[-2]


def _right(query: Tensor, key: Tensor, slopes: Tensor) -> Any:
    """Scores and a bias, as the steps put them together."""
    return STEPS.answer()(query, key, slopes)


def _as_one_product(query: Tensor, key: Tensor, slopes: Tensor) -> Any:
    """Two further columns of queries and keys make the bias: −m · p · 1 + m · 1 · s."""
    (T, D), S = query.shape[-2:], key.shape[-2]
    m = slopes[:, None, None].to(query.dtype)
    at = torch.arange(S - T, S).to(query.dtype)[:, None]
    one = torch.ones_like(query[..., :1])
    longer = torch.cat([query / D**0.5, -m * at * one, m * one], -1)
    ones = torch.ones_like(key[..., :1])
    return longer @ torch.cat([key, ones, torch.arange(S).to(key.dtype)[:, None] * ones], -1).mT


def _head_by_head(query: Tensor, key: Tensor, slopes: Tensor) -> Any:
    T, S, D = query.shape[-2], key.shape[-2], query.shape[-1]
    t, s = torch.meshgrid(torch.arange(S - T, S), torch.arange(S), indexing="ij")
    heads = []
    for h, m in enumerate(slopes):
        bias = torch.where(s > t, -torch.inf, (-m * (t - s)).to(query.dtype))
        heads.append(query[..., h, :, :] @ key[..., h, :, :].mT / D**0.5 + bias)
    return torch.stack(heads, -3)


ALIBI_SCORES = Exercise(
    name="alibi_scores", slug="positions", task="alibi-scores", title="Where the penalty joins",
    kind="implement", points=0.5, difficulty=1, importance=2, minutes=10,
    parameters=("query", "key", "slopes"), outputs=(Output(name="scores", axes="... H T S"),),
    axes={"query": "... H T D", "key": "... H S D", "slopes": "H"}, reference=_right,
    view=lambda one: behind(one, *_sizes(one)), equation="eq-alibi",
    next_rung="A mask is the same sum: with −∞ for what may not be read.",
    probes=(
        Probe(name="a batch, two queries at the end of five keys",
              draw=_drawn(2, 5, 6, (0.5, 0.25, 0.125), 4), single=True, half=True,
              sizes={"B": 4, "H": 3, "T": 2, "S": 5, "D": 6}),
        Probe(name="one sequence, one query", draw=_drawn(1, 6, 3, (0.7, 0.05)),
              gradient=True,
              sizes={"H": 2, "T": 1, "S": 6, "D": 3}),
        Probe(name="two leading axes", draw=_drawn(4, 7, 5, (0.3, 0.6), 6, 3),
              sizes={"B": 6, "H": 2, "T": 4, "S": 7, "D": 5}),
        Probe(name="as many heads as queries", draw=_drawn(3, 4, 2, (0.5, 0.1, 0.9)), edge=True),
        Probe(name="two positions, one head", draw=_drawn(2, 2, 2, (0.5,)), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "ALIBI-SCALE", (
            "The bias is divided by the root of D too. Only the products are: the penalty joins "
            "behind the scale, or every head sees √D times as far. Falcon's code does it so; the "
            "paper's does not.")),
        mistake(STEPS, "SDPA-NOSCALE", "The products are not divided by the root of D."),
        mistake(STEPS, "ALIBI-SIGN", (
            "The penalty is added with a plus: what lies far away is preferred.")),
        mistake(STEPS, "ALIBI-ALIGN", (
            "The first query is taken to stand at the first key. The last query stands at the last "
            "key: query t has position S − T + t.")),
        mistake(STEPS, "ALIBI-REVERSED", (
            "The penalty grows from the oldest key to the newest. It grows the further a key lies "
            "behind the query.")),
        seldom(MORE, "ALIBI-FIRSTHEAD", (
            "Every head gets the slope of head 0. Each has its own.")),
        seldom(MORE, "ALIBI-HEADAXIS", (
            "The slopes are laid along queries or keys. They belong to the heads, so they need two "
            "axes of size 1 behind them; otherwise it fails, or fits by chance.")),
        seldom(MORE, "ALIBI-MULTIPLY", (
            "The scores are multiplied by the bias. It is added, so that a score of 0 has a "
            "penalty as well.")),
        seldom(MORE, "ALIBI-NOBIAS", "The slopes change nothing: these are the plain scores."),
        seldom(MORE, "ALIBI-WEIGHTS", (
            "A softmax is taken. Asked for are the scores, before it.")),
    ),
    steps=STEPS,
    alternatives=(_as_one_product, _head_by_head),
)  # fmt: skip
