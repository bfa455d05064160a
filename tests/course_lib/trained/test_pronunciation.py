"""A trained pronouncer: how it reads and stops, with weights made by hand; what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.trained.pronouncer import (
    LETTERS,
    MAX_PHONEMES,
    PHONEMES,
    load_pronouncer,
    pronounce,
)

N = 5
P, PHONEME_S, END = PHONEMES.index("P"), PHONEMES.index("S"), PHONEMES.index("</s>")


def zeros() -> dict[str, np.ndarray]:
    """The arrays of a network that hears nothing: all weights are 0."""
    shapes = {"enc_emb": (29, N), "dec_emb": (74, N), "fc_w": (74, N), "fc_b": (74,)}
    for side in ("enc", "dec"):
        shapes |= {f"{side}_w_ih": (3 * N, N), f"{side}_w_hh": (3 * N, N)}
        shapes |= {f"{side}_b_ih": (3 * N,), f"{side}_b_hh": (3 * N,)}
    return {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}


def saved(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path / "weights.npz", **arrays)
    return path / "weights.npz"


def test_the_tables_are_those_of_the_weights() -> None:
    assert len(LETTERS) == len(set(LETTERS)) == 29
    assert len(PHONEMES) == len(set(PHONEMES)) == 74


def test_it_stops_at_the_end_token_or_after_twenty_phonemes(tmp_path: Path) -> None:
    arrays = zeros()
    arrays["fc_b"][P] = 1.0
    assert pronounce("word", load_pronouncer(saved(tmp_path, arrays))) == ["P"] * MAX_PHONEMES
    arrays["fc_b"][END] = 2.0
    assert pronounce("word", load_pronouncer(saved(tmp_path, arrays))) == []


def last_letter() -> dict[str, np.ndarray]:
    """A network whose state is the vector of the last thing read: z shut, n = tanh(10 x)."""
    arrays = zeros()
    for side in ("enc", "dec"):
        arrays[f"{side}_b_ih"][N : 2 * N] = -100.0
        arrays[f"{side}_w_ih"][2 * N :] = 10 * np.eye(N)
    arrays["fc_b"][END] = 0.5
    return arrays


def test_each_phoneme_is_read_before_the_next(tmp_path: Path) -> None:
    arrays = last_letter()
    arrays["dec_emb"][PHONEMES.index("<s>"), 0] = 1.0  # after the start: unit 0 says P
    arrays["fc_w"][P, 0] = 1.0
    arrays["dec_emb"][P, 1] = 1.0  # after P: unit 1 says S; after S: nothing, so the end
    arrays["fc_w"][PHONEME_S, 1] = 1.0
    assert pronounce("word", load_pronouncer(saved(tmp_path, arrays))) == ["P", "S"]


def test_the_decoder_starts_from_the_state_after_the_end_of_the_word(tmp_path: Path) -> None:
    arrays = last_letter()
    arrays["enc_emb"][LETTERS.index("</s>"), 2] = 1.0
    arrays["dec_b_ih"][N : 2 * N] = 100.0  # the decoder keeps its state
    arrays["fc_w"][P, 2] = 1.0
    assert pronounce("", load_pronouncer(saved(tmp_path, arrays))) == ["P"] * MAX_PHONEMES


@pytest.mark.parametrize("word", ["A", "é", "-", "1"])
def test_other_characters_are_read_as_unknown(word: str, tmp_path: Path) -> None:
    arrays = last_letter()
    arrays["enc_b_ih"][N : 2 * N] = 0.0  # the encoder mixes what it reads
    arrays["enc_emb"][LETTERS.index("<unk>"), 3] = 1.0
    arrays["dec_b_ih"][N : 2 * N] = 100.0
    arrays["fc_w"][P, 3] = 5.0
    pronouncer = load_pronouncer(saved(tmp_path, arrays))
    assert pronounce(word, pronouncer) == ["P"] * MAX_PHONEMES
    assert pronounce("a", pronouncer) == []


def test_matrices_are_transposed_when_they_are_read(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    arrays = {
        name: generator.normal(size=array.shape).astype(np.float32)
        for name, array in zeros().items()
    }
    pronouncer = load_pronouncer(saved(tmp_path, arrays))
    assert torch.equal(pronouncer.w_out, torch.from_numpy(arrays["fc_w"].T))
    for part, name in enumerate(("w_ih", "w_hh", "b_ih", "b_hh")):
        assert torch.equal(pronouncer.encoder[part], torch.from_numpy(arrays[f"enc_{name}"].T))
        assert torch.equal(pronouncer.decoder[part], torch.from_numpy(arrays[f"dec_{name}"].T))


def test_a_file_without_all_arrays_is_refused(tmp_path: Path) -> None:
    arrays = zeros()
    del arrays["fc_b"], arrays["dec_w_hh"]
    message = "12 arrays; 2 of them are missing in weights.npz: fc_b, dec_w_hh"
    with pytest.raises(ValueError, match=message):
        load_pronouncer(saved(tmp_path, arrays))


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    arrays = zeros()
    arrays["fc_b"] = np.array([{"pickled": 1}], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_pronouncer(saved(tmp_path, arrays))
