"""How long a sequence one state of fixed size can hold, whatever the network is."""

import math

from course_lib.sizes import require_above_zero, require_positive, require_whole

__all__ = ["copy_capacity"]


def copy_capacity(bits_per_unit: float, N: int, vocab: int) -> int:
    r"""Return the longest length at which every sequence of tokens can have a state of its own.

    There are vocab^T sequences of T tokens and 2^(b N) states of N units with b bits each. Where
    the first number is larger, two sequences share a state, and no decoder tells them apart:

    .. math:: V^T \le 2^{bN} \quad\Longleftrightarrow\quad T \le \frac{b\, N}{\log_2 V}

    Args:
        bits_per_unit: b, what one unit can be told apart by; 32 is the most that float32 stores.
        N: units of the state.
        vocab: V, the tokens to choose from, at least 2. All are equally likely.

    Returns:
        T, rounded down: a token does not fit by half. It is a bound and no promise; what training
        finds is far below it.

    Raises:
        ValueError: if bits_per_unit is not positive and finite, N is below 1 or vocab below 2, or
            one of the two is no whole number.

    Source: the pigeonhole principle; for the networks see Cho et al. 2014 (arXiv:1409.1259), sec.
    5, and Sutskever et al. 2014 (arXiv:1409.3215).

    >>> copy_capacity(1, 64, 16)
    16
    """
    require_above_zero("bits_per_unit", bits_per_unit, "what a unit holds")
    require_positive(N=N)
    require_whole(vocab=vocab)
    if vocab < 2:
        raise ValueError(
            f"a choice of one token says nothing, so vocab >= 2; vocab is {vocab}, N = {N}"
        )
    return math.floor(bits_per_unit * N / math.log2(vocab))
