"""What Llama 4 adds to a block, part by part, against transformers' own modules."""

import pytest
import torch
from hypothesis import given
from strategies import B, C, normal, seeds
from torch import Tensor
from torch.testing import assert_close
from transformers import Llama4TextConfig
from transformers.masking_utils import chunked_causal_mask_function
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama4.modeling_llama4 import Llama4TextAttention, Llama4TextMoe

from course_lib.config.attention_parts import Chunk
from course_lib.experts.input_weighted import each_its_gate, input_weighted_moe_forward
from course_lib.layers.feed_forward import swiglu
from course_lib.model.padded_reading import PaddedReading
from course_lib.model.reading import Reading
from course_lib.scaling import growing_scale

T, E, FF, CPU = 9, 5, 6, torch.device("cpu")


@pytest.mark.parametrize("A", [1, 2, E])
@given(seed=seeds)
def test_the_mixture_is_that_of_llama_4(A: int, seed: int) -> None:
    config = Llama4TextConfig(
        hidden_size=C, intermediate_size=FF, num_local_experts=E, num_experts_per_tok=A
    )
    theirs = Llama4TextMoe(config).double()
    with torch.no_grad():
        for i, weight in enumerate(theirs.parameters()):
            weight.copy_(normal(seed + i, *weight.shape))
        x = normal(seed + 20, B, T, C)
        expected = theirs(x)[0].view(B, T, C)
        # Theirs takes the sigmoid in float32.
        experts, weights = each_its_gate(x, theirs.router.weight.T, A)
        gate, up = theirs.experts.gate_up_proj.chunk(2, -1)
        routed = input_weighted_moe_forward(x, experts, weights, gate, up, theirs.experts.down_proj)
        one = theirs.shared_expert
        shared = (one.gate_proj.weight.T, one.up_proj.weight.T, one.down_proj.weight.T)
    assert_close(routed + swiglu(x, *shared), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("floor", "factor"), [(1, 0.1), (4, 0.3), (8192, 0.1)])
def test_scores_grow_as_those_of_llama_4(floor: int, factor: float) -> None:
    seen: dict[str, Tensor] = {}

    def spy(module: object, query: Tensor, key: Tensor, value: Tensor, *_: object, **__: object):
        seen["query"] = query
        return value.transpose(1, 2), None

    ALL_ATTENTION_FUNCTIONS.register("spy", spy)
    config = Llama4TextConfig(
        hidden_size=8,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        floor_scale=floor,
        attn_scale=factor,
        no_rope_layers=[0],
        num_hidden_layers=1,
        attn_implementation="spy",
    )
    layer, x = Llama4TextAttention(config, 0), torch.ones(1, 9000, 8)
    with torch.no_grad():
        layer.q_proj.weight.copy_(torch.eye(8))
        layer(x, position_embeddings=torch.ones(1, 9000, 4), attention_mask=None)
    assert_close(growing_scale(torch.arange(9000), floor, factor), seen["query"][0, 0, :, 0])


@pytest.mark.parametrize("size", [1, 3, 5, 40])
def test_chunks_are_those_of_transformers(size: int) -> None:
    padding = torch.tensor([0, 2, 4])
    allowed = chunked_causal_mask_function(size, padding)
    end, first, T = 17, 11, 4
    readings = (
        (Reading(end - T, T, CPU), 1, torch.zeros(1, dtype=torch.int64)),
        (PaddedReading(padding, end - T, T, CPU), 3, padding),
    )
    for reading, rows, shift in readings:
        found = reading.may_attend(Chunk(size=size), end - first).expand(rows, 1, T, -1)
        for b in range(rows):
            for t in range(T):
                for s in range(end - first):
                    query, key = torch.tensor(end - T + t), torch.tensor(first + s)
                    batch = torch.tensor(b)
                    expected = allowed(batch, 0, query, key) & (key >= shift[b])
                    assert bool(found[b, 0, t, s]) == bool(expected)
