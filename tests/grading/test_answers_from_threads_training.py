"""Training got wrong in public: refused, and called what it is; right ones pass.

`answers_from_threads_training.md` is made of the same table; a test says when it is not in step.
"""

from pathlib import Path
from typing import Any

import answers_from_threads_training as written
import pytest
from rows_of_threads import RARE, Row, expected, page, table, verdict

from grading.exercises.training import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_training.md")

ROWS: tuple[Row, ...] = (
    *table(
        "surprise",
        ("the logarithm of a weight that became 0", written.logarithm_of_a_weight,
         "summerlvsong/Aggregation-Cross-Entropy/issues/2", "SUR-OVERFLOW"),
        ("exponentials of the logits as they come", written.exponentials_as_they_come,
         "tracel-ai/burn/issues/315", "SUR-OVERFLOW"),
    ),
    *table(
        "lm_loss",
        ("labels moved in the data, and again in the loss", written.pre_shifted,
         "huggingface/transformers/pull/562", "LOSS-SHIFT2"),
        ("logits and labels cut twice", written.shifted_in_the_model_and_in_the_loss,
         "huggingface/transformers/pull/37830", "LOSS-SHIFT2"),
        ("shifted, joined, shifted again: the last row of a text asks for the next text",
         written.shifted_then_flat_then_shifted,
         "huggingface/transformers/issues/47394", RARE),
        ("no shift at all", written.not_shifted,
         "huggingface/transformers/issues/27517", "LOSS-NOSHIFT"),
        ("the last one left out of both, and so no shift", written.last_left_out_of_both,
         "alibaba/Megatron-LLaMA/issues/53", "LOSS-NOSHIFT"),
        ("ignore_index is defined and not used", written.ignore_never_handed_on,
         "lucidrains/DALLE-pytorch/issues/57", "LOSS-PADCOUNT"),
        ("−100 is ignored, and 0 fills up", written.ignore_never_handed_on,
         "lukas-blecher/LaTeX-OCR/issues/305", "LOSS-PADCOUNT"),
        ("a softmax in the model", written.softmax_in_the_model,
         "bkitano/llama-from-scratch/issues/5", "LOSS-PROBS"),
        ("a softmax before the loss, in the validation alone", written.softmax_in_the_model,
         "ariecattan/SciCo/issues/2", "LOSS-PROBS"),
        ("the first column counts in the divisor", written.divided_by_all_labels,
         "huggingface/transformers/pull/46204", "LOSS-FIRSTCOUNTED"),
        ("a mean of each part's mean", written.mean_of_the_texts_means,
         "ml-explore/mlx-lm/pull/1413", "LOSS-BATCHMEAN"),
        ("an average of averages, for texts of several lengths", written.mean_of_the_texts_means,
         "keras-team/keras-hub/pull/2958", "LOSS-BATCHMEAN"),
        ("padding adds 0 to the sum and 1 to the divisor", written.padding_in_the_divisor,
         "meta-pytorch/torcheval/issues/154", "LOSS-PADCOUNT"),
        ("a mean of each token's perplexity", written.mean_of_perplexities,
         "magenta/magenta/pull/239", RARE),
    ),
    *table(
        "first_loss",
        ("ln V, as if nothing were drawn", written.equal_shares_alone,
         "sangmichaelxie/doremi/issues/26", "FIRST-LNV"),
        ("exponentials before the mean", written.perplexity_first,
         "magenta/magenta/pull/239", RARE),
    ),
    *table(
        "train_step",
        ("gradients cleared right before the step", written.cleared_right_before_the_step,
         "lucidrains/byol-pytorch/issues/93", "TRAIN-NOSTEP"),
        ("gradients never cleared", written.never_cleared,
         "tenstorrent/tt-blacksmith/pull/711", "TRAIN-ZEROGRAD"),
        ("gradients cleared behind the step, and so not before the first",
         written.cleared_behind_the_step, "karpathy/llm.c/pull/548", "TRAIN-ZEROGRAD"),
        ("in eval mode, which a test has left on", written.left_in_eval_mode,
         "tk-rusch/coRNN/issues/1", "TRAIN-EVAL"),
        ("the loss comes back with its graph", written.keeps_the_graph,
         "BatsResearch/labelmodels/issues/4", "TRAIN-LEAK"),
        ("learns the token that it has just read", written.learns_the_token_it_reads,
         "huggingface/transformers/issues/30105", "TRAIN-NOSHIFT"),
    ),
    *table(
        "finetune_step",
        ("frozen ones get gradients of zeros", written.zeros_for_the_frozen,
         "explosion/curated-transformers/pull/69", "FT-DECAY"),
        ("names are looked for anywhere", written.found_anywhere_in_the_name,
         "facebookresearch/fairseq/issues/4702", "FT-NAME"),
        ("what was switched off is switched on again", written.all_switched_on_again,
         "ultralytics/yolov5/issues/1213", "FT-ALL"),
        ("frozen by eval mode alone", written.frozen_by_eval_alone,
         "alexrich021/3dvnet/issues/11", RARE),
        ("gradients that lie there from before", written.switched_off_over_old_gradients,
         "ahrefs/ocannl/issues/673", "FT-GRADS"),
    ),
    *table(
        "generate",
        ("what is left out gets the logit 1e-10", written.filled_with_almost_nothing,
         "karpathy/minGPT/issues/10", "GEN-TOPKZERO"),
        ("all that tie with the k-th are kept", written.keeps_all_that_tie,
         "vllm-project/tpu-inference/pull/3580", "GEN-TOPKTIES"),
        ("one more than k is kept", written.one_more_than_k,
         "kingoflolz/mesh-transformer-jax/issues/164", "GEN-KOFF"),
        ("divided by the temperature twice", written.temperature_twice,
         "RL-Align/RL-Kernel/issues/81", "GEN-TEMPTWICE"),
        ("the k largest are left out", written.top_k_left_out,
         "EricLBuehler/mistral.rs/pull/1316", RARE),
        ("the seed is taken, and the global generator draws", written.seed_ignored,
         "bytedance/GRN/issues/27", "GEN-GLOBAL"),
        ("no text longer than the context", written.never_cropped,
         "Lightning-AI/litgpt/issues/43", "GEN-CTX"),
        ("the first row's logits", written.first_row,
         "vllm-project/tpu-inference/pull/125", "GEN-FIRST"),
        ("a temperature of 0 divides", written.divided_by_zero,
         "suno-ai/bark/issues/270", "GEN-T0"),
    ),
    *table(
        "fit_power_law",
        ("a line on a log-log graph, for a law with a constant", written.read_off_a_log_log_graph,
         "powerlaw-devs/powerlaw/issues/70", "FIT-NOIRREDUCIBLE"),
        ("the sign of the line's height is lost", written.sign_of_the_height_lost,
         "holehouse-lab/soursop/pull/20", RARE),
    ),
)  # fmt: skip

RIGHT = (
    ("surprise", written.surprise_by_sigmoid),
    ("surprise", written.surprise_by_categorical),
    ("lm_loss", written.loss_of_log_weights),
    ("lm_loss", written.loss_by_vmap),
    ("lm_loss", written.loss_by_an_index),
    ("lm_loss", written.loss_position_by_position),
    ("lm_loss", written.loss_by_a_distribution),
    ("lm_loss", written.loss_by_shares),
    ("lm_loss", written.loss_by_ones),
    ("first_loss", written.first_by_numpy),
    ("first_loss", written.first_in_columns),
    ("train_step", written.step_with_a_functional_call),
    ("train_step", written.step_with_a_detour),
    ("finetune_step", written.finetuned_and_loaded_back),
    ("finetune_step", written.finetuned_through_detached),
    ("generate", written.written_by_log_weights),
    ("generate", written.written_by_powers),
    ("generate", written.written_row_by_row),
    ("fit_power_law", written.fitted_by_lstsq),
    ("fit_power_law", written.fitted_by_three_slopes),
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
# Training got wrong in public

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. A code is right if each sentence that it brings was
read against the answer and is true of it. The table is that of
`test_answers_from_threads_training.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
