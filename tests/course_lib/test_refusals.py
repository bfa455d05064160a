"""What a learner hears who hands over the wrong thing: one table of calls, over all rooms.

Shapes that do not fit are tested beside each function. Here stand the mistakes that every function
can be given alike: numbers of another kind, too few axes, fractions where something is counted.
"""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from strategies import DV, B, C, D, H, S, T, mask, normal
from torch import Tensor

from course_lib.attention.additive import additive_scores
from course_lib.attention.dot_product import (
    attention_scores,
    project_qkv,
    scaled_dot_product_attention,
)
from course_lib.attention.grouped import grouped_mix, grouped_query_attention, mha_to_gqa
from course_lib.attention.heads import merge_heads, mha_flops, split_heads
from course_lib.attention.latent import latent_attention, latent_attention_absorbed
from course_lib.attention.latent_parameters import LatentParameters
from course_lib.attention.qk_norm import cosine_scores, normalise_heads
from course_lib.attention.score_steps import mask_scores, soft_cap
from course_lib.config.encoder import VisionConfig
from course_lib.documents import document_mask, document_positions
from course_lib.entropy import entropy, weight_entropy
from course_lib.generation.choice import greedy, pick, sample
from course_lib.generation.logits import temperature_logits, top_k_logits
from course_lib.generation.writing import continue_ids
from course_lib.layers.activations import gelu, gelu_tanh, relu, silu
from course_lib.layers.affine import affine
from course_lib.layers.embedding import embed, unembed
from course_lib.layers.feed_forward import swiglu
from course_lib.layers.norms import layer_norm, rms_norm, rms_norm_unit_offset
from course_lib.leaks import leak_matrix
from course_lib.masks import causal_mask, combine, distances, padding_mask, window_mask
from course_lib.model.encoder import BertEncoder, sequence_mask
from course_lib.model.vision import VisionTransformer, patches
from course_lib.online_softmax import online_softmax_update
from course_lib.patterns import make_qk_for
from course_lib.positions.absolute import learned, sinusoidal
from course_lib.positions.alibi import alibi_bias, alibi_slopes
from course_lib.positions.rope import interleaved_to_halves, rope, rope_inv_freq, rotate
from course_lib.positions.rope_scaling import (
    interpolated_inv_freq,
    llama3_inv_freq,
    ntk_inv_freq,
    yarn_inv_freq,
)
from course_lib.recurrence.cells import gru_step, lstm_step, rnn_step
from course_lib.recurrence.gradients import product_norms, step_jacobians
from course_lib.recurrence.seq2seq_attention import align_step
from course_lib.recurrence.sequences import gru_forward
from course_lib.scaling import saturation, score_variance, softmax_scale
from course_lib.softmax import logsumexp, masked_softmax, softmax, softmax_vjp, softmax_with_sink
from course_lib.tokenizer.bpe import bpe_train
from course_lib.training.batch import Batch
from course_lib.training.loop import Optimisation, warm_up
from course_lib.training.loss import lm_loss, token_accuracy
from course_lib.training.models import (
    draw_decoder,
    draw_encoder_decoder,
    small_encoder_decoder,
    small_rotary,
)
from course_lib.training.tasks import copy_batch
from course_lib.training.text import text_batch, unigram_entropy

N, V, F = 10, 13, 9
INF, NAN = math.inf, math.nan

x = normal(0, B, T, C).float()
query, key, value = (normal(1, B, H, *size).float() for size in ((T, D), (S, D), (S, DV)))
groups = normal(2, B, 2, S, D).float()
scores = normal(3, B, H, T, S).float()
gain, w = normal(4, C).float(), normal(5, C, F).float()
logits, ids = normal(6, B, T, V).float(), torch.tensor([[1, 2, 3], [4, 5, 6]])
positions, table = torch.arange(T), normal(7, V, C).float()
inv_freq = rope_inv_freq(6, 10_000.0)
h, units = normal(8, B, N).float(), normal(9, N, N).float()
latent = normal(10, B, S, C).float()
latents = (
    query,
    normal(11, B, H, T, 4).float(),
    latent,
    normal(12, B, S, 4).float(),
    LatentParameters(
        w_dkv=normal(13, C, C).float(),
        g_kv=gain,
        w_kr=normal(14, C, 4).float(),
        w_uk=normal(15, C, H * D).float(),
        w_uv=normal(16, C, H * DV).float(),
    ),
)
generator = torch.Generator().manual_seed(0)


def whole(tensor: Tensor) -> Tensor:
    return tensor.long()


Case = tuple[Callable[[], object], str]

