"""Hand tensors on to the next rank of a ring while those of the one before come in."""

import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["OnTheWay", "bits_of", "lost", "require_same_on_each_rank", "send_on"]


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What is being sent and received.

    Attributes:
        received: where the tensors of the rank before arrive; filled when ``wait`` has returned.
        sent: what goes to the next rank, kept alive until it has left.
        requests: what torch.distributed is still at.
        group: the ranks of the ring.
    """

    received: tuple[Tensor, ...]
    sent: tuple[Tensor, ...]
    requests: tuple[dist.Work, ...]
    group: dist.ProcessGroup | None

    def wait(self) -> tuple[Tensor, ...]:
        """Return the tensors of the rank before.

        Raises:
            RuntimeError: if a neighbour is gone, or does not answer within the group's time limit.
        """
        try:
            for request in self.requests:
                request.wait()
        except RuntimeError as error:
            raise lost(self.group, error) from error
        return self.received


def send_on(tensors: tuple[Tensor, ...], group: dist.ProcessGroup | None) -> OnTheWay:
    """Begin to send to rank + 1, and to receive as much from rank - 1; both wrap around.

    What is computed before ``wait`` is called overlaps with the way of the tensors.

    Args:
        tensors: what goes; on each rank as many, of the same shapes and dtypes. They must not
            change before ``wait`` has returned.
        group: the ranks of the ring; None for all.

    Returns:
        What is on its way.

    Raises:
        RuntimeError: if a neighbour is gone.

    Source: one step of the ring of Liu et al. 2023 (arXiv:2310.01889), sec. 3.
    """
    rank, num_ranks = dist.get_rank(group), dist.get_world_size(group)
    sent = tuple(x.contiguous() for x in tensors)
    if num_ranks == 1:
        return OnTheWay(sent, sent, (), group)  # no transport sends to itself
    received = tuple(torch.empty_like(x) for x in sent)
    following, before = (rank + 1) % num_ranks, (rank - 1) % num_ranks
    operations = [dist.P2POp(dist.isend, x, group=group, group_peer=following) for x in sent]
    operations += [dist.P2POp(dist.irecv, x, group=group, group_peer=before) for x in received]
    try:
        requests = tuple(dist.batch_isend_irecv(operations))
    except RuntimeError as error:
        raise lost(group, error) from error
    return OnTheWay(received, sent, requests, group)


def require_same_on_each_rank(
    rule: str, group: dist.ProcessGroup | None, device: torch.device, **sizes: int
) -> None:
    """Raise the same error on each rank when sizes differ from rank to rank.

    Without it a rank would wait for numbers that another never sends.

    Args:
        rule: what holds of the sizes, for the message.
        group: the ranks that have to agree; None for all.
        device: where the tensors of this rank are.
        **sizes: the sizes by their names.

    Returns:
        Nothing, if they agree.

    Raises:
        ValueError: on every rank, if they do not agree; it names the ranks and their sizes.
        RuntimeError: if a rank is gone.
    """
    own = torch.tensor(list(sizes.values()), device=device)
    everybody = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    try:
        dist.all_gather(everybody, own, group=group)
    except RuntimeError as error:
        raise lost(group, error) from error
    by_rank = [dict(zip(sizes, told.tolist(), strict=True)) for told in everybody]
    for name in sizes:
        told = [of_rank[name] for of_rank in by_rank]
        if len(set(told)) > 1:
            listed = ", ".join(f"rank {rank} has {name}={size}" for rank, size in enumerate(told))
            raise ValueError(f"{rule}; {listed}")


def bits_of(dtype: torch.dtype) -> dict[str, int]:
    """Say by two numbers which floating-point dtype it is, for ranks to compare.

    Float16 and bfloat16 have 16 bits each; a message of one that is read as the other arrives
    whole, and holds other numbers.

    Args:
        dtype: of what is sent.

    Returns:
        All its bits, and those of the fraction.

    >>> bits_of(torch.float16), bits_of(torch.bfloat16)
    ({'bits': 16, 'fraction_bits': 10}, {'bits': 16, 'fraction_bits': 7})
    """
    kind = torch.finfo(dtype)
    return {"bits": kind.bits, "fraction_bits": round(-math.log2(kind.eps))}


def lost(group: dist.ProcessGroup | None, error: RuntimeError) -> RuntimeError:
    """Say in words what torch.distributed's error means.

    Args:
        group: the ranks; None for all.
        error: what came.

    Returns:
        An error that names this rank and how many there are, to be raised from the first.
    """
    rank, num_ranks = dist.get_rank(group), dist.get_world_size(group)
    return RuntimeError(
        f"rank {rank} of {num_ranks} lost a neighbour: it is gone, or it did not answer within "
        f"the group's time limit ({str(error).strip()})"
    )
