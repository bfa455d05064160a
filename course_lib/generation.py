"""From logits to the next token, and the loop that writes one token after another."""

import math
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.model.decoder import Decoder
from course_lib.shapes import require_axes
from course_lib.softmax import softmax

__all__ = [
    "Choose",
    "continue_ids",
    "continue_ids_without_cache",
    "continue_until",
    "generate",
    "greedy",
    "pick",
    "sample",
    "sampler",
    "temperature_logits",
    "top_k_logits",
    "top_p_logits",
]

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
    _require_choice(logits)
    return logits.argmax(-1)


def temperature_logits(
    logits: Float[Tensor, "*batch V"], temperature: float
) -> Float[Tensor, "*batch V"]:
    r"""Divide the logits: below 1 large ones gain, above 1 all become more alike.

    .. math:: z_v / \tau, \qquad \mathrm{softmax}(z / \tau)_v \propto p_v^{1 / \tau}

    Args:
        logits: one row per sequence.
        temperature: τ, above 0. At 0 there would be no logits but a choice: ``greedy``.

    Returns:
        The logits of the sharper or flatter distribution.

    Raises:
        ValueError: if the temperature is not above 0, or not finite.

    Source: Ackley, Hinton and Sejnowski 1985, eq. 3; for text Holtzman et al. 2019
    (arXiv:1904.09751), eq. 5.
    """
    if not (temperature > 0 and math.isfinite(temperature)):
        raise ValueError(
            "logits are divided by a temperature above 0, and at 0 the choice is greedy; "
            f"temperature is {temperature}; shape {tuple(logits.shape)}"
        )
    return logits / temperature


def top_k_logits(logits: Float[Tensor, "*batch V"], k: int) -> Float[Tensor, "*batch V"]:
    r"""Keep the k largest logits; the others become minus infinity, which is weight zero.

    .. math:: z'_v = z_v \text{ if fewer than } k \text{ stand before } v,
        \text{ else } -\infty

    Tokens stand in the order of their logits; of equal ones the lower id stands first. So exactly
    k are kept, also where the k-th logit comes more than once.

    Args:
        logits: one row per sequence.
        k: tokens to keep, from 1 to V.

    Returns:
        The logits; those that are kept are unchanged.

    Raises:
        ValueError: if k is not from 1 to V.

    Source: Fan et al. 2018 (arXiv:1805.04833), sec. 5.4. transformers keeps every token that equals
    the k-th, so more than k.

    >>> top_k_logits(torch.tensor([1.0, 3.0, 1.0, 2.0]), k=3)
    tensor([1., 3., -inf, 2.])
    """
    vocab_size = logits.shape[-1]
    if not 1 <= k <= vocab_size:
        raise ValueError(
            "top-k keeps at least one token and at most all, 1 <= k <= V; "
            f"k is {k} and V is {vocab_size}; shape {tuple(logits.shape)}"
        )
    order = logits.argsort(dim=-1, descending=True, stable=True)
    return logits.scatter(-1, order[..., k:], -torch.inf)


