"""Tokens and embeddings got wrong in public: refused, and called what it is; right ones pass.

`answers_from_threads_tokens_and_embeddings.md` is made of the same table; a test says when it is
not in step.
"""

from pathlib import Path
from typing import Any

import answers_from_threads_tokens_and_embeddings as written
import pytest
from rows_of_threads import RARE, G, Row, expected, page, verdict

from grading.exercises.tokens_and_embeddings import EXERCISES

pytestmark = pytest.mark.filterwarnings("ignore")
LOG = Path(__file__).with_name("answers_from_threads_tokens_and_embeddings.md")

#: More reasons why a refused answer has no name.
LAW = "the rule says it: an id that is the rank of no token"


ROWS = tuple(Row(*row) for row in (
    ("all_on_one", "as many columns as the largest number needs",
     written.as_many_columns_as_the_largest, G + "jwcalder/GraphLearning/issues/12",
     "ONE-LARGEST"),
    ("all_on_one", "one column more, for the background", written.one_column_for_the_background,
     G + "Megvii-BaseDetection/YOLOX/issues/357", RARE),
    ("merge_pair", "looks at the tokens two by two", written.only_pairs_at_even_places,
     G + "joshcarp/llm.go/issues/2", "BPE-TWOBYTWO"),
    ("merge_pair", "a token that is merged is used once more",
     written.a_merged_token_is_used_again, G + "huggingface/course/issues/608", "BPE-STEPONE"),
    ("bpe_train", "counts occurrences that overlap once", written.overlaps_counted_once,
     G + "karpathy/minbpe/pull/72", "BPE-COUNTOVERLAP"),
    ("bpe_train", "of equally frequent pairs the first", written.the_first_of_the_most_frequent,
     G + "karpathy/minbpe/pull/90", "BPE-TIE"),
    ("bpe_train", "ties by the bytes of the pair", written.ties_by_the_bytes,
     G + "huggingface/tokenizers/issues/1065", "BPE-BYTEORDER"),
    ("bpe_train", "merges reach across the cuts", written.merges_across_the_cuts,
     G + "rasbt/LLMs-from-scratch/pull/975", "BPE-NOSPLIT"),
    ("bpe_train", "stops at pairs that stand there once",
     written.stops_at_pairs_that_stand_alone, G + "tag1consulting/feste/pull/5", "BPE-MINFREQ"),
    ("bpe_train", "all pairs are counted in one go", written.all_counted_in_one_go,
     G + "soaxelbrooke/python-bpe/issues/20", "BPE-COUNTONCE"),
    ("bpe_train", "learns two merges from each count", written.several_merges_at_once,
     G + "karpathy/minbpe/issues/95", RARE),
    ("bpe_train", "the last piece is not counted", written.the_last_piece_is_not_counted,
     G + "huggingface/tokenizers/pull/179", RARE),
    ("bpe_train", "characters are the smallest parts", written.characters_are_the_smallest,
     G + "tensorflow/tensor2tensor/pull/66", "BPE-CHARS"),
    ("bpe_train", "characters, and texts come back", written.characters_as_text,
     G + "google/sentencepiece/issues/455", "BPE-CHARS"),
    ("bpe_train", "a mark behind each word", written.a_mark_behind_each_word,
     G + "rsennrich/subword-nmt/issues/19", "BPE-ENDMARK"),
    ("bpe_train", "a pair of two equal tokens is not counted",
     written.runs_of_one_letter_are_not_counted, G + "google/sentencepiece/issues/318", RARE),
    ("bpe_encode", "merges from left to right", written.left_to_right,
     G + "ztxz16/fastllm/pull/715", "BPE-LEFTMOST"),
    ("bpe_encode", "the longest token that fits", written.the_longest_first,
     G + "openai/tiktoken/issues/99", "BPE-LONGEST"),
    ("bpe_encode", "looks at neighbours two by two", written.two_by_two,
     G + "joshcarp/llm.go/issues/2", "BPE-TWOBYTWO"),
    ("bpe_encode", "spans of one byte, so nothing is merged", written.spans_of_one_byte,
     G + "pie-project/pie/pull/83", "BPE-NOMERGE"),
    ("bpe_encode", "ids are 256 and the number of the merge", written.ids_from_the_merges,
     G + "robertknight/rten/pull/287", LAW),
    ("bpe_encode", "begins with characters", written.grapheme_by_grapheme,
     G + "huggingface/swift-transformers/pull/355", "BPE-CHARS"),
    ("bpe_encode", "walks to the right and merges what is known, again and again",
     written.in_walks_to_the_right, G + "rasbt/LLMs-from-scratch/issues/558", "BPE-LEFTMOST"),
    ("embed", "token 0 is padding", written.token_0_is_padding,
     G + "ibalazevic/TuckER/issues/17", "EMB-PADZERO"),
    ("embed", "times the root of the width", written.scaled_as_in_the_paper,
     G + "jadore801120/attention-is-all-you-need-pytorch/issues/138", "EMB-SCALE"),
    ("embed", "reads the table as though it lay the other way",
     written.read_as_though_it_lay_the_other_way, G + "1bit-MONSTER/1bit-MONSTER/issues/1171",
     "EMB-ONEHOTT"),
    ("unembed", "an output layer that is not tied", written.a_layer_of_its_own,
     G + "EdinburghNLP/nematus/issues/117", "EMB-UNTIED"),
    ("unembed", "a bias behind the tied table", written.a_bias_behind_the_tied_table,
     G + "vllm-project/vllm/pull/46835", "EMB-UNTIED"),
    ("unembed", "scaled where it is tied", written.scaled_where_it_is_tied,
     G + "ml-explore/mlx-examples/pull/591", "EMB-SCALE"),
    ("unembed", "an activation before the tied table", written.activated_before_the_table,
     G + "NVIDIA-Merlin/Transformers4Rec/pull/689", RARE),
    ("sum_is_order_blind", "a word, and the same word twice",
     written.one_word_and_the_word_twice, G + "jina-ai/clip-as-service/issues/558",
     "ORDER-LENGTH"),
))  # fmt: skip

