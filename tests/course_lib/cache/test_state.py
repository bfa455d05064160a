"""The cache of a state: as large after many tokens as after one, and clear when refused."""

import pytest
import torch
from strategies import DV, B, D, H, normal
from torch import Tensor

from course_lib.cache.protocol import Cache
from course_lib.cache.state import StateCache

W, ENTRIES = 4, 9


def left(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """What some tokens leave: the end of a longer sequence, and a state."""
    rows = normal(seed, B, 50, ENTRIES, dtype=dtype)
    return rows[:, -(W - 1) :], normal(seed + 1, B, H, D, DV, dtype=dtype)


def test_it_keeps_what_came_last_and_counts_all() -> None:
    cache = StateCache()
    assert isinstance(cache, Cache)
    assert (cache.length, cache.nbytes, cache.before, cache.state) == (0, 0, None, None)
    for number, tokens in enumerate((5, 1, 300), start=1):
        before, state = left(number)
        cache.replace(before, state, tokens)
        assert torch.equal(cache.before, before)
        assert torch.equal(cache.state, state)
        assert cache.nbytes == 8 * B * ((W - 1) * ENTRIES + H * D * DV)  # and not the 50 rows
    assert cache.length == 306


def test_it_copies_and_no_gradient_passes() -> None:
    before, state = (part.requires_grad_() for part in left())
    cache = StateCache()
    cache.replace(before, state, 2)
    with torch.no_grad():
        state.zero_()
        before.zero_()
    assert cache.state.any()
    assert cache.before.any()
    assert not cache.state.requires_grad
    assert not cache.before.requires_grad


def test_what_was_kept_in_inference_mode_goes_on_outside_of_it() -> None:
    cache = StateCache()
    with torch.inference_mode():
        before, state = left()
        cache.replace(before * 1, state * 1, 2)
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    (cache.state * weight).sum().backward()
    (cache.before * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.usefixtures("without_annotations")
def test_what_does_not_fit_is_refused_and_leaves_no_trace() -> None:
    cache = StateCache()
    before, state = left()
    with pytest.raises(ValueError, match=r"before has B=1 and state B=2; shapes \(1, 3, 9\) and"):
        cache.replace(before[:1], state, 1)
    with pytest.raises(ValueError, match=r"state has the axes B H D Dv, 4 in number; state has 3"):
        cache.replace(before, state[0], 1)
    with pytest.raises(ValueError, match=r"before has the axes B W-1 entries, 3 in number"):
        cache.replace(before[0], state, 1)
    with pytest.raises(ValueError, match=r"num_tokens >= 0; num_tokens is -1"):
        cache.replace(before, state, -1)
    with pytest.raises(ValueError, match=r"state is torch.int64"):
        cache.replace(before, state.long(), 1)
    assert (cache.length, cache.state) == (0, None)
    cache.replace(before, state, 2)
    for wrong, message in (
        ((before[:, 1:], state), r"kept before is .* shapes \(2, 3, 9\) and \(2, 2, 9\)"),
        ((before, state[:, 1:]), r"kept state is .* shapes \(2, 4, 7, 6\) and \(2, 3, 7, 6\)"),
        ((before[:1], state[:1]), r"kept before is .* shapes \(2, 3, 9\) and \(1, 3, 9\)"),
        ((before, state.float()), r"kept state is torch.float64 on cpu and the new one torch.fl"),
    ):
        with pytest.raises(ValueError, match=message):
            cache.replace(*wrong, 1)
    assert cache.length == 2
    assert torch.equal(cache.state, state)
