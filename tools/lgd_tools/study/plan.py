"""All runs of the study, in the order of what they tell.

Every network and head has the same budget for its learning rate: RATES at
TUNING_DISTANCES on TUNING_SEED, which is not reported; the rate of the lowest
mean test loss is taken. A reported run waits for the runs that tune it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

# a position of the plain network sees both objects up to 25 pixels apart
FAR, NEAR = 40, 12
RATES = (1e-3, 3e-3, 1e-2)
TUNING_DISTANCES = (NEAR, FAR)
TUNING_SEED = 100
SEEDS = range(5)

Variant = tuple[str, str]  # network, head
PLAIN, LGD = ('plain', 'local'), ('lgd', 'both')
# part -> the variants that it compares, and at which distances
PARTS: dict[str, tuple[list[Variant], tuple[int, ...]]] = {
    'distance': ([PLAIN, LGD], (FAR, 8, 16, 24)),
    'networks': (
        [
            PLAIN,
            LGD,
            ('global_to_local', 'both'),
            ('local_to_global', 'both'),
            ('multiplicative', 'both'),
            ('neck', 'both'),
            ('squeeze', 'local'),
            ('non_local', 'local'),
            ('wide', 'local'),
            ('deep', 'local'),
        ],
        (FAR,),
    ),
    'heads': (
        [
            PLAIN,
            ('plain', 'kernel_local'),
            ('plain', 'two_stage_local'),
            ('lgd', 'local'),
            ('lgd', 'global'),
            LGD,
            ('lgd', 'kernel'),
            ('lgd', 'two_stage'),
        ],
        (FAR,),
    ),
    'more_distances': ([PLAIN, LGD], (0, 4, 12, 20, 28)),
}


@dataclass(frozen=True)
class Run:
    """What a run is; equal runs give equal results on one machine.

    Args:
        network: One of networks.NETWORKS.
        head: One of networks.HEADS.
        distance: Pixels between the two objects.
        seed: Of the weights and of the clips.
        lr: The largest learning rate.
        question: One of task.QUESTIONS.
        steps: Of 32 clips each.
    """

    network: str
    head: str
    distance: int
    seed: int
    lr: float
    question: str = 'colour'
    steps: int = 800

    @property
    def key(self) -> str:
        """Name of the run's JSON."""
        return (
            f'{self.question}-{self.network}-{self.head}-d{self.distance}-'
            f'lr{self.lr:g}-n{self.steps}-s{self.seed}'
        )


@dataclass(frozen=True)
class Plan:
    """The study, or a smaller one for a test.

    Args:
        question: One of task.QUESTIONS.
        steps: Of every run.
        seeds: The reported ones.
        rates: Learning rates to choose from.
        parts: Those of PARTS.
    """

    question: str = 'colour'
    steps: int = 800
    seeds: tuple[int, ...] = tuple(SEEDS)
    rates: tuple[float, ...] = RATES
    parts: tuple[str, ...] = tuple(PARTS)

    def _run(
        self, variant: Variant, distance: int, seed: int, lr: float
    ) -> Run:
        return Run(*variant, distance, seed, lr, self.question, self.steps)

    def tuning(self, variant: Variant) -> list[Run]:
        """The runs that choose a variant's learning rate."""
        return [
            self._run(variant, distance, TUNING_SEED, lr)
            for distance, lr in product(TUNING_DISTANCES, self.rates)
        ]

    def rate(self, variant: Variant, results: dict[str, dict]) -> float | None:
        """The learning rate of a variant; None while runs are missing."""
        if len(self.rates) == 1:
            return self.rates[0]
        runs = self.tuning(variant)
        if not all(run.key in results for run in runs):
            return None
        return min(
            self.rates,
            key=lambda lr: sum(
                results[run.key]['test_loss'] for run in runs if run.lr == lr
            ),
        )

    def reported(
        self, part: str, results: dict[str, dict]
    ) -> Iterator[tuple[Variant, Run | None]]:
        """Variants and runs of a part; None where the rate is not chosen."""
        variants, distances = PARTS[part]
        for distance, seed, variant in product(
            distances, self.seeds, variants
        ):
            lr = self.rate(variant, results)
            yield variant, lr and self._run(variant, distance, seed, lr)

    def missing(self, results: dict[str, dict]) -> list[Run]:
        """The runs that can start now, the most telling first."""
        found = {}
        for part in self.parts:
            for variant, run in self.reported(part, results):
                runs = [run] if run else self.tuning(variant)
                found |= {r.key: r for r in runs if r.key not in results}
        return list(found.values())

    def keys(self, results: dict[str, dict]) -> set[str]:
        """The runs of this plan that are done."""
        mine = set()
        for part in self.parts:
            for variant, run in self.reported(part, results):
                mine |= {r.key for r in [run, *self.tuning(variant)] if r}
        return mine & results.keys()

    def total(self) -> int:
        """How many runs there are in all."""
        reported = {
            (variant, distance, seed)
            for part in self.parts
            for variant, distance in product(*PARTS[part])
            for seed in self.seeds
        }
        variants = {variant for variant, _, _ in reported}
        tuning = len(TUNING_DISTANCES) * len(self.rates) * len(variants)
        return len(reported) + tuning * (len(self.rates) > 1)

    def left(self, results: dict[str, dict]) -> int:
        """How many runs are missing."""
        return self.total() - len(self.keys(results))
