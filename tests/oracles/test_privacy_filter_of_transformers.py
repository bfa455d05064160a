"""privacy-filter as transformers has it: a small one's logits, the released sizes, the labels."""

import networkx as nx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, seeds
from tiny_privacy_filter import IDS, OURS, root_layout, theirs
from torch.testing import assert_close
from transformers.models.openai_privacy_filter import (
    OpenAIPrivacyFilterConfig,
    OpenAIPrivacyFilterForTokenClassification,
)

from course_lib.checkpoints.loading import load_classifier_parts
from course_lib.checkpoints.privacy_filter import privacy_filter_parts
from course_lib.config.attention import CausalAttentionConfig
from course_lib.config.attention_parts import Biases, Softmax, Window
from course_lib.config.rope import RopeConfig, YarnScaling
from course_lib.counts.classifier import active_classifier_parameters, classifier_parameters
from course_lib.labelling.best_path import PathRules, best_path
from course_lib.model.classifier import TokenClassifier
from course_lib.model.initialise import num_parameters
from course_lib.zoo.privacy_filter import PRIVACY_FILTER, PRIVACY_FILTER_LABELS


def pair() -> tuple[torch.nn.Module, TokenClassifier]:
    """Theirs and ours with the same weights, in float32: their experts compute in it."""
    root = root_layout()
    model = OpenAIPrivacyFilterForTokenClassification(theirs()).eval()
    model.load_state_dict({name: tensor.float() for name, tensor in root.items()})
    parts = privacy_filter_parts(root, OURS)
    return model, load_classifier_parts(OURS, parts, torch.float32, is_quiet=True)


def test_the_logits_are_theirs_whole_and_padded() -> None:
    model, ours = pair()
    with torch.no_grad():
        expected = model(IDS).logits
        # 23 tokens, far more than a window's 9 keys. Measured: 6e-7 on logits of 2.
        assert_close(ours(IDS), expected, rtol=0, atol=2e-6)
        lengths = torch.tensor([23, 11])
        attention_mask = (torch.arange(23) < lengths[:, None]).long()
        padded, mine = model(IDS, attention_mask=attention_mask).logits, ours(IDS, lengths)
    for row, length in enumerate(lengths.tolist()):
        assert_close(mine[row, :length], padded[row, :length], rtol=0, atol=2e-6)
    assert (padded[1, :11] - expected[1, :11]).abs().max() > 0.01  # padding was read before


def test_the_gradients_are_theirs() -> None:
    model, ours = pair()
    arriving = normal(3, *IDS.shape, OURS.num_labels, dtype=torch.float32)
    (model(IDS).logits * arriving).sum().backward()
    (ours(IDS) * arriving).sum().backward()
    parts = privacy_filter_parts({n: p.grad for n, p in model.named_parameters()}, OURS)
    found = dict(ours.named_parameters())
    for part in parts:
        for name, expected in part.items():
            assert_close(found[name].grad, expected, rtol=1e-4, atol=2e-4)


def test_the_released_model_is_the_default_of_its_class() -> None:
    released = OpenAIPrivacyFilterConfig()
    assert (PRIVACY_FILTER.vocab_size, PRIVACY_FILTER.d_model, PRIVACY_FILTER.num_layers) == (
        released.vocab_size,
        released.hidden_size,
        released.num_hidden_layers,
    )
    assert PRIVACY_FILTER.context_length == released.max_position_embeddings
    assert PRIVACY_FILTER.final_norm.eps == released.rms_norm_eps
    assert dict(enumerate(PRIVACY_FILTER_LABELS)) == released.id2label
    rope = released.rope_parameters
    for layer in PRIVACY_FILTER.layers:
        assert layer.attention == CausalAttentionConfig(
            num_heads=released.num_attention_heads,
            num_kv_heads=released.num_key_value_heads,
            head_dim=released.head_dim,
            biases=Biases.ALL,
            reach=Window(size=released.sliding_window + 1),
            softmax=Softmax.WITH_SINKS,
            rope=RopeConfig(
                base=released.default_theta,
                rotary_dim=released.head_dim,
                scaling=YarnScaling(
                    factor=rope["factor"],
                    context=rope["original_max_position_embeddings"],
                    alpha=rope["beta_slow"],
                    beta=rope["beta_fast"],
                    is_truncated=rope["truncate"],
                ),
            ),
        )
        assert layer.norm.eps == released.rms_norm_eps
        experts = layer.feed_forward
        assert (experts.num_experts, experts.experts_per_token, experts.d_ff) == (
            released.num_local_experts,
            released.num_experts_per_tok,
            released.intermediate_size,
        )


def test_the_counts_are_theirs_and_the_published_ones() -> None:
    with torch.device("meta"):
        model = OpenAIPrivacyFilterForTokenClassification(OpenAIPrivacyFilterConfig())
        ours = TokenClassifier(PRIVACY_FILTER)
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == num_parameters(ours) == classifier_parameters(PRIVACY_FILTER) == 1_399_486_865
    idle = sum(
        parameter.numel() * 124 // 128  # 4 of 128 experts
        for name, parameter in model.named_parameters()
        if ".experts." in name
    )
    looked_up = model.model.embed_tokens.weight.numel()
    active = active_classifier_parameters(PRIVACY_FILTER)
    assert active == total - idle - looked_up == 50_571_665  # the model card says 50M


@given(seed=seeds, num_tokens=st.integers(2, 6), num_labels=st.integers(1, 4))
def test_the_best_path_is_the_longest_way_through_a_trellis(
    seed: int, num_tokens: int, num_labels: int
) -> None:
    """By networkx: a graph with a node for each token and label, and two ends."""
    scores, steps = normal(seed, num_tokens, num_labels), normal(seed + 1, num_labels, num_labels)
    first, last = normal(seed + 2, num_labels), normal(seed + 3, num_labels)
    steps = steps.masked_fill(normal(seed + 4, num_labels, num_labels) > 1.0, -torch.inf)
    steps.fill_diagonal_(0.0)  # so that some path is allowed
    graph = nx.DiGraph()
    far = 100.0  # a way of all tokens is longer than any other
    for label in range(num_labels):
        weight = (first[label] + scores[0, label]).item()
        graph.add_edge("begin", (0, label), weight=far + weight)
        graph.add_edge((num_tokens - 1, label), "end", weight=far + last[label].item())
        for token in range(1, num_tokens):
            for earlier in range(num_labels):
                if steps[earlier, label] > -torch.inf:
                    weight = (steps[earlier, label] + scores[token, label]).item()
                    graph.add_edge((token - 1, earlier), (token, label), weight=far + weight)
    way = nx.dag_longest_path(graph, weight="weight")
    rules = PathRules(first=first, steps=steps, last=last)
    assert best_path(scores, rules).tolist() == [label for _, label in way[1:-1]]


@pytest.mark.parametrize("wrong", ["gates", "pairs"])
def test_the_order_of_the_columns_matters(wrong: str) -> None:
    """The comparison above would see columns that were left as they came."""
    model, ours = pair()
    root = root_layout()
    with torch.no_grad():
        if wrong == "gates":
            name = "model.layers.1.mlp.experts.gate_up_proj"
            ours.blocks[1].feed_forward.w_gate_up.copy_(root[name].float())
        else:
            name = "model.layers.1.self_attn.k_proj.weight"
            ours.blocks[1].attention.w_k.copy_(root[name].float().T)
        assert (ours(IDS) - model(IDS).logits).abs().max() > 0.01
