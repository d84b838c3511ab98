"""Order statistics against numpy."""

import numpy as np
import pytest
import torch

from vmsbench.metrics.ordering import in_order, median_map, middle, network


@pytest.mark.parametrize("number", [*range(1, 20), 31, 64])
def test_samples_come_in_order_whatever_their_number(number):
    """A network that orders all values of 0 and 1 orders everything (Knuth 5.3.4); up to 12 all of those are tried."""
    if number <= 12:
        given = (torch.arange(2**number)[:, None] >> torch.arange(number)) & 1
        assert torch.equal(in_order(given), given.sort(dim=1).values)
    values = torch.rand(3, number, 2, 5, generator=torch.Generator().manual_seed(number))
    for samples in (values, (values * 9).byte()):
        assert torch.equal(in_order(samples), samples.sort(dim=1).values)


def test_16_samples_take_63_comparisons():
    assert len(network(16)) == 63


@pytest.mark.parametrize("number", [1, 2, 7, 8])
def test_medians_are_numpys(number):
    maps = torch.randint(0, 256, (number, 3, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    expected = np.median(maps.numpy(), axis=0)
    np.testing.assert_allclose(median_map(maps).numpy(), expected / 255, atol=1e-6)
    np.testing.assert_allclose(middle(in_order(maps[None]))[0].numpy(), expected)
