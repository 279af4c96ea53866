"""The numbers that one training run logged, resumed or not.

mmengine makes a folder with a time stamp in the work directory each time a
run is started or resumed, with one JSON line a logged step in
`<stamp>/vis_data/scalars.json`. They are merged into one course: a later
start replaces what was logged from its first step on.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lgd_tools.cli import ToolError

STAGE_1_LOSSES = ('loss_local', 'loss_global')
STAGE_2_LOSS = 'loss_cls'


@dataclass
class Course:
    """Logged values of a run, in order.

    Attributes:
        unit: What `x` counts, 'epoch' or 'iteration'.
        train: One dict a logged training step: `x` (end of the step, in
            units from 0) and what mmengine logged.
        val: The same of every validation.
        switch: End of stage 1 in units; None: no change of stage was seen.
        starts: How often the run was started or resumed.
    """

    unit: str
    train: list[dict]
    val: list[dict]
    switch: float | None
    starts: int

    def curve(self, split: str, key: str) -> tuple[list[float], list[float]]:
        """x and y of a logged value, of one stage where it has a stage.

        mmengine goes on logging the losses of stage 1, unchanged, after the
        switch; these points are left out.
        """
        points = [
            (row['x'], row[key])
            for row in getattr(self, split)
            if _is_number(row.get(key))
            and not (
                key in STAGE_1_LOSSES
                and self.switch is not None
                and row['x'] > self.switch
            )
        ]
        return [x for x, _ in points], [y for _, y in points]

    def keys(self, split: str) -> list[str]:
        """The names of the values, in the order of first appearance."""
        rows = getattr(self, split)
        return list(dict.fromkeys(key for row in rows for key in row))


def read_course(work_dir: str | os.PathLike) -> Course:
    """Reads and merges all that a work directory logged.

    Raises:
        ToolError: There is no such folder, or nothing of training in it.
    """
    work_dir = Path(work_dir)
    if not work_dir.is_dir():
        raise ToolError(
            f'there is no work directory {work_dir}: name the folder that '
            'tools/train.py wrote (--work-dir)'
        )
    # time stamps sort as text
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    train: list[dict] = []
    val: list[dict] = []
    starts = 0
    for file in files:
        new_train, new_val = _read_session(file)
        if new_train:
            starts += 1
            first = new_train[0]
            train = [r for r in train if r['step'] < first['step']]
            # validation counts epochs where training does
            begin = first.get('epoch', first['step'])
            val = [r for r in val if r['step'] < begin]
        # the same validation again says the last word
        steps = {r['step'] for r in new_val}
        val = [r for r in val if r['step'] not in steps] + new_val
        train += new_train
    if not train:
        raise ToolError(
            f'{work_dir} holds no log of training (*/vis_data/scalars.json '
            'with losses): name the folder that tools/train.py wrote'
        )
    return _course(train, val, starts)


def _read_session(file: Path) -> tuple[list[dict], list[dict]]:
    """Training and validation records of one start, the last of each step."""
    train: dict[int, dict] = {}
    val: dict[int, dict] = {}
    lines = file.read_text('utf-8', errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines):
                continue  # a killed run leaves half a line
            reason = getattr(error, 'msg', error)
            raise ToolError(
                f'{file}:{number} is no JSON ({reason}): repair or '
                'remove that line'
            ) from None
        if not isinstance(row, dict) or not _counts(row):
            raise ToolError(
                f'{file}:{number} is no record of a step: name a folder '
                'that tools/train.py wrote'
            )
        (train if 'loss' in row else val)[row['step']] = row
    return list(train.values()), list(val.values())


def _counts(row: dict) -> bool:
    """Whether step and epoch, if there is one, can be what they are."""
    return all(
        type(n) is int and 0 <= n < 2**53
        for n in (row.get('step'), row.get('epoch', 1))
    )


def _course(train: list[dict], val: list[dict], starts: int) -> Course:
    by_epoch = all(row.get('epoch') for row in train)
    unit, length = 'iteration', 1.0
    if by_epoch:
        unit = 'epoch'
        # steps of an epoch: its last one is logged, so this is exact
        length = max(row['step'] / row['epoch'] for row in train)
    for row in train:
        row['x'] = row['step'] / length
    for row in val:
        row['x'] = float(row['step'])
    # where loss (6) is logged first, unless it was there from the start
    switch = None
    first = next(
        (i for i, row in enumerate(train) if STAGE_2_LOSS in row), None
    )
    if first and any(k in train[first - 1] for k in STAGE_1_LOSSES):
        row = train[first]
        switch = row['epoch'] - 1.0 if by_epoch else train[first - 1]['x']
    return Course(unit, train, val, switch, starts)


def _is_number(value: object) -> bool:
    # JSON integers have no end, floats have one
    return isinstance(value, int | float) and abs(value) <= 1e300
