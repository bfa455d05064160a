"""What a computation allocates and copies, operation by operation."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Inside its ``with`` block, watches every operation of PyTorch.

    Attributes:
        largest: entries of the largest tensor that was made; views make none.
        largest_mask: entries of the largest tensor of True and False that was made.
        copied: entries that were copied into existing tensors.
    """

    def __init__(self) -> None:
        super().__init__()
        self.largest = 0
        self.largest_mask = 0
        self.copied = 0

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        given = {storage(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and storage(leaf) not in given:
                self.largest = max(self.largest, leaf.numel())
                if leaf.dtype == torch.bool:
                    self.largest_mask = max(self.largest_mask, leaf.numel())
        if function is torch.ops.aten.copy_.default:
            self.copied += args[1].numel()
        return result


def storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
