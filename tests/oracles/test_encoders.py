"""Encoder, encoder-decoder and vision Transformer against transformers' and PyTorch's."""

import re
from dataclasses import replace

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close

from course_lib.checkpoints.bert import from_bert
from course_lib.config.encoder import EncoderConfig, EncoderDecoderConfig, VisionConfig
from course_lib.config.feed_forward import PlainFeedForwardConfig
from course_lib.config.norms import LayerNormConfig
from course_lib.data.extract_minilm import load_model, model_directory
from course_lib.layers.activations import gelu, relu
from course_lib.model.encoder import BertEncoder
from course_lib.model.initialise import initialise
from course_lib.model.multi_head import MultiHeadAttention
from course_lib.model.vaswani import EncoderDecoder
from course_lib.model.vision import VisionTransformer, patches
from course_lib.trained.heads import SENTENCES, head_attention, load_trained_head

B, T, S, C, H, D, F, L, V = 2, 5, 7, 12, 4, 3, 20, 2, 11

LAYERS = EncoderConfig(
    d_model=C,
    num_heads=H,
    head_dim=D,
    num_layers=L,
    feed_forward=PlainFeedForwardConfig(d_ff=F, activation=relu, has_bias=True),
    norm=LayerNormConfig(eps=1e-5),
    has_bias=False,
)
MINILM = EncoderConfig(
    d_model=384,
    num_heads=12,
    head_dim=32,
    num_layers=6,
    feed_forward=PlainFeedForwardConfig(d_ff=1536, activation=gelu, has_bias=True),
    norm=LayerNormConfig(eps=1e-12),
    has_bias=True,
)


