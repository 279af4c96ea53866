"""The numbers that one training run logged, resumed or not.

mmengine makes a folder with a time stamp in the work directory each time a
run is started or resumed, with one JSON line a logged step in
`<stamp>/vis_data/scalars.json`. They are merged into one course: a later
start replaces what was logged from its first step on.
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from lgd_tools.cli import ToolError, require_dir

STAGE_1_LOSSES = ('loss_local', 'loss_global')
STAGE_2_LOSS = 'loss_cls'


@dataclass
class Course:
    """Logged values of a run, in order.

    A row is what mmengine logged of a training step or a validation, and
    `x`: its end, counted in units from 0.
    """

    unit: str  # 'epoch' or 'iteration'
    train: list[dict]
    val: list[dict]
    switch: float | None  # end of stage 1 in units; None: none was seen
    starts: int  # how often the run was started or resumed

    def curve(self, split: str, key: str) -> tuple[list[float], list[float]]:
        """x and y of a logged value, of one stage where it has a stage.

        mmengine goes on logging the losses of stage 1, unchanged, after the
        switch; these points are left out.
        """
        end = math.inf
        if key in STAGE_1_LOSSES and self.switch is not None:
            end = self.switch
        points = [
            (row['x'], row[key])
            for row in getattr(self, split)
            if math.isfinite(row.get(key, math.nan)) and row['x'] <= end
        ]
        return [x for x, _ in points], [y for _, y in points]

    def keys(self, split: str) -> list[str]:
        """The names of the values, in the order of first appearance."""
        rows = getattr(self, split)
        return list(dict.fromkeys(key for row in rows for key in row))


def read_course(work_dir: str | os.PathLike) -> Course:
    """Read and merge all that a work directory logged."""
    work_dir = require_dir(work_dir, 'work directory')
    train: dict[int, dict] = {}
    val: dict[int, dict] = {}
    starts = 0
    # time stamps sort as text
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        rows = read_records(file)
        first = next((row for row in rows if 'loss' in row), None)
        if first is not None:
            starts += 1
            train = {s: r for s, r in train.items() if s < first['step']}
            # validation counts epochs where training does
            begin = first.get('epoch', first['step'])
            val = {s: r for s, r in val.items() if s < begin}
        for row in rows:
            (train if 'loss' in row else val)[row['step']] = row
    if not train:
        raise ToolError(
            f'{work_dir} holds no log of training (*/vis_data/scalars.json '
            'with losses): name the folder that tools/train.py wrote'
        )
    return _course(list(train.values()), list(val.values()), starts)


def read_records(file: Path) -> list[dict]:
    """The logged steps of one start."""
    rows = []
    lines = file.read_text('utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            if number < len(lines):  # a killed run leaves half a line
                raise ToolError(
                    f'{file}:{number} is no record of a step in JSON: remove '
                    'that line, or name a folder that tools/train.py wrote'
                ) from None
    return rows


def _course(train: list[dict], val: list[dict], starts: int) -> Course:
    by_epoch = all(row.get('epoch') for row in train)
    # steps of an epoch: its last one is logged, so this is exact
    length = max(r['step'] / r['epoch'] for r in train) if by_epoch else 1
    for row in train:
        row['x'] = row['step'] / length
    for row in val:
        row['x'] = float(row['step'])
    # where loss (6) is logged first, unless it was there from the start
    switch = None
    for before, row in zip(train, train[1:], strict=False):
        if STAGE_2_LOSS in before:
            break
        if STAGE_2_LOSS in row and any(k in before for k in STAGE_1_LOSSES):
            switch = row['epoch'] - 1.0 if by_epoch else before['x']
    unit = 'epoch' if by_epoch else 'iteration'
    return Course(unit, train, val, switch, starts)
