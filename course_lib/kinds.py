"""What kind of tensors a formula takes: floating-point or integers, of one dtype, on one device."""

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = [
    "floating_dtype",
    "require_floats",
    "require_integers",
    "require_same_device",
    "require_same_dtype",
    "require_tensors",
]

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def require_tensors(**tensors: Shaped[Tensor, "..."]) -> None:
    """Refuse what is no tensor: a list, an array of NumPy, None.

    Args:
        **tensors: what came, by name.

    Returns:
        Nothing, if all are tensors.

    Raises:
        TypeError: if one is not.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"{name} is a torch.Tensor (torch.as_tensor makes one of an array or a list); "
                f"what came as {name} is of type {type(tensor).__name__}"
            )


def require_same_device(**tensors: Shaped[Tensor, "..."]) -> None:
    """Refuse tensors that do not lie together: PyTorch computes on one device at a time.

    Args:
        **tensors: what meets in a formula, by name.

    Returns:
        Nothing, if all lie on one device.

    Raises:
        ValueError: if two do not.
        TypeError: if one is no tensor.
    """
    require_tensors(**tensors)
    (first, one), *others = tensors.items()
    for name, other in others:
        if other.device != one.device:
            raise ValueError(
                f"numbers that meet in a formula lie on one device; {first} lies on {one.device} "
                f"and {name} on {other.device}; shapes {tuple(one.shape)} and {tuple(other.shape)}"
            )


def require_floats(**tensors: Shaped[Tensor, "..."]) -> None:
    """Refuse integers, truth values and complex numbers where a formula divides or takes a mean.

    A result is rounded to the dtype of what came: an integer would be cut off without a word.

    Args:
        **tensors: what meets in a formula, by name; float16 beside float32 will do.

    Returns:
        Nothing, if all are floating-point numbers, on one device.

    Raises:
        ValueError: if one is not.
        TypeError: if one is no tensor.
    """
    require_same_device(**tensors)
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ValueError(
                f"floating-point numbers are needed in {name} ({name}.float() makes them); "
                f"{name} is {tensor.dtype}; shape {tuple(tensor.shape)}"
            )


def require_same_dtype(**tensors: Shaped[Tensor, "..."]) -> None:
    """Refuse tensors that a product would not take together: float32 beside float64.

    Under ``torch.autocast`` PyTorch itself brings them to one dtype, so there they may differ.

    Args:
        **tensors: what meets in a product, by name.

    Returns:
        Nothing, if all are floating-point numbers of one dtype, on one device.

    Raises:
        ValueError: if they are not.
        TypeError: if one is no tensor.
    """
    require_floats(**tensors)
    (first, one), *others = tensors.items()
    for name, other in others:
        if other.dtype != one.dtype and not _is_autocast(one.device):
            raise ValueError(
                f"numbers that meet in a product have one dtype; {first} is {one.dtype} and "
                f"{name} {other.dtype}; shapes {tuple(one.shape)} and {tuple(other.shape)}"
            )


def require_integers(**tensors: Shaped[Tensor, "..."]) -> None:
    """Refuse fractions and truth values where something is counted: ids, lengths, positions.

    Args:
        **tensors: what is counted or looked up, by name.

    Returns:
        Nothing, if all are integers with values, on one device.

    Raises:
        ValueError: if one is not: a meta tensor has a shape and no values.
        TypeError: if one is no tensor.
    """
    require_same_device(**tensors)
    for name, tensor in tensors.items():
        if tensor.dtype not in _INTEGERS:
            raise ValueError(
                f"{name} counts, so it holds integers ({name}.long() makes them); "
                f"{name} is {tensor.dtype}; shape {tuple(tensor.shape)}"
            )
        if tensor.is_meta:
            raise ValueError(
                f"the values of {name} are read, and a meta tensor has none; "
                f"{name} lies on {tensor.device}; shape {tuple(tensor.shape)}"
            )


def floating_dtype(dtype: torch.dtype | None) -> torch.dtype:
    """Take the dtype that was asked for, or PyTorch's default.

    Args:
        dtype: of the numbers to be made; None is the default.

    Returns:
        A dtype of floating-point numbers.

    Raises:
        ValueError: if it is another one, which would cut the numbers off.
    """
    chosen = torch.get_default_dtype() if dtype is None else dtype
    if not chosen.is_floating_point:
        raise ValueError(f"the numbers are fractions, so dtype is floating-point; dtype is {dtype}")
    return chosen


def _is_autocast(device: torch.device) -> bool:
    return device.type != "meta" and torch.is_autocast_enabled(device.type)
