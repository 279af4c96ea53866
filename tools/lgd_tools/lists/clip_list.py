"""One list on its way to the disk, and the report on all of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from lgd_tools.cli import ToolError
from lgd_tools.lists.clips import Clip


@dataclass
class Entry:
    """A clip of a list, listed if it has no problem.

    Args:
        clip: The clip.
        path: Where it lies under the folder of its list; '' where missing.
        problem: 'missing', 'empty', 'unreadable', 'excluded', or ''.
        detail: More on the problem.
        total: Number of its flows; None in lists of videos.
    """

    clip: Clip
    path: str = ''
    problem: str = ''
    detail: str = ''
    total: int | None = None


@dataclass
class ClipList:
    """The clips of a list, also those that it will not hold.

    Args:
        title: Its file name; the report calls it so.
        root: Folder that was searched.
        dest: The configs' data_prefix under the data folder.
        entries: Its clips.
        notes: Annotation rows that were ignored, by reason.

    Raises:
        ToolError: Not one clip is left.
    """

    title: str
    root: Path | None
    dest: str
    entries: list[Entry]
    notes: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if not self.entries:
            raise ToolError(
                f'no clips for {self.title}: its annotation file is empty'
            )
        if all(entry.problem for entry in self.entries):
            first = self.entries[0]
            raise ToolError(
                f'none of the {len(self.entries)} clips of {self.title} is '
                f'usable under {self.root} (the first, {first.clip.name}, '
                f'is {first.problem} {first.detail}): check that folder and '
                'the options'
            )

    def summary(self) -> dict:
        """What was listed and left out, for the report."""
        annotated, listed = Counter(), Counter()
        left_out = defaultdict(list)
        for entry in self.entries:
            name = entry.clip.class_name
            annotated[name] += 1
            listed[name] += not entry.problem
            if entry.problem:
                told = dict(clip=entry.clip.name, detail=entry.detail)
                left_out[entry.problem].append(told)
        return dict(
            annotated=annotated.total(),
            listed=listed.total(),
            left_out={kind: len(found) for kind, found in left_out.items()},
            notes=dict(self.notes),
            classes_emptied=[c for c in sorted(annotated) if not listed[c]],
            per_class={
                c: [listed[c], annotated[c]] for c in sorted(annotated)
            },
            clips_left_out=left_out,
        )


def report_lines(summaries: dict[str, dict]) -> list[str]:
    """The report as text: what to know about each list."""
    lines = []
    for title, told in summaries.items():
        counts = [n for n, _ in told['per_class'].values()]
        left_out = [f'{n} {kind}' for kind, n in told['left_out'].items()]
        notes = [f'{n} {reason}' for reason, n in told['notes'].items()]
        lines += [
            f'{title}: {told["listed"]} of {told["annotated"]} clips; '
            f'{sum(map(bool, counts))} of {len(counts)} classes have clips, '
            f'{min(counts)} to {max(counts)} each',
            *(f'  {what}' for what in (*left_out, *notes)),
        ]
    return lines
