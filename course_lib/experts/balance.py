"""What keeps a router from always sending to the same experts: two losses, and a bias."""

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from course_lib.experts.fitting import require_choices
from course_lib.kinds import require_floats, require_same_device, require_tensors
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes
from course_lib.sizes import require_number, require_positive
from course_lib.softmax import logsumexp, softmax

__all__ = ["bias_update", "expert_load", "load_balance_loss", "max_violation", "router_z_loss"]


def expert_load(experts: Int[Tensor, "*shape"], E: int) -> Int[Tensor, " E"]:
    """Count how often each expert was chosen.

    Args:
        experts: ids of chosen experts.
        E: experts that there are.

    Returns:
        One count per expert.

    Raises:
        ValueError: if an expert does not exist.

    >>> expert_load(torch.tensor([[0, 2], [2, 1]]), E=4)
    tensor([1, 1, 2, 0])
    """
    require_choices(experts, E)
    return torch.bincount(experts.flatten(), minlength=E)


def load_balance_loss(
    logits: Float[Tensor, "L T E"],
    experts: Int[Tensor, "L T A"],
    keep: Bool[Tensor, " T"] | None = None,
) -> Float[Tensor, ""]:
    r"""Punish experts that get many tokens and high probabilities at once.

    .. math:: \mathcal{L} = \frac{1}{L} \sum_l E \sum_e f_{le}\, P_{le}, \qquad
        f_{le} = \frac{\text{choices of } e}{\text{tokens}}, \quad
        P_{le} = \text{mean of } \mathrm{softmax}(z_{lt})_e

    f is counted and has no gradient; P has, so the gradient lowers what is chosen too often. Where
    all experts are chosen alike the loss is A.

    Args:
        logits: what each layer's router gave, for all E experts.
        experts: what each layer chose.
        keep: True for tokens that count; False for padding. None counts all.

    Returns:
        The mean over the layers, in at least float32.

    Raises:
        ValueError: if logits and experts are not of the same layers and tokens, if keep has not one
            entry per token, if an expert does not exist, or if no token counts.

    Source: Fedus et al. 2021, Switch Transformers (arXiv:2101.03961), eq. 4 to 6, for A = 1, where
    balance gives 1. transformers' Mixtral takes all layers together as one, which lets their
    faults cancel.
    """
    require_floats(logits=logits)
    require_axes("logits", logits, "L T E")
    require_axes("experts", experts, "L T A")
    require_same_device(logits=logits, experts=experts)
    if logits.shape[:2] != experts.shape[:2] or not logits.numel():
        raise ValueError(
            "each token has logits and choices in each layer; logits has "
            f"{tuple(logits.shape[:2])} layers and tokens and experts {tuple(experts.shape[:2])}; "
            f"shapes {tuple(logits.shape)} and {tuple(experts.shape)}"
        )
    if keep is not None:
        _require_keep(keep, logits.shape[1])
        logits, experts = logits[:, keep], experts[:, keep]
    num_tokens, num_experts = logits.shape[1:]
    loads = torch.stack([expert_load(layer, num_experts) for layer in experts])
    probability = softmax(at_least_float32(logits)).mean(1)  # L E
    shares = loads.to(probability.dtype) / num_tokens
    return (num_experts * (shares * probability).sum(-1)).mean()


def router_z_loss(logits: Float[Tensor, "*tokens E"]) -> Float[Tensor, ""]:
    r"""Punish large logits, whose rounding would move weights.

    .. math:: \mathcal{L}_z = \text{mean over tokens of } \Big(\log \sum_e e^{z_e}\Big)^2

    Args:
        logits: what the router gave.

    Returns:
        One number, in at least float32.

    Raises:
        ValueError: if there is no token or no expert.

    Source: Zoph et al. 2022, ST-MoE (arXiv:2202.08906), eq. 5; they multiply it by 1e-3.
    """
    require_floats(logits=logits)
    if not logits.numel():
        raise ValueError(f"a mean needs at least one token; shape {tuple(logits.shape)}")
    return logsumexp(at_least_float32(logits)).square().mean()


def bias_update(
    load: Num[Tensor, " E"], bias: Float[Tensor, " E"], rate: float
) -> Float[Tensor, " E"]:
    r"""Raise the bias of experts with few tokens, and lower that of experts with many, by one step.

    .. math:: b'_e = b_e + u \,\operatorname{sign}(\bar c - c_e), \qquad \bar c: \text{ mean load}

    No gradient disturbs what the model learns. The bias chooses, and is in no weight.

    Args:
        load: c, how often each expert was chosen in the last batch.
        bias: b, from the step before.
        rate: u; 1e-3 in the paper.

    Returns:
        The new bias, in at least float32: a step of 0.001 is lost beside 0.5 in bfloat16. It is not
        brought back to a mean of zero: only differences choose.

    Raises:
        ValueError: if there is not one load per bias.

    Source: Wang et al. 2024 (arXiv:2408.15664), alg. 1; DeepSeek-V3 (arXiv:2412.19437), sec. 2.1.2.

    >>> bias_update(torch.tensor([4, 1, 1]), torch.zeros(3), rate=0.5)
    tensor([-0.5000,  0.5000,  0.5000])
    """
    require_floats(bias=bias)
    require_same_device(bias=bias, load=load)
    require_number(rate=rate)
    require_axes("bias", bias, "E")
    if load.shape != bias.shape or not load.numel():
        raise ValueError(
            f"each expert has one load and one bias; there are {load.numel()} loads and "
            f"{bias.numel()} biases; shapes {tuple(load.shape)} and {tuple(bias.shape)}"
        )
    counted = load.double()
    wide = at_least_float32(bias)
    return wide + rate * torch.sign(counted.mean() - counted).to(wide.dtype)


def max_violation(load: Num[Tensor, " E"]) -> float:
    r"""Say by how much the busiest expert exceeds its fair share.

    .. math:: \mathrm{MaxVio} = \frac{\max_e c_e - \bar c}{\bar c}

    Args:
        load: c, how often each expert was chosen.

    Returns:
        0 at balance; E - 1 where one expert has all.

    Raises:
        ValueError: if nothing was chosen.

    Source: Wang et al. 2024 (arXiv:2408.15664), eq. 4.

    >>> max_violation(torch.tensor([4, 1, 1]))
    1.0
    """
    require_tensors(load=load)
    require_axes("load", load, "E")
    total = load.sum().item()
    require_positive(total=int(total))
    return float(load.max().item() * load.numel() / total - 1.0)


def _require_keep(keep: Tensor, num_tokens: int) -> None:
    require_tensors(keep=keep)
    if keep.dtype != torch.bool or keep.shape != (num_tokens,) or not keep.any():
        raise ValueError(
            "keep is True for each token that counts, of which there is at least one; there are "
            f"{num_tokens} tokens, and keep is {keep.dtype} with {int(keep.sum())} of "
            f"{keep.numel()} entries True"
        )
