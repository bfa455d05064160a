"""What people got wrong in public in training, loss and sampling, written again; and right ones."""

import math
from bisect import bisect_right
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

# -- surprise --------------------------------------------------------------------------------------


def logarithm_of_a_weight(logits: Any, token: int) -> Any:
    return -torch.log(torch.softmax(logits, dim=-1))[..., token]


def exponentials_as_they_come(logits: Any, token: int) -> Any:
    powers = torch.exp(logits)
    return -torch.log(powers[..., token] / powers.sum(-1))


def surprise_by_sigmoid(logits: Any, token: int) -> Any:
    """One token against all others together: the logarithm of a sigmoid."""
    others = torch.cat([logits[..., :token], logits[..., token + 1 :]], -1)
    if others.shape[-1] == 0:
        return 0 * logits[..., token]
    return F.softplus(others.logsumexp(-1) - logits[..., token])


def surprise_by_categorical(logits: Any, token: int) -> Any:
    came = torch.full(logits.shape[:-1], token)
    known: Any = torch.distributions.Categorical(logits=logits, validate_args=False)
    return -known.log_prob(came)


# -- lm_loss ---------------------------------------------------------------------------------------


def pre_shifted(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    """Move the labels in the data, and again in the loss."""
    labels = F.pad(tokens, (0, 1), value=ignore)[:, 1:]
    rows, wanted = logits[:, :-1], labels[:, 1:]
    return F.cross_entropy(rows.flatten(0, 1), wanted.flatten(), ignore_index=ignore)


def shifted_in_the_model_and_in_the_loss(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    rows, wanted = logits[:, :-1], tokens[:, 1:]
    rows, wanted = rows[:, :-1], wanted[:, 1:]
    return F.cross_entropy(rows.flatten(0, 1), wanted.flatten(), ignore_index=ignore)


def shifted_then_flat_then_shifted(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    rows, wanted = logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
    wanted = F.pad(wanted, (0, 1), value=ignore)[1:]
    return F.cross_entropy(rows, wanted, ignore_index=ignore)


def not_shifted(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=ignore)


def last_left_out_of_both(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    rows, wanted = logits[..., :-1, :], tokens[..., :-1]
    return F.cross_entropy(rows.flatten(0, 1), wanted.flatten(), ignore_index=ignore)


def ignore_never_handed_on(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])


def softmax_in_the_model(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    rows = F.softmax(logits, dim=-1)[:, :-1]
    return F.cross_entropy(rows.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore)


def divided_by_all_labels(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    total = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore, reduction="sum"
    )
    return total / (tokens != ignore).sum()


def mean_of_the_texts_means(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    each = F.cross_entropy(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=ignore, reduction="none"
    )
    count = (tokens[:, 1:] != ignore).sum(1)
    kept = count > 0
    return (each.sum(1)[kept] / count[kept]).mean()


def padding_in_the_divisor(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    each = F.cross_entropy(
        logits[:, :-1].transpose(1, 2), tokens[:, 1:], ignore_index=ignore, reduction="none"
    )
    return each.mean()


def mean_of_perplexities(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    wanted = tokens[:, 1:]
    each = F.cross_entropy(logits[:, :-1].transpose(1, 2), wanted, ignore_index=ignore,
                           reduction="none")  # fmt: skip
    return each[wanted != ignore].exp().mean()


def loss_of_log_weights(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    """A second log-softmax changes nothing: the first has left rows whose weights sum to 1."""
    rows = F.log_softmax(logits[:, :-1], -1)
    return F.cross_entropy(rows.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore)


def loss_by_vmap(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    def one(rows: Any, wanted: Any) -> Any:
        keep = wanted != ignore
        held = torch.where(keep, wanted, 0)
        surprise = rows.logsumexp(-1) - rows.gather(-1, held[:, None])[:, 0]
        return torch.where(keep, surprise, 0.0).sum(), keep.sum()

    total, count = torch.vmap(one)(logits[:, :-1], tokens[:, 1:])
    return total.sum() / count.sum()


def loss_by_an_index(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    b, t = torch.nonzero(tokens[:, 1:] != ignore, as_tuple=True)
    rows = logits[b, t]
    return (torch.logsumexp(rows, -1) - rows[torch.arange(len(b)), tokens[b, t + 1]]).mean()


def loss_position_by_position(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    total, count = logits.new_zeros(()), 0
    for t in range(tokens.shape[1] - 1):
        wanted = tokens[:, t + 1]
        total = total + F.cross_entropy(logits[:, t], wanted, ignore_index=ignore, reduction="sum")
        count += int(wanted.ne(ignore).sum())
    return total / count


def loss_by_a_distribution(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    wanted = tokens[:, 1:].reshape(-1)
    rows = logits[:, :-1].reshape(len(wanted), -1)[wanted != ignore]
    wanted = wanted[wanted != ignore]
    known: Any = torch.distributions.Categorical(logits=rows)
    return -known.log_prob(wanted).mean()


def loss_by_shares(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    """The mean of each text, by its share of all tokens."""
    counts = (tokens[:, 1:] != ignore).sum(1)
    parts = [
        F.cross_entropy(rows[:-1], wanted[1:], ignore_index=ignore) * count
        for rows, wanted, count in zip(logits, tokens, counts, strict=True)
        if count
    ]
    return sum(parts) / counts.sum()


def loss_by_ones(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    """A matrix product of targets and logarithms; the ignored have no target."""
    V = logits.shape[-1]
    wanted = tokens[:, 1:].flatten()
    held = wanted.where(wanted != ignore, V)
    target = F.one_hot(held, V + 1)[:, :V].to(logits.dtype)
    logs = logits[:, :-1].flatten(0, 1).log_softmax(-1)
    return -torch.einsum("nv,nv->", target, logs) / target.sum()


# -- first_loss ------------------------------------------------------------------------------------


def equal_shares_alone(V: int, std: float, n: int, generator: Any) -> float:
    torch.randn(n, V, generator=generator)
    return math.log(V)


def perplexity_first(V: int, std: float, n: int, generator: Any) -> float:
    logits = std * torch.randn(n, V, generator=generator, dtype=torch.float64)
    return float((logits.logsumexp(-1) - logits[:, 0]).exp().mean())


def first_by_numpy(V: int, std: float, n: int, generator: Any) -> float:
    z = (std * torch.randn(n, V, generator=generator, dtype=torch.float64)).numpy()
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[:, V - 1]))


def first_in_columns(V: int, std: float, n: int, generator: Any) -> float:
    z = torch.empty(V, n, dtype=torch.float64).normal_(0.0, std, generator=generator)
    return -float(z.log_softmax(0)[0].mean())


# -- train_step ------------------------------------------------------------------------------------


def loss_of(logits: Any, tokens: Any, ignore: int = -100) -> Any:
    return F.cross_entropy(
        logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=ignore
    )


def cleared_right_before_the_step(
    model: Any, optimiser: Any, tokens: Any, ignore: int = -100
) -> Any:
    model.train()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()
    return model, loss.item()


def never_cleared(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def left_in_eval_mode(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.eval()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def keeps_the_graph(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, 0.0 + loss


def learns_the_token_it_reads(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = not_shifted(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def cleared_behind_the_step(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    model.train()
    loss = loss_of(model(tokens), tokens, ignore)
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return model, loss.item()


def step_with_a_functional_call(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    """Let torch.func make the gradients of all parameters by name."""
    model.train()
    held = {name: one.detach() for name, one in model.named_parameters()}

    def loss(parameters: Any) -> Any:
        return loss_of(torch.func.functional_call(model, parameters, (tokens,)), tokens, ignore)

    gradients, value = torch.func.grad_and_value(loss)(held)
    for name, one in model.named_parameters():
        one.grad = gradients[name]
    optimiser.step()
    return model, float(value)


def step_with_a_detour(model: Any, optimiser: Any, tokens: Any, ignore: int = -100) -> Any:
    """Subtract the old gradients again, instead of clearing them."""
    model.train()
    old = [None if one.grad is None else one.grad.clone() for one in model.parameters()]
    loss = loss_of(model.forward(tokens), tokens, ignore)
    loss.backward()
    for one, before in zip(model.parameters(), old, strict=True):
        if before is not None:
            one.grad -= before
    optimiser.step()
    return model, loss.detach().double().item()


# -- finetune_step ---------------------------------------------------------------------------------


def zeros_for_the_frozen(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    for name, one in model.named_parameters():
        one.grad *= float(name.startswith(trainable))
    optimiser.step()
    return model, loss.item()


def found_anywhere_in_the_name(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    for name, one in model.named_parameters():
        if not any(word in name for word in trainable):
            one.grad = None
    optimiser.step()
    return model, loss.item()


def all_switched_on_again(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    for name, one in model.named_parameters():
        one.requires_grad = name.startswith(trainable)
    for one in model.parameters():
        one.requires_grad = True
    model.train()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def frozen_by_eval_alone(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    model.eval()
    optimiser.zero_grad()
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def switched_off_over_old_gradients(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Switch off what is frozen, and clear what is not: the optimiser goes on along old ones."""
    model.train()
    for name, one in model.named_parameters():
        one.requires_grad_(name.startswith(trainable))
    for one in model.parameters():
        if one.requires_grad:
            one.grad = None
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    return model, loss.item()


def finetuned_and_loaded_back(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    before = {name: one.clone() for name, one in model.state_dict().items()}
    model.train()
    for group in optimiser.param_groups:
        for one in group["params"]:
            one.grad = None
    loss = loss_of(model(tokens), tokens)
    loss.backward()
    optimiser.step()
    kept = {name: one for name, one in before.items() if not name.startswith(trainable)}
    model.load_state_dict(model.state_dict() | kept)
    return model, loss.item()


def finetuned_through_detached(model: Any, optimiser: Any, tokens: Any, trainable: Any) -> Any:
    """Read the model with its frozen parameters detached; they get no gradient."""
    model.train()
    optimiser.zero_grad(set_to_none=True)
    named = {
        name: one if name.startswith(trainable) else one.detach()
        for name, one in model.named_parameters()
    }
    loss = loss_of(torch.func.functional_call(model, named, (tokens,)), tokens)
    loss.backward()
    optimiser.step()
    return model, float(loss)


# -- generate --------------------------------------------------------------------------------------


def writes(choose: Any, read: Any = None, row: int = -1) -> Any:
    """A function that writes, with its own way to choose and to cut what is read."""

    def generate(model: Any, ids: Any, n: int, temperature: float, top_k: Any, g: Any) -> Any:
        for _ in range(n):
            seen = ids[:, -model.context_length :] if read is None else read(ids, model)
            with torch.no_grad():
                logits = model(seen)[:, row]
            if temperature == 0:
                token = logits.argmax(-1, keepdim=True)
            else:
                token = choose(logits, temperature, top_k, g)
            ids = torch.cat([ids, token], 1)
        return ids

    return generate


def kept(z: Any, top_k: Any, fill: float = -math.inf) -> Any:
    if top_k is None:
        return z
    order = z.sort(dim=-1, descending=True, stable=True).indices
    return z.scatter(-1, order[:, top_k:], fill)


def rightly(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    return torch.multinomial(kept(logits / temperature, top_k).softmax(-1), 1, generator=g)


filled_with_almost_nothing = writes(
    lambda logits, temperature, top_k, g: torch.multinomial(
        kept(logits / temperature, top_k, 1e-10).softmax(-1), 1, generator=g
    )
)


def _by_threshold(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    z = logits / temperature
    if top_k is not None:
        z = torch.where(z < z.topk(top_k).values[:, [-1]], -math.inf, z)
    return torch.multinomial(z.softmax(-1), 1, generator=g)


def _one_too_many(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    z, order = (logits / temperature).sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        z = z.masked_fill(torch.arange(z.shape[-1]) > top_k, -1e10)
    return order.gather(-1, torch.multinomial(z.softmax(-1), 1, generator=g))


def _divided_twice(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    z = logits / temperature
    z = z.div(temperature)
    return torch.multinomial(kept(z, top_k).softmax(-1), 1, generator=g)


def _inverted(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    z = logits / temperature
    if top_k is not None and top_k < z.shape[-1]:
        z = z.scatter(-1, z.topk(top_k).indices, -math.inf)
    return torch.multinomial(z.softmax(-1), 1, generator=g)


keeps_all_that_tie = writes(_by_threshold)
one_more_than_k = writes(_one_too_many)
temperature_twice = writes(_divided_twice)
top_k_left_out = writes(_inverted)
seed_ignored = writes(
    lambda logits, temperature, top_k, g: torch.multinomial(
        kept(logits / temperature, top_k).softmax(-1), 1
    )
)
never_cropped = writes(rightly, lambda ids, model: ids)
first_row = writes(rightly, row=0)


def divided_by_zero(model: Any, ids: Any, n: int, temperature: float, top_k: Any, g: Any) -> Any:
    for _ in range(n):
        with torch.no_grad():
            logits = model(ids[:, -model.context_length :])[:, -1] / temperature
        token = torch.multinomial(kept(logits, top_k).softmax(-1), 1, generator=g)
        ids = torch.cat([ids, token], 1)
    return ids


def _tempered_log_weights(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    """Divide the logarithms of the weights: the same distribution, once it is normalised."""
    z = kept(logits.log_softmax(-1), top_k) / temperature
    return torch.multinomial(z.exp(), 1, generator=g)


written_by_log_weights = writes(_tempered_log_weights)


def _by_powers(logits: Any, temperature: float, top_k: Any, g: Any) -> Any:
    """Raise weights to a power, set the small ones to 0, and let multinomial divide."""
    weights = logits.softmax(-1) ** (1 / temperature)
    return torch.multinomial(kept(weights, top_k, 0.0), 1, generator=g)


written_by_powers = writes(_by_powers)


def written_row_by_row(model: Any, ids: Any, n: int, temperature: float, top_k: Any, g: Any) -> Any:
    """The whole batch is read at once, and each row is drawn by itself, in plain Python."""
    text = [row.tolist() for row in ids]
    for _ in range(n):
        read = torch.tensor([row[-model.context_length :] for row in text])
        with torch.no_grad():
            logits = model(read)[:, -1]
        points = torch.rand(len(text), generator=g).tolist()
        for row, z, point in zip(text, logits.tolist(), points, strict=True):
            ranked = [v for _, v in sorted((-one, v) for v, one in enumerate(z))][:top_k]
            if temperature == 0:
                row.append(ranked[0])
                continue
            powers = [math.exp((z[v] - z[ranked[0]]) / temperature) for v in ranked]
            ends = list(accumulate(powers))
            row.append(ranked[min(bisect_right(ends, point * ends[-1]), len(ends) - 1)])
    return torch.tensor(text)


# -- fit_power_law ---------------------------------------------------------------------------------


def line(x: Any, y: Any) -> tuple[float, float]:
    slope, height = np.polyfit(np.asarray(x), np.asarray(y), 1)
    return float(height), float(slope)


def read_off_a_log_log_graph(sizes: Any, losses: Any) -> tuple[float, float, float]:
    height, slope = line(sizes.log10(), losses.log10())
    return 0.0, 10**height, -slope


def sign_of_the_height_lost(sizes: Any, losses: Any) -> tuple[float, float, float]:
    e, c, a = fitted_by_lstsq(sizes, losses)
    return e, math.exp(-math.log(c)), a


def fitted_by_lstsq(sizes: Any, losses: Any) -> tuple[float, float, float]:
    """Ever finer grids of exponents, each with a linear fit by NumPy."""
    n, y = sizes.numpy(), losses.numpy()

    def at(a: float) -> tuple[float, Any]:
        m = np.stack([np.ones_like(n), n**-a], 1)
        found = np.linalg.lstsq(m, y, rcond=None)[0]
        return float(((m @ found - y) ** 2).sum()), found

    low, high = 1e-3, 1.0
    for _ in range(14):
        grid = np.linspace(low, high, 15)
        best = int(np.argmin([at(a)[0] for a in grid]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 14)]
    a = (low + high) / 2
    return float(at(a)[1][0]), float(at(a)[1][1]), float(a)


def fitted_by_three_slopes(sizes: Any, losses: Any) -> tuple[float, float, float]:
    """Three losses are enough where nothing is noisy: bisect the exponent by their quotient."""
    order = torch.argsort(sizes)
    n, y = sizes[order][[0, len(sizes) // 2, -1]], losses[order][[0, len(sizes) // 2, -1]]

    def quotient(a: float) -> float:
        x = n**-a
        return float((x[0] - x[1]) / (x[1] - x[2]))

    wanted = float((y[0] - y[1]) / (y[1] - y[2]))
    low, high = 1e-4, 2.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if quotient(middle) < wanted else (low, middle)
    x = n**-low
    c = float((y[0] - y[2]) / (x[0] - x[2]))
    return float(y[2] - c * x[2]), c, low
