"""Positions got wrong in public: refused, and called what it is; unusual right answers pass.

`answers_from_threads_positions.md` is made of the same table; a test says when it is not in step.
"""

import inspect
from pathlib import Path
from typing import Any

import answers_from_threads_positions as wrong
import pytest
import unusual_answers_positions as unusual
from rows_of_threads import RAISES, RARE, Row, expected, page, table, verdict

from grading.exercises.positions import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_positions.md")

#: More reasons why a refused answer has no name.
SHAPE = "the shapes are said"


ROWS = (
    *table("is_permutation_equivariant",
        ("a shuffled input, and the same result is expected", wrong.shuffled_input_same_result,
         "facebookresearch/xformers/pull/339", "EQ-INPONLY"),
        ("the largest of all rows is compared", wrong.pooled_result,
         "MenghaoGuo/PCT/issues/5", "EQ-INV"),
    ),
    *table("sinusoidal",
        ("an exponent of its own for each column", wrong.own_exponent_for_each_column,
         "jadore801120/attention-is-all-you-need-pytorch/issues/32", "PE-ODD"),
        ("a loop in steps of two that doubles the step", wrong.loop_in_steps_of_two,
         "SamLynnEvans/Transformer/issues/25", "PE-ODD"),
        ("halves, and timescales of the first code", wrong.timescales_in_halves,
         "allenai/allennlp/issues/2993", "PE-LESSONE+PE-CAT"),
        ("two slices of one length", wrong.two_slices_of_one_length,
         "gc-os-ai/pyaptamer/issues/607", "PE-EVENC"),
        ("a division of integers", wrong.integer_division,
         "Kyubyong/transformer/pull/81", "PE-ONEWAVE"),
    ),
    *table("rope",
        ("all in the model's precision", wrong.everything_in_the_models_precision,
         "EleutherAI/gpt-neox/issues/1003", "ROPE-HALFDTYPE"),
        ("frequencies are cast with the model", wrong.frequencies_cast_with_the_model,
         "huggingface/transformers/issues/25681", "ROPE-HALFDTYPE"),
        ("positions and frequencies are cast", wrong.positions_and_frequencies_cast,
         "huggingface/candle/pull/3520", "ROPE-HALFDTYPE"),
        ("a table for neighbours, and halves exchanged", wrong.interleaved_table_with_halves,
         "raiyanyahya/how-to-train-your-gpt/issues/6", "ROPE-TABLES"),
        ("a table for halves, and neighbours exchanged", wrong.repeated_table_with_neighbours,
         "facebookresearch/vjepa2/pull/15", "ROPE-TABLES"),
        ("the transposed rotation", wrong.transposed_rotation,
         "karpathy/nanochat/pull/489", "ROPE-SIGN"),
        ("minus the other half", wrong.minus_the_other_half,
         "trymirai/lalamo/pull/268", "ROPE-SIGN"),
        ("neighbours as complex numbers", wrong.neighbours_as_complex,
         "NeuraLegion/shainet/pull/111", "ROPE-INTERLEAVE"),
        ("angles times π", wrong.angles_times_pi, "ggml-org/llama.cpp/issues/1234", RARE),
        ("divided by the whole size of a head", wrong.divided_by_the_whole_head,
         "rasbt/LLMs-from-scratch/issues/410", "ROPE-FREQ"),
        ("an exponent that starts at 1 / D", wrong.exponent_of_the_handout,
         "stanford-cs336/assignment1-basics/issues/22", RARE),
        ("an exponent without its minus", wrong.exponent_without_its_minus,
         "labmlai/annotated_deep_learning_paper_implementations/issues/313", "ROPE-GROW"),
        ("every call starts at position 0", wrong.every_call_starts_at_zero,
         "Blaizzy/mlx-vlm/issues/1983", "ROPE-IGNOREPOS"),
        ("angles are kept by the length alone", wrong.cached_by_length,
         "lucidrains/rotary-embedding-torch/issues/11", RARE),
    ),
    *table("rope_attention",
        ("turned along the heads", wrong.turned_along_the_heads,
         "mlfoundations/open_lm/issues/4", "ROPE-NONE"),
        ("tables that index heads", wrong.tables_that_index_heads,
         "vukrosic/leo-optimizer/pull/2", "ROPE-AXIS"),
        ("values are turned too", wrong.values_turned_too,
         "lucidrains/x-transformers/issues/182", "ROPE-ONV"),
        ("values are turned twice", wrong.values_turned_twice,
         "labmlai/annotated_deep_learning_paper_implementations/issues/251", RARE),
        ("the turned key is not written back", wrong.key_is_not_written_back,
         "kvcache-ai/sglang/pull/66", "ROPE-ONEK"),
        ("halves of queries and keys are crossed", wrong.halves_crossed,
         "hpcaitech/ColossalAI/pull/6429", RARE),
    ),
    *table("similarity_at_distance",
        ("divided by the whole size of a head", wrong.similarity_with_a_slow_fall,
         "rasbt/LLMs-from-scratch/issues/410", "SIM-WAVES"),
    ),
    *table("alibi_bias",
        ("the first slope is 1", wrong.first_slope_is_one,
         "paiml/aprender/pull/2143", "ALIBI-H0"),
        ("one geometric sequence for any number", wrong.one_geometric_sequence,
         "ml-explore/mlx/pull/3071", "ALIBI-POWER"),
        ("the query less the key", wrong.query_less_key,
         "meta-pytorch/attention-gym/pull/86", "ALIBI-SIGN"),
        ("the slope times the key", wrong.slope_times_key,
         "ofirpress/attention_with_linear_biases/issues/9", "ALIBI-KEYONLY"),
        ("over the queries alone", wrong.over_the_queries_alone,
         "keras-team/keras-hub/issues/2861", SHAPE),
        ("one step too far", wrong.one_step_too_far, "vllm-project/vllm/pull/945", "ALIBI-OFF1"),
        ("the row of the last query for all", wrong.row_of_the_last_query,
         "mosaicml/llm-foundry/issues/186", "ALIBI-LASTROW"),
    ),
    *table("alibi_scores",
        ("scaled with the products", wrong.scaled_with_the_products,
         "NVIDIA/TensorRT-Model-Connect/pull/32", "ALIBI-SCALE"),
        ("the bias is scaled in the kernel", wrong.mask_scaled_in_the_kernel,
         "tenstorrent/tt-metal/pull/56406", "ALIBI-SCALE"),
        ("a bias over the window of queries", wrong.bias_over_the_query_window,
         "keras-team/keras-hub/pull/2977", RAISES),
    ),
    *table("yarn_inv_freq",
        ("ends are always rounded", wrong.ends_always_rounded,
         "vllm-project/vllm/issues/27722", "YARN-FLOOR"),
        ("rounded, and under the power", wrong.rounded_and_under_the_power,
         "apache/tvm/pull/18576", "YARN-FLOOR+YARN-POWER"),
        ("wavelengths are blended", wrong.wavelengths_blended,
         "jquesnelle/yarn/issues/24", "YARN-WAVES"),
        ("a ratio of two equal scales", wrong.ratio_of_two_equal_scales,
         "turboderp-org/exllamav3/issues/259", "YARN-NOCONC"),
        ("the context of the long model", wrong.context_of_the_long_model,
         "NVIDIA-NeMo/Speech/issues/14686", "YARN-NEWLENGTH"),
        ("the logarithm is taken twice", wrong.logarithm_taken_twice,
         "NVIDIA/TensorRT-LLM/pull/16379", RARE),
        ("slow and fast are exchanged", wrong.slow_and_fast_exchanged,
         "pytorch/torchtitan/pull/3787", "YARN-SWAPAB"),
    ),
    *table("yarn_scores",
        ("in the rotation and in the scale", wrong.rotary_and_scale,
         "kekzl/imp/pull/880", "YARN-TWICE"),
        ("the magnitude is dropped", wrong.magnitude_dropped,
         "GaijinEntertainment/daScript/pull/3479", "YARN-NOCONC"),
    ),
)  # fmt: skip

