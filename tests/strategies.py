"""What the tests draw: tensors by seed, sizes that differ, masks with an empty row."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

#: B examples, H heads, T queries, S keys, D and Dv entries, C wide: a swapped axis cannot hide.
B, H, T, S, D, DV, C = 2, 4, 3, 5, 7, 6, 11

seeds = st.integers(min_value=0, max_value=2**32 - 1)
sizes = st.integers(min_value=1, max_value=6)
shifts = st.floats(min_value=-1e4, max_value=1e4)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def mask(seed: int, *shape: int) -> Tensor:
    """About half of the pairs; in every matrix the first query reads nothing, the last one all."""
    generator = torch.Generator().manual_seed(seed)
    may_attend = torch.rand(shape, generator=generator) < 0.5
    may_attend[..., -1, :] = True
    may_attend[..., 0, :] = False
    return may_attend


def permutation(seed: int, size: int) -> Tensor:
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def arrays(*tensors: Tensor) -> list[np.ndarray]:
    """What a twin takes."""
    return [tensor.double().numpy() for tensor in tensors]


def along(twin: Callable[..., object], axis: int, *tensors: Tensor) -> Tensor:
    """Apply a twin, which knows one row, to every row along an axis."""
    arrays = [np.moveaxis(tensor.double().numpy(), axis, -1) for tensor in tensors]
    rows = arrays[0].shape[:-1]
    results = [twin(*(array[index] for array in arrays)) for index in np.ndindex(*rows)]
    result = np.array(results).reshape(rows + np.shape(results[0]))
    if np.ndim(results[0]):
        result = np.moveaxis(result, -1, axis)
    return torch.from_numpy(np.ascontiguousarray(result))


def stacked(results: Iterable[np.ndarray]) -> Tensor:
    """The results of a twin, which knows no batch, for each example of a batch."""
    return torch.from_numpy(np.stack(list(results)))


def assert_equals_twin(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """Compare with what a twin gave in float64; assert_close's 1e-7 cannot tell float32 apart."""
    exact = {"rtol": 1e-12, "atol": 1e-13} if dtype == torch.float64 else {}
    assert_close(actual, expected.to(dtype), **exact)
