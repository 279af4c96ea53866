"""Export a trained recognizer as ONNX or torch.export file, and check it.

The file takes clips (N, C, T, H, W), any number of them, and returns the
scores (N, K) that the recognizer gives each: average them over the clips of a
video. It is compared with PyTorch on random clips, and on those of --video,
and written only if it agrees to 1e-4.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lgd_mmaction.files import write_bytes
from lgd_tools.cli import ToolError, make_parser, parse_size
from lgd_tools.prediction.arguments import add_network, parse_network

EXAMPLE = (
    '  python tools/export.py configs/lgd3d_r50_k400.py work_dirs/a/'
    'epoch_50.pth \\\n      --out lgd3d.onnx --with-preprocessing'
)
FORMATS = ('.onnx', '.pt2')


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add_network(parser)
    add = parser.add_argument
    # fmt: off
    add('--out', type=Path, required=True, help='NAME.onnx or NAME.pt2')
    add('--stage', type=int, choices=(1, 2),
        help="whose classifier to export (default: the checkpoint's)")
    add('--with-preprocessing', action='store_true',
        help='take uint8 of 0 .. 255 and normalise in the file (default: '
        'floating point that is normalised)')
    add('--size', type=parse_size, metavar='WxH',
        help='pixels of a frame (default: the crop of val_pipeline)')
    add('--sketch', choices=('fft', 'matmul'), default='fft',
        help='of the kernelized classifier: matmul needs no Fourier '
        'transform in the runtime (default: %(default)s)')
    add('--video', nargs='+', default=[], help='compare on these videos too')
    # fmt: on
    args = parse_network(parser, argv)
    if args.out.suffix not in FORMATS:
        raise ToolError(f'--out {args.out} must end in {" or ".join(FORMATS)}')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    # torch after --help
    from lgd_tools.prediction import deployment as d
    from lgd_tools.prediction.recognizer import load_recognizer

    model, cfg = load_recognizer(args.config, args.checkpoint, args.stage)
    deployed = d.Deployed(model, args.with_preprocessing)
    channels = cfg.model.backbone.get('in_channels', 3)
    width, height = args.size or d.crop_size(cfg)
    shape = channels, d.clip_length(cfg), height, width
    clips = d.random_clips(shape)
    clips += [d.read_clip(video, shape) for video in args.video]
    if not args.with_preprocessing:
        clips = [deployed.normalised(clip) for clip in clips]
    kind = 'uint8' if args.with_preprocessing else 'normalised'
    sizes = ', '.join(map(str, shape))
    print(f'exporting {args.checkpoint} for clips (N, {sizes}), {kind}')
    written = d.without_limits(deployed, matmul=args.sketch == 'matmul')
    to_bytes, to_function = d.FORMATS[args.out.suffix]
    data = to_bytes(written, clips[0])
    run = to_function(data)
    difference = d.difference(deployed, run, clips)
    print(
        f'largest difference from PyTorch on {len(clips)} batches: '
        f'{difference:.1e}'
    )
    if not difference <= d.TOLERANCE:
        raise ToolError(
            f'{args.out} was not written: its scores differ from '
            f"PyTorch's by {difference:.1e}, more than {d.TOLERANCE:.0e}; "
            'try the other --sketch or the other format'
        )
    write_bytes(args.out, data)
    ours, theirs = d.seconds([deployed, run], clips[0][:1])
    print(
        f'one clip: PyTorch {1000 * ours:.0f} ms, the file '
        f'{1000 * theirs:.0f} ms, here'
    )
    print(f'wrote {args.out} ({len(data) / 2**20:.1f} MiB)')
    return 0
