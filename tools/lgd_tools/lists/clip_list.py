"""One list on its way to the disk, and the report on all of them."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lgd_tools.cli import ToolError
from lgd_tools.lists.clips import Clip

# What may keep a clip out of a list, in the order of the report.
PROBLEMS = ('missing', 'empty', 'unreadable', 'excluded')


@dataclass
class ClipList:
    """The clips of a list while it is not yet known which it will hold.

    Args:
        title: Its file name; the report calls it so.
        clips: The clips of the split.
        root: Folder that was searched.
        dest: The configs' data_prefix under the data folder.
        notes: Annotation rows that were ignored, by reason.
        names: Where each clip lies under ``root``, '' where it is missing.
        problems: ``(kind, detail)`` of each clip, ``('', '')`` of a good one.
        totals: Number of pictures of each clip; None in lists of videos.
    """

    title: str
    clips: Sequence[Clip]
    root: Path
    dest: str
    notes: Counter
    names: list[str]
    problems: list[tuple[str, str]]
    totals: list[int] | None = None

    def require_some(self) -> None:
        """Raise ToolError where not one clip is left."""
        if not self.clips:
            raise ToolError(
                f'no clips for {self.title}: its annotation file is empty'
            )
        if all(kind for kind, _ in self.problems):
            kind, detail = self.problems[0]
            raise ToolError(
                f'none of the {len(self.clips)} clips of {self.title} is '
                f'usable under {self.root} (the first, {self.clips[0].name}, '
                f'is {kind}{": " if detail else ""}{detail}): check that '
                'folder and the options'
            )

    def summary(self) -> dict:
        """What was listed and left out, for the report."""
        annotated, listed = Counter(), Counter()
        left_out = defaultdict(list)
        for clip, (kind, detail) in zip(
            self.clips, self.problems, strict=True
        ):
            annotated[clip.class_name] += 1
            if kind:
                left_out[kind].append(dict(clip=clip.name, detail=detail))
            else:
                listed[clip.class_name] += 1
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
    """The report as text: a table, then what to know about each list."""
    width = max(map(len, summaries))
    head = ('annotated', 'listed', *PROBLEMS)
    lines = [' '.join([f'{"list":{width}}', *(f'{h:>10}' for h in head)])]
    for title, told in summaries.items():
        counts = [told['annotated'], told['listed']]
        counts += [told['left_out'].get(p, 0) for p in PROBLEMS]
        row = ' '.join(f'{count:>10}' for count in counts)
        lines.append(f'{title:{width}} {row}')
    for title, told in summaries.items():
        for reason, count in sorted(told['notes'].items()):
            lines.append(f'{title}: {count} {reason}')
        counts = sorted(
            (n, name) for name, (n, _) in told['per_class'].items()
        )
        if len(counts) > 1:
            (low, low_name), (high, high_name) = counts[0], counts[-1]
            with_clips = len(counts) - len(told['classes_emptied'])
            lines.append(
                f'{title}: {with_clips} of {len(counts)} classes have clips, '
                f'from {low} ({low_name}) to {high} ({high_name})'
            )
    return lines
