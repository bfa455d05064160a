"""Hashing, reversible layers and a learnt index against Reformer and DeepSeek-V3.2."""

import pytest
import torch
from strategies import DV, B, H, normal
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close
from transformers import DeepseekV32Config, ReformerConfig
from transformers.models.deepseek_v32.modeling_deepseek_v32 import DeepseekV32Indexer
from transformers.models.reformer.modeling_reformer import LSHSelfAttention, ReformerLayer
from transformers.models.reformer.modeling_reformer import _ReversibleFunction as TheirReversible
from transformers.pytorch_utils import apply_chunking_to_forward

from course_lib.efficient.chunked_feed_forward import chunked_feed_forward
from course_lib.efficient.learnt_index import (
    index_loss,
    index_scores,
    top_k_attention,
    top_k_mask,
)
from course_lib.efficient.lsh import lsh_attention, lsh_hash, multi_round_lsh_attention
from course_lib.efficient.lsh_rounds import combine_rounds, duplicate_counts
from course_lib.efficient.reversible import ReversibleLayer, couple, reversible_layers, uncouple

T, D = 12, 8
#: Their keys get 1e-6 inside the root of the mean square: a relative error of 5e-7 in each score.
EPS = {"rtol": 1e-5, "atol": 1e-5}


def reformer(causal: bool, before: int, rounds: int = 1) -> LSHSelfAttention:
    config = ReformerConfig(
        hidden_size=H * D, num_attention_heads=H, attention_head_size=D, num_hashes=rounds,
        num_buckets=6, lsh_attn_chunk_length=4, lsh_num_chunks_before=before,
        lsh_num_chunks_after=0, is_decoder=causal, hash_seed=7, attn_layers=["lsh"],
        lsh_attention_probs_dropout_prob=0.0, feed_forward_size=16,
    )  # fmt: skip
    layer = LSHSelfAttention(config, layer_idx=0).double()
    with torch.no_grad():
        for part, seed in ((layer.query_key, 1), (layer.value, 2)):
            part.weight.copy_(normal(seed, H * D, H * D) / (H * D) ** 0.5)
    return layer.eval()


def by_head(x: Tensor) -> Tensor:
    return x.unflatten(-1, (H, D)).transpose(1, 2)


