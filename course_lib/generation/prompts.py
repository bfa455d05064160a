"""Prompts of different lengths in one batch: each is continued as it would be alone."""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.generation.choice import Choose
from course_lib.generation.writing import continue_ids, continue_ids_without_cache, continue_until
from course_lib.kinds import require_integers
from course_lib.model.decoder import Decoder
from course_lib.shapes import require_axes

__all__ = [
    "continue_prompts",
    "continue_prompts_until",
    "continue_prompts_without_cache",
    "padded_left",
]


def padded_left(
    prompts: Sequence[Int[Tensor, " _"]],
) -> tuple[Int[Tensor, "B T"], Int[Tensor, " B"]]:
    """Put sequences into one batch that end together, so that all are continued at one column.

    Args:
        prompts: the sequences, each with at least one token.

    Returns:
        The batch, in int64, as wide as the longest, filled up with id 0 on the left; and how many
        ids of each row only fill it up.

    Raises:
        ValueError: if there is no sequence, or one has not one axis, no token or no integers, or
            lies on another device.

    >>> padded_left([torch.tensor([5, 6, 7]), torch.tensor([8])])
    (tensor([[5, 6, 7],
            [0, 0, 8]]), tensor([0, 2]))
    """
    for number, prompt in enumerate(prompts):
        require_axes(f"prompt {number}", prompt, "T")
    lengths = [len(prompt) for prompt in prompts]
    if not lengths or min(lengths) < 1:
        raise ValueError(
            "a batch holds prompts, each of at least one token; "
            f"there are {len(lengths)} prompts, of lengths {lengths}"
        )
    require_integers(**{f"prompt {number}": prompt for number, prompt in enumerate(prompts)})
    ids = prompts[0].new_zeros(len(prompts), max(lengths), dtype=torch.int64)
    for row, prompt in zip(ids, prompts, strict=True):
        row[-len(prompt) :] = prompt
    return ids, ids.shape[1] - torch.tensor(lengths, device=ids.device)


def continue_prompts(
    model: Decoder, prompts: Sequence[Int[Tensor, " _"]], n: int, choose: Choose
) -> list[Int[Tensor, " _"]]:
    """Continue each prompt by n tokens, all of them in one batch, with a cache.

    Args:
        model: a decoder; it is only read.
        prompts: sequences of any lengths, each with at least one token.
        n: tokens to write, 0 or more.
        choose: from the logits of the next token to its id. One that draws for the whole batch
            from one generator draws other numbers for a row than for the row alone; with
            ``each_its_own`` each row has its own generator.

    Returns:
        Each prompt and its n tokens: what ``continue_ids`` gives for it alone, up to what a batch
        of another shape rounds otherwise.

    Raises:
        ValueError: as ``padded_left`` and ``continue_ids``.

    Source: the same as transformers' ``generate`` with padding on the left and an attention mask.
    Cost: that of the longest prompt for every row.
    """
    ids, padding = padded_left(prompts)
    return _without(padding, continue_ids(model, ids, n, choose, padding))


def continue_prompts_without_cache(
    model: Decoder, prompts: Sequence[Int[Tensor, " _"]], n: int, choose: Choose
) -> list[Int[Tensor, " _"]]:
    """Continue each prompt by n tokens; each step reads all sequences again.

    Args:
        model: a decoder; it is only read.
        prompts: sequences of any lengths, each with at least one token.
        n: tokens to write, 0 or more.
        choose: as for ``continue_prompts``.

    Returns:
        Each prompt and its n tokens; the same as with a cache.

    Raises:
        ValueError: as ``padded_left`` and ``continue_ids``.
    """
    ids, padding = padded_left(prompts)
    return _without(padding, continue_ids_without_cache(model, ids, n, choose, padding))


def continue_prompts_until(
    model: Decoder, prompts: Sequence[Int[Tensor, " _"]], n: int, choose: Choose, end_id: int
) -> list[Int[Tensor, " _"]]:
    """Continue each prompt until it has written the token that ends it, by n tokens at most.

    Args:
        model: a decoder; it is only read.
        prompts: sequences of any lengths, each with at least one token. An end in them is read like
            any token.
        n: the most tokens to write, 0 or more.
        choose: as for ``continue_prompts``.
        end_id: the id of the token that ends a sequence.

    Returns:
        Each prompt and what it wrote, its own end included and nothing after it.

    Raises:
        ValueError: as ``padded_left`` and ``continue_until``.
    """
    ids, padding = padded_left(prompts)
    longer = continue_until(model, ids, n, choose, end_id, padding)
    written = longer[:, ids.shape[1] :]
    is_after = (written == end_id).cumsum(1) - (written == end_id).int() > 0
    kept = longer.shape[1] - is_after.sum(1)
    return [row[first:last] for row, first, last in zip(longer, padding, kept, strict=True)]


def _without(padding: Tensor, ids: Tensor) -> list[Tensor]:
    return [row[first:] for row, first in zip(ids, padding, strict=True)]
