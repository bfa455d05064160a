"""Wrong answers to soft lookup, re-made from public threads, are refused; unusual right ones pass.

As in `test_answers_from_threads.py`; this table's page is `answers_from_threads_soft_lookup.md`.
"""

import inspect
from pathlib import Path
from typing import Any

import answers_from_threads_soft_lookup as wrong
import pytest
import unusual_answers_soft_lookup as unusual
from rows_of_threads import RAISES, RARE, Row, codes, expected, table, verdict

from grading.exercises import all_exercises

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_soft_lookup.md")


ROWS = (
    *table("hard_lookup",
        ("the key with the largest product", wrong.by_products,
         "lucidrains/vector-quantize-pytorch/issues/120", "HARD-DOT"),
        ("the farthest one", wrong.farthest, "microsoft/SynapseML/issues/2145", "HARD-FARTHEST"),
        ("the squared lengths of queries and keys added place by place",
         wrong.lengths_added_place_by_place, "Jackson-Kang/Pytorch-VAE-tutorial/issues/3", RAISES),
        ("each query against one key", wrong.one_to_one,
         "google-deepmind/sonnet/issues/158", RAISES),
    ),
    *table("soft_lookup",
        ("the softmax of the distances", wrong.without_the_minus,
         "dichotomies/proxy-nca/issues/15", "LOOK-DISTSIGN"),
        ("a factor in place of the temperature", wrong.weight_for_temperature,
         "EFS-OpenSource/calibration-framework/issues/13", "LOOK-TEMPMUL"),
        ("a hundredth of each distance, whatever the temperature", wrong.a_hundredth,
         "RL-VIG/LibFewShot/issues/49", RARE),
        ("multiplies by the maximum", wrong.maximum_multiplied,
         "cvlab-yonsei/SFNet/issues/3", RARE),
    ),
    *table("kernel_regression",
        ("exp(−d²/h)", wrong.bandwidth_not_squared,
         "mattnedrich/MeanShift_cpp/issues/4", "NW-WIDTH+NW-UNDERFLOW"),
        ("exp(−d²/2h)", wrong.length_scale_not_squared, "d2l-ai/d2l-en/pull/2665", "NW-WIDTH"),
        ("divides by 2 and multiplies by h², for want of a parenthesis",
         wrong.parenthesis_forgotten, "gallantlab/pyrcca/issues/16", "NW-TIMES"),
        ("the distance is not squared", wrong.distance_not_squared,
         "hoxo-m/densratio/issues/6", "NW-SQRT"),
        ("0/0 far from the data", wrong.all_kernels_zero,
         "wmkouw/libTLDA/issues/13", "NW-UNDERFLOW"),
        ("squares the minus too", wrong.square_around_the_minus,
         "mattnedrich/MeanShift_py/issues/15", RARE),
    ),
    *table("curve_error",
        ("the square of the mean error", wrong.square_of_the_mean,
         "nicebread/meta-showdown/issues/6", "CURVE-BIAS"),
        ("the mean of each set's own root", wrong.mean_of_roots,
         "topepo/FES/issues/108", "CURVE-ABS"),
    ),
    *table("additive_scores",
        ("no tanh", wrong.no_activation,
         "AuCson/PyTorch-Batch-Attention-Seq2seq/issues/3", "ADD-NOTANH"),
        ("repeats the queries in another order than the keys", wrong.repeated_in_the_wrong_order,
         "j-min/MoChA-pytorch/issues/3", RARE),
        ("the keys play no part", wrong.keys_not_asked, "pytorch/tutorials/issues/87", RARE),
        ("joins queries and keys that are not equally many",
         wrong.joined_along_an_axis_that_differs, "spro/practical-pytorch/issues/82", RAISES),
    ),
    *table("align_step",
        ("no mask", wrong.no_mask, "tensorflow/tensorflow/issues/512", "ALIGN-NOMASK"),
        ("scores of 0 for the padding", wrong.outputs_masked_instead,
         "HKUST-KnowComp/R-Net/issues/34", "ALIGN-PADSCORE0"),
        ("softmax, mask, shared out again", wrong.shared_out_again,
         "abisee/pointer-generator/issues/88", "ALIGN-LEN0"),
        ("states of 0 in the padding, and no mask", wrong.states_of_zero,
         "ilivans/tf-rnn-attention/issues/11", RARE),
        ("the softmax over the batch", wrong.over_the_batch,
         "PetrochukM/PyTorch-NLP/issues/2", "ALIGN-AXIS"),
    ),
)  # fmt: skip

#: Whose answers these are is told by their names.
PREFIXES = {
    "hard_": "hard_lookup", "soft_": "soft_lookup", "curve_": "kernel_regression",
    "error_": "curve_error", "added_": "additive_scores", "aligned_": "align_step",
}  # fmt: skip
RIGHT = tuple(
    (exercise, name, answer)
    for prefix, exercise in PREFIXES.items()
    for name, answer in vars(unusual).items()
    if name.startswith(prefix) and inspect.isfunction(answer)
)


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "name", "answer"), RIGHT, ids=[row[1] for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, name: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    asked = {
        one.name
        for one in all_exercises()
        if one.slug == "soft-lookup" and one.kind in ("implement", "measure", "warm-up")
    }
    assert asked == {row.exercise for row in ROWS} == {row[0] for row in RIGHT}
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 8


HEAD = """\
# Soft lookup: wrong answers re-made from public threads, and unusual right ones

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. The table is that of
`test_answers_from_threads_soft_lookup.py`, which checks each row and says when the two differ.
"""


def log() -> str:
    """Return the page: counts, a line for each wrong answer, and the names of the right ones."""
    named = sum(codes(row.said) is not None for row in ROWS)
    lines = [
        HEAD,
        f"{len(ROWS)} wrong answers: {len(ROWS)} refused; {named} rightly named, 0 falsely named, "
        f"{len(ROWS) - named} without a name. {len(RIGHT)} unusual right answers: {len(RIGHT)} "
        "accepted.",
        "",
        "| exercise | thread | what the answer does | said |",
        "|---|---|---|---|",
    ]
    for row in ROWS:
        said = f"`{row.said}`" if codes(row.said) else row.said
        lines.append(f"| `{row.exercise}` | {row.thread} | {row.does} | {said} |")
    lines += ["", "## Unusual right answers", ""]
    for exercise in dict.fromkeys(row[0] for row in RIGHT):
        names = "; ".join(name.replace("_", " ") for one, name, _ in RIGHT if one == exercise)
        lines.append(f"- `{exercise}`: {names}.")
    return "\n".join(lines) + "\n"


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == log()
