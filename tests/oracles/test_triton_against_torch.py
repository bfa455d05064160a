"""The kernel in Triton, interpreted on a CPU: equal to PyTorch's fused one and to our tiles."""

import itertools
import math
import sys

import pytest
import torch
from interpreted import interpreted
from strategies import normal
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from course_lib.exact import triton_forward as module
from course_lib.exact.blockwise import blockwise_attention
from course_lib.exact.triton_forward import triton_forward
from course_lib.masks import causal_mask, window_mask

B, H, D, DV = 2, 4, 24, 20  # neither is a power of two
BLOCK = 16
#: The interpreter cuts bfloat16 off where a GPU rounds it: a whole unit, not half of one.
ROUNDED = {torch.float16: 2.0**-11, torch.bfloat16: 2.0**-7}
LINUX = sys.platform == "linux"  # Triton has no wheels for other systems
#: T, S, causal, window: no size is a multiple of the block.
READINGS = [
    (7, 13, False, None),
    (37, 50, False, None),
    (37, 50, True, None),
    (50, 37, True, None),  # the first 13 queries have nothing to read
    (41, 41, True, 9),
    (50, 37, True, 20),
    (41, 41, True, 99),
    (1, 50, True, 21),
]
CASES = list(itertools.product(READINGS, (4, 2, 1))) if LINUX else []


def qkv(T: int, S: int, G: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    shapes = ((B, H, T, D), (B, G, S, D), (B, G, S, DV))
    return tuple(normal(i, *shape, dtype=dtype) for i, shape in enumerate(shapes))


def call(reading: tuple[int, int, bool, int | None], G: int) -> tuple[object, ...]:
    T, S, causal, window = reading
    return *qkv(T, S, G), causal, window, BLOCK


def spoilt() -> tuple[object, ...]:
    query, key, value = qkv(40, 40, 2)
    key[0, 1, 20] = math.nan
    return query, key, value, True, 8, BLOCK


HALVES = {dtype: (*qkv(20, 41, 2, dtype), True, None, BLOCK) for dtype in ROUNDED}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Tensor, Tensor]]:
    """All calls share one process: those of CASES, of HALVES, and the spoilt one."""
    calls = [*(call(*case) for case in CASES), *HALVES.values(), spoilt()]
    return interpreted(triton_forward, calls, tmp_path_factory.mktemp("triton"))


def test_on_linux_there_is_something_to_compare() -> None:
    assert len(CASES) == (24 if LINUX else 0)


def test_it_is_the_fused_attention_and_our_tiles(request: pytest.FixtureRequest) -> None:
    for i, (reading, G) in enumerate(CASES):
        result = request.getfixturevalue("results")[i]
        T, S, causal, window = reading
        query, key, value = qkv(T, S, G)
        may_attend = torch.ones(T, S).bool()
        if causal:
            may_attend = causal_mask(T, S) if window is None else window_mask(T, S, window)
        keys, values = (x.repeat_interleave(H // G, dim=1) for x in (key, value))
        fused = F.scaled_dot_product_attention(query, keys, values, attn_mask=may_attend)
        reads = may_attend.any(-1)
        output, lse = result
        assert_close(output[:, :, reads], fused[:, :, reads], rtol=0, atol=1e-6)
        assert not output[:, :, ~reads].any()
        assert torch.equal(lse == -math.inf, ~reads.expand_as(lse))
        ours = blockwise_attention(query, key, value, causal, window, BLOCK)
        assert_close(result, ours, rtol=1e-6, atol=1e-6)


def test_half_precision_is_rounded_once(request: pytest.FixtureRequest) -> None:
    for i, (dtype, arguments) in enumerate(HALVES.items() if LINUX else []):
        output, lse = request.getfixturevalue("results")[len(CASES) + i]
        wide = [x.float() for x in arguments[:3]]
        expected, expected_lse = blockwise_attention(*wide, *arguments[3:])
        assert (output.dtype, lse.dtype) == (dtype, torch.float32)
        assert_close(output.float(), expected, rtol=ROUNDED[dtype], atol=1e-6)
        assert_close(lse, expected_lse, rtol=1e-6, atol=1e-6)


def test_nan_is_seen_where_it_is_read_and_nowhere_else(request: pytest.FixtureRequest) -> None:
    for x in request.getfixturevalue("results")[-1] if LINUX else []:
        bad = x.isnan().reshape(B, H, 40, -1).any(-1)
        assert bad[0, 2:, 20:28].all()
        assert not bad[0, :2].any()
        assert not bad[0, :, :16].any()  # its block alone may be spoilt
        assert not bad[1].any()


# What it refuses


@pytest.mark.parametrize("block", [0, 8, 24, 2.0, True])
def test_a_block_is_a_power_of_two_from_16_on(block: int) -> None:
    with pytest.raises((ValueError, TypeError), match="block"):
        triton_forward(*qkv(7, 13, 2), True, None, block)


def test_what_does_not_fit_is_refused() -> None:
    query, key, value = qkv(7, 13, 2)
    with pytest.raises(ValueError, match="window"):
        triton_forward(query, key, value, False, 3)
    with pytest.raises(ValueError, match="H=4"):
        triton_forward(query, key.repeat(1, 3, 1, 1), value.repeat(1, 3, 1, 1), True)
    with pytest.raises(ValueError, match=r"lose the digits of torch.float64"):
        triton_forward(*(x.double() for x in (query, key, value)), True)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"the package triton is not installed.*pip install"):
        triton_forward(*qkv(7, 13, 2), True)


def test_a_cpu_without_the_interpreter_is_told_what_to_set() -> None:
    missing = "TRITON_INTERPRET=1" if LINUX else "not installed"
    with pytest.raises(RuntimeError, match=missing):
        triton_forward(*qkv(7, 13, 2), True)