#: By what the functions are called.
TASKS = {
    "equivariant": "is_permutation_equivariant",
    "waves": "sinusoidal",
    "rope": "rope",
    "attention": "rope_attention",
    "similarity": "similarity_at_distance",
    "bias": "alibi_bias",
    "scores": "alibi_scores",
    "yarn": "yarn_inv_freq",
    "stretched": "yarn_scores",
}
RIGHT = tuple(
    (TASKS[name.partition("_")[0]], function)
    for name, function in vars(unusual).items()
    if inspect.isfunction(function) and function.__module__ == unusual.__name__ and name[0] != "_"
)


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    wrong.KEPT.clear()
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=[row[1].__name__ for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    asked = {one.name for one in EXERCISES if one.kind in ("implement", "measure", "warm-up")}
    assert asked == {row.exercise for row in ROWS} == {row[0] for row in RIGHT}
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 24
    for name in asked:
        least = 6 if name in ("rope", "yarn_inv_freq") else 2
        assert sum(row[0] == name for row in RIGHT) >= least, name


HEAD = """\
# Positions got wrong in public

What people got wrong in public, or do by another convention than the task's, was written again, in
code of our own, and handed to `check`. No line of a thread stands here or in the tests. A code is
right if each sentence that it brings was read against the answer and is true of it. The table is
that of
`test_answers_from_threads_positions.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
