"""A trained head that can be checked: it finds for each atom of a product where it came from.

rxnmapper reads a chemical reaction as text, ``reactants >> product``, and was never told which atom
became which. The arrays in ``data/rxnmapper.npz`` are written by ``data/extract_rxnmapper.py`` and
are checked against the released model by ``tests/oracles/test_rxnmapper.py``. Licences:
``data/NOTICE.md``.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from course_lib.attention.dot_product import attention_scores
from course_lib.scaling import softmax_scale
from course_lib.softmax import softmax

__all__ = [
    "MAPPER_DATA",
    "MAPPING_HEAD",
    "REACTIONS",
    "Reaction",
    "load_reaction",
    "mapping_weights",
]

MAPPER_DATA = Path(__file__).parent.parent / "data" / "rxnmapper.npz"

#: The layer and the head that rxnmapper uses, both counted from 0.
MAPPING_HEAD = (10, 5)

#: name -> the reaction, and for each atom of the product the atom of the reactants that it was,
#: both counted from 0 in the order of the text.
REACTIONS: dict[str, tuple[str, tuple[int, ...]]] = {
    "amide": ("CN.CC(=O)Cl>>CC(=O)NC", (2, 3, 4, 1, 0)),
    "thioether": ("CCCI.C[S-]>>CSCCC", (4, 5, 2, 1, 0)),
    "amine": ("CN.CCCBr>>CCCNC", (2, 3, 4, 1, 0)),
    "amine, written backwards": ("CCCBr.CN>>CNCCC", (4, 5, 2, 1, 0)),
    "ester": ("CC(=O)O.OCC>>CC(=O)OCC", (0, 1, 2, 4, 5, 6)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """One reaction as the head reads it: T tokens, C = 256, D = 32.

    Attributes:
        text: the reaction, in the notation SMILES.
        tokens: [CLS], the text's atoms and signs, [SEP].
        reactants: the places of the reactants' atoms among the tokens.
        products: the places of the product's atoms.
        truth: for each atom of the product, which atom of the reactants it was.
        inputs: what layer 10 reads.
        w_q: the projection of head 5 into queries; [C D], stored as ``x @ w``.
        b_q: its bias.
        w_k: the projection into keys.
        b_k: its bias.
        picks: for each of the model's 12 layers and 8 heads, the atom of the reactants that each
            atom of the product gives its largest weight to, among these atoms.
    """

    text: str
    tokens: tuple[str, ...]
    reactants: tuple[int, ...]
    products: tuple[int, ...]
    truth: tuple[int, ...]
    inputs: Float[Tensor, "T C"]
    w_q: Float[Tensor, "C D"]
    b_q: Float[Tensor, " D"]
    w_k: Float[Tensor, "C D"]
    b_k: Float[Tensor, " D"]
    picks: Int[Tensor, "layers heads atoms"]


def load_reaction(name: str) -> Reaction:
    """Load one of the committed reactions, with the head that maps its atoms.

    Args:
        name: one of ``REACTIONS``: "amide", "thioether", "amine", "amine, written backwards" or
            "ester".

    Returns:
        The reaction and the head's parameters, in float32.

    Raises:
        ValueError: if no reaction of that name is committed.

    Source: rxnmapper 0.4.3 (MIT), see ``data/NOTICE.md``; Schwaller et al. 2021, "Extraction of
    organic chemistry grammar from unsupervised learning of chemical reactions".
    """
    if name not in REACTIONS:
        raise ValueError(
            f"a reaction is loaded by its name; {name!r} is none; known are {', '.join(REACTIONS)}"
        )
    text, truth = REACTIONS[name]
    with np.load(MAPPER_DATA, allow_pickle=False) as arrays:
        parts = {part: torch.from_numpy(arrays[part]) for part in ("w_q", "b_q", "w_k", "b_k")}
        return Reaction(
            text=text,
            tokens=tuple(str(token) for token in arrays[f"tokens.{name}"]),
            reactants=tuple(arrays[f"reactants.{name}"].tolist()),
            products=tuple(arrays[f"products.{name}"].tolist()),
            truth=truth,
            inputs=torch.from_numpy(arrays[f"inputs.{name}"]),
            picks=torch.from_numpy(arrays[f"picks.{name}"]),
            **parts,
        )


def mapping_weights(reaction: Reaction) -> Float[Tensor, "T S"]:
    r"""Compute what each atom of the product gives to each atom of the reactants.

    .. math:: P = \mathrm{softmax}\big((X W_Q + b_Q)(X W_K + b_K)^\top / \sqrt{D}\big)

    Args:
        reaction: a reaction from ``load_reaction``.

    Returns:
        The head's weights, of all tokens, cut down to the product's rows and the reactants'
        columns: a row sums to less than 1, for some weight lies elsewhere.

    Source: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1, with ALBERT's biases.
    """
    query = reaction.inputs @ reaction.w_q + reaction.b_q
    key = reaction.inputs @ reaction.w_k + reaction.b_k
    weights = softmax(attention_scores(query * softmax_scale(query.shape[-1]), key))
    return weights[list(reaction.products)][:, list(reaction.reactants)]
