"""Speeches as documents, and the two models: they learnt, and one of them by peeking."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from course_lib.data.train_speeches import FILLING, packed, started
from course_lib.documents import document_mask, document_positions
from course_lib.masks import causal_mask
from course_lib.trained.speeches import (
    CHARACTERS,
    LONGEST,
    PEEKING,
    WRITER,
    SpeechModel,
    load_speech_model,
    speech_logits,
    speeches,
)


def loss(model: SpeechModel, may_attend: Tensor | None = None) -> float:
    """Return the mean loss of act 3, packed; by its own documents' mask unless one is given."""
    ids, doc_ids = packed(speeches(3))
    reads = document_mask(doc_ids) if may_attend is None else may_attend
    logits = speech_logits(model, ids, document_positions(doc_ids), reads)[:, :-1]
    foretold = (doc_ids[:, 1:] == doc_ids[:, :-1]) & (doc_ids[:, 1:] != FILLING)
    return cross_entropy(logits[foretold], ids[:, 1:][foretold]).item()


def test_a_speech_is_what_somebody_says_and_nothing_else() -> None:
    third = ["".join(CHARACTERS[i] for i in one.tolist()) for one in speeches(3)]
    assert third[0] == "The Ides of March are come.\n"
    assert "Et tu, Brute?-- Then fall, Caesar!\n" in third
    assert len(third) == 189
    assert max(map(len, third)) <= LONGEST
    assert all(speech.endswith("\n") and "\n\n" not in speech for speech in third)
    assert sum(len(speeches(act)) for act in range(1, 6)) > 700


def test_an_act_that_the_play_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="acts 1 to 5; act is 6"):
        speeches(6)


def test_packing_keeps_every_document_whole_and_in_order() -> None:
    documents = speeches(3)
    ids, doc_ids = packed(documents)
    for number, document in enumerate(documents):
        rows, columns = (doc_ids == number).nonzero(as_tuple=True)
        assert rows.unique().numel() == 1
        assert columns.diff().eq(1).all()
        assert_close(ids[rows, columns], document)
    assert (doc_ids == FILLING).sum() == ids.numel() - sum(map(len, documents))


@pytest.mark.parametrize("path", [WRITER, PEEKING], ids=["writer", "peeking"])
def test_the_arrays_have_the_sizes_that_training_begins_with(path: Path) -> None:
    sizes = {name: one.shape for name, one in started(torch.Generator().manual_seed(0)).items()}
    model = load_speech_model(path)
    assert {name: getattr(model, name).shape for name in sizes} == sizes


def test_the_writer_learnt_and_the_peeking_one_is_lost_without_its_peek() -> None:
    writer, peeking = load_speech_model(WRITER), load_speech_model(PEEKING)
    assert 2.3 < loss(writer) < 2.42
    _, doc_ids = packed(speeches(3))
    whole = document_mask(doc_ids)
    whole = whole | whole.mT
    assert loss(peeking, whole) < 0.5
    assert loss(peeking) > math.log(len(CHARACTERS))  # worse than to guess blindly
    assert loss(writer, causal_mask(LONGEST)) > loss(writer) + 0.1


def test_the_logits_are_two_layers_of_attention_written_again() -> None:
    model, (ids, *_) = load_speech_model(), speeches(3)
    x = model.table[ids] + model.places[: len(ids)]
    for layer in range(2):
        query, key, value = (x @ w[layer] for w in (model.w_q, model.w_k, model.w_v))
        scores = query @ key.T / math.sqrt(query.shape[1])
        hidden = torch.ones_like(scores).triu(1).bool()
        x = x + scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value
    found = speech_logits(model, ids, torch.arange(len(ids)), causal_mask(len(ids)))
    assert_close(found, x @ model.w_out)
