"""Reformer's attention: like vectors fall into one bucket, and read each other there."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.efficient.lsh_rounds import combine_rounds
from course_lib.kinds import require_integers, require_same_device, require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_axes, require_same_positions
from course_lib.sizes import require_positive

__all__ = ["lsh_attention", "lsh_hash", "multi_round_lsh_attention"]


def lsh_hash(
    x: Float[Tensor, "*batch T D"], r: Float[Tensor, "_ D _"]
) -> Int[Tensor, "_ *batch T"]:
    r"""Hash vectors by their direction: into the axis of a random turn that they lie nearest to.

    .. math:: h_u(x) = \arg\max\, [\, x R_u ;\; -x R_u \,]

    Args:
        x: queries which are keys too.
        r: one matrix per round, of half as many columns as there are buckets.

    Returns:
        One bucket per round and vector, from 0 to n - 1. A longer vector of the same direction has
        the same bucket, the opposite one the bucket n/2 further.

    Raises:
        ValueError: if x and r differ in D or in dtype, or r has no column.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 2, after Andoni et al. 2015
    (arXiv:1509.02897).
    Cost: U T D n FLOPs for U rounds.

    >>> lsh_hash(torch.tensor([[1.0, 0.2], [-3.0, 0.0]]), torch.eye(2)[None]).tolist()
    [[0, 2]]
    """
    require_axes("x", x, "*batch T D")
    require_axes("r", r, "U D n/2")
    require_same_dtype(x=x, r=r)
    if r.shape[1] != x.shape[-1] or r.shape[2] == 0:
        raise ValueError(
            "a round turns vectors of D entries into half as many axes as there are buckets; "
            f"x has D={x.shape[-1]} and r D={r.shape[1]} and {r.shape[2]} columns; "
            f"shapes {tuple(x.shape)} and {tuple(r.shape)}"
        )
    turned = torch.einsum("...td,udn->u...tn", x, r)
    ahead, behind = turned.max(-1), turned.min(-1)  # the largest of -xR is the smallest of xR
    is_ahead = ahead.values >= -behind.values
    return torch.where(is_ahead, ahead.indices, behind.indices + r.shape[2])


def lsh_attention(
    qk: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T Dv"],
    buckets: Int[Tensor, "B H T"],
    chunk: int,
    causal: bool,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Sort by bucket, and let each position read its bucket within its chunk and the one before.

    .. math:: o_i = \sum_{j \in \mathcal{P}_i} e^{z_{ij} - \text{lse}_i}\, v_j, \qquad
        z_{ij} = \frac{q_i \cdot q_j / \|q_j\|}{\sqrt{D}}, \qquad
        \text{lse}_i = \log \sum_{j \in \mathcal{P}_i} e^{z_{ij}}

    A position fits its own key better than most, so it reads itself only where nothing else is to
    be read.

    Args:
        qk: queries; divided by their lengths they are the keys.
        value: one per position.
        buckets: of one round, ``lsh_hash``.
        chunk: positions of a chunk of the sorted sequence; divides T.
        causal: True lets nobody read a later position, wherever it was sorted to.

    Returns:
        One mean of values per position, in the order that came in; and the log-sum-exp of the
        scores it took, by which ``combine_rounds`` weighs the rounds. The first chunk has none
        before it. NaN or an infinity in a value reaches its chunk of the sorted sequence and the
        next one.

    Raises:
        ValueError: if qk, value and buckets differ in B, H or T, or chunk does not divide T,
            or T is 0.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 2 and figure 2. Code differs: in
    transformers' the first chunk reads the last one, the other buckets of two chunks are read too,
    and scores are not divided by √D.
    Cost: 4 B H T chunk (D + Dv) FLOPs and a sort; 2 B H T chunk scores are held.
    """
    output, lse, _ = _attend(qk, value, buckets, chunk, causal)
    return output.to(value.dtype), lse.to(qk.dtype)


