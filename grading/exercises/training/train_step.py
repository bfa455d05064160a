"""train_step: one step of an optimiser along the gradient of the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercise import Exercise, LeftOut, Output, Probe
from grading.exercises.shared.single import single
from grading.exercises.training.stepping import (
    loss_of,
    step_in_words,
    step_view,
    training_inputs,
)
from grading.late import torch

__all__ = ["TRAIN_STEP"]

Way = Callable[..., Any]


def _step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def _by_gradients(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    """Ask for the gradients, and lay them where the optimiser looks for them."""
    model.train(True)
    parameters = [one for group in optimiser.param_groups for one in group["params"]]
    loss = loss_of(model(tokens), tokens, ignore)
    for one, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        one.grad = gradient
    optimiser.step()
    return model, float(loss)


def _by_closure(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    """Let the optimiser call for the loss; the model goes back to the mode that it came in."""
    was_training = model.training
    model.train()

    def closure() -> Any:
        optimiser.zero_grad(set_to_none=False)
        loss = loss_of(model(tokens), tokens, ignore)
        loss.backward()
        return loss

    loss = optimiser.step(closure)
    model.train(was_training)
    return model, loss.detach().item()


def _text_by_text(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    """Add the gradients of one text after another, each by its share of all tokens."""
    model.train()
    for one in model.parameters():
        one.grad = None
    count, total = int((tokens[:, 1:] != ignore).sum()), 0.0
    for text in tokens.split(1):
        logs = model(text)[:, :-1].log_softmax(-1)
        wanted, keep = text[:, 1:], text[:, 1:] != ignore
        share = -logs.gather(-1, wanted.unsqueeze(-1))[..., 0][keep].sum() / count
        share.backward()
        total += share.item()
    optimiser.step()
    return model, total


def _varied(
    *, mode: bool | None = True, clear: bool = True, loss: Way = loss_of, says: Way | None = None,
    before: Way | None = None, steps: int = 1,
) -> Way:  # fmt: skip
    """Return a step in which something is done in another way."""

    def step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
        if mode is not None:
            model.train(mode)
        for _ in range(steps):
            if clear:
                optimiser.zero_grad()
            value = loss(model(tokens), tokens, ignore)
            value.backward()
            if before is not None:
                before(model, optimiser)
            optimiser.step()
        return model, value.item() if says is None else says(model, value, tokens, ignore)

    return step


def _no_backward(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens, ignore)
    optimiser.step()
    return model, loss.item()


def _no_backward_on_old(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    loss = loss_of(model(tokens), tokens, ignore)
    optimiser.step()
    return model, loss.item()


def _no_step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    return model, loss.item()


def _unshifted(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    rows = logits.flatten(0, 1)
    return torch.nn.functional.cross_entropy(rows, tokens.flatten(), ignore_index=ignore)


def _loss_again(model: Any, value: Any, tokens: Any, ignore: int) -> float:
    with torch.no_grad():
        return float(loss_of(model(tokens), tokens, ignore).item())


def _loss_in_eval(model: Any, value: Any, tokens: Any, ignore: int) -> float:
    model.eval()
    return _loss_again(model, value, tokens, ignore)


def _clipped(model: Any, optimiser: Any) -> None:
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)


def _by_hand(rate: Way) -> Way:
    """Return a step that moves the parameters itself, and leaves the optimiser out."""

    def step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
        model.train()
        model.zero_grad()
        loss = loss_of(model(tokens), tokens, ignore)
        loss.backward()
        with torch.no_grad():
            for one in model.parameters():
                one -= rate(optimiser) * one.grad
        return model, loss.item()

    return step


def _with_a_new_one(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    return _step(model, type(optimiser)(model.parameters(), **optimiser.defaults), tokens, ignore)


def _probe(name: str, sizes: tuple[int, int, int, int], kind: str, options: dict[str, Any],
           **more: Any) -> Probe:  # fmt: skip
    ignore = more.pop("ignore", LeftOut(-100))
    names = dict(zip("BTVC", sizes, strict=True))
    return Probe(name=name, sizes=names, draw=training_inputs(
        sizes, (kind, options), {"ignore": ignore}, **more))  # fmt: skip


TRAIN_STEP = Exercise(
    name="train_step", slug="training", task="step", title="One step of training",
    kind="implement", points=1.0, difficulty=2, importance=3, minutes=25,
    parameters=("model", "optimiser", "tokens", "ignore"), defaults={"ignore": -100},
    outputs=(Output(name="model", kind="any"), Output(name="loss", kind="any")),
    reference=_step, view=step_view, told=step_in_words, equation="eq-descent",
    next_rung="Call it a thousand times, each time with another batch: that is training.",
    probes=(
        _probe("a model in eval mode, plain SGD", (2, 5, 6, 4), "SGD", {"lr": 0.5}),
        _probe("old gradients on all parameters", (3, 4, 7, 5), "SGD", {"lr": 0.3, "steps": 1}),
        _probe("texts that are filled up with 0, ignore = 0", (3, 6, 5, 4), "SGD", {"lr": 0.2},
               training=True, padded=3, ignore=0),
        _probe("SGD with a momentum and weight decay, which has made two steps", (2, 4, 6, 7),
               "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "steps": 2}),
        _probe("AdamW, which has made a step", (2, 6, 8, 5), "AdamW",
               {"lr": 0.05, "weight_decay": 0.2, "steps": 1}),
        _probe("a text without padding, ignore = -100", (1, 7, 6, 3), "SGD", {"lr": 1.0},
               ignore=-100),
    ),
    misconceptions=(
        single("TRAIN-ZEROGRAD", (
            "The gradients of earlier steps are still there, and the new ones are added to them. "
            "Clear them before the backward pass."), _varied(clear=False)),
        single("TRAIN-LEAK", (
            "The loss comes back as a tensor, and with it the graph of the whole step: who keeps "
            "the losses of a thousand steps keeps a thousand graphs in memory. Return a float, "
            "with .item()."), _varied(says=lambda model, value, tokens, ignore: value),
            _varied(says=lambda model, value, tokens, ignore: value.detach())),
        single("TRAIN-EVAL", (
            "The step is made in eval mode, as the model came: dropout is off, and the loss is "
            "that of another model than the one to be trained. Call model.train() first."),
            _varied(mode=None), _varied(mode=False)),
        single("TRAIN-NOSTEP", (
            "The parameters do not move. Nobody takes the step, or there is no gradient to follow: "
            "no backward pass was made, or the gradients are cleared between it and the step."),
            _no_step, _no_backward,
            _varied(before=lambda model, optimiser: optimiser.zero_grad())),
        single("TRAIN-NOBACKWARD", (
            "There is no backward pass, so nothing is learnt of this batch: the step goes along "
            "gradients that lay there before, or is none."), _no_backward_on_old),
        single("TRAIN-CLEARED", (
            "The gradients are zeros when the step is taken, as where they are cleared behind the "
            "backward pass: nothing of this batch is learnt, and weight decay and momentum go on. "
            "Clear them before it."),
            _varied(before=lambda model, optimiser: optimiser.zero_grad(set_to_none=False))),
        single("TRAIN-NOSHIFT", (
            "The loss compares each row with the token that the model has just read there. Row "
            "t − 1 foretells token t."), _varied(loss=_unshifted)),
        single("TRAIN-IGNORE", (
            "ignore is not handed on to the loss, so padding is learnt like a word."),
            _varied(loss=lambda logits, tokens, ignore: loss_of(logits, tokens))),
        single("TRAIN-LOSSAFTER", (
            "The loss that comes back is measured behind the step. The contract asks for the one "
            "before it, whose gradient was followed."), _varied(says=_loss_again),
            _varied(says=_loss_in_eval)),
        single("TRAIN-TWICE", "Two steps are made where one is asked for.", _varied(steps=2)),
        single("TRAIN-UPHILL", (
            "The step goes the other way: the loss grows. The optimiser itself subtracts the "
            "gradient."), _varied(
                loss=lambda logits, tokens, ignore: -loss_of(logits, tokens, ignore),
                says=lambda model, value, tokens, ignore: -value.item())),
        single("TRAIN-CLIPPED", (
            "The gradient is cut to length 1 before the step. Many do so, and the contract does "
            "not ask for it."), _varied(before=_clipped)),
        single("TRAIN-OPTIMISER", (
            "The optimiser that was handed over does not make the step: one that is made anew, or "
            "a line of your own, knows nothing of its momentum or of its weight decay."),
            _with_a_new_one,
            _by_hand(lambda optimiser: optimiser.param_groups[0]["lr"])),
    ),
    alternatives=(_by_gradients, _by_closure, _text_by_text),
)  # fmt: skip
