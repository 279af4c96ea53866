"""All runs of the study, in the order of what they tell.

Every network and head has the same budget for its learning rate: a few at
TUNING_DISTANCES on TUNING_SEED, which is not reported; the rate of the lowest
mean test loss is taken. A reported run waits for the runs that tune it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

# a position of the plain network sees both objects up to 25 pixels apart
FAR, NEAR = 40, 12
TUNING_DISTANCES = (NEAR, FAR)
TUNING_SEED = 100

Variant = tuple[str, str]  # network, head
PLAIN, LGD = ('plain', 'local'), ('lgd', 'both')
# part -> the variants that it compares, and at which distances
PARTS: dict[str, tuple[list[Variant], tuple[int, ...]]] = {
    'distance': ([PLAIN, LGD], (FAR, 8, 16, 24)),
    'networks': (
        [
            *(PLAIN, LGD, ('global_to_local', 'both')),
            *(('local_to_global', 'both'), ('multiplicative', 'both')),
            *(('neck', 'both'), ('squeeze', 'local'), ('non_local', 'local')),
            *(('wide', 'local'), ('deep', 'local')),
        ],
        (FAR,),
    ),
    'heads': (
        [
            *(PLAIN, ('plain', 'kernel_local'), ('plain', 'two_stage_local')),
            *(('lgd', 'local'), ('lgd', 'global'), LGD),
            *(('lgd', 'kernel'), ('lgd', 'two_stage')),
        ],
        (FAR,),
    ),
    'more_distances': ([PLAIN, LGD], (0, 4, 12, 20, 28)),
}


@dataclass(frozen=True)
class Run:
    """What a run is; equal runs give equal results on one machine."""

    network: str  # one of networks.NETWORKS
    head: str  # one of networks.HEADS
    distance: int  # pixels between the two objects
    seed: int  # of the weights and of the clips
    lr: float  # the largest learning rate
    question: str = 'colour'  # one of task.QUESTIONS
    steps: int = 800  # of 32 clips each

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

    Results are what `training.train` returns, by the key of the run.
    """

    question: str = 'colour'
    steps: int = 800
    seeds: tuple[int, ...] = tuple(range(5))  # the reported ones
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)  # to choose from
    parts: tuple[str, ...] = tuple(PARTS)

    def _run(
        self, variant: Variant, distance: int, seed: int, lr: float
    ) -> Run:
        return Run(*variant, distance, seed, lr, self.question, self.steps)

    def tuning(self, variant: Variant) -> list[Run]:
        """The runs that choose a variant's learning rate."""
        if len(self.rates) == 1:
            return []
        return [
            self._run(variant, distance, TUNING_SEED, lr)
            for distance, lr in product(TUNING_DISTANCES, self.rates)
        ]

    def rate(self, variant: Variant, results: dict[str, dict]) -> float | None:
        """The learning rate of a variant; None while runs are missing."""
        runs = self.tuning(variant)
        if any(run.key not in results for run in runs):
            return None

        def loss(lr: float) -> float:
            same = [run.key for run in runs if run.lr == lr]
            return sum(results[key]['test_loss'] for key in same)

        return min(self.rates, key=loss)

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

    def _known(self, results: dict[str, dict]) -> dict[str, Run]:
        """The runs whose learning rate is known, the most telling first."""
        found = {}
        for part in self.parts:
            for variant, run in self.reported(part, results):
                runs = [*self.tuning(variant), run]
                found |= {run.key: run for run in runs if run}
        return found

    def missing(self, results: dict[str, dict]) -> list[Run]:
        """The runs that can start now, the most telling first."""
        known = self._known(results).items()
        return [run for key, run in known if key not in results]

    def keys(self, results: dict[str, dict]) -> set[str]:
        """The runs of this plan that are done."""
        return self._known(results).keys() & results.keys()

    def total(self) -> int:
        """How many runs there are in all."""
        results = {}
        while runs := self.missing(results):
            results |= {run.key: {'test_loss': 0.0} for run in runs}
        return len(results)
