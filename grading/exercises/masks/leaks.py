"""leak_matrix: the causality oracle, who depends on whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grading.exercise import Answer, Exercise, Inputs, Misconception, Output, Probe
from grading.late import Tensor, late, torch
from grading.observation.values import Named, tensor

__all__ = ["LEAK_MATRIX"]

library = late("course_lib.leaks")
Rows = Sequence[Sequence[float]]


def _probe(name: str, mix: Rows, features: Rows, *, edge: bool = False) -> Probe:
    """Ask about x -> mix @ x @ features, with whole numbers in x, so that sums are exact."""
    T, C = len(mix), len(features)

    def draw(generator: torch.Generator) -> Inputs:
        f = Named("rows mixed", {"mix": tensor(mix), "features": tensor(features)})
        whole = torch.randint(-4, 5, (T, C), generator=generator)
        return {"f": f, "x": whole.double()}

    return Probe(name=name, draw=draw, edge=edge, sizes={} if edge else {"T": T, "C": C})


PROBES = (
    _probe("a causal function, except that position 1 reads position 3",
           [[1.0, 0.0, 0.0, 0.0], [1.0, 2.0, 0.0, 3.0], [0.0, 1.0, 1.0, 0.0],
            [2.0, 0.0, 1.0, 1.0]],
           [[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]),
    _probe("a position that does not read itself",
           [[0.0, 0.0, 0.0, 2.0], [1.0, 1.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0],
            [0.0, 0.0, 3.0, 1.0]],
           [[1.0, 2.0], [1.0, 1.0], [2.0, 1.0], [1.0, 3.0], [0.0, 1.0]]),
    _probe("a weight of 1e-9",
           [[1.0, 0.0, 0.0, 0.0], [2.0, 1.0, 0.0, 0.0], [1.0, 1e-9, 1.0, 0.0],
            [0.0, 1.0, 0.0, 1.0]],
           [[1.0, 0.0], [1.0, 2.0]]),
    _probe("what grows where x grows, and what falls",
           [[1.0, 0.0, 0.0], [-2.0, 1.0, 0.0], [0.0, -1.0, -3.0]],
           [[1.0, 2.0], [2.0, 1.0]]),
    _probe("only the last number of a row is read",
           [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [2.0, 0.0, 1.0]],
           [[0.0, 0.0], [1.0, 2.0]]),
    _probe("the mean of each row is taken away",
           [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 4.0, 2.0]],
           [[0.5, -0.5], [-0.5, 0.5]]),
    _probe("the first column of the result is always 0",
           [[1.0, 0.0, 2.0], [3.0, 1.0, 0.0], [0.0, 1.0, 1.0]],
           [[0.0, 1.0], [0.0, 3.0]]),
    _probe("columns that cancel in a sum",
           [[1.0, 0.0, 2.0], [3.0, 1.0, 0.0], [0.0, 1.0, 1.0]],
           [[1.0, -1.0], [2.0, -2.0]]),
    _probe("a single column", [[1.0, 0.0], [1.0, 1.0]], [[1.0]], edge=True),
)  # fmt: skip


def _oracle(
    change: Any = None, differ: Any = None, *, keep: bool = False, finish: Any = None
) -> Answer:
    """Return an oracle that changes rows one after the other, with some step done otherwise."""
    change = change or _each_number
    differ = differ or _any_difference

    def leak_matrix(f: Any, x: Tensor) -> Tensor:
        T, plain = len(x), f(x.clone())
        found = torch.zeros(T, T, dtype=torch.bool)
        for s in range(T):
            for step in change(x):
                changed = x.clone()
                changed[0 if keep else s : s + 1] += step
                found[:, s] |= differ(plain, f(changed))
        return found if finish is None else finish(found)

    return leak_matrix


def _each_number(x: Tensor) -> Tensor:
    """Return one change for each number of a row."""
    return torch.eye(x.shape[1], dtype=x.dtype)


def _evenly(size: float) -> Any:
    return lambda x: [size]


def _the_first(x: Tensor) -> Any:
    return _each_number(x)[:1]


def _small(size: float) -> Any:
    return lambda x: size * _each_number(x)


def _any_difference(plain: Tensor, changed: Tensor) -> Tensor:
    return (plain != changed).any(-1)


def _beyond(size: float) -> Any:
    return lambda plain, changed: ((plain - changed).abs() > size).any(-1)


def _not_close(plain: Tensor, changed: Tensor) -> Tensor:
    return ~torch.isclose(plain, changed).all(-1)


def _first_column(plain: Tensor, changed: Tensor) -> Tensor:
    return plain[:, 0] != changed[:, 0]


def _grown(plain: Tensor, changed: Tensor) -> Tensor:
    return (changed > plain).any(-1)


def _summed(plain: Tensor, changed: Tensor) -> Tensor:
    return (changed - plain).sum(-1) != 0


def _own(found: Tensor) -> Tensor:
    return found & torch.eye(len(found), dtype=torch.bool)


def _by_jacobian(f: Any, x: Tensor) -> Tensor:
    jacobian: Tensor = torch.func.jacrev(f)(x)
    return (jacobian != 0).any(-1).any(1)


def _row_by_row(f: Any, x: Tensor) -> Tensor:
    """Ask for the gradient of each number of the result."""
    rows = []
    for t in range(len(x)):
        held = x.clone().requires_grad_()
        reads = torch.zeros(len(x), dtype=torch.bool)
        for number in f(held)[t]:
            (grad,) = torch.autograd.grad(number, held, retain_graph=True)
            reads |= (grad != 0).any(-1)
        rows.append(reads)
    return torch.stack(rows)


def _by_random_changes(f: Any, x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    plain, columns = f(x), []
    for s in range(x.shape[0]):
        changed = x.clone()
        changed[s] = torch.randn(x.shape[1], generator=generator, dtype=x.dtype)
        columns.append((f(changed) - plain).abs().amax(-1) > 0)
    return torch.stack(columns, -1)


LEAK_MATRIX = Exercise(
    name="leak_matrix", slug="masks", task="leaks", title="Who depends on whom",
    kind="implement", points=0.75, difficulty=3, importance=3, minutes=30,
    parameters=("f", "x"), outputs=(Output(name="depends", axes="T T", dtype="bool"),),
    axes={"x": "T C"},
    reference=lambda f, x: library.leak_matrix(f, x), equation="eq-leaks",
    part="course_lib.leaks.leak_matrix",
    next_rung="A causal model has no True right of the diagonal. Try it on a model of yours.",
    probes=PROBES,
    misconceptions=(
        Misconception(code="LEAK-DIAGONLY", wrong=_oracle(finish=_own), sentence=(
            "Each position is compared with itself alone. A leak is a change at another one: after "
            "row s has changed, look at every row of the result.")),
        Misconception(code="LEAK-CUMUL", wrong=_oracle(keep=True), sentence=(
            "The rows that were changed before are still changed. Then a row of the result moves "
            "because of any of them. Start again from x for every row.")),
        Misconception(code="LEAK-TINY", wrong=_oracle(differ=_not_close), also=(
            *(_oracle(differ=_beyond(size)) for size in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8)),
            *(_oracle(change=_small(size)) for size in (1e-8, 1e-7, 1e-9)),
            *(_oracle(change=_small(size), differ=_not_close) for size in (1e-3, 1e-6))),
            sentence=(
            "A weak dependence is missed, such as through a weight of 1e-9: the change is too "
            "small, or what it moves is rounded away or taken for nothing. f gives the same "
            "numbers for the same x, so any difference counts.")),
        Misconception(code="LEAK-TRANSP", wrong=_oracle(finish=lambda found: found.mT), sentence=(
            "Rows and columns are exchanged. Row t of the answer is about row t of f(x), column s "
            "about row s of x.")),
        Misconception(code="LEAK-EVEN", wrong=_oracle(change=_evenly(1.0)), also=tuple(
            _oracle(change=_evenly(size)) for size in (10.0, -1.0, 100.0)), sentence=(
            "All numbers of a row change by the same amount. A function that takes away the row's "
            "mean first, as a layer norm does, does not see that. Change one number at a time, or "
            "each by another amount.")),
        Misconception(code="LEAK-ONENUMBER", wrong=_oracle(change=_the_first), sentence=(
            "Only the first number of a row is changed. f may read another one.")),
        Misconception(code="LEAK-ONECOLUMN", wrong=_oracle(differ=_first_column), sentence=(
            "Only the first number of each row of the result is compared. Any of them may move.")),
        Misconception(code="LEAK-SIGN", wrong=_oracle(differ=_grown), sentence=(
            "Only what grows is counted. A result that falls has moved as well.")),
        Misconception(code="LEAK-SUMMED", wrong=_oracle(differ=_summed), sentence=(
            "The differences of a row are added up. Where one number grows and another falls by as "
            "much, the sum is 0. Ask whether any number differs.")),
        Misconception(code="LEAK-AHEAD", wrong=_oracle(finish=lambda found: found.triu(1)),
                      sentence=(
            "Only what lies ahead is reported. The whole matrix is asked for: also what a position "
            "reads rightly, itself included.")),
        Misconception(code="LEAK-ITSELF", wrong=_oracle(
            finish=lambda found: found | torch.eye(len(found), dtype=torch.bool)), sentence=(
            "Every position is said to depend on itself. That has to be seen too: f may leave it "
            "out.")),
    ),
    alternatives=(_by_jacobian, _row_by_row, _by_random_changes),
)  # fmt: skip
