"""The committed logits: whole lines of the play, whole vocabularies, and a smaller run again."""

import pytest
import torch

from course_lib.data.train_next_tokens import CONTEXTS, encode, held_out
from course_lib.entropy import entropy
from course_lib.tokenizer.bpe import ranks_from_merges
from course_lib.tokenizer.pre_tokens import gpt2_pre_tokens
from course_lib.tokenizer.vocabulary import Tokenizer
from course_lib.trained.corpus import SHAKESPEARE
from course_lib.trained.next_tokens import load_next_tokens, shakespeare_tokens
from course_lib.trained.released_tokens import load_shakespeare_merges
from course_lib.training.models import draw_decoder, small_rotary


def tokenizer() -> Tokenizer:
    ranks = ranks_from_merges(load_shakespeare_merges())
    return Tokenizer(ranks=ranks, pre_tokens=gpt2_pre_tokens)


def test_the_tokens_stand_in_the_order_of_their_ids() -> None:
    tokens = shakespeare_tokens()
    assert len(tokens) == 256 + 600
    assert tokens == [tokenizer().tokens[i] for i in range(856)]
    text = "Friends, Romans, countrymen\n"
    assert encode(text) == tokenizer().encode(text)
    assert b"".join(tokens[i] for i in encode(text)) == text.encode()


def test_each_line_is_one_of_the_play_and_has_a_logit_for_each_token() -> None:
    found = load_next_tokens()
    assert tuple(found) == CONTEXTS
    text = SHAKESPEARE.read_text(encoding="utf-8")
    for line, logits in found.items():
        assert line in text
        assert logits.shape == (856,)
        assert logits.isfinite().all()


def test_the_model_hesitates_among_fewer_tokens_than_there_are() -> None:
    for logits in load_next_tokens().values():
        assert 20 < entropy(logits.softmax(-1)).exp() < 856 / 8


@pytest.mark.usefixtures("without_annotations")
def test_an_untrained_model_loses_the_logarithm_of_its_vocabulary() -> None:
    model = draw_decoder(small_rotary(856, 1, 8, 2), torch.Generator().manual_seed(0))
    tokens_a_byte = len(encode(SHAKESPEARE.read_text())) / SHAKESPEARE.stat().st_size
    expected = torch.tensor(856.0).log().item() * tokens_a_byte
    assert held_out(model) == pytest.approx(expected, rel=0.15)