RIGHT = (
    ("all_on_one", written.weights_by_a_steep_softmax),
    ("all_on_one", written.weights_row_by_row),
    ("merge_pair", written.merged_by_popping), ("merge_pair", written.merged_by_a_pattern),
    ("bpe_train", written.learnt_by_strings), ("bpe_train", written.learnt_with_counts_kept),
    ("bpe_train", written.learnt_with_numpy_like_ids), ("bpe_train", written.learnt_recursively),
    ("bpe_train", written.learnt_with_an_ordered_text),
    ("bpe_train", written.learnt_with_merge_pair),
    ("bpe_encode", written.merged_by_rank), ("bpe_encode", written.by_merges_of_halves),
    ("bpe_encode", written.by_linked_parts), ("bpe_encode", written.by_tables_of_unions),
    ("bpe_encode", written.by_a_text), ("bpe_encode", written.by_splitting),
    ("embed", written.embedded_by_masks), ("embed", written.embedded_by_taking),
    ("unembed", written.unembedded_by_tensordot), ("unembed", written.unembedded_by_broadcasting),
    ("sum_is_order_blind", written.drawn_and_turned),
    ("sum_is_order_blind", written.last_and_first_exchanged),
)  # fmt: skip


@pytest.mark.parametrize("row", [pytest.param(r, id=f"{r.exercise}: {r.does}") for r in ROWS])
def test_a_wrong_answer_is_refused_and_called_what_it_is(row: Row) -> None:
    assert verdict(row.exercise, row.answer) == expected(row)


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=[row[1].__name__ for row in RIGHT])
def test_an_unusual_right_answer_is_accepted(exercise: str, answer: Any) -> None:
    assert verdict(exercise, answer) == "accepted"


def test_all_exercises_of_each_kind_are_met() -> None:
    asked = {one.name for one in EXERCISES if one.kind in ("implement", "measure", "warm-up")}
    assert asked == {row.exercise for row in ROWS} == {row[0] for row in RIGHT}
    assert len({(row.thread, row.exercise) for row in ROWS}) == len(ROWS) >= 25
    for name, least in (("bpe_train", 6), ("bpe_encode", 6), ("embed", 2), ("unembed", 2)):
        assert sum(row[0] == name for row in RIGHT) >= least


HEAD = """\
# Tokens and embeddings got wrong in public

What people got wrong in public, or took another way than the contract does, was written again, in
code of our own, and handed to `check`. No line of a thread stands here or in the tests. A code is
right if each sentence that it brings was read against the answer and is true of it. The table is
that of `test_answers_from_threads_tokens_and_embeddings.py`, which says when the two differ.
"""


def test_the_log_is_in_step() -> None:
    assert LOG.read_text(encoding="utf-8") == page(HEAD, ROWS, len(RIGHT))
