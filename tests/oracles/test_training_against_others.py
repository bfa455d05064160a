"""Loss, accuracy, entropy, warm-up and the loop against PyTorch and transformers."""

import copy

import pytest
import torch
from hypothesis import given
from strategies import normal, seeds
from tiny_models import make_pair
from tiny_parts import V
from torch import nn
from torch.testing import assert_close
from transformers import get_constant_schedule_with_warmup
from transformers.loss.loss_utils import ForCausalLMLoss

from course_lib.training.accumulation import accumulate_gradients, num_predicted
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, train, warm_up
from course_lib.training.loss import IGNORE, lm_loss, token_accuracy
from course_lib.training.recipes import batch_accuracy, batch_loss
from course_lib.training.text import unigram_entropy

B, T, PAD = 3, 9, 5


def ids(seed: int) -> torch.Tensor:
    tokens = torch.randint(V, (B, T), generator=torch.Generator().manual_seed(seed))
    tokens[0, 4:] = PAD
    return tokens


@given(seed=seeds)
def test_lm_loss_is_torchs_cross_entropy(seed: int) -> None:
    logits, tokens = (3 * normal(seed, B, T, V)).requires_grad_(), ids(seed)
    expected = nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=PAD
    )
    loss = lm_loss(logits, tokens, PAD)
    assert_close(loss, expected)
    (ours,), (theirs,) = torch.autograd.grad(loss, logits), torch.autograd.grad(expected, logits)
    assert_close(ours, theirs)
    # Measured over 300 seeds: at most 1.8e-6, on losses of 9, two steps of float32 there.
    assert abs(lm_loss(logits.float(), tokens, PAD).item() - expected.item()) < 3e-6


@pytest.mark.usefixtures("without_annotations")
def test_lm_loss_is_the_loss_of_transformers() -> None:
    theirs, ours = make_pair("Llama 3")
    tokens = ids(0)
    labels = tokens.masked_fill(tokens == PAD, IGNORE)
    with torch.no_grad():
        expected = theirs.double()(tokens, labels=labels).loss
        loss = lm_loss(ours.double()(tokens), labels)
        # transformers casts the logits to float32 first.
        assert_close(loss.float(), expected.float(), rtol=1e-6, atol=1e-6)
        assert_close(batch_loss(ours, Batch(inputs=(tokens,), targets=labels)), loss)


@given(seed=seeds)
def test_accuracy_is_the_mean_of_the_right_choices(seed: int) -> None:
    logits, tokens = normal(seed, B, T, V), ids(seed)
    following = tokens.roll(-1, 1)
    logits = logits.scatter_add(-1, following[..., None], 2 + 2 * normal(seed, B, T, 1))
    kept = following[:, :-1] != PAD
    expected = (logits.max(-1).indices == following)[:, :-1][kept].double().mean().item()
    assert token_accuracy(logits, tokens, PAD) == expected
    batch = Batch(inputs=(tokens,), targets=tokens.masked_fill(tokens == PAD, IGNORE))
    assert batch_accuracy(Told(logits), batch) == expected


class Told(nn.Module):
    """Returns the logits that it was told."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.logits


@given(seed=seeds)
def test_unigram_entropy_is_that_of_torchs_categorical(seed: int) -> None:
    text = ids(seed).flatten()
    shares = torch.bincount(text, minlength=V).double()
    assert_close(unigram_entropy(text, V), torch.distributions.Categorical(shares).entropy())


def plain_descent() -> torch.optim.Optimizer:
    return torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_warm_up_is_torchs_and_transformers_a_step_ahead(steps: int) -> None:
    theirs = get_constant_schedule_with_warmup(plain_descent(), steps)
    for step in range(10):
        # At their step 0 the rate is 0 and nothing is learned; ours begins where they are next.
        assert_close(warm_up(step, steps), theirs.lr_lambdas[0](step + 1))
    if steps > 1:
        optimiser = plain_descent()
        linear = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / steps, total_iters=steps - 1)
        for step in range(10):
            assert_close(warm_up(step, steps), linear.get_last_lr()[0])
            optimiser.step()
            linear.step()


def test_the_loop_is_torchs_pieces_put_together() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    other = copy.deepcopy(model)
    batches = [(normal(seed, 6, 4), 9 * normal(seed + 50, 6, 1)) for seed in range(12)]

    def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return nn.functional.mse_loss(model(batch[0]), batch[1])

    plan = Optimisation(learning_rate=0.02, warmup_steps=5, weight_decay=0.1, max_norm=0.7)
    losses = train(model, batches, loss, 12, plan, show_progress=False)
    optimiser = torch.optim.AdamW(
        other.parameters(), lr=0.02, betas=plan.betas, weight_decay=plan.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / 5, total_iters=4)
    for step, batch in enumerate(batches):
        value = loss(other, batch)
        assert_close(losses[step], value.item())
        optimiser.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(other.parameters(), 0.7)
        optimiser.step()
        schedule.step()
    for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert_close(ours, theirs)


def test_accumulated_batches_are_those_of_transformers() -> None:
    _, model = make_pair("GPT-2")
    lengths = (9, 2, 5)
    batches = []
    for length in lengths:
        tokens = torch.randint(V, (2, length), generator=torch.Generator().manual_seed(length))
        targets = tokens.clone()
        targets[1, length // 2 :] = IGNORE
        batches.append(Batch(inputs=(tokens,), targets=targets))
    num_items = sum(num_predicted(batch.targets) for batch in batches)
    assert num_items == sum(int((batch.targets[:, 1:] != IGNORE).sum()) for batch in batches) == 17
    expected = 0.0
    for batch in batches:  # their trainer's loop
        logits = model(*batch.inputs)
        share = ForCausalLMLoss(logits, batch.targets, V, num_items_in_batch=num_items)
        share.backward()
        expected += share.item()
    wanted = {name: weight.grad for name, weight in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    # Their loss is computed in float32: measured over three seeds, on a loss of 5, 6.0e-7.
    assert abs(accumulate_gradients(model, batches) - expected) < 1e-6
    for name, weight in model.named_parameters():
        assert_close(weight.grad, wanted[name], rtol=0, atol=3e-7)  # measured: 6.0e-8
