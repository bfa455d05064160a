"""Caches, shared heads, latent vectors and drafts got wrong in public: refused, and called so.

`answers_from_threads_kv_cache_and_gqa.md` is made of the same table; a test says when it is not in
step.
"""

from pathlib import Path
from typing import Any

import answers_from_threads_kv_cache_and_gqa as written
import pytest
from rows_of_threads import RAISES, RARE, Row, expected, page, table, verdict

from grading.exercises.kv_cache_and_gqa import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_kv_cache_and_gqa.md")

#: Another reason why a refused answer has no name.
SHAPE = "the shapes are said, in letters"

ROWS = (
    *table(
        "attend_with_cache",
        ("a causal mask at the upper left", written.upper_left,
         "pytorch/pytorch/issues/103082", "KV-TOPLEFT"),
        ("no mask where a cache is at hand", written.no_mask_beside_a_cache,
         "Mikyx-1/TinyLLM/issues/17", "KV-NOMASKCHUNK"),
        ("a mask only where queries and keys are as many", written.masked_only_where_square,
         "mlx-node/mlx-node/pull/24", "KV-NOMASKCHUNK"),
        ("a square mask on more keys than queries", written.a_square_mask,
         "meta-llama/llama/issues/899", RAISES),
        ("the same, for several tokens alone", written.the_whole_again_masked_square,
         "ml-explore/mlx-examples/pull/911", RAISES),
        ("new tokens count from 0", written.counts_from_zero,
         "Blaizzy/mlx-vlm/issues/1983", "KV-POS0"),
        ("queries count from 0, keys do not", written.queries_count_from_zero,
         "RobertCsordas/moeut/pull/6", "KV-POS0"),
        ("the cache counts the token that is just coming", written.counts_itself_already,
         "fla-org/flash-linear-attention/issues/766", "KV-POSOFF"),
        ("the prompt's length is counted twice", written.counts_the_prompt_twice,
         "skyzh/tiny-llm/pull/46", RARE),
        ("cached keys are turned once more", written.turns_cached_keys_again,
         "NeuraLegion/shainet/pull/110", "KV-ROPETWICE"),
        ("keys are kept as they came, and all turned at each call",
         written.keeps_unturned_and_turns_all,
         "EleutherAI/gpt-neox/pull/363", "KV-ROPETWICE+KV-KEEPRAW"),
        ("rows are joined along the first axis", written.joins_examples,
         "deepspeedai/Megatron-DeepSpeed/pull/112", RAISES),
    ),
    *table(
        "grouped_query_attention",
        ("tiles the key heads", written.tiled, "onnx/onnx/pull/7274", "GQA-TILE"),
        ("the same, by joining copies", written.repeated_by_tile,
         "ekzhang/jax-js/pull/180", "GQA-TILE"),
        ("divides by the number of key heads", written.divided_by_the_key_heads,
         "PSAL-POSTECH/ONNXim/issues/33", "GQA-DIVG"),
        ("repeats along the positions", written.repeated_along_positions,
         "PrimeIntellect-ai/prime-rl/pull/2681", "GQA-AXIS"),
        ("hands the heads back by turns", written.heads_come_back_by_turns,
         "nntile/nntile/pull/347", "GQA-ORDER"),
        ("steps by the group's size in the place of the groups", written.collides,
         "HazyResearch/HipKittens/pull/22", RARE),
    ),
    *table(
        "mha_to_gqa",
        ("groups rows, where columns are the heads", written.rows_grouped_in_place_of_columns,
         "NVIDIA/Megatron-LM/issues/480", SHAPE),
        ("adds up a group's heads", written.summed_by_index,
         "huggingface/transformers/issues/28425", "UP-SUM"),
    ),
    *table(
        "kv_cache_bytes",
        ("layers with a window are left out", written.windows_left_out,
         "alvarobartt/hf-mem/issues/60", "KVB-NOWINDOWED"),
        ("windows are not known", written.windows_not_known,
         "gpustack/gguf-parser-go/issues/32", "KVB-WINDOW"),
        ("one head's bytes are called a layer's", written.heads_forgotten,
         "rohitg00/ai-engineering-from-scratch/pull/57", "KVB-H"),
        ("the heads twice, and half a byte for a number", written.heads_twice_at_four_bits,
         "jranaraki/vllm-fit/issues/2", RARE),
    ),
    *table(
        "mla_attention",
        ("the scale of what is kept", written.scaled_by_what_is_kept,
         "vllm-project/vllm/pull/41569", "MLA-LATENTSCALE"),
        ("the scale of the absorbed sizes", written.scaled_by_the_absorbed_size,
         "ollama/ollama/pull/13893", "MLA-LATENTSCALE"),
        ("multiplies by the root", written.multiplied_by_the_root,
         "AI-Hypercomputer/maxtext/issues/1370", "SDPA-TIMESROOT"),
        ("the scale of a head's share of the width", written.scaled_by_a_share_of_the_width,
         "NVIDIA/Megatron-LM/issues/1501", RARE),
        ("a scale that nobody uses", written.scaled_by_nothing,
         "fla-org/flash-linear-attention/pull/395", "SDPA-NOSCALE"),
        ("turns along the heads", written.turned_along_heads,
         "tensorgi/TPA/issues/4", "ROPE-AXIS"),
        ("turns neighbours", written.neighbours_turned,
         "ml-explore/mlx-lm/pull/512", "ROPE-INTERLEAVE"),
        ("reads what comes later", written.reads_what_comes_later,
         "lablup/mlxcel/pull/998", "MLA-NOCAUSAL"),
        ("turns every query and key", written.everything_turned,
         "fxmeng/TransMLA/issues/2", "MLA-ROPEALL"),
        ("norms behind the matrices", written.normed_behind_the_matrix,
         "NVIDIA/Megatron-LM/issues/1611", RARE),
    ),
    *table(
        "accept_draft",
        ("takes the refused token alone out of the target", written.refused_element_alone,
         "SafeAILab/EAGLE/issues/20", "SPEC-ZEROED"),
        ("asks the target alone, twice", written.draft_not_asked,
         "SafeAILab/EAGLE/issues/329", "SPEC-TARGETU+SPEC-RESAMPLE"),
        ("one number refuses and replaces", written.one_number_for_both,
         "vllm-project/vllm-ascend/pull/16370", "SPEC-SAMEU"),
        ("no token behind a whole draft", written.no_token_behind_a_whole_draft,
         "ohdearquant/lattice/pull/509", "SPEC-NOBONUS"),
        ("the first token is not checked", written.first_token_not_checked,
         "ohdearquant/lattice/issues/243", RARE),
        ("the draft's over the target's largest probability", written.over_the_targets_largest,
         "1bit-MONSTER/1bit-MONSTER/issues/637", RARE),
        ("keeps what is equal to a draw of the target's", written.equal_to_a_draw,
         "ml-explore/mlx-swift-lm/pull/459", RARE),
        ("zeroes a probability where it lies", written.zeroed_in_place,
         "vllm-project/vllm-ascend/pull/2881", "SPEC-INPLACE"),
    ),
    *table(
        "share_kept",
        ("keeps what two draws have in common", written.matched_exactly,
         "ml-explore/mlx-lm/pull/1709", "KEPT-EQUAL"),
        ("keeps the target's likeliest", written.matched_greedily,
         "huggingface/text-generation-inference/issues/1429", "KEPT-LIKELIEST"),
    ),
)  # fmt: skip