#: Integers where a formula divides, and truth values: the result would be cut off.
NOT_FLOATS: list[Case] = [
    (lambda: relu(whole(x)), "x is torch.int64; shape (2, 3, 11)"),
    (lambda: gelu(whole(x)), "x is torch.int64; shape (2, 3, 11)"),
    (lambda: gelu_tanh(whole(x)), "x is torch.int64; shape (2, 3, 11)"),
    (lambda: silu(x > 0), "x is torch.bool; shape (2, 3, 11)"),
    (lambda: layer_norm(whole(x), gain, gain, 1e-5), "x is torch.int64; shape (2, 3, 11)"),
    (lambda: rms_norm(whole(x), gain, 1e-5), "needed in x (x.float() makes them); x is torch.int6"),
    (lambda: rms_norm(x, whole(gain), 1e-5), "g is torch.int64; shape (11,)"),
    (lambda: rms_norm_unit_offset(x > 0, gain, 1e-5), "x is torch.bool; shape (2, 3, 11)"),
    (lambda: layer_norm(x, gain, whole(gain), 1e-5), "b is torch.int64; shape (11,)"),
    (lambda: normalise_heads(query, whole(groups), gain[:D], gain[:D], 1e-6), "x is torch.int64"),
    (lambda: rope(whole(query[..., :6]), positions, 1e4), "x is torch.int64; shape (2, 4, 3, 6)"),
    (lambda: rotate(whole(query), positions, inv_freq), "x is torch.int64; shape (2, 4, 3, 7)"),
    (lambda: softmax(whole(scores)), "scores is torch.int64; shape (2, 4, 3, 5)"),
    (lambda: logsumexp(scores > 0), "scores is torch.bool; shape (2, 4, 3, 5)"),
    (lambda: masked_softmax(whole(scores), mask(0, T, S)), "scores is torch.int64; shape (2, 4, 3"),
    (lambda: mask_scores(whole(scores), mask(0, T, S)), "scores is torch.int64; shape (2, 4, 3, 5"),
    (lambda: softmax_with_sink(scores, torch.zeros(H, dtype=torch.int64)), "sink is torch.int64"),
    (lambda: softmax_vjp(scores, whole(scores)), "grad_weights is torch.int64; shape (2, 4, 3, 5)"),
    (lambda: weight_entropy(whole(scores)), "scores is torch.int64; shape (2, 4, 3, 5)"),
    (lambda: entropy(whole(scores)), "weights is torch.int64; shape (2, 4, 3, 5)"),
    (lambda: soft_cap(whole(scores), 5.0), "scores is torch.int64; shape (2, 4, 3, 5)"),
    (
        lambda: attention_scores(whole(query), whole(key)),
        "query is torch.int64; shape (2, 4, 3, 7)",
    ),
    (lambda: cosine_scores(query, whole(key), 1.0), "key is torch.int64; shape (2, 4, 5, 7)"),
    (lambda: mha_to_gqa(whole(w), 1, 3), "w_k is torch.int64; shape (11, 9)"),
    (lambda: affine(whole(x), w), "x is torch.int64; shape (2, 3, 11)"),
    (
        lambda: affine(x, w, torch.ones(F).bool()),
        "the bias of the weight is torch.bool; shape (9,)",
    ),
    (lambda: embed(ids, whole(table)), "table is torch.int64; shape (13, 11)"),
    (lambda: learned(whole(table), positions), "table is torch.int64; shape (13, 11)"),
    (
        lambda: interpolated_inv_freq(torch.tensor([1, 0]), 2.0),
        "inv_freq is torch.int64; shape (2,",
    ),
    (
        lambda: llama3_inv_freq(torch.tensor([1, 0]), 8.0, 1.0, 4.0, 64),
        "inv_freq is torch.int64; shape (2,)",
    ),
    (lambda: lstm_step(whole(h), h, h, torch.zeros(20, 40), torch.zeros(40)), "x is torch.int64;"),
    (
        lambda: product_norms(torch.ones(T, N, N).long()),
        "jacobians is torch.int64; shape (3, 10, 1",
    ),
    (lambda: lm_loss(whole(logits), ids), "logits is torch.int64; shape (2, 3, 13)"),
    (lambda: pick(logits, torch.zeros(B, T).long()), "uniform is torch.int64; shape (2, 3)"),
    (lambda: greedy(whole(logits)), "logits is torch.int64; shape (2, 3, 13)"),
    (
        lambda: online_softmax_update(torch.zeros(B), torch.zeros(B).long(), h),
        "normaliser is torch",
    ),
    (lambda: sinusoidal(3, 4, dtype=torch.int64), "dtype is floating-point; dtype is torch.int64"),
    (lambda: alibi_slopes(3, dtype=torch.int32), "dtype is floating-point; dtype is torch.int32"),
    (lambda: alibi_bias(3, 2, 2, dtype=torch.bool), "dtype is floating-point; dtype is torch.bool"),
]

