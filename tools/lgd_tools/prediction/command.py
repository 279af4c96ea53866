"""Say what is to be seen in videos: files, folders, patterns, a camera.

Writes under --out

  predictions.csv    video, start, end (seconds), classes and scores
  predictions.json   the same, and which files could not be read
  <video>.png        with --timeline: scores over time
  <video>.mp4        with --labelled: the video with its labels drawn

A whole video is one prediction, made as tools/test.py makes it: the mean of
the clips that the config's test samples. With --window it is one for every
stretch of so many seconds. An input that is a number is a camera, watched
until Ctrl-C or --seconds. Two networks are fused by --second.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lgd_tools.cli import (
    ToolError,
    make_parser,
    non_negative_int,
    open_fraction,
    positive,
    positive_int,
    printable,
    progress,
    warn,
    write_json,
)
from lgd_tools.figures import save_figure
from lgd_tools.prediction import outputs
from lgd_tools.prediction.arguments import add_network, parse_network
from lgd_tools.prediction.outputs import Prediction

EXAMPLE = """\
  python tools/predict.py data/mine/mine.py \\
      work_dirs/mine/best_acc_top1_epoch_40.pth clips/ 'day2/*.mp4'
  python tools/predict.py CONFIG CHECKPOINT long.mp4 --window 2 --timeline
  python tools/predict.py CHECKPOINT 0 --seconds 60"""
_PRINTED = 20


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add = parser.add_argument
    add_network(parser)
    # fmt: off
    add('inputs', nargs='+', metavar='INPUT',
        help='videos, folders, quoted patterns, or the number of a camera')
    add('--out', type=Path, default=Path('work_dirs/predictions'),
        metavar='DIR', help='of the results (default: %(default)s)')
    add('--topk', type=positive_int, default=5, help='classes of each')
    add('--window', type=positive, metavar='SECONDS',
        help='a prediction for every stretch of so many seconds (of a '
        'camera: default 2)')
    add('--stride', type=positive, metavar='SECONDS',
        help='from one stretch to the next (default: half of --window)')
    add('--clips', type=positive_int, metavar='N',
        help='clips of a video or stretch that are averaged (default: as '
        'the test of the config)')
    add('--second', nargs=2, metavar=('CONFIG', 'CHECKPOINT'),
        help='a second network, whose scores are mixed in')
    add('--weight', type=open_fraction, default=0.5, metavar='W',
        help='of the second one, of 1 in all (default: %(default)s)')
    add('--labels', type=Path, metavar='LABEL_MAP',
        help='class names, one a line (default: label_map.txt beside the '
        'test list of the config)')
    add('--timeline', action='store_true', help='draw scores over time')
    add('--labelled', action='store_true', help='draw labels into the video')
    add('--seconds', type=positive, metavar='N',
        help='how long a camera is watched')
    add('--batch-size', type=positive_int, default=8)
    add('--device', help='of torch (default: a GPU if there is one)')
    add('--workers', type=non_negative_int, metavar='N',
        default=min(8, os.cpu_count() or 1),
        help='processes that read videos (default: %(default)s)')
    # fmt: on
    args = parse_network(parser, argv, 'inputs')
    args.stride = args.stride or (args.window or 2) / 2
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=args.out).close()
    except OSError as error:
        raise ToolError(
            f'nothing can be written into {args.out} ({error.strerror}): '
            'choose another folder with --out'
        ) from None
    camera = args.inputs[0]
    is_camera = camera.isdecimal() and not os.path.exists(camera)
    if is_camera and (len(args.inputs) > 1 or args.timeline or args.labelled):
        raise ToolError(
            f'{camera} is a camera: it goes alone, without --timeline and '
            '--labelled'
        )
    # torch is imported from here on
    from lgd_tools.prediction.clips import find_inputs

    paths = [] if is_camera else find_inputs(args.inputs)
    networks = load_networks(args)
    classes = networks[0].classes
    bad: dict[str, str] = {}
    found: list[Prediction] = []
    if is_camera:
        stream = from_camera(args, networks)
    else:
        stream = from_files(args, networks, paths, bad)
    try:
        for one in stream:
            found.append(one)
            if is_camera or len(found) <= _PRINTED:
                where = f'{one.video} {one.start:.1f}-{one.end:.1f} s'
                best = (f'{k} {s:.2f}' for k, s in one.top(classes, args.topk))
                print(printable(f'{where}: {", ".join(best)}'), flush=True)
    except KeyboardInterrupt:
        if not is_camera:
            raise
    for path, reason in bad.items():
        warn(f'{path} cannot be read: {reason}')
    if not found:
        raise ToolError('there is nothing that could be predicted')
    write_results(args, found, classes, bad)
    return int(bool(bad))


def load_networks(args: argparse.Namespace) -> list:
    """The network, and the second one."""
    from lgd_tools.prediction.recognizer import Network

    pairs = [(args.config, args.checkpoint)]
    pairs += [args.second] if args.second else []
    networks = [
        Network(*pair, args.device, args.clips, args.labels) for pair in pairs
    ]
    first, last = (len(networks[i].classes) for i in (0, -1))
    if first != last:
        raise ToolError(
            f'the first network has {first} classes and the second {last}: '
            'fuse networks of one data set'
        )
    return networks


def mix(args: argparse.Namespace, networks: list, samples: list) -> list:
    """Scores (V, K); ``samples`` of V stretches, one of each network."""
    columns = zip(*samples, strict=True)
    parts = [n.scores(c) for n, c in zip(networks, columns, strict=True)]
    if len(parts) == 1:
        return parts[0]
    return (1 - args.weight) * parts[0] + args.weight * parts[1]


def from_camera(
    args: argparse.Namespace, networks: list
) -> Iterator[Prediction]:
    """Predictions as a camera goes on."""
    from lgd_tools.prediction.camera import watch
    from lgd_tools.prediction.clips import pack

    name = args.inputs[0]
    window = name, 0, None
    for start, end, frames, rate in watch(
        int(name), args.window or 2.0, args.stride, args.seconds
    ):
        sample = [pack(n.steps[1:], frames, rate, window) for n in networks]
        [scores] = mix(args, networks, [sample])
        yield Prediction(f'camera {name}', start, end, scores)


def from_files(
    args: argparse.Namespace, networks: list, paths: list, bad: dict
) -> Iterator[Prediction]:
    """Predictions of files, in order; ``bad`` gets those left out."""
    from torch.utils.data import DataLoader

    from lgd_mmaction.video.errors import BrokenVideoError
    from lgd_tools.prediction.clips import Clips, windows_of

    windows = []
    # windows of a video share what only reading all of it tells
    with tempfile.TemporaryDirectory() as cache:
        for path in paths:
            try:
                windows += windows_of(path, args.window, args.stride, cache)
            except BrokenVideoError as error:
                bad[path] = error.reason
        loader = DataLoader(
            Clips(windows, [network.steps for network in networks], cache),
            batch_size=args.batch_size,
            num_workers=args.workers if len(windows) > 1 else 0,
            collate_fn=list,
        )
        try:
            for batch in progress(loader, 'predicting'):
                bad |= dict(each for each in batch if len(each) == 2)
                good = [each for each in batch if len(each) == 3]
                if not good:
                    continue
                scores = mix(args, networks, [each[2] for each in good])
                for (path, times, _), row in zip(good, scores, strict=True):
                    yield Prediction(path, *times, row)
        except RuntimeError as error:
            if 'DataLoader worker' not in str(error):
                raise
            raise ToolError(
                'a process that reads videos ended, for want of memory or at '
                'a file that crashes FFmpeg: look for it with '
                'tools/data/check_videos.py, or use --workers 0'
            ) from None


def write_results(
    args: argparse.Namespace,
    found: Sequence[Prediction],
    classes: Sequence[str],
    bad: dict[str, str],
) -> None:
    """All files of --out."""
    k = min(args.topk, len(classes))
    outputs.write_csv(args.out / 'predictions.csv', found, classes, k)
    facts = dict(config=args.config, checkpoint=args.checkpoint)
    if args.second:
        facts |= dict(second=args.second, weight=args.weight)
    facts['predictions'] = [
        {
            'video': one.video,
            'start': round(one.start, 3),
            'end': round(one.end, 3),
            'top': [{'class': c, 'score': s} for c, s in one.top(classes, k)],
        }
        for one in found
    ]
    facts['unreadable'] = [
        {'video': path, 'reason': reason} for path, reason in bad.items()
    ]
    write_json(args.out / 'predictions.json', facts)
    drawn: set[str] = set()
    if args.timeline or args.labelled:
        for path, group in itertools.groupby(found, lambda one: one.video):
            own, name = list(group), Path(path).name
            while name in drawn:  # of another folder
                name = f'_{name}'
            drawn.add(name)
            if args.timeline:
                figure = outputs.draw_timeline(own, classes)
                save_figure(figure, args.out / f'{name}.png')
            if args.labelled:
                outputs.write_labelled(args.out / f'{name}.mp4', own, classes)
    print(
        f'{len(found)} predictions, {len(bad)} files that cannot be read: '
        f'{args.out}/predictions.csv and .json'
        f'{f", pictures or videos of {len(drawn)} files" if drawn else ""}'
    )