def draw(model: nn.Module, seed: int = 0) -> None:
    """Give every parameter a value of its own, gains and shifts too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))


def tokens(*shape: int, vocab_size: int = V, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def minilm() -> BertEncoder:
    ours = BertEncoder(MINILM, vocab_size=30522, context_length=512)
    tensors = load_file(model_directory() / "model.safetensors")
    ours.load_state_dict(from_bert(tensors, num_layers=6))
    return ours.eval()


def test_minilm_is_our_encoder_with_its_weights() -> None:
    tokenizer, theirs = load_model()
    ours = minilm()
    encoded = tokenizer([*SENTENCES.values(), "Short."], padding=True, return_tensors="pt")
    lengths = encoded.attention_mask.sum(-1)
    assert lengths.min() < lengths.max()  # something is padded
    with torch.no_grad():
        expected = theirs(**encoded, output_hidden_states=True).hidden_states
        states = ours.hidden_states(encoded.input_ids, lengths)
    assert len(states) == len(expected) == 7
    real = encoded.attention_mask.bool()
    for ours_here, theirs_here in zip(states, expected, strict=True):
        error = (ours_here - theirs_here)[real].abs().max().item()
        assert error < 1e-5, f"{error:.2e}"  # measured: 3e-6 on numbers of up to 8
    with torch.no_grad():
        assert torch.equal(ours(encoded.input_ids, lengths), states[-1])


@pytest.mark.parametrize("name", ["it-animal", "previous-token", "next-token", "cls-sink"])
def test_minilms_heads_come_out_of_our_own_attention(name: str) -> None:
    tokenizer, _ = load_model()
    head = load_trained_head(name)
    ids = tokenizer(head.sentence, return_tensors="pt").input_ids
    ours = minilm()
    with torch.no_grad():
        states = ours.hidden_states(ids)
        _, weights = ours.blocks[head.layer].attention.heads(states[head.layer])
    _, committed = head_attention(head)
    assert_close(weights[0, head.head], committed, rtol=1e-4, atol=1e-5)


def load_torchs_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    with torch.no_grad():
        for letter, weight in zip("qkv", theirs.in_proj_weight.chunk(3), strict=True):
            getattr(ours, f"w_{letter}").copy_(weight.T)
        ours.w_o.copy_(theirs.out_proj.weight.T)
        if ours.b_q is not None:
            for letter, bias in zip("qkv", theirs.in_proj_bias.chunk(3), strict=True):
                getattr(ours, f"b_{letter}").copy_(bias)
            ours.b_o.copy_(theirs.out_proj.bias)
        else:
            theirs.in_proj_bias.zero_()
            theirs.out_proj.bias.zero_()


def load_torchs_layer(ours: nn.Module, theirs: nn.Module, norms: dict[str, str]) -> None:
    with torch.no_grad():
        ours.feed_forward.w_in.copy_(theirs.linear1.weight.T)
        ours.feed_forward.b_in.copy_(theirs.linear1.bias)
        ours.feed_forward.w_out.copy_(theirs.linear2.weight.T)
        ours.feed_forward.b_out.copy_(theirs.linear2.bias)
        for name, foreign in norms.items():
            getattr(ours, name).gain.copy_(getattr(theirs, foreign).weight)
            getattr(ours, name).shift.copy_(getattr(theirs, foreign).bias)


@pytest.mark.parametrize("has_bias", [True, False])
def test_multi_head_attention_is_torchs(has_bias: bool) -> None:
    theirs = nn.MultiheadAttention(C, H, batch_first=True).double()
    draw(theirs)
    ours = MultiHeadAttention(C, H, D, has_bias=has_bias).double()
    load_torchs_attention(ours, theirs)
    x, context = torch.randn(B, T, C).double(), torch.randn(B, S, C).double()
    blocked = torch.rand(B, T, S) < 0.4
    blocked[..., 0] = False
    expected, weights = theirs(
        x, context, context, attn_mask=blocked.repeat_interleave(H, 0), average_attn_weights=False
    )
    assert_close(ours(x, context, ~blocked[:, None]), expected)
    assert_close(ours.heads(x, context, ~blocked[:, None])[1], weights)
    assert_close(ours(x), theirs(x, x, x)[0])


@pytest.mark.parametrize("has_bias", [True, False])
def test_the_encoder_decoder_is_torchs(has_bias: bool) -> None:
    ours = EncoderDecoder(
        EncoderDecoderConfig(vocab_size=V, layers=replace(LAYERS, has_bias=has_bias))
    ).double()
    draw(ours, seed=1)
    theirs = nn.Transformer(C, H, L, L, F, dropout=0.0, batch_first=True).double()
    draw(theirs, seed=2)
    # PyTorch ends both stacks in one more norm, which the paper does not have.
    theirs.encoder.norm, theirs.decoder.norm = None, None
    for mine, other in zip(ours.encoder, theirs.encoder.layers, strict=True):
        load_torchs_attention(mine.attention, other.self_attn)
        norms = {"attention_norm": "norm1", "feed_forward_norm": "norm2"}
        load_torchs_layer(mine, other, norms)
    for mine, other in zip(ours.decoder, theirs.decoder.layers, strict=True):
        load_torchs_attention(mine.self_attention, other.self_attn)
        load_torchs_attention(mine.cross_attention, other.multihead_attn)
        norms = {
            "self_attention_norm": "norm1",
            "cross_attention_norm": "norm2",
            "feed_forward_norm": "norm3",
        }
        load_torchs_layer(mine, other, norms)
    source, target, lengths = tokens(B, S), tokens(B, T, seed=1), torch.tensor([S, S - 3])
    padding = torch.arange(S) >= lengths[:, None]
    hidden = theirs(
        ours.embed(source),
        ours.embed(target),
        tgt_mask=torch.ones(T, T).triu(1).bool(),
        src_key_padding_mask=padding,
        memory_key_padding_mask=padding,
    )
    expected = hidden @ ours.embedding.T
    assert_close(ours(source, target, lengths), expected)
    assert (ours(source, target) - expected)[1].abs().max() > 1e-3  # the padding mattered


def test_the_embedding_is_scaled_and_the_positions_are_not() -> None:
    ours = EncoderDecoder(EncoderDecoderConfig(vocab_size=V, layers=LAYERS)).double()
    draw(ours)
    source = tokens(B, S)
    rates = 10_000.0 ** (-torch.arange(0, C, 2, dtype=torch.float64) / C)
    angles = torch.arange(S, dtype=torch.float64)[:, None] * rates
    waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
    expected = nn.functional.embedding(source, ours.embedding) * C**0.5 + waves
    assert_close(ours.embed(source), expected, rtol=1e-12, atol=1e-12)


def test_the_target_does_not_read_its_future_nor_the_padding() -> None:
    ours = EncoderDecoder(EncoderDecoderConfig(vocab_size=V, layers=LAYERS)).double()
    initialise(ours, torch.Generator().manual_seed(0), std=0.5)
    source, target, lengths = tokens(B, S), tokens(B, T, seed=1), torch.tensor([S, S - 3])
    expected = ours(source, target, lengths)
    changed = target.clone()
    changed[:, 3] = (changed[:, 3] + 1) % V
    result = ours(source, changed, lengths)
    assert torch.equal(result[:, :3], expected[:, :3])
    assert (result[:, 3:] - expected[:, 3:]).abs().amax((0, 2)).min() > 1e-3
    other = source.clone()
    other[1, S - 2] = (other[1, S - 2] + 1) % V
    assert_close(ours(other, target, lengths), expected)


def test_the_vision_transformer_is_transformers() -> None:
    config = hf.ViTConfig(
        hidden_size=C,
        num_hidden_layers=L,
        num_attention_heads=H,
        intermediate_size=F,
        image_size=8,
        patch_size=4,
        num_channels=3,
        num_labels=10,
        layer_norm_eps=1e-5,
        attn_implementation="eager",
    )
    theirs = hf.ViTForImageClassification(config).double().eval()
    draw(theirs)
    layers = replace(
        LAYERS,
        feed_forward=PlainFeedForwardConfig(d_ff=F, activation=gelu, has_bias=True),
        has_bias=True,
    )
    ours = VisionTransformer(
        VisionConfig(image_size=8, patch_size=4, num_channels=3, num_classes=10, layers=layers)
    ).double()
    state = theirs.state_dict()
    with torch.no_grad():
        kernel = state["vit.embeddings.patch_embeddings.projection.weight"]
        ours.w_patch.copy_(kernel.flatten(1).T)
        ours.b_patch.copy_(state["vit.embeddings.patch_embeddings.projection.bias"])
        ours.class_token.copy_(state["vit.embeddings.cls_token"][0, 0])
        ours.positions.copy_(state["vit.embeddings.position_embeddings"][0])
        ours.final_norm.gain.copy_(state["vit.layernorm.weight"])
        ours.final_norm.shift.copy_(state["vit.layernorm.bias"])
        ours.w_class.copy_(state["classifier.weight"].T)
        ours.b_class.copy_(state["classifier.bias"])
        for number, block in enumerate(ours.blocks):
            load_vision_block(block, state, number)
    images = torch.randn(B, 3, 8, 8).double()
    cut = torch.nn.functional.conv2d(images, kernel, stride=4).flatten(2).mT
    assert_close(patches(images, 4) @ ours.w_patch, cut)
    assert_close(ours(images), theirs(images).logits)


def load_vision_block(block: nn.Module, state: dict[str, torch.Tensor], number: int) -> None:
    stem = next(
        key.removesuffix("layernorm_before.weight")
        for key in state
        if f".{number}." in key and key.endswith("layernorm_before.weight")
    )
    layer = {key.removeprefix(stem): state[key] for key in state if key.startswith(stem)}
    ends = {
        "q": ("query", "q_proj"),
        "k": ("key", "k_proj"),
        "v": ("value", "v_proj"),
        "o": ("attention.output.dense", "o_proj", "out_proj"),
        "in": ("intermediate.dense", "fc1"),
        "out": ("output.dense", "fc2"),
    }
    for letter, names in ends.items():
        owner = block.feed_forward if letter in ("in", "out") else block.attention
        for part, prefix in (("weight", "w"), ("bias", "b")):
            found = [
                key
                for key in layer
                if any(key.endswith(f"{name}.{part}") for name in names)
                and (letter != "out" or "attention" not in key)
            ]
            (key,) = found
            value = layer[key].T if part == "weight" else layer[key]
            getattr(owner, f"{prefix}_{letter}").copy_(value)
    for name, foreign in (
        ("attention_norm", "layernorm_before"),
        ("feed_forward_norm", "layernorm_after"),
    ):
        getattr(block, name).gain.copy_(layer[f"{foreign}.weight"])
        getattr(block, name).shift.copy_(layer[f"{foreign}.bias"])


def test_older_names_of_bert_are_read_as_transformers_reads_them() -> None:
    sizes = hf.BertConfig(
        vocab_size=V,
        hidden_size=C,
        num_hidden_layers=L,
        num_attention_heads=H,
        intermediate_size=F,
        max_position_embeddings=9,
        hidden_act="gelu",
        attn_implementation="eager",
    )
    drawn = hf.BertModel(sizes)
    draw(drawn)
    older = {
        re.sub(r"Norm\.bias$", "Norm.beta", re.sub(r"Norm\.weight$", "Norm.gamma", name)): tensor
        for name, tensor in drawn.state_dict().items()
    }
    assert sum(name.endswith(("gamma", "beta")) for name in older) == 2 * (1 + 2 * L)
    theirs = hf.BertModel.from_pretrained(None, config=sizes, state_dict=older).eval()
    ours = BertEncoder(
        replace(
            LAYERS,
            feed_forward=PlainFeedForwardConfig(d_ff=F, activation=gelu, has_bias=True),
            norm=LayerNormConfig(eps=1e-12),
            has_bias=True,
        ),
        vocab_size=V,
        context_length=9,
    )
    ours.load_state_dict(from_bert(older, L))
    with torch.no_grad():
        assert_close(ours(tokens(B, T)), theirs(tokens(B, T)).last_hidden_state)
