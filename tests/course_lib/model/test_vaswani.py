"""The Transformer of 2017: its count, what its table 3 says of the vocabulary, what it refuses."""

from dataclasses import replace

import pytest
import torch
from strategies import normal
from torch.testing import assert_close

from course_lib.config.encoder import EncoderDecoderConfig
from course_lib.model.initialise import initialise, num_parameters
from course_lib.model.vaswani import EncoderDecoder
from course_lib.naive.positions.absolute import sinusoidal
from course_lib.zoo.vaswani import TRANSFORMER_BASE, encoder_decoder_parameters, vaswani_config

#: Table 3: (N, d_model, heads, d_k, d_ff) -> millions of parameters. Rows of (B), which narrow d_k
#: alone, have value heads of another size and are left out, like "big".
TABLE_3 = {
    (6, 512, 8, 64, 2048): 65,
    (2, 512, 8, 64, 2048): 36,
    (4, 512, 8, 64, 2048): 50,
    (8, 512, 8, 64, 2048): 80,
    (6, 256, 8, 32, 2048): 28,
    (6, 1024, 8, 128, 2048): 168,
    (6, 512, 8, 64, 1024): 53,
    (6, 512, 8, 64, 4096): 90,
}


def millions(row: tuple[int, ...], vocab_size: int) -> int:
    return round(encoder_decoder_parameters(vaswani_config(*row, vocab_size)) / 1e6)


def test_the_base_model_has_63_million_parameters_at_37000_tokens() -> None:
    assert encoder_decoder_parameters(TRANSFORMER_BASE) == 63_045_632
    with torch.device("meta"):
        assert num_parameters(EncoderDecoder(TRANSFORMER_BASE)) == 63_045_632


def test_table_3_fits_one_table_of_41000_entries() -> None:
    fitting = [
        vocab_size
        for vocab_size in range(30_000, 50_000)
        if all(millions(row, vocab_size) == printed for row, printed in TABLE_3.items())
    ]
    assert (fitting[0], fitting[-1]) == (41_004, 41_208)
    assert len(fitting) == 205  # no gap
    assert millions((6, 512, 8, 64, 2048), 37_000) == 63


@pytest.mark.parametrize("has_bias", [True, False])
def test_biases_are_counted_where_they_are(has_bias: bool) -> None:
    layers = replace(vaswani_config(3, 12, 2, 5, 20, 7).layers, has_bias=has_bias)
    config = EncoderDecoderConfig(vocab_size=7, layers=layers)
    assert encoder_decoder_parameters(config) == num_parameters(EncoderDecoder(config))


V, C = 7, 12


def tiny() -> EncoderDecoder:
    model = EncoderDecoder(vaswani_config(2, C, 3, 5, 20, V))
    initialise(model, torch.Generator().manual_seed(0), std=0.5)
    return model.double()


def tokens(*shape: int) -> torch.Tensor:
    return torch.arange(shape[0] * shape[1]).view(shape) % V


def test_positions_in_float64_are_exact() -> None:
    model = tiny()
    waves = torch.from_numpy(sinusoidal(50, C))
    vectors = model.embedding[tokens(1, 50)] * C**0.5
    assert_close(model.embed(tokens(1, 50)), vectors + waves, rtol=0.0, atol=1e-12)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize("wrong", [-1, V])
def test_ids_outside_the_vocabulary_are_refused(wrong: int) -> None:
    model, right, source = tiny(), tokens(2, 3), tokens(2, 4)
    bad = right.clone()
    bad[1, 2] = wrong
    low, high = min(wrong, 0), max(wrong, 4)
    message = rf"V is 7 and ids go from {low} to {high}; shapes \(2, 3\) and \(7, 12\)"
    for call in ((bad, right), (source, bad)):
        with pytest.raises(ValueError, match=message):
            model(*call)


@pytest.mark.usefixtures("without_annotations")
def test_sources_targets_and_lengths_come_in_equal_numbers() -> None:
    model = tiny()
    shapes = r"shapes \(2, 4, 12\) \(memory\) and \(3, 5\) \(target\)"
    with pytest.raises(ValueError, match=rf"there are 2 sources and 3 targets; {shapes}"):
        model(tokens(2, 4), tokens(3, 5))
    message = r"there are B=2 sequences and 1 lengths; the shape of lengths is \(1,\)"
    with pytest.raises(ValueError, match=message):
        model(tokens(2, 4), tokens(2, 3), torch.tensor([4]))
    with pytest.raises(ValueError, match=message):
        model.decode(tokens(2, 3), normal(0, 2, 4, C), torch.tensor([4]))
    with pytest.raises(ValueError, match=r"B=2 sequences and 2 lengths; .* is \(2, 1\)"):
        model(tokens(2, 4), tokens(2, 3), torch.tensor([[4], [4]]))
    with pytest.raises(ValueError, match=r"ids has the axes B T, 2 in number; ids has 1"):
        model(torch.tensor([1, 2]), tokens(2, 3))


def test_a_model_that_nobody_drew_refuses_to_run() -> None:
    model = EncoderDecoder(tiny().config)
    with pytest.raises(ValueError, match=r"embedding has 84 numbers and 84 are 0; shape \(7, 12\)"):
        model(tokens(2, 4), tokens(2, 3))
