"""Half precision stores numbers; what is summed or exponentiated has float32 at least."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["at_least_float32", "without_autocast"]


def at_least_float32(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Widen half precision to float32, and leave float32 and float64 as they are.

    A sum of ones in bfloat16 ends at 256: the next number that it can hold is 258. Float16 ends at
    65,504. So functions widen first, and round what they return once, to the dtype of their input.

    Args:
        x: any numbers, infinities and NaN included: each keeps its value.

    Returns:
        x in float32 or float64; x itself if it is so already.

    Cost: 4 bytes a number of half precision.

    >>> ones = torch.ones((), dtype=torch.bfloat16)
    >>> 256 * ones + ones, at_least_float32(256 * ones) + ones
    (tensor(256., dtype=torch.bfloat16), tensor(257.))
    """
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


@contextmanager
def without_autocast(device: torch.device) -> Iterator[None]:
    """Keep the products inside a ``with`` block in the dtype of what they multiply.

    Under ``torch.autocast`` PyTorch would round the factors of each product to half precision, also
    of one whose factors have been widened for a reason.

    Args:
        device: where the products are computed.

    Returns:
        A context. Where PyTorch knows no autocast, on the meta device, it changes nothing.
    """
    if not torch.amp.is_autocast_available(device.type):
        yield
        return
    with torch.autocast(device.type, enabled=False):
        yield
