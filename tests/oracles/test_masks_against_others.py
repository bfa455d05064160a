"""Masks against PyTorch's attention biases and the masks that transformers gives its models."""

import pytest
import torch
from strategies import S, T, mask
from torch.nn.attention.bias import causal_lower_right
from torch.nn.attention.flex_attention import and_masks, create_mask
from torch.testing import assert_close
from transformers import T5Config
from transformers.masking_utils import (
    and_masks as and_functions,
)
from transformers.masking_utils import (
    causal_mask_function,
    find_packed_sequence_indices,
    packed_sequence_mask_function,
    padding_mask_function,
    sdpa_mask,
    sliding_window_causal_mask_function,
)
from transformers.models.t5.modeling_t5 import T5Attention

from course_lib.documents import document_mask, document_positions
from course_lib.leaks import leak_matrix
from course_lib.masks import causal_mask, combine, distances, padding_mask, window_mask


@pytest.mark.parametrize(("queries", "keys"), [(T, S), (T, T), (1, S)])
def test_causal_mask_is_torchs_lower_right_bias(queries: int, keys: int) -> None:
    bias = causal_lower_right(queries, keys)._materialize()
    assert_close(causal_mask(queries, keys), bias)


@pytest.mark.parametrize(("queries", "keys"), [(T, S), (1, S), (S, S)])
def test_causal_mask_is_what_a_model_with_a_cache_gets(queries: int, keys: int) -> None:
    # The queries' first position is q_offset: the keys before it are in the cache.
    expected = sdpa_mask(1, queries, keys, q_offset=keys - queries, allow_is_causal_skip=False)
    assert_close(causal_mask(queries, keys), expected[0, 0])


@pytest.mark.parametrize(("queries", "keys"), [(T, S), (T, T), (1, S)])
def test_distances_are_those_of_t5(queries: int, keys: int) -> None:
    # T5 puts each distance of a decoder, key minus query, into a bucket; near ones have their own.
    bias = T5Attention(T5Config(num_heads=1, is_decoder=True), has_relative_attention_bias=True)
    with torch.no_grad():
        bias.relative_attention_bias.weight.copy_(torch.arange(32.0)[:, None])
        buckets = bias.compute_bias(queries, keys, past_seen_tokens=keys - queries)[0, 0]
    assert_close(distances(queries, keys).clamp(min=0).float(), buckets)


@pytest.mark.parametrize("window", [1, 2, 4, 9])
@pytest.mark.parametrize(("queries", "keys"), [(T, S), (1, S), (S, S)])
def test_window_mask_is_the_sliding_window_of_transformers(
    queries: int, keys: int, window: int
) -> None:
    expected = sdpa_mask(
        1,
        queries,
        keys,
        q_offset=keys - queries,
        mask_function=sliding_window_causal_mask_function(window),
        local_size=window,
        allow_is_causal_skip=False,
    )
    assert_close(window_mask(queries, keys, window), expected[0, 0])


def test_padding_mask_is_the_tokenizers_attention_mask() -> None:
    lengths = torch.tensor([3, S, 1])
    tokens = [torch.ones(length) for length in lengths.tolist()]
    expected = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True).bool()
    assert_close(padding_mask(lengths, S)[:, 0], expected)
    allowed = padding_mask_function(expected)
    whole = create_mask(allowed, B=3, H=1, Q_LEN=T, KV_LEN=S, device="cpu")
    assert_close(padding_mask(lengths, S).expand(3, T, S), whole[:, 0])


def test_combine_is_flex_attentions_and() -> None:
    one, other = mask(0, T, S), mask(1, T, S)
    both = and_masks(lambda b, h, t, s: one[t, s], lambda b, h, t, s: other[t, s])
    expected = create_mask(both, B=1, H=1, Q_LEN=T, KV_LEN=S, device="cpu")
    assert_close(combine(one, other), expected[0, 0])


def test_document_mask_is_that_of_a_packed_sequence_of_transformers() -> None:
    ids = torch.tensor([[4, 4, 1, 1, 1, 4], [2, 5, 5, 5, 5, 5]])
    runs = find_packed_sequence_indices(document_positions(ids))
    function = and_functions(causal_mask_function, packed_sequence_mask_function(runs))
    expected = sdpa_mask(2, 6, 6, mask_function=function, allow_is_causal_skip=False)
    assert_close(document_mask(ids), expected[:, 0])


def test_positions_begin_anew_where_transformers_finds_a_new_document() -> None:
    ids = torch.tensor([[4, 4, 1, 1, 1, 4], [2, 5, 5, 5, 5, 5]])
    runs = find_packed_sequence_indices(document_positions(ids))
    assert runs.tolist() == [[0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 1, 1]]


def test_torchs_causal_layer_leaks_nothing_and_the_same_layer_without_its_mask_everything() -> None:
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True).double().eval()
    causal = torch.nn.Transformer.generate_square_subsequent_mask(T, dtype=torch.float64)
    x = torch.randn(T, 8, dtype=torch.float64)
    found = leak_matrix(lambda x: layer(x[None], src_mask=causal)[0], x)
    assert_close(found, torch.ones(T, T, dtype=torch.bool).tril())
    assert leak_matrix(lambda x: layer(x[None])[0], x).all()
