"""How far a signal travels between two positions, and how many steps wait for each other."""

from course_lib.sizes import require_count, require_positive

__all__ = ["KINDS", "path_length", "sequential_ops"]

#: The layers that are compared: recurrent, causal and undilated convolution, self-attention.
KINDS = ("rnn", "conv", "attention")


def path_length(kind: str, i: int, j: int, kernel: int | None = None) -> int:
    r"""Count the steps of the shortest way from one position to another.

    .. math::
        \text{rnn } |i - j|, \qquad
        \text{conv } \Big\lceil \frac{|i - j|}{k - 1} \Big\rceil, \qquad
        \text{attention } 1

    Args:
        kind: "rnn": one step from each state to the next. "conv": one layer of a causal convolution
            without dilation, whose kernel reads a position and the k - 1 before it. "attention":
            one layer, in which every position may read every other.
        i: a position, counted from 0.
        j: another position.
        kernel: k, the positions that a kernel reads, at least 2. Only a convolution has one;
            elsewhere it is not looked at.

    Returns:
        The number of steps or layers. It is the same in both directions.

    Raises:
        ValueError: if the kind is none of the three, a position is negative or no whole number, the
            positions are equal, or a convolution has no kernel of 2 or more.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), table 1, "maximum path length", between two
    given positions instead of the two that lie farthest apart. Their O(log_k n) of the convolution
    is that of dilated kernels, and O(n / k) that of ours (sec. 4).

    >>> path_length("rnn", 2, 10), path_length("conv", 2, 10, kernel=3)
    (8, 4)
    """
    _require_kind(kind)
    require_count(i=i, j=j)
    if i == j:
        raise ValueError(
            f"a way leads from one position to another, so i and j differ; i is {i} and j is {j}"
        )
    if kind == "attention":
        return 1
    distance = abs(i - j)
    if kind == "rnn":
        return distance
    if kernel is None:
        raise ValueError("a convolution has a kernel, a whole number from 2 on; kernel is None")
    require_positive(kernel=kernel)
    if kernel < 2:
        raise ValueError(
            "a kernel that reads other positions than its own has at least 2 entries; "
            f"kernel is {kernel}"
        )
    return -(-distance // (kernel - 1))


def sequential_ops(kind: str, T: int) -> int:
    r"""Count the steps of one layer that must wait for each other.

    .. math:: \text{rnn } T, \qquad \text{conv } 1, \qquad \text{attention } 1

    Args:
        kind: "rnn", "conv" or "attention".
        T: positions of the sequence.

    Returns:
        The length of the longest chain of steps in which each needs the result of the one before.
        A step is whatever one position costs in the layer: all of it can run side by side.

    Raises:
        ValueError: if the kind is none of the three, or T is below 1 or no whole number.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), table 1, "sequential operations".

    >>> sequential_ops("rnn", 512), sequential_ops("attention", 512)
    (512, 1)
    """
    _require_kind(kind)
    require_positive(T=T)
    return T if kind == "rnn" else 1


def _require_kind(kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"a layer is one of {', '.join(KINDS)}; kind is {kind!r}")
