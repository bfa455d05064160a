"""The loss of a language model: equal to its loops, the mistakes it must not make, its gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import B, normal, permutation, seeds
from torch import Tensor
from torch.testing import assert_close

from course_lib.naive.training import loss as naive
from course_lib.training import loss as lib
from course_lib.training.loss import IGNORE

T, V, PAD = 7, 11, 4


def tokens(seed: int = 0, *, padded: bool = True) -> Tensor:
    """Sequences of unlike lengths: with padding the mean of means is not the mean."""
    ids = torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))
    ids = torch.where(ids == PAD, PAD + 1, ids)
    if padded:
        ids[0, 3:] = PAD
    return ids


# Equal to the twin


@pytest.mark.parametrize("ignore", [PAD, IGNORE])
@pytest.mark.parametrize("seed", range(4))
def test_both_equal_their_loops(seed: int, ignore: int) -> None:
    for logits in (3 * normal(seed, B, T, V), normal(seed, B, T, V).round()):
        ids = tokens(seed)
        twin = naive.lm_loss(logits.numpy(), ids.numpy(), ignore)
        assert_close(lib.lm_loss(logits, ids, ignore).item(), twin)
        twin = naive.token_accuracy(logits.numpy(), ids.numpy(), ignore)
        assert lib.token_accuracy(logits, ids, ignore) == twin
        assert_close(
            lib.lm_loss(logits.float(), ids, ignore).item(), twin_loss(logits, ids, ignore)
        )


def twin_loss(logits: Tensor, ids: Tensor, ignore: int) -> float:
    return naive.lm_loss(logits.float().double().numpy(), ids.numpy(), ignore)


def test_half_precision_is_rounded_once() -> None:
    # 8.060 and 16.060 would be rounded to 8.0625 and 16.0, and their mean to 12.0.
    logits = torch.zeros(1, 3, 3165, dtype=torch.bfloat16)
    logits[0, 1, 2] = -8.0
    loss = lib.lm_loss(logits, torch.tensor([[0, 1, 2]]))
    assert loss.dtype == torch.bfloat16
    assert loss.item() == 12.0625
    for seed in range(20):
        logits = (3 * normal(seed, B, T, V)).bfloat16()
        exact = twin_loss(logits, tokens(seed), PAD)
        assert abs(lib.lm_loss(logits, tokens(seed), PAD).item() - exact) <= 1.01 * 2**-8 * exact


# What each mistake would change


def test_a_row_foretells_the_token_after_it() -> None:
    ids = tokens(padded=False)
    knows = torch.full((B, T, V), -50.0)
    knows[:, :-1].scatter_(-1, ids[:, 1:, None], 50.0)
    assert lib.lm_loss(knows, ids).item() == 0.0
    assert lib.token_accuracy(knows, ids) == 1.0
    echoes = torch.full((B, T, V), -50.0).scatter(-1, ids[..., None], 50.0)
    assert lib.lm_loss(echoes, ids).item() > 50  # it says again what it has just read
    assert lib.token_accuracy(echoes, ids) < 0.5


@given(seed=seeds)
def test_neither_the_last_row_nor_the_first_token_counts(seed: int) -> None:
    logits, ids = normal(seed, B, T, V), tokens(seed % 100)
    expected = lib.lm_loss(logits, ids, PAD), lib.token_accuracy(logits, ids, PAD)
    logits[:, -1], ids[:, 0] = math.nan, 1
    assert_close(lib.lm_loss(logits, ids, PAD), expected[0])
    assert lib.token_accuracy(logits, ids, PAD) == expected[1]


@given(seed=seeds)
def test_an_ignored_token_counts_neither_above_nor_below_the_line(seed: int) -> None:
    logits, ids = normal(seed, B, T, V), tokens(seed % 100)
    expected = lib.lm_loss(logits, ids, PAD)
    logits[0, 2:-1] = 1e4 * normal(seed + 1, T - 3, V)  # foretells padding alone
    assert_close(lib.lm_loss(logits, ids, PAD), expected)
    longer = torch.cat([ids, torch.full((B, 3), PAD)], dim=1)
    wider = torch.cat([logits, normal(seed, B, 3, V)], dim=1)
    # Row T - 1 of a sequence without padding would foretell the first added token: ignored.
    assert_close(lib.lm_loss(wider, longer, PAD), expected)


def test_every_counted_token_weighs_the_same() -> None:
    logits, ids = 3 * normal(0, B, T, V), tokens()
    counts = [2, T - 1]
    each = [lib.lm_loss(logits[b : b + 1], ids[b : b + 1], PAD).item() for b in range(B)]
    weighted = sum(n * loss for n, loss in zip(counts, each, strict=True)) / sum(counts)
    loss = lib.lm_loss(logits, ids, PAD).item()
    assert_close(loss, weighted)
    assert abs(loss - sum(each) / B) > 0.1


@given(seed=seeds, size=st.integers(2, 300))
def test_a_model_that_has_learned_nothing_pays_ln_v(seed: int, size: int) -> None:
    ids = torch.randint(size, (B, T), generator=torch.Generator().manual_seed(seed))
    for level in (0.0, -1e4, 1e4):
        loss = lib.lm_loss(torch.full((B, T, size), level, dtype=torch.float64), ids)
        assert_close(loss.item(), math.log(size))


@given(seed=seeds, shift=st.floats(-1e4, 1e4))
def test_shifts_and_orders_that_change_nothing(seed: int, shift: float) -> None:
    logits, ids = normal(seed, B, T, V), tokens(seed % 100, padded=False)
    expected, order = lib.lm_loss(logits, ids), permutation(seed, V)
    assert_close(lib.lm_loss(logits + shift, ids), expected)
    assert_close(lib.lm_loss(logits[..., order], order.argsort()[ids]), expected)
    assert_close(lib.lm_loss(logits.flip(0), ids.flip(0)), expected)
    assert_close(lib.lm_loss(logits.repeat(3, 1, 1), ids.repeat(3, 1)), expected)


def test_large_logits_and_two_tokens() -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0], [0.0, 0.0, 0.0]]])
    assert lib.lm_loss(logits, torch.tensor([[2, 0]])).item() == 0.0
    assert lib.lm_loss(logits, torch.tensor([[2, 1]])).item() == 2e4
    assert lib.token_accuracy(logits, torch.tensor([[2, 1]])) == 0.0


def test_the_gradient() -> None:
    logits, ids = normal(0, B, 3, 4).requires_grad_(), torch.tensor([[0, 3, 1], [2, IGNORE, 0]])
    assert torch.autograd.gradcheck(lambda x: lib.lm_loss(x, ids), (logits,))
    lib.lm_loss(logits, ids).backward()
    assert logits.grad is not None
    chosen = torch.softmax(logits.detach(), -1)
    chosen[0, 0, 3] -= 1
    chosen[0, 1, 1] -= 1
    chosen[1, 1, 0] -= 1
    chosen[:, -1], chosen[1, 0] = 0, 0
    assert_close(logits.grad, chosen / 3)


# What the errors say


@pytest.mark.parametrize("name", ["lm_loss", "token_accuracy"])
@pytest.mark.usefixtures("without_annotations")
def test_errors_name_the_numbers(name: str) -> None:
    function, logits, ids = getattr(lib, name), normal(0, B, T, V), tokens()
    with pytest.raises(ValueError, match=r"12 rows and 14 tokens; shapes \(2, 6, 11\) and \(2, 7"):
        function(logits[:, :-1], ids)
    with pytest.raises(ValueError, match=r"7 rows and 14 tokens; shapes \(7, 11\) and \(2, 7\)"):
        function(logits[0], ids)
    for wrong in (V, -1):
        ids[1, 2] = wrong
        with pytest.raises(ValueError, match=rf"V is 11 and a token is {wrong}, .*ignore = {PAD};"):
            function(logits, ids, PAD)
    function(logits, ids, -1)
    with pytest.raises(ValueError, match=r"of 14 tokens, 0 are counted, with ignore = 4; .*\(2, 7"):
        function(logits, torch.full((B, T), PAD), PAD)
    with pytest.raises(ValueError, match=r"of 2 tokens, 0 are counted"):
        function(logits[:, :1], ids[:, :1])


@pytest.mark.usefixtures("without_annotations")
def test_accuracy_refuses_rows_without_a_largest_logit() -> None:
    logits, ids = normal(0, B, T, V), tokens()
    logits[:, -1] = torch.nan  # nobody asks for what follows the last token
    ids[1, 3] = IGNORE
    logits[1, 2, 4] = torch.nan  # nor for an ignored one
    accuracy = lib.token_accuracy(logits, ids)
    assert 0 <= accuracy <= 1
    logits[0, 2, 4] = torch.nan
    message = r"1 of 11 rows have none, a NaN or an infinity; V is 11, shape \(11, 11\)"
    with pytest.raises(ValueError, match=message):
        lib.token_accuracy(logits, ids)
