"""Small language models that an exercise hands over by name, with their parameters as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grading.witness.conversion import given

__all__ = ["language_model", "optimiser", "writer"]


class _Body(nn.Module):
    """What stands between the table and the head: a matrix whose result is added."""

    def __init__(self, C: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.head = nn.Linear(C, C, bias=False, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.tanh(self.head(x))


class _LanguageModel(nn.Module):
    """Ids to logits; in training mode some features are dropped, the same ones each time.

    A token reads those before it through a running mean, so that no row knows a later token.
    """

    def __init__(self, V: int, C: int, kept: Tensor) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, C, dtype=kept.dtype)
        self.body = _Body(C, kept.dtype)
        self.head = nn.Linear(C, V, dtype=kept.dtype)
        self.kept = kept

    def forward(self, tokens: Tensor) -> Any:
        x = self.embed(tokens)
        past = torch.arange(1, tokens.shape[-1] + 1, dtype=x.dtype)[:, None]
        x = self.body(x + x.cumsum(-2) / past)
        return self.head(x * self.kept if self.training else x)


def language_model(arguments: Mapping[str, Any], made: Mapping[str, Any]) -> nn.Module:
    """Build a model of a table, a body and a head.

    Args:
        arguments: "weights", its parameters by name; "kept", what each feature is multiplied by in
            training mode; "training", whether it comes in that mode.
        made: the arguments before it.
    """
    weights = {name: given(value) for name, value in arguments["weights"].items()}
    V, C = weights["embed.weight"].shape
    model = _LanguageModel(V, C, given(arguments["kept"]))
    model.load_state_dict(weights)
    return model.train(bool(arguments["training"]))


class _Writer(nn.Module):
    """Ids to logits, made of a table alone: what is read long ago counts less than what is new.

    As a model with a table of positions does, it fails where it is to read more than its context.
    """

    def __init__(self, table: Tensor, fade: float, context_length: int) -> None:
        super().__init__()
        self.table, self.fade = nn.Parameter(table), fade
        self.context_length = context_length

    def forward(self, ids: Tensor) -> Any:
        if ids.ndim != 2:
            raise ValueError(f"ids have the shape (B, T); these have {tuple(ids.shape)}")
        T = ids.shape[1]
        if self.context_length < T:
            raise IndexError(f"{T} tokens are read, and context_length is {self.context_length}")
        back = torch.arange(T)[:, None] - torch.arange(T)
        share = torch.where(back >= 0, self.fade ** back.clamp(min=0), 0.0).to(self.table.dtype)
        return share @ self.table[ids]


def writer(arguments: Mapping[str, Any], made: Mapping[str, Any]) -> nn.Module:
    """Build a model that writes: its "table" V V, its "fade", its "context_length"."""
    table, fade = given(arguments["table"]), float(arguments["fade"])
    return _Writer(table, fade, int(arguments["context_length"])).eval()


def optimiser(kind: str) -> Callable[[dict[str, Any], Mapping[str, Any]], Any]:
    """Return what builds an optimiser of the parameters of another argument, named by "of".

    With "steps" it has made so many before, along gradients of its own: it holds a momentum where
    it has one, and the last gradients still lie on the parameters.
    """

    def build(arguments: dict[str, Any], made: Mapping[str, Any]) -> Any:
        options = {
            name: given(value) for name, value in arguments.items() if name not in ("of", "steps")
        }
        parameters = list(made[arguments["of"]].parameters())
        made_of = getattr(torch.optim, kind)(parameters, **options)
        for step in range(int(arguments.get("steps", 0))):
            for number, one in enumerate(parameters):
                turns = torch.arange(one.numel(), dtype=one.dtype) + number + step
                one.grad = turns.cos().reshape(one.shape)
            made_of.step()
        return made_of

    return build
