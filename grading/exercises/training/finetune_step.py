"""finetune_step: a step in which only some parameters may move, whatever the optimiser holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, Output, Probe
from grading.exercises.shared.single import single
from grading.exercises.training.stepping import (
    loss_of,
    step_in_words,
    step_view,
    training_inputs,
)
from grading.late import torch

__all__ = ["FINETUNE_STEP"]

Way = Callable[..., Any]


def _may_move(name: str, trainable: Any) -> bool:
    return name.startswith(tuple(trainable))


def _varied(
    *, frozen: Way | None = None, move: Way = _may_move, clear: Way | None = None,
    mode: bool | None = True, says: Way | None = None,
) -> Way:  # fmt: skip
    """Return a step in which something is done in another way."""

    def step(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
        if mode is not None:
            model.train(mode)
        if clear is None:
            optimiser.zero_grad()
        else:
            clear(model, optimiser, trainable)
        loss = loss_of(model(tokens), tokens)
        loss.backward()
        for name, one in model.named_parameters():
            if not move(name, trainable):
                (frozen or _without_gradient)(one)
        optimiser.step()
        return model, loss.item() if says is None else says(model, loss, tokens)

    return step


def _without_gradient(one: Any) -> None:
    one.grad = None


def _of_zeros(one: Any) -> None:
    one.grad = torch.zeros_like(one)


def _as_it_is(one: Any) -> None:
    return None


def _put_back(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Take the step with all of them, and put back what was not to move."""
    held = {name: one.detach().clone() for name, one in model.named_parameters()}
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    with torch.no_grad():
        for name, one in model.named_parameters():
            if not any(name.startswith(start) for start in trainable):
                one.copy_(held[name])
    return model, loss.item()


