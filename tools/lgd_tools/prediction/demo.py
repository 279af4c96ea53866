"""A web page on this machine: upload a video, see what happens in it.

Shows the likeliest classes, their scores over time where the video is longer
than --window, and, on a click, what the global path does. Nothing is sent to
other machines; what was uploaded is deleted at the end (Ctrl-C).
"""

import argparse
import contextlib
import io
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lgd_mmaction.errors import LGDError
from lgd_tools.cli import (
    ToolError,
    make_parser,
    positive,
    positive_int,
    read_list,
)
from lgd_tools.prediction.arguments import add_network, parse_network
from lgd_tools.prediction.command import from_files
from lgd_tools.prediction.outputs import draw_timeline

EXAMPLE = '  python tools/demo.py work_dirs/mine/best_acc_top1_epoch_40.pth'
_EXAMPLES = 5  # a row of the page


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__, EXAMPLE)
    add_network(parser)
    add = parser.add_argument
    # fmt: off
    add('--host', default='127.0.0.1',
        help='0.0.0.0: other machines may use it too (%(default)s)')
    add('--port', type=positive_int, default=7860, help='(%(default)s)')
    add('--max-mb', type=positive_int, default=100,
        help='larger files are refused (%(default)s MiB)')
    add('--max-seconds', type=positive, default=60.0,
        help='longer videos are refused (%(default)s)')
    add('--window', type=positive, default=2.0,
        help='seconds of the stretches, half over each other, in which a '
        'longer video is predicted (%(default)s)')
    add('--labels', type=Path, help='class names (as of tools/predict.py)')
    add('--device', help='of torch (default: a GPU if there is one)')
    # fmt: on
    # what else from_files takes of tools/predict.py
    parser.set_defaults(batch_size=8, workers=0)
    args = parse_network(parser, argv)
    args.stride = args.window / 2
    return args


def check_port(host: str, port: int) -> None:
    """ToolError where a page cannot be served, before a network is loaded."""
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        raise ToolError(
            f'port {port} of {host} cannot be opened ({error}): choose '
            'another with --port or --host'
        ) from None


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    check_port(args.host, args.port)
    with tempfile.TemporaryDirectory() as folder:
        os.environ['GRADIO_TEMP_DIR'] = folder
        os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
        # gradio asks itself whether it is there
        os.environ['no_proxy'] = f'{args.host},{os.environ.get("no_proxy")}'
        try:
            import gradio as gr
        except ImportError as error:
            raise ToolError(
                f'the demo needs {error.name}: pip install gradio'
            ) from None
        page = build_page(Demo(args))
        # fonts of the machine, not of the net
        fonts = dict(font=['system-ui', 'sans-serif'], font_mono=['monospace'])
        page.launch(
            server_name=args.host,
            server_port=args.port,
            share=False,
            max_file_size=f'{args.max_mb}mb',
            theme=gr.themes.Default(**fonts),
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            quiet=True,
            prevent_thread_lock=True,
        )
        print(f'open {page.local_url} in a browser; Ctrl-C ends', flush=True)
        page.block_thread()
    return 0


class Demo:
    """What the page shows of a video."""

    def __init__(self, args: argparse.Namespace) -> None:
        from lgd_tools.prediction.recognizer import Network

        self.args = args
        self.network = Network(
            args.config, args.checkpoint, args.device, 1, args.labels
        )
        self.classes = self.network.classes

    def predict(self, path: str) -> tuple[dict[str, float], Any]:
        """Scores of the classes, the mean over all stretches, and a figure.

        The figure is of them over time; None where there is one stretch.
        """
        from lgd_mmaction.video.errors import BrokenVideoError
        from lgd_mmaction.video.reader import Video

        args, bad, seconds = self.args, {}, 0
        # from_files says why a file is broken
        with contextlib.suppress(BrokenVideoError), Video(path) as video:
            seconds = video.num_frames / (video.fps or 25)
        if seconds > args.max_seconds:
            raise ToolError(
                f'This video takes {seconds:.0f} s, more than '
                f'{args.max_seconds:g}: cut a part out, or start the demo '
                'with more --max-seconds.'
            )
        found = list(from_files(args, [self.network], [path], bad))
        if bad:
            reason = bad[path].split(' (')[0]
            raise ToolError(
                f'This file cannot be read ({reason}): take another, or '
                'convert it to mp4.'
            )
        scores = sum(one.scores for one in found) / len(found)
        bars = dict(zip(self.classes, scores.tolist(), strict=True))
        return bars, draw_timeline(found, self.classes) if found[1:] else None

    def explain(self, path: str, name: str) -> Any:
        """The picture of what the global path does for a class."""
        from PIL import Image

        from lgd_tools.results import global_path
        from lgd_tools.results.global_path_picture import draw

        model = self.network.model
        clip, frames = global_path.read_clip(model, self.network.cfg, path)
        found = global_path.look_at(model, clip, self.classes.index(name))
        title = f'{name}, in the clip in the middle of the video'
        draw(found, frames, title).savefig(file := io.BytesIO())
        return Image.open(file)


def example_clips(cfg: Any) -> list[str]:
    """Clips of the validation list that are there, each of another class."""
    dataset = (cfg.get('val_dataloader') or {}).get('dataset') or {}
    root = Path(dataset.get('data_root') or '')
    listed = root / dataset.get('ann_file', '')
    folder = root / (dataset.get('data_prefix') or {}).get('video', '')
    found: dict[int, str] = {}
    for name, [label] in read_list(listed) if listed.is_file() else ():
        if label not in found and (folder / name).is_file():
            found[label] = str(folder / name)
        if len(found) == _EXAMPLES:
            break
    return list(found.values())


def build_page(demo: Demo) -> Any:
    """The page, a ``gradio.Blocks``."""
    import gradio as gr

    def predict(path: str | None) -> tuple:
        said, bars, figure = '', None, None
        try:
            if path:
                bars, figure = demo.predict(path)
        except LGDError as error:
            said = f'### {error}'
        return said, bars, gr.update(value=figure, visible=bool(figure)), None

    def explain(path: str | None, bars: dict | None) -> tuple:
        try:
            if not path or not bars:
                raise ToolError('Choose a video first.')
            return '', demo.explain(path, max(bars, key=bars.get))
        except LGDError as error:
            return f'### {error}', None

    args, classes = demo.args, demo.classes
    examples = example_clips(demo.network.cfg)
    names = ', '.join(classes[:12]) + ' ...' * (len(classes) > 12)
    # one at a time: to explain changes the network for a while
    alone = dict(concurrency_id='network', concurrency_limit=1)
    with gr.Blocks(title='LGD: what happens in a video') as page:
        gr.Markdown(
            '# What happens in this video?\n'
            f'Asked of the network `{Path(args.config).stem}` '
            f'({Path(args.checkpoint).name}), which knows {len(classes)} '
            f'classes: {names}.\n\nVideos of at most {args.max_mb} MB and '
            f'{args.max_seconds:g} s; they stay on the machine of this page.'
        )
        with gr.Row():
            with gr.Column():
                video = gr.Video(label='Video', sources=['upload'], height=360)
                if examples:
                    gr.Examples(examples, video, label='Validation clips')
            with gr.Column():
                said = gr.Markdown()
                bars = gr.Label(label='Likeliest classes', num_top_classes=5)
                plot = gr.Plot(show_label=False, visible=False)
        button = gr.Button('Show what the global path does')
        picture = gr.Image(show_label=False, buttons=['fullscreen'])
        video.change(predict, video, [said, bars, plot, picture], **alone)
        button.click(explain, [video, bars], [said, picture], **alone)
    return page
