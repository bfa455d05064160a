"""How many bytes of tensors live at once, counted at every operation of PyTorch."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LivingBytes(TorchDispatchMode):
    """Inside its ``with`` block, follows the memory of every tensor that is made.

    Attributes:
        most: the most bytes that lived at once since ``most`` was last set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    @property
    def now(self) -> int:
        """Return the bytes that live at this moment."""
        self._storages = {
            key: (storage, size)
            for key, (storage, size) in self._storages.items()
            if not storage.expired()
        }
        return sum(size for _, size in self._storages.values())

    def __torch_dispatch__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.device.type != "meta":
                storage = StorageWeakRef(leaf.untyped_storage())
                if (
                    storage.cdata not in self._storages
                    or self._storages[storage.cdata][0].expired()
                ):
                    self._storages[storage.cdata] = (storage, leaf.untyped_storage().nbytes())
        self.most = max(self.most, self.now)
        return result
