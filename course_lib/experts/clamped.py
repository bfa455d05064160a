"""The experts of gpt-oss: biases, and a gate that is cut off."""

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.mixture import grouped_matmul
from course_lib.experts.routed import through_experts
from course_lib.layers.gates import oai_swiglu

__all__ = ["ClampedExperts", "clamped_moe_forward"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClampedExperts:
    """What E experts are made of; gates stand at the even columns, what they gate at the odd ones.

    Attributes:
        w_gate_up: one matrix per expert, into 2 F numbers.
        b_gate_up: a bias of as many numbers for each.
        w_down: one matrix per expert, back to C numbers.
        b_down: a bias of as many numbers for each.
    """

    w_gate_up: Float[Tensor, "E C _"]
    b_gate_up: Float[Tensor, "E _"]
    w_down: Float[Tensor, "E F C"]
    b_down: Float[Tensor, "E C"]

    def __post_init__(self) -> None:
        for name, w, b in (
            ("w_gate_up", self.w_gate_up, self.b_gate_up),
            ("w_down", self.w_down, self.b_down),
        ):
            if b.shape != (w.shape[0], w.shape[-1]):
                raise ValueError(
                    "each expert has a bias for each column of its matrix; "
                    f"{name} has E={w.shape[0]} matrices of {w.shape[-1]} columns and the biases "
                    f"are {tuple(b.shape)}; shapes {tuple(w.shape)} and {tuple(b.shape)}"
                )


def clamped_moe_forward(
    x: Float[Tensor, "*batch T C"],
    experts: Int[Tensor, "*batch T A"],
    weights: Float[Tensor, "*batch T A"],
    parameters: ClampedExperts,
) -> Float[Tensor, "*batch T C"]:
    r"""Send each token through its A experts, each with biases and gpt-oss's gate.

    .. math:: y_t = \sum_a w_{ta}\, \big(h_{ta} D_{e} + d_{e}\big), \qquad
        h_{ta} = \mathrm{oai\_swiglu}(x_t U_{e} + u_{e}), \quad e = i_{ta}

    Args:
        x: one vector per token.
        experts: which experts each token uses, from ``affine_topk_router``.
        weights: how much of each.
        parameters: U, u, D and d of all experts.

    Returns:
        One vector per token. NaN in a token stays there.

    Raises:
        ValueError: if an expert does not exist, or sizes or dtypes do not fit.

    Source: gpt-oss (arXiv:2508.10925), sec. 2.2 and ``torch/model.py``.
    Cost: 6 A C F FLOPs a token; T A (C + 3 F) numbers are held.
    """
    num_experts = len(parameters.w_down)
    return through_experts(x, experts, weights, num_experts, partial(_clamped, parameters))


def _clamped(parameters: ClampedExperts, rows: Tensor, counts: Tensor) -> Tensor:
    opened = grouped_matmul(rows, counts, parameters.w_gate_up)
    inner = oai_swiglu(opened + torch.repeat_interleave(parameters.b_gate_up, counts, dim=0))
    closed = grouped_matmul(inner, counts, parameters.w_down)
    return closed + torch.repeat_interleave(parameters.b_down, counts, dim=0)
