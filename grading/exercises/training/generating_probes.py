"""Models that write, and how what they wrote is judged: exactly, or by how often tokens come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from grading.exercise import Inputs, Law, Probe, Seen
from grading.exercises.shared.drawing import normal
from grading.late import torch
from grading.observation.values import Named, as_arrays, tensor

__all__ = ["LAWS", "PROBES", "draws_once_for_all", "judged", "written"]

#: So many texts begin alike, and so far apart two frequencies may lie by chance: five deviations.
ALIKE, FAR = 800, 5
#: Logits of one row, all below 0, so that a logit of 0 would be the largest.
LOGITS = (-0.4, -0.9, -1.6, -2.4, -3.4, -5.0)


def _writing(prompts: tuple[int, int], V: int, n: int, choice: tuple[float, Any], context: int,
             fade: float = 0.6) -> Any:  # fmt: skip
    """Draw a table and B prompts of T tokens: what is written follows exactly."""

    def draw(generator: torch.Generator) -> Inputs:
        table = 2 * normal(generator, V, V)
        ids = torch.randint(V, prompts, generator=generator)
        return _inputs(table, (fade, context), ids, n, choice, generator)

    return draw


def _drawing(prompt: tuple[int, ...], n: int, choice: tuple[float, Any],
             rows: tuple[tuple[float, ...], ...] = ()) -> Any:  # fmt: skip
    """Draw with a table whose rows are the same logits in other orders, from prompts alike."""

    def draw(generator: torch.Generator) -> Inputs:
        V = len(LOGITS)
        table = rows or [[LOGITS[(at + 2 * row) % V] for at in range(V)] for row in range(V)]
        ids = torch.tensor(prompt).expand(ALIKE, len(prompt)).clone()
        held = torch.tensor(table, dtype=torch.float64)
        return _inputs(held, (0.3, 9), ids, n, choice, generator)

    return draw


def _inputs(table: Any, kind: tuple[float, int], ids: Any, n: int, choice: tuple[float, Any],
            generator: torch.Generator) -> Inputs:  # fmt: skip
    fade, context = kind
    model = Named("writer", {
        "table": tensor(table.numpy()), "fade": fade, "context_length": context})  # fmt: skip
    temperature, top_k = choice
    return {
        "model": model, "ids": ids, "n": n, "temperature": temperature, "top_k": top_k,
        "generator": generator,
    }  # fmt: skip


def _is_exact(inputs: Inputs) -> bool:
    return bool(inputs["temperature"] == 0 or inputs["top_k"] == 1 or inputs["n"] == 0)


def _logits(inputs: Inputs, text: list[int]) -> Any:
    """Return what the model foretells behind a text."""
    arguments = inputs["model"].arguments
    read = text[-arguments["context_length"] :]
    share = arguments["fade"] ** np.arange(len(read))[::-1]
    return share @ arguments["table"].numbers[read]


def _weights(inputs: Inputs, text: list[int]) -> Any:
    """Return with which weight each token is drawn behind a text."""
    logits = _logits(inputs, text)
    order = np.argsort(-logits, kind="stable")
    z = logits / inputs["temperature"]
    z[order[inputs["top_k"] or len(z) :]] = -np.inf
    powers = np.exp(z - z.max())
    return powers / powers.sum()


def _greedily(inputs: Inputs, text: list[int]) -> list[int]:
    for _ in range(inputs["n"]):
        text = [*text, int(np.argmax(_logits(inputs, text)))]
    return text


def _expected(inputs: Inputs) -> Any:
    """Return how often each token comes first, and second, behind prompts alike."""
    text = inputs["ids"][0].tolist()
    first = _weights(inputs, text)
    found = [first]
    if inputs["n"] > 1:
        found.append(sum(share * _weights(inputs, [*text, token])
                         for token, share in enumerate(first) if share > 0))  # fmt: skip
    return np.array(found)


def _frequencies(one: Seen) -> Any:
    V = one.inputs["model"].arguments["table"].shape[0]
    new = one.outputs[0][:, one.inputs["ids"].shape[1] :]
    return np.stack([np.bincount(column, minlength=V)[:V] / len(column) for column in new.T])


def _again(one: Seen) -> bool:
    """Return whether the same call gives the same text."""
    seen = one.observe("the answer", {**one.inputs, "ids": tensor(one.inputs["ids"])})
    if seen is None:
        return True
    arrays = as_arrays([seen.value])
    return len(arrays) == 1 and np.array_equal(arrays[0], one.outputs[0])


# -- what every right answer obeys -----------------------------------------------------------------


def _whole(one: Seen) -> str | None:
    ids, found = one.inputs["ids"], one.outputs[0]
    wanted = (len(ids), ids.shape[1] + one.inputs["n"])
    if found.shape != wanted:
        return f"ids has to have the shape {wanted}, B × (T + n); yours has {found.shape}"
    if not (found[:, : ids.shape[1]] == ids).all():
        return "The result does not begin with the prompt"
    V = one.inputs["model"].arguments["table"].shape[0]
    if ((found < 0) | (found >= V)).any():
        return f"An id of the result is none of the vocabulary, which has the ids 0 to {V - 1}"
    return None


def _drawn(one: Seen) -> str | None:
    if _is_exact(one.inputs):
        return None
    if not one.seen.moved:
        return "With a temperature above 0 the generator is not used"
    return None if _again(one) else "Twice with the same seed it writes two texts"


LAWS = (
    Law(rule="the result is the prompt with n tokens behind it", broken=_whole),
    Law(rule="every draw comes from the generator", broken=_drawn),
)


def judged(one: Seen) -> str | None:
    """Compare a text where it follows exactly, and frequencies where it is drawn."""
    inputs = one.inputs
    T = inputs["ids"].shape[1]
    how = f"temperature = {inputs['temperature']:g} and top_k = {inputs['top_k']}"
    if _is_exact(inputs):
        for text in one.outputs[0].tolist():
            right = _greedily(inputs, text[:T])
            if text != right:
                return (
                    f"With {how}, a context of {inputs['model'].arguments['context_length']} and "
                    f"the prompt {text[:T]} the text has to go on {right[T:]}; yours goes on "
                    f"{text[T:]}."
                )
        return None
    expected, found = _expected(inputs), _frequencies(one)
    noise = np.sqrt(expected * (1 - expected) / ALIKE)
    wrong = np.argwhere(~(np.abs(found - expected) <= FAR * noise + 1e-9))
    if not len(wrong):
        return None
    step, token = wrong[0]
    return (
        f"With {how} the token {token} should come {expected[step, token]:.3f} of the time as new "
        f"token {step + 1}; in {ALIKE} texts of yours it comes {found[step, token]:.3f} of the "
        "time. That is no chance."
    )


def written(one: Seen) -> tuple[Any, ...]:
    """Return what is compared: a text, or how tokens were drawn and how often they came.

    Where one token is kept and a wrong answer draws among several, no two draw the same text: it is
    compared whether the text is the right one.
    """
    inputs, found = one.inputs, one.outputs[0]
    T, n = inputs["ids"].shape[1], inputs["n"]
    if inputs["temperature"] == 0 or n == 0:
        return (found.astype(np.float64),)
    if found.shape != (len(inputs["ids"]), T + n):
        return (np.array(found.shape, dtype=np.float64),)
    if inputs["top_k"] == 1:
        return (np.array(float(judged(one) is None)),)
    new = found[:, T:]
    alike = bool((new == new[:1]).all())
    flags = np.array([float(one.seen.moved), float(alike)])
    return flags, _frequencies(one)


def draws_once_for_all(seen: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """Recognise texts that are drawn rightly but for one thing: all of a batch are alike."""
    drawn = [view for view in seen.values() if isinstance(view, list) and len(view) == 2]
    return len(drawn) > 1 and all(view[0].tolist() == [1.0, 1.0] for view in drawn)


PROBES = (
    Probe(name="three prompts, temperature 0", draw=_writing((3, 4), 6, 5, (0.0, None), 20),
          sizes={"B": 3, "T": 4, "V": 6, "n": 5}),
    Probe(name="a low temperature, from all tokens", draw=_drawing((2, 0), 2, (0.3, None)),
          sizes={"B": ALIKE, "T": 2, "V": 6}),
    Probe(name="a high temperature, from two tokens", draw=_drawing((4,), 2, (3.0, 2)),
          sizes={"B": ALIKE, "T": 1, "V": 6, "n": 2}),
    Probe(name="a temperature of 1, from four tokens", draw=_drawing((1, 5, 3), 1, (1.0, 4)),
          sizes={"B": ALIKE, "T": 3, "V": 6, "n": 1}),
    Probe(name="a text that outgrows the context", draw=_writing((2, 3), 7, 8, (0.0, 3), 4),
          sizes={"B": 2, "T": 3, "V": 7, "n": 8}),
    Probe(name="prompts longer than the context, top_k = 1",
          draw=_writing((4, 7), 5, 3, (0.8, 1), 6), sizes={"B": 4, "T": 7, "V": 5, "n": 3}),
    Probe(name="four tokens that are equally likely, top_k = 2",
          draw=_drawing((0,), 1, (1.0, 2), ((0.5, 1.5, 1.5, -1.0, 1.5, 1.5),) * 6),
          sizes={"B": ALIKE, "T": 1, "V": 6, "k": 2}),
    Probe(name="as many tokens as there are", draw=_drawing((3,), 1, (2.0, 6)),
          sizes={"B": ALIKE, "T": 1, "V": 6}),
    Probe(name="nothing to write", draw=_writing((2, 3), 4, 0, (1.0, None), 5), edge=True),
)  # fmt: skip
