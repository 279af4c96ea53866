"""What upstream_fixes.py mends, each seen broken without it and whole with."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmengine.logging import HistoryBuffer

import lgd_mmaction
from lgd_mmaction.upstream_fixes import apply_upstream_fixes
from tests.warm import PYTHON


def python(code: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run code in a process of its own, where nothing is imported yet."""
    repo = Path(lgd_mmaction.__file__).parents[1]
    prelude = f'import sys; sys.path.insert(0, {str(repo)!r})\n'
    return subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', prelude + code],
        cwd=cwd,
        capture_output=True,
        text=True,
    )


def test_fixes_apply_once() -> None:
    drn = sys.modules['mmaction.models.localizers.drn']
    safe = len(torch.serialization.get_safe_globals())
    apply_upstream_fixes()
    assert sys.modules['mmaction.models.localizers.drn'] is drn
    assert len(torch.serialization.get_safe_globals()) == safe


def test_building_the_missing_drn_says_what_to_do() -> None:
    from mmaction.models.localizers.drn import drn
    from mmaction.registry import MODELS

    if hasattr(drn, '__file__'):
        pytest.skip('this mmaction2 has its DRN; nothing stands in for it')
    with pytest.raises(ImportError, match=r'2714.*git repository'):
        MODELS.build(dict(type='DRN'))


def test_stand_in_is_never_asked_where_drn_exists(tmp_path: Path) -> None:
    # a package of that name, complete, ahead of the installed one
    folder = tmp_path / 'mmaction' / 'models' / 'localizers' / 'drn'
    folder.mkdir(parents=True)
    for package in [folder, *list(folder.parents)[:3]]:
        (package / '__init__.py').touch()
    (folder / 'drn.py').write_text("DRN = 'the real one'")
    done = python(
        'sys.path.insert(0, ".")\n'
        'from importlib.util import module_from_spec, '
        'spec_from_file_location\n'
        # alone: the package itself would import the rest of mmaction
        f'path = {lgd_mmaction.upstream_fixes.__file__!r}\n'
        'spec = spec_from_file_location("fixes", path)\n'
        'fixes = module_from_spec(spec)\n'
        'spec.loader.exec_module(fixes)\n'
        'fixes.provide_missing_drn()\n'
        'from mmaction.models.localizers.drn.drn import DRN\n'
        'print(DRN)',
        tmp_path,
    )
    assert done.stdout == 'the real one\n', done.stderr


@pytest.mark.slow
def test_stock_apis_wait_with_mmaction_models(tmp_path: Path) -> None:
    """Nothing that a stock script imports needs the fix before the config.

    ``custom_imports`` runs while the config is read. If one of these modules
    imported ``mmaction.models`` by itself, that would be too late.
    """
    done = python(
        'from mmaction.apis import (MMAction2Inferencer, init_recognizer,\n'
        '                           inference_recognizer)\n'
        'from mmaction.registry import RUNNERS\n'
        'from mmaction.utils import GradCAM\n'
        'import mmaction.datasets, mmaction.engine, mmaction.evaluation\n'
        'print("mmaction.models" in sys.modules)\n'
        'from mmaction.utils import register_all_modules\n'
        'import lgd_mmaction\n'
        'register_all_modules()\n'
        'from mmaction.registry import MODELS\n'
        'print(MODELS.get("KernelizedHead") is not None)',
        tmp_path,
    )
    assert done.stdout == 'False\nTrue\n', done.stderr


@pytest.fixture
def message_hub_file(tmp_path: Path) -> Path:
    """A checkpoint with all that mmengine's message hub may hold."""
    buffer = HistoryBuffer()
    for value in (0.5, 0.25):
        buffer.update(value)
    content = {
        'state_dict': {'w': torch.ones(2)},
        'message_hub': {
            'log_scalars': {'train/loss': buffer},
            'runtime_info': {
                'best_score': np.float64(0.75),
                'iter': np.int64(7),
                'flag': np.bool_(True),
                'lr': np.array([0.1, 0.2], dtype=np.float32),
                'name': np.str_('x'),
            },
        },
    }
    path = tmp_path / 'a.pth'
    torch.save(content, path)
    return path


def test_checkpoint_loads_with_weights_only(message_hub_file: Path) -> None:
    loaded = torch.load(message_hub_file, weights_only=True)
    buffer = loaded['message_hub']['log_scalars']['train/loss']
    info = loaded['message_hub']['runtime_info']
    assert buffer.mean() == 0.375
    assert info['best_score'] == 0.75
    assert info['iter'] == 7
    assert info['lr'].tolist() == pytest.approx([0.1, 0.2])
    # and by default, as mmengine calls it
    torch.load(message_hub_file)


@pytest.mark.slow
def test_without_the_fix_it_does_not_load(
    message_hub_file: Path, tmp_path: Path
) -> None:
    done = python(
        'import torch, mmengine.logging\n'
        f'torch.load({str(message_hub_file)!r}, weights_only=True)',
        tmp_path,
    )
    if done.returncode == 0:
        warnings.warn(
            'torch or mmengine loads these checkpoints by itself now: '
            'allow_mmengine_checkpoints can go',
            stacklevel=1,
        )
    else:
        assert 'HistoryBuffer' in done.stderr


