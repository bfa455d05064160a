"""Batches of text for a language model, and the loss that needs no model to reach."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.entropy import entropy
from course_lib.kinds import require_integers
from course_lib.shapes import require_axes
from course_lib.sizes import require_whole
from course_lib.training.batch import Batch

__all__ = ["text_batch", "unigram_entropy"]


def text_batch(
    ids: Int[Tensor, " _"], batch_size: int, length: int, generator: torch.Generator
) -> Batch:
    """Cut passages out of a text, each from a random place.

    Args:
        ids: the text as token ids.
        batch_size: B, the passages.
        length: T, tokens of each.
        generator: where the randomness comes from.

    Returns:
        The passages; every token but the first of each is asked for.

    Raises:
        ValueError: if there is no passage, or the text is shorter than one.

    Source: nanoGPT's ``get_batch`` draws likewise; every place is as likely.
    """
    _require_text(ids)
    require_whole(batch_size=batch_size, length=length)
    if batch_size < 1 or not 1 <= length <= len(ids):
        raise ValueError(
            "there is at least one passage, and it fits into the text; "
            f"batch_size is {batch_size} and length {length}; the text has {len(ids)} tokens, "
            f"shape {tuple(ids.shape)}"
        )
    places = len(ids) - length + 1
    starts = torch.randint(places, (batch_size, 1), generator=generator, device=generator.device)
    passages = ids[(starts + torch.arange(length, device=starts.device)).to(ids.device)]
    return Batch(inputs=(passages,), targets=passages)


def unigram_entropy(ids: Int[Tensor, " _"], vocab_size: int) -> Float[Tensor, ""]:
    r"""Measure the least loss that a text leaves to a model which reads nothing.

    .. math:: H = -\sum_v p_v \log p_v, \qquad
        p_v = \text{the share of the text's tokens that are } v

    Args:
        ids: the text as token ids.
        vocab_size: V words.

    Returns:
        The entropy in nats. A loss below it on the same text means that the context is used.

    Raises:
        ValueError: if there is no token, or one is no entry of the vocabulary.

    Source: Shannon 1951, "Prediction and Entropy of Printed English", F_1.

    >>> unigram_entropy(torch.tensor([0, 1, 1, 0]), vocab_size=3)
    tensor(0.6931, dtype=torch.float64)
    """
    _require_text(ids)
    require_whole(vocab_size=vocab_size)
    if not len(ids) or ids.min() < 0 or ids.max() >= vocab_size:
        found = f"go from {ids.min()} to {ids.max()}" if len(ids) else "are none"
        raise ValueError(
            "a text has at least one token, and each is an id from 0 to V - 1; "
            f"V is {vocab_size} and the ids {found}; shape {tuple(ids.shape)}"
        )
    counts = torch.bincount(ids, minlength=vocab_size)
    return entropy(counts.double() / len(ids))


def _require_text(ids: Tensor) -> None:
    require_integers(ids=ids)
    require_axes("ids", ids, "T")
