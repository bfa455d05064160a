"""A router says which experts a token uses, and how much of each."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.experts.fitting import require_experts_per_token
from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_projection
from course_lib.sizes import require_positive
from course_lib.softmax import softmax

__all__ = ["choose", "grouped_sigmoid_router", "limit_groups", "sigmoid_router", "topk_router"]


def choose(priorities: Float[Tensor, "*rows E"], A: int) -> Int[Tensor, "*rows A"]:
    r"""Name the A experts of the highest priority, the highest first.

    Args:
        priorities: one number per expert, whatever it was made of.
        A: how many are chosen, all different.

    Returns:
        Their ids; of equal priorities the lower id comes first. No gradient passes through a
        choice. NaN counts as the largest.

    Raises:
        ValueError: if A is below 1 or above E.

    Source: Shazeer et al. 2017 (arXiv:1701.06538), eq. 5.

    >>> choose(torch.tensor([0.1, 0.7, 0.2]), 2)
    tensor([1, 2])
    """
    require_floats(priorities=priorities)
    require_experts_per_token(A, priorities.shape[-1])
    return priorities.detach().argsort(dim=-1, descending=True, stable=True)[..., :A]


def topk_router(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C E"],
    A: int,
    bias: Float[Tensor, " E"] | None = None,
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Choose the A largest logits, and let a softmax over them say how much of each.

    .. math:: z = x W_{gate}, \qquad i_1 \dots i_A = \operatorname{top}_A (z + b), \qquad
        w_a = \frac{e^{z_{i_a}}}{\sum_c e^{z_{i_c}}}

    A softmax over all E experts, divided by the sum of the chosen ones, gives the same weights.

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        A: experts that a token uses.
        bias: b, which balances the loads: it chooses, and is in no weight. None means zero.

    Returns:
        The chosen experts, and their weights, which sum to one, in the dtype of x; both are
        computed in at least float32. NaN in a token makes its own weights NaN.

    Raises:
        ValueError: if w_gate has not one row per entry of x, the bias not one number per expert,
            or A is above E.

    Source: Mixtral (arXiv:2401.04088), eq. 1, after Shazeer et al. 2017 (arXiv:1701.06538), eq. 3
    to 5, without noise; the bias: Wang et al. 2024 (arXiv:2408.15664), eq. 3. Shazeer's own model
    and GShard leave the softmax over all experts as it is.
    Cost: 2 C E FLOPs a token.
    """
    logits = _logits(x, w_gate, bias)
    experts = choose(logits if bias is None else logits + bias, A)
    return experts, softmax(logits.gather(-1, experts)).to(x.dtype)


