"""accept_draft: keep what a small model wrote, as far as the large one agrees."""

from __future__ import annotations

from typing import Any

from grading.exercise import Exercise, Inputs, Misconception, Output, Probe, Seen, Tolerance
from grading.exercises.kv_cache_and_gqa.drafting_ways import MORE, STEPS, accepting
from grading.exercises.kv_cache_and_gqa.fitting import drafted
from grading.exercises.shared.single import single
from grading.exercises.shared.stepwise import mistake
from grading.late import Tensor, torch

__all__ = ["ACCEPT_DRAFT"]

#: Tokens are right or wrong.
EXACT = Tolerance(rtol=0.0, atol=1e-3)


def _written(
    draft_probs: list[list[float]], target_probs: list[list[float]], draft: list[int],
    uniform: list[float],
) -> Any:  # fmt: skip
    def draw(generator: torch.Generator) -> Inputs:
        return {
            "draft_probs": torch.tensor(draft_probs, dtype=torch.float64),
            "target_probs": torch.tensor(target_probs, dtype=torch.float64),
            "draft": torch.tensor(draft), "uniform": torch.tensor(uniform, dtype=torch.float64),
        }  # fmt: skip

    return draw


def _in_words(one: Seen, right: Seen) -> str | None:
    """Say how a list of tokens differs from the right one."""
    mine, wanted = one.outputs[0], right.outputs[0]
    return None if mine == wanted else f"Yours is {mine}; it has to be {wanted}."


def _in_a_row(
    draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
) -> list[int]:
    """Look at all ratios at once, and cut behind the first refusal."""
    n = len(draft)
    places = torch.arange(n)
    ratios = target_probs[places, draft] / draft_probs[places, draft]
    kept = int((uniform[:n] < ratios).long().cumprod(0).sum())
    rest = target_probs[kept]
    if kept < n:
        rest = torch.relu(rest - draft_probs[kept])
    sums = torch.cumsum(rest / rest.sum(), 0)
    token = int(torch.searchsorted(sums, uniform[n], right=True).clamp(max=len(rest) - 1))
    return [*draft[:kept].tolist(), token]


def _by_lists(
    draft_probs: Tensor, target_probs: Tensor, draft: Tensor, uniform: Tensor
) -> list[int]:
    """Work with Python's own numbers, and a row of zeros behind the draft's."""
    q = [*draft_probs.tolist(), [0.0] * draft_probs.shape[1]]
    p, us, tokens = target_probs.tolist(), uniform.tolist(), draft.tolist()
    kept = 0
    while kept < len(tokens) and us[kept] < p[kept][tokens[kept]] / q[kept][tokens[kept]]:
        kept += 1
    over = [max(a - b, 0.0) for a, b in zip(p[kept], q[kept], strict=True)]
    goal, total = us[-1] * sum(over), 0.0
    last = -1
    while total <= goal and last + 1 < len(over):
        last += 1
        total += over[last]
    return [*tokens[:kept], last]


#: Two rows that a small model says, and what the large one says there and behind.
Q3 = [[0.5, 0.3, 0.2, 0.0], [0.1, 0.6, 0.1, 0.2], [0.4, 0.1, 0.3, 0.2]]
P3 = [[0.3, 0.4, 0.1, 0.2], [0.3, 0.2, 0.4, 0.1], [0.2, 0.2, 0.1, 0.5], [0.1, 0.2, 0.3, 0.4]]

