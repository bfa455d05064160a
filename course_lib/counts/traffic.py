"""How many bytes attention moves between a GPU's large memory and its chip."""

from course_lib.sizes import require_positive

__all__ = ["METHODS", "hbm_traffic"]

#: The ways to attend that are compared: scores written out, and tiles of them on the chip.
METHODS = ("naive", "flash")


def hbm_traffic(T: int, D: int, M: int, method: str, bytes: int = 2) -> int:
    r"""Count the bytes that one head's forward pass reads and writes in the large memory.

    The naive way reads Q and K, writes the scores, reads them and writes the weights, reads weights
    and V and writes the output. The tiled one reads Q and writes O once, and reads K and V again
    for each block of queries; so many rows of four matrices are on the chip at a time:

    .. math::
        \text{naive } \beta\, (4 T D + 4 T^2), \qquad
        \text{flash } \beta\, \Big(2 T D + 2 T D \Big\lceil \frac{T}{t} \Big\rceil\Big), \qquad
        t = \Big\lfloor \frac{\mathit{chip}}{4 D} \Big\rfloor

    Args:
        T: queries, and as many keys.
        D: entries of a query, a key and a value.
        M: how many numbers the chip holds at a time, written chip in the formula.
        method: "naive" or "flash".
        bytes: β, bytes of a number; 2 in half precision.

    Returns:
        The bytes. Where M is small the tiled way moves more than the naive one. The FLOPs are the
        same in both.

    Raises:
        ValueError: if a size is below 1 or no whole number, if the method is neither, or if the
            chip of the tiled way does not hold one row of each matrix, 4 D numbers.

    Source: Dao et al. 2022 (arXiv:2205.14135), theorem 2 and alg. 1, whose loops are exchanged as
    in Dao 2023 (arXiv:2307.08691), alg. 1: each block of queries is finished before the next. The
    two numbers per query that the softmax keeps are not counted.

    >>> hbm_traffic(1024, 64, 49_152, "naive"), hbm_traffic(1024, 64, 49_152, "flash")
    (8912896, 1835008)
    """
    require_positive(T=T, D=D, M=M, bytes=bytes)
    if method not in METHODS:
        raise ValueError(f"attention is one of {', '.join(METHODS)}; method is {method!r}")
    if method == "naive":
        return bytes * (4 * T * D + 4 * T * T)
    rows = M // (4 * D)
    if rows < 1:
        raise ValueError(
            "the chip holds at least one row of queries, keys, values and output, 4 D numbers; "
            f"M is {M} and 4 D is {4 * D}, with D = {D}"
        )
    return bytes * (2 * T * D + 2 * T * D * -(-T // rows))
