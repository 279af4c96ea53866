"""Show what the global path does in a video: one PNG each.

(a) how much of g each residual unit adds to the local path, and what that is
worth for the score of the class; (b) where in space and time it acts, beside
Grad-CAM of the local path; (c) which frames move g most.
"""

from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    non_negative_int,
    require_file,
)
from lgd_tools.figures import save_figure
from lgd_tools.prediction.arguments import add_network, parse_network

EXAMPLE = (
    '  python tools/analysis/show_global_path.py configs/lgd3d_r50_k400.py '
    '\\\n      work_dirs/a/epoch_50.pth clip.mp4 --out pictures'
)


def main(argv: Sequence[str] | None = None) -> int:
    parser = make_parser(__doc__, EXAMPLE)
    add_network(parser)
    add = parser.add_argument
    # fmt: off
    add('video', nargs='+', help='video files')
    add('--out', type=Path, default=Path(), metavar='DIR',
        help='folder of VIDEO_global_path.png (default: the current one)')
    add('--label-map', help='names of the classes, one a line (default: '
        'label_map.txt beside the test list of the config)')
    add('--class-index', type=non_negative_int, metavar='K',
        help='the class to look at (default: the predicted one)')
    # fmt: on
    args = parse_network(parser, argv, 'video')
    videos = [require_file(video, 'video') for video in args.video]
    # torch after --help
    from lgd_tools.prediction.recognizer import classes_of, load_recognizer
    from lgd_tools.results.global_path import look_at, read_clip
    from lgd_tools.results.global_path_picture import draw, summary

    model, cfg = load_recognizer(args.config, args.checkpoint)
    names = classes_of(model, cfg, args.label_map)
    if args.class_index is not None and args.class_index >= len(names):
        raise ToolError(
            f'--class-index is {args.class_index}: the network has classes 0 '
            f'to {len(names) - 1}'
        )
    for video in videos:
        clip, frames = read_clip(model, cfg, str(video))
        found = look_at(model, clip, args.class_index)
        title = f'{video.name}: {names[found.class_index]}'
        out = args.out / f'{video.stem}_global_path.png'
        save_figure(draw(found, frames, title), out)
        print(f'{summary(found, title)}\nwrote {out}')
    return 0
