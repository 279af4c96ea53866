"""tools/demo.py: what its page shows, and the page in a browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from lgd_tools.cli import ToolError
from lgd_tools.prediction import command, demo
from lgd_tools.results import global_path_picture
from tests.warm import PYTHON

ROOT = Path(__file__).parents[3]
PATIENCE = 300_000  # milliseconds
BROWSERS = 'chromium', 'chromium-browser', 'google-chrome'


@pytest.fixture(scope='session')
def make(trained):
    """A demo with options; it finds the config beside the checkpoint."""

    def build(*options: object) -> demo.Demo:
        argv = [trained.checkpoint, '--device', 'cpu', *options]
        return demo.Demo(demo.parse_args([str(a) for a in argv]))

    return build


def predicted(trained, out: Path, *more: object) -> np.ndarray:
    """(W, K) What tools/predict.py says of run/3.mp4, 2.9 seconds."""
    argv = [trained.config, trained.checkpoint, trained.videos / 'run/3.mp4']
    argv += ['--clips', 1, '--device', 'cpu', '--workers', 0, '--out', out]
    assert command.main([str(a) for a in [*argv, *more]]) == 0
    found = json.loads((out / 'predictions.json').read_text())['predictions']
    tops = [{t['class']: t['score'] for t in e['top']} for e in found]
    return np.array([[top['jump'], top['run']] for top in tops])


@pytest.mark.slow
def test_scores_are_those_of_the_command(make, trained, tmp_path):
    path = str(trained.videos / 'run/3.mp4')
    bars, figure = make('--window', 3).predict(path)
    [expected] = predicted(trained, tmp_path / 'whole')
    assert figure is None and list(bars) == ['jump', 'run']
    np.testing.assert_allclose(list(bars.values()), expected, rtol=1e-5)
    bars, figure = make('--window', 1).predict(path)
    expected = predicted(trained, tmp_path / 'parts', '--window', 1)
    assert expected.shape == (5, 2)
    np.testing.assert_allclose(
        list(bars.values()), expected.mean(0), rtol=1e-5
    )
    drawn = np.ravel(figure.axes[0].collections[0].get_array())
    np.testing.assert_allclose(np.sort(drawn), np.sort(expected, None), 1e-5)


@pytest.mark.slow
def test_what_is_refused(make, trained, tmp_path):
    page = make('--max-seconds', 2.5)
    page.predict(str(trained.videos / 'run/1.mp4'))  # 2.3 s
    with pytest.raises(ToolError, match=r'takes 3 s, more than 2.5: cut'):
        page.predict(str(trained.videos / 'run/3.mp4'))
    broken = tmp_path / 'broken.mp4'
    whole = (trained.videos / 'run/1.mp4').read_bytes()
    for data in (b'no video', b'', whole[: len(whole) // 2]):
        broken.write_bytes(data)
        with pytest.raises(ToolError) as error:
            page.predict(str(broken))
        said = str(error.value)
        assert said.startswith('This file cannot be read (')
        assert said.endswith('): take another, or convert it to mp4.')
        assert str(tmp_path) not in said


@pytest.mark.slow
def test_the_picture_is_of_the_class_that_is_shown(make, trained, monkeypatch):
    drawn = []

    def draw(*given):
        drawn.append(given)
        return stock(*given)

    stock = global_path_picture.draw
    monkeypatch.setattr(global_path_picture, 'draw', draw)
    page, path = make(), str(trained.videos / 'run/0.mp4')
    before, _ = page.predict(path)
    picture = page.explain(path, 'jump')
    [(findings, frames, title)] = drawn
    assert picture.format == 'PNG' and picture.width == 1400
    assert findings.class_index == 0 and title.startswith('jump, in the ')
    assert len(findings.frame_moves) == len(frames) > 1
    # what was looked at is as it was
    assert page.predict(path)[0] == before


def test_examples_are_of_the_validation_list(make):
    cfg = make().network.cfg
    found = [Path(path) for path in demo.example_clips(cfg)]
    assert sorted(path.parent.name for path in found) == ['jump', 'run']
    assert all(path.is_file() for path in found)
    cfg = Config(dict(val_dataloader=dict(dataset=dict(ann_file='none.txt'))))
    assert demo.example_clips(cfg) == demo.example_clips(Config()) == []


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as place:
        return place.getsockname()[1]


def test_a_port_that_is_taken(monkeypatch):
    with socket.create_server(('127.0.0.1', 0)) as place:
        port = place.getsockname()[1]
        for host, number, reason in (
            ('127.0.0.1', port, 'Address already in use'),
            ('127.0.0.1', 70000, 'port must be 0-65535'),
            ('192.0.2.1', free_port(), 'Cannot assign requested address'),
        ):
            said = rf'port {number} of {host} cannot be opened \(.*{reason}'
            with pytest.raises(ToolError, match=f'{said}.*: choose another'):
                demo.main(['a.py', 'a.pth', '--host', host, '--port',
                           str(number)])  # fmt: skip


def test_without_gradio(monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    for name in ('GRADIO_TEMP_DIR', 'GRADIO_ANALYTICS_ENABLED', 'no_proxy'):
        monkeypatch.setenv(name, '')  # to be put back
    with pytest.raises(ToolError, match='needs gradio: pip install gradio'):
        demo.main(['a.py', 'a.pth', '--port', str(free_port())])


@pytest.mark.slow
def test_in_a_browser(trained, tmp_path):
    """Upload, bars, scores over time, the picture; then files that fail."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip('no browser is installed: sudo apt-get install chromium')
    from playwright.sync_api import sync_playwright

    temporary = tmp_path / 'tmp'
    temporary.mkdir()
    broken, large = tmp_path / 'broken.mp4', tmp_path / 'large.mp4'
    broken.write_bytes(b'no video')
    large.write_bytes(bytes(2 << 20))
    port = free_port()
    env = os.environ | dict(TMPDIR=str(temporary))
    # a proxy that answers nothing, as for a page of this machine
    env |= dict(http_proxy='http://127.0.0.1:9', no_proxy='')
    server = subprocess.Popen(
        [PYTHON, ROOT / 'tools/demo.py', trained.checkpoint,
         '--port', str(port), '--window', '1', '--max-mb', '1'],
        cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
        # also where the tests run in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        url = f'http://127.0.0.1:{port}/'
        assert f'open {url} in a browser' in server.stdout.readline()
        with sync_playwright() as driver:
            page = driver.chromium.launch(
                executable_path=browser, args=['--no-sandbox'],
                timeout=PATIENCE,
            ).new_page()  # fmt: skip
            page.set_default_timeout(PATIENCE)
            asked: set[str] = set()
            page.on('request', lambda request: asked.add(request.url))
            use_page(page, url, trained.videos / 'run/3.mp4', broken, large)
        hosts = {u.split('/')[2] for u in asked if u.startswith('http')}
        assert hosts == {f'127.0.0.1:{port}'}  # nothing of elsewhere
        server.send_signal(signal.SIGINT)
        assert server.wait(PATIENCE / 1000) == 0
    finally:
        server.kill()
    assert not any(temporary.glob('*/*/*.mp4'))  # no upload is left


def use_page(page, url: str, good: Path, broken: Path, large: Path) -> None:
    def upload(path: Path) -> None:
        page.get_by_text('Drop Video Here').wait_for()
        page.set_input_files('input[type=file]', path)

    page.goto(url)
    page.get_by_text('which knows 2 classes: jump, run.').wait_for()
    assert page.title() == 'LGD: what happens in a video'
    upload(good)
    for name in ('jump', 'run'):
        page.locator('dd, dt', has_text=name).first.wait_for()
    page.locator('[data-testid=matplotlib] img').wait_for()
    page.get_by_text('Show what the global path does').click()
    picture = page.locator('.image-container img, .image-frame img').first
    picture.wait_for()
    assert (
        picture.evaluate('i => i.decode().then(() => i.naturalWidth)') == 1400
    )
    for width in (1200, 400):
        page.set_viewport_size(dict(width=width, height=800))
        wide = page.evaluate('document.documentElement.scrollWidth')
        assert wide <= width
    page.get_by_label('Clear').first.click()
    upload(broken)
    page.get_by_text('This file cannot be read (').wait_for()
    page.reload()
    upload(large)
    page.get_by_text('exceed the maximum allowed size').wait_for()
