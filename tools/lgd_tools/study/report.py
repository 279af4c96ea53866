"""The study's numbers and the figures of docs/study.md, without training.

Prints a table for each question and how many runs there are; the figures are
written beside the runs.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgd_tools.cli import make_parser, markdown_table
from lgd_tools.study.plan import (
    FAR,
    LGD,
    NEAR,
    PARTS,
    PLAIN,
    TUNING_SEED,
    Plan,
    Variant,
)
from lgd_tools.study.run import RESULTS, read_results
from lgd_tools.study.statistics import Mean, difference, mean_of

DISTANCES = sorted({*PARTS['distance'][1], *PARTS['more_distances'][1]})
CURVES = (LGD, ('lgd', 'kernel'), ('lgd', 'two_stage'))


def name_of(variant: Variant) -> str:
    """Network and head, in words."""
    from lgd_tools.study.networks import HEADS, NETWORKS

    network, head = variant
    return f'{NETWORKS[network][0]}; {HEADS[head][0]}'


class Seen:
    """The reported results of a plan.

    Attributes:
        runs: (variant, distance) -> seed -> result.
    """

    def __init__(self, plan: Plan, results: dict[str, dict]) -> None:
        self.runs: dict[Any, dict[int, dict]] = defaultdict(dict)
        for part in plan.parts:
            for variant, run in plan.reported(part, results):
                if run and run.key in results:
                    place = self.runs[variant, run.distance]
                    place[run.seed] = results[run.key]

    def scores(self, variant: Variant, distance: int) -> dict[int, float]:
        """Seed -> share of pairs told apart."""
        runs = self.runs[variant, distance].items()
        return {seed: run['told_apart'] for seed, run in runs}

    def mean(self, variant: Variant, distance: int) -> Mean | None:
        """Mean of the scores; None without a run."""
        scores = self.scores(variant, distance)
        return mean_of([*scores.values()]) if scores else None

    def loss(self, variant: Variant, distance: int) -> str | None:
        """Mean test loss of a classifier over ln 2, that of guessing.

        No sum f(one) + h(other) of two objects has less in the mean.
        """
        runs = self.runs[variant, distance].values()
        if not runs:
            return None
        classifiers = 2 if variant[1] == 'both' else 1
        mean = sum(run['test_loss'] for run in runs) / len(runs)
        return f'{mean / classifiers / math.log(2):.3f}'


def distance_table(seen: Seen) -> str:
    """Plain and LGD at every distance, and their difference by seed."""
    from lgd_tools.study.networks import receptive_field

    field = receptive_field('plain')
    head = [
        *('pixels apart', 'in receptive fields', 'seen together'),
        *('plain, %', 'LGD, %', 'LGD - plain'),
        *('loss / ln 2, plain', 'LGD', 'seeds'),
    ]
    rows = []
    for distance in DISTANCES:
        lgd, plain = (seen.scores(v, distance) for v in (LGD, PLAIN))
        rows.append(
            [
                distance,
                f'{distance / field:.2f}',
                'yes' if distance <= field - 2 else 'no',
                *(seen.mean(v, distance) for v in (PLAIN, LGD)),
                difference(lgd, plain),
                *(seen.loss(v, distance) for v in (PLAIN, LGD)),
                len(lgd.keys() & plain.keys()),
            ]
        )
    return markdown_table(head, rows)


def variant_table(seen: Seen, part: str) -> str:
    """Every variant of a part, and its difference to plain by seed."""
    from lgd_tools.study.networks import receptive_field

    head = [
        *('network; head', 'receptive field', 'parameters without head'),
        *('learning rate', 'told apart, %', 'minus plain'),
        *('loss / ln 2', 'seeds'),
    ]
    rows, plain = [], seen.scores(PLAIN, FAR)
    for variant in PARTS[part][0]:
        runs = list(seen.runs[variant, FAR].values())
        minus = difference(seen.scores(variant, FAR), plain)
        rows.append(
            [
                name_of(variant),
                receptive_field(variant[0]),
                f'{runs[0]["parameters"]:,}' if runs else None,
                f'{runs[0]["lr"]:g}' if runs else None,
                seen.mean(variant, FAR),
                None if variant == PLAIN else minus,
                seen.loss(variant, FAR),
                len(runs),
            ]
        )
    return markdown_table(head, rows)


def draw(seen: Seen, plan: Plan, folder: Path) -> None:
    """Write every figure that there are results for."""
    from lgd_tools.study import pictures
    from lgd_tools.study.networks import receptive_field
    from lgd_tools.study.task import Task, as_frames
    from lgd_tools.study.training import SWITCH

    lines = {
        name: [
            (distance, *mean)
            for distance in DISTANCES
            if (mean := seen.mean(variant, distance))
        ]
        for name, variant in (('plain', PLAIN), ('LGD', LGD))
    }
    field = receptive_field('plain')
    pictures.draw_distances(lines, field, folder / 'distance.png')
    for part in ('networks', 'heads'):
        found = [
            (name_of(v), mean, list(seen.scores(v, FAR).values()))
            for v in PARTS[part][0]
            if (mean := seen.mean(v, FAR))
        ]
        pictures.draw_dots(found, folder / f'{part}.png')
    curves = {
        name_of(v): [run['curve'] for run in runs]
        for v in CURVES
        if (runs := seen.runs[v, FAR].values())
    }
    switch = round(SWITCH * plan.steps)
    pictures.draw_curves(curves, switch, folder / 'curves.png')
    clips = [
        (
            f'{distance} pixels apart, {("different", "same")[label]}',
            as_frames(clip)[0],
        )
        for distance in (0, NEAR, FAR)
        for clip, label in zip(
            *Task(plan.question, distance, 0).batch(2), strict=True
        )
    ]
    pictures.draw_clips(clips, folder / 'clips.png')


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, '  python tools/study/report.py')
    add = parser.add_argument
    add('--runs', type=Path, default=RESULTS, help='JSON (%(default)s)')
    args = parser.parse_args(argv)
    plan, results = Plan(), read_results(args.runs)
    seen = Seen(plan, results)
    print('Distance, plain and LGD', distance_table(seen), sep='\n')
    for part in ('networks', 'heads'):
        print(f'\n{part.capitalize()}', variant_table(seen, part), sep='\n')
    done = [results[key] for key in plan.keys(results)]
    seconds = sum(result['cpu_seconds'] for result in done)
    tuning = sum(result['seed'] == TUNING_SEED for result in done)
    print(
        f'\n{len(done)} of {plan.total()} runs are done, {tuning} of them to '
        f'choose learning rates: {seconds / 60:.0f} minutes of one CPU thread '
        'in all.'
    )
    draw(seen, plan, args.runs.parent)
    return 0