#: Fractions and truth values where ids, lengths and positions are asked for.
NOT_INTEGERS: list[Case] = [
    (lambda: embed(ids.float(), table), "ids counts, so it holds integers (ids.long() makes them)"),
    (lambda: embed(ids.bool(), table), "ids is torch.bool; shape (2, 3)"),
    (lambda: learned(table, positions.float()), "positions is torch.float32; shape (3,)"),
    (lambda: learned(table, positions.bool()), "positions is torch.bool; shape (3,)"),
    (lambda: padding_mask(torch.tensor([2.0, 2.7]), 5), "lengths is torch.float32; shape (2,)"),
    (lambda: padding_mask(torch.tensor([True]), 5), "lengths is torch.bool; shape (1,)"),
    (lambda: document_mask(torch.tensor([2.0, 2.0])), "doc_ids is torch.float32; shape (2,)"),
    (lambda: document_positions(torch.tensor([True])), "doc_ids is torch.bool; shape (1,)"),
    (lambda: sequence_mask(torch.tensor([2.0]), 1, 5), "lengths is torch.float32; shape (1,)"),
    (
        lambda: rope(query[..., :6], positions.double(), 1e4),
        "positions is torch.float64; shape (3,",
    ),
    (lambda: rotate(query, positions.bool(), inv_freq), "positions is torch.bool; shape (3,)"),
    (lambda: lm_loss(logits, ids.float()), "tokens is torch.float32; shape (2, 3)"),
    (lambda: token_accuracy(logits, ids.bool()), "tokens is torch.bool; shape (2, 3)"),
    (lambda: unigram_entropy(torch.tensor([0.0, 1.0]), 2), "ids is torch.float32; shape (2,)"),
    (lambda: text_batch(torch.ones(9).bool(), 2, 3, generator), "ids is torch.bool; shape (9,)"),
    (
        lambda: align_step(
            h, groups[:, 0], torch.tensor([1.0, 5.0]), units[:, :D], units[:D, :D], gain[:D]
        ),
        "lengths is torch.float32; shape (2,)",
    ),
    (lambda: Batch(inputs=(ids,), targets=ids.float()), "targets is torch.float32; shape (2, 3)"),
    (lambda: Batch(inputs=(ids > 1,), targets=ids), "the last input is torch.bool; shape (2, 3)"),
]

#: 2.5, 2.0, True and None where something is counted.
NOT_WHOLE: list[Case] = [
    (
        lambda: distances(2.5, 3),
        "num_queries is 2.5, of type float; num_queries = 2.5, num_keys = 3",
    ),
    (
        lambda: causal_mask(3, 5.0),
        "num_keys is 5.0, of type float; num_queries = 3, num_keys = 5.0",
    ),
    (lambda: causal_mask(True), "num_queries is True, of type bool"),
    (lambda: window_mask(3, 3, 1.5), "window is 1.5, of type float"),
    (lambda: padding_mask(torch.tensor([2]), 5.0), "num_keys is 5.0, of type float"),
    (lambda: sinusoidal(2.5, 4), "num_positions is 2.5, of type float; num_positions = 2.5, d_mo"),
    (lambda: alibi_slopes(None), "num_heads is None, of type NoneType"),
    (lambda: rope_inv_freq(6.0, 1e4), "rotary_dim is 6.0, of type float"),
    (lambda: interleaved_to_halves(w, 3.0), "head_dim is 3.0, of type float"),
    (lambda: ntk_inv_freq(8.0, 1e4, 2.0), "rotary_dim is 8.0, of type float"),
    (lambda: yarn_inv_freq(8, 1e4, 64.5, 4.0, 1.0, 4.0), "context is 64.5, of type float"),
    (lambda: yarn_inv_freq(8.0, 1e4, 64, 4.0, 1.0, 4.0), "rotary_dim is 8.0, of type float"),
    (lambda: ntk_inv_freq(None, 1e4, 2.0), "rotary_dim is None, of type NoneType"),
    (lambda: yarn_inv_freq(None, 1e4, 64, 4.0, 1.0, 4.0), "rotary_dim is None, of type NoneType"),
    (lambda: unigram_entropy(ids[0], 9.0), "vocab_size is 9.0, of type float"),
    (lambda: split_heads(w, 3.0), "num_heads is 3.0, of type float"),
    (lambda: mha_to_gqa(w, 1.0, 3), "G is 1.0, of type float; G = 1.0, H = 3"),
    (lambda: mha_flops(2, 3, 5, 11, True, 7), "H is True, of type bool; B = 2, T = 3, S = 5"),
    (lambda: softmax_scale(64.5), "head_dim is 64.5, of type float"),
    (lambda: score_variance(4.0, 3, generator, 1.0), "D is 4.0, of type float; D = 4.0, n = 3"),
    (lambda: saturation(4, 3, 1.0, 2.5, generator), "trials is 2.5, of type float"),
    (lambda: make_qk_for("identity", 2.5), "T is 2.5, of type float"),
    (lambda: softmax(scores, 1.0), "axis is 1.0, of type float"),
    (lambda: top_k_logits(logits, 3.0), "k is 3.0, of type float"),
    (lambda: lm_loss(logits, ids, 2.5), "ignore is 2.5, of type float"),
    (lambda: patches(torch.zeros(1, 3, 4, 4), 2.0), "patch_size is 2.0, of type float"),
    (lambda: bpe_train("low", 1.5), "merges is 1.5, of type float"),
    (lambda: copy_batch(2, 2.5, 7, generator), "length is 2.5, of type float; batch_size = 2"),
    (lambda: text_batch(ids[0], 2, 1.5, generator), "length is 1.5, of type float"),
    (lambda: warm_up(0.5, 3), "step is 0.5, of type float; step = 0.5, warmup_steps = 3"),
    (
        lambda: Optimisation(learning_rate=0.1, warmup_steps=1.5),
        "warmup_steps is 1.5, of type floa",
    ),
]