def multi_round_lsh_attention(
    qk: Float[Tensor, "B H T D"],
    value: Float[Tensor, "B H T Dv"],
    buckets: Int[Tensor, "_ B H T"],
    chunk: int,
    causal: bool,
) -> Float[Tensor, "B H T Dv"]:
    r"""Sort and read in each round, then weigh the rounds.

    .. math:: o_i = \sum_u \frac{e^{\text{lse}_{ui}}}{\sum_{u'} e^{\text{lse}_{u'i}}}\, o_{ui}

    A round in which a position finds nobody but itself does not count for it, unless that is so in
    every round.

    Args:
        qk: queries; divided by their lengths they are the keys.
        value: one per position.
        buckets: one row per round, ``lsh_hash``.
        chunk: positions of a chunk of the sorted sequence; divides T.
        causal: True lets nobody read a later position.

    Returns:
        One mean of values per position. More rounds find more of the keys that fit; a pair that
        meets in several rounds counts as often.

    Raises:
        ValueError: if sizes or dtypes do not fit, there is no round, or chunk does not divide T.

    Source: Kitaev et al. 2020 (arXiv:2001.04451), sec. 2, "Multi-round LSH attention"; the released
    code gives a position itself a score of -10⁵ in each round, with the same result.
    Cost: that of ``lsh_attention`` for each round.
    """
    require_axes("buckets", buckets, "U B H T")
    if len(buckets) == 0:
        raise ValueError(
            "positions are hashed once at least; "
            f"buckets has {len(buckets)} rounds; shape {tuple(buckets.shape)}"
        )
    rounds = [_attend(qk, value, row, chunk, causal) for row in buckets]
    outputs, lses, alone = (torch.stack(parts) for parts in zip(*rounds, strict=True))
    found_nobody = alone & ~alone.all(0)
    return combine_rounds(outputs, lses.masked_fill(found_nobody, -torch.inf)).to(value.dtype)


def _attend(
    qk: Tensor, value: Tensor, buckets: Tensor, chunk: int, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """One round, in at least float32: outputs, log-sum-exps, and who found nobody but itself."""
    require_axes("qk", qk, "B H T D")
    require_same_positions("qk", qk, "value", value)
    _require_buckets(qk, buckets, chunk)
    order = buckets.argsort(dim=-1, stable=True)
    place = order.argsort(dim=-1)  # where each position was sorted to
    cut = (-1, chunk)
    query = torch.unflatten(_take(at_least_float32(qk), order), -2, cut)  # B H n c D
    key = _with_previous(_unit(query))  # B H n 2c D
    values = _with_previous(torch.unflatten(_take(at_least_float32(value), order), -2, cut))
    bucket = torch.unflatten(buckets.gather(-1, order), -1, cut)
    may_read, alone = _may_read(torch.unflatten(order, -1, cut), bucket, causal)
    scores = (query * softmax_scale(qk.shape[-1]) @ key.mT).masked_fill_(~may_read, -torch.inf)
    shift = scores.detach().amax(-1, keepdim=True)  # finite: each position reads one at least
    exponentials = scores.sub_(shift).exp_()
    total = exponentials.sum(-1, keepdim=True)
    output, lse = exponentials @ values / total, (shift + total.log()).squeeze(-1)
    lse, alone = (part.flatten(-2).gather(-1, place) for part in (lse, alone))
    return _take(output.flatten(-3, -2), place), lse, alone


def _may_read(position: Tensor, bucket: Tensor, causal: bool) -> tuple[Tensor, Tensor]:
    """Who reads whom among a chunk and the one before it, and who reads itself alone."""
    asked, asks = _with_previous(position.unsqueeze(-1)).mT, position.unsqueeze(-1)
    others = bucket.unsqueeze(-1) == _with_previous(bucket.unsqueeze(-1)).mT
    others[..., 0, :, : position.shape[-1]] = False  # before the first chunk there is none
    if causal:
        others &= asked <= asks
    others &= asked != asks
    alone = ~others.any(-1, keepdim=True)
    itself = asked == asks
    itself[..., 0, :, : position.shape[-1]] = False
    return others | (itself & alone), alone.squeeze(-1)


def _with_previous(chunks: Tensor) -> Tensor:
    """Put before the rows of each chunk those of the one before; before the first, its own."""
    before = torch.cat([chunks[..., :1, :, :], chunks[..., :-1, :, :]], dim=-3)
    return torch.cat([before, chunks], dim=-2)


def _unit(x: Tensor) -> Tensor:
    """Divide each vector by its length; a vector of zeros stays."""
    length: Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / length.masked_fill(length == 0, 1.0)


def _take(rows: Tensor, order: Tensor) -> Tensor:
    return rows.gather(-2, order.unsqueeze(-1).expand(*order.shape, rows.shape[-1]))


def _require_buckets(qk: Tensor, buckets: Tensor, chunk: int) -> None:
    require_integers(buckets=buckets)
    require_same_device(qk=qk, buckets=buckets)
    require_positive(chunk=chunk)
    if buckets.shape != qk.shape[:-1]:
        raise ValueError(
            "each position of each head has one bucket; "
            f"qk has B, H, T = {tuple(qk.shape[:-1])} and buckets {tuple(buckets.shape)}"
        )
    if qk.shape[-2] == 0 or qk.shape[-2] % chunk:
        raise ValueError(
            "the sorted sequence is cut into chunks of one size, so chunk divides T and T >= 1; "
            f"T is {qk.shape[-2]} and chunk {chunk}; shape {tuple(qk.shape)}"
        )
