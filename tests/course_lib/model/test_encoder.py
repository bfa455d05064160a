"""BERT's encoder: padding is hidden for every head, and what cannot be read is refused."""

import pytest
import torch
from strategies import mask, normal
from torch.testing import assert_close

from course_lib.attention.heads import (
    cross_attention,
    multi_head_attention,
)
from course_lib.config.encoder import EncoderConfig
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.layers.activations import gelu
from course_lib.masks import padding_mask
from course_lib.model.encoder import BertEncoder, sequence_mask
from course_lib.model.initialise import initialise
from course_lib.model.multi_head import MultiHeadAttention

V, C, CONTEXT = 7, 12, 6
CONFIG = EncoderConfig(
    d_model=C,
    num_heads=3,
    head_dim=5,
    num_layers=2,
    feed_forward=PlainFeedForwardConfig(d_ff=20, activation=gelu, has_bias=True),
    norm=LayerNormConfig(),
    has_bias=True,
)


def tiny() -> BertEncoder:
    model = BertEncoder(CONFIG, V, CONTEXT)
    initialise(model, torch.Generator().manual_seed(0), std=0.5)
    return model.double()


def test_padding_changes_nothing() -> None:
    model, ids = tiny(), torch.tensor([[1, 2, 3, 4, 5], [6, 5, 4, 3, 2]])
    padded = ids.clone()
    padded[1, 2:] = 0
    lengths = torch.tensor([5, 2])
    result = model(padded, lengths)
    assert_close(result[1, :2], model(ids[1:, :2])[0], rtol=1e-12, atol=1e-13)
    assert_close(result[0], model(ids[:1])[0], rtol=1e-12, atol=1e-13)
    assert torch.equal(model(ids, torch.tensor([5, 5])), model(ids))


def test_without_biases_the_module_is_the_functions() -> None:
    module = MultiHeadAttention(C, 3, 5, has_bias=False)
    initialise(module, torch.Generator().manual_seed(0), std=0.5)
    module.double()
    matrices = [getattr(module, name).detach() for name in ("w_q", "w_k", "w_v", "w_o")]
    x, context, may_attend = normal(0, 2, 4, C), normal(1, 2, 5, C), mask(2, 2, 4, 4)
    expected = multi_head_attention(x, *matrices, 3, may_attend)
    assert torch.equal(module(x, None, may_attend[:, None]), expected)
    assert torch.equal(module(x, context), cross_attention(x, context, *matrices, 3))


def test_the_mask_has_an_axis_for_the_heads() -> None:
    lengths = torch.tensor([3, 0, 1])
    mask = sequence_mask(lengths, 3, 4)
    assert mask is not None
    assert mask.shape == (3, 1, 1, 4)
    assert torch.equal(mask[:, 0], padding_mask(lengths, 4))
    assert sequence_mask(None, 3, 4) is None


@pytest.mark.usefixtures("without_annotations")
def test_refusals_name_both_numbers() -> None:
    model = tiny()
    for wrong, low, high in ((-1, -1, 1), (V, 1, V)):
        message = rf"V is 7 and ids go from {low} to {high}; shapes \(1, 2\) and \(7, 12\)"
        with pytest.raises(ValueError, match=message):
            model(torch.tensor([[1, wrong]]))
    message = r"there are B=2 sequences and 1 lengths; the shape of lengths is \(1,\)"
    with pytest.raises(ValueError, match=message):
        model(torch.ones(2, 3, dtype=torch.int64), torch.tensor([3]))
    with pytest.raises(ValueError, match="num_keys = 3 positions; lengths has 4"):
        model(torch.ones(2, 3, dtype=torch.int64), torch.tensor([3, 4]))
    with pytest.raises(ValueError, match=r"ids has the axes B T, 2 in number; ids has 1; shape"):
        model(torch.tensor([1, 2]))
    with pytest.raises(ValueError, match="positions 0 to 5; position 6 came"):
        model(torch.ones(1, 7, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"embedding has 84 numbers and 84 are 0; shape \(7, 12\)"):
        BertEncoder(CONFIG, V, CONTEXT)(torch.tensor([[1, 2]]))
