"""What the right object changes at the left one: plain and LGD, trained.

Trains one network of each kind, far apart (about half a minute), and replaces
the right object of test clips by one of the other colour. Where x_L changes,
the network knows of it. Draws docs/study/influence.png, and what
show_global_path.py draws, of one of the clips, as docs/study/global_path.png.
"""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lgd_tools.cli import make_parser, positive_int
from lgd_tools.figures import save_figure
from lgd_tools.study.plan import FAR, LGD, PLAIN, Run

CLIPS = 64
LEFT = 4  # column of the left object


def pairs(distance: int, seed: int) -> tuple[Any, Any]:
    """Clips (CLIPS, 3, T, H, W) of one colour, and with another right one."""
    import torch

    from lgd_tools.study.task import Task, compose

    bank = Task('colour', distance, seed, test=True).bank
    draw = torch.Generator().manual_seed(seed)
    motion, copy = (
        torch.randint(bank.size(d), (CLIPS, 2), generator=draw) for d in (0, 2)
    )
    look = torch.randint(2, (CLIPS, 1), generator=draw).expand(-1, 2)
    other = torch.stack([look[:, 0], 1 - look[:, 1]], 1)
    places = torch.full((CLIPS,), LEFT)
    same, different = (
        compose(bank[motion, which, copy], distance, places)
        for which in (look, other)
    )
    return same, different


def influence(model: Any, one: Any, two: Any) -> Any:
    """Change of x_L between clips, along the columns, over its mean: (W',)."""
    import torch

    model.eval()
    with torch.no_grad():
        maps = [model.features(clips) for clips in (one, two)]
    x, y = (m[0] if isinstance(m, tuple) else m for m in maps)
    size = x.norm(dim=1).mean()
    return ((x - y).norm(dim=1).mean((0, 1, 2)) / size).numpy()


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, '  python tools/study/influence.py')
    add = parser.add_argument
    add('--out', type=Path, default=Path('docs/study'), help='(%(default)s)')
    add('--steps', type=positive_int, default=400, help='(%(default)s)')
    args = parser.parse_args(argv)

    from lgd_tools.results.global_path import look_at
    from lgd_tools.results.global_path_picture import draw
    from lgd_tools.study.networks import receptive_field
    from lgd_tools.study.pictures import draw_influence
    from lgd_tools.study.task import SIDE, as_frames
    from lgd_tools.study.training import fit

    one, two = pairs(FAR, seed=0)
    changes = {}
    for name, variant in (('plain', PLAIN), ('LGD', LGD)):
        run = Run(*variant, FAR, seed=0, lr=3e-3, steps=args.steps)
        model, _ = fit(run)
        changes[name] = 100 * influence(model, one, two)
    frames, other = as_frames(one[0]), as_frames(two[0])
    right = LEFT + SIDE + FAR
    draw_influence(
        [('a test clip: the same colour', frames[0]),
         ('the right object replaced: another colour', other[0])],
        changes,
        (right, right + SIDE),
        (receptive_field('plain') - 1) // 2,
        args.out / 'influence.png',
    )  # fmt: skip
    # model is LGD's
    recognizer = SimpleNamespace(
        backbone=model.backbone, cls_head=model.head, with_neck=False
    )
    figure = draw(look_at(recognizer, one[:1]), frames, 'class: same')
    save_figure(figure, args.out / 'global_path.png')
    left = slice(LEFT // 2, (LEFT + SIDE) // 2)
    for name, change in changes.items():
        moved = change[left].mean()
        print(f'{name}: x_L at the left object moves {moved:.4f} %')
    return 0
