"""The steps of latent attention, and under which code each is done wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grading.exercises.kv_cache_and_gqa.rotating import backwards, halves, neighbours
from grading.late import Tensor, torch
from grading.steps import Pipeline, Step

__all__ = ["MORE", "STEPS", "latent_with"]

Way = Callable[..., Any]


def _attend(do: Any) -> Way:
    """Put the steps in a row: what is kept, what asks, the scores of both parts, the mix."""

    def mla_attention(
        x: Tensor, w_q: Tensor, w_qr: Tensor, w_dkv: Tensor, g_kv: Tensor, w_kr: Tensor,
        w_uk: Tensor, w_uv: Tensor, w_o: Tensor, H: int, base: float = 10000.0, eps: float = 1e-6,
    ) -> Any:  # fmt: skip
        positions = torch.arange(x.shape[-2])

        def turn(rows: Tensor, at: Any = positions) -> Any:
            return do.turn(rows, at, do.base(base))

        latent, shared = do.keep(x @ w_dkv, x @ w_kr, g_kv, do.eps(eps), do.norm)
        latent = do.latent(latent, turn)
        q, q_r = do.split(x @ w_q, H), do.split(x @ w_qr, H)
        q_r, k_r = do.turned(q_r, shared[:, None], turn)
        k, v = do.split(latent @ w_uk, H), do.split(latent @ w_uv, H)
        q, k = do.content(q, k, turn)
        scores = do.score(q, k, q_r, k_r, do.scale)
        weights = do.mask(scores).softmax(-1)
        return do.merge(weights @ v) @ w_o

    return mla_attention


def _norm(rows: Tensor, g: Tensor, eps: float) -> Any:
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    return (wide * (wide.square().mean(-1, keepdim=True) + eps).rsqrt() * g).to(rows.dtype)


def _layer_norm(rows: Tensor, g: Tensor, eps: float) -> Any:
    return _norm(rows - rows.mean(-1, keepdim=True), g, eps)


def _eps_outside(rows: Tensor, g: Tensor, eps: float) -> Any:
    return rows / (rows.square().mean(-1, keepdim=True).sqrt() + eps) * g


def _normed(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    return norm(latent, g, eps), shared


def _bare(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    return latent, shared


def _gain_alone(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    return latent * g, shared


def _no_gain(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    return norm(latent, torch.ones_like(g), eps), shared


def _normed_together(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    """Normalise the latent vector and the rotary key as one row."""
    both = norm(torch.cat([latent, shared], -1), torch.ones((), dtype=latent.dtype), eps)
    return both[..., : len(g)] * g, both[..., len(g) :]


def _both_normed(latent: Tensor, shared: Tensor, g: Tensor, eps: float, norm: Way) -> Any:
    """Normalise the rotary key as well, by itself."""
    return norm(latent, g, eps), norm(shared, torch.ones((), dtype=latent.dtype), eps)


def _split(rows: Tensor, H: int) -> Any:
    return torch.unflatten(rows, -1, (H, -1)).transpose(-3, -2)


def _viewed(rows: Tensor, H: int) -> Any:
    return rows.reshape(*rows.shape[:-2], H, rows.shape[-2], rows.shape[-1] // H)


def _merge(found: Tensor) -> Any:
    return found.transpose(-3, -2).flatten(-2)


def _not_moved(found: Tensor) -> Any:
    return found.reshape(*found.shape[:-3], found.shape[-2], -1)


def _turned(queries: bool = True, keys: bool = True) -> Way:
    return lambda q, k, turn: (turn(q) if queries else q, turn(k) if keys else k)


def _along_heads(q: Tensor, k: Tensor, turn: Way) -> Any:
    """Count positions along the axis of heads, of which the shared key has one."""

    def turned(rows: Tensor) -> Any:
        return turn(rows.transpose(1, 2), torch.arange(rows.shape[1])).transpose(1, 2)

    return turned(q), turned(k)


def _summed(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    return (q @ k.mT + q_r @ k_r.mT) * scale(q.shape[-1], q_r.shape[-1])


def _scaled_apart(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    return q @ k.mT * q.shape[-1] ** -0.5 + q_r @ k_r.mT * q_r.shape[-1] ** -0.5


def _content_alone(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    return q @ k.mT * scale(q.shape[-1], q_r.shape[-1])


def _places_alone(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    return q_r @ k_r.mT * scale(q.shape[-1], q_r.shape[-1])


def _crossed(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    """Join the parts of a query in one order and those of a key in the other."""
    queries = torch.cat([q, q_r], -1)
    keys = torch.cat([k_r.expand(*k.shape[:-1], -1), k], -1)
    return queries @ keys.mT * scale(q.shape[-1], q_r.shape[-1])


def _a_piece_each(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    """Cut the shared rotary key into pieces, one for each head, that meet its first entries."""
    H, Dr = q.shape[1], q_r.shape[-1]
    pieces = _split(k_r[:, 0], H)
    near = q_r[..., : pieces.shape[-1]] @ pieces.mT
    return (q @ k.mT + near) * scale(q.shape[-1], Dr)


def _an_own_piece(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    """Let each head compare its own piece of the rotary query with that of the key."""
    H, Dr = q.shape[1], q_r.shape[-1]
    pieces = _split(k_r[:, 0], H)
    own = torch.stack([q_r[:, h, :, h * Dr // H : (h + 1) * Dr // H] for h in range(H)], 1)
    return (q @ k.mT + own @ pieces.mT) * scale(q.shape[-1], Dr)


def _first_head_alone(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    near = q_r @ k_r.mT
    near = torch.cat([near[:, :1], 0 * near[:, 1:]], 1)
    return (q @ k.mT + near) * scale(q.shape[-1], q_r.shape[-1])


def _one_query_for_all(q: Tensor, k: Tensor, q_r: Tensor, k_r: Tensor, scale: Way) -> Any:
    near = q_r[:, :1] @ k_r.mT
    return (q @ k.mT + near) * scale(q.shape[-1], q_r.shape[-1])


def _past(scores: Tensor) -> Any:
    T = scores.shape[-1]
    future = torch.ones(T, T, dtype=torch.bool).triu(1)
    return scores.masked_fill(future, -torch.inf)


STEPS = Pipeline(
    compose=_attend,
    steps=(
        Step(name="base", right=lambda base: base),
        Step(name="eps", right=lambda eps: eps),
        Step(name="norm", right=_norm),
        Step(name="keep", right=_normed, wrong={
            "MLA-NONORM": (_bare,), "MLA-NOGAIN": (_no_gain,),
        }),
        Step(name="latent", right=lambda latent, turn: latent, wrong={
            "MLA-ROPELATENT": (lambda latent, turn: turn(latent),),
        }),
        Step(name="split", right=_split),
        Step(name="turn", right=halves, wrong={"ROPE-INTERLEAVE": (neighbours,)}),
        Step(name="turned", right=_turned(), wrong={"ROPE-ONEK": (_turned(queries=False),)}),
        Step(name="content", right=lambda q, k, turn: (q, k)),
        Step(name="score", right=_summed),
        Step(name="scale", right=lambda D, Dr: (D + Dr) ** -0.5, wrong={
            "MLA-SCALE": (lambda D, Dr: D**-0.5,), "SDPA-NOSCALE": (lambda D, Dr: 1.0,),
        }),
        Step(name="mask", right=_past, wrong={"MLA-NOCAUSAL": (lambda scores: scores,)}),
        Step(name="merge", right=_merge),
    ),
)  # fmt: skip


def latent_with(**steps: Way) -> Way:
    """Return latent attention in which some steps are done in another way."""
    return STEPS.answer(steps)


def _fixed(own: float) -> Way:
    return latent_with(eps=lambda eps: own)


#: More ways of the same mistakes, and mistakes that are seldom made beside another: no products.
MORE: dict[str, tuple[Way, ...]] = {
    "MLA-NONORM": (latent_with(keep=_gain_alone),),
    "MLA-NORMBOTH": (latent_with(keep=_normed_together), latent_with(keep=_both_normed)),
    "MLA-LAYERNORM": (latent_with(norm=_layer_norm),),
    "MLA-EPS": tuple(_fixed(own) for own in (1e-6, 1e-5, 1e-8, 0.0)),
    "RMS-EPSOUT": (latent_with(norm=_eps_outside),),
    "MLA-ROPELATENT": (
        latent_with(latent=lambda latent, turn: turn(latent), turned=_turned(False, False)),
        latent_with(latent=lambda latent, turn: turn(latent), score=_content_alone),
    ),
    "MLA-SCALE": (
        latent_with(scale=lambda D, Dr: Dr**-0.5), latent_with(score=_scaled_apart),
    ),
    "MLA-SHAREROPE": (latent_with(score=_a_piece_each), latent_with(score=_an_own_piece)),
    "MLA-ONEHEADROPE": (
        latent_with(score=_first_head_alone), latent_with(score=_one_query_for_all),
    ),
    "MLA-NOROPE": (latent_with(score=_content_alone),),
    "MLA-ROPEALONE": (latent_with(score=_places_alone),),
    "MLA-CROSSED": (latent_with(score=_crossed),),
    "ROPE-ONEK": (latent_with(turned=_turned(keys=False)),),
    "ROPE-NONE": (latent_with(turned=_turned(False, False)),),
    "ROPE-AXIS": (latent_with(turned=_along_heads),),
    "MLA-ROPEALL": (latent_with(content=lambda q, k, turn: (turn(q), turn(k))),),
    "SDPA-TIMESROOT": (latent_with(scale=lambda D, Dr: (D + Dr) ** 0.5),),
    "ROPE-SIGN": (latent_with(turn=backwards),),
    "ROPE-BASE": (latent_with(base=lambda base: 10000.0),),
    "SPLIT-VIEW": (latent_with(split=_viewed),),
    "MERGE-NOTRANSP": (latent_with(merge=_not_moved),),
}  # fmt: skip


def _scaled_by_latent(*given: Any) -> Any:
    """Divide by the root of what is kept, Dc + Dr, as the absorbed form's shapes suggest."""
    Dc = given[4].shape[0]
    return latent_with(scale=lambda D, Dr: (Dc + Dr) ** -0.5)(*given)


MORE["MLA-LATENTSCALE"] = (_scaled_by_latent,)
