"""What a converter tells about the clips that it listed and left out."""

from collections import Counter
from collections.abc import Sequence

from lgd_tools.cli import printable
from lgd_tools.lists.clips import Clip

# What may keep a clip out of a list, in the order of the report.
PROBLEMS = ('missing', 'empty', 'unreadable', 'too short')
# Less usual: one frame folder for two clips; left out by --exclude; by
# --common. Their columns appear where there are any.
RARE_PROBLEMS = ('ambiguous', 'excluded', 'unpaired')


class Section:
    """What became of the clips of one list."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.listed = 0
        self.notes: Counter = Counter()
        self.dropped: dict[str, list[tuple[str, str]]] = {}
        self.annotated_of: Counter = Counter()
        self.listed_of: Counter = Counter()

    def keep(self, clip: Clip) -> None:
        self.listed += 1
        self.annotated_of[clip.class_name] += 1
        self.listed_of[clip.class_name] += 1

    def drop(self, clip: Clip, kind: str, detail: str) -> None:
        self.dropped.setdefault(kind, []).append((clip.name, detail))
        self.annotated_of[clip.class_name] += 1

    @property
    def num_dropped(self) -> int:
        return sum(map(len, self.dropped.values()))

    @property
    def incomplete(self) -> bool:
        """Whether clips are lacking that the user did not exclude."""
        return self.num_dropped > len(self.dropped.get('excluded', ()))

    @property
    def emptied(self) -> list[str]:
        """Classes of which nothing is left."""
        return sorted(c for c in self.annotated_of if not self.listed_of[c])

    def to_dict(self) -> dict:
        dropped = {
            kind: [
                {'clip': printable(name), 'detail': printable(detail)}
                for name, detail in items
            ]
            for kind, items in self.dropped.items()
        }
        return {
            'annotated': self.listed + self.num_dropped,
            'listed': self.listed,
            'left_out': {k: len(v) for k, v in self.dropped.items()},
            'notes': dict(self.notes),
            'classes_emptied': list(map(printable, self.emptied)),
            'per_class': {
                printable(name): [self.listed_of[name], count]
                for name, count in sorted(self.annotated_of.items())
            },
            'clips_left_out': dropped,
        }


def report_lines(sections: Sequence[Section]) -> list[str]:
    """The report as text: a table, then what to know about each list."""
    width = max(len(s.title) for s in sections)
    rare = [p for p in RARE_PROBLEMS if any(p in s.dropped for s in sections)]
    problems = (*PROBLEMS, *rare)
    head = ('annotated', 'listed', *problems)
    lines = [' '.join([f'{"list":{width}}', *(f'{h:>10}' for h in head)])]
    for section in sections:
        counts = [section.listed + section.num_dropped, section.listed]
        counts += [len(section.dropped.get(p, ())) for p in problems]
        row = ' '.join(f'{count:>10}' for count in counts)
        lines.append(f'{section.title:{width}} {row}')
    for section in sections:
        for reason, count in sorted(section.notes.items()):
            lines.append(f'{section.title}: {count} {reason}')
        left = sorted((section.listed_of[c], c) for c in section.annotated_of)
        if len(left) > 1:
            (low, low_name), (high, high_name) = left[0], left[-1]
            lines.append(
                f'{section.title}: {len(left) - len(section.emptied)} of '
                f'{len(left)} classes have clips, from {low} ({low_name}) '
                f'to {high} ({high_name})'
            )
    return [printable(line) for line in lines]
