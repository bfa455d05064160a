"""Answers on training that are right but for one word of the contract: all refused."""

import math
from typing import Any

import answers_from_threads_training as written
import pytest
import torch
from torch.nn import functional as F

from grading import check
from grading.exercises.training import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")


def surprise(logits: Any, token: int) -> Any:
    return torch.logsumexp(logits, -1) - logits[..., token]


def lm_loss(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return written.loss_of(logits, tokens, ignore)


def first_loss(V: int, std: float, n: int, generator: Any) -> float:
    z = std * torch.randn(n, V, generator=generator, dtype=torch.float64)
    return float((z.logsumexp(-1) - z[:, 0]).mean())


def train_step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = lm_loss(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def finetune_step(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    return written.finetuned_and_loaded_back(model, optimiser, tokens, trainable)


generate = written.writes(written.rightly)
fit_power_law = written.fitted_by_lstsq


def only_for(right: Any, holds: Any) -> Any:
    """A right function that raises where its inputs are not as it expects."""

    def answer(*given: Any) -> Any:
        if not holds(*given):
            raise ValueError("not prepared for that")
        return right(*given)

    return answer


def in_float32(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return lm_loss(logits.float(), tokens, ignore)


def text_of_nothing_counts_as_0(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    """Count one token of a text of which none is counted."""
    each = F.cross_entropy(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=ignore, reduction="none"
    )
    return each.sum() / (tokens[:, 1:] != ignore).sum(1).clamp(min=1).sum()


def makes_a_new_model(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    import copy

    before = copy.deepcopy(model)
    _, loss = train_step(model, optimiser, tokens, ignore)
    return before, loss


def at_a_rate(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    for group in optimiser.param_groups:
        group["lr"] = 0.1
    return train_step(model, optimiser, tokens, ignore)


def forgets_its_momentum(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    optimiser.state.clear()
    return train_step(model, optimiser, tokens, ignore)


def tuned_without_padding(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    before = {name: one.clone() for name, one in model.state_dict().items()}
    _, loss = train_step(model, optimiser, tokens, int(tokens[0, 1]))
    kept = {name: one for name, one in before.items() if not name.startswith(trainable)}
    model.load_state_dict(model.state_dict() | kept)
    return model, loss


def tuned_in_eval(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    model.train = lambda mode=True: model
    return finetune_step(model, optimiser, tokens, trainable)


def changes_the_prompt(model: Any, ids: Any, n: int, temperature: float, top_k: Any, g: Any) -> Any:
    text = generate(model, ids, n, temperature, top_k, g)
    ids[:, 0] = 0
    return text


def warm_at_zero(model: Any, ids: Any, n: int, temperature: float, top_k: Any, g: Any) -> Any:
    return generate(model, ids, n, max(temperature, 1.0), top_k, g)


def in_int32(*given: Any) -> Any:
    return generate(*given).int()


def of_equals_the_higher(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    token = written.rightly(logits.flip(-1), temperature, top_k, g)
    return logits.shape[-1] - 1 - token


def nearly(place: int) -> Any:
    def fit(sizes: Any, losses: Any) -> Any:
        found = list(fit_power_law(sizes, losses))
        found[place] *= 1.02
        return tuple(found)

    return fit


ROWS: tuple[tuple[str, str, Any], ...] = (
    ("surprise", "no leading axis", only_for(surprise, lambda z, token: z.ndim > 1)),
    ("surprise", "two leading axes", only_for(surprise, lambda z, token: z.ndim < 3)),
    ("surprise", "every finite input", lambda z, token: -z.softmax(-1)[..., token].log()),
    ("surprise", "so is its gradient", lambda z, token: torch.where(
        z.softmax(-1)[..., token] > 0, -z.softmax(-1)[..., token].log(),
        z.amax(-1) - z[..., token])),
    ("surprise", "the dtype of the inputs", lambda z, token: surprise(z.float(), token)),
    ("lm_loss", "ignore may be left out", lambda logits, tokens, ignore: lm_loss(
        logits, tokens, ignore)),
    ("lm_loss", "any id, also one of V", lambda logits, tokens, ignore=-100: lm_loss(
        logits, tokens, min(ignore, -1))),
    ("lm_loss", "any id, not −100 alone", only_for(lm_loss, lambda logits, tokens, ignore=-100: (
        ignore in (-100, 0)))),
    ("lm_loss", "the same weight in whichever text", written.mean_of_the_texts_means),
    ("lm_loss", "a text of which none is counted", text_of_nothing_counts_as_0),
    ("lm_loss", "without axes", lambda logits, tokens, ignore=-100: lm_loss(
        logits, tokens, ignore)[None]),
    ("lm_loss", "finite for every finite input", lambda logits, tokens, ignore=-100: F.nll_loss(
        logits[:, :-1].flatten(0, 1).softmax(-1).log(), tokens[:, 1:].flatten(),
        ignore_index=ignore)),
    ("lm_loss", "the precision of the inputs", in_float32),
    ("lm_loss", "the gradient flows back", lambda logits, tokens, ignore=-100: lm_loss(
        logits.detach(), tokens, ignore)),
    ("lm_loss", "inputs stay as they were", lambda logits, tokens, ignore=-100: lm_loss(
        logits, tokens.masked_fill_(tokens == ignore, -100), -100)),
    ("first_loss", "std", lambda V, std, n, g: first_loss(V, 1.0, n, g)),
    ("first_loss", "V logits", lambda V, std, n, g: first_loss(10, std, n, g)),
    ("first_loss", "n rows", lambda V, std, n, g: first_loss(V, std, 400, g)),
    ("first_loss", "every draw from the generator", lambda V, std, n, g: first_loss(
        V, std, n, None)),
    ("train_step", "ignore may be left out", lambda model, optimiser, tokens, ignore: train_step(
        model, optimiser, tokens, ignore)),
    ("train_step", "ignore", lambda model, optimiser, tokens, ignore=-100: train_step(
        model, optimiser, tokens)),
    ("train_step", "the model that was handed over", makes_a_new_model),
    ("train_step", "leave that to the optimiser", at_a_rate),
    ("train_step", "the momentum that it holds", forgets_its_momentum),
    ("train_step", "in this order", lambda *given: train_step(*given)[::-1]),
    ("train_step", "a float", lambda *given: (given[0], str(train_step(*given)[1]))),
    ("finetune_step", "all tokens are counted", tuned_without_padding),
    ("finetune_step", "in training mode", tuned_in_eval),
    ("finetune_step", "one of several beginnings", lambda model, optimiser, tokens, trainable: (
        finetune_step(model, optimiser, tokens, trainable[:1]))),
    ("finetune_step", "every other one keeps its numbers", lambda model, optimiser, tokens, some: (
        train_step(model, optimiser, tokens))),
    ("generate", "its inputs stay", changes_the_prompt),
    ("generate", "a temperature of 0", warm_at_zero),
    ("generate", "int64", in_int32),
    ("generate", "n tokens", lambda model, ids, n, *others: generate(
        model, ids, max(n - 1, 0), *others)),
    ("generate", "of equals the lower id", written.writes(of_equals_the_higher)),
    ("generate", "None keeps all", only_for(generate, lambda *given: given[4] is not None)),
    ("generate", "up to V", only_for(generate, lambda model, ids, n, t, k, g: (
        k is None or k < model.table.shape[0]))),
    ("generate", "the last row", written.writes(written.rightly, row=-2)),
    ("fit_power_law", "irreducible within 1 %", nearly(0)),
    ("fit_power_law", "coefficient within 1 %", nearly(1)),
    ("fit_power_law", "exponent within 1 %", nearly(2)),
    ("fit_power_law", "in any order", only_for(fit_power_law, lambda sizes, losses: bool(
        (sizes.diff() > 0).all()))),
    ("fit_power_law", "three numbers", lambda sizes, losses: fit_power_law(sizes, losses)[:2]),
    ("predict_first_loss", "within 0.1", lambda: 11.0),
    ("predict_first_loss", "one number", lambda: [10.82]),
    ("predict_first_loss", "in nats", lambda: math.log2(50_257)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"), [pytest.param(row[0], row[2], id=f"{row[0]}: {row[1]}") for row in ROWS]
)
def test_an_answer_that_ignores_a_word_of_the_contract_is_refused(
    exercise: str, answer: Any
) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.points == 0


def test_each_exercise_has_three_such_answers() -> None:
    for exercise in (one for one in EXERCISES if one.kind not in ("test", "bug")):
        assert sum(row[0] == exercise.name for row in ROWS) >= 3, exercise.name


def test_what_they_are_made_of_is_right() -> None:
    right = {
        "surprise": surprise, "lm_loss": lm_loss, "first_loss": first_loss,
        "train_step": train_step, "finetune_step": finetune_step, "generate": generate,
        "fit_power_law": fit_power_law,
    }  # fmt: skip
    for name, answer in right.items():
        result = check(answer, exercise=name)
        assert result.passed, str(result)