#: Too few axes, or too many.
AXES: list[Case] = [
    (lambda: masked_softmax(scores[0, 0, 0], mask(0, T, S)), "scores has 1; shape (5,)"),
    (lambda: softmax(torch.tensor(1.0)), "one of the tensor's 0 axes; axis is -1; shape ()"),
    (
        lambda: attention_scores(query[0, 0, 0], key[0, 0]),
        "*batch T D, at least 2 in number; query",
    ),
    (lambda: scaled_dot_product_attention(query, key, value[0, 0, 0]), "value has 1; shape (6,)"),
    (lambda: project_qkv(x, w[0], w, w), "w_q has the axes rows columns, 2 in number; w_q has 1"),
    (
        lambda: additive_scores(x, x, w, w, w),
        "v has the axes D, 1 in number; v has 2; shape (11, 9)",
    ),
    (
        lambda: merge_heads(w),
        "x has the axes *batch H T D, at least 3 in number; x has 2; shape (11",
    ),
    (lambda: split_heads(gain, 1), "x has the axes *batch T _, at least 2 in number; x has 1"),
    (
        lambda: swiglu(x, w[0], w, w.mT),
        "w_gate has the axes rows columns, 2 in number; w_gate has 1",
    ),
    (lambda: layer_norm(torch.tensor(1.0), gain, gain, 0.0), "x has 0; shape ()"),
    (lambda: embed(ids, table[0]), "table has the axes V C, 2 in number; table has 1; shape (11,)"),
    (
        lambda: unembed(gain, table),
        "hidden has the axes *batch T C, at least 2 in number; hidden has",
    ),
    (
        lambda: learned(table, positions[0]),
        "positions has the axes *batch T, at least 1 in number; positions has 0; shape ()",
    ),
    (
        lambda: padding_mask(torch.tensor([[2, 3]]), 5),
        "lengths has the axes B, 1 in number; lengths",
    ),
    (
        lambda: document_mask(torch.tensor(3)),
        "doc_ids has the axes *batch T, at least 1 in number; doc_ids has 0; shape ()",
    ),
    (lambda: leak_matrix(torch.sin, w[0]), "x has the axes T C, 2 in number; x has 1; shape ("),
    (lambda: rotate(query, positions, inv_freq[None]), "inv_freq has 2; shape (1, 3)"),
    (
        lambda: greedy(torch.tensor(1.0)),
        "logits has the axes *batch V, at least 1 in number; logits",
    ),
    (lambda: patches(torch.zeros(3, 4, 4), 2), "images has 3; shape (3, 4, 4)"),
    (
        lambda: gru_forward(h[0], h, units, units, gain, gain),
        "x has the axes *batch T C, at least 2",
    ),
    (
        lambda: rnn_step(h, h, units, units, h[:1]),
        "b has the axes columns, 1 in number; b has 2; sh",
    ),
    (
        lambda: gru_step(h, h, units[0], units, gain, gain),
        "w_x has the axes rows columns, 2 in number; w_x has 1; shape (10,)",
    ),
    (
        lambda: step_jacobians(units[0], h),
        "w_h has the axes N N, 2 in number; w_h has 1; shape (10,",
    ),
    (lambda: product_norms(units), "jacobians has 2; shape (10, 10)"),
    (
        lambda: product_norms(normal(0, T, N, D)),
        "there are 10 rows and 7 columns; shape (3, 10, 7)",
    ),
    (
        lambda: pick(logits, torch.zeros(B)),
        "there are 6 rows and 2 points; shapes (2, 3, 13) and (2,)",
    ),
    (
        lambda: grouped_query_attention(query[0], groups, groups),
        "query has the axes B H T _, 4 in number; query has 3; shape (4, 3, 7)",
    ),
    (
        lambda: grouped_query_attention(query, groups, groups[0]),
        "key has (2, 2, 5) and value (2, 5)",
    ),
    (
        lambda: grouped_query_attention(query, groups[:, :, :0], groups[:, :, :0]),
        "at least one key and its value; there are S=0; shapes (2, 2, 0, 7) and (2, 2, 0, 7)",
    ),
    (lambda: mha_to_gqa(torch.tensor(1.0), 1, 1), "w_k has the axes *rows _, at least 1 in number"),
    (
        lambda: latent_attention(query[0], *latents[1:]),
        "query has the axes B H T D, 4 in number; qu",
    ),
    (
        lambda: latent_attention_absorbed(*latents[:2], latents[2][0], *latents[3:]),
        "latent has the axes B S Dc, 3 in number; latent has 2; shape (5, 11)",
    ),
    (
        lambda: latent_attention_absorbed(
            *latents[:2], latents[2][:, :0], latents[3][:, :0], latents[4]
        ),
        "at least one key and its value; there are S=0; shapes (2, 0, 4) and (2, 0, 11)",
    ),
    (
        lambda: affine(torch.tensor(1.0), w),
        "x has the axes *batch _, at least 1 in number; x has 0",
    ),
    (
        lambda: temperature_logits(torch.tensor(1.0), 2.0),
        "logits has the axes *batch V, at least 1",
    ),
    (
        lambda: top_k_logits(torch.tensor(1.0), 1),
        "logits has the axes *batch V, at least 1 in numb",
    ),
    (lambda: unembed(x, table[0]), "table has the axes V C, 2 in number; table has 1; shape (11,)"),
    (
        lambda: swiglu(x, w, w[0], w.mT),
        "w_up has the axes rows columns, 2 in number; w_up has 1; s",
    ),
    (
        lambda: sequence_mask(torch.tensor([[2]]), 1, 5),
        "1 lengths; the shape of lengths is (1, 1)",
    ),
    (
        lambda: learned(table[0], positions),
        "table has the axes S C, 2 in number; table has 1; shap",
    ),
    (
        lambda: rotate(gain, positions, inv_freq),
        "x has the axes *batch T D, at least 2 in number; x",
    ),
    (
        lambda: interleaved_to_halves(torch.tensor(1.0), 2),
        "w has the axes *rows _, at least 1 in nu",
    ),
    (
        lambda: lstm_step(torch.tensor(1.0), h, h, w, gain),
        "x has the axes *batch C, at least 1 in n",
    ),
    (
        lambda: lstm_step(h, h, h, gain, gain),
        "w has the axes rows columns, 2 in number; w has 1; sh",
    ),
    (
        lambda: rnn_step(torch.tensor(1.0), h, units, units, gain),
        "x has the axes *batch C, at least",
    ),
    (
        lambda: rnn_step(h, torch.tensor(1.0), units, units, gain),
        "h has the axes *batch N, at least",
    ),
    (
        lambda: step_jacobians(units, units[0]),
        "hs has the axes *batch T N, at least 2 in number; hs",
    ),
    (
        lambda: align_step(h[0], groups[:, 0], positions[:2], units, units, gain),
        "state has the axes B N, 2 in number; state has 1; shape (10,)",
    ),
    (
        lambda: align_step(h, groups[0, 0], positions[:2], units, units, gain),
        "encoded has the axes B S _, 3 in number; encoded has 2; shape (5, 7)",
    ),
    (
        lambda: scaled_dot_product_attention(query, key[0, 0, 0], value),
        "key has the axes *batch S D, at least 2 in number; key has 1; shape (7,)",
    ),
    (
        lambda: rope(torch.tensor(1.0), positions, 1e4),
        "x has the axes *batch T D, at least 2 in num",
    ),
    (lambda: unigram_entropy(ids, 9), "ids has the axes T, 1 in number; ids has 2; shape (2, 3)"),
]

