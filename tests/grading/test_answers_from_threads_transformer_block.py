"""The Transformer block got wrong in public: refused, and called what it is; right ones pass.

`answers_from_threads_transformer_block.md` is made of the same table; a test says when it is not in
step.
"""

from pathlib import Path
from typing import Any

import answers_from_threads_transformer_block as written
import pytest
from rows_of_threads import RAISES, RARE, G, Row, expected, page, verdict

from grading.exercises.transformer_block import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_transformer_block.md")

#: More reasons why a refused answer has no name.
SHAPE = "the shapes are said, in letters"


ROWS = tuple(Row(*row) for row in (
    ("silu", "x over one plus an exponential: its gradient is NaN",
     written.switched_by_an_exponential, G + "trymirai/lalamo/pull/328",
     "SILU-NANGRAD"),
    ("silu", "σ for SiLU; the thread has SiLU for σ",
     written.bent_without_its_gate, G + "joaopauloschuler/neural-api/issues/21",
     "SILU-SIG"),
    ("rms_norm", "divides by what rsqrt gives",
     written.divided_by_rsqrt, G + "mosaicml/llm-foundry/issues/371",
     "RMS-TIMES"),
    ("rms_norm", "eps beside the length, not under the root",
     written.eps_beside_the_length, G + "allenai/OLMo/issues/281",
     "RMS-EPSOUT"),
    ("rms_norm", "eps is taken and never read",
     written.eps_never_read, G + "keras-team/keras-hub/pull/1472",
     "RMS-NOEPS"),
    ("rms_norm", "1 is added to a gain that has it already",
     written.one_added_to_the_gain, G + "utensils/mold/pull/1078",
     "RMS-UNIT"),
    ("rms_norm", "squares in the narrow dtype",
     written.squared_as_it_comes, G + "pytorch/pytorch/pull/133085",
     "RMS-DTYPE"),
    ("rms_norm", "eps is added behind a rescaling by the largest entry",
     written.eps_behind_a_rescaling, G + "apple/coremltools/pull/2822",
     RARE),
    ("rms_norm", "a length with a floor in eps's place",
     written.by_normalize, G + "huggingface/diffusers/pull/13316",
     "RMS-NOEPS"),
    ("layer_norm", "the deviation of a sample, and eps beside it",
     written.annotated, G + "codertimo/BERT-pytorch/issues/30",
     "LN-UNBIASED+LN-EPSOUT"),
    ("layer_norm", "the variance mended, eps still beside the deviation",
     written.annotated_and_biased, G + "harvardnlp/annotated-transformer/pull/119",
     "LN-EPSOUT"),
    ("layer_norm", "the root of the deviation",
     written.root_of_the_deviation, G + "hyunwoongko/transformer/issues/7",
     RARE),
    ("layer_norm", "no gain and no shift",
     written.without_what_is_learnt, G + "LBANN/lbann/pull/2076",
     "LN-BARE"),
    ("swiglu", "SiLU of what is gated",
     written.bends_what_is_gated, G + "ml-explore/mlx-lm/pull/767",
     "SWI-GATESWAP"),
    ("swiglu", "SiLU of the product",
     written.bends_the_product, G + "Nijikadesu/breakdown-minimind/issues/3",
     "SWI-PRODUCT"),
    ("swiglu", "SiLU between two matrices, called SwiGLU",
     written.only_the_activation, G + "google-research/timesfm/issues/493",
     "SWI-NOUP"),
    ("gated_d_ff", "four times the width, as without a gate",
     written.four_times, G + "huggingface/transformers/issues/27139",
     "FFN-84"),
    ("gated_d_ff", "π times the width",
     written.times_pi, G + "jingyaogong/minimind/issues/742",
     RARE),
    ("gated_d_ff", "two thirds of a width that was halved",
     written.halved_once_more, G + "EleutherAI/gpt-neox/pull/1309",
     "FFN-THIRD"),
    ("embedding_left", "products that no length divides",
     written.products_without_lengths, G + "google-research/simclr/issues/38",
     "LEFT-DOT"),
    ("embedding_left", "one norm at the end for all sums",
     written.normed_at_the_end_alone, G + "TransformerLensOrg/TransformerLens/issues/1076",
     "LEFT-PRE"),
    ("block", "adds to the normed vector",
     written.adds_to_the_normed, G + "Howuhh/faster-trajectory-transformer/issues/3",
     "BLK-NORMRES"),
    ("block", "adds the block's input a second time",
     written.adds_the_input_again, G + "JanSchm/CapMarket/issues/8",
     "BLK-XAGAIN"),
    ("block", "one norm's parameters for both halves",
     written.one_norm_for_both, G + "allenai/OLMo/issues/222",
     "BLK-SHARENORM"),
    ("block", "the norm meets the queries alone",
     written.norms_the_first_input, G + "facebookresearch/xformers/pull/233",
     "BLK-NORMQ"),
    ("block", "x + x where x + attention is meant",
     written.doubles, G + "kyegomez/BitNet/issues/32",
     "BLK-DOUBLED"),
    ("block", "norms behind the sums, as in the paper",
     written.as_in_the_paper, G + "hkproj/pytorch-transformer/issues/14",
     "BLK-POST"),
    ("block", "one norm between the halves, in the stream",
     written.norms_between, G + "Project-MONAI/MONAI/pull/9011",
     RARE),
    ("block", "both halves read one normed vector",
     written.side_by_side, G + "NVIDIA/TransformerEngine/issues/625",
     "BLK-ORDER"),
    ("block", "one norm, again and again in the stream",
     written.one_norm_in_the_stream, G + "kyegomez/MambaTransformer/issues/14",
     "BLK-NORMRES+BLK-SHARENORM"),
    ("block", "the attention's norm twice",
     written.norms_twice, G + "DAGroup-PKU/MHLA/issues/10",
     RARE),
    ("encoder_decoder", "the second attention reads the target",
     written.decoder_reads_itself, G + "keitakurita/Practical_NLP_in_PyTorch/issues/1",
     "ED-KVTGT"),
    ("encoder_decoder", "the decoder knows nothing of the sources' padding",
     written.padding_read_by_the_decoder, G + "keras-team/keras-io/pull/1046",
     "ED-MASKMEM"),
    ("encoder_decoder", "a causal mask in the encoder",
     written.causal_encoder, G + "USTC-StarTeam/DR4SR/issues/7",
     "ED-ENCCAUSAL"),
    ("encoder_decoder", "foretells the token that it reads",
     written.foretells_what_it_reads, G + "Project-MONAI/GenerativeModels/issues/314",
     "ED-NOSHIFT"),
    ("encoder_decoder", "the memory asks, the target is read",
     written.memory_asks, G + "rexrex9/nlp_torchtext/pull/2",
     RAISES),
    ("encoder_decoder", "the decoder's own rows stand beside the memory",
     written.own_rows_beside_the_memory, G + "lucidrains/reformer-pytorch/issues/90",
     RARE),
    ("encoder_decoder", "the target's mask where the source's belongs",
     written.masked_as_the_target_is, G + "Kamichanw/SeekDeeper/issues/3",
     RAISES),
))  # fmt: skip

