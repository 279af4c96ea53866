"""The batches: each object tells nothing, both tell the class."""

from collections import Counter

import numpy as np
import pytest
import torch

from lgd_tools.study.task import (
    HEIGHT,
    MAX_DISTANCE,
    QUESTIONS,
    SIDE,
    STILL_LOOKS,
    WIDTH,
    Task,
    bank,
    colour_sequence,
    compose,
    draw_factors,
    render_object,
)


@pytest.mark.parametrize('question', QUESTIONS)
def test_label_is_the_comparison_and_one_object_tells_nothing(question):
    rng = torch.Generator().manual_seed(0)
    labels, motions, looks = draw_factors(question, 8000, rng)
    asked = motions if question == 'motion' else looks
    assert torch.equal(labels, (asked[:, 0] == asked[:, 1]).long())
    assert labels.sum() == 4000
    for number in (0, 1):
        for label in (0, 1):
            rows = labels == label
            seen = (motions[rows, number] * 2 + looks[rows, number]).tolist()
            # 8 kinds, 500 expected of each: 5 standard deviations
            assert all(390 < n < 610 for n in Counter(seen).values())


@pytest.mark.parametrize('distance', [0, 7, MAX_DISTANCE])
def test_objects_stand_so_far_apart(distance):
    objects = torch.full((3, 2, 3, 2, SIDE, SIDE), 10, dtype=torch.uint8)
    objects[:, 1] = 20
    places = torch.tensor([0, MAX_DISTANCE - distance, 0])
    clips = compose(objects, distance, places)
    assert clips.shape == (3, 3, 2, HEIGHT, WIDTH)
    for clip, left in zip(clips, places.tolist(), strict=True):
        row = (clip[0, 0, 0] * 50 + 110).round()
        first, second = ((row == v).nonzero()[:, 0] for v in (10, 20))
        assert first.tolist() == list(range(left, left + SIDE))
        assert second[0] - first[-1] - 1 == distance
        assert len(second) == SIDE


def test_batches_are_equal_for_equal_arguments_and_test_shares_none():
    one, two = (Task('colour', 8, 3, copies=2) for _ in range(2))
    for _ in range(2):
        assert torch.equal(one.batch(8)[0], two.batch(8)[0])
    trained, tested = bank('colour', 6, 2), bank('colour', 7, 2)
    clips = {clip.numpy().tobytes() for clip in trained.flatten(0, 2)}
    others = {clip.numpy().tobytes() for clip in tested.flatten(0, 2)}
    assert len(clips) == len(others) == 16 and not clips & others


# ------------------------------------------------------ an object by itself
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
