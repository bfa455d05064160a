"""What the catalogue on the Transformer block takes as given: measured, and tried again."""

import contextlib
import io
import math
import re
from typing import Any

import pytest
import torch

from grading import check
from grading.asking import Live
from grading.catalogue.kill_table import wrong_answers
from grading.exercises.transformer_block import EXERCISES
from grading.exercises.transformer_block import testing as of_rms
from grading.exercises.transformer_block.block import BLOCK
from grading.exercises.transformer_block.measures import EMBEDDING_LEFT, LEFT, _add, _cosine
from grading.exercises.transformer_block.questions import BUGS, LEFT_OF_IT, _broken
from grading.notebooks import ROOT, read_notebook
from grading.verdict.case import ANSWER, Case

pytestmark = pytest.mark.filterwarnings("ignore")
NOTEBOOK = ROOT / "solutions" / "transformer-block" / "transformer-block.ipynb"

#: What the sentence of a way to test too little says that passes.
PASSES = {
    "TEST-SHAPES": {"RMS-MEAN", "RMS-NOGAIN"},
    "TEST-LENGTHS": {"RMS-MEAN", "RMS-NOGAIN"},
    "TEST-ONEGAIN": {"RMS-NOGAIN"},
    "TEST-LARGEONLY": {"RMS-EPSOUT", "RMS-NOEPS"},
    "TEST-WIDEONLY": {"RMS-DTYPE"},
    "TEST-CENTRED": {"RMS-MEAN", "RMS-VAR"},
    "TEST-NOTHING": set[str](),
    "TEST-ALL": set[str](),
    "TEST-EXACT": set[str](),
}


@pytest.mark.parametrize(("kind", "writes", "C"), LEFT)
def test_the_cosines_are_those_of_the_table(kind: str, writes: int, C: int) -> None:
    generator = torch.Generator().manual_seed(writes)
    first = torch.randn(20_000, C, generator=generator)
    stream = first
    for _ in range(writes):
        stream = _add(kind, stream, torch.randn(first.shape, generator=generator))
    cosines = _cosine(first, stream).double()
    mean, spread = LEFT[kind, writes, C]
    assert abs(cosines.mean().item() - mean) < 5 * spread / math.sqrt(20_000) + 3e-4
    assert abs(cosines.std().item() - spread) < 0.03 * spread


def test_what_twelve_sums_leave_is_measured() -> None:
    generator = torch.Generator().manual_seed(12)
    first = torch.randn(40_000, 64, generator=generator)
    stream = first
    for _ in range(12):
        stream = _add("post", stream, torch.randn(first.shape, generator=generator))
    assert abs(_cosine(first, stream).mean().item() - LEFT_OF_IT) < 5 * 0.125 / 200


def test_the_pairs_of_mistakes_stay_few() -> None:
    """A product is a function more that the first check of a process runs."""
    stepped = (one.steps for one in EXERCISES)
    assert 0 < sum(len(steps.products) for steps in stepped if steps is not None) < 150


def test_a_sentence_is_true_of_every_test_that_carries_it() -> None:
    exercise, candidates = of_rms.TEST_RMS_NORM, of_rms._CANDIDATES
    codes = [one.code for one in candidates.wrong]
    for code, number in wrong_answers(exercise):
        view = Case(exercise, Live(exercise, (code, number))).trial(ANSWER, exercise.probes[0]).view
        assert view is not None
        refused = dict(zip(codes, view[0][len(candidates.right) :].tolist(), strict=True))
        passed = {name for name, is_refused in refused.items() if not is_refused}
        assert PASSES[code] <= passed, (code, number, passed)


def worst_in_half(exercise: Any) -> float:
    """Return how far right answers are off in bfloat16, of |b| + 1, over twenty seeds."""
    (probe,) = (one for one in exercise.probes if one.half)
    answers = [exercise.reference, *exercise.alternatives]
    worst = 0.0
    for seed in range(20):
        drawn = probe.draw(torch.Generator().manual_seed(seed))
        narrow = {
            name: one.bfloat16() if torch.is_tensor(one) and one.is_floating_point() else one
            for name, one in drawn.items()
        }
        wide = {
            name: one.double() if torch.is_tensor(one) and one.is_floating_point() else one
            for name, one in narrow.items()
        }
        truth = exercise.reference(*wide.values())
        for answer in answers:
            off = (answer(*narrow.values()).double() - truth).abs() / (1 + truth.abs())
            worst = max(worst, off.max().item())
    return worst


@pytest.mark.parametrize("name", ["block", "encoder_decoder"])
def test_a_chain_of_roundings_stays_within_the_tolerance(name: str) -> None:
    (exercise,) = (one for one in EXERCISES if one.name == name)
    assert worst_in_half(exercise) < 0.03  # 0.05 are allowed


# -- what makes no mistake of the catalogue has the name of none -----------------------------------


def like(value: float) -> Any:
    return lambda x, *others, **named: torch.full_like(x, value) + 0 * x


