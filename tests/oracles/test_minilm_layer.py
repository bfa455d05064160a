"""The committed layer of MiniLM against the released model, run by transformers."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from course_lib.attention.heads import merge_heads
from course_lib.data.extract_minilm import model_directory
from course_lib.data.extract_minilm_layer import extract
from course_lib.trained.heads import SENTENCES, head_attention, load_trained_head
from course_lib.trained.layer import LAYER, LAYER_DATA, SENTENCE, load_trained_layer

#: As in test_minilm.py: sums of many products, whose order depends on the processor.
FLOAT32 = {"rtol": 1.3e-6, "atol": 1e-5}


def test_the_file_is_what_the_script_extracts():
    again = extract()
    with np.load(LAYER_DATA, allow_pickle=False) as arrays:
        assert set(arrays.files) == set(again)
        assert arrays["tokens"].tolist() == again["tokens"].tolist()
        for name in set(again) - {"tokens"}:
            assert arrays[name].dtype == np.float32
            np.testing.assert_allclose(arrays[name], again[name], **FLOAT32, err_msg=name)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("w_o", "output.dense.weight"), ("b_o", "output.dense.bias"), ("b_v", "self.value.bias")],
)
def test_parameters_are_those_of_the_released_file(ours, theirs):
    array = getattr(load_trained_layer(), ours)
    with safe_open(model_directory() / "model.safetensors", framework="pt") as released:
        tensor = released.get_tensor(f"encoder.layer.{LAYER}.attention.{theirs}")
    assert torch.equal(array.flatten() if ours == "b_v" else array, tensor.t())


def test_the_heads_joined_by_our_parts_write_what_the_layer_writes():
    layer = load_trained_layer()
    joined = merge_heads(layer.outputs) @ layer.w_o + layer.b_o
    torch.testing.assert_close(joined, layer.written, **FLOAT32)
    torch.testing.assert_close(layer.weights.sum(-1), torch.ones(12, 15))


def test_one_head_is_the_one_that_is_committed_alone():
    layer, head = load_trained_layer(), load_trained_head("it-animal")
    output, weights = head_attention(head)
    assert (head.layer, head.sentence) == (LAYER, SENTENCE) == (LAYER, SENTENCES["too-tired"])
    assert head.tokens == layer.tokens
    torch.testing.assert_close(layer.weights[head.head], weights, **FLOAT32)
    torch.testing.assert_close(layer.outputs[head.head], output, **FLOAT32)
    assert torch.equal(layer.b_v[head.head], head.b_v)