def test_names_of_numpy_1_are_known(
    message_hub_file: Path, tmp_path: Path
) -> None:
    """A checkpoint written under the other major version of numpy loads."""
    import zipfile

    other = tmp_path / 'b.pth'
    ours, theirs = b'numpy._core.multiarray', b'numpy.core.multiarray'
    if int(np.__version__.split('.')[0]) < 2:
        ours, theirs = theirs, ours
    changed = 0
    with (
        zipfile.ZipFile(message_hub_file) as a,
        zipfile.ZipFile(other, 'w') as b,
    ):
        for name in a.namelist():
            data = a.read(name)
            if name.endswith('data.pkl'):
                changed = data.count(ours)
                # global opcodes end in a newline, so lengths may change
                data = data.replace(ours, theirs)
            b.writestr(name, data)
    assert changed > 0
    loaded = torch.load(other, weights_only=True)
    assert loaded['message_hub']['runtime_info']['best_score'] == 0.75


def test_weights_only_stays_on(tmp_path: Path) -> None:
    """Anything that could run code is refused as before."""
    path = tmp_path / 'evil.pth'
    torch.save({'state_dict': {}, 'x': subprocess.Popen}, path)
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(path)


class Attribute:
    """Pickles as ``getattr(owner, name)``."""

    def __init__(self, owner: object, name: str) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self) -> tuple:
        return getattr, (self.owner, self.name)


@pytest.mark.parametrize('name', ['__init__', '__class__', 'statistics'])
def test_getattr_is_not_allowed_at_large(tmp_path: Path, name: str) -> None:
    path = tmp_path / 'evil.pth'
    torch.save({'x': Attribute(HistoryBuffer, name)}, path)
    with pytest.raises(Exception, match='asks for attribute'):
        torch.load(path)
    torch.save({'x': Attribute(np.ndarray, 'mean')}, path)
    with pytest.raises(Exception, match='asks for attribute'):
        torch.load(path)


def test_everything_imported_is_declared(repo_root: Path) -> None:
    from configparser import ConfigParser

    config = ConfigParser()
    config.read(repo_root / 'setup.cfg')
    required = config['options']['install_requires']
    for name in ('importlib_metadata', 'setuptools<81', 'mmaction2==1.2.0'):
        assert name in required
    assert 'mmcv' not in required


def test_an_empty_history_loads(tmp_path: Path) -> None:
    torch.save({'x': HistoryBuffer()}, tmp_path / 'empty.pth')
    loaded = torch.load(tmp_path / 'empty.pth', weights_only=True)['x']
    assert len(loaded.data[0]) == 0


def test_flip_mirrors_and_negates_every_flow_frame() -> None:
    flow = np.random.randint(0, 256, (5, 4, 6, 2), dtype=np.uint8)
    flip = TRANSFORMS.build(dict(type='Flip', flip_ratio=1.0))
    out = flip(dict(imgs=list(flow.copy()), modality='Flow', img_shape=(4, 6)))
    expected = flow[:, :, ::-1].copy()
    expected[..., 0] = 255 - expected[..., 0]
    assert np.array_equal(np.stack(out['imgs']), expected)


def test_flip_of_rgb_and_of_single_channel_flow_is_the_stock_one() -> None:
    flip = TRANSFORMS.build(dict(type='Flip', flip_ratio=1.0))
    rgb = np.random.randint(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    out = flip(dict(imgs=list(rgb.copy()), modality='RGB', img_shape=(4, 6)))
    assert np.array_equal(np.stack(out['imgs']), rgb[:, :, ::-1])
    # before mmaction2 #2631: x and y pictures in turn
    xy = np.random.randint(0, 256, (4, 4, 6), dtype=np.uint8)
    out = flip(dict(imgs=list(xy.copy()), modality='Flow', img_shape=(4, 6)))
    expected = xy[:, :, ::-1].copy()
    expected[0::2] = 255 - expected[0::2]
    assert np.array_equal(np.stack(out['imgs']), expected)


def test_fixes_are_applied_once() -> None:
    from mmaction.datasets.transforms import Flip
    from mmengine.dist import utils

    before = Flip._flip_imgs, utils._init_dist_pytorch, len(sys.meta_path)
    apply_upstream_fixes()
    after = Flip._flip_imgs, utils._init_dist_pytorch, len(sys.meta_path)
    assert after == before


@pytest.mark.slow
def test_a_fresh_process_can_use_the_values(tmp_path: Path) -> None:
    """The statistics are registered by whatever is made first."""
    torch.save({'x': HistoryBuffer([1.0, 3.0], [1, 1])}, tmp_path / 'a.pth')
    code = (
        'import sys, torch, lgd_mmaction\n'
        'x = torch.load(sys.argv[1])["x"]\n'
        'print(type(x).__name__, x.statistics("mean"))\n'
    )
    run = subprocess.run(
        [PYTHON, '-W', 'ignore', '-c', code, tmp_path / 'a.pth'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == 'HistoryBuffer 2.0\n'