def top_p_logits(logits: Float[Tensor, "*batch V"], p: float) -> Float[Tensor, "*batch V"]:
    r"""Keep the fewest tokens whose weights together reach p; the others become minus infinity.

    .. math:: z'_v = z_v \text{ if } \sum_{u \text{ before } v} \mathrm{softmax}(z)_u < p,
        \text{ else } -\infty

    Tokens stand in the order of their weights; of equal ones the lower id stands first. The token
    with which the sum reaches p is kept, so at least one is.

    Args:
        logits: one row per sequence.
        p: the share to keep, above 0 and at most 1; at 1 nothing changes.

    Returns:
        The logits; those that are kept are unchanged.

    Raises:
        ValueError: if p is not above 0 and at most 1, or a row has no weights: no token, only minus
            infinities, or a NaN.

    Source: Holtzman et al. 2019 (arXiv:1904.09751), sec. 3.1, "nucleus sampling".

    >>> top_p_logits(torch.tensor([0.5, 0.2, 0.3]).log(), p=0.6).exp()
    tensor([0.5000, 0.0000, 0.3000])
    """
    if not 0 < p <= 1:
        raise ValueError(
            f"top-p keeps a share of the weight, 0 < p <= 1; p is {p}; shape {tuple(logits.shape)}"
        )
    _require_choice(logits)
    if p == 1:
        return logits.clone()  # a sum of rounded weights may reach 1 before the last token
    weights, order = softmax(logits.double()).sort(dim=-1, descending=True, stable=True)
    before = weights.cumsum(-1) - weights
    is_cut = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(is_cut, -torch.inf)


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
        ValueError: if a point is outside, or a row has no weights: no token, only minus infinities,
            or a NaN.

    Source: Devroye 1986, "Non-Uniform Random Variate Generation", sec. III.2.

    >>> pick(torch.tensor([0.5, 0.2, 0.3]).log(), torch.tensor(0.6))
    tensor(1)
    """
    _require_choice(logits)
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

    Source: the order is that of transformers.
    """

    def choose(logits: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        if temperature != 0:
            logits = temperature_logits(logits, temperature)
        if top_k is not None:
            logits = top_k_logits(logits, top_k)
        if top_p is not None:
            logits = top_p_logits(logits, top_p)
        return sample(logits, generator) if temperature != 0 else greedy(logits)

    return choose


def generate(
    model: Decoder,
    ids: Int[Tensor, "B T"],
    n: int,
    temperature: float,
    top_k: int | None,
    generator: torch.Generator,
) -> Int[Tensor, "B S"]:
    """Continue sequences by n tokens, each drawn from what the model expects.

    Args:
        model: a decoder.
        ids: the sequences so far, all of one length.
        n: tokens to write; none of them ends a sequence, as with ``continue_until``.
        temperature: what the logits are divided by; 0 means greedy.
        top_k: tokens to draw from, at each step; None means all.
        generator: where the randomness comes from.

    Returns:
        The sequences, T + n tokens each.

    Raises:
        ValueError: as ``continue_ids`` and the functions that ``sampler`` calls.
    """
    return continue_ids(model, ids, n, sampler(generator, temperature=temperature, top_k=top_k))


def continue_ids(
    model: Decoder, ids: Int[Tensor, "B T"], n: int, choose: Choose
) -> Int[Tensor, "B S"]:
    """Continue sequences by n tokens, with a cache: each step reads only what is new.

    Beyond the model's context the last ``context_length`` tokens are read, as without a cache:
    every position has moved then, what was kept is of no use, and each step reads them all.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length.
        n: tokens to write, 0 or more.
        choose: from the logits of the next token to its id: ``greedy``, or what ``sampler`` makes.

    Returns:
        The sequences, T + n tokens each; the same as without a cache.

    Raises:
        ValueError: if n is negative, a sequence has no token, or as the model and ``choose``.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4.
    Cost: n tokens go through the model after the T first ones; without a cache n T + n² / 2 do.
    """
    longer = ids.clone()
    for chosen in _write(model, ids, n, choose):
        longer = torch.cat([longer, chosen], dim=1)
    return longer


def continue_until(
    model: Decoder, ids: Int[Tensor, "B T"], n: int, choose: Choose, end_id: int
) -> Int[Tensor, "B S"]:
    """Continue sequences until each has written the token that ends it, by n tokens at most.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length. An end in them is read like any token.
        n: the most tokens to write, 0 or more.
        choose: from the logits of the next token to its id.
        end_id: the id of the token that ends a sequence.

    Returns:
        The sequences, as long as the longest of them: up to its end a sequence is what
        ``continue_ids`` gives, and it is filled up with end_id.

    Raises:
        ValueError: if end_id is no token of the model, or as ``continue_ids``.

    Source: Sutskever et al. 2014 (arXiv:1409.3215), sec. 2: the end is a token like the others.
    Cost: that of ``continue_ids`` until the last sequence has ended; the others are computed, too.
    """
    vocab_size = model.config.vocab_size
    if not 0 <= end_id < vocab_size:
        raise ValueError(
            "the end of a sequence is a token, 0 <= end_id < V; "
            f"end_id is {end_id} and V is {vocab_size}; shape {tuple(ids.shape)}"
        )
    has_ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    def choose_or_fill(logits: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        return choose(logits).masked_fill(has_ended, end_id)

    longer = ids.clone()
    for chosen in _write(model, ids, n, choose_or_fill):
        longer = torch.cat([longer, chosen], dim=1)
        has_ended |= chosen[:, 0] == end_id
        if has_ended.all():
            break
    return longer


def continue_ids_without_cache(
    model: Decoder, ids: Int[Tensor, "B T"], n: int, choose: Choose
) -> Int[Tensor, "B S"]:
    """Continue sequences by n tokens; each step reads the whole sequence again.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length.
        n: tokens to write, 0 or more.
        choose: from the logits of the next token to its id.

    Returns:
        The sequences, T + n tokens each. Beyond the model's context each token depends on the
        ``context_length`` tokens before it and on no other.

    Raises:
        ValueError: if n is negative, a sequence has no token, or as the model and ``choose``.

    Source: Radford et al. 2019 (GPT-2), sec. 2.
    Cost: n T + n² / 2 tokens go through the model.
    """
    _require_sequence(ids, n)
    with torch.no_grad():
        for _ in range(n):
            logits = model(ids[:, -model.config.context_length :])[:, -1]
            ids = torch.cat([ids, choose(logits).unsqueeze(1)], dim=1)
    return ids.clone()


def _write(model: Decoder, ids: Tensor, n: int, choose: Choose) -> Iterator[Int[Tensor, "B 1"]]:
    """Write n tokens one after another; each is read before the next is chosen."""
    _require_sequence(ids, n)
    context = model.config.context_length
    caches, unread = model.new_caches(), ids[:, -context:]
    for _ in range(n):
        if caches[0].length + unread.shape[1] > context:
            caches, unread = model.new_caches(), ids[:, -context:]
        with torch.no_grad():  # not around the yield: the caller's gradients are the caller's
            unread = choose(model(unread, caches)[:, -1]).unsqueeze(1)
        ids = torch.cat([ids, unread], dim=1)
        yield unread


def _require_choice(logits: Tensor) -> None:
    """Every row has at least one token that can be chosen, and no NaN."""
    vocab_size = logits.shape[-1]
    largest = logits.amax(-1) if vocab_size else logits.new_full(logits.shape[:-1], -torch.inf)
    wrong = ~largest.isfinite()
    if wrong.any():
        raise ValueError(
            "a token is chosen among finite logits (or minus infinity, for never); "
            f"{int(wrong.sum())} of {wrong.numel()} rows have none, a NaN or an infinity; "
            f"V is {vocab_size}, shape {tuple(logits.shape)}"
        )


def _require_sequence(ids: Tensor, n: int) -> None:
    require_axes("ids", ids, "B T")
    if n < 0 or ids.shape[1] < 1:
        raise ValueError(
            "a sequence of at least one token is continued by n >= 0 tokens; "
            f"n is {n} and T is {ids.shape[1]}; shape {tuple(ids.shape)}"
        )
