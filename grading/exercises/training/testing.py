"""test_lm_loss: a test that a learner writes, tried on the chapter's own wrong functions."""

from __future__ import annotations

from typing import Any

from grading.exercise import Answer, Exercise, Misconception, Output
from grading.exercises.shared.candidates import Candidates, matched
from grading.exercises.shared.written_tests import WrittenTest
from grading.exercises.training.loss import LM_LOSS
from grading.exercises.training.loss_steps import IGNORE
from grading.late import Tensor, torch

__all__ = ["TEST_LM_LOSS"]

_CANDIDATES = Candidates(of=LM_LOSS, share=1.0)
_TEST = WrittenTest(candidates=_CANDIDATES, defaults={"ignore": IGNORE})


def _expected(logits: Tensor, tokens: Tensor, ignore: int = IGNORE) -> float:
    """Go through the tokens one by one."""
    found = [
        float(torch.logsumexp(rows[t - 1], 0) - rows[t - 1, int(row[t])])
        for rows, row in zip(logits, tokens, strict=True)
        for t in range(1, len(row))
        if int(row[t]) != ignore
    ]
    return sum(found) / len(found)


def _drawn(B: int, T: int, V: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(B, T, V, generator=generator, dtype=torch.float64)
    return logits, torch.randint(1, V, (B, T), generator=generator)


def _case(kind: str) -> tuple[Any, ...]:
    logits, tokens = _drawn(3, 5, 7)
    if kind == "plain":
        return logits, tokens
    if kind == "one":
        return logits[:1], tokens[:1]
    if kind == "short":
        return logits[:1, :2], tokens[:1, :2]
    if kind in ("padded", "known"):
        tokens[0, 2:] = tokens[2, 4:] = pad = IGNORE if kind == "padded" else 0
        return logits, tokens, pad
    if kind == "alike":
        tokens[:, 3:] = IGNORE
        return logits, tokens, IGNORE
    if kind == "equal":
        return torch.zeros_like(logits), tokens
    if kind == "wide":
        logits[0, 0], tokens[0, 1] = torch.linspace(-1000.0, 1000.0, 7, dtype=torch.float64), 0
        return logits, tokens
    raise ValueError(kind)


def _compares(*kinds: str) -> Answer:
    def test(candidate: Answer) -> None:
        for kind in kinds:
            given = _case(kind)
            loss = candidate(*given)
            assert loss.shape == ()
            assert abs(float(loss) - _expected(*given)) < 1e-6 * (1 + _expected(*given))

    return test


def _shapes(candidate: Answer) -> None:
    """Ask for one number, finite and above 0."""
    for kind in ("plain", "padded"):
        loss = candidate(*_case(kind))
        assert loss.shape == ()
        assert float(loss) > 0


def _falls(candidate: Answer) -> None:
    """Ask that sure and right logits give a smaller loss than sure and wrong ones."""
    tokens = _drawn(2, 5, 7)[1]
    following = torch.nn.functional.one_hot(tokens.roll(-1, 1), 7).double()
    assert float(candidate(9 * following, tokens)) < float(candidate(-9 * following, tokens))


def _exactly(kind: str) -> Answer:
    def test(candidate: Answer) -> None:
        given = _case(kind)
        assert torch.equal(candidate(*given), LM_LOSS.alternatives[0](*given))

    return test


def _by_hand(candidate: Answer) -> None:
    """A right test without an oracle: weights that are known, and their logarithms."""
    weights = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.5, 0.375], [0.75, 0.125, 0.125]])
    rows = torch.stack([weights, weights.flip(0)]).double().log()
    tokens = torch.tensor([[2, 1, 0], [1, 2, 0]])
    # Row 0 at 1, row 1 at 0; then row 0 at 2, row 1 at 0.
    each = [-torch.tensor(p).log().item() for p in (0.25, 0.125, 0.125, 0.125)]

    def near(loss: Any, expected: float) -> None:
        assert loss.shape == ()
        assert abs(float(loss) - expected) < 1e-5

    near(candidate(rows, tokens), sum(each) / 4)
    near(candidate(rows + 3.0, tokens), sum(each) / 4)
    for ignore in (-100, 0):
        cut = tokens.clone()
        cut[0, 2] = ignore
        asked = [each[0], each[2]] + ([each[3]] if ignore else [])
        near(candidate(rows, cut, ignore), sum(asked) / len(asked))
    cut = tokens.clone()
    cut[0, 1], cut[1, 2] = 7777, 7777
    near(candidate(rows, cut, 7777), (each[1] + each[2]) / 2)
    far = torch.zeros(1, 2, 3, dtype=torch.float64)
    far[0, 0] = torch.tensor([-1000.0, 1000.0, 0.0])
    near(candidate(far, torch.zeros(1, 2, dtype=torch.int64)), 2000.0)
    lone = torch.tensor([[2, 1, 0], [1, -1, -1]])
    near(candidate(rows, lone, -1), (each[0] + each[1]) / 2)


ALL = ("plain", "padded", "known", "wide", "short")

TEST_LM_LOSS = Exercise(
    name="test_lm_loss", slug="training", task="test", title="A test that sees the padding",
    kind="test", points=0.75, difficulty=2, importance=3, minutes=20, parameters=("candidate",),
    outputs=(Output(name="said", kind="any"),), equation="eq-lm-loss",
    reference=_compares(*ALL), probes=_TEST.probes, functions=_TEST.functions,
    laws=_TEST.laws, judge=_TEST.judge, view=_TEST.view,
    next_rung="Large libraries were wrong at these places, each for months.",
    misconceptions=(
        *_TEST.mistakes(),
        matched(
            "TEST-SHAPES", "Functions of the right shape pass that compute something else: one "
            "that shifts twice, one that has a softmax before the loss. Compare numbers.", _shapes,
        ),
        matched(
            "TEST-FALLS", "Functions pass that only get smaller where the model is right: one that "
            "adds up instead of averaging, one that has a softmax before the loss. Compare "
            "numbers.", _falls,
        ),
        matched(
            "TEST-NOPAD", "Functions pass that count what is to be ignored, for nothing is ignored "
            "in your batch. Fill up texts of several lengths.", _compares("plain", "wide"),
            _compares("plain", "wide", "short"),
        ),
        matched(
            "TEST-ALIKE", "A function passes that averages each text first: in all your texts as "
            "many tokens are counted. Let one have fewer.", _compares("alike", "wide"),
        ),
        matched(
            "TEST-MILD", "Functions pass that fail where a weight is too small for a number. Let a "
            "logit be 1000 above the token's.", _compares("plain", "padded", "known", "short"),
            _compares("padded", "known"),
        ),
        matched(
            "TEST-ONETEXT", "A function passes that joins the texts before it shifts: you have one "
            "text alone. Take several.", _compares("one"), _compares("short"),
        ),
        matched(
            "TEST-EQUAL", "Functions pass that ask a row for another token than the next: with "
            "equal logits all tokens surprise alike.", _compares("equal"),
        ),
        Misconception(
            code="TEST-EXACT", wrong=_exactly("plain"), also=(_exactly("padded"),),
            recognise=_CANDIDATES.exact(), sentence=(
            "It accepts a right function and refuses another whose results differ from it in "
            "the last digit alone. Leave room for the last digits, as torch.testing.assert_close "
            "does.")),
    ),
    alternatives=(_by_hand, _compares("padded", "known", "wide", "plain", "short")),
)  # fmt: skip
