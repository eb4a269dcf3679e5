"""Dropout: what is zeroed, how often, and that a seed gives the same zeros again."""

import pytest
import torch

from semiology.models.networks.dropout import Dropout


def test_a_fifth_is_zeroed_and_the_rest_keeps_the_mean() -> None:
    torch.manual_seed(0)
    y = Dropout(0.2)(torch.ones(1000, 1000))
    assert set(y.unique().tolist()) == {0.0, 1.25}
    # 10^6 draws: the standard error of a share is 0.0004
    assert (y == 0).float().mean() == pytest.approx(0.2, abs=0.002)
    assert y.mean() == pytest.approx(1, abs=0.0025)


def test_the_gradient_passes_where_the_entry_passed() -> None:
    x = torch.randn(50, 40, requires_grad=True)
    y = Dropout(0.5)(x)
    y.sum().backward()
    assert torch.equal(x.grad, torch.where(y == 0, 0.0, 2.0))


def test_a_seed_gives_the_same_zeros_and_each_call_others() -> None:
    layer, x = Dropout(0.3), torch.ones(5, 8, 16, 11)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shape_type_and_order_in_memory_stay(dtype: torch.dtype) -> None:
    x = torch.ones(2, 3, 5, 7, dtype=dtype).contiguous(memory_format=torch.channels_last)
    y = Dropout(0.5)(x)
    assert (y.shape, y.dtype, y.stride()) == (x.shape, dtype, x.stride())
    sparse = torch.ones(4, 6, 8)[:, ::2]  # not all of its memory is its own
    assert set(Dropout(0.5)(sparse).unique().tolist()) == {0.0, 2.0}


def test_nothing_is_zeroed_in_evaluation_or_without_a_probability() -> None:
    x = torch.randn(9)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_neighbours_are_zeroed_independently() -> None:
    torch.manual_seed(0)
    zeroed = (Dropout(0.25)(torch.ones(400_000)) == 0).float()
    for apart in (1, 2, 3, 4, 8):  # four draws come out of one number of the generator
        both = (zeroed[apart:] * zeroed[:-apart]).mean()
        assert both == pytest.approx(0.0625, abs=0.002)


@pytest.mark.parametrize("p", [-0.1, 1.0, 2.0, float("nan")])
def test_a_probability_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match="at least 0 and below 1"):
        Dropout(p)