def noise(x: Any, *others: Any) -> Any:
    made = torch.randn(x.shape, dtype=torch.float32).to(x.dtype) + 0 * x
    made.reshape(-1)[0] = torch.nan
    return made


def logits_of(value: float) -> Any:
    def made(source: Any, target: Any, lengths: Any, table: Any, w: Any, start: int) -> Any:
        shape = (*target.shape, table.shape[0])
        return torch.full(shape, value, dtype=table.dtype) + 0 * (table.sum() + w.sum())

    return made


def halves_averaged(x: Any, g_1: Any, *others: Any) -> Any:
    return (x + BLOCK.alternatives[0](x, g_1, *others)) / 2


UNNAMED: tuple[tuple[str, Any], ...] = (
    ("silu", like(0.0)), ("silu", like(1.0)), ("silu", noise), ("silu", like(torch.nan)),
    ("silu", lambda x: x.sin()),
    ("rms_norm", like(0.0)), ("rms_norm", like(1.0)), ("rms_norm", noise),
    ("rms_norm", like(torch.nan)), ("rms_norm", lambda x, g, eps: x / x.abs().amax(-1, True) * g),
    ("rms_norm", lambda x, g, eps: x * g),
    ("layer_norm", like(0.0)), ("layer_norm", noise), ("layer_norm", like(torch.nan)),
    ("layer_norm", lambda x, g, b, eps: x * g + b),
    ("layer_norm", lambda x, g, b, eps: (x - x.median(-1, True).values) * g + b),
    ("swiglu", like(0.0)), ("swiglu", noise), ("swiglu", like(torch.nan)),
    ("swiglu", lambda x, w_gate, w_up, w_down: (x @ w_gate).tanh() * (x @ w_up) @ w_down),
    ("gated_d_ff", lambda C, multiple_of=1: 0), ("gated_d_ff", lambda C, multiple_of=1: 3 * C),
    ("embedding_left", lambda kind, writes, C, n, generator: float(
        torch.randn(n, generator=generator).mean())),
    ("predict_embedding_left", lambda: 0.6), ("predict_embedding_left", lambda: -1.0),
    ("block", like(0.0)), ("block", noise), ("block", like(torch.nan)), ("block", halves_averaged),
    ("encoder_decoder", logits_of(0.0)), ("encoder_decoder", logits_of(torch.nan)),
    ("encoder_decoder", lambda source, target, lengths, table, w, start:
     table[target] @ table.T + 0 * w.sum()),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [pytest.param(row[0], row[1], id=f"{row[0]}-{number}") for number, row in enumerate(UNNAMED)],
)
def test_what_is_no_mistake_of_the_catalogue_has_no_name(exercise: str, answer: Any) -> None:
    result = check(answer, exercise=exercise)
    assert not result.passed, str(result)
    assert result.misconception is None, str(result)


def test_the_measure_draws_little_on_its_last_probe() -> None:
    probes = EMBEDDING_LEFT.probes[0], EMBEDDING_LEFT.probes[-1]
    first, last = (probe.draw(torch.Generator())["n"] for probe in probes)
    assert last * 10 < first


def cells() -> dict[str, str]:
    return {cell["id"]: cell["source"] for cell in read_notebook(NOTEBOOK).cells}


def test_the_real_case_is_the_one_that_is_judged() -> None:
    space: dict[str, Any] = {"torch": torch}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(cells()["bug-code"], space)
    generator = torch.Generator().manual_seed(0)
    x, w = torch.randn(3, 4, generator=generator), torch.randn(4, 4, generator=generator)
    torch.testing.assert_close(space["half_a_block_of_a_colleague"](x, w), _broken(x, w))
    listed = dict(re.findall(r'\| `"([A-Z-]+)"` \| (.*) \|', cells()["bug-question"]))
    assert listed == BUGS


def test_the_worked_examples_come_out() -> None:
    """A block and a translator, with the numbers that their tasks tell."""
    same, ones = torch.eye(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    given = (x, ones, same, same, same, 10 * same, ones, same, same, 10 * same, 1, None, 0.0)
    y = BLOCK.reference(*given)
    assert f"[[{y[0, 0]:.4f}, {y[0, 1]:.4f}]]" in cells()["block-task"]
    read = 10 * x / 12.5**0.5
    for added in (read, y - x - read):
        one, other = added[0].tolist()
        assert re.search(rf"{one:.4f}\s+and\s+{other:.4f}", cells()["block-task"])
    table = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])
    ids = torch.tensor([[1, 2]]), torch.tensor([[2, 1]]), torch.tensor([1])
    (translator,) = (one for one in EXERCISES if one.name == "encoder_decoder")
    logits = translator.reference(*ids, table, torch.zeros(3, 3, 2, 2), 0)
    assert f"`{logits.int().tolist()}`" in cells()["translator-task"]
    (wide,) = (one for one in EXERCISES if one.name == "gated_d_ff")
    assert (wide.reference(4096, 256), wide.reference(512)) == (11008, 1365)
    assert f"{torch.nn.functional.silu(torch.tensor(2.0)) * 60:.4f}" in cells()["swiglu-task"]
