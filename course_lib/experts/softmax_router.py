"""Choose among all experts by one softmax, and leave its shares as they are."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.fitting import require_experts_per_token
from course_lib.experts.router import choose
from course_lib.precision import at_least_float32
from course_lib.shapes import require_projection
from course_lib.sizes import require_positive
from course_lib.softmax import softmax

__all__ = ["grouped_softmax_router"]


def grouped_softmax_router(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C E"],
    A: int,
    num_groups: int,
    groups_kept: int,
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Choose the A largest shares, among the experts of the groups with the largest one.

    .. math:: p = \mathrm{softmax}(x W_{gate}), \qquad i_1 \dots i_A =
        \operatorname{top}_A \big(\mathrm{limit}(p)\big), \qquad w_a = p_{i_a}

    The softmax is over all E experts, those outside of the groups too, so what is handed over is
    the less the more of it went to experts that are not used.

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        A: experts that a token uses.
        num_groups: groups of neighbouring experts, all of one size; 1 for none.
        groups_kept: groups that a token may use; they hold at least A experts.

    Returns:
        The chosen experts, and their weights, which sum to less than one; DeepSeek-V2 multiplies
        them by 16. In the dtype of x, computed in at least float32. NaN in a token makes its own
        weights NaN.

    Raises:
        ValueError: if w_gate has not one row per entry of x, num_groups does not divide E,
            groups_kept is above num_groups, or the groups hold less than A.

    Source: DeepSeek-V2 (arXiv:2405.04434), eq. 20 to 22 and sec. 2.2.2, as in its released code.
    Cost: 2 C E FLOPs a token.
    """
    require_projection("x", x, "w_gate", w_gate)
    require_positive(num_groups=num_groups, groups_kept=groups_kept)
    num_experts = w_gate.shape[-1]
    require_experts_per_token(A, num_experts)
    within = groups_kept * (num_experts // num_groups)
    if num_experts % num_groups or groups_kept > num_groups or within < A:
        raise ValueError(
            "all groups have the same number of experts, and those that are kept hold at least A; "
            f"E is {num_experts}, num_groups {num_groups}, groups_kept {groups_kept} and A {A}"
        )
    shares = softmax(at_least_float32(x) @ at_least_float32(w_gate))
    by_group = torch.unflatten(shares, -1, (num_groups, -1))
    kept = choose(by_group.amax(-1), groups_kept)
    left_out = torch.ones_like(by_group[..., 0], dtype=torch.bool).scatter(-1, kept, False)
    experts = choose(by_group.masked_fill(left_out[..., None], -torch.inf).flatten(-2), A)
    return experts, shares.gather(-1, experts).to(x.dtype)