ACCEPT_DRAFT = Exercise(
    name="accept_draft", slug="kv-cache-and-gqa", task="draft",
    title="A small model writes, a large one agrees", kind="implement", points=1.0, difficulty=3,
    importance=2, minutes=30, parameters=("draft_probs", "target_probs", "draft", "uniform"),
    outputs=(Output(name="tokens", kind="list"),), tolerance=EXACT, alike=EXACT,
    axes={"draft_probs": "N V", "target_probs": "M V", "draft": "N", "uniform": "M"},
    fitted=drafted, told=_in_words, equation="eq-refused", reference=accepting(),
    next_rung="Draw a hundred thousand times: the tokens are as frequent as the large model says.",
    probes=(
        Probe(name="the last of four tokens is refused, of eight that there are", draw=_written(
            [[0.08, 0.05, 0.24, 0.08, 0.24, 0.14, 0.14, 0.03],
             [0.12, 0.18, 0.08, 0.16, 0.14, 0.12, 0.12, 0.08],
             [0.19, 0.15, 0.06, 0.29, 0.06, 0.06, 0.16, 0.03],
             [0.07, 0.14, 0.21, 0.17, 0.21, 0.1, 0.03, 0.07]],
            [[0.02, 0.15, 0.07, 0.19, 0.19, 0.04, 0.15, 0.19],
             [0.05, 0.22, 0.15, 0.2, 0.1, 0.05, 0.17, 0.06],
             [0.11, 0.05, 0.21, 0.03, 0.23, 0.24, 0.05, 0.08],
             [0.12, 0.14, 0.1, 0.12, 0.07, 0.21, 0.07, 0.17],
             [0.24, 0.17, 0.09, 0.06, 0.26, 0.09, 0.03, 0.06]],
            [2, 2, 7, 2], [0.15, 0.19, 0.6, 0.85, 0.77]), sizes={"n": 4, "V": 8}),
        Probe(name="the second of three tokens is refused", draw=_written(
            Q3, P3, [0, 1, 0], [0.55, 0.7, 0.1, 0.62]), sizes={"n": 3, "V": 4}),
        Probe(name="all three tokens are kept", draw=_written(
            Q3, P3, [1, 2, 3], [0.9, 0.99, 0.3, 0.35]), sizes={"n": 3, "V": 4}),
        Probe(name="the first of three tokens is refused", draw=_written(
            Q3, P3, [0, 1, 3], [0.7, 0.2, 0.1, 0.45]), sizes={"n": 3, "V": 4}),
        Probe(name="the last of two tokens is refused", draw=_written(
            [[0.2, 0.5, 0.1, 0.1, 0.1], [0.3, 0.1, 0.4, 0.1, 0.1]],
            [[0.3, 0.2, 0.1, 0.3, 0.1], [0.1, 0.3, 0.1, 0.3, 0.2], [0.5, 0.1, 0.2, 0.1, 0.1]],
            [1, 2], [0.35, 0.45, 0.55]), sizes={"n": 2, "V": 5}),
        Probe(name="tokens that the large model likes better than the small one", draw=_written(
            [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.25, 0.25, 0.5], [0.1, 0.8, 0.1]],
            [[0.6, 0.2, 0.2], [0.2, 0.5, 0.3], [0.45, 0.35, 0.2], [0.3, 0.4, 0.3],
             [0.25, 0.35, 0.4]],
            [0, 1, 1, 1], [0.95, 0.85, 0.97, 0.4, 0.3]), sizes={"n": 4, "V": 3}),
        Probe(name="a token that the large model never writes", draw=_written(
            [[0.6, 0.4, 0.0, 0.0, 0.0, 0.0]],
            [[0.0, 0.1, 0.2, 0.3, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2, 0.2, 0.2]],
            [0], [0.001, 0.5]), sizes={"n": 1, "V": 6}),
        Probe(name="the first of four tokens is refused, by little", draw=_written(
            [[0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.6, 0.2, 0.2], [0.3, 0.3, 0.4]],
            [[0.2, 0.3, 0.5], [0.3, 0.4, 0.3], [0.3, 0.4, 0.3], [0.5, 0.3, 0.2], [0.2, 0.2, 0.6]],
            [0, 2, 0, 2], [0.45, 0.5, 0.4, 0.3, 0.2]), sizes={"n": 4, "V": 3}),
        Probe(name="the first of three tokens is refused, of six that there are", draw=_written(
            [[0.23, 0.17, 0.03, 0.2, 0.23, 0.14], [0.2, 0.17, 0.23, 0.23, 0.06, 0.11],
             [0.1, 0.07, 0.21, 0.24, 0.28, 0.1]],
            [[0.21, 0.08, 0.21, 0.12, 0.21, 0.17], [0.29, 0.04, 0.21, 0.21, 0.21, 0.04],
             [0.04, 0.29, 0.28, 0.11, 0.07, 0.21], [0.38, 0.19, 0.14, 0.05, 0.19, 0.05]],
            [1, 0, 3], [0.97, 0.36, 0.31, 0.47]), sizes={"n": 3, "V": 6}),
        Probe(name="two tokens are kept, of seven that there are", draw=_written(
            [[0.02, 0.2, 0.07, 0.18, 0.18, 0.18, 0.17], [0.22, 0.19, 0.19, 0.06, 0.28, 0.03, 0.03]],
            [[0.02, 0.21, 0.21, 0.21, 0.14, 0.05, 0.16], [0.29, 0.1, 0.22, 0.19, 0.05, 0.05, 0.1],
             [0.12, 0.21, 0.21, 0.1, 0.18, 0.15, 0.03]],
            [3, 0], [0.6, 0.81, 0.18]), sizes={"n": 2, "V": 7}),
        Probe(name="three tokens are kept, by small numbers", draw=_written(
            [[0.03, 0.08, 0.25, 0.22, 0.25, 0.17], [0.29, 0.07, 0.11, 0.21, 0.14, 0.18],
             [0.04, 0.26, 0.04, 0.33, 0.26, 0.07]],
            [[0.09, 0.18, 0.18, 0.14, 0.36, 0.05], [0.13, 0.07, 0.19, 0.26, 0.29, 0.06],
             [0.17, 0.17, 0.3, 0.03, 0.2, 0.13], [0.13, 0.2, 0.1, 0.27, 0.03, 0.27]],
            [5, 3, 3], [0.0, 0.01, 0.02, 0.06]), sizes={"n": 3, "V": 6}),
        Probe(name="one token is kept", draw=_written(
            [[0.5, 0.5]], [[0.4, 0.6], [0.7, 0.3]], [0], [0.75, 0.8]), edge=True),
    ),
    misconceptions=(
        mistake(STEPS, "SPEC-RATIO", (
            "The ratio is upside down: a token is kept while the number is below draft over "
            "target. What the large model likes less is to be refused, so it is target over "
            "draft.")),
        mistake(STEPS, "SPEC-TARGETU", (
            "A token is kept while the number is below the target's probability. The draft's has "
            "to divide it: where both models agree, every token is kept.")),
        single("SPEC-DRAFTU", (
            "A token is kept while the number is below the draft's probability. The large model is "
            "not asked."), *MORE["SPEC-DRAFTU"]),
        single("SPEC-NOCHANCE", (
            "A token is kept exactly where the target's probability is at least the draft's, and "
            "chance plays no part. Below that it is kept with the probability target over draft."),
            *MORE["SPEC-NOCHANCE"]),
        single("SPEC-COMPLEMENT", (
            "The number is compared from the wrong side: what is kept is what would be refused, or "
            "one minus the number is compared. A token is kept while the number itself is below "
            "the ratio."), *MORE["SPEC-COMPLEMENT"]),
        single("SPEC-ALL", (
            "All drafted tokens come back, whatever the large model says of them. It keeps them "
            "only as far as the first refusal."), *MORE["SPEC-ALL"]),
        single("SPEC-GREEDY", (
            "A token is kept exactly where it is the large model's likeliest. That is right for "
            "greedy decoding; tokens that are drawn are kept with the probability target over "
            "draft."), *MORE["SPEC-GREEDY"]),
        mistake(STEPS, "SPEC-RESAMPLE", (
            "A refused token is replaced by one from the target's whole distribution. What the "
            "draft proposes often has had its chance already: draw from the positive part of "
            "target minus draft. Where the two have no token in common nobody sees it.")),
        mistake(STEPS, "SPEC-UNNORM", (
            "The positive part of target minus draft does not sum to 1, and is not divided by its "
            "sum before the token is drawn.")),
        single("SPEC-ABS", (
            "The absolute difference is taken. Where the draft is above the target nothing is left "
            "to draw: the positive part alone."), *MORE["SPEC-ABS"]),
        single("SPEC-EXCHANGED", (
            "Draft minus target is taken. What the large model wants more than the small one gave "
            "is target minus draft."), *MORE["SPEC-EXCHANGED"]),
        single("SPEC-FROMDRAFT", (
            "A refused token is replaced by another one of the small model's. The large model "
            "refused it, and replaces it."), *MORE["SPEC-FROMDRAFT"]),
        single("SPEC-ZEROED", (
            "Only the refused token is taken out of the target before its replacement is drawn. "
            "The draft's row is subtracted as a whole: other tokens, too, had their chance through "
            "the draft."), *MORE["SPEC-ZEROED"]),
        single("SPEC-LIKELIEST", (
            "The last token is the likeliest one of its distribution, and not drawn by the last "
            "number."), *MORE["SPEC-LIKELIEST"]),
        single("SPEC-SAMEU", (
            "The number that refused a token draws its replacement too. It is known to be large "
            "then, so the draw is not fair. The last number is there for that."),
            *MORE["SPEC-SAMEU"]),
        single("SPEC-NEXTU", (
            "A refused token is replaced by the next number. It is the last one, uniform[n], for "
            "every draw."), *MORE["SPEC-NEXTU"]),
        single("SPEC-NOREPLACE", (
            "Behind a refusal no token follows. The large model has said what it wants there: one "
            "token is drawn."), *MORE["SPEC-NOREPLACE"]),
        mistake(STEPS, "SPEC-NOBONUS", (
            "Where all tokens are kept, none follows. The large model has read them all and knows "
            "the next one: draw it from its last row.")),
        single("SPEC-BONUSROW", (
            "The token behind a draft that is kept whole is drawn from the row before the last. "
            "Row n says what follows all n tokens."), *MORE["SPEC-BONUSROW"]),
        mistake(STEPS, "SPEC-GOON", (
            "Behind a refused token the walk goes on. What was drafted there followed a token that "
            "is gone: stop at the first refusal."), *MORE["SPEC-GOON"]),
        single("SPEC-LATEROW", (
            "The target's row of the next place is asked. Row i says what may stand where the "
            "draft wrote its token i."), *MORE["SPEC-LATEROW"]),
        single("SPEC-AFTER", (
            "A token beside the right one is drawn. It is the first one whose cumulative "
            "probability is above the number."), *MORE["SPEC-AFTER"]),
        Misconception(code="SPEC-INPLACE", wrong=MORE["SPEC-INPLACE"][0], shows="inputs", sentence=(
            "The difference is written over the target's row, so whoever handed it over holds "
            "other probabilities now. Write into a new tensor.")),
    ),
    steps=STEPS,
    alternatives=(_in_a_row, _by_lists),
)  # fmt: skip