def buckets_of_four(seed: int, rounds: int) -> Tensor:
    """Three buckets with four positions each, in any order: each fills one chunk."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(B, H, rounds, T, generator=generator).argsort(-1)
    return order // 4


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("rounds", [1, 2])
def test_buckets_that_fill_their_chunks(rounds: int, causal: bool) -> None:
    """The released code reads the whole chunk, other buckets too: here there are none."""
    layer, x = reformer(causal, before=0, rounds=rounds), normal(0, B, T, H * D)
    buckets = buckets_of_four(3, rounds)
    numbered = buckets + 6 * torch.arange(rounds)[:, None]  # they sort all rounds in one row
    with torch.no_grad():
        expected = by_head(layer(x, num_hashes=rounds, buckets=numbered).hidden_states)
        qk, value = by_head(layer.query_key(x)), by_head(layer.value(x))
    qk = D**0.5 * qk  # their scores are not divided by √D
    ours = buckets.movedim(2, 0)
    assert_close(multi_round_lsh_attention(qk, value, ours, 4, causal), expected, **EPS)
    if not causal:  # each has three others in each round, so plain weighing is theirs too
        parts = [lsh_attention(qk, value, row, 4, causal) for row in ours]
        outputs, lses = (torch.stack(part) for part in zip(*parts, strict=True))
        assert_close(combine_rounds(outputs, lses), expected, **EPS)


def test_one_bucket_reads_the_chunk_before() -> None:
    layer, x = reformer(causal=True, before=1), normal(0, B, T, H * D)
    buckets = torch.zeros(B, H, 1, T).long()
    with torch.no_grad():
        expected = by_head(layer(x, buckets=buckets).hidden_states)
        qk, value = by_head(layer.query_key(x)), by_head(layer.value(x))
    output, _ = lsh_attention(D**0.5 * qk, value, buckets[:, :, 0], 4, causal=True)
    assert_close(output, expected, **EPS)


def test_hashes_are_those_of_transformers() -> None:
    layer, x = reformer(causal=True, before=1, rounds=2), normal(0, B, T, H * D)
    qk = by_head(x)
    theirs = layer._hash_vectors(qk, 2, None).unflatten(-1, (2, T)) - 6 * torch.arange(2)[:, None]
    torch.manual_seed(7)
    drawn = torch.randn(H, D, 2, 3, dtype=torch.float64)  # each head has its own
    for head in range(H):
        ours = lsh_hash(qk[:, head], drawn[head].transpose(0, 1))
        assert_close(ours.transpose(0, 1), theirs[:, head])


def test_duplicates_are_products_of_one_hot_rows() -> None:
    buckets = buckets_of_four(3, 5)[0, 0]
    hot = F.one_hot(buckets)
    assert_close(duplicate_counts(buckets), torch.einsum("utn,usn->ts", hot, hot))


# Reversible layers


def reformer_layers(count: int) -> nn.ModuleList:
    config = reformer(causal=True, before=1).config
    config.attn_layers = ["local"] * count
    config.local_attn_chunk_length = 4
    config.hidden_dropout_prob = config.local_attention_probs_dropout_prob = 0.0
    config.chunk_size_feed_forward = 0
    torch.manual_seed(0)
    layers = nn.ModuleList([ReformerLayer(config, number) for number in range(count)])
    # Their backward pass adds to the parameters' own gradients; here the streams' are compared.
    return layers.double().train().requires_grad_(False)


def test_reversible_layers_of_reformer_and_their_gradients() -> None:
    layers = reformer_layers(3)
    x = normal(0, B, T, 2 * H * D).requires_grad_()
    theirs = TheirReversible.apply(x, layers, None, None, [], [], None, False, None, False, False)
    ours = tuple(
        ReversibleLayer(f=lambda s, one=one: one.attention(s).hidden_states, g=one.feed_forward)
        for one in layers
    )
    x2, x1 = x.chunk(2, dim=-1)  # theirs begins with the hidden states
    found = torch.cat(reversible_layers(x1, x2, ours), dim=-1)
    assert_close(found, theirs)
    gradient = normal(1, *found.shape)
    (wanted,) = torch.autograd.grad(theirs, x, gradient)
    # Their backward pass hands over the gradients in the order of the outputs: ours swaps halves.
    (gradient_found,) = torch.autograd.grad(found, x, gradient)
    assert_close(torch.cat(gradient_found.chunk(2, -1)[::-1], -1), wanted)


def test_a_coupling_of_reformer_comes_apart() -> None:
    (layer,) = reformer_layers(1)
    layer.eval()
    x1, x2 = normal(0, B, T, H * D), normal(1, B, T, H * D)
    parts = lambda s: layer.attention(s).hidden_states, layer.feed_forward
    with torch.no_grad():
        theirs = layer(x1, x2)
        y1, y2 = couple(x1, x2, *parts)
        assert_close((y1, y2), (theirs.attn_output, theirs.hidden_states))
        assert_close(uncouple(theirs.attn_output, theirs.hidden_states, *parts), (x1, x2))


def test_chunks_of_a_network_of_transformers() -> None:
    (layer,) = reformer_layers(1)
    network = layer.eval().feed_forward.forward_chunk
    x = normal(0, B, T, H * D)
    with torch.no_grad():
        expected = apply_chunking_to_forward(network, 3, 1, x)
        assert_close(chunked_feed_forward(x, network, 3), expected)
        assert_close(chunked_feed_forward(x, network, 5), expected)  # theirs would refuse 5 of 12


# A learnt index


def indexer(k: int) -> DeepseekV32Indexer:
    config = DeepseekV32Config(
        hidden_size=D, index_n_heads=H, index_head_dim=6, qk_rope_head_dim=2, index_topk=k,
        q_lora_rank=5,
    )  # fmt: skip
    layer = DeepseekV32Indexer(config, 0)
    with torch.no_grad():
        for number, parameter in enumerate(layer.parameters()):
            parameter.copy_(normal(number, *parameter.shape))
    return layer


@pytest.mark.parametrize("k", [1, 4, T])
def test_the_index_of_deepseek(k: int) -> None:
    layer, x, queries = indexer(k), normal(7, B, T, D).float(), normal(8, B, T, 5).float()
    still = torch.ones(B, T, 2), torch.zeros(B, T, 2)  # no rotation
    causal = torch.ones(T, T).bool().tril()
    with torch.no_grad():
        theirs = layer(x, queries, still, causal.expand(B, T, T), torch.arange(T)[None])
        query = layer.wq_b(queries).unflatten(-1, (H, 6))
        scores = index_scores(query, layer.k_norm(layer.wk(x)), layer.weights_proj(x))
    chosen = torch.zeros(B, T, T, dtype=torch.bool).scatter(-1, theirs.long(), True) & causal
    assert_close(top_k_mask(scores, k), chosen)
    query, key, value = normal(0, B, H, T, D), normal(1, B, 2, T, D), normal(2, B, 2, T, DV)
    expected = F.scaled_dot_product_attention(query, key, value, chosen[:, None], enable_gqa=True)
    assert_close(top_k_attention(query, key, value, scores.double(), k), expected)


def test_the_loss_is_pytorchs_divergence() -> None:
    scores, causal = normal(0, B, T, T), torch.ones(T, T).bool().tril()
    weights = normal(1, B, H, T, T).masked_fill(~causal, -torch.inf).softmax(-1)
    guess = scores.masked_fill(~causal, -1e30).log_softmax(-1)
    expected = F.kl_div(guess.flatten(0, 1), weights.mean(1).flatten(0, 1), reduction="batchmean")
    assert_close(index_loss(scores, weights, causal), expected)
