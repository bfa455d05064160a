"""Multi-head attention got wrong in public: refused, and called what it is; right ones pass.

`answers_from_threads_multi_head_attention.md` is made of the same table; a test says when it is not
in step.
"""

from pathlib import Path
from typing import Any

import answers_from_threads_multi_head_attention as written
import pytest
from rows_of_threads import RAISES, RARE, G, Row, expected, page, verdict

from grading.exercises.multi_head_attention import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_multi_head_attention.md")

#: More reasons why a refused answer has no name.
SHAPE = "the shapes are said, in letters"


ROWS = tuple(Row(*row) for row in (
    ("split_heads", "a view straight to heads, positions, entries", written.viewed_at_once,
     G + "hyunwoongko/transformer/issues/15", "SPLIT-VIEW"),
    ("split_heads", "heads and batch become one axis, uncut", written.heads_into_the_batch,
     G + "reczoo/FuxiCTR/issues/30", SHAPE),
    ("split_heads", "the heads stand before the batch", written.heads_before_the_batch,
     G + "lsdefine/attention-is-all-you-need-keras/issues/36", "SPLIT-BH"),
    ("merge_heads", "a reshape without the permutation before it",
     written.reshaped_without_a_permute, G + "jsbaan/transformer-from-scratch/pull/6",
     "MERGE-NOTRANSP"),
    ("merge_heads", "the batch is taken for the heads", written.batch_taken_for_heads,
     G + "gazelle93/Transformer-Various-Positional-Encoding/issues/1", RARE),
    ("multi_head_attention", "the root of all features", written.root_of_all_features,
     G + "omihub777/ViT-CIFAR/pull/11", "MHA-SCALED"),
    ("multi_head_attention", "the root of the number of heads",
     written.root_of_the_number_of_heads, G + "tenstorrent/tt-metal/pull/56789", RARE),
    ("multi_head_attention", "divides by the reciprocal of the root",
     written.divided_by_the_reciprocal, G + "esceptico/perceiver-io/issues/9", RARE),
    ("multi_head_attention", "cuts the embedding, one small matrix for all heads",
     written.one_small_matrix_for_all_heads,
     G + "MarcoMeter/episodic-transformer-memory-ppo/pull/22", RARE),
    ("multi_head_attention", "the heads are added up, and no w_o", written.heads_summed,
     G + "awf/functional-transformer/issues/8", SHAPE),
    ("multi_head_attention", "a mask of each example without an axis for heads",
     written.mask_without_an_axis_for_heads, G + "hyunwoongko/transformer/issues/32",
     "MHA-MASKHEAD"),
    ("multi_head_attention", "the masks are repeated in the other order",
     written.mask_repeated_in_the_other_order, G + "ArrowLuo/CLIP4Clip/issues/22", RARE),
    ("multi_head_attention", "a view there, and a view back", written.viewed_there_and_back,
     G + "649453932/Chinese-Text-Classification-Pytorch/issues/53",
     "SPLIT-VIEW+MERGE-NOTRANSP"),
    ("multi_head_attention", "values by the keys' matrix", written.values_by_the_keys_matrix,
     G + "yflyzhang/AnnotatedTransformer/issues/1", RAISES),
    ("cross_attention", "the encoder asks, the decoder is read", written.the_encoder_asks,
     G + "humza909/LLM_Survey/issues/2", "XATT-OUTS"),
    ("cross_attention", "the decoder reads itself", written.the_decoder_reads_itself,
     G + "keitakurita/Practical_NLP_in_PyTorch/issues/1", "QKV-KX"),
    ("head_contribution", "what was there before is added", written.with_the_residual,
     G + "TransformerLensOrg/TransformerLens/issues/1639", RARE),
    ("head_contribution", "another block of w_o", written.another_block_of_w_o,
     G + "goodfire-ai/causalab/pull/61", "CONTRIB-WOROW"),
    ("heads_add_up", "lengths along the wrong axis", written.lengths_along_the_second_axis,
     G + "xmed-lab/CLIP_Surgery/issues/35", RARE),
    ("mha_param_count", "every head as wide as the model",
     written.every_head_as_wide_as_the_model, G + "phlippe/uvadlc_notebooks/issues/64",
     "CNT-TIMESH"),
    ("mha_param_count", "a square output matrix", written.square_output_matrix,
     G + "microsoft/unilm/pull/1636", RARE),
    ("mha_flops", "only the linear layers", written.only_the_linear_layers,
     G + "autoliuweijie/FastBERT/issues/14", "CNT-NOQK"),
    ("mha_flops", "one of the two products", written.one_of_the_two_products,
     G + "pytorch/torchtitan/pull/4366", "CNT-NOQK"),
    ("mha_flops", "the second product without its additions", written.values_counted_by_halves,
     G + "THUDM/slime/pull/1209", RARE),
    ("count_gpt3", "large matrices, and both tables", written.large_matrices_with_both_tables,
     "https://waltdhill.github.io/notes/wiki/ai-ml/entities/gpt-3", "GPT3-MATRICES"),
    ("count_gpt3", "no biases, no positions, both tables", written.without_biases_and_positions,
     G + "Zeeshan-Saeed-0033/ZEES724", RARE),
))  # fmt: skip

RIGHT = (
    ("split_heads", written.split_by_einsum),
    ("split_heads", written.split_by_gathering),
    ("merge_heads", written.merge_through_a_list),
    ("multi_head_attention", written.layer_by_torchs_kernel),
    ("cross_attention", written.cross_with_scaled_matrices),
    ("head_contribution", written.contribution_by_one_matrix),
    ("heads_add_up", written.adding_up_in_batches),
    ("mha_param_count", written.parameters_by_torch),
    ("mha_flops", written.flops_as_a_float),
    ("count_gpt3", written.gpt3_from_one_layer),
)


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=[row[1].__name__ for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    asked = {one.name for one in EXERCISES if one.kind in ("implement", "measure", "warm-up")}
    assert asked == {row.exercise for row in ROWS} == {row[0] for row in RIGHT}
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 24


HEAD = """\
# Multi-head attention got wrong in public

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. A code is right if each sentence that it brings was
read against the answer and is true of it. The table is that of
`test_answers_from_threads_multi_head_attention.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
