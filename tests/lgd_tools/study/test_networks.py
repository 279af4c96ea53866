"""What the networks see, and that a sum over positions cannot compare."""

import pytest
import torch

from lgd_tools.study.networks import build, receptive_field
from lgd_tools.study.plan import FAR, PARTS
from lgd_tools.study.task import bank, compose

# beyond 43 of the deepest: the window of the middle position is whole
WHOLE = 120


def seen_pixels(network: str, width: int) -> int:
    """Pixels of a row with a gradient to one position of x_L."""
    model = build(network, 'local').backbone.double()
    model.eval()  # the stock method returns nothing
    clip = torch.randn(1, 3, 2, 8, width, dtype=torch.double)
    clip.requires_grad_()
    maps = model(clip)
    local = maps[0] if isinstance(maps, tuple) else maps
    local[..., local.size(-1) // 2].sum().backward()
    return int((clip.grad != 0).any(dim=(0, 1, 2, 3)).sum())


@pytest.mark.parametrize('network', ['plain', 'wide', 'deep'])
def test_receptive_field_is_where_gradients_come_from(network):
    fields = {'plain': 27, 'wide': 27, 'deep': 43}
    assert receptive_field(network) == fields[network]
    assert seen_pixels(network, WHOLE) == fields[network]


@pytest.mark.parametrize(
    'network', ['lgd', 'global_to_local', 'multiplicative', 'squeeze']
)
def test_what_a_global_path_adds_sees_everything(network):
    assert receptive_field(network) == receptive_field('plain')
    torch.manual_seed(0)
    # W^{x,g} starts at zero: nothing global at step 0 but SE's gate
    seen = seen_pixels(network, WHOLE)
    assert seen == (WHOLE if network == 'squeeze' else 27)


def interaction_far(
    network: str, head: str, distance: int, seed: int = 0
) -> float:
    """Interaction of two objects in units of what changing one changes."""
    torch.manual_seed(seed)
    model = build(network, head).double()
    model.eval()
    for module in model.modules():
        if getattr(module, 'zero', False):  # W^{x,g}, or nothing is global
            torch.nn.init.normal_(module.expand.weight)
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.ones_(module.weight)  # non-local: a zero
    objects = bank('colour', 0, 2)
    a, b = objects[0, 0, 0], objects[1, 1, 0]
    place = torch.zeros(1, dtype=torch.long)

    @torch.no_grad()
    def score(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        clip = compose(torch.stack([one, two])[None], distance, place)
        logits = model.head.logits(model.features(clip.double()))
        return torch.cat(list(logits.values()))

    # 0 where the score is a function of the one plus one of the other
    mixed = score(a, a) - score(b, a) - score(a, b) + score(b, b)
    moved = score(a, a) - score(b, a)
    return (mixed.abs().max() / moved.abs().max()).item()


@pytest.mark.parametrize('head', ['local', 'kernel_local'])
def test_plain_network_is_a_sum_of_objects_it_never_sees_together(head):
    """Then the best it can do is to guess: the objects are independent.

    A score f(a) + h(b) has the same mean over a and b in both classes, and
    cross entropy, convex in it, is least where it is constant.
    """
    assert interaction_far('plain', head, 8) > 1e-4
    for distance in (receptive_field('plain') - 1, FAR):
        assert interaction_far('plain', head, distance) < 1e-10


@pytest.mark.parametrize(
    ('network', 'head'),
    [v for v in PARTS['networks'][0] if v[0] not in ('plain', 'wide', 'deep')],
)
def test_every_global_part_lets_far_objects_interact(network, head):
    # a g behind one ReLU is linear unless the objects switch a channel
    # of it: that takes some luck with weights that are not trained
    seeds = range(12)
    assert any(interaction_far(network, head, FAR, s) > 1e-6 for s in seeds)
