"""The two networks that write backwards: their arrays, and what they can do, in bands."""

import numpy as np
import pytest
import torch

from course_lib.recurrence.seq2seq_attention import AttentionEncoderDecoder
from course_lib.trained.reversers import (
    ALPHABET,
    DATA,
    NUM_UNITS,
    REVERSERS,
    START_ID,
    VOCAB_SIZE,
    alignment,
    as_ids,
    as_words,
    load_reverser,
)
from course_lib.training.tasks import START

pytestmark = pytest.mark.usefixtures("without_annotations")


def right(name: str, length: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    source = torch.randint(2, VOCAB_SIZE, (200, length), generator=generator)
    written = load_reverser(name).decode(source, START_ID, length)
    return written == source.flip(1)


def test_the_alphabet_of_ids_is_that_of_the_task() -> None:
    assert START_ID == START
    assert VOCAB_SIZE == 2 + len(ALPHABET) == 28


def test_words_become_ids_and_words_again() -> None:
    words = ["abc", "z", "lookup"]
    ids = as_ids(words)
    assert ids.tolist()[1] == [27, 0, 0, 0, 0, 0]
    assert ids.shape == (3, 6)
    assert as_words(ids) == words


def test_one_budget_parts_the_two_networks() -> None:
    vector, attention = (right(name, 12) for name in REVERSERS)
    assert vector.double().mean() < 0.5
    assert attention.double().mean() >= 0.95
    assert vector.all(1).double().mean() < 0.02
    assert attention.all(1).double().mean() > 0.85
    # What one vector cannot carry gets worse with the length; twice the length is still read.
    assert right("vector", 24).double().mean() < 0.3
    assert right("attention", 24).double().mean() > 0.8


def test_an_alignment_is_what_the_network_reads_while_it_writes() -> None:
    model = load_reverser("attention")
    assert isinstance(model, AttentionEncoderDecoder)
    source = as_ids(["encyclopedia", "key"])
    ids, weights = alignment(model, source, 12)
    assert torch.equal(ids, model.decode(source, START_ID, 12))
    assert weights.shape == (2, 12, 12)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 12))
    assert weights[1, :, 3:].eq(0).all()
    assert as_words(ids)[0] == "aidepolcycne"


def test_the_file_holds_half_precision_and_every_parameter() -> None:
    with np.load(DATA) as arrays:
        assert {arrays[key].dtype for key in arrays.files} == {np.dtype("float16")}
        names = {key.split("/")[0] for key in arrays.files}
    assert names == set(REVERSERS)
    for name in REVERSERS:
        model = load_reverser(name)
        assert model.vectors.shape == (VOCAB_SIZE, NUM_UNITS)
        assert not any(parameter.requires_grad for parameter in model.parameters())
    assert DATA.stat().st_size < 100_000


def test_what_is_no_network_and_no_letter_is_refused() -> None:
    with pytest.raises(ValueError, match="vector, attention; 'both' is none of them"):
        load_reverser("both")
    with pytest.raises(ValueError, match=r"there are 2 words, with \['!', 'A'\] in them"):
        as_ids(["A", "b!"])
    with pytest.raises(ValueError, match="there are 0 words"):
        as_ids([])
