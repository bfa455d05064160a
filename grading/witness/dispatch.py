"""Watch the operations that PyTorch runs, whatever was called to get there."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Watch"]


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's own are untyped
    """Call `note` with the name, "aten._softmax", and the results of each operation."""

    def __init__(self, note: Callable[[str, list[torch.Tensor]], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.note = note

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise PyTorch imports its compiler at the first operation, which takes seconds.
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        several = result if isinstance(result, tuple | list) else (result,)
        tensors = [value for value in several if isinstance(value, torch.Tensor)]
        self.note(str(func.overloadpacket), tensors)
        return result
