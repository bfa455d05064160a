"""One plain loop: a batch, its loss, its gradient, one step."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from course_lib.sizes import is_above_zero, require_number, require_whole

__all__ = ["Optimisation", "train", "warm_up"]

Model = TypeVar("Model", bound=nn.Module)
Given = TypeVar("Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How the weights are moved.

    Attributes:
        learning_rate: the step's size once it is warm; float32 can hold it.
        warmup_steps: steps during which it grows in a straight line; 0 means that none do.
        max_norm: the longest gradient, all weights taken together; longer ones are cut to it.
        betas: AdamW's memory of the gradient and of its square.
        weight_decay: the share of each weight that a step of size 1 would take away.
    """

    learning_rate: float
    warmup_steps: int = 0
    max_norm: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_whole(warmup_steps=self.warmup_steps)
        require_number(learning_rate=self.learning_rate, max_norm=self.max_norm)
        require_number(weight_decay=self.weight_decay)
        require_number(**{f"beta {number}": beta for number, beta in enumerate(self.betas, 1)})
        is_rate = is_above_zero(self.learning_rate)
        if not (is_rate and self.warmup_steps >= 0 and self.max_norm > 0):
            raise ValueError(
                "learning_rate > 0 and finite in float32, warmup_steps >= 0 and max_norm > 0; "
                f"learning_rate is {self.learning_rate}, warmup_steps {self.warmup_steps} and "
                f"max_norm {self.max_norm}"
            )
        if not (all(0 <= beta < 1 for beta in self.betas) and 0 <= self.weight_decay < math.inf):
            raise ValueError(
                "a memory keeps a share, 0 <= beta < 1, and weight_decay >= 0 and finite; "
                f"betas are {self.betas} and weight_decay is {self.weight_decay}"
            )


def warm_up(step: int, warmup_steps: int) -> float:
    r"""Say which share of the learning rate a step gets.

    .. math:: \min\Big(1, \frac{\text{step} + 1}{\text{warm-up steps}}\Big)

    Args:
        step: steps made so far; 0 at the first.
        warmup_steps: the steps until the share is 1.

    Returns:
        The share, from 1 / warmup_steps to 1.

    Raises:
        ValueError: if a number of steps is negative.

    Source: Goyal et al. 2017 (arXiv:1706.02677), sec. 2.2. Vaswani et al. 2017 (arXiv:1706.03762),
    eq. 3, let the rate fall again afterwards.
    """
    require_whole(step=step, warmup_steps=warmup_steps)
    if step < 0 or warmup_steps < 0:
        raise ValueError(
            "steps are counted, so step >= 0 and warmup_steps >= 0; "
            f"step is {step} and warmup_steps is {warmup_steps}"
        )
    return min(1.0, (step + 1) / warmup_steps) if warmup_steps else 1.0


def train(
    model: Model,
    batches: Iterable[Given],
    loss: Callable[[Model, Given], Float[Tensor, ""]],
    num_steps: int,
    optimisation: Optimisation,
    *,
    show_progress: bool = True,
) -> list[float]:
    r"""Train a model: at each step one batch, its loss, the gradient, a step of AdamW.

    Nothing here is random: the model's first weights and the batches decide everything.

    Args:
        model: any module; its parameters are modified.
        batches: one a step; what they are is between them and the loss.
        loss: the number to make small, from the model and a batch.
        num_steps: the steps.
        optimisation: how the weights are moved.
        show_progress: True draws a bar on the error stream.

    Returns:
        The loss of each step, before the step. The model is left in the mode that it came in.

    Raises:
        ValueError: if num_steps is negative, the model has no parameter to train, the batches end
            too early, or the loss, the gradient or the weights are no longer finite; the weights of
            before that step are kept, if it is the loss or the gradient.

    Source: AdamW: Loshchilov and Hutter 2017 (arXiv:1711.05101), alg. 2; clipping: Pascanu et al.
    2012 (arXiv:1211.5063), alg. 1.
    """
    require_whole(num_steps=num_steps)
    if num_steps < 0:
        raise ValueError(f"training takes num_steps >= 0 steps; num_steps is {num_steps}")
    parameters = _trained(model)
    optimiser = torch.optim.AdamW(
        parameters, betas=optimisation.betas, weight_decay=optimisation.weight_decay
    )
    losses: list[float] = []
    iterator = iter(batches)
    with (
        _training_mode(model),
        tqdm(total=num_steps, disable=not show_progress, unit="step") as bar,
    ):
        for step in range(num_steps):
            value = loss(model, _next(iterator, step, num_steps))
            _require_finite("loss", value, step)
            optimiser.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            length = nn.utils.clip_grad_norm_(parameters, optimisation.max_norm)
            _require_finite("gradient's length", length, step)
            for group in optimiser.param_groups:
                group["lr"] = optimisation.learning_rate * warm_up(step, optimisation.warmup_steps)
            optimiser.step()
            losses.append(value.item())
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    for name, weight in model.named_parameters():
        _require_finite(f"new weight of {name}", weight, num_steps - 1)
    return losses


def _trained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that training moves."""
    every = list(model.parameters())
    parameters = [weight for weight in every if weight.requires_grad]
    if not parameters:
        raise ValueError(
            "training moves a model's parameters, so it has one that requires a gradient; "
            f"{type(model).__name__} has {len(every)} parameters and "
            f"{len(parameters)} of them do"
        )
    return parameters


@contextmanager
def _training_mode(model: nn.Module) -> Iterator[None]:
    """Leave the model in the mode that it came in, also after an error."""
    was_training = model.training
    model.train()
    try:
        yield
    finally:
        model.train(was_training)


def _next(iterator: Iterator[Given], step: int, num_steps: int) -> Given:
    try:
        return next(iterator)
    except StopIteration:
        raise ValueError(
            f"every step takes one batch; num_steps is {num_steps} and there were {step} batches"
        ) from None


def _require_finite(name: str, value: Tensor, step: int) -> None:
    wrong = value[~value.isfinite()]
    if wrong.numel():
        raise ValueError(
            "training needs finite numbers, and a smaller learning rate may keep them so; "
            f"at step {step} the {name} is {wrong[0].item()}"
        )
