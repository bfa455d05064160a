"""The loop: each step is the formula's, nothing is left over, and what it says when it stops."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from strategies import normal
from torch import Tensor, nn
from torch.testing import assert_close

from course_lib.naive.training import loop as naive
from course_lib.training import loop as lib
from course_lib.training.loop import Optimisation, train

C, ROWS = 3, 7


class Line(nn.Module):
    """Predicts with one weight per number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(0, C))
        self.modes: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return x @ self.weight


def square(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    x, wanted = batch
    return ((model(x) - wanted) ** 2).mean()


def batches(num: int) -> list[tuple[Tensor, Tensor]]:
    return [(normal(2 * seed + 1, ROWS, C), 3 * normal(2 * seed, ROWS)) for seed in range(num)]


def adamw_by_hand(optimisation: Optimisation, num: int) -> tuple[np.ndarray, list[float]]:
    """Loshchilov and Hutter, algorithm 2, after clipping; the gradient of the square is by hand."""
    weight, losses = normal(0, C).numpy(), []
    mean, square_mean = np.zeros(C), np.zeros(C)
    first, second = optimisation.betas
    for step, (x, wanted) in enumerate(batches(num)):
        residual = np.array(
            [sum(x[r, c].item() * weight[c] for c in range(C)) for r in range(ROWS)]
        )
        residual = residual - wanted.numpy()
        losses.append(float((residual**2).mean()))
        gradient = np.array([2 * (residual * x[:, c].numpy()).mean() for c in range(C)])
        norm = np.sqrt((gradient**2).sum())
        # PyTorch adds 1e-6 to the norm, against a division by zero.
        gradient = gradient * min(1.0, optimisation.max_norm / (norm + 1e-6))
        rate = optimisation.learning_rate * naive.warm_up(step, optimisation.warmup_steps)
        weight = weight * (1 - rate * optimisation.weight_decay)
        mean = first * mean + (1 - first) * gradient
        square_mean = second * square_mean + (1 - second) * gradient**2
        unbiased = mean / (1 - first ** (step + 1))
        root = np.sqrt(square_mean / (1 - second ** (step + 1)))
        weight = weight - rate * unbiased / (root + 1e-8)
    return weight, losses


@pytest.mark.parametrize(
    "optimisation",
    [
        Optimisation(learning_rate=0.3),
        Optimisation(learning_rate=0.1, max_norm=1e3),  # never clipped
        Optimisation(learning_rate=0.1, warmup_steps=4, weight_decay=0.2, betas=(0.8, 0.9)),
    ],
)
def test_each_step_is_the_formulas(optimisation: Optimisation) -> None:
    model = Line()
    losses = train(model, batches(9), square, 9, optimisation, show_progress=False)
    weight, expected = adamw_by_hand(optimisation, 9)
    assert_close(model.weight.detach(), torch.from_numpy(weight))
    assert_close(losses, expected)


def test_the_gradient_of_one_step_does_not_reach_the_next() -> None:
    model = Line()
    model.weight.grad = torch.full((C,), 1e6, dtype=torch.float64)
    train(model, batches(2), square, 2, Optimisation(learning_rate=0.3), show_progress=False)
    assert_close(
        model.weight.detach().numpy(), adamw_by_hand(Optimisation(learning_rate=0.3), 2)[0]
    )


def test_frozen_weights_stay() -> None:
    model = nn.Linear(C, 1).double()
    model.bias.requires_grad_(False)
    bias, weight = model.bias.clone(), model.weight.clone()

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return ((model(batch[0])[:, 0] - batch[1]) ** 2).mean()

    train(model, batches(3), loss, 3, Optimisation(learning_rate=0.1), show_progress=False)
    assert_close(model.bias, bias)
    assert (model.weight != weight).all()


@pytest.mark.parametrize("mode", [True, False])
def test_the_mode_is_training_and_then_what_it_was(mode: bool) -> None:
    model = Line().train(mode)
    train(model, batches(2), square, 2, Optimisation(learning_rate=0.1), show_progress=False)
    assert model.modes == [True, True]
    assert model.training is mode


def test_no_batch_is_drawn_beyond_the_last_step() -> None:
    drawn: list[int] = []

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            drawn.append(len(drawn))
            yield batches(1)[0]

    losses = train(
        Line(), endless(), square, 4, Optimisation(learning_rate=0.1), show_progress=False
    )
    assert len(losses) == len(drawn) == 4
    assert train(Line(), [], square, 0, Optimisation(learning_rate=0.1), show_progress=False) == []


def test_the_bar_is_drawn_on_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    train(Line(), batches(3), square, 3, Optimisation(learning_rate=0.1))
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "3/3" in streams.err
    assert "loss=" in streams.err
    train(Line(), batches(3), square, 3, Optimisation(learning_rate=0.1), show_progress=False)
    assert capsys.readouterr().err == ""


def test_warm_up_equals_its_twin() -> None:
    for warmup_steps in (0, 1, 2, 7):
        for step in range(10):
            assert lib.warm_up(step, warmup_steps) == naive.warm_up(step, warmup_steps)
    assert [lib.warm_up(step, 4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_errors_name_the_numbers() -> None:
    model, optimisation = Line(), Optimisation(learning_rate=0.1)
    with pytest.raises(ValueError, match="num_steps is 5 and there were 3 batches"):
        train(model, batches(3), square, 5, optimisation, show_progress=False)
    before = model.weight.clone()
    broken = [(torch.full((ROWS, C), torch.nan, dtype=torch.float64), normal(0, ROWS))]
    with pytest.raises(ValueError, match="at step 1 the loss is nan"):
        train(model, batches(1) + broken, square, 2, optimisation, show_progress=False)
    assert model.weight.isfinite().all()
    assert (model.weight != before).any()  # the good step was made
    for mode in (True, False):
        with pytest.raises(ValueError, match="at step 0"):
            train(model.train(mode), broken, square, 1, optimisation, show_progress=False)
        assert model.training is mode
    with pytest.raises(ValueError, match="num_steps is -1"):
        train(model, batches(1), square, -1, optimisation, show_progress=False)
    with pytest.raises(ValueError, match=r"learning_rate is 0.0, warmup_steps 0 and max_norm 1"):
        Optimisation(learning_rate=0.0)
    with pytest.raises(ValueError, match="warmup_steps -1"):
        Optimisation(learning_rate=0.1, warmup_steps=-1)
    with pytest.raises(ValueError, match=r"max_norm 0\.0"):
        Optimisation(learning_rate=0.1, max_norm=0.0)
    for betas in ((1.0, 0.5), (0.5, -0.1)):
        with pytest.raises(ValueError, match=re.escape(f"betas are {betas} and weight_decay is 0")):
            Optimisation(learning_rate=0.1, betas=betas)
    with pytest.raises(ValueError, match=r"weight_decay is -0\.5"):
        Optimisation(learning_rate=0.1, weight_decay=-0.5)


def test_a_model_without_parameters_cannot_be_trained() -> None:
    frozen, optimisation = Line(), Optimisation(learning_rate=0.1)
    frozen.requires_grad_(False)
    count = len(list(frozen.parameters()))
    for model, message in (
        (nn.ReLU(), "ReLU has 0 parameters and 0 of them do"),
        (frozen, f"Line has {count} parameters and 0 of them do"),
    ):
        with pytest.raises(ValueError, match=message):
            train(model, batches(2), square, 2, optimisation, show_progress=False)


def test_a_learning_rate_beyond_float32_is_refused() -> None:
    for rate in (1e39, 1e-46):
        with pytest.raises(
            ValueError, match=f"finite in float32.*learning_rate is {re.escape(str(rate))}, w"
        ):
            Optimisation(learning_rate=rate)


@pytest.mark.usefixtures("without_annotations")
def test_steps_are_whole() -> None:
    with pytest.raises(ValueError, match=r"num_steps is 1\.5, of type float; num_steps = 1\.5"):
        train(Line(), batches(2), square, 1.5, Optimisation(learning_rate=0.1), show_progress=False)


def steep(model: nn.Module, batch: Tensor) -> Tensor:
    """Finite everywhere; its slope is infinite where the first weight is that of the batch."""
    assert isinstance(model, Line)
    return (model.weight[0] - batch).abs().sqrt()


def test_a_gradient_that_is_not_finite_stops_before_the_weights_move() -> None:
    model = Line()
    first = model.weight[0].item()
    with pytest.raises(ValueError, match=r"at step 0 the gradient's length is (inf|nan)"):
        train(
            model,
            [torch.tensor(first, dtype=torch.float64)],
            steep,
            1,
            Optimisation(learning_rate=0.1),
            show_progress=False,
        )
    assert torch.equal(model.weight.detach(), normal(0, C))


def test_weights_that_are_not_finite_are_not_handed_back() -> None:
    # Loss and gradient are finite; the step goes beyond 65,504, float16's largest number.
    model = Line().half()
    given = [(x.half(), wanted.half()) for x, wanted in batches(1)]
    optimisation = Optimisation(learning_rate=1e5)
    with pytest.raises(ValueError, match=r"at step 0 the new weight of weight is -?inf"):
        train(model, given, square, 1, optimisation, show_progress=False)
