"""Which part of a head newer models turn, by their configurations in transformers."""

import pytest

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("config", "share"),
    [
        ("Qwen3NextConfig", 0.25),
        ("Qwen3_5TextConfig", 0.25),
        ("Qwen3_5MoeTextConfig", 0.25),
        ("Glm4MoeConfig", 0.5),
        ("MiMoV2FlashConfig", 0.334),
    ],
)
def test_a_part_of_each_head_is_turned(config: str, share: float) -> None:
    parameters = getattr(transformers, config)().rope_parameters
    # One set of them, or one for each kind of layer.
    sets = [one for one in parameters.values() if isinstance(one, dict)] or [parameters]
    assert {one["partial_rotary_factor"] for one in sets} == {share}


def test_every_fourth_layer_of_smollm3_has_no_positions() -> None:
    turned = transformers.SmolLM3Config().no_rope_layers  # 1 where RoPE is applied
    assert turned == [1, 1, 1, 0] * (len(turned) // 4)
