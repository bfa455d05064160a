"""Accumulated batches: the loss and the gradient of the one batch that holds them all."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from course_lib.model.decoder import Decoder
from course_lib.model.initialise import initialise
from course_lib.naive.training import accumulation as naive
from course_lib.training import accumulation as lib
from course_lib.training.batch import Batch
from course_lib.training.loss import IGNORE, lm_loss
from course_lib.zoo.gpt import gpt_config

V = 11
#: What each sequence asks for: as unlike as 1 and 6, so that a mean of means is another number.
LENGTHS = (7, 3, 2, 5)


def decoder() -> Decoder:
    model = Decoder(gpt_config(2, 3, 12, V, 7)).double()
    initialise(model, torch.Generator().manual_seed(0), std=0.5)
    return model


def sequence(length: int, width: int) -> Batch:
    """One sequence, filled up on the right; what fills it is read but not asked for."""
    tokens = torch.randint(V, (1, width), generator=torch.Generator().manual_seed(length))
    targets = tokens.masked_fill(torch.arange(width) >= length, IGNORE)
    return Batch(inputs=(tokens,), targets=targets)


def together(batches: list[Batch]) -> Batch:
    inputs = torch.cat([batch.inputs[0] for batch in batches])
    return Batch(inputs=(inputs,), targets=torch.cat([batch.targets for batch in batches]))


def gradients(model: nn.Module) -> dict[str, Tensor]:
    found = {name: weight.grad for name, weight in model.named_parameters()}
    model.zero_grad()
    return {name: grad for name, grad in found.items() if grad is not None}


@pytest.mark.parametrize("ignore", [4, IGNORE])
def test_the_count_is_that_of_its_loops(ignore: int) -> None:
    for width in (0, 1, 7):
        tokens = torch.randint(V, (5, width), generator=torch.Generator().manual_seed(width))
        assert lib.num_predicted(tokens, ignore) == naive.num_predicted(tokens.numpy(), ignore)
    assert lib.num_predicted(torch.tensor([[4, 4, 1], [2, 3, 4]]), 4) == 2
    assert lib.num_predicted(torch.tensor([[4, 4, 1], [2, 3, 4]])) == 4


def test_small_batches_are_one_batch() -> None:
    model = decoder()
    whole = together([sequence(length, width=7) for length in LENGTHS])
    expected = lm_loss(model(*whole.inputs), whole.targets)
    expected.backward()
    wanted = gradients(model)
    # Each of another width, too: what fills a sequence up is not there at all.
    loss = lib.accumulate_gradients(model, [sequence(length, length) for length in LENGTHS])
    assert_close(loss, expected.item())
    assert_close(gradients(model), wanted)
    two = [
        together([sequence(length, 7) for length in part]) for part in (LENGTHS[:1], LENGTHS[1:])
    ]
    assert_close(lib.accumulate_gradients(model, two), expected.item())
    assert_close(gradients(model), wanted)


def test_the_mean_of_the_means_is_another_number() -> None:
    model, batches = decoder(), [sequence(length, length) for length in LENGTHS]
    means = [lm_loss(model(*batch.inputs), batch.targets).item() for batch in batches]
    loss = lib.accumulate_gradients(model, batches)
    assert abs(loss - sum(means) / len(means)) > 0.05
    weighted = sum(mean * (n - 1) for mean, n in zip(means, LENGTHS, strict=True))
    assert_close(loss, weighted / sum(n - 1 for n in LENGTHS))


def test_a_batch_that_asks_for_nothing_changes_nothing() -> None:
    model, asked = decoder(), [sequence(5, 7), sequence(3, 3)]
    silent = Batch(inputs=(torch.tensor([[1, 2]]),), targets=torch.tensor([[1, IGNORE]]))
    expected = lib.accumulate_gradients(model, asked)
    wanted = gradients(model)
    assert_close(lib.accumulate_gradients(model, [silent, asked[0], silent, asked[1]]), expected)
    assert_close(gradients(model), wanted)


def test_gradients_are_added_to_what_is_there() -> None:
    model, batches = decoder(), [sequence(5, 5), sequence(2, 2)]
    lib.accumulate_gradients(model, batches)
    wanted = {name: 2 * grad for name, grad in gradients(model).items()}
    lib.accumulate_gradients(model, batches)
    lib.accumulate_gradients(model, batches)
    assert_close(gradients(model), wanted)


def test_nothing_to_ask_is_refused() -> None:
    silent = Batch(inputs=(torch.tensor([[1, 2, 3]]),), targets=torch.tensor([[1, IGNORE, IGNORE]]))
    with pytest.raises(ValueError, match=r"of 6 tokens in 2 batches, 0 are counted"):
        lib.accumulate_gradients(decoder(), [silent, silent])
    with pytest.raises(ValueError, match=r"of 0 tokens in 0 batches, 0 are counted"):
        lib.accumulate_gradients(decoder(), [])
