"""Augmentations on a batch equal their naive rewrites, one sample at a time."""

import pytest
import torch
from torch import Tensor

from vmsbench.data.augmentation import (
    Augmentation,
    Colour,
    Compose,
    Cutout,
    DiffAugment,
    Flip,
    NoAugmentation,
    Translate,
    Warp,
    cutout,
    shifts,
    translate,
)
from vmsbench.errors import ConfigurationError

STRONG = Compose([Flip(), Warp(), Colour()])
ALL = [NoAugmentation(), Flip(), Translate(), Cutout(), Warp(), Colour(), STRONG, Compose([Flip(), Translate()])]


def batch(count: int = 12, height: int = 16, width: int = 24) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.rand(count, 3, height, width) * 2 - 1, torch.rand(count, 2, height, width) * 2 - 1


@pytest.mark.parametrize("augmentation", ALL, ids=lambda augmentation: type(augmentation).__name__)
def test_every_augmentation_keeps_shapes_ranges_and_its_arguments(augmentation: Augmentation) -> None:
    image, target = batch()
    before = image.clone(), target.clone()
    changed = augmentation(image, target)
    assert torch.equal(image, before[0])
    assert torch.equal(target, before[1])
    for new, old in zip(changed, before, strict=True):
        assert new.shape == old.shape
        assert new.dtype == old.dtype
        assert new.abs().max() <= 1


@pytest.mark.parametrize("augmentation", ALL, ids=lambda augmentation: type(augmentation).__name__)
def test_the_same_seed_gives_the_same_change(augmentation: Augmentation) -> None:
    image, target = batch()
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append(augmentation(image, target))
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


def test_without_change_a_warp_is_the_identity() -> None:
    image, target = batch()
    for new, old in zip(Warp(degrees=0, scale=1, shift=0)(image, target), (image, target), strict=True):
        torch.testing.assert_close(new, old, atol=1e-5, rtol=0)


def test_a_warp_turns_image_and_map_about_their_centre_alike() -> None:
    """A bright dot off the centre, in both: after any warp it is at the same place in both, where the angle says."""
    dot = torch.full((1, 1, 33, 33), -1.0)
    dot[0, 0, 16, 26] = 1.0
    places = set()
    for seed in range(8):
        torch.manual_seed(seed)
        image, target = Warp(degrees=90, scale=1, shift=0)(dot.expand(1, 3, -1, -1), dot.expand(1, 2, -1, -1))
        torch.testing.assert_close(image[:, :2], target)
        row, column = divmod(int(target[0, 0].argmax()), 33)
        assert (row - 16) ** 2 + (column - 16) ** 2 == pytest.approx(100, abs=15)
        places.add((row, column))
    assert len(places) > 4


def test_colours_change_the_image_by_the_factors_asked_for_and_leave_the_map() -> None:
    image, target = batch(400, 8, 8)
    new, same = Colour(strength=0.2)(image * 0.3, target)
    assert torch.equal(same, target)
    brightness = (new.mean(dim=(1, 2, 3)) + 1) / (0.3 * image.mean(dim=(1, 2, 3)) + 1)
    assert 0.8 <= brightness.min() < 0.83
    assert 1.17 < brightness.max() <= 1.2
    assert new[:, 0].std() == pytest.approx(float(0.3 * image[:, 0].std()), rel=0.3)


def test_diffaugment_changes_image_and_map_together_and_lets_gradients_through() -> None:
    pair = torch.cat([torch.zeros(64, 3, 16, 16), torch.full((64, 2, 16, 16), 0.5)], dim=1).requires_grad_()
    changed = DiffAugment(cutout=1.0)(pair)
    hidden = changed[:, 3] == -1
    assert torch.equal(hidden, changed[:, 4] == -1)
    assert 0 < hidden.float().mean() < 0.5
    changed.sum().backward()
    assert pair.grad is not None
    assert torch.equal(pair.grad[:, 3] == 0, hidden)


def test_a_flip_turns_image_and_map_together_about_as_often_as_asked() -> None:
    image, target = batch(2000, 2, 3)
    new_image, new_target = Flip(p=0.3)(image, target)
    turned = [torch.equal(new, old.flip(-1)) for new, old in zip(new_image, image, strict=True)]
    for i, was in enumerate(turned):
        assert torch.equal(new_image[i], image[i].flip(-1) if was else image[i])
        assert torch.equal(new_target[i], target[i].flip(-1) if was else target[i])
    assert abs(sum(turned) / 2000 - 0.3) < 0.05


