"""One list on its way to the disk, and the report on all of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from lgd_tools.cli import ToolError
from lgd_tools.lists.clips import Clip


@dataclass
class ClipList:
    """The clips of a list, also those that it will not hold.

    Its title is the file name, ``dest`` the configs' data_prefix under the
    data folder; ``notes`` are annotation rows that were ignored, by reason.
    """

    title: str
    dest: str
    clips: list[Clip]
    notes: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if not self.clips:
            raise ToolError(
                f'no clips for {self.title}: its annotation file is empty'
            )
        if all(clip.problem for clip in self.clips):
            first = self.clips[0]
            raise ToolError(
                f'none of the {len(self.clips)} clips of {self.title} is '
                f'usable under {first.root} (the first, {first.name}, is '
                f'{first.problem} {first.detail}): check that folder and the '
                'options'
            )

    def summary(self) -> dict:
        """What was listed and left out, for the report."""
        annotated, listed = Counter(), Counter()
        left_out = defaultdict(list)
        for clip in self.clips:
            annotated[clip.class_name] += 1
            listed[clip.class_name] += not clip.problem
            if clip.problem:
                told = dict(clip=clip.name, detail=clip.detail)
                left_out[clip.problem].append(told)
        classes = sorted(annotated)
        return dict(
            annotated=annotated.total(),
            listed=listed.total(),
            left_out={kind: len(found) for kind, found in left_out.items()},
            notes=dict(self.notes),
            classes_emptied=[c for c in classes if not listed[c]],
            per_class={c: [listed[c], annotated[c]] for c in classes},
            clips_left_out=left_out,
        )


def report_lines(summaries: dict[str, dict]) -> list[str]:
    """The report as text: what to know about each list."""
    lines = []
    for title, told in summaries.items():
        counts = [n for n, _ in told['per_class'].values()]
        left_out = [f'  {n} {kind}' for kind, n in told['left_out'].items()]
        notes = [f'  {n} {reason}' for reason, n in told['notes'].items()]
        lines += [
            f'{title}: {told["listed"]} of {told["annotated"]} clips; '
            f'{sum(map(bool, counts))} of {len(counts)} classes have clips, '
            f'{min(counts)} to {max(counts)} each',
            *left_out,
            *notes,
        ]
    return lines
