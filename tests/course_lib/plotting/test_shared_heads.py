"""The drawing of shared heads holds what a cache of the library keeps."""

import json
import re

import pytest

from course_lib.config.latent import LatentAttentionConfig
from course_lib.counts.cache import kv_cache_bytes
from course_lib.plotting.shared_heads import (
    BLOCK,
    GROUPS,
    LATENT,
    NAMES,
    bytes_kept,
    numbers_kept,
    shared_heads,
)
from course_lib.zoo.deepseek import DEEPSEEK_V3


@pytest.mark.parametrize("G", [G for G in GROUPS if G != LATENT])
def test_a_key_and_a_value_for_each_head_are_what_the_count_says(G: int) -> None:
    assert 2 * numbers_kept(G) == kv_cache_bytes(1, G, 128, 1, 2)
    assert bytes_kept(G, 1000) == kv_cache_bytes(32, G, 128, 1000, 2)


def test_the_latent_vector_is_that_of_deepseek() -> None:
    attention = DEEPSEEK_V3.layers[0].attention
    assert isinstance(attention, LatentAttentionConfig)
    assert numbers_kept(LATENT) == attention.latent_dim + attention.rope.rotary_dim == 576
    assert bytes_kept(LATENT, 1000) == 32 * 576 * 1000 * 2


def test_each_block_is_there_once_and_the_latent_ones_are_hidden_at_first() -> None:
    figure = shared_heads()
    for drawing in (figure.wide, figure.narrow):
        blocks = [one for one in drawing if 'data-part="block"' in one]
        latent = [one for one in drawing if 'data-part="latent"' in one]
        assert len(blocks) * BLOCK == numbers_kept(GROUPS[0])
        assert len(latent) * BLOCK == numbers_kept(LATENT)
        assert all('visibility="hidden"' in one for one in latent)
        assert len([one for one in drawing if 'data-part="wire"' in one]) == GROUPS[0]


def test_the_axis_reaches_from_the_smallest_size_to_the_largest() -> None:
    figure = shared_heads()
    low, high, _ = figure.data["tokens"]
    least = min(bytes_kept(G, 2**low) for G in GROUPS)
    most = max(bytes_kept(G, 2**high) for G in GROUPS)
    assert [size / 2**20 for size in (least, most)] == [2**power for power in figure.data["mib"]]


def test_the_words_at_first_say_what_the_data_hold() -> None:
    figure = shared_heads()
    data = json.loads(json.dumps(figure.data))
    assert len(data["names"]) == len(data["groups"]) == len(NAMES)
    assert re.findall(r"[\d,]+ numbers", figure.alt_text) == ["4,096 numbers"]
    assert f"{bytes_kept(16, 2**13) / 2**30:.2f} GiB" in figure.alt_text