RIGHT = (
    ("silu", written.silu_by_sign),
    ("silu", written.silu_by_logsumexp),
    ("rms_norm", written.rms_of_a_scaled_vector),
    ("rms_norm", written.rms_by_a_diagonal),
    ("rms_norm", written.rms_by_logarithms),
    ("layer_norm", written.layer_by_differences),
    ("layer_norm", written.layer_by_welford),
    ("swiglu", written.swiglu_by_one_matrix),
    ("swiglu", written.swiglu_by_linear),
    ("gated_d_ff", written.width_by_search),
    ("gated_d_ff", written.width_in_numpys_way),
    ("embedding_left", written.left_by_a_running_sum),
    ("embedding_left", written.left_by_angles),
    ("block", written.block_in_a_walrus),
    ("block", written.block_in_place),
    ("block", written.block_of_modules),
    ("block", written.block_by_einsum),
    ("block", written.block_head_after_head),
    ("block", written.block_of_two_functions),
    ("block", written.block_by_vmap),
    ("encoder_decoder", written.translator_by_packing),
    ("encoder_decoder", written.translator_by_prefixes),
    ("encoder_decoder", written.translator_with_folded_matrices),
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
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 36


HEAD = """\
# The Transformer block got wrong in public

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. A code is right if each sentence that it brings was
read against the answer and is true of it. The table is that of
`test_answers_from_threads_transformer_block.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
