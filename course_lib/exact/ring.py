"""Exact attention over a sequence that no single process holds: keys go around in a ring."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function

from course_lib.attention.fitting import require_groups, require_key_values, require_same_size
from course_lib.exact.blockwise_backward import blockwise_backward
from course_lib.exact.blockwise_forward import blockwise_forward
from course_lib.exact.merging import merge_partials
from course_lib.exact.once import require_first_derivative
from course_lib.exact.reach import Reach
from course_lib.exact.shards import Layout
from course_lib.precision import at_least_float32
from course_lib.processes.neighbours import (
    OnTheWay,
    bits_of,
    require_same_on_each_rank,
    send_on,
)
from course_lib.shapes import require_same_positions
from course_lib.sizes import require_positive

__all__ = ["Ring", "ring_attention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The ranks that share a sequence, and who holds what.

    Attributes:
        layout: which positions of the whole each rank holds, as ``shard`` cuts them.
        group: the ranks; None for all of torch.distributed's default group.
    """

    layout: Layout
    group: dist.ProcessGroup | None = None

    @property
    def rank(self) -> int:
        """Return this process's place in the ring."""
        return dist.get_rank(self.group)

    @property
    def num_ranks(self) -> int:
        """Return P."""
        return dist.get_world_size(self.group)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Return the chunks of the sequence that this process holds."""
        return self.layout.chunks(self.rank, self.num_ranks)


def ring_attention(
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B G T D"],
    value: Float[Tensor, "B G T Dv"],
    causal: bool,
    ring: Ring,
    block: int = 128,
) -> tuple[Float[Tensor, "B H T Dv"], Float[Tensor, "B H T"]]:
    r"""Attend to the keys of all P ranks, holding those of two at most.

    Each rank keeps its queries. Its keys and values go to the next rank while it attends to them;
    after P - 1 hops every query has met every key. What the parts gave is merged by their
    log-sum-exps:

    .. math:: O = \sum_p e^{\mathrm{lse}_p - \mathrm{lse}} \, O_p, \qquad
        \mathrm{lse} = \log \sum_p e^{\mathrm{lse}_p}

    On the way back keys go around once more, and the gradients of each rank's keys travel with
    them, one hop further, home.

    Args:
        query: this rank's positions; G divides H.
        key: the keys of the same positions.
        value: the values of the same positions.
        causal: True where no query reads a later position of the whole sequence.
        ring: the ranks, and which positions of the whole each holds.
        block: queries and keys of a tile within a chunk.

    Returns:
        This rank's rows of the output, in the dtype of the queries, and of the log-sum-exp, in at
        least float32.

    Raises:
        ValueError: on every rank, if ranks differ in a size, in a dtype or in ``causal``.
        ValueError: if G does not divide H, if keys and queries differ in number, if the chunks do
            not divide them, or if the block is empty.
        RuntimeError: if a rank is gone, or does not answer within the group's time limit.

    Source: Liu, Zaharia and Abbeel 2023 (arXiv:2310.01889), alg. 1; the division of a causal
    sequence is that of ``ring.layout``.
    Cost: 2 B H T n (D + Dv) FLOPs a rank for n positions in all, half of it if causal and the
    layout is even; P - 1 messages of B G T (D + Dv) numbers, and on the way back P - 1 of as many
    and P of their gradients in at least float32.
    """
    require_groups("query", query, "key", key)
    require_same_size(query, key)
    require_same_positions("key", key, "value", value)
    require_key_values(key, value)
    require_positive(block=block)
    chunks = len(ring.chunks)
    if query.shape[2] != key.shape[2] or query.shape[2] % chunks:
        raise ValueError(
            f"a rank holds queries and keys of the same positions, in {chunks} equal chunks; query "
            f"has T={query.shape[2]} and key S={key.shape[2]}; "
            f"shapes {tuple(query.shape)} and {tuple(key.shape)}"
        )
    require_same_on_each_rank(
        "every rank holds as much of the sequence, and asks alike",
        ring.group,
        query.device,
        B=query.shape[0],
        H=query.shape[1],
        G=key.shape[1],
        T=query.shape[2],
        D=query.shape[3],
        Dv=value.shape[3],
        **bits_of(query.dtype),
        causal=int(causal),
        chunks=chunks,
    )
    asked = _Asked(causal, ring, block)
    output, lse = _Ring.apply(query, key, value, asked)  # type: ignore[no-untyped-call]
    return output, lse


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one call asks for, on the way there and back."""

    causal: bool
    ring: Ring
    block: int

    def begin(self, held: tuple[Tensor, ...], step: int) -> OnTheWay | None:
        """Send the keys on, which are read meanwhile; at the last step nobody needs them."""
        return send_on(held, self.ring.group) if step + 1 < self.ring.num_ranks else None

    def tiles(self, step: int, length: int) -> Iterator[tuple[slice, slice, Reach]]:
        """Yield which rows of this rank meet which of the keys that it holds at this step."""
        rank, num_ranks = self.ring.rank, self.ring.num_ranks
        own = self.ring.chunks
        held = self.ring.layout.chunks((rank - step) % num_ranks, num_ranks)
        size = length // len(own)
        for i, asking in enumerate(own):
            for j, asked in enumerate(held):
                if self.causal and asked > asking:
                    continue
                reach = Reach(
                    num_queries=size, num_keys=size, causal=self.causal and asked == asking
                )
                yield slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size), reach