def test_translation_equals_copying_pixel_by_pixel() -> None:
    image, _ = batch()
    torch.manual_seed(3)
    moved = translate(image, p=0.8, ratio=0.25, fill=[0.5, -1.0, 0.0])
    torch.manual_seed(3)
    down, right = shifts(image, 0.8, 0.25)
    naive = torch.tensor([0.5, -1.0, 0.0])[None, :, None, None].expand(image.shape).clone()
    for n in range(len(image)):
        for row in range(16):
            for column in range(24):
                source = row - int(down[n]), column - int(right[n])
                if 0 <= source[0] < 16 and 0 <= source[1] < 24:
                    naive[n, :, row, column] = image[n, :, source[0], source[1]]
    assert torch.equal(moved, naive)
    assert len(set(down.tolist())) > 2


def test_shifts_reach_both_ends_and_stay_when_nothing_happens() -> None:
    x = torch.zeros(4000, 1, 16, 32)
    down, right = shifts(x, 1.0, 0.125)
    assert set(down.tolist()) == set(range(-2, 3))
    assert set(right.tolist()) == set(range(-4, 5))
    assert abs((shifts(x, 0.9, 0.5)[0] == 0).float().mean() - (0.1 + 0.9 / 17)) < 0.02
    assert not any(shift.any() for shift in shifts(x, 0.0, 0.5))


def test_image_and_map_move_together_onto_grey_and_nobody() -> None:
    marks = torch.zeros(64, 1, 16, 16)
    marks[:, :, 8, 8] = 1
    image, target = Translate(p=1)(marks.expand(-1, 3, -1, -1), marks * 2 - 1)
    assert torch.equal(image[:, :1] == 1, target == 1)
    corners = Translate(p=1)(torch.ones(64, 3, 16, 16), torch.ones(64, 2, 16, 16))
    came_in = corners[0][:, :1] != 1
    assert came_in.any()
    assert (corners[0][came_in.expand(-1, 3, -1, -1)] == 0).all()
    assert (corners[1][came_in.expand(-1, 2, -1, -1)] == -1).all()


def test_a_hole_is_the_square_diffaugment_cuts() -> None:
    """The published code, one sample at a time: offsets clamped to the picture, then zero."""
    x = torch.ones(500, 2, 16, 24)
    torch.manual_seed(7)
    ours = cutout(x, p=1.0, ratio=0.5)
    torch.manual_seed(7)
    torch.rand(500, 1, 1, 1)
    rows, columns = torch.randint(0, 17, (500, 1)), torch.randint(0, 25, (500, 1))
    naive = x.clone()
    for n in range(500):
        for row in range(8):
            for column in range(12):
                naive[
                    n,
                    :,
                    min(max(int(rows[n]) + row - 4, 0), 15),
                    min(max(int(columns[n]) + column - 6, 0), 23),
                ] = 0
    assert torch.equal(ours, naive)


def test_cutout_leaves_the_map_alone_and_happens_as_often_as_asked() -> None:
    image, target = torch.ones(2000, 3, 8, 8), torch.ones(2000, 2, 8, 8)
    new_image, new_target = Cutout(p=0.6, ratio=0.5)(image, target)
    assert torch.equal(new_target, target)
    assert abs((new_image == 0).flatten(1).any(1).float().mean() - 0.6) < 0.06


def test_gradients_reach_what_stays_and_nothing_else() -> None:
    x = torch.ones(32, 5, 16, 16, requires_grad=True)
    torch.manual_seed(2)
    out = cutout(translate(x * 1, p=0.9, fill=0.0), p=0.9)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad.sum((1, 2, 3)), out.detach().sum((1, 2, 3)))
    assert set(x.grad.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("make", [lambda: Flip(p=1.5), lambda: Translate(ratio=-1), lambda: Cutout(p=90)])
def test_a_share_outside_0_to_1_is_refused(make: object) -> None:
    with pytest.raises(ConfigurationError, match="from 0 to 1"):
        make()  # type: ignore[operator]