#: float32 beside float64, and numbers on two devices.
APART: list[Case] = [
    (
        lambda: attention_scores(query, key.double()),
        "query is torch.float32 and key torch.float64; shapes (2, 4, 3, 7) and (2, 4, 5, 7)",
    ),
    (
        lambda: scaled_dot_product_attention(query, key, value.half()),
        "query is torch.float32 and value torch.float16; shapes (2, 4, 3, 7) and (2, 4, 5, 6)",
    ),
    (
        lambda: grouped_query_attention(query, groups.double(), groups.double()),
        "query is torch.float32 and key torch.float64; shapes (2, 4, 3, 7) and (2, 2, 5, 7)",
    ),
    (
        lambda: grouped_mix(scores.double(), groups),
        "weights is torch.float64 and value torch.float32",
    ),
    (
        lambda: project_qkv(x, w, w.double(), w),
        "x is torch.float32 and w_k torch.float64; shapes (2",
    ),
    (
        lambda: affine(x, w, torch.zeros(F).half()),
        "weight is torch.float32 and the bias of the weig",
    ),
    (
        lambda: unembed(x, table.double()),
        "hidden is torch.float32 and table torch.float64; shapes (",
    ),
    (
        lambda: rnn_step(h, h, units, units, torch.zeros(N).half()),
        "x is torch.float32 and b torch.fl",
    ),
    (
        lambda: additive_scores(x, x, w, w, torch.zeros(F).half()),
        "w_q is torch.float32 and v torch.float16; shapes (11, 9) and (9,)",
    ),
    (
        lambda: step_jacobians(units, h.double()),
        "w_h is torch.float32 and hs torch.float64; shapes",
    ),
    (
        lambda: grouped_query_attention(query, groups, groups.half()),
        "key is torch.float32 and value torch.float16; shapes (2, 2, 5, 7) and (2, 2, 5, 7)",
    ),
    (
        lambda: lstm_step(h, h, h.half(), torch.zeros(20, 40), torch.zeros(40)),
        "x is torch.float32 and c torch.float16; shapes (2, 10) and (2, 10)",
    ),
    (
        lambda: learned(table.to("meta"), positions),
        "positions lies on cpu and table on meta; shapes (3,) and (13, 11)",
    ),
    (
        lambda: rotate(query.to("meta"), positions, inv_freq.to("meta")),
        "x lies on meta and positions on cpu; shapes (2, 4, 3, 7) and (3,)",
    ),
    (
        lambda: attention_scores(query, key.to("meta")),
        "query lies on cpu and key on meta; shapes (2, ",
    ),
    (
        lambda: masked_softmax(scores, mask(0, T, S).to("meta")),
        "scores lies on cpu and may_attend on",
    ),
    (
        lambda: combine(mask(0, T, S), mask(0, T, S).to("meta")),
        "mask 0 lies on cpu and mask 1 on met",
    ),
    (
        lambda: rms_norm(x, gain.to("meta"), 0.0),
        "x lies on cpu and g on meta; shapes (2, 3, 11) and",
    ),
    (
        lambda: embed(ids, table.to("meta")),
        "ids lies on cpu and table on meta; shapes (2, 3) and (13",
    ),
    (
        lambda: embed(ids.to("meta"), table),
        "the values of ids are read, and a meta tensor has none;",
    ),
    (lambda: document_mask(ids.to("meta")), "the values of doc_ids are read, and a meta tensor"),
    (lambda: padding_mask(torch.tensor([1]).to("meta"), 2), "lengths lies on meta; shape (1,)"),
    (
        lambda: lm_loss(logits.to("meta"), ids),
        "logits lies on meta and tokens on cpu; shapes (2, 3,",
    ),
    (lambda: greedy(logits.to("meta")), "by the values of the logits, and a meta tensor has none"),
    (
        lambda: softmax_with_sink(scores, torch.zeros(H).to("meta")),
        "scores lies on cpu and sink on m",
    ),
]

