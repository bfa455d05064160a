"""What the catalogue on training takes as given: measured, and tried again."""

import contextlib
import io
import math
import re
from typing import Any

import pytest
import torch

from grading import check
from grading.asking import Live, draw, function_of
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.training import EXERCISES
from grading.exercises.training import testing as of_loss
from grading.exercises.training.fitting import LAWS
from grading.exercises.training.generating import GENERATE
from grading.exercises.training.generating_probes import ALIKE, FAR, _expected, _is_exact
from grading.exercises.training.loss import LM_LOSS
from grading.exercises.training.measures import FIRST_LOSS, LOSSES
from grading.exercises.training.questions import BUGS, NOTHING_LEARNT, _broken, _right
from grading.notebooks import ROOT, read_notebook
from grading.observation.values import numbers
from grading.verdict.case import ANSWER, Case
from grading.witness.registry import handed_over

pytestmark = pytest.mark.filterwarnings("ignore")
NOTEBOOK = ROOT / "solutions" / "training" / "training.ipynb"

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-SHAPES": {"LOSS-SHIFT2", "LOSS-PROBS"},
    "TEST-FALLS": {"LOSS-SUM", "LOSS-PROBS"},
    "TEST-NOPAD": {"LOSS-PADCOUNT"},
    "TEST-ALIKE": {"LOSS-BATCHMEAN"},
    "TEST-MILD": {"LOSS-UNDERFLOW", "LOSS-FLOOR"},
    "TEST-ONETEXT": {"LOSS-FLAT"},
    "TEST-EQUAL": {"LOSS-NOSHIFT", "LOSS-BACK"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
    "TEST-EXACT": set[str](),
}


@pytest.mark.parametrize(("V", "std"), LOSSES)
def test_the_first_losses_are_those_of_the_table(V: int, std: float) -> None:
    generator = torch.Generator().manual_seed(V)
    logits = std * torch.randn(20_000, V, generator=generator, dtype=torch.float64)
    surprise = logits.logsumexp(-1) - logits[:, 0]
    mean, spread = LOSSES[V, std]
    assert abs(surprise.mean().item() - mean) < 5 * spread / math.sqrt(20_000) + 6e-4
    assert abs(surprise.std().item() - spread) < 0.03 * spread


def test_the_measure_draws_little_on_its_last_probe() -> None:
    probes = FIRST_LOSS.probes[0], FIRST_LOSS.probes[-1]
    first, last = (probe.draw(torch.Generator())["n"] for probe in probes)
    assert last * 10 < first


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    stepped = (one.steps for one in EXERCISES)
    assert 0 < sum(len(steps.products) for steps in stepped if steps is not None) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_loss.TEST_LM_LOSS, of_loss._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number, passed)


def test_right_losses_in_bfloat16_stay_within_the_tolerance() -> None:
    (probe,) = (one for one in LM_LOSS.probes if one.half)
    worst = 0.0
    for seed in range(20):
        logits, tokens, _ = probe.draw(torch.Generator().manual_seed(seed)).values()
        narrow = logits.bfloat16()
        truth = LM_LOSS.reference(narrow.double(), tokens)
        for answer in (LM_LOSS.reference, *LM_LOSS.alternatives):
            off = (answer(narrow, tokens).double() - truth).abs() / (1 + truth.abs())
            worst = max(worst, off.item())
    assert worst < 0.03  # 0.05 are allowed


@pytest.mark.parametrize("name", [one.name for one in GENERATE.probes])
def test_what_is_expected_of_a_text_is_what_many_texts_show(name: str) -> None:
    """The judge computes frequencies by itself; the reference draws them."""
    (probe,) = (one for one in GENERATE.probes if one.name == name)
    inputs = draw(GENERATE, probe)
    if _is_exact(numbers(inputs)):
        return
    model, ids, n, temperature, top_k, _ = handed_over(inputs, None)
    generator = torch.Generator().manual_seed(7)
    many = ids[:1].expand(20_000, -1)
    text = GENERATE.reference(model, many, n, temperature, top_k, generator)
    expected = torch.from_numpy(_expected(numbers(inputs)))
    for step, share in enumerate(expected):
        found = torch.bincount(text[:, ids.shape[1] + step], minlength=len(share)) / 20_000
        assert ((found - share).abs() <= FAR * (share * (1 - share) / 20_000).sqrt() + 1e-9).all()


@pytest.mark.parametrize("skipped", [1, 4])
def test_a_mistake_in_writing_is_named_whatever_is_drawn(skipped: int) -> None:
    for who in wrong_answers(GENERATE):
        wrong = function_of(GENERATE, who)

        def elsewhere(
            model: Any, ids: Any, n: int, temperature: float, top_k: Any, generator: Any,
            made: Any = wrong,
        ) -> Any:  # fmt: skip
            if temperature > 0:
                torch.rand(skipped, generator=generator)
            return made(model, ids, n, temperature, top_k, generator)

        named = check(elsewhere, exercise="generate").misconception
        # Who draws nothing, or elsewhere, is seen by a generator that stands still.
        assert named == who[0] or who[0] in ("GEN-GREEDY", "GEN-GLOBAL"), (who, named)


def test_hundreds_of_texts_are_enough_to_part_all_mistakes() -> None:
    assert ALIKE * len(GENERATE.probes) < 10_000
    assert 2 * FAR * math.sqrt(0.25 / ALIKE) < 0.25


def test_the_laws_to_fit_can_be_fitted() -> None:
    for irreducible, coefficient, exponent, sizes in LAWS.values():
        assert len(sizes) >= 8
        assert min(sizes) > 1
        assert irreducible > 0
        assert coefficient > 0
        assert 0 < exponent < 1


