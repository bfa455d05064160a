"""A model continues a sequence: what it writes, it reads."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.generation.choice import Choose, sampler
from course_lib.model.decoder import Decoder
from course_lib.model.padded_reading import require_padding
from course_lib.shapes import require_axes
from course_lib.sizes import require_whole

__all__ = ["continue_ids", "continue_ids_without_cache", "continue_until", "generate"]


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
    model: Decoder,
    ids: Int[Tensor, "B T"],
    n: int,
    choose: Choose,
    padding: Int[Tensor, " B"] | None = None,
) -> Int[Tensor, "B S"]:
    """Continue sequences by n tokens, with a cache: each step reads only what is new.

    Beyond the model's context the last ``context_length`` tokens are read, as without a cache:
    every position has moved then, what was kept is of no use, and each step reads them all.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length.
        n: tokens to write, 0 or more.
        choose: from the logits of the next token to its id: ``greedy``, or what ``sampler`` makes.
        padding: ids that only fill a row up on its left, for sequences of different lengths; None
            means none. ``continue_prompts`` makes both.

    Returns:
        The sequences, T + n tokens each; the same as without a cache.

    Raises:
        ValueError: if n is negative, a sequence has no token, or as the model and ``choose``.

    Source: Shazeer 2019 (arXiv:1911.02150), sec. 2.4.
    Cost: n tokens go through the model after the T first ones; without a cache n T + n² / 2 do.
    """
    longer = ids.clone()
    for chosen in _write(model, ids, n, choose, padding):
        longer = torch.cat([longer, chosen], dim=1)
    return longer


def continue_until(
    model: Decoder,
    ids: Int[Tensor, "B T"],
    n: int,
    choose: Choose,
    end_id: int,
    padding: Int[Tensor, " B"] | None = None,
) -> Int[Tensor, "B S"]:
    """Continue sequences until each has written the token that ends it, by n tokens at most.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length. An end in them is read like any token.
        n: the most tokens to write, 0 or more.
        choose: from the logits of the next token to its id.
        end_id: the id of the token that ends a sequence.
        padding: as for ``continue_ids``.

    Returns:
        The sequences, as long as the longest of them: up to its end a sequence is what
        ``continue_ids`` gives, and it is filled up with end_id.

    Raises:
        ValueError: if end_id is no token of the model, or as ``continue_ids``.

    Source: Sutskever et al. 2014 (arXiv:1409.3215), sec. 2: the end is a token like the others.
    Cost: that of ``continue_ids`` until the last sequence has ended; the others are computed, too.
    """
    vocab_size = model.config.vocab_size
    require_whole(end_id=end_id)
    if not 0 <= end_id < vocab_size:
        raise ValueError(
            "the end of a sequence is a token, 0 <= end_id < V; "
            f"end_id is {end_id} and V is {vocab_size}; shape {tuple(ids.shape)}"
        )
    has_ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    def choose_or_fill(logits: Float[Tensor, "B V"]) -> Int[Tensor, " B"]:
        return choose(logits).masked_fill(has_ended, end_id)

    longer = ids.clone()
    for chosen in _write(model, ids, n, choose_or_fill, padding):
        longer = torch.cat([longer, chosen], dim=1)
        has_ended |= chosen[:, 0] == end_id
        if has_ended.all():
            break
    return longer


def continue_ids_without_cache(
    model: Decoder,
    ids: Int[Tensor, "B T"],
    n: int,
    choose: Choose,
    padding: Int[Tensor, " B"] | None = None,
) -> Int[Tensor, "B S"]:
    """Continue sequences by n tokens; each step reads the whole sequence again.

    Args:
        model: a decoder; it is only read.
        ids: the sequences so far, all of one length.
        n: tokens to write, 0 or more.
        choose: from the logits of the next token to its id.
        padding: as for ``continue_ids``.

    Returns:
        The sequences, T + n tokens each. Beyond the model's context each token depends on the
        ``context_length`` tokens before it and on no other.

    Raises:
        ValueError: if n is negative, a sequence has no token, or as the model and ``choose``.

    Source: Radford et al. 2019 (GPT-2), sec. 2.
    Cost: n T + n² / 2 tokens go through the model.
    """
    _require_sequence(ids, n, padding)
    with torch.no_grad():
        for _ in range(n):
            unread = ids[:, -model.config.context_length :]
            logits = model(unread, padding=_left_of(padding, ids, unread))[:, -1]
            ids = torch.cat([ids, choose(logits).unsqueeze(1)], dim=1)
    return ids.clone()


def _write(
    model: Decoder, ids: Tensor, n: int, choose: Choose, padding: Tensor | None
) -> Iterator[Int[Tensor, "B 1"]]:
    """Write n tokens one after another; each is read before the next is chosen."""
    _require_sequence(ids, n, padding)
    context = model.config.context_length
    caches, unread = model.new_caches(), ids[:, -context:]
    hidden = _left_of(padding, ids, unread)
    for _ in range(n):
        if caches[0].length + unread.shape[1] > context:
            caches, unread = model.new_caches(), ids[:, -context:]
            hidden = _left_of(padding, ids, unread)
        with torch.no_grad():  # not around the yield: the caller's gradients are the caller's
            unread = choose(model(unread, caches, hidden)[:, -1]).unsqueeze(1)
        ids = torch.cat([ids, unread], dim=1)
        yield unread


def _left_of(padding: Tensor | None, ids: Tensor, unread: Tensor) -> Tensor | None:
    """How much of the padding is among the last columns, which are read."""
    if padding is None:
        return None
    return (padding - (ids.shape[1] - unread.shape[1])).clamp(min=0)


def _require_sequence(ids: Tensor, n: int, padding: Tensor | None) -> None:
    require_axes("ids", ids, "B T")
    require_whole(n=n)
    if n < 0 or ids.shape[1] < 1:
        raise ValueError(
            "a sequence of at least one token is continued by n >= 0 tokens; "
            f"n is {n} and T is {ids.shape[1]}; shape {tuple(ids.shape)}"
        )
    if padding is not None:
        require_padding(padding, ids.shape[1])