#: Numbers that are not positive and finite.
NOT_FINITE: list[Case] = [
    (lambda: rope_inv_freq(6, NAN), "rotary_dim is 6 and base is nan"),
    (lambda: rope(query[..., :6], positions, INF), "rotary_dim is 6 and base is inf"),
    (
        lambda: rotate(query, positions, inv_freq, NAN),
        "concentration is nan; shape (3,) (positions)",
    ),
    (
        lambda: rotate(query, positions, inv_freq, INF),
        "concentration is inf; shape (3,) (positions)",
    ),
    (
        lambda: rotate(query, positions, inv_freq, 0.0),
        "concentration is 0.0; shape (3,) (positions)",
    ),
    (lambda: sinusoidal(3, 4, NAN), "num_positions is 3, d_model is 4, base is nan"),
    (lambda: interpolated_inv_freq(inv_freq, NAN), "so 1 <= factor < infinity; factor is nan"),
    (lambda: ntk_inv_freq(8, 1e4, INF), "so 1 <= factor < infinity; factor is inf"),
    (lambda: llama3_inv_freq(inv_freq, NAN, 1.0, 4.0, 64), "1 <= factor < infinity; factor is nan"),
    (lambda: yarn_inv_freq(8, 1e4, 64, INF, 1.0, 4.0), "1 <= factor < infinity; factor is inf"),
    (
        lambda: llama3_inv_freq(inv_freq, 8.0, 1.0, INF, 64),
        "high_freq_factor is inf, context is 64",
    ),
    (lambda: yarn_inv_freq(8, INF, 64, 4.0, 1.0, 4.0), "only if 1 < base < infinity; base is inf"),
    (lambda: yarn_inv_freq(8, 1e4, 64, 4.0, 1.0, NAN), "alpha is 1.0, beta is nan, context is 64"),
    (lambda: softmax_scale(64, NAN), "positive and finite; it is nan, with head_dim = 64"),
    (lambda: softmax_scale(64, yarn_factor=INF), "yarn_factor is inf, with head_dim = 64"),
    (lambda: score_variance(4, 3, generator, NAN), "so it is finite; scale is nan"),
    (lambda: saturation(4, 3, INF, 2, generator), "so it is finite; scale is inf"),
    (lambda: temperature_logits(logits, NAN), "temperature is nan; shape (2, 3, 13)"),
    (
        lambda: Optimisation(learning_rate=INF),
        "learning_rate is inf, warmup_steps 0 and max_norm 1",
    ),
    (lambda: Optimisation(learning_rate=NAN), "learning_rate is nan, warmup_steps 0"),
    (lambda: Optimisation(learning_rate=-0.1), "learning_rate is -0.1, warmup_steps 0"),
    (lambda: Optimisation(learning_rate=0.1, weight_decay=INF), "weight_decay is inf"),
    (lambda: warm_up(-1, 3), "step is -1 and warmup_steps is 3"),
    (lambda: warm_up(2, -3), "step is 2 and warmup_steps is -3"),
]

