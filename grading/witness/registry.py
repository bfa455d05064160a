"""What an exercise hands over by name: functions, modules, optimisers, built beside the answer."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from grading.observation.values import LeftOut, Named
from grading.witness.conversion import given
from grading.witness.models import language_model, optimiser, writer
from grading.witness.stand_in import CallBack, StandIn

__all__ = ["handed_over"]


def handed_over(inputs: Mapping[str, Any], call_back: CallBack | None) -> list[Any]:
    """Return the arguments that a function is given for plain data.

    Args:
        inputs: plain data by name; what is named may refer to an earlier input by its name. What is
            left out stands at the end.
        call_back: reaches the functions that only the judge knows.
    """
    made: dict[str, Any] = {}
    for name, value in inputs.items():
        if isinstance(value, LeftOut):
            continue
        is_named = isinstance(value, Named)
        made[name] = _made(name, value, made, call_back) if is_named else given(value)
    return list(made.values())


def _made(name: str, value: Named, made: Mapping[str, Any], call_back: CallBack | None) -> Any:
    if value.name in BUILDERS:
        return BUILDERS[value.name](dict(value.arguments), made)
    if call_back is None:
        raise ValueError(f"nothing is called {value.name!r}, and nobody can be asked for it")
    return StandIn(name, value, call_back)


def _across_positions(arguments: dict[str, Any], made: Mapping[str, Any]) -> Any:
    """Build x -> weights @ x, a function in which positions influence each other."""
    weights = given(arguments["weights"])
    return lambda x: weights.to(x.dtype) @ x


def _rows_mixed(arguments: dict[str, Any], made: Mapping[str, Any]) -> Any:
    """Build x -> mix @ x @ features: who reads which row, and which numbers of a row."""
    mix, features = given(arguments["mix"]), given(arguments["features"])
    return lambda x: mix.to(x.dtype) @ x @ features.to(x.dtype)


def _rows_attended(arguments: dict[str, Any], made: Mapping[str, Any]) -> Any:
    """Build x -> softmax(x @ x.T + bias) @ x: attention that knows positions by the bias alone."""
    bias = given(arguments["bias"])
    return lambda x: torch.softmax(x @ x.T + bias.to(x.dtype), -1) @ x


def _linear(arguments: dict[str, Any], made: Mapping[str, Any]) -> torch.nn.Module:
    """Build x -> x @ weight.T + bias as a module, with these parameters."""
    weight, bias = given(arguments["weight"]), given(arguments["bias"])
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer.train(bool(arguments.get("training", True)))


#: By name: builds an argument from what it is made with, and from the arguments before it.
BUILDERS: dict[str, Callable[[dict[str, Any], Mapping[str, Any]], Any]] = {
    "across positions": _across_positions,
    "rows mixed": _rows_mixed,
    "rows attended": _rows_attended,
    "linear": _linear,
    "language model": language_model,
    "writer": writer,
    "SGD": optimiser("SGD"),
    "AdamW": optimiser("AdamW"),
}
