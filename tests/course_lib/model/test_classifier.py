"""Who reads whom in a model that labels tokens, what padding changes, and what is refused."""

import math
import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_privacy_filter import IDS, OURS, SIDE, C, L, root_layout
from torch.testing import assert_close

from course_lib.checkpoints.loading import load_classifier_parts
from course_lib.checkpoints.privacy_filter import privacy_filter_parts
from course_lib.config.attention import AlibiAttentionConfig
from course_lib.config.attention_parts import Chunk, Everything, GrowingScale, Reach, Window
from course_lib.config.classifier import TokenClassifierConfig
from course_lib.counts.classifier import active_classifier_parameters, classifier_parameters
from course_lib.masks import causal_mask, window_mask
from course_lib.model.both_ways import BothWaysReading
from course_lib.model.classifier import TokenClassifier
from course_lib.model.initialise import initialise, num_parameters
from course_lib.model.reading import Reading

CPU = torch.device("cpu")


def with_reach(reach: Reach) -> TokenClassifierConfig:
    layer = OURS.layers[0]
    layers = (replace(layer, attention=replace(layer.attention, reach=reach)),) * 2
    return replace(OURS, layers=layers)


def drawn(config: TokenClassifierConfig = OURS) -> TokenClassifier:
    model = TokenClassifier(config)
    initialise(model, torch.Generator().manual_seed(0), std=0.3)
    return model.double().eval()


def test_a_label_depends_on_so_many_tokens_on_each_side() -> None:
    """Each layer reads W - 1 tokens on a side, so L of them read L (W - 1)."""
    model, place = drawn(), 14
    ids = torch.randint(0, OURS.vocab_size, (1, 40), generator=torch.Generator().manual_seed(2))
    embedded: list[torch.Tensor] = []
    model.blocks[0].register_forward_pre_hook(lambda _, x: embedded.append(x[0]))
    gradient = torch.autograd.grad(model(ids)[0, place].sum(), embedded)[0][0]
    depends = (gradient.abs().sum(-1) > 0).nonzero().flatten().tolist()
    assert depends == list(range(place - L * SIDE, place + L * SIDE + 1))


@given(num_tokens=st.integers(0, 9), window=st.integers(1, 11))
def test_the_mask_is_the_causal_one_and_its_mirror(num_tokens: int, window: int) -> None:
    both = BothWaysReading(num_tokens, None, CPU)
    causal = window_mask(num_tokens, num_tokens, window)
    assert torch.equal(both.may_attend(Window(size=window), num_tokens), causal | causal.T)
    everything = both.may_attend(Everything(), num_tokens)
    assert torch.equal(everything, causal_mask(num_tokens) | causal_mask(num_tokens).T)
    if window >= num_tokens:
        assert torch.equal(both.may_attend(Window(size=window), num_tokens), everything)
    assert isinstance(both, Reading)


def test_chunks_have_no_form_that_reads_both_ways() -> None:
    with pytest.raises(ValueError, match="the chunk is 3 tokens, and there are 5"):
        BothWaysReading(5, None, CPU).may_attend(Chunk(size=3), 5)


@pytest.mark.parametrize("reach", [Window(size=3), Everything()])
def test_a_padded_row_is_what_it_is_alone(reach: Reach) -> None:
    model, lengths = drawn(with_reach(reach)), torch.tensor([23, 7])
    with torch.no_grad():
        padded, alone = model(IDS, lengths), model(IDS[1:, :7])
        assert_close(padded[1, :7], alone[0])
        assert_close(padded[0], model(IDS[:1])[0])
        other = IDS.clone()
        other[1, 7:] = 0
        assert torch.equal(model(other, lengths)[1, :7], padded[1, :7])
        assert (model(IDS)[1, :7] - alone[0]).abs().max() > 1e-3
        model.embedding[5] = math.nan  # a token that stands in the padding alone
        spoilt = IDS.masked_fill(IDS == 5, 6)
        clean = model(spoilt, lengths)
        spoilt[1, 12] = 5
        assert torch.equal(model(spoilt, lengths)[1, :7], clean[1, :7])
        assert not clean[1, :7].isnan().any()


def test_a_window_that_holds_all_is_no_window() -> None:
    state = drawn(with_reach(Everything())).state_dict()
    windowed = TokenClassifier(with_reach(Window(size=23))).double()
    windowed.load_state_dict(state)
    whole = drawn(with_reach(Everything()))
    with torch.no_grad():
        assert torch.equal(windowed(IDS), whole(IDS))


def test_pieces_with_their_surroundings_are_labelled_as_the_whole() -> None:
    """A token's label depends on L (W - 1) tokens on each side, so no more have to be read."""
    model, side = drawn(), L * SIDE
    ids = torch.randint(0, OURS.vocab_size, (1, 60), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        whole = model(ids)
        piece = model(ids[:, 30 - side : 40 + side])
    assert_close(piece[:, side : side + 10], whole[:, 30:40])


def test_the_counts_are_those_of_the_tensors() -> None:
    model = TokenClassifier(OURS)
    assert classifier_parameters(OURS) == num_parameters(model)
    experts = sum(p.numel() for n, p in model.named_parameters() if re.search("gate_up|down", n))
    idle = experts * 5 // 9
    assert active_classifier_parameters(OURS) == num_parameters(model) - idle - 97 * C


def test_the_parameters_are_those_of_the_file() -> None:
    model = load_classifier_parts(
        OURS, privacy_filter_parts(root_layout(), OURS), torch.float32, is_quiet=True
    )
    assert model.w_labels.shape == (C, 33)
    assert torch.equal(model.b_labels, root_layout()["score.bias"].float())


@pytest.mark.usefixtures("without_annotations")
def test_what_does_not_fit_is_refused() -> None:
    model = drawn()
    with pytest.raises(ValueError, match="initialise"):
        TokenClassifier(OURS)(IDS)
    with pytest.raises(ValueError, match="B=2 sequences and 3 lengths"):
        model(IDS, torch.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="lengths has 24"):
        model(IDS, torch.tensor([1, 24]))
    with pytest.raises(ValueError, match="97"):
        model(torch.full((1, 3), 97))
    with pytest.raises(ValueError, match="num_layers is 0"):
        replace(OURS, layers=())
    with pytest.raises(ValueError, match="num_labels is 0"):
        replace(OURS, num_labels=0)
    layer = OURS.layers[0]
    for changes in ({"reach": Chunk(size=3)}, {"scale": GrowingScale(floor=2, factor=0.1)}):
        wrong = replace(layer, attention=replace(layer.attention, **changes))
        with pytest.raises(ValueError, match="layer 1 of 2 has chunks, or scores that grow"):
            replace(OURS, layers=(layer, wrong))
    alibi = AlibiAttentionConfig(num_heads=2, num_kv_heads=1, head_dim=4)
    with pytest.raises(ValueError, match="layer 0 of 1 has AlibiAttentionConfig"):
        replace(OURS, layers=(replace(layer, attention=alibi),))
