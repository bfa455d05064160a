"""A decoder that reads its checkpoint again at each step, and holds one part of it at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from course_lib.cache.protocol import Cache
from course_lib.checkpoints.loading import fill, put
from course_lib.config.decoder import DecoderConfig
from course_lib.model.decoder import Decoder
from course_lib.model.reading import Reading

__all__ = ["OnePartDecoder"]

Part = dict[str, Float[Tensor, "..."]]


class OnePartDecoder(Decoder):
    """The same function as ``Decoder``, where the memory holds one layer but not the model.

    Each call walks through the parts of the checkpoint once: the embedding, each layer, what
    follows. A part is read when its turn comes and let go of before the next is read. With caches a
    call reads all weights for a single new token, so the disk sets the pace.

    It takes the place of a ``Decoder`` in ``course_lib.generation``. It keeps no gradients, as they
    would keep the weights.

    Source: the parts are those of ``load_parts``.
    """

    def __init__(
        self,
        config: DecoderConfig,
        parts: Callable[[], Iterable[Part]],
        dtype: torch.dtype,
        is_quiet: bool = False,
    ) -> None:
        """Make the model without numbers.

        Args:
            config: the model.
            parts: begins the checkpoint anew and gives our names -> tensors: the embedding first,
                then each layer, then what follows, such as ``gpt_oss_parts``.
            dtype: that of the parameters.
            is_quiet: True shows no progress bar.

        Raises:
            ValueError: if the logits use the embedding's table, which belongs to the first part and
                to the last.
        """
        if config.is_tied:
            raise ValueError(
                "one part is held at a time, so the logits have a table of their own; the "
                f"embedding of V={config.vocab_size} rows is tied, with L={config.num_layers}"
            )
        with torch.device("meta"):
            super().__init__(config)
        self._parts, self._dtype, self._is_quiet = parts, dtype, is_quiet
        self._source: Iterator[Part] = iter(())
        self._held: list[str] = []
        self._number = 0
        self._progress = tqdm(disable=True)
        for module in self.blocks:
            module.register_forward_pre_hook(lambda *_: self._read_next())
        self.final_norm.register_forward_pre_hook(lambda *_: self._read_next())

    def forward(
        self,
        ids: Int[Tensor, "B T"],
        caches: Sequence[Cache] | None = None,
        padding: Int[Tensor, " B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Compute the logits as ``Decoder`` does, in one walk through the checkpoint.

        Args:
            ids: as for ``Decoder``.
            caches: as for ``Decoder``.
            padding: as for ``Decoder``.

        Returns:
            One row of V logits for each position.

        Raises:
            ValueError: as ``Decoder``; if the checkpoint has a part too few or too many, or as
                ``load_parts``.
        """
        try:
            with torch.no_grad():
                logits = super().forward(ids, caches, padding)
            self._require_end()
        finally:
            self._let_go()
            self._source = iter(())
            self._progress.close()
        return logits

    def embed(self, ids: Int[Tensor, "B T"], reading: Reading) -> Float[Tensor, "B T C"]:
        """Begin the checkpoint anew; then as ``Decoder``."""
        self._source, self._number = iter(self._parts()), 0
        self._progress = tqdm(
            total=self.config.num_layers + 2, desc="parts", leave=False, disable=self._is_quiet
        )
        self._read_next()
        return super().embed(ids, reading)

    def _read_next(self) -> None:
        self._let_go()
        part = next(self._source, None)
        if part is None:
            raise ValueError(
                "a checkpoint has the embedding, each layer and what follows, "
                f"{self.config.num_layers + 2} parts; it ended after {self._number}"
            )
        number = self._number
        everything = [*self.named_parameters(), *self.named_buffers()]
        awaited = {name: place for name, place in everything if self._part_of(name) == number}
        self._held = list(awaited)
        fill(self, part, awaited, self._dtype)
        if awaited:
            raise ValueError(
                f"every parameter comes with its part; {len(awaited)} of part {number} did not, "
                f"the first is {min(awaited)!r}"
            )
        self._number += 1
        self._progress.update()

    def _part_of(self, name: str) -> int:
        """The embedding's part is 0, the last one L + 1."""
        first, second = (*name.split("."), "")[:2]
        if first == "blocks":
            return int(second) + 1
        is_last = first in {"final_norm", "unembedding", "logit_bias"}
        return self.config.num_layers + 1 if is_last else 0

    def _let_go(self) -> None:
        """Put tensors without numbers back in the place of those that are held."""
        for name in self._held:
            *modules, last = name.split(".")
            held = getattr(self.get_submodule(".".join(modules)), last)
            put(self, name, held.detach().to("meta"), is_parameter=isinstance(held, nn.Parameter))
        self._held = []

    def _require_end(self) -> None:
        self._let_go()
        if next(self._source, None) is not None:
            raise ValueError(
                "a checkpoint has the embedding, each layer and what follows, "
                f"{self.config.num_layers + 2} parts; it has more"
            )
