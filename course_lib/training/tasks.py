"""Toy tasks that a small model learns in a minute, each for what it shows about attention."""

import torch
from jaxtyping import Int
from torch import Tensor

from course_lib.sizes import require_whole
from course_lib.training.batch import Batch
from course_lib.training.loss import IGNORE

__all__ = ["START", "copy_batch", "duplication_batch", "induction_batch", "reverse_batch"]

#: The token that begins a target. Id 0 is left to padding, and the symbols begin at 2.
START = 1
_FIRST_SYMBOL = 2


def copy_batch(batch_size: int, length: int, vocab_size: int, generator: torch.Generator) -> Batch:
    """Draw sources of random symbols; the target is the source itself.

    Args:
        batch_size: B, the sequences.
        length: S, symbols of each source.
        vocab_size: V, the padding's id 0 and the start's id 1 included: there are V - 2 symbols.
        generator: where the randomness comes from.

    Returns:
        Source and target; the target is the start token and the symbols, all of which are asked
        for. ``joined`` makes one sequence of both.

    Raises:
        ValueError: if there is no sequence, no symbol to write or no symbol to choose.

    Source: Graves et al. 2014 (arXiv:1410.5401), sec. 4.1, with symbols in place of bits.
    """
    source = _symbols(batch_size, length, vocab_size, generator)
    return _pair(source, source)


def reverse_batch(
    batch_size: int, length: int, vocab_size: int, generator: torch.Generator
) -> Batch:
    """Draw sources of random symbols; the target is the source read from its end.

    Args:
        batch_size: B, the sequences.
        length: S, symbols of each source.
        vocab_size: V, the padding's id 0 and the start's id 1 included.
        generator: where the randomness comes from.

    Returns:
        Source and target; the target is the start token and the symbols, which are asked for.

    Raises:
        ValueError: if there is no sequence, no symbol to write or no symbol to choose.
    """
    source = _symbols(batch_size, length, vocab_size, generator)
    return _pair(source, source.flip(1))


def duplication_batch(
    batch_size: int, length: int, vocab_size: int, generator: torch.Generator
) -> Batch:
    """Draw sequences 0 w 0 w: a word of random symbols, twice.

    Args:
        batch_size: B, the sequences.
        length: symbols of the word w; a sequence has T = 2 (length + 1) tokens.
        vocab_size: V; the mark is 0, the symbols are 1 to V - 1.
        generator: where the randomness comes from.

    Returns:
        The sequences; the second w is asked for.

    Raises:
        ValueError: if there is no sequence, no symbol to write or no symbol to choose.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 2, with 127 symbols and a length of 511.
    They count the whole second half, and so the second 0 as well.
    """
    _require_sizes(batch_size, length, 1, vocab_size)
    shape = (batch_size, length)
    word = torch.randint(1, vocab_size, shape, generator=generator, device=generator.device)
    mark = torch.zeros_like(word[:, :1])
    unasked = torch.full((batch_size, length + 2), IGNORE, device=word.device)
    return Batch(
        inputs=(torch.cat([mark, word, mark, word], dim=1),),
        targets=torch.cat([unasked, word], dim=1),
    )


def induction_batch(
    batch_size: int, num_pairs: int, vocab_size: int, generator: torch.Generator
) -> Batch:
    """Draw sequences … A B … A, in which B must follow: what came after A the last time.

    Pairs of symbols, all different, stand in a row; then the same pairs in another order. Neither
    a symbol nor a position tells what follows A; only the past of this very sequence does.

    Args:
        batch_size: B, the sequences.
        num_pairs: the pairs; a sequence has T = 4 num_pairs tokens.
        vocab_size: V, all of them symbols; at least 2 num_pairs.
        generator: where the randomness comes from.

    Returns:
        The sequences; the second symbol of each pair is asked for, when the pair comes again.

    Raises:
        ValueError: if there is no sequence, no pair, or not a symbol for each place.

    Source: Olsson et al. 2022 (arXiv:2209.11895), who repeat one random sequence as a whole: there
    a layer may look back by a fixed distance and needs no induction.
    """
    require_whole(num_pairs=num_pairs)
    _require_sizes(batch_size, num_pairs, 2 * num_pairs - 1, vocab_size)
    symbols = _orders(batch_size, vocab_size, generator)[:, : 2 * num_pairs]
    pairs = symbols.view(batch_size, num_pairs, 2)
    order = _orders(batch_size, num_pairs, generator)
    again = pairs.gather(1, order.unsqueeze(-1).expand_as(pairs))
    asked = again.clone()
    asked[..., 0] = IGNORE
    tokens = torch.cat([pairs.flatten(1), again.flatten(1)], dim=1)
    targets = torch.cat([torch.full_like(asked, IGNORE).flatten(1), asked.flatten(1)], dim=1)
    return Batch(inputs=(tokens,), targets=targets)


def _symbols(
    batch_size: int, length: int, vocab_size: int, generator: torch.Generator
) -> Int[Tensor, "B T"]:
    _require_sizes(batch_size, length, _FIRST_SYMBOL, vocab_size)
    shape = (batch_size, length)
    return torch.randint(
        _FIRST_SYMBOL, vocab_size, shape, generator=generator, device=generator.device
    )


def _orders(rows: int, size: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """One random order of 0 … size - 1 a row."""
    return torch.rand(rows, size, generator=generator, device=generator.device).argsort(dim=1)


def _pair(source: Tensor, written: Tensor) -> Batch:
    target = torch.cat([torch.full_like(source[:, :1], START), written], dim=1)
    asked = target.clone()
    asked[:, 0] = IGNORE
    return Batch(inputs=(source, target), targets=asked)


def _require_sizes(batch_size: int, length: int, num_taken: int, vocab_size: int) -> None:
    """Refuse a task without symbols: of V ids some are taken, and the others may be drawn."""
    require_whole(batch_size=batch_size, length=length, vocab_size=vocab_size)
    num_choices = vocab_size - num_taken
    if batch_size < 1 or length < 1 or num_choices < 1:
        raise ValueError(
            "a task has at least one sequence, one symbol to write and one to choose from; "
            f"batch_size is {batch_size}, the length {length}, and vocab_size {vocab_size} leaves "
            f"{num_choices}"
        )
