"""An object by itself: its motion, its look, its place."""

import numpy as np

from lgd_tools.synthetic.objects import (
    STILL_LOOKS,
    colour_sequence,
    render_object,
)


def test_colour_stays_or_changes_every_frame():
    assert colour_sequence(0, 1, 5).tolist() == [1, 2, 0, 1, 2]
    assert colour_sequence(1, 0, 4).tolist() == [0, 2, 1, 0]
    assert colour_sequence(STILL_LOOKS['green'], 4, 3).tolist() == [1, 1, 1]
    red = render_object('left', STILL_LOOKS['red'], 16, 2, 0).astype(int)
    object_ = np.abs(red - 90).sum(-1) > 30
    assert object_.mean() > 0.1
    assert (red[object_][:, 0] > red[object_][:, 1]).mean() > 0.95


def test_an_object_moves_and_enters_on_the_other_side():
    wave = np.exp(2j * np.pi * np.arange(24) / 24)
    for motion, axis, sign in (
        ('left', 1, -1), ('right', 1, 1), ('up', 0, -1), ('down', 0, 1),
    ):  # fmt: skip
        clip = render_object(motion, 0, 24, 20, 5).astype(float)
        mass = np.abs(clip - clip.mean(-1, keepdims=True)).sum(-1)
        mass[mass < 40] = 0
        # the place on the torus, along and across the motion
        along, across = (
            np.angle(z[1:] / z[:-1])
            for z in (mass.sum(2 - axis) @ wave, mass.sum(1 + axis) @ wave)
        )
        assert sign * along.sum() > 2 * np.pi * 0.05 * 19 * 0.95
        assert abs(across).max() < 0.05
