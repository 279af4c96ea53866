"""The study's numbers and the figures of docs/study.md, without training.

Prints a table for each question and how many runs there are; the figures are
written beside the runs.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgd_tools.cli import make_parser
from lgd_tools.study.plan import (
    LGD,
    PARTS,
    PLAIN,
    TUNING_SEED,
    Plan,
    Variant,
)
from lgd_tools.study.run import RESULTS, read_results

TWO_STAGE = ('lgd', 'two_stage')
CURVES = (LGD, ('lgd', 'kernel'), TWO_STAGE)


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
        runs = self.runs.get((variant, distance), {})
        return {seed: run['told_apart'] for seed, run in runs.items()}

    def loss(self, variant: Variant, distance: int) -> str | None:
        """Mean test loss of a classifier over ln 2, that of guessing.

        No sum f(one) + h(other) of two objects has less in the mean.
        """
        runs = self.runs.get((variant, distance), {}).values()
        if not runs:
            return None
        classifiers = 2 if variant[1] == 'both' else 1
        mean = sum(run['test_loss'] for run in runs) / len(runs)
        return f'{mean / classifiers / math.log(2):.3f}'

    def mean(self, variant: Variant, distance: int) -> Any:
        """A statistics.Mean, or None without a run."""
        from lgd_tools.study.statistics import mean_of

        values = list(self.scores(variant, distance).values())
        return mean_of(values) if values else None


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; None is a dash."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join(
        '| ' + ' | '.join('-' if c is None else str(c) for c in line) + ' |'
        for line in lines
    )


def distance_table(seen: Seen) -> str:
    """Plain and LGD at every distance, and their difference by seed."""
    from lgd_tools.study.networks import receptive_field
    from lgd_tools.study.statistics import difference

    field = receptive_field('plain')
    rows = []
    for distance in sorted(_distances()):
        pair = [seen.scores(v, distance) for v in (LGD, PLAIN)]
        rows.append(
            [
                distance,
                f'{distance / field:.2f}',
                'yes' if distance <= field - 2 else 'no',
                seen.mean(PLAIN, distance),
                seen.mean(LGD, distance),
                difference(*pair),
                seen.loss(PLAIN, distance),
                seen.loss(LGD, distance),
                len(pair[0].keys() & pair[1].keys()),
            ]
        )
    return table(
        [
            'pixels apart',
            'in receptive fields',
            'seen together',
            'plain, %',
            'LGD, %',
            'LGD - plain',
            'loss / ln 2, plain',
            'LGD',
            'seeds',
        ],
        rows,
    )


def variant_table(seen: Seen, part: str) -> str:
    """Every variant of a part, and its difference to plain by seed."""
    from lgd_tools.study.networks import receptive_field
    from lgd_tools.study.statistics import difference

    variants, (distance, *_) = PARTS[part]
    base, rows = seen.scores(PLAIN, distance), []
    for variant in variants:
        runs = list(seen.runs.get((variant, distance), {}).values())
        rows.append(
            [
                name_of(variant),
                receptive_field(variant[0]),
                f'{runs[0]["parameters"]:,}' if runs else None,
                f'{runs[0]["lr"]:g}' if runs else None,
                seen.mean(variant, distance),
                None
                if variant == PLAIN
                else difference(seen.scores(variant, distance), base),
                seen.loss(variant, distance),
                len(runs),
            ]
        )
    return table(
        [
            'network; head',
            'receptive field',
            'parameters without head',
            'learning rate',
            'told apart, %',
            'minus plain',
            'loss / ln 2',
            'seeds',
        ],
        rows,
    )


def missing_sentence(plan: Plan, results: dict[str, dict]) -> str:
    """One sentence: what was run, and what was not."""
    done, total = plan.keys(results), plan.total()
    seconds = sum(results[key]['cpu_seconds'] for key in done)
    tuning = sum(results[key]['seed'] == TUNING_SEED for key in done)
    return (
        f'{len(done)} of {total} runs are done, {tuning} of them to choose '
        f'learning rates: {seconds / 60:.0f} minutes of one CPU thread in '
        'all.'
    )


def _distances() -> set[int]:
    return set(PARTS['distance'][1]) | set(PARTS['more_distances'][1])


def draw(seen: Seen, plan: Plan, folder: Path) -> list[Path]:
    """Write every figure that there are results for."""
    from lgd_tools.study import pictures
    from lgd_tools.study.networks import receptive_field
    from lgd_tools.study.training import SWITCH

    made = []

    def target(name: str) -> Path:
        made.append(folder / name)
        return made[-1]

    rows = []
    for distance in sorted(_distances()):
        pair = {
            name: seen.mean(v, distance)
            for name, v in (('plain', PLAIN), ('LGD', LGD))
        }
        rows.append((distance, {k: m for k, m in pair.items() if m}))
    if any(row for _, row in rows):
        field = receptive_field('plain')
        pictures.draw_distances(rows, field, target('distance.png'))
    for part in ('networks', 'heads'):
        variants, (distance, *_) = PARTS[part]
        found = [
            (
                name_of(v),
                seen.mean(v, distance),
                list(seen.scores(v, distance).values()),
            )
            for v in variants
            if seen.mean(v, distance)
        ]
        if found:
            pictures.draw_dots(found, target(f'{part}.png'))
    far = PARTS['heads'][1][0]
    curves = {
        name_of(v): [run['curve'] for run in seen.runs[v, far].values()]
        for v in CURVES
        if (v, far) in seen.runs
    }
    if curves:
        switch = None
        if (TWO_STAGE, far) in seen.runs:
            switch = round(SWITCH * plan.steps)
        pictures.draw_curves(curves, switch, target('curves.png'))
    pictures.draw_clips(_examples(plan), target('clips.png'))
    return made


def _examples(plan: Plan) -> list[tuple[str, Any]]:
    from lgd_tools.study.task import Task, as_frames

    found = []
    for distance in (0, 12, 40):
        clips, labels = Task(plan.question, distance, 0).batch(2)
        for clip, label in zip(clips, labels, strict=True):
            title = f'{distance} pixels apart, {("different", "same")[label]}'
            found.append((title, as_frames(clip)[0]))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = make_parser(__doc__, '  python tools/study/report.py')
    add = parser.add_argument
    add('--runs', type=Path, default=RESULTS, help='JSON (%(default)s)')
    add('--figures', type=Path, help='folder (default: beside the runs)')
    args = parser.parse_args(argv)
    plan, results = Plan(), read_results(args.runs)
    seen = Seen(plan, results)
    print('Distance, plain and LGD', distance_table(seen), sep='\n')
    for part in ('networks', 'heads'):
        print(f'\n{part.capitalize()}', variant_table(seen, part), sep='\n')
    print('', missing_sentence(plan, results), sep='\n')
    for path in draw(seen, plan, args.figures or args.runs.parent):
        print(path)
    return 0