def sigmoid_router(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C E"],
    A: int,
    bias: Float[Tensor, " E"] | None = None,
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Give each expert an affinity of its own, and divide the chosen ones by their sum.

    .. math:: s = \sigma(x W_{gate}), \qquad i_1 \dots i_A = \operatorname{top}_A (s + b), \qquad
        w_a = \frac{s_{i_a}}{\sum_c s_{i_c}}

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        A: experts that a token uses.
        bias: b, which chooses and is in no weight; it is added to the affinities, not to the
            logits. None means zero.

    Returns:
        The chosen experts, and their weights, which sum to one; DeepSeek-V3 multiplies them by 2.5.
        In the dtype of x, computed in at least float32. Affinities that all round to zero are
        divided by the smallest normal number: weights of zero.

    Raises:
        ValueError: as ``topk_router``.

    Source: DeepSeek-V3 (arXiv:2412.19437), eq. 13 to 16.
    Cost: 2 C E FLOPs a token.
    """
    affinities = torch.sigmoid(_logits(x, w_gate, bias))
    experts = choose(affinities if bias is None else affinities + bias, A)
    return experts, _shares(affinities, experts).to(x.dtype)


def grouped_sigmoid_router(
    x: Float[Tensor, "*batch C"],
    w_gate: Float[Tensor, "C E"],
    A: int,
    bias: Float[Tensor, " E"],
    num_groups: int,
    groups_kept: int,
) -> tuple[Int[Tensor, "*batch A"], Float[Tensor, "*batch A"]]:
    r"""Choose as ``sigmoid_router``, among the experts of a few groups only.

    A group lies on one node of a cluster, so a token visits few nodes.

    .. math:: i_1 \dots i_A = \operatorname{top}_A \big(\mathrm{limit}(s + b)\big)

    Args:
        x: one vector per token.
        w_gate: one column per expert.
        A: experts that a token uses.
        bias: b; zeros where there is none.
        num_groups: groups of neighbouring experts, all of one size.
        groups_kept: groups that a token may use; they hold at least A experts.

    Returns:
        Experts and weights as ``sigmoid_router`` returns them.

    Raises:
        ValueError: as ``topk_router`` and ``limit_groups``, or if the groups hold less than A.

    Source: DeepSeek-V3 (arXiv:2412.19437), sec. 2.1.2, node-limited routing: 8 groups, 4 kept.
    Cost: 2 C E FLOPs a token.
    """
    require_experts_per_token(A, w_gate.shape[-1])
    affinities = torch.sigmoid(_logits(x, w_gate, bias))
    priorities = limit_groups(affinities + bias, num_groups, groups_kept)
    within = groups_kept * (w_gate.shape[1] // num_groups)
    if within < A:
        raise ValueError(
            "the groups that are kept hold at least the A experts of a token; they hold "
            f"{within} and A is {A}, with num_groups = {num_groups}, groups_kept = {groups_kept}"
        )
    experts = choose(priorities, A)
    return experts, _shares(affinities, experts).to(x.dtype)


def limit_groups(
    priorities: Float[Tensor, "*rows E"], num_groups: int, groups_kept: int
) -> Float[Tensor, "*rows E"]:
    r"""Keep the priorities of the best groups, and set all others to minus infinity.

    A group is as good as its two best experts together.

    Args:
        priorities: one number per expert; group j has the experts from j E / num_groups on.
        num_groups: groups of neighbouring experts; divides E.
        groups_kept: how many groups stay; of equals the first.

    Returns:
        The priorities, minus infinity outside of the groups that are kept.

    Raises:
        ValueError: if num_groups does not divide E, or groups_kept is above num_groups.

    Source: DeepSeek-V3 (arXiv:2412.19437), sec. 2.1.2, with two experts a group as in its released
    code. DeepSeek-V2 takes the best one alone.

    >>> limit_groups(torch.tensor([0.9, 0.0, 0.5, 0.6]), num_groups=2, groups_kept=1)
    tensor([  -inf,   -inf, 0.5000, 0.6000])
    """
    require_floats(priorities=priorities)
    require_positive(num_groups=num_groups, groups_kept=groups_kept)
    experts = priorities.shape[-1]
    if experts % num_groups or groups_kept > num_groups:
        raise ValueError(
            "all groups have the same number of experts, and some of them are kept; E is "
            f"{experts}, num_groups {num_groups} and groups_kept {groups_kept}"
        )
    by_group = torch.unflatten(priorities, -1, (num_groups, -1))
    best_two = by_group.sort(dim=-1, descending=True).values[..., :2].sum(-1)
    kept = choose(best_two, groups_kept)
    left_out = torch.ones_like(best_two, dtype=torch.bool).scatter(-1, kept, False)
    return by_group.masked_fill(left_out[..., None], -torch.inf).flatten(-2)


def _logits(x: Tensor, w_gate: Tensor, bias: Tensor | None) -> Tensor:
    require_projection("x", x, "w_gate", w_gate)
    if bias is not None:
        require_floats(bias=bias)
        if bias.shape != w_gate.shape[1:]:
            raise ValueError(
                "the bias has one number per expert; w_gate has "
                f"E={w_gate.shape[1]} columns and the bias {bias.numel()} numbers; "
                f"shapes {tuple(w_gate.shape)} and {tuple(bias.shape)}"
            )
    return at_least_float32(x) @ at_least_float32(w_gate)


def _shares(affinities: Tensor, experts: Tensor) -> Tensor:
    chosen = affinities.gather(-1, experts)
    smallest = torch.finfo(chosen.dtype).tiny
    return chosen / chosen.sum(-1, keepdim=True).clamp(min=smallest)
