"""The choice of one token: the likeliest, or a draw."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.generation.logits import (
    require_choice,
    temperature_logits,
    top_k_logits,
    top_p_logits,
)
from course_lib.kinds import require_floats
from course_lib.sizes import require_number
from course_lib.softmax import softmax

__all__ = ["Choose", "each_its_own", "greedy", "pick", "sample", "sampler"]


#: From the logits of the next token to its id, for each sequence of a batch.
Choose = Callable[[Float[Tensor, "B V"]], Int[Tensor, " B"]]


def greedy(logits: Float[Tensor, "*batch V"]) -> Int[Tensor, "*batch"]:
    """Choose the token with the largest logit.

    Args:
        logits: one row per sequence.

    Returns:
        Its id; of equal logits, the lowest id.

    Raises:
        ValueError: if a row has no largest logit: no token, or a NaN.

    >>> greedy(torch.tensor([0.0, 2.0, 2.0]))
    tensor(1)
    """
    require_choice(logits)
    return logits.argmax(-1)


def pick(
    logits: Float[Tensor, "*batch V"], uniform: Float[Tensor, "*batch"]
) -> Int[Tensor, "*batch"]:
    r"""Choose the token on which a point falls, when the weights are laid end to end.

    .. math:: \min \{ v : \sum_{u \le v} \mathrm{softmax}(\text{logits})_u > \text{uniform} \}

    Args:
        logits: one row per sequence; minus infinity is never chosen.
        uniform: one point per row, from 0 to just below 1.

    Returns:
        One id per row.

    Raises:
        ValueError: if there is not one point per row, a point is outside, or a row has no weights:
            no token, only minus infinities, or a NaN.

    Source: Devroye 1986, "Non-Uniform Random Variate Generation", sec. III.2.

    >>> pick(torch.tensor([0.5, 0.2, 0.3]).log(), torch.tensor(0.6))
    tensor(1)
    """
    require_choice(logits)
    require_floats(logits=logits, uniform=uniform)
    if uniform.shape != logits.shape[:-1]:
        raise ValueError(
            "every row of logits has one point in uniform; "
            f"there are {logits.shape[:-1].numel()} rows and {uniform.numel()} points; "
            f"shapes {tuple(logits.shape)} and {tuple(uniform.shape)}"
        )
    outside = uniform[~((uniform >= 0) & (uniform < 1))]
    if outside.numel():
        raise ValueError(
            "a point lies on the weights, 0 <= uniform < 1; "
            f"{outside.numel()} do not, one is {outside[0].item()}; shape {tuple(uniform.shape)}"
        )
    ends = softmax(logits.double()).cumsum(-1)
    ends = ends / ends[..., -1:]  # the last is 1 exactly, so every point lies before an end
    return (ends <= uniform.double().unsqueeze(-1)).sum(-1)


def sample(logits: Float[Tensor, "*batch V"], generator: torch.Generator) -> Int[Tensor, "*batch"]:
    r"""Draw a token: each as often as its weight says.

    .. math:: P(\text{id} = v) = \mathrm{softmax}(\text{logits})_v

    Args:
        logits: one row per sequence; each row is drawn for itself.
        generator: where the randomness comes from, one number a row.

    Returns:
        One id per row.

    Raises:
        ValueError: if a row has no weights: no token, only minus infinities, or a NaN.

    Source: the point of ``pick`` is uniform.
    """
    require_choice(logits)
    uniform = torch.rand(
        logits.shape[:-1], generator=generator, dtype=torch.float64, device=generator.device
    )
    return pick(logits, uniform.to(logits.device))


def sampler(
    generator: torch.Generator,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Choose:
    """Put a way to choose together: the temperature, then top-k, then top-p, then the draw.

    Args:
        generator: where the randomness comes from.
        temperature: what the logits are divided by. 0 means greedy: nothing is drawn, and neither
            top-k nor top-p could change the choice.
        top_k: tokens to keep; None keeps all.
        top_p: the share of the weight to keep, of what top-k has left; None keeps all.

    Returns:
        A function from logits to ids, for ``continue_ids``. It raises what the functions raise that
        it calls.

    Raises:
        ValueError: if the temperature is no number; False, for one, is not 0.

    Source: the order is that of transformers.
    """
    require_number(temperature=temperature)

    def choose(logits: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        if temperature != 0:
            logits = temperature_logits(logits, temperature)
        if top_k is not None:
            logits = top_k_logits(logits, top_k)
        if top_p is not None:
            logits = top_p_logits(logits, top_p)
        return sample(logits, generator) if temperature != 0 else greedy(logits)

    return choose


def each_its_own(choosers: Sequence[Choose]) -> Choose:
    """Let each sequence of a batch choose in its own way.

    With a sampler and a generator for each, a sequence draws in a batch what it draws alone.

    Args:
        choosers: one per sequence.

    Returns:
        A function from the batch's logits to its ids.

    Raises:
        ValueError: where the function is called with logits that have not one row per chooser.
    """

    def choose(logits: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        if len(logits) != len(choosers):
            raise ValueError(
                "each sequence has one way to choose; "
                f"there are {len(choosers)} and B is {len(logits)}; shape {tuple(logits.shape)}"
            )
        rows = zip(choosers, logits.split(1), strict=True)  # type: ignore[no-untyped-call]
        return torch.cat([choose_one(row) for choose_one, row in rows])

    return choose
