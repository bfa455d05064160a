"""The committed heads: complete, small, and computed with their biases."""

import dataclasses

import numpy as np
import pytest
import torch

from course_lib.trained.heads import DATA, HEADS, SENTENCES, head_attention, load_trained_head

NAMES = sorted(HEADS)


def formula(head):
    """Equation 1 of Vaswani et al. in NumPy float64, with BERT's biases."""
    arrays = {
        field.name: getattr(head, field.name).double().numpy()
        for field in dataclasses.fields(head)
        if isinstance(getattr(head, field.name), torch.Tensor)
    }
    query, key, value = (
        arrays["inputs"] @ arrays[f"w_{letter}"] + arrays[f"b_{letter}"] for letter in "qkv"
    )
    exponentials = np.exp(query @ key.T / np.sqrt(query.shape[1]))
    weights = exponentials / exponentials.sum(axis=1, keepdims=True)
    return weights @ value, weights


@pytest.mark.parametrize("name", NAMES)
def test_a_head_has_the_shapes_of_minilm(name):
    head = load_trained_head(name)
    assert (head.layer, head.head) == HEADS[name][:2]
    assert head.sentence == SENTENCES[HEADS[name][2]]
    assert head.tokens[0] == "[CLS]"
    assert head.tokens[-1] == "[SEP]"
    assert head.inputs.shape == (len(head.tokens), 384)
    for letter in "qkv":
        assert getattr(head, f"w_{letter}").shape == (384, 32)
        assert getattr(head, f"b_{letter}").shape == (32,)
        assert getattr(head, f"w_{letter}").dtype == torch.float32


@pytest.mark.parametrize("name", NAMES)
def test_head_attention_equals_the_formula(name):
    head = load_trained_head(name)
    double = {
        field.name: getattr(head, field.name).double()
        for field in dataclasses.fields(head)
        if isinstance(getattr(head, field.name), torch.Tensor)
    }
    output, weights = head_attention(dataclasses.replace(head, **double))
    expected_output, expected_weights = formula(head)
    torch.testing.assert_close(weights, torch.from_numpy(expected_weights))
    torch.testing.assert_close(output, torch.from_numpy(expected_output))


def test_head_attention_leaves_the_head_as_it_was():
    head = load_trained_head("it-animal")
    head_attention(head)
    untouched = load_trained_head("it-animal")
    for part in ("inputs", "w_q", "b_q", "w_k", "b_k", "w_v", "b_v"):
        assert torch.equal(getattr(head, part), getattr(untouched, part))


def test_the_two_sentences_differ_in_one_word_only():
    tired, wide = load_trained_head("it-animal"), load_trained_head("it-animal-wide")
    pairs = [pair for pair in zip(tired.tokens, wide.tokens, strict=True) if pair[0] != pair[1]]
    assert pairs == [("tired", "wide")]
    assert torch.equal(tired.w_q, wide.w_q)
    assert not torch.equal(tired.inputs, wide.inputs)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(
        ValueError, match="'it-street' is none; known are it-animal, it-animal-wide"
    ):
        load_trained_head("it-street")


def test_the_file_is_small_and_its_licence_stands_beside_it():
    assert DATA.stat().st_size <= 1_000_000
    assert "Apache-2.0" in (DATA.parent / "NOTICE.md").read_text()
    assert "Version 2.0, January 2004" in (DATA.parent / "LICENSE-APACHE-2.0.txt").read_text()