def _switched_off(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Ask for no gradient where nothing may move; old ones are gone by then."""
    optimiser.zero_grad(set_to_none=True)
    moves = {name for name, _ in model.named_parameters() if name.startswith(tuple(trainable))}
    for name, one in model.named_parameters():
        one.requires_grad_(name in moves)
    model.train()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    for one in model.parameters():
        one.requires_grad_(True)
    return model, loss.item()


def _in_their_groups(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Take the frozen ones out of the optimiser's groups for this step."""
    moving = [one for name, one in model.named_parameters()
              if any(name[: len(start)] == start for start in trainable)]  # fmt: skip
    model.train()
    for one in model.parameters():
        one.grad = None
    loss = loss_of(model(tokens), tokens)
    for one, gradient in zip(moving, torch.autograd.grad(loss, moving), strict=True):
        one.grad = gradient
    whole = [group["params"] for group in optimiser.param_groups]
    for group in optimiser.param_groups:
        group["params"] = [one for one in group["params"] if any(one is other for other in moving)]
    optimiser.step()
    for group, parameters in zip(optimiser.param_groups, whole, strict=True):
        group["params"] = parameters
    return model, loss.item()


def _cleared_where_it_moves(model: Any, optimiser: Any, trainable: Any) -> None:
    for name, one in model.named_parameters():
        if _may_move(name, trainable):
            one.grad = None


def _loss_again(model: Any, loss: Any, tokens: Any) -> float:
    with torch.no_grad():
        return float(loss_of(model(tokens), tokens).item())


def _old_gradients_stay(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Switch the frozen ones off, and clear the others: old gradients of the frozen ones stay."""
    model.train()
    for name, one in model.named_parameters():
        one.requires_grad_(_may_move(name, trainable))
        if one.requires_grad:
            one.grad = None
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def _never_cleared(model: Any, optimiser: Any, trainable: Any) -> None:
    return None


def _first_word(name: str, trainable: Any) -> bool:
    return name.split(".")[0] in tuple(trainable)


def _with_a_new_one(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    moving = [one for name, one in model.named_parameters() if _may_move(name, trainable)]
    own = type(optimiser)(moving, **optimiser.defaults)
    model.train()
    model.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    own.step()
    return model, loss.item()


def _probe(name: str, sizes: tuple[int, int, int, int], kind: str, options: dict[str, Any],
           *trainable: str) -> Probe:  # fmt: skip
    names = dict(zip("BTVC", sizes, strict=True))
    last = {"trainable": trainable}
    return Probe(name=name, sizes=names, draw=training_inputs(sizes, (kind, options), last))


_HELD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2}

FINETUNE_STEP = Exercise(
    name="finetune_step", slug="training", task="finetune", title="A step of fine-tuning",
    kind="implement", points=0.75, difficulty=3, importance=3, minutes=25,
    parameters=("model", "optimiser", "tokens", "trainable"),
    outputs=(Output(name="model", kind="any"), Output(name="loss", kind="any")),
    reference=_varied(), view=step_view, told=step_in_words, equation="eq-descent",
    next_rung="With trainable = (\"\",) every name begins so, and it is a step of training.",
    probes=(
        _probe("plain SGD, the table alone moves", (2, 5, 6, 4), "SGD", {"lr": 0.5}, "embed"),
        _probe("plain SGD, what begins with head moves", (3, 4, 5, 6), "SGD", {"lr": 0.3}, "head"),
        _probe("old gradients on all parameters", (2, 6, 7, 5), "SGD", {"lr": 0.2, "steps": 1},
               "body.head", "embed"),
        _probe("SGD with a momentum and weight decay, which has made two steps", (3, 5, 4, 7),
               "SGD", {**_HELD, "steps": 2}, "head.weight"),
        _probe("SGD with weight decay alone", (2, 4, 8, 3), "SGD",
               {"lr": 0.4, "weight_decay": 0.3}, "body", "head.bias"),
        _probe("AdamW, which has made a step", (2, 3, 6, 5), "AdamW",
               {"lr": 0.05, "weight_decay": 0.2, "steps": 1}, "head.w", "e"),
    ),
    misconceptions=(
        single("FT-ALL", (
            "All parameters move. Only those whose name begins with one of trainable may."),
            _varied(frozen=_as_it_is)),
        single("FT-DECAY", (
            "A frozen parameter gets a gradient of zeros, and the optimiser moves it all the same: "
            "weight decay shrinks it, and a momentum carries it on. One without a gradient, with "
            "None, is passed over."), _varied(frozen=_of_zeros)),
        single("FT-GRADS", (
            "Old gradients lie on frozen parameters, and the optimiser follows them: it looks at "
            ".grad, and not at whether one was asked for. Clear those of all parameters."),
            _old_gradients_stay),
        single("FT-NAME", (
            "The name is looked for anywhere, so that body.head.weight moves for \"head\". It has "
            "to stand at the beginning."),
            _varied(move=lambda name, trainable: any(one in name for one in trainable))),
        single("FT-WORD", (
            "Only whole parts of a name are compared. trainable holds beginnings: \"body.head\" is "
            "one of body.head.weight, and \"head.w\" one of head.weight."),
            _varied(move=_first_word)),
        single("FT-EXACT", (
            "Only a parameter whose whole name stands in trainable moves. It holds beginnings."),
            _varied(move=lambda name, trainable: name in trainable)),
        single("FT-INVERTED", (
            "It is the other way round: those that trainable names stay, and the others move."),
            _varied(move=lambda name, trainable: not _may_move(name, trainable))),
        single("FT-FIRST", (
            "Only the first entry of trainable counts. It may hold several beginnings."),
            _varied(move=lambda name, trainable: name.startswith(trainable[0]))),
        single("FT-OPTIMISER", (
            "The step is made by an optimiser of its own, which knows nothing of the momentum that "
            "the one handed over holds."), _with_a_new_one),
        single("TRAIN-ZEROGRAD", (
            "The gradients of earlier steps are still there, and the new ones are added to them. "
            "Clear them before the backward pass."), _varied(clear=_never_cleared)),
        single("TRAIN-EVAL", (
            "The step is made in eval mode, as the model came. Call model.train() first."),
            _varied(mode=None)),
        single("TRAIN-LOSSAFTER", (
            "The loss that comes back is measured behind the step. The contract asks for the one "
            "before it."), _varied(says=_loss_again)),
        single("TRAIN-LEAK", (
            "The loss comes back as a tensor, and with it the graph of the whole step. Return a "
            "float, with .item()."), _varied(says=lambda model, loss, tokens: loss)),
    ),
    alternatives=(_put_back, _switched_off, _in_their_groups),
)  # fmt: skip
