"""state_jacobian_norms: how strongly the last state depends on each one before it."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Output, Probe
from grading.exercises.shared.drawing import normal
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, late, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["STATE_JACOBIAN_NORMS"]

library = late("course_lib.recurrence.gradients")


def _states(T: int, N: int, spread: float = 0.7) -> Any:
    def draw(generator: torch.Generator) -> Inputs:
        hs = (spread * normal(generator, T, N)).tanh()
        return {"w_h": normal(generator, N, N), "hs": hs}

    return draw


# -- the steps ------------------------------------------------------------------------------------


def _compose(do: Any) -> Any:
    def norms(w_h: Tensor, hs: Tensor) -> Any:
        factors = do.factors(w_h, hs)
        return torch.stack([do.norm(do.product(factors, t)) for t in range(len(hs))])

    return norms


def _factors(w_h: Tensor, hs: Tensor) -> Any:
    return [(1 - h * h)[:, None] * w_h.T for h in hs]


def _chain(factors: Any, following: Any) -> Any:
    product = torch.eye(factors[0].shape[0], dtype=factors[0].dtype)
    for factor in following:
        product = factor @ product
    return product


def _product(factors: Any, t: int) -> Any:
    return _chain(factors, factors[t + 1 :])


def _spectral(matrix: Tensor) -> Any:
    wide = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    return torch.linalg.matrix_norm(wide, ord=2).to(matrix.dtype)


def _radius(matrix: Tensor) -> Any:
    wide = matrix.to(torch.promote_types(matrix.dtype, torch.float32))
    return torch.linalg.eigvals(wide).abs().max().to(matrix.dtype)


def _norms_multiplied(factors: Any, t: int) -> Any:
    total = torch.ones((), dtype=factors[0].dtype)
    for factor in factors[t + 1 :]:
        total = total * _spectral(factor)
    return total


STEPS = Pipeline(
    steps=(
        Step(name="factors", right=_factors, wrong={
            "JAC-NODIAG": (Instead(lambda w_h, hs: [w_h.T for _ in hs], product=_product),),
            "JAC-H2": (lambda w_h, hs: [(1 - h)[:, None] * w_h.T for h in hs],),
            "JAC-WT": (Instead(
                lambda w_h, hs: [(1 - h * h)[:, None] * w_h for h in hs], product=_product),),
            "JAC-OLD": (lambda w_h, hs: _factors(w_h, hs.roll(1, 0)),),
        }),
        Step(name="product", right=_product, wrong={
            "JAC-ORDER": (lambda factors, t: _chain(factors, factors[: t : -1]),),
            "JAC-OFF1": (lambda factors, t: _chain(factors, factors[t:]),),
            "JAC-ONESTEP": (lambda factors, t: factors[t],),
            "JAC-FROMSTART": (lambda factors, t: _chain(factors, factors[: t + 1]),),
            "JAC-NORMPROD": (Instead(_norms_multiplied, norm=lambda number: number),),
        }),
        Step(name="norm", right=_spectral, wrong={
            "JAC-FRO": (lambda matrix: torch.sqrt((matrix * matrix).sum()),),
            "JAC-EIG": (_radius,),
            "JAC-LARGEST": (lambda matrix: matrix.abs().max(),),
        }),
    ),
    compose=_compose,
)  # fmt: skip


def _backwards(w_h: Tensor, hs: Tensor) -> Any:
    product = torch.eye(len(w_h), dtype=w_h.dtype)
    norms: list[Tensor] = []
    for h in hs.flip(0):
        norms.insert(0, torch.linalg.svdvals(product.double())[0].to(w_h.dtype))
        product = product @ torch.diag(1 - h**2) @ w_h.T
    return torch.stack(norms)


def _transposed(w_h: Tensor, hs: Tensor) -> Any:
    """Multiply the transposes, as gradients flow: a matrix and its transpose stretch alike."""
    norms: list[Tensor] = []
    product = torch.eye(len(w_h), dtype=torch.float64)
    for t in range(len(hs) - 1, -1, -1):
        norms = [torch.linalg.norm(product, 2), *norms]
        product = (w_h.double() * (1 - hs[t].double().square())) @ product
    return torch.stack(norms).to(hs.dtype)


STATE_JACOBIAN_NORMS = Exercise(
    name="state_jacobian_norms", slug="limits-of-rnns", task="jacobians",
    title="What is left of a gradient", kind="implement", points=1.5, difficulty=3, importance=3,
    minutes=30, parameters=("w_h", "hs"), outputs=(Output(name="norms", axes="T"),),
    axes={"w_h": "N N", "hs": "T N"},
    reference=lambda w_h, hs: library.state_jacobian_norms(w_h, hs),
    equation="eq-jacobian", part="course_lib.recurrence.gradients.state_jacobian_norms",
    steps=STEPS,
    next_rung="Scale w_h by 1.5 and look again: the same formula explodes.",
    probes=(
        Probe(name="seven states of four units", draw=_states(7, 4), sizes={"T": 7, "N": 4},
              single=True),
        Probe(name="three states of five units", draw=_states(3, 5), sizes={"T": 3, "N": 5},
              half=True),
        Probe(name="six states of two units, nearly saturated", draw=_states(6, 2, 1.5),
              sizes={"T": 6, "N": 2}),
        Probe(name="one state", draw=_states(1, 3), sizes={"T": 1, "N": 3}),
        Probe(name="two states of one unit", draw=_states(2, 1), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "JAC-ORDER", (
            "The factors are multiplied in the opposite order. The step that is taken first stands "
            "on the right: J_T ⋯ J_{t+1}. Matrices do not commute.")),
        mistake(STEPS, "JAC-NODIAG", (
            "The derivative of tanh is missing: only the matrix is multiplied. Each step also "
            "multiplies unit n by 1 − h², which is what makes a saturated unit deaf.")),
        mistake(STEPS, "JAC-H2", (
            "The derivative of tanh is 1 − h², and here it is 1 − h. The state itself is already "
            "tanh of the sum.")),
        mistake(STEPS, "JAC-WT", (
            "The matrix is not transposed. With h @ w_h, row i of the Jacobian says how unit i of "
            "the new state changes with each old unit: that is column i of w_h.")),
        mistake(STEPS, "JAC-OLD", (
            "The derivative of tanh is taken at the state before the step. The step into state k "
            "squashes to h_k, so 1 − h_k² belongs to it.")),
        mistake(STEPS, "JAC-OFF1", (
            "There is one factor too many: the step into state t is multiplied too. The last state "
            "depends on itself with norm 1.")),
        mistake(STEPS, "JAC-ONESTEP", (
            "This is the norm of one step for each state. What is asked for reaches from state t "
            "to the last one, over all steps between.")),
        mistake(STEPS, "JAC-FROMSTART", (
            "These products begin at the first state. Asked for is what lies between state t and "
            "the last state.")),
        mistake(STEPS, "JAC-NORMPROD", (
            "The norms of the steps are multiplied. That is a bound: the direction that one step "
            "stretches most is rarely the one that the next stretches most. Multiply the matrices, "
            "then take one norm.")),
        mistake(STEPS, "JAC-FRO", (
            "This is the Frobenius norm, which adds up all directions. At the last state it gives "
            "√N; the largest stretch of the identity is 1.")),
        mistake(STEPS, "JAC-EIG", (
            "This is the largest eigenvalue. A matrix can stretch a vector by far more than its "
            "eigenvalues say: the largest singular value is the stretch.")),
        mistake(STEPS, "JAC-LARGEST", (
            "This is the largest entry of the product. A vector can be stretched by more, for "
            "several entries act together.")),
    ),
    alternatives=(_backwards, _transposed),
)  # fmt: skip
