"""Greedy decoding of the Transformer of 2017: equal to a plain re-run, ended by the end token."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import seeds
from torch import Tensor

from course_lib.generation.translation import translate
from course_lib.model.initialise import initialise
from course_lib.model.vaswani import EncoderDecoder
from course_lib.zoo.vaswani import vaswani_config

V, START = 7, 1
LENGTHS = torch.tensor([4, 2, 3, 1, 4, 2])


def tiny(seed: int = 0) -> EncoderDecoder:
    model = EncoderDecoder(vaswani_config(2, 12, 3, 5, 20, V))
    initialise(model, torch.Generator().manual_seed(seed), std=0.7)
    return model.double()


def sources(seed: int = 0, rows: int = len(LENGTHS)) -> Tensor:
    return torch.randint(3, V, (rows, 4), generator=torch.Generator().manual_seed(seed))


def plain(model: EncoderDecoder, source: Tensor, end_id: int, max_tokens: int) -> list[int]:
    """One source without its padding, the whole model again for each token."""
    written: list[int] = []
    while len(written) < max_tokens and written[-1:] != [end_id]:
        target = torch.tensor([[START, *written]])
        with torch.no_grad():
            written.append(int(model(source[None], target)[0, -1].argmax()))
    return written


@settings(max_examples=15)
@given(seed=seeds, end_id=st.integers(0, V - 1), max_tokens=st.integers(1, 9))
@example(seed=25, end_id=5, max_tokens=9)
def test_each_row_is_a_plain_re_run_and_then_the_end(
    seed: int, end_id: int, max_tokens: int
) -> None:
    model, source = tiny(seed), sources(seed)
    ids = translate(model, source, LENGTHS, start_id=START, end_id=end_id, max_tokens=max_tokens)
    rows = [
        plain(model, row[:length], end_id, max_tokens)
        for row, length in zip(source, LENGTHS.tolist(), strict=True)
    ]
    longest = max(map(len, rows))
    assert ids.tolist() == [row + [end_id] * (longest - len(row)) for row in rows]


def test_writing_stops_when_all_targets_have_ended() -> None:
    model, source = tiny(25), sources(25)
    sizes = {"start_id": START, "end_id": 5, "max_tokens": 9}
    ids = translate(model, source, LENGTHS, **sizes)
    ended = (ids == 5).any(1)
    assert 1 < ended.sum() < len(ids)  # in the example above some end, at different lengths
    lengths = (ids[ended] != 5).sum(1)
    assert len(set(lengths.tolist())) > 1
    short = translate(model, source[ended], LENGTHS[ended], **sizes)
    assert short.shape[1] == lengths.max() + 1 < 9
    assert torch.equal(short, ids[ended, : short.shape[1]])


def test_without_lengths_nothing_is_padded() -> None:
    model, source = tiny(), sources()
    full = torch.full_like(LENGTHS, 4)
    expected = translate(model, source, full, start_id=START, end_id=2, max_tokens=5)
    assert torch.equal(translate(model, source, start_id=START, end_id=2, max_tokens=5), expected)


def test_the_source_is_read_once_and_nothing_is_modified(monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = tiny(), sources()
    calls, encode, before = [], model.encode, source.clone()
    monkeypatch.setattr(model, "encode", lambda *given: calls.append(1) or encode(*given))
    ids = translate(model, source, start_id=START, end_id=0, max_tokens=6)
    assert len(calls) == 1
    assert torch.equal(source, before)
    assert not ids.requires_grad
    assert ids.dtype == source.dtype


@pytest.mark.parametrize(
    ("start_id", "end_id", "max_tokens"), [(START, 2, 0), (V, 2, 3), (-1, 2, 3), (0, V, 3)]
)
def test_refusals_name_what_came(start_id: int, end_id: int, max_tokens: int) -> None:
    message = (
        f"max_tokens is {max_tokens}, vocab_size 7, start_id {start_id} and end_id {end_id}; "
        r"the shape of source is \(6, 4\)"
    )
    with pytest.raises(ValueError, match=message):
        translate(tiny(), sources(), start_id=start_id, end_id=end_id, max_tokens=max_tokens)