#: A mask of another number of axes than two or all, and one of numbers.
MASKS: list[Case] = [
    (
        lambda: scaled_dot_product_attention(query, key, value, mask(0, B, T, S)),
        "may_attend has 3 axes and the scores 4; shapes (2, 3, 5) and (2, 4, 3, 5)",
    ),
    (
        lambda: masked_softmax(scores, mask(0, H, 1, S)),
        "may_attend has 3 axes and the scores 4; shapes (4, 1, 5) and (2, 4, 3, 5)",
    ),
    (
        lambda: mask_scores(scores, torch.ones(S).bool()),
        "may_attend has 1 axes and the scores 4; shapes (5,) and (2, 4, 3, 5)",
    ),
    (
        lambda: grouped_query_attention(query, groups, groups, mask(0, H, 1, S)),
        "may_attend has 3 axes and the scores 4; shapes (4, 1, 5) and (2, 4, 3, 5)",
    ),
    (
        lambda: masked_softmax(scores[0, 0], mask(0, 1, T, S)),
        "may_attend has 3 axes and the scores 2; shapes (1, 3, 5) and (3, 5)",
    ),
    (
        lambda: masked_softmax(scores, torch.tensor(True)),
        "may_attend has 0 axes and the scores 4; shapes () and (2, 4, 3, 5)",
    ),
]

