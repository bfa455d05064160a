"""Recipes: a task, a model and a budget that are known to fit together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from course_lib.recurrence.seq2seq import RecurrentEncoderDecoder
from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder
from course_lib.sizes import require_whole
from course_lib.training.batch import Batch, joined
from course_lib.training.loop import Optimisation, train
from course_lib.training.loss import lm_loss, token_accuracy
from course_lib.training.models import (
    draw_decoder,
    draw_encoder_decoder,
    draw_seq2seq,
    small_encoder_decoder,
    small_learned,
    small_rotary,
)
from course_lib.training.tasks import copy_batch, duplication_batch, induction_batch, reverse_batch
from course_lib.training.text import text_batch

__all__ = [
    "COPY",
    "DUPLICATION",
    "INDUCTION",
    "INDUCTION_IN_ONE_LAYER",
    "REVERSE",
    "REVERSE_WITH_ENCODER",
    "SEQ2SEQ_COPY",
    "SEQ2SEQ_COPY_WITH_ATTENTION",
    "Recipe",
    "Trained",
    "batch_accuracy",
    "batch_loss",
    "byte_recipe",
    "follow",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a training run but its seed.

    Attributes:
        make_model: draws a model's first weights.
        make_batch: draws a batch; the same examples hardly ever come twice.
        num_steps: the budget, one batch a step.
        optimisation: how the weights are moved.
    """

    make_model: Callable[[torch.Generator], nn.Module]
    make_batch: Callable[[torch.Generator], Batch]
    num_steps: int
    optimisation: Optimisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of it.

    Attributes:
        model: the trained model.
        losses: the loss of each step.
        accuracy: the share of tokens, of those asked for in a new batch, that the model puts
            first; it is told the right tokens before each.
    """

    model: nn.Module
    losses: list[float]
    accuracy: float


def batch_loss(model: nn.Module, batch: Batch) -> Float[Tensor, ""]:
    """Measure the mean surprise at the tokens that a batch asks for, in nats.

    Args:
        model: a module that returns logits: a decoder, or an encoder-decoder for two inputs.
        batch: the inputs and the targets.

    Returns:
        The loss.

    Source: ``lm_loss``.
    """
    return lm_loss(model(*batch.inputs), batch.targets)


def batch_accuracy(model: nn.Module, batch: Batch) -> float:
    """Measure how often a model puts the right token first, told the right tokens before it.

    Args:
        model: a module that returns logits.
        batch: the inputs and the targets.

    Returns:
        The share of tokens, from 0 to 1.

    Source: ``token_accuracy``.
    """
    with torch.no_grad():
        return token_accuracy(model(*batch.inputs), batch.targets)


def follow(recipe: Recipe, seed: int, *, show_progress: bool = True) -> Trained:
    """Draw a model, train it, and test it on a batch that it has not seen.

    Args:
        recipe: the task, the model and the budget.
        seed: decides the first weights and all batches; the same seed gives the same losses.
        show_progress: True draws a bar on the error stream.

    Returns:
        The model, its losses and its accuracy.

    Raises:
        ValueError: if the seed is no whole number, or as ``train``.
    """
    require_whole(seed=seed)
    generator = torch.Generator().manual_seed(seed)
    model = recipe.make_model(generator)
    losses = train(
        model,
        _batches(recipe, generator),
        batch_loss,
        recipe.num_steps,
        recipe.optimisation,
        show_progress=show_progress,
    )
    accuracy = batch_accuracy(model, recipe.make_batch(generator))
    return Trained(model=model, losses=losses, accuracy=accuracy)


def byte_recipe(ids: Int[Tensor, " _"], num_steps: int = 250) -> Recipe:
    """Train a small decoder on the bytes of a text.

    Args:
        ids: the text as bytes, each from 0 to 255.
        num_steps: the budget.

    Returns:
        The recipe: two layers, 64 wide, 16 passages of 64 bytes a batch.
    """
    return Recipe(
        make_model=partial(draw_decoder, small_rotary(256, 2, 64, 4)),
        make_batch=partial(text_batch, ids, 16, 64),
        num_steps=num_steps,
        optimisation=Optimisation(learning_rate=3e-3, warmup_steps=20),
    )


def _batches(recipe: Recipe, generator: torch.Generator) -> Iterator[Batch]:
    while True:
        yield recipe.make_batch(generator)


def _in_one(make_pairs: Callable[[torch.Generator], Batch], generator: torch.Generator) -> Batch:
    return joined(make_pairs(generator))


_FAST = Optimisation(learning_rate=3e-3, warmup_steps=20)

#: A decoder copies ten of sixteen symbols: a head looks back by one distance.
COPY = Recipe(
    make_model=partial(draw_decoder, small_rotary(18, 1, 64, 4)),
    make_batch=partial(_in_one, partial(copy_batch, 32, 10, 18)),
    num_steps=200,
    optimisation=_FAST,
)

#: A decoder writes ten symbols from the last to the first: where a head looks depends on where it
#: stands, which learned positions tell it.
REVERSE = Recipe(
    make_model=partial(draw_decoder, small_learned(18, 1, 64, 4)),
    make_batch=partial(_in_one, partial(reverse_batch, 32, 10, 18)),
    num_steps=200,
    optimisation=_FAST,
)

#: The same for the Transformer of 2017, whose decoder reads the source through cross-attention.
REVERSE_WITH_ENCODER = Recipe(
    make_model=partial(draw_encoder_decoder, small_encoder_decoder(18, 1, 64, 4)),
    make_batch=partial(reverse_batch, 32, 10, 18),
    num_steps=800,
    optimisation=Optimisation(learning_rate=1e-3, warmup_steps=50),
)

#: The Reformer's task with a word of twelve symbols.
DUPLICATION = Recipe(
    make_model=partial(draw_decoder, small_rotary(17, 1, 64, 4)),
    make_batch=partial(duplication_batch, 32, 12, 17),
    num_steps=200,
    optimisation=_FAST,
)

#: Two layers find what followed a symbol the last time; for some hundred steps they find nothing.
INDUCTION = Recipe(
    make_model=partial(draw_decoder, small_rotary(32, 2, 32, 1)),
    make_batch=partial(induction_batch, 64, 6, 32),
    num_steps=1000,
    optimisation=Optimisation(learning_rate=5e-3, warmup_steps=50),
)

#: The same budget for one layer, which cannot.
INDUCTION_IN_ONE_LAYER = replace(
    INDUCTION, make_model=partial(draw_decoder, small_rotary(32, 1, 32, 1))
)

#: Thirty of eight symbols through one vector of 64 numbers: too many.
SEQ2SEQ_COPY = Recipe(
    make_model=partial(draw_seq2seq, RecurrentEncoderDecoder, 10, 64),
    make_batch=partial(copy_batch, 32, 30, 10),
    num_steps=450,
    optimisation=Optimisation(learning_rate=4e-3, warmup_steps=50),
)

#: The same task and budget for a decoder that reads the source by attention.
SEQ2SEQ_COPY_WITH_ATTENTION = replace(
    SEQ2SEQ_COPY, make_model=partial(draw_seq2seq, AttentionEncoderDecoder, 10, 64)
)
