"""GPT-3 by its layers: the count tensor by tensor, the zoo's, and what the notes said."""

import pytest

from course_lib.attention.heads import mha_param_count
from course_lib.counts import gpt3 as lib
from course_lib.counts.decoder import decoder_parameters
from course_lib.naive.counts import gpt3 as naive
from course_lib.zoo.gpt import GPT3_175B, gpt_config


@pytest.mark.parametrize("layers", [1, 2, 12, 96])
def test_count_gpt3_equals_its_loops_and_the_zoo(layers: int) -> None:
    assert lib.count_gpt3(layers) == naive.count_gpt3(layers)
    assert lib.count_gpt3(layers) == decoder_parameters(gpt_config(layers, 96, 12288, 50257, 2048))


def test_twelve_layers_are_an_eighth_and_96_are_the_released_model() -> None:
    assert lib.count_gpt3(12) == 22_387_937_280
    assert lib.count_gpt3(96) == 174_604_259_328 == decoder_parameters(GPT3_175B)
    assert round(lib.count_gpt3(12) / lib.count_gpt3(96), 3) == 0.128
    # Table D.1 of the paper counts in millions.
    assert round(lib.count_gpt3(96) / 1e6, -2) == 174_600


def test_a_layer_is_the_attention_and_twice_as_much_beside_it() -> None:
    C = lib.D_MODEL
    block = lib.count_gpt3(8) - lib.count_gpt3(7)
    assert block == 1_812_099_072 == 12 * C * C + 13 * C
    attention = mha_param_count(C, 96, 128, bias=True)
    assert block == attention + (8 * C * C + 5 * C) + 4 * C


@pytest.mark.parametrize("layers", [0, -1])
def test_a_model_has_a_layer(layers: int) -> None:
    with pytest.raises(ValueError, match=rf"layers >= 1; layers is {layers}"):
        lib.count_gpt3(layers)