KINDS = {
    "not floats": NOT_FLOATS,
    "not integers": NOT_INTEGERS,
    "not whole": NOT_WHOLE,
    "axes": AXES,
    "apart": APART,
    "not finite": NOT_FINITE,
    "masks": MASKS,
}


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(*case, id=f"{kind} {number}")
        for kind, cases in KINDS.items()
        for number, case in enumerate(cases)
    ],
)
def test_it_says_what_is_needed_and_what_came(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention_scores(None, key), "what came as query is of type NoneType"),
        (lambda: attention_scores(query, key.tolist()), "what came as key is of type list"),
        (lambda: softmax(np.zeros(3)), "what came as scores is of type ndarray"),
        (lambda: affine(x, w.numpy()), "what came as the weight is of type ndarray"),
        (lambda: rms_norm(x, gain.numpy(), 0.0), "what came as g is of type ndarray"),
        (lambda: embed([1, 2], table), "what came as ids is of type list"),
        (lambda: padding_mask([1, 2], 5), "what came as lengths is of type list"),
        (lambda: sample([0.5], generator), "what came as logits is of type list"),
        (lambda: masked_softmax(scores, [[True]]), "what came as may_attend is of type list"),
        (lambda: combine(mask(0, T, S), None), "what came as mask 1 is of type NoneType"),
        (lambda: combine(mask(0, T, S), torch.ones(T, S)), "mask 1 holds True where"),
        (lambda: combine(mask(0, T, S).int(), mask(0, 4, S)), "it is torch.int32; shape (3, 5)"),
    ],
)
def test_what_is_no_tensor_or_no_mask_is_a_type_error(
    call: Callable[[], object], message: str
) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.usefixtures("without_annotations")
def test_numbers_of_numpy_and_tensors_of_one_integer_count() -> None:
    assert torch.equal(distances(np.int64(2), np.int32(3)), distances(2, 3))
    lengths = torch.tensor([2, 4])
    assert torch.equal(padding_mask(lengths, lengths.max()), padding_mask(lengths, 4))
    assert torch.equal(alibi_slopes(torch.tensor(3)), alibi_slopes(3))


def test_under_autocast_dtypes_may_differ_as_pytorch_brings_them_together() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = attention_scores(query, key.bfloat16())
    assert mixed.dtype == torch.bfloat16
    # 8 bits resolve 2⁻⁸ of each of 7 products, of scores up to 8.
    assert (mixed.float() - attention_scores(query, key)).abs().max() < 0.1


def test_shapes_alone_can_be_asked_of_meta_tensors() -> None:
    on_meta = [tensor.to("meta") for tensor in (query, key, value)]
    output, weights = scaled_dot_product_attention(*on_meta, mask(0, T, S).to("meta"))
    assert (output.shape, weights.shape) == ((B, H, T, DV), (B, H, T, S))
    assert output.device.type == "meta"


DECODER = draw_decoder(small_rotary(V, 1, 8, 2), torch.Generator().manual_seed(0))
TRANSLATOR = draw_encoder_decoder(
    small_encoder_decoder(V, 1, 8, 2), torch.Generator().manual_seed(0)
)
LAYERS = TRANSLATOR.config.layers
BERT = BertEncoder(LAYERS, V, 8)
VISION = VisionTransformer(
    VisionConfig(image_size=4, patch_size=2, num_channels=3, num_classes=2, layers=LAYERS)
)


@pytest.mark.usefixtures("without_annotations")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DECODER(ids[:, :0]), "ids has T=0 of them in each of B=2 sequences; shape (2, 0)"),
        (lambda: DECODER(ids.float()), "ids is torch.float32; shape (2, 3)"),
        (lambda: DECODER(ids[0]), "ids has the axes B T, 2 in number; ids has 1; shape (3,)"),
        (lambda: DECODER(ids.to("meta")), "the values of ids are read, and a meta tensor has none"),
        (lambda: TRANSLATOR(ids[:, :0], ids), "a sequence has at least one token; ids has T=0 of"),
        (lambda: TRANSLATOR(ids, ids[:, :0]), "a sequence has at least one token; ids has T=0 of"),
        (lambda: TRANSLATOR(ids, ids, ids[:, 0].float()), "lengths is torch.float32; shape (2,)"),
        (lambda: continue_ids(DECODER, ids.float(), 2, greedy), "ids is torch.float32; shape (2, "),
        (lambda: continue_ids(DECODER, ids[0], 2, greedy), "ids has 1; shape (3,)"),
        (lambda: VISION(torch.zeros(3, 4, 4)), "images has the axes B channels height width, 4 in"),
        (
            lambda: VISION(torch.zeros(1, 3, 4, 4).byte()),
            "images is torch.uint8; shape (1, 3, 4",
        ),
        (lambda: BERT(ids[:, :0]), "a sequence has at least one token; ids has T=0 of them in eac"),
        (lambda: BERT(ids, torch.tensor([2.0, 3.0])), "lengths is torch.float32; shape (2,)"),
    ],
)
def test_a_model_says_it_at_its_door(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
