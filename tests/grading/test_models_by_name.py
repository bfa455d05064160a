"""The small language models and the used optimisers that an exercise hands over by name."""

from typing import Any

import numpy as np
import pytest
import torch

from grading.observation.values import Named, tensor
from grading.witness.registry import handed_over

WEIGHTS = {
    "embed.weight": np.arange(15.0).reshape(5, 3) / 7, "body.head.weight": np.eye(3) / 2,
    "head.weight": np.arange(15.0)[::-1].reshape(5, 3) / 5, "head.bias": np.zeros(5),
}  # fmt: skip


def language_model(training: bool = False) -> Named:
    weights = {name: tensor(one) for name, one in WEIGHTS.items()}
    kept = tensor(np.array([2.0, 0.0, 2.0]))
    return Named("language model", {"weights": weights, "kept": kept, "training": training})


def made(**inputs: Any) -> list[Any]:
    return handed_over(inputs, None)


def test_a_language_model_differs_in_its_two_modes_and_reads_no_later_token() -> None:
    (model,) = made(model=language_model())
    assert not model.training
    assert list(model.state_dict()) == list(WEIGHTS)
    tokens = torch.tensor([[1, 4, 2], [1, 4, 0]])
    logits = model(tokens)
    assert logits.shape == (2, 3, 5)
    assert torch.equal(logits[0, :2], logits[1, :2])
    assert not torch.equal(logits[0, 2], logits[1, 2])
    model.train()
    assert not torch.allclose(model(tokens), logits)
    assert torch.equal(model(tokens), model(tokens))  # the same features each time
    (other,) = made(model=language_model(training=True))
    assert other.training


@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
def test_an_optimiser_can_have_made_steps_before(kind: str) -> None:
    options = {"of": "model", "lr": 0.1}
    fresh, _ = made(model=language_model(), optimiser=Named(kind, options))
    assert all(one.grad is None for one in fresh.parameters())
    used = {**options, "steps": 2} | ({"momentum": 0.9} if kind == "SGD" else {})
    model, optimiser = made(model=language_model(), optimiser=Named(kind, used))
    assert all(one.grad is not None for one in model.parameters())
    assert len(optimiser.state) == len(list(model.parameters()))
    before = [one.detach().clone() for one in model.parameters()]
    for one in model.parameters():
        one.grad = torch.zeros_like(one)
    optimiser.step()  # what it holds goes on
    assert all(
        not torch.equal(one, old) for one, old in zip(model.parameters(), before, strict=True)
    )


def test_a_writer_reads_the_past_and_no_more_than_its_context() -> None:
    table = np.array([[0.0, 1.0], [4.0, -2.0]])
    writes = Named("writer", {"table": tensor(table), "fade": 0.5, "context_length": 3})
    (model,) = made(model=writes)
    logits = model(torch.tensor([[1, 0, 0]]))
    assert logits[0].tolist() == [[4.0, -2.0], [2.0, 0.0], [1.0, 1.0]]
    with pytest.raises(IndexError, match="4 tokens are read, and context_length is 3"):
        model(torch.tensor([[1, 0, 0, 1]]))
    with pytest.raises(ValueError, match=r"shape \(B, T\); these have \(3,\)"):
        model(torch.tensor([1, 0, 0]))
