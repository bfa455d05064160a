"""A vision Transformer: patches instead of words."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from course_lib.config.encoder import VisionConfig
from course_lib.kinds import require_floats
from course_lib.layers.embedding import require_drawn
from course_lib.model.encoder import PreNormEncoderBlock
from course_lib.model.norm_modules import norm_module
from course_lib.shapes import require_axes
from course_lib.sizes import require_whole

__all__ = ["VisionTransformer", "patches"]


def patches(images: Float[Tensor, "B _ _ _"], patch_size: int) -> Float[Tensor, "B T _"]:
    """Cut images into square patches, row by row, each flattened to one vector.

    Args:
        images: one image per row, its axes channels, height, width.
        patch_size: pixels, height and width of a patch; divides both.

    Returns:
        T patches an image, left to right, then top to bottom. A patch's numbers are ordered by
        channel, row, column. NaN and infinity move with their entries.

    Raises:
        ValueError: if patch_size does not divide height and width.

    Source: Dosovitskiy et al. 2020 (arXiv:2010.11929), sec. 3.1.

    >>> patches(torch.arange(16.0).view(1, 1, 4, 4), 2)[0, 1]
    tensor([2., 3., 6., 7.])
    """
    require_axes("images", images, "B channels height width")
    require_whole(patch_size=patch_size)
    batch, channels, height, width = images.shape
    if patch_size < 1 or height % patch_size or width % patch_size:
        raise ValueError(
            "an image is cut into whole patches, so patch_size divides its height and its width; "
            f"patch_size is {patch_size}, height {height}, width {width}; "
            f"shape {tuple(images.shape)}"
        )
    rows, columns = height // patch_size, width // patch_size
    cut = images.reshape(batch, channels, rows, patch_size, columns, patch_size)
    ordered = cut.permute(0, 2, 4, 1, 3, 5)  # B rows columns channels patch patch
    return ordered.reshape(batch, rows * columns, channels * patch_size**2)


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, L pre-norm blocks, one row of logits an image.

    Source: Dosovitskiy et al. 2020 (arXiv:2010.11929), eq. 1 to 4; without dropout. Its matrices
    are zeros at first, and it refuses to run: ``course_lib.model.initialise`` draws them.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        layers, numbers = config.layers, config.num_channels * config.patch_size**2
        self.w_patch = nn.Parameter(torch.zeros(numbers, layers.d_model))
        self.b_patch = nn.Parameter(torch.zeros(layers.d_model))
        self.class_token = nn.Parameter(torch.zeros(layers.d_model))
        self.positions = nn.Parameter(torch.zeros(config.num_patches + 1, layers.d_model))
        self.blocks = nn.ModuleList(PreNormEncoderBlock(layers) for _ in range(layers.num_layers))
        self.final_norm = norm_module(layers.norm, layers.d_model)
        self.w_class = nn.Parameter(torch.zeros(layers.d_model, config.num_classes))
        self.b_class = nn.Parameter(torch.zeros(config.num_classes))

    def forward(self, images: Float[Tensor, "B _ _ _"]) -> Float[Tensor, "B _"]:
        """Compute the logits of the classes.

        Args:
            images: B images of the configured size: channels, height, width.

        Returns:
            One logit per class and image.

        Raises:
            ValueError: if the images are not of the configured size, or the weights were never
                drawn.
        """
        config = self.config
        expected = (config.num_channels, config.image_size, config.image_size)
        require_axes("images", images, "B channels height width")
        require_floats(images=images)
        if images.shape[1:] != expected:
            raise ValueError(
                "the table of positions fits one image size; expected channels, height and width "
                f"{expected} and came {tuple(images.shape[1:])}; shape {tuple(images.shape)}"
            )
        projected = patches(images, config.patch_size) @ self.w_patch
        require_drawn(projected, "w_patch", self.w_patch)
        tokens = projected + self.b_patch
        first = self.class_token.expand(len(images), 1, -1)
        x = torch.cat([first, tokens], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.final_norm(x[:, 0]) @ self.w_class + self.b_class
        return logits
