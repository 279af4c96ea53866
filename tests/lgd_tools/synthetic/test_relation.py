"""The distance of the two objects, and an object by itself."""

import numpy as np
import pytest

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.relation import (
    STILL_LOOKS,
    colour_sequence,
    render_object,
    render_relation,
    rooms,
)


@pytest.mark.parametrize('size', [(40, 112), (120, 48)])
@pytest.mark.parametrize('distance', [0, 5, 20])
def test_objects_are_so_many_pixels_apart(size, distance):
    clip = render_relation('same_look', size, 12, 3, distance)
    changing = (clip != clip[0]).any((0, 3))
    along = int(size[1] >= size[0])
    first, second = (room[along] for room in rooms(size, distance))
    assert second.start - first.stop == distance
    line = changing.any(1 - along)
    assert line[first].any() and line[second].any()
    line[first] = line[second] = False
    assert not line.any()


def test_without_a_distance_the_rooms_are_as_far_apart_as_can_be():
    size = (48, 112)
    farthest = 112 - 2 * int(0.36 * 112)
    clips = [
        render_relation('same_look', size, 4, 1, distance)
        for distance in (None, farthest, farthest - 1)
    ]
    assert np.array_equal(clips[0], clips[1])
    assert not np.array_equal(clips[0], clips[2])
    for distance in (-1, farthest + 1):
        with pytest.raises(ToolError, match=f'from 0 to {farthest}'):
            rooms(size, distance)


def test_colour_stays_or_changes_every_so_many_frames():
    assert colour_sequence(0, 1, 5, hold=1).tolist() == [1, 2, 0, 1, 2]
    assert colour_sequence(STILL_LOOKS['green'], 4, 3).tolist() == [1, 1, 1]
    red = render_object('left', STILL_LOOKS['red'], 16, 2, 0).astype(int)
    object_ = np.abs(red - 90).sum(-1) > 30
    assert object_.mean() > 0.1
    assert (red[object_][:, 0] > red[object_][:, 1]).mean() > 0.95