class _Ring(Function):
    """Keeps this rank's part alone; the others' keys come around again on the way back."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, asked: _Asked
    ) -> tuple[Tensor, Tensor]:
        queries = at_least_float32(query)
        output = queries.new_zeros(*query.shape[:3], value.shape[-1])
        lse = queries.new_full(query.shape[:3], -torch.inf)
        held: tuple[Tensor, ...] = key, value
        for step in range(asked.ring.num_ranks):
            following = asked.begin(held, step)
            for rows, columns, reach in asked.tiles(step, query.shape[2]):
                keys, values = (at_least_float32(x[:, :, columns]) for x in held)
                part = blockwise_forward(
                    queries[:, :, rows], keys, values, reach, asked.block, asked.block
                )
                output[:, :, rows], lse[:, :, rows] = merge_partials(
                    output[:, :, rows], lse[:, :, rows], *part
                )
            held = held if following is None else following.wait()
        ctx.save_for_backward(query, key, value, output, lse)
        ctx.asked = asked
        return output.to(query.dtype), lse

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, grad_lse: Tensor) -> tuple[Tensor | None, ...]:
        require_first_derivative("ring_attention", "grouped_query_attention")
        query, key, value, output, lse = ctx.saved_tensors
        asked: _Asked = ctx.asked
        queries, gradient = at_least_float32(query), at_least_float32(grad_output)
        grad_query = torch.zeros_like(queries)
        held: tuple[Tensor, ...] = key, value
        theirs: tuple[Tensor, ...] = tuple(torch.zeros_like(at_least_float32(x)) for x in held)
        for step in range(asked.ring.num_ranks):
            following = asked.begin(held, step)
            for rows, columns, reach in asked.tiles(step, query.shape[2]):
                keys, values = (at_least_float32(x[:, :, columns]) for x in held)
                parts = blockwise_backward(
                    (queries[:, :, rows], keys, values),
                    (output[:, :, rows], lse[:, :, rows]),
                    (gradient[:, :, rows], grad_lse[:, :, rows]),
                    reach,
                    asked.block,
                    asked.block,
                )
                grad_query[:, :, rows] += parts[0]
                for whole, part in zip(theirs, parts[1:], strict=True):
                    whole[:, :, columns] += part
            # The gradients of these keys follow their keys; the last hop brings them home.
            held = held if following is None else following.wait()
            theirs = send_on(theirs, asked.ring.group).wait()
        grad_key, grad_value = theirs
        return grad_query.to(query.dtype), grad_key.to(key.dtype), grad_value.to(value.dtype), None
