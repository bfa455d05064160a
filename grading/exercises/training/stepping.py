"""What the tasks on a step of training share: models, optimisers, and how a step is judged."""

from __future__ import annotations

from typing import Any

import numpy as np

from grading.exercise import Inputs, LeftOut, Seen
from grading.exercises.shared.drawing import normal
from grading.late import Tensor, torch
from grading.observation.values import Array, Module, Named, described, tensor

__all__ = ["loss_of", "parted", "step_in_words", "step_view", "training_inputs"]


def loss_of(logits: Tensor, tokens: Tensor, ignore: int = -100) -> Any:
    """Return the mean surprise at the tokens, each foretold by the row before it."""
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore
    )


def training_inputs(
    sizes: tuple[int, int, int, int], optimiser: tuple[str, dict[str, Any]], last: dict[str, Any],
    *, training: bool = False, padded: int = 0,
) -> Any:  # fmt: skip
    """Draw a model, an optimiser of its parameters, and a batch; the model comes in eval mode.

    Args:
        sizes: B, T, V and C.
        optimiser: its name and how it is made.
        last: the arguments behind the batch.
        training: whether the model comes in training mode.
        padded: how many tokens at the end of the first text are 0, which stands nowhere else.
    """
    B, T, V, C = sizes
    kind, options = optimiser

    def draw(generator: torch.Generator) -> Inputs:
        weights = {
            "embed.weight": normal(generator, V, C), "body.head.weight": normal(generator, C, C),
            "head.weight": normal(generator, V, C), "head.bias": normal(generator, V),
        }  # fmt: skip
        kept = np.array([0.0 if one % 3 == 1 else 2.0 for one in range(C)])
        model = Named("language model", {
            "weights": {name: tensor(one.numpy()) for name, one in weights.items()},
            "kept": tensor(kept), "training": training,
        })  # fmt: skip
        tokens = torch.randint(1, V, (B, T), generator=generator)
        tokens[0, T - padded :] = 0
        optimiser = Named(kind, {"of": "model", **options})
        return {"model": model, "optimiser": optimiser, "tokens": tokens, **last}

    return draw


def _state(one: Seen) -> dict[str, Any]:
    model = one.returned[0]
    return dict(model.state) if isinstance(model, Module) else {}


def _loss(one: Seen) -> tuple[float, bool]:
    """Return the loss as a number, and whether it is one of Python's."""
    loss = one.returned[1]
    if isinstance(loss, Array) and loss.numbers is not None and loss.numbers.size == 1:
        return float(loss.numbers.reshape(-1)[0]), loss.kind == "scalar"
    if isinstance(loss, int | float) and not isinstance(loss, bool):
        return float(loss), True
    raise ValueError("no loss")


def step_view(one: Seen) -> tuple[Any, ...]:
    """Return the parameters behind the step, the loss, and whether it is a number."""
    loss, is_number = _loss(one)
    parameters = [value.numbers for value in _state(one).values()]
    return (*parameters, np.array(loss), np.array(float(is_number)))


def step_in_words(mine: Seen, right: Seen) -> str | None:
    """Say how a step differs from the right one; None where it does not."""
    state, wanted = _state(mine), _state(right)
    if not state:
        return f"The first result has to be the model; yours is {described(mine.returned[0])}."
    if list(state) != list(wanted):
        return "The model that comes back is another one than the model that was handed over."
    try:
        (loss, is_number), (truth, _) = _loss(mine), _loss(right)
    except ValueError:
        return f"The second result has to be the loss; yours is {described(mine.returned[1])}."
    for name, expected in wanted.items():
        told = _parameter(name, state[name], expected)
        if told is not None:
            return f"With {_optimiser_in_words(mine)} {told}"
    if not np.isclose(loss, truth, rtol=1e-6, atol=1e-8):
        return f"The parameters are right, but the loss has to be {truth:.6g}; yours is {loss:.6g}."
    if not is_number:
        return f"The loss has to be a float; yours is {described(mine.returned[1])}."
    return None


def _optimiser_in_words(one: Seen) -> str:
    """Say which optimiser it is, and what is to move: "SGD(lr=0.1), which has made 2 steps,"."""
    optimiser, trainable = one.inputs["optimiser"], one.inputs.get("trainable")
    said = {name: v for name, v in optimiser.arguments.items() if name not in ("of", "steps")}
    steps = optimiser.arguments.get("steps", 0)
    words = f"{optimiser.name}({', '.join(f'{name}={value:g}' for name, value in said.items())})"
    words += f", which has made {steps} step{'s' * (steps > 1)}," if steps else ""
    return words if trainable is None else f"{words} and trainable = {tuple(trainable)}"


def _parameter(name: str, value: Any, expected: Any) -> str | None:
    """Say where a parameter is not what it has to be behind the step."""
    if not isinstance(value, Array) or value.numbers is None or value.shape != expected.shape:
        return f"the parameter {name} has no longer the shape {expected.shape}."
    wrong = ~np.isclose(value.numbers, expected.numbers, rtol=1e-6, atol=1e-8)
    if not wrong.any():
        return None
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    at = ", ".join(map(str, place))
    return (
        f"{name}[{at}] has to be {expected.numbers[place]:.6g} behind the step; yours is "
        f"{value.numbers[place]:.6g}. {int(wrong.sum())} of its {wrong.size} numbers differ."
    )


def parted(ignore: Any) -> int:
    """Return what is ignored; -100 where a call leaves it out."""
    return -100 if isinstance(ignore, LeftOut) else int(ignore)
