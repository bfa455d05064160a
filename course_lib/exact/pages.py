"""A cache that lies in pages, wherever there was room: read page by page, never copied whole."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.attention.score_steps import mask_scores
from course_lib.exact.merging import merge_partials
from course_lib.kinds import require_integers, require_same_device, require_same_dtype
from course_lib.precision import at_least_float32
from course_lib.scaling import softmax_scale
from course_lib.shapes import require_axes, require_same_positions
from course_lib.softmax import logsumexp, masked_softmax

__all__ = ["paged_attention"]


def paged_attention(
    query: Float[Tensor, "B H D"],
    key_pages: Float[Tensor, "_ _ G D"],
    value_pages: Float[Tensor, "_ _ G Dv"],
    table: Int[Tensor, "B _"],
    lengths: Int[Tensor, " B"],
) -> Float[Tensor, "B H Dv"]:
    r"""Let one new token of each sequence read its cache, which is scattered over pages of P.

    Position s of sequence b stands in slot s mod P of the physical page

    .. math:: \mathrm{table}[b, \lfloor s / P \rfloor], \qquad s < \mathrm{lengths}[b]

    One page of each sequence is read at a time, and its result is merged with those before.

    Args:
        query: the newest token of each sequence.
        key_pages: the store of keys: pages of P slots each; G divides H.
        value_pages: the store of values.
        table: which physical page holds each logical page of each sequence; what stands behind its
            last page is not looked at, by custom -1. Two sequences may share a page.
        lengths: tokens of each sequence that are in the cache; slots behind them are not read.

    Returns:
        One mean of values per sequence and head, in the dtype of the queries, computed in at least
        float32; zeros where the length is 0. What stands in slots that are not read has no
        influence, NaN or not.

    Raises:
        ValueError: if a length does not fit the table, if a page that is needed does not exist, or
            if sizes or dtypes differ.

    Source: Kwon et al. 2023, vLLM (arXiv:2309.06180), sec. 4.1, eq. 4.
    Cost: 2 B H S (D + Dv) FLOPs, S the longest length; a page of each sequence is copied at a time.
    """
    _require_pages(query, key_pages, value_pages, table, lengths)
    size = key_pages.shape[1]
    grouped = torch.unflatten(at_least_float32(query), 1, (key_pages.shape[2], -1))  # B G R D
    scaled = grouped * softmax_scale(query.shape[-1])
    output = scaled.new_zeros(*scaled.shape[:3], value_pages.shape[-1])
    lse = scaled.new_full(scaled.shape[:3], -torch.inf)
    slots = torch.arange(size, device=query.device)
    for start in range(0, _longest(lengths), size):
        may_read = start + slots < lengths[:, None]
        physical = table[:, start // size].masked_fill(lengths <= start, 0)
        keys, values = (
            at_least_float32(pages[physical]).masked_fill(~may_read[..., None, None], 0.0)
            for pages in (key_pages, value_pages)
        )
        scores = torch.einsum("bgrd,bpgd->bgrp", scaled, keys)
        may_attend = may_read[:, None, None]
        part_lse = logsumexp(mask_scores(scores, may_attend))
        part = torch.einsum("bgrp,bpgd->bgrd", masked_softmax(scores, may_attend), values)
        output, lse = merge_partials(output, lse, part, part_lse)
    return output.flatten(1, 2).to(query.dtype)


def _longest(lengths: Tensor) -> int:
    return int(lengths.max()) if lengths.numel() else 0


def _require_pages(
    query: Tensor, key_pages: Tensor, value_pages: Tensor, table: Tensor, lengths: Tensor
) -> None:
    require_axes("query", query, "B H D")
    require_axes("key_pages", key_pages, "pages slots G D")
    require_same_positions("key_pages", key_pages, "value_pages", value_pages)
    require_integers(table=table, lengths=lengths)
    require_axes("table", table, "B pages")
    require_axes("lengths", lengths, "B")
    require_same_dtype(query=query, key_pages=key_pages)
    require_same_device(query=query, table=table, lengths=lengths)
    (batch, heads, size), (pages, slots, groups, key_size) = query.shape, key_pages.shape
    if not batch == len(table) == len(lengths):
        raise ValueError(
            "each sequence has one query, one row of the table and one length; "
            f"there are {batch} queries, {len(table)} rows and {len(lengths)} lengths"
        )
    if groups < 1 or heads < 1 or heads % groups or size != key_size:
        raise ValueError(
            "every key head serves the same number of query heads, so G divides H, and both have "
            f"the same D; query has H={heads} and D={size}, key_pages G={groups} and D={key_size}; "
            f"shapes {tuple(query.shape)} and {tuple(key_pages.shape)}"
        )
    wrong = (lengths < 0) | (lengths > slots * table.shape[1])
    if wrong.any():
        raise ValueError(
            f"a length counts tokens in {table.shape[1]} pages of {slots} slots; "
            f"lengths has {lengths[wrong][0].item()}; its shape is {tuple(lengths.shape)}"
        )
    starts = slots * torch.arange(table.shape[1], device=table.device)
    missing = (starts < lengths[:, None]) & ((table < 0) | (table >= pages))
    if missing.any():
        sequence, page = missing.nonzero()[0].tolist()
        raise ValueError(
            f"a page that is read is one of {pages} physical pages; sequence {sequence} has the "
            f"length {lengths[sequence].item()} and needs its page {page}, which is "
            f"{table[sequence, page].item()} in the table"
        )
