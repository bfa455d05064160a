"""The steps of a language model's loss, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.late import Tensor, torch
from grading.steps import Instead, Pipeline, Step

__all__ = ["IGNORE", "STEPS", "with_steps"]

Way = Callable[..., Any]
#: What is not counted where a call says nothing.
IGNORE = -100


def _loss(do: Any) -> Way:
    """Put the steps in a row: pair, logarithms, who is counted, one number of many."""

    def loss(logits: Tensor, tokens: Tensor, ignore: int = IGNORE) -> Any:
        rows, wanted, read = do.pair(logits, tokens)
        counted = do.count(wanted, read, ignore)
        held = wanted.clamp(0, rows.shape[-1] - 1)
        surprise = do.surprise(rows).gather(-1, held.unsqueeze(-1)).squeeze(-1)
        return do.reduce(surprise, counted)

    return loss


# -- which row foretells which token ---------------------------------------------------------------


def _next(logits: Tensor, tokens: Tensor) -> Any:
    return logits[:, :-1], tokens[:, 1:], tokens[:, :-1]


def _same_place(logits: Tensor, tokens: Tensor) -> Any:
    return logits, tokens, tokens


def _same_place_but_the_last(logits: Tensor, tokens: Tensor) -> Any:
    return logits[:, :-1], tokens[:, :-1], tokens[:, :-1]


def _two_on(logits: Tensor, tokens: Tensor) -> Any:
    return logits[:, :-2], tokens[:, 2:], tokens[:, :-2]


def _backwards(logits: Tensor, tokens: Tensor) -> Any:
    return logits[:, 1:], tokens[:, :-1], tokens[:, 1:]


# -- the logarithms --------------------------------------------------------------------------------


def _surprises(rows: Tensor) -> Any:
    return -rows.log_softmax(-1)


def _softmax_first(rows: Tensor) -> Any:
    return -rows.softmax(-1).log_softmax(-1)


# -- who is counted --------------------------------------------------------------------------------


def _all_but_ignored(wanted: Tensor, read: Tensor, ignore: int) -> Any:
    return wanted != ignore


def _everybody(wanted: Tensor, read: Tensor, ignore: int) -> Any:
    return torch.ones_like(wanted, dtype=torch.bool)


def _who_reads(wanted: Tensor, read: Tensor, ignore: int) -> Any:
    return read != ignore


def _own_default(wanted: Tensor, read: Tensor, ignore: int) -> Any:
    return wanted != IGNORE


# -- one number of many ----------------------------------------------------------------------------


def _mean(surprise: Tensor, counted: Tensor) -> Any:
    return (surprise * counted).sum() / counted.sum()


def _sum(surprise: Tensor, counted: Tensor) -> Any:
    return (surprise * counted).sum()


def _over_all(surprise: Tensor, counted: Tensor) -> Any:
    return (surprise * counted).mean()


def _mean_of_means(surprise: Tensor, counted: Tensor) -> Any:
    return ((surprise * counted).sum(-1) / counted.sum(-1)).mean()


def _mean_of_held_means(surprise: Tensor, counted: Tensor) -> Any:
    return ((surprise * counted).sum(-1) / counted.sum(-1).clamp(min=1)).mean()


def _mean_of_full_means(surprise: Tensor, counted: Tensor) -> Any:
    keep = counted.any(-1)
    return ((surprise * counted).sum(-1)[keep] / counted.sum(-1)[keep]).mean()


def _mean_of_places(surprise: Tensor, counted: Tensor) -> Any:
    return ((surprise * counted).sum(0) / counted.sum(0).clamp(min=1)).mean()


#: Steps with what goes wrong in them; what else carries a code stands in `loss.py`.
STEPS = Pipeline(
    compose=_loss,
    steps=(
        Step(name="pair", right=_next, wrong={
            "LOSS-NOSHIFT": (_same_place, _same_place_but_the_last),
            "LOSS-SHIFT2": (_two_on,),
            "LOSS-BACK": (_backwards,),
        }),
        Step(name="surprise", right=_surprises, wrong={
            "LOSS-PROBS": (_softmax_first,),
        }),
        Step(name="count", right=_all_but_ignored, wrong={
            "LOSS-PADCOUNT": (_own_default, _everybody,
                              Instead(_all_but_ignored, reduce=_over_all)),
            "LOSS-MASKREAD": (_who_reads,),
        }),
        Step(name="reduce", right=_mean, wrong={
            "LOSS-SUM": (_sum,),
            "LOSS-BATCHMEAN": (_mean_of_held_means, _mean_of_means, _mean_of_full_means),
        }),
    ),
)  # fmt: skip


def with_steps(**ways: Way) -> Way:
    """Return the loss with some steps done in another way."""
    return STEPS.answer(ways)
