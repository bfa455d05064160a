"""Write ``rxnmapper.npz``: a head that maps atoms, and what every head of its model picks.

Run from the repository's root, with the development requirements installed::

    python course_lib/data/extract_rxnmapper.py

The weights come from the package ``rxnmapper``, which is not imported; no network is used.
"""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from course_lib.trained.atom_map import MAPPER_DATA, MAPPING_HEAD, REACTIONS

#: How the model's tokenizer cuts a reaction into atoms and signs.
TOKEN = re.compile(
    r"\%\([0-9]{3}\)|\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?"
    r"|>>?|\*|\$|\%[0-9]{2}|[0-9]"
)
ATOM = re.compile(r"\[.+]|[A-Z][a-z]?|[bcnops]")


def model_directory() -> Path:
    """Find the released files inside the installed package, without importing it."""
    spec = importlib.util.find_spec("rxnmapper")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "rxnmapper holds the weights; it is not installed: pip install -r requirements-dev.txt"
        )
    models = Path(spec.origin).parent / "models" / "transformers"
    return models / "albert_heads_8_uspto_all_1310k"


def load_mapper() -> tuple[dict[str, int], Any]:
    """Load the released vocabulary and model (attention weights are returned by 'eager' only)."""
    # Imported here: only whoever extracts needs the development requirements.
    from transformers import AlbertModel

    folder = model_directory()
    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    # The file holds the head of the masked language model too, which is not needed.
    model: Any = AlbertModel.from_pretrained(folder, attn_implementation="eager")
    return {word: number for number, word in enumerate(words)}, model.eval()


def run_mapper(vocabulary: dict[str, int], model: Any, text: str) -> tuple[list[str], Any]:
    """Run the model on one reaction; return its tokens and its outputs of every layer."""
    tokens = ["[CLS]", *TOKEN.findall(text), "[SEP]"]
    ids = torch.tensor([[vocabulary[token] for token in tokens]])
    with torch.no_grad():
        outputs = model(input_ids=ids, output_hidden_states=True, output_attentions=True)
    return tokens, outputs


def places(tokens: list[str]) -> tuple[list[int], list[int]]:
    """Return where the atoms of the reactants stand, and where those of the product."""
    middle = tokens.index(">>")
    atoms = [n for n in range(1, len(tokens) - 1) if ATOM.fullmatch(tokens[n])]
    return [n for n in atoms if n < middle], [n for n in atoms if n > middle]


def extract() -> dict[str, np.ndarray]:
    """Collect every array of the file, by the names that ``load_reaction`` reads."""
    vocabulary, model = load_mapper()
    layer, head = MAPPING_HEAD
    # ALBERT has one layer, and runs it twelve times.
    attention = model.encoder.albert_layer_groups[0].albert_layers[0].attention
    rows = slice(head * attention.attention_head_size, (head + 1) * attention.attention_head_size)
    arrays: dict[str, np.ndarray] = {}
    for letter, linear in (("q", attention.query), ("k", attention.key)):
        # nn.Linear computes x @ weight.T: a head is a block of its rows.
        arrays[f"w_{letter}"] = np.ascontiguousarray(linear.weight.detach()[rows].T.numpy())
        arrays[f"b_{letter}"] = linear.bias.detach()[rows].numpy().copy()
    for name, (text, _) in REACTIONS.items():
        tokens, outputs = run_mapper(vocabulary, model, text)
        reactants, products = places(tokens)
        every = torch.cat(list(outputs.attentions))[:, :, products][..., reactants]
        arrays |= {
            f"tokens.{name}": np.array(tokens),
            f"reactants.{name}": np.array(reactants),
            f"products.{name}": np.array(products),
            f"inputs.{name}": outputs.hidden_states[layer][0].numpy(),
            f"picks.{name}": every.argmax(-1).numpy(),
        }
    return arrays


if __name__ == "__main__":
    np.savez_compressed(MAPPER_DATA, allow_pickle=False, **extract())
    print(f"{MAPPER_DATA.name}: {MAPPER_DATA.stat().st_size:,} bytes")