RIGHT = (
    ("kv_cache_bytes", written.bytes_token_by_token),
    ("kv_cache_bytes", written.bytes_by_sorting),
    ("attend_with_cache", written.cache_of_distances),
    ("attend_with_cache", written.cache_with_room),
    ("attend_with_cache", written.cache_by_lower_right),
    ("attend_with_cache", written.cache_as_a_whole_triangle),
    ("attend_with_cache", written.cache_by_online_softmax),
    ("attend_with_cache", written.cache_by_vmap),
    ("grouped_query_attention", written.grouped_by_queries_in_a_row),
    ("grouped_query_attention", written.grouped_by_an_index),
    ("grouped_query_attention", written.grouped_by_expanding),
    ("grouped_query_attention", written.grouped_group_by_group),
    ("grouped_query_attention", written.grouped_by_kron),
    ("grouped_query_attention", written.grouped_by_logarithms),
    ("mha_to_gqa", written.pooled_by_a_window),
    ("mha_to_gqa", written.pooled_by_halves),
    ("mla_attention", written.latent_as_one_query),
    ("mla_attention", written.latent_head_after_head),
    ("mla_attention", written.latent_as_grouped),
    ("mla_attention", written.latent_with_scaled_queries),
    ("mla_attention", written.latent_token_by_token),
    ("mla_attention", written.latent_by_distances),
    ("accept_draft", written.draft_by_minimum),
    ("accept_draft", written.draft_by_recursion),
    ("share_kept", written.share_by_ratios),
    ("share_kept", written.share_by_what_is_left),
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
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 40
    deciding = ("attend_with_cache", "grouped_query_attention", "mla_attention")
    assert all(sum(name == one for name, _ in RIGHT) >= 6 for one in deciding)


HEAD = """\
# Caches, shared heads, latent vectors and drafts got wrong in public

What people got wrong in public was written again, in code of our own, and handed to `check`. No
line of a thread stands here or in the tests. A code is right if each sentence that it brings was
read against the answer and is true of it. The table is that of
`test_answers_from_threads_kv_cache_and_gqa.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
