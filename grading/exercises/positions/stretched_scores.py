"""yarn_scores: where the concentration enters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe
from grading.exercises.positions.fitting import even_rows
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, late, torch

__all__ = ["YARN_SCORES"]

library = late("course_lib.positions.rope")
Way = Callable[..., Any]


def _halves(x: Tensor, positions: Tensor, inv_freq: Tensor) -> Any:
    angles = positions[:, None] * inv_freq.double()
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _neighbours(x: Tensor, positions: Tensor, inv_freq: Tensor) -> Any:
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], -1)
    return _halves(halves, positions, inv_freq)


def _as_it_is(x: Tensor, positions: Tensor, inv_freq: Tensor) -> Any:
    return x


def _scores(
    *, power: int = 2, query: Way = _halves, key: Way = _halves, angle: int = 0,
    root: bool = True, after: Any = lambda scores: scores,
) -> Way:  # fmt: skip
    """Return scores that hold a power of the concentration, and others of the angles."""

    def yarn_scores(
        q: Tensor, k: Tensor, positions: Tensor, inv_freq: Tensor, concentration: float
    ) -> Any:
        theta = inv_freq * concentration**angle
        products = query(q, positions, theta) @ key(k, positions, theta).mT
        scale = q.shape[-1] ** -0.5 if root else 1.0
        return after(products * concentration**power * scale)

    return yarn_scores


def _right(
    query: Tensor, key: Tensor, positions: Tensor, inv_freq: Tensor, concentration: float
) -> Any:
    turned = (
        library.rotate(rows, positions, inv_freq.double(), concentration) for rows in (query, key)
    )
    q, k = turned
    return q @ k.mT / query.shape[-1] ** 0.5


def _by_complex_numbers(
    query: Tensor, key: Tensor, positions: Tensor, inv_freq: Tensor, concentration: float
) -> Any:
    """The scale's way: plain rotations, and one factor for both."""
    turns = torch.exp(1j * torch.outer(positions.double(), inv_freq.double()))
    q, k = (torch.complex(*rows.double().chunk(2, -1)) * turns for rows in (query, key))
    scores = (q @ k.mH).real
    return (scores * concentration**2 / query.shape[-1] ** 0.5).to(query.dtype)


def _by_distances(
    query: Tensor, key: Tensor, positions: Tensor, inv_freq: Tensor, concentration: float
) -> Any:
    apart = (positions[:, None] - positions)[..., None] * inv_freq.double()
    cos, sin = apart.cos().to(query.dtype), apart.sin().to(query.dtype)
    (a, b), (c, d) = query.chunk(2, -1), key.chunk(2, -1)
    along, across = "...td,...sd,tsd->...ts", torch.einsum
    found = across(along, a, c, cos) + across(along, b, d, cos)
    found = found + across(along, a, d, sin) - across(along, b, c, sin)
    return found * (concentration * concentration * query.shape[-1] ** -0.5)


def _drawn(
    shape: tuple[int, ...], positions: tuple[int, ...], theta: tuple[float, ...], c: float
) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        query, key = normal(generator, *shape), normal(generator, *shape)
        return {"query": query, "key": key, "positions": torch.tensor(positions),
                "inv_freq": torch.tensor(theta).double(), "concentration": c}  # fmt: skip

    return draw


YARN_SCORES = Exercise(
    name="yarn_scores", slug="positions", task="yarn-scores", title="Where the factor enters",
    kind="implement", points=0.5, difficulty=2, importance=2, minutes=15,
    parameters=("query", "key", "positions", "inv_freq", "concentration"),
    outputs=(Output(name="scores", axes="... T S"),),
    axes={"query": "... T D", "key": "... T D", "positions": "T", "inv_freq": "P"},
    fitted=even_rows, reference=_right, equation="eq-concentration",
    next_rung="DeepSeek turns plainly and multiplies the scale by the square: the same scores.",
    probes=(
        Probe(name="a batch", draw=_drawn((2, 3, 8), (4, 1, 9), (1.0, 0.3, 0.06, 0.002), 1.34657),
              gradient=True, single=True, half=True, sizes={"B": 2, "T": 3, "D": 8, "P": 4}),
        Probe(name="one sequence, concentration 1.2",
              draw=_drawn((5, 6), (0, 7, 2, 3, 12), (0.9, 0.2, 0.01), 1.2),
              sizes={"T": 5, "D": 6, "P": 3}),
        Probe(name="two leading axes",
              draw=_drawn((5, 3, 6, 4), (3, 5, 4, 20, 6, 1), (0.5, 0.07), 1.1),
              sizes={"B": 5, "H": 3, "T": 6, "D": 4, "P": 2}),
        Probe(name="concentration 1", draw=_drawn((3, 4), (6, 2, 5), (0.8, 0.1), 1.0), edge=True),
    ),
    misconceptions=(
        Misconception(code="YARN-CONCONCE", wrong=_scores(power=1), sentence=(
            "The concentration enters the scores once. It is a factor on queries and on keys, so a "
            "score has its square.")),
        Misconception(code="YARN-NOCONC", wrong=_scores(power=0), sentence=(
            "The concentration changes nothing.")),
        Misconception(code="YARN-TWICE", wrong=_scores(power=4), also=(_scores(power=3),),
                      sentence=(
            "The concentration enters more often than twice. Whoever multiplies queries and keys "
            "by it leaves the scale alone, and whoever multiplies the scale by its square leaves "
            "them alone.")),
        Misconception(code="YARN-DIVIDED", wrong=_scores(power=-2), also=(
            _scores(power=-1),), sentence=(
            "The scores are divided by the concentration. It is above 1 and makes them larger: "
            "with more keys to read, a softmax would spread too wide.")),
        Misconception(code="YARN-ANGLES", wrong=_scores(power=0, angle=1), sentence=(
            "The angles are multiplied by the concentration. It makes rows longer, and turns "
            "nothing.")),
        Misconception(code="SDPA-NOSCALE", wrong=_scores(root=False), sentence=(
            "The products are not divided by the root of D.")),
        Misconception(code="ROPE-INTERLEAVE", wrong=_scores(query=_neighbours, key=_neighbours),
                      sentence=(
            "Neighbours 2i and 2i + 1 are turned together. Here entry i pairs with entry D / 2 + "
            "i.")),
        Misconception(code="ROPE-ONEK", wrong=_scores(key=_as_it_is), also=(
            _scores(query=_as_it_is),), sentence=(
            "Only queries or only keys are turned. A score then depends on one of the two "
            "positions; with both turned it depends on their distance.")),
        Misconception(code="ROPE-NONE", wrong=_scores(query=_as_it_is, key=_as_it_is), sentence=(
            "Nothing is turned: positions change nothing.")),
        Misconception(code="YARN-SOFTMAX", wrong=_scores(after=lambda scores: scores.softmax(-1)),
                      sentence="A softmax is taken. Asked for are the scores, before it."),
    ),
    alternatives=(_by_complex_numbers, _by_distances),
)  # fmt: skip
