"""Checkpoints: what is missing or left over is said by name."""

from dataclasses import replace

import pytest
import torch
from tiny_models import ARCHITECTURES, make_pair

from course_lib.checkpoints.bert import from_bert
from course_lib.checkpoints.names import Checkpoint
from course_lib.config import Arrangement
from course_lib.model.decoder import Decoder

NAMES = sorted(ARCHITECTURES)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_tensor_is_named(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = theirs.state_dict()
    lost = next(key for key in state if ".3." in key and key.endswith("weight"))
    shorter = {key: tensor for key, tensor in state.items() if key != lost}
    with pytest.raises(ValueError, match=f"'{lost}' is missing among {len(shorter)} tensors"):
        architecture.convert(shorter, architecture.ours)


@pytest.mark.parametrize("name", NAMES)
def test_a_tensor_without_a_place_is_named(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    state = {**theirs.state_dict(), "stranger": torch.zeros(2)}
    message = f"1 of {len(state)} have none, the first is 'stranger'"
    with pytest.raises(ValueError, match=message):
        architecture.convert(state, architecture.ours)


def test_an_arrangement_without_names_is_refused() -> None:
    theirs, _ = make_pair("Llama 3")
    architecture = ARCHITECTURES["Llama 3"]
    layers = architecture.ours.layers
    parallel = replace(layers[2], arrangement=Arrangement.PARALLEL)
    config = replace(architecture.ours, layers=(*layers[:2], parallel, *layers[3:]))
    with pytest.raises(ValueError, match="layer 2 of 7 has PARALLEL"):
        architecture.convert(theirs.state_dict(), config)


def test_bert_needs_all_its_layers() -> None:
    with pytest.raises(ValueError, match=r"'embeddings\.word_embeddings\.weight' is missing"):
        from_bert({}, num_layers=1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_ours_stays_empty(name: str) -> None:
    theirs, _ = make_pair(name)
    architecture = ARCHITECTURES[name]
    converted = architecture.convert(theirs.state_dict(), architecture.ours)
    assert set(converted) == set(dict(Decoder(architecture.ours).named_parameters()))


def test_matrices_are_turned() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    checkpoint = Checkpoint({"layer.weight": weight})
    assert torch.equal(checkpoint.matrix("layer"), weight.T)
    checkpoint.finish()
