"""Attention over two sets of keys, made of attention over each."""

import torch
from jaxtyping import Float
from torch import Tensor

from course_lib.kinds import require_floats
from course_lib.precision import at_least_float32
from course_lib.shapes import require_axes, require_entries
from course_lib.softmax import logsumexp, softmax

__all__ = ["merge_partials", "merge_sink", "merge_splits"]


def merge_splits(
    outputs: Float[Tensor, "_ *rows Dv"], lses: Float[Tensor, "_ *rows"]
) -> tuple[Float[Tensor, "*rows Dv"], Float[Tensor, "*rows"]]:
    r"""Put together what P runs of keys gave: a mean of their outputs, weighted by their sums.

    .. math:: \mathrm{lse} = \log \sum_p e^{\mathrm{lse}_p}, \qquad
        O = \sum_p e^{\mathrm{lse}_p - \mathrm{lse}} \, O_p

    The runs come in any order, and have any number of keys; what was merged can be merged again.

    Args:
        outputs: for each run its output, the mean of its values.
        lses: for each run the log-sum-exp of its scores, better in float32; minus infinity where
            the run had nothing to read.

    Returns:
        Output and log-sum-exp over all keys, in the dtypes of those of the runs, computed in at
        least float32. Zeros and minus infinity where no run had anything to read. NaN in a run
        makes NaN.

    Raises:
        ValueError: if there is not one log-sum-exp for each output, or there is no run.

    Source: FlashAttention, Dao et al. 2022 (arXiv:2205.14135), alg. 1, line 12; as a step of its
    own in flash-decoding.

    >>> merge_splits(torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, 1.0]).log())
    (tensor([2.]), tensor(1.3863))
    """
    require_floats(outputs=outputs, lses=lses)
    require_axes("outputs", outputs, "*batch _")
    if outputs.shape[:-1] != lses.shape:
        raise ValueError(
            "each output comes with the log-sum-exp of its scores, so all axes but the last agree; "
            f"outputs has {tuple(outputs.shape[:-1])} and lses {tuple(lses.shape)}; "
            f"shapes {tuple(outputs.shape)} and {tuple(lses.shape)}"
        )
    require_entries(lses, 0, "lses")
    wide = at_least_float32(lses)
    output = (_shares(wide)[..., None] * at_least_float32(outputs)).sum(0)
    return output.to(outputs.dtype), logsumexp(wide, axis=0).to(lses.dtype)


def merge_partials(
    output_1: Float[Tensor, "*rows Dv"],
    lse_1: Float[Tensor, "*rows"],
    output_2: Float[Tensor, "*rows Dv"],
    lse_2: Float[Tensor, "*rows"],
) -> tuple[Float[Tensor, "*rows Dv"], Float[Tensor, "*rows"]]:
    r"""Put together what two sets of keys gave.

    .. math:: \mathrm{lse} = \log (e^{\mathrm{lse}_1} + e^{\mathrm{lse}_2}), \qquad
        O = e^{\mathrm{lse}_1 - \mathrm{lse}} \, O_1 + e^{\mathrm{lse}_2 - \mathrm{lse}} \, O_2

    Args:
        output_1: the mean of the values of one set.
        lse_1: the log-sum-exp of its scores; minus infinity where it had nothing to read.
        output_2: the mean of the values of the other set.
        lse_2: the log-sum-exp of its scores.

    Returns:
        Output and log-sum-exp over both sets, as ``merge_splits`` of the two.

    Raises:
        ValueError: if the two differ in shape, or there is not one log-sum-exp for each output.

    Source: as ``merge_splits``; in ring attention, Liu et al. 2023 (arXiv:2310.01889), sec. 3.
    """
    if output_1.shape != output_2.shape or lse_1.shape != lse_2.shape:
        raise ValueError(
            "both results are of the same queries, so their shapes agree; "
            f"output_1 has {tuple(output_1.shape)} and output_2 {tuple(output_2.shape)}, "
            f"lse_1 has {tuple(lse_1.shape)} and lse_2 {tuple(lse_2.shape)}"
        )
    return merge_splits(torch.stack((output_1, output_2)), torch.stack((lse_1, lse_2)))


def merge_sink(
    output: Float[Tensor, "B H T Dv"], lse: Float[Tensor, "B H T"], sink: Float[Tensor, " H"]
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Let one more score take its part of the weight, and hand nothing over.

    A sink is one more result, whose output is zero and whose log-sum-exp is its score:

    .. math:: O' = e^{\mathrm{lse} - \mathrm{lse}'} \, O = \sigma(\mathrm{lse} - \sigma_h) \, O,
        \qquad \mathrm{lse}' = \log (e^{\mathrm{lse}} + e^{\sigma_h})

    So attention with sinks needs no other kernel than attention without.

    Args:
        output: the mean of the values of each query.
        lse: the log-sum-exp of its scaled scores.
        sink: the extra score of each head, not scaled; minus infinity is no sink.

    Returns:
        The smaller output and the larger log-sum-exp, in their dtypes, computed in at least
        float32.

    Raises:
        ValueError: if the sink has not one score per head, or there is not one log-sum-exp for each
            output.

    Source: gpt-oss (arXiv:2508.10925), whose ``torch/model.py`` appends the sink to the scores as
    one more column; the second form is in ``softmax_with_sink``.
    """
    require_floats(output=output, lse=lse, sink=sink)
    require_axes("output", output, "B H T Dv")
    if output.shape[:-1] != lse.shape or sink.shape != lse.shape[1:2]:
        raise ValueError(
            "each query has one log-sum-exp and each head one sink; the output has "
            f"H={output.shape[1]} and T={output.shape[2]}; shapes {tuple(output.shape)}, "
            f"{tuple(lse.shape)} and {tuple(sink.shape)}"
        )
    wide = at_least_float32(lse)
    both = torch.stack((wide, sink.to(wide.dtype)[:, None].expand_as(wide)))
    smaller = _shares(both)[0][..., None] * at_least_float32(output)
    return smaller.to(output.dtype), logsumexp(both, axis=0).to(lse.dtype)


def _shares(lses: Tensor) -> Tensor:
    """The weights of the runs: they sum to one, or to zero where no run has read anything.

    exp(lse_p - lse) would miss one by a rounding of lse: by 0.4 % in float32 where it is 10⁵.
    """
    nothing = (lses == -torch.inf).all(0)
    return softmax(lses.masked_fill(nothing, 0.0), axis=0).masked_fill(nothing, 0.0)
