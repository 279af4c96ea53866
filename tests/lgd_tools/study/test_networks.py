"""What the networks see, and that a sum over positions cannot compare."""

import pytest
import torch

from lgd_tools.study.networks import (
    NETWORKS,
    build,
    interaction,
    receptive_field,
    seen_pixels,
)
from lgd_tools.study.plan import FAR, PARTS
from lgd_tools.study.task import bank, compose

# beyond 43 of the deepest: the window of the middle position is whole
WHOLE = 120


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


def scored(network: str, head: str, distance: int) -> tuple[float, float]:
    """Size of the interaction of two objects, and of the scores."""
    torch.manual_seed(0)
    model = build(network, head).eval()
    for module in model.modules():
        if hasattr(module, 'zero') and module.zero:  # W^{x,g}
            torch.nn.init.normal_(module.expand.weight)
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_()
    objects = bank('colour', 0, 2)
    a, b = objects[0, 0, 0], objects[1, 1, 0]
    corners = (
        compose(torch.stack(pair)[None], distance, torch.zeros(1).long())
        for pair in ((a, a), (b, a), (a, b), (b, b))
    )

    def score(clips: torch.Tensor) -> torch.Tensor:
        return torch.cat(
            list(model.head.logits(model.features(clips)).values())
        )

    with torch.no_grad():
        size = score(
            compose(torch.stack((a, b))[None], 0, torch.zeros(1).long())
        )
        return interaction(score, corners).abs().max().item(), (
            size.abs().max().item()
        )


@pytest.mark.parametrize('head', ['local', 'kernel_local'])
def test_plain_network_is_a_sum_of_objects_it_never_sees_together(head):
    # the reason why it can do no better than guess, see interaction()
    for distance, is_sum in ((25, False), (26, True), (40, True)):
        found, size = scored('plain', head, distance)
        assert (found < 1e-4 * size) == is_sum, (distance, found, size)


@pytest.mark.parametrize(
    ('network', 'head'),
    [v for v in PARTS['networks'][0] if v[0] not in ('plain', 'wide', 'deep')],
)
def test_every_global_part_lets_far_objects_interact(network, head):
    if network == 'non_local':
        pytest.xfail('starts as the identity: its last norm is zero')
    if (network, head) == ('global_to_local', 'both'):
        # g_0 is a mean of the stem's output, not of what the units made
        assert NETWORKS[network][1]['diffusion']['form'] == network
    found, size = scored(network, head, FAR)
    assert found > 1e-3 * size