# -- what makes no mistake of the catalogue has the name of none -----------------------------------


def constant_loss(value: float) -> Any:
    return lambda logits, tokens, ignore=-100: 0 * logits.sum() + value


def nothing_learnt(value: float) -> Any:
    return lambda model, optimiser, tokens, *others: (model, value)


def noise_step(model: Any, optimiser: Any, tokens: Any, *others: Any) -> Any:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for one in model.parameters():
            one += torch.randn(one.shape, generator=generator, dtype=one.dtype)
    return model, 1.0


def nan_step(model: Any, optimiser: Any, tokens: Any, *others: Any) -> Any:
    with torch.no_grad():
        for one in model.parameters():
            one.fill_(math.nan)
    return model, math.nan


def always(token: int) -> Any:
    return lambda model, ids, n, temperature, top_k, generator: torch.cat(
        [ids, torch.full((len(ids), n), token)], 1
    )


def repeats(model: Any, ids: Any, n: int, temperature: float, top_k: Any, generator: Any) -> Any:
    return torch.cat([ids, ids[:, -1:].expand(-1, n)], 1)


def at_random(model: Any, ids: Any, n: int, temperature: float, top_k: Any, generator: Any) -> Any:
    V = model.table.shape[0]
    return torch.cat([ids, torch.randint(V, (len(ids), n), generator=generator)], 1)


def smoothed(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore,
        label_smoothing=0.1,
    )  # fmt: skip


UNNAMED: tuple[tuple[str, Any], ...] = (
    ("surprise", lambda logits, token: 0 * logits.sum(-1)),
    ("surprise", lambda logits, token: logits.mean(-1) - logits[..., token]),
    ("surprise", lambda logits, token: logits.sum(-1) * torch.nan),
    ("surprise", lambda logits, token: logits.amax(-1) - logits[..., token]),
    ("lm_loss", constant_loss(0.0)), ("lm_loss", constant_loss(math.nan)),
    ("lm_loss", constant_loss(1.7)), ("lm_loss", smoothed),
    ("lm_loss", lambda logits, tokens, ignore=-100: logits.square().mean()),
    ("lm_loss", lambda logits, tokens, ignore=-100: 0.5 * LM_LOSS.alternatives[0](
        logits, tokens, ignore)),
    ("first_loss", lambda V, std, n, generator: float(
        torch.randn(n, generator=generator).mean())),
    ("first_loss", lambda V, std, n, generator: math.nan),
    ("predict_first_loss", lambda: 3.3), ("predict_first_loss", lambda: -10.8),
    ("train_step", nothing_learnt(math.nan)), ("train_step", noise_step), ("train_step", nan_step),
    ("train_step", lambda model, optimiser, tokens, *others: (None, 1.0)),
    ("finetune_step", noise_step), ("finetune_step", nan_step),
    ("finetune_step", nothing_learnt(0.0)),
    ("generate", always(0)), ("generate", repeats), ("generate", at_random),
    ("generate", lambda model, ids, *others: ids),
    ("fit_power_law", lambda sizes, losses: (1.0, 1.0, 1.0)),
    ("fit_power_law", lambda sizes, losses: (math.nan, math.nan, math.nan)),
    ("fit_power_law", lambda sizes, losses: (float(losses.mean()), 0.0, 0.5)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(row[0], row[1], id=f"{row[0]}-{number}") for number, row in enumerate(UNNAMED)],
)
def test_what_is_no_mistake_of_the_catalogue_has_no_name(exercise: str, answer: Any) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception is None, str(result)


# -- what the notebook says ------------------------------------------------------------------------


def cells() -> dict[str, str]:
    return {cell["id"]: cell["source"] for cell in read_notebook(NOTEBOOK).cells}


def test_the_real_case_is_the_one_that_is_judged() -> None:
    space: dict[str, Any] = {"torch": torch}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(cells()["bug-code"], space)
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(space["loss_of_a_colleague"](x), _broken(x))
    assert float(_right(x)) != pytest.approx(float(_broken(x)))
    listed = dict(re.findall(r'\| `"([A-Z-]+)"` \| (.*) \|', cells()["bug-question"]))
    assert listed == BUGS
    # The thread: a loss of four classes cannot come below 0.74.
    assert said.getvalue().splitlines()[-1].split()[-1] == f"{math.log(math.e + 3) - 1:.4f}"


def test_the_worked_examples_come_out() -> None:
    """A surprise, a loss, a first loss and a fit, with the numbers that their tasks tell."""
    (surprise,) = (one for one in EXERCISES if one.name == "surprise")
    given = torch.tensor([[0.0, 0.0], [1.0, 3.0]])
    said = [round(one, 4) for one in surprise.reference(given, 0).tolist()]
    assert f"`{said}`" in cells()["warm-up-surprise-task"]
    logits = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)], [5.0, -5.0]]])
    tokens = torch.tensor([[1, 0, -100]])
    for T in (2, 3):
        loss = LM_LOSS.reference(logits[:, :T], tokens[:, :T])
        assert f"{loss.item():.4f}" in cells()["loss-task"]
    assert f"{NOTHING_LEARNT:.2f}" in cells()["predict-answer"]
    first = FIRST_LOSS.reference(1000, 3.0, 20_000, torch.Generator().manual_seed(0))
    assert "near 11.2" in cells()["first-task"]
    assert abs(first - 11.2) < 0.15
    (fit,) = (one for one in EXERCISES if one.name == "fit_power_law")
    sizes = 10.0 ** torch.arange(1, 9, dtype=torch.float64)
    assert fit.reference(sizes, 2 + 5 / sizes.sqrt()) == pytest.approx((2, 5, 0.5), rel=1e-4)
