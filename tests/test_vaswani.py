"""The count of the Transformer of 2017, and what its table 3 says about the vocabulary."""

from dataclasses import replace

import pytest
import torch

from course_lib.config import EncoderDecoderConfig
from course_lib.model.initialise import num_parameters
from course_lib.model.vaswani import EncoderDecoder
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
