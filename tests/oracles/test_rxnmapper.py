"""The committed atom mapper against the released model, run by transformers."""

import numpy as np
import pytest
import torch

from course_lib.data.extract_rxnmapper import extract, load_mapper, run_mapper
from course_lib.trained.atom_map import (
    MAPPER_DATA,
    MAPPING_HEAD,
    REACTIONS,
    load_reaction,
    mapping_weights,
)

#: Sums of many products, whose order depends on the processor, through ten layers.
FLOAT32 = {"rtol": 1e-5, "atol": 2e-5}


@pytest.fixture(scope="module")
def mapper():
    return load_mapper()


def test_the_file_is_what_the_script_extracts():
    again = extract()
    with np.load(MAPPER_DATA, allow_pickle=False) as arrays:
        assert set(arrays.files) == set(again)
        for name in again:
            kept = arrays[name]
            if kept.dtype == np.float32:
                np.testing.assert_allclose(kept, again[name], **FLOAT32, err_msg=name)
            elif not name.startswith("picks"):
                assert kept.tolist() == again[name].tolist(), name
            else:
                # A head without a favourite may fall the other way on another processor.
                assert np.mean(kept == again[name]) > 0.99, name


@pytest.mark.parametrize("name", REACTIONS)
def test_our_attention_gives_the_models_weights(name, mapper):
    reaction = load_reaction(name)
    tokens, outputs = run_mapper(*mapper, reaction.text)
    assert list(reaction.tokens) == tokens
    layer, head = MAPPING_HEAD
    theirs = outputs.attentions[layer][0, head][list(reaction.products)]
    ours = mapping_weights(reaction)
    torch.testing.assert_close(ours, theirs[:, list(reaction.reactants)], **FLOAT32)
    assert torch.equal(ours.argmax(-1), reaction.picks[layer, head])


def test_the_model_has_the_size_that_is_told(mapper):
    assert sum(one.numel() for one in mapper[1].parameters()) == 767_616


@pytest.mark.parametrize("name", REACTIONS)
def test_an_atom_keeps_its_element(name):
    reaction = load_reaction(name)
    before = [reaction.tokens[n].strip("[-]") for n in reaction.reactants]
    after = [reaction.tokens[n].strip("[-]") for n in reaction.products]
    assert [before[n] for n in reaction.truth] == after
    assert len(set(reaction.truth)) == len(reaction.truth)


def test_fifteen_of_fifteen_and_three_of_six():
    right = {
        name: int((mapping_weights(one).argmax(-1) == torch.tensor(one.truth)).sum())
        for name, one in ((name, load_reaction(name)) for name in REACTIONS)
    }
    assert list(right.values()) == [5, 5, 5, 5, 3]
    with pytest.raises(ValueError, match=r"'sugar' is none; known are amide, thioether"):
        load_reaction("sugar")
