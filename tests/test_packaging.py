"""The wheel, the sdist and an editable install, each built for real."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

# one worker builds once for all of them
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('packaging')]

SKIPPED = shutil.ignore_patterns(
    '.git', '.venv*', '.cache', '*.egg-info', 'build', 'dist', 'work_dirs',
    '__pycache__', '*.log',
)  # fmt: skip


def pip(*args: str | Path, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, '-m', 'pip', '--disable-pip-version-check', *args],
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope='session')
def checkout(
    tmp_path_factory: pytest.TempPathFactory, repo_root: Path
) -> Path:
    """A copy to build in, so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp('checkout') / 'repo'
    folder.mkdir()
    for name in (
        'lgd_mmaction', 'configs', 'tools', 'setup.cfg', 'setup.py',
        'pyproject.toml', 'MANIFEST.in', 'LICENSE', 'README.md',
        'model-index.yml',
    ):  # fmt: skip
        source = repo_root / name
        if source.is_dir():
            shutil.copytree(
                source, folder / name, symlinks=True, ignore=SKIPPED
            )
        elif source.is_file():
            shutil.copy(source, folder)
        else:
            # README.md is named in setup.cfg
            (folder / name).touch()
    return folder


@pytest.fixture(scope='session')
def expected(checkout: Path) -> set[str]:
    """What ``.mim`` must hold: every config and tool, and the index."""
    files = {'model-index.yml'}
    for top in ('configs', 'tools'):
        for path in (checkout / top).rglob('*'):
            if 'lgd_tools' in path.parts:
                continue  # a package of its own
            if path.suffix in ('.py', '.sh', '.yml', '.txt'):
                files.add(path.relative_to(checkout).as_posix())
    assert 'tools/train.py' in files and 'configs/lgd3d_k600.py' in files
    return files


@pytest.fixture(scope='session')
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp('sdist')
    code = (
        'from setuptools.build_meta import build_sdist; '
        f'build_sdist({str(out)!r})'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = out.glob('*.tar.gz')
    return path


def mim_files(names: list[str], start: str) -> set[str]:
    start = f'{start}lgd_mmaction/.mim/'
    return {n[len(start) :] for n in names if n.startswith(start)}


def test_sdist_carries_mim(sdist: Path, expected: set[str]) -> None:
    with tarfile.open(sdist) as tar:
        files = [m for m in tar.getmembers() if not m.isdir()]
        # real files: a link would point nowhere once unpacked elsewhere
        assert all(m.isfile() for m in files)
        top = files[0].name.split('/')[0] + '/'
        assert mim_files([m.name for m in files], top) == expected


@pytest.mark.parametrize('source', ['checkout', 'sdist'])
def test_wheel_carries_mim(
    source: str, expected: set[str], tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Built from a checkout, and from the sdist as pip does."""
    pip(
        'wheel', '--no-deps', '--no-build-isolation', '-w', tmp_path,
        request.getfixturevalue(source), cwd=tmp_path,
    )  # fmt: skip
    (path,) = tmp_path.glob('*.whl')
    assert path.name.startswith('lgd_mmaction-')
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        assert mim_files(names, '') == expected
        # nothing but the package
        tops = {n.split('/')[0] for n in names}
        assert {t for t in tops if not t.endswith('.dist-info')} == {
            'lgd_mmaction',
            'lgd_tools',
        }
        for name in names:
            assert not name.endswith(('.pyc', '.pth', '.mp4')), name


def test_editable_install_carries_mim(
    checkout: Path, expected: set[str], tmp_path: Path
) -> None:
    """The links of the tree are what the installed package shows."""
    env = tmp_path / 'env'
    venv.create(env, with_pip=False, symlinks=True)
    python = env / 'bin' / 'python'
    site = subprocess.check_output(
        [
            python,
            '-c',
            'import sysconfig; print(sysconfig.get_path("purelib"))',
        ],
        text=True,
    ).strip()
    # setuptools and the like come from the environment of the tests
    main = sysconfig.get_path('purelib')
    (Path(site) / 'main.pth').write_text(f'{main}\n')
    pip(
        '--python', python, 'install', '--no-deps', '--no-build-isolation',
        '-e', checkout, cwd=tmp_path,
    )  # fmt: skip
    code = (
        'from importlib.util import find_spec\n'
        'from importlib.metadata import version\n'
        'print(find_spec("lgd_mmaction").submodule_search_locations[0])\n'
        'print(version("lgd_mmaction"))\n'
        'import lgd_tools, pkg_resources as p, os\n'
        'd = p.get_distribution("lgd_mmaction")\n'
        # as mim.utils.get_installed_path does
        'top = d.get_metadata("top_level.txt").split("\\n")[0]\n'
        'print(os.path.join(d.location, top))'
    )
    location, version, for_mim = subprocess.check_output(
        [python, '-W', 'ignore', '-c', code], text=True, cwd=tmp_path
    ).split()
    assert Path(for_mim) == checkout / 'lgd_mmaction'
    mim = Path(location) / '.mim'
    found = {
        f'{top}/{p.relative_to(mim / top).as_posix()}'
        for top in ('configs', 'tools')
        for p in (mim / top).rglob('*')
        if p.suffix in ('.py', '.sh', '.yml', '.txt')
        and 'lgd_tools' not in p.parts
    }
    assert found | {'model-index.yml'} == expected
    assert (mim / 'model-index.yml').is_file()
    from lgd_mmaction import __version__

    assert version == __version__


def test_links_of_the_tree_are_relative(repo_root: Path) -> None:
    mim = repo_root / 'lgd_mmaction' / '.mim'
    for name in ('configs', 'tools', 'model-index.yml'):
        link = mim / name
        assert link.is_symlink()
        assert link.readlink() == Path('../..') / name
        assert link.resolve() == repo_root / name


def test_lock_pins_every_version_exactly(repo_root: Path) -> None:
    names: dict[str, set[str]] = {}
    for path in (repo_root / 'tools' / 'requirements').glob('*.txt'):
        for line in path.read_text().splitlines():
            line = line.split('#')[0].strip()
            if not line:
                continue
            pin = line.split(';')[0].strip()
            name, version = pin.split('==')
            assert version, line
            names.setdefault(name, set()).add(line)
    for name, lines in names.items():
        # two lines only where Python 3.10 needs an older release
        assert len(lines) == 1 or all('python_version' in x for x in lines)
        assert len(lines) <= 2, name
    assert names['torch'] == {'torch==2.13.0'}
    assert names['mmaction2'] == {'mmaction2==1.2.0'}
