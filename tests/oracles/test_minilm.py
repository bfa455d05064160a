"""The committed arrays against the released model, run by transformers."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from course_lib.data.extract_minilm import extract, load_model, model_directory, run_model
from course_lib.trained.heads import DATA, HEADS, SENTENCES, head_attention, load_trained_head

NAMES = sorted(HEADS)
HEAD_DIM = 32
#: assert_close's defaults for float32, for NumPy. The layer inputs are sums of many products
#: whose order depends on the processor; against the model in float64 they are at most 3e-6 off.
FLOAT32 = {"rtol": 1.3e-6, "atol": 1e-5}


@pytest.fixture(scope="module")
def runs():
    """Run the released model on each sentence; keep what each head mixed (before W_O) as well."""
    tokenizer, model = load_model()
    results = {}
    for key, sentence in SENTENCES.items():
        mixed = []
        hooks = [
            layer.attention.self.register_forward_hook(
                lambda _module, _inputs, result, mixed=mixed: mixed.append(result[0][0])
            )
            for layer in model.encoder.layer
        ]
        tokens, outputs = run_model(tokenizer, model, sentence)
        for hook in hooks:
            hook.remove()
        results[key] = (tokens, outputs, mixed)
    return results


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_released_file(name):
    head = load_trained_head(name)
    rows = slice(head.head * HEAD_DIM, (head.head + 1) * HEAD_DIM)
    with safe_open(model_directory() / "model.safetensors", framework="pt") as released:
        for letter, word in (("q", "query"), ("k", "key"), ("v", "value")):
            stem = f"encoder.layer.{head.layer}.attention.self.{word}"
            weight, bias = (
                released.get_tensor(f"{stem}.weight"),
                released.get_tensor(f"{stem}.bias"),
            )
            assert torch.equal(getattr(head, f"w_{letter}"), weight[rows].T)
            assert torch.equal(getattr(head, f"b_{letter}"), bias[rows])


@pytest.mark.parametrize("name", NAMES)
def test_tokens_and_inputs_are_those_of_the_released_model(name, runs):
    head = load_trained_head(name)
    tokens, outputs, _ = runs[HEADS[name][2]]
    assert list(head.tokens) == tokens
    torch.testing.assert_close(head.inputs, outputs.hidden_states[head.layer][0])


@pytest.mark.parametrize("name", NAMES)
def test_weights_and_output_of_the_head_equal_those_of_transformers(name, runs):
    head = load_trained_head(name)
    output, weights = head_attention(head)
    _, outputs, mixed = runs[HEADS[name][2]]
    columns = slice(head.head * HEAD_DIM, (head.head + 1) * HEAD_DIM)
    torch.testing.assert_close(weights, outputs.attentions[head.layer][0, head.head])
    torch.testing.assert_close(output, mixed[head.layer][:, columns])


def test_the_script_writes_the_committed_file():
    with np.load(DATA, allow_pickle=False) as committed:
        extracted = extract()
        assert set(extracted) == set(committed)
        for name, array in extracted.items():
            assert array.dtype == committed[name].dtype
            if name.startswith("tokens"):
                assert array.tolist() == committed[name].tolist()
            else:
                np.testing.assert_allclose(array, committed[name], **FLOAT32)


def test_what_the_course_says_of_the_heads(runs):
    """The numbers of the chapters, from the released model alone."""
    tired, wide = runs["too-tired"], runs["too-wide"]
    it = tired[0].index("it")
    row = dict(zip(tired[0], tired[1].attentions[3][0, 1, it].tolist(), strict=True))
    assert round(row["animal"], 2) == 0.69
    assert round(row["street"], 2) == 0.05
    row = dict(zip(wide[0], wide[1].attentions[3][0, 1, it].tolist(), strict=True))
    assert round(row["animal"], 2) == 0.32
    assert round(row["street"], 2) == 0.15
    previous = tired[1].attentions[0][0, 2].diagonal(-1)
    assert previous.min() > 0.998
    following = tired[1].attentions[1][0, 8].diagonal(1)
    assert round(following.mean().item(), 2) == 0.64
    first = tired[1].attentions[4][0, 5, :, 0]
    assert round(first.mean().item(), 2) == 0.90
