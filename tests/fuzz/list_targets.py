"""Targets: lists, csv files and label maps, and the converters of them."""

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from lgd_tools.cli import ToolError, read_label_map, read_list
from lgd_tools.lists import folder, hmdb51, kinetics, ucf101
from lgd_tools.lists.clips import Clip, name_key, safe_name
from lgd_tools.lists.exclusion import Exclusion
from lgd_tools.results.video_names import read_list as read_names
from lgd_tools.results.video_names import video_keys
from tests.fuzz import strategies as make
from tests.fuzz.target import Escape, Target

_SPLIT = b'\n=====\n'  # between the files of one input
_ERRORS = (ToolError,)
# run_main makes one sentence of a name that is too long for the disk
_CONVERTER_ERRORS = (ToolError, OSError)

_CSV = (
    b'label,youtube_id,time_start,time_end,split\n'
    b'air drumming,---QUuC4vJs,84,94,validate\n'
    b'"abseiling",-3B32lodo2M,59,69.0,train\n'
    b'abseiling,7kbO0v4hag8,107,117,test\n'
)
_CSV_CC = _CSV.replace(b'split\n', b'split,is_cc\n').replace(
    b'ain\n', b'ain,0\n'
)
_CLASSES = b'1 ApplyEyeMakeup\r\n2 Basketball\r\n'
_TRAIN = (
    b'ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n'
    b'Basketball/v_Basketball_g08_c02.avi 2\r\n'
)
_TEST = (
    b'ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\n'
    b'Basketball/v_Basketball_g01_c02.avi\n'
)
_HMDB = (
    b'April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 \n'
    b'a#b&(c)!_brush_hair_h_cm_np1_le_goo_0.avi 2 \n'
    b'c_brush_hair_h_cm_np1_le_goo_0.avi 0 \n'
)
_LIST = b'abseiling/a_000001_000011.mp4 0\nwalk/b c#1.avi 17\n'
_FRAMES = b'abseiling/a 64 0\nwalk/b_c 17 1\n'
_NAMES = (
    b'Biking/v_Biking_g01_c02.avi\nwalk/Film_walk_f_cm_np1_fr_med_3.avi\n'
    b'walk/abcdefghijk_000017_000027.mp4\nBiking/x.mkv'
)


def _write(data: bytes, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def check_output(folder: Path, made: Sequence[str]) -> None:
    """Nothing of a converter lies, leads or points outside of its output.

    Raises:
        Escape: Naming what does.
    """
    found = {p.name for p in folder.iterdir()} - {'in', 'out'}
    if found:
        raise Escape(f'written outside of --out: {sorted(found)[:3]}')
    inside = {p.relative_to(folder / 'in') for p in folder.glob('in/**/*')}
    extra = {str(p) for p in inside} - set(made)
    if extra:
        raise Escape(f'written among the sources: {sorted(extra)[:3]}')
    for path in (folder / 'out').glob('*_videos.txt'):
        for line in path.read_text('utf-8').split('\n'):
            name = line.rsplit(' ', 1)[0]
            if name.startswith('/') or '..' in name.split('/'):
                raise Escape(f'{path.name} lists {name!r}')


def _convert(
    main: Callable[[list[str]], int],
    options: Sequence[str],
    names: Sequence[str],
    data: bytes,
    folder: Path,
) -> None:
    """A whole converter on several files of annotations, without videos."""
    (folder / 'in').mkdir()
    parts = data.split(_SPLIT)
    for name, part in zip(names, parts, strict=False):
        (folder / 'in' / name).write_bytes(part)
    options = [o.replace('IN', f'{folder}/in') for o in options]
    options += ['--no-check-videos', '--workers', '1']
    try:
        main([*options, '--out', f'{folder}/out'])
    finally:
        check_output(folder, names)


def run_kinetics_csv(data: bytes, folder: Path) -> None:
    kinetics.read_rows([_write(data, folder, 'a.csv')])


def run_ucf101(data: bytes, folder: Path) -> None:
    parts = data.split(_SPLIT)
    if len(parts) == 1:
        ucf101.read_classes(_write(data, folder, 'classInd.txt'), 2)
        return
    classes = ['ApplyEyeMakeup', 'Basketball']
    path = _write(parts[-1], folder, 'list.txt')
    ucf101.read_split(path, classes, labelled=len(parts) % 2 == 0)


def run_hmdb51(data: bytes, folder: Path) -> None:
    path = _write(data, folder, 'brush_hair_test_split1.txt')
    hmdb51.find_split_files(folder)
    hmdb51.read_split_file(path, 'brush_hair', 0)


def run_label_map(data: bytes, folder: Path) -> None:
    read_label_map(_write(data, folder, 'label_map.txt'))


def run_lists(data: bytes, folder: Path) -> None:
    path = _write(data, folder, 'list.txt')
    for read in (
        partial(read_list, path, 1),
        partial(read_list, path, 2),
        lambda: Exclusion([path], True).covers(
            Clip('a/b.avi', 0, 'a', folder), ['a/b'], 'videos'
        ),
    ):
        with contextlib.suppress(*_ERRORS):
            read()
    names, _ = read_names(path)
    video_keys([names, list(reversed(names))])


def run_experiment_lists(data: bytes, folder: Path) -> None:
    from lgd_tools.experiment.data_check import (
        check_dataset,
        check_overlap,
        check_streams,
    )

    parts = data.split(_SPLIT)
    one = _write(parts[0], folder, 'a.txt')
    two = _write(parts[-1], folder, 'b.txt')
    with contextlib.suppress(*_ERRORS):
        check_overlap(one, two)
    with contextlib.suppress(*_ERRORS):
        check_streams([one, two])
    with contextlib.suppress(*_ERRORS):
        check_dataset(
            {'type': 'RawframeDataset', 'ann_file': str(one)}, classes=400
        )
    check_dataset({'type': 'VideoDataset', 'ann_file': str(two)}, 400)


def run_names(data: bytes, folder_: Path) -> None:
    """Names of files as own folders hold them, all groupings."""
    names = data.decode('utf-8', 'surrogateescape').split('\n')[:20]
    names = [n[:255] for n in names if n and '\0' not in n]
    clips = [Clip(n, i % 2, n.split('/')[0]) for i, n in enumerate(names)]
    for name in names:
        name_key(safe_name(name))
        kinetics.clip_stems(Clip(name, 0, name), Counter())
    for pattern in folder.GROUPS:
        if not clips:
            continue
        with contextlib.suppress(*_ERRORS):
            keys, _ = folder.group_keys(clips, folder.group_pattern(pattern))
            keys = folder.merge_groups(keys, [[0, len(keys) - 1]])
            labels = [clip.label for clip in clips]
            folder.split_groups(labels, keys, 0.2, 0)


def run_folder(data: bytes, root: Path) -> None:
    """The converter of own folders, over files of odd names."""
    made = set()
    (root / 'in').mkdir()
    for name in data.split(b'\n')[:8]:
        parts = [p[:60] for p in name.split(b'/') if p not in (b'', b'.')]
        if not parts or b'..' in parts or b'\0' in name:
            continue
        path = (
            root
            / 'in'
            / '/'.join(
                p.decode('utf-8', 'surrogateescape') for p in parts[-3:]
            )
        )
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'x')
    made = {str(p.relative_to(root / 'in')) for p in root.glob('in/**/*')}
    options = ['--videos', f'{root}/in', '--name', 'own', '--workers', '1']
    try:
        folder.main([*options, '--out', f'{root}/out'])
    finally:
        check_output(root, sorted(made))


_ROW = (
    st.one_of(st.sampled_from(('abseiling', 'air drumming')), make.words()),
    st.one_of(st.sampled_from(('-3B32lodo2M', '_a')), make.words()),
    st.one_of(st.integers(0, 99).map(str), make.words()),
    st.one_of(st.integers(0, 99).map(str), make.words()),
    st.sampled_from(('train', 'validate', 'test', 'val', '')),
)
_HEADER = 'label,youtube_id,time_start,time_end,split\n'


def _csv() -> st.SearchStrategy:
    rows = make.lines(*_ROW, separator=',')
    return rows.map(lambda r: _HEADER.encode() + r)


def _paths(*fields: st.SearchStrategy) -> st.SearchStrategy:
    name = st.tuples(
        st.one_of(st.sampled_from(('Basketball', 'walk')), make.words()),
        make.words(),
    ).map('/'.join)
    return make.lines(name, *fields)


def _label() -> st.SearchStrategy:
    return st.one_of(st.integers(-1, 3).map(str), make.words())


def _joined(*parts: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(*parts).map(_SPLIT.join)


_UCF = [
    *('--annotations', 'IN', '--num-classes', '2', '--splits', '1'),
]
_HMDB_FILES = ('brush_hair_test_split1.txt', 'walk_test_split1.txt')

TARGETS = [
    Target(
        'kinetics_csv',
        run_kinetics_csv,
        (_CSV, _CSV_CC),
        _ERRORS,
        _csv,
        words=(b'train', b'"', b'\n"', b',,', b'youtube_id'),
    ),
    Target(
        'kinetics_convert',
        partial(
            _convert,
            kinetics.main,
            [
                *('--version', '400', '--num-classes', '2'),
                *('--csv', 'IN/a.csv'),
            ],
            ['a.csv'],
        ),
        (_CSV, _CSV_CC),
        _CONVERTER_ERRORS,
        _csv,
        weight=0.3,
        words=(b'train', b'../x', b'/etc/x'),
    ),
    Target(
        'ucf101_lists',
        run_ucf101,
        (_CLASSES, _CLASSES + _SPLIT + _TRAIN, _SPLIT + _SPLIT + _TEST),
        _ERRORS,
        lambda: st.one_of(
            make.lines(_label(), make.words()),
            _joined(st.just(b''), _paths(_label())),
            _joined(st.just(b''), st.just(b''), _paths()),
        ),
        words=(b'Basketball/', b' 2', b'\\'),
    ),
    Target(
        'ucf101_convert',
        partial(
            _convert,
            ucf101.main,
            _UCF,
            ['classInd.txt', 'trainlist01.txt', 'testlist01.txt'],
        ),
        (_SPLIT.join((_CLASSES, _TRAIN, _TEST)),),
        _CONVERTER_ERRORS,
        lambda: _joined(
            st.one_of(st.just(_CLASSES), st.just(b'1 ..\n2 Basketball\n')),
            _paths(_label()),
            _paths(),
        ),
        weight=0.3,
        words=(b'Basketball/', b' 2', b'../', b'2 ..'),
    ),
    Target(
        'hmdb51_splits',
        run_hmdb51,
        (_HMDB,),
        _ERRORS,
        lambda: make.lines(make.words(), _label()),
        words=(b' 1 ', b' 2 ', b'brush_hair/', b'.avi'),
    ),
    Target(
        'hmdb51_convert',
        partial(
            _convert,
            hmdb51.main,
            _UCF,
            _HMDB_FILES,
        ),
        (_HMDB + _SPLIT + _HMDB.replace(b'brush_hair', b'walk'),),
        _CONVERTER_ERRORS,
        lambda: _joined(*[make.lines(make.words(), _label())] * 2),
        weight=0.3,
        words=(b' 1 ', b' 2 ', b'brush_hair/', b'../'),
    ),
    Target(
        'label_map',
        run_label_map,
        (b'abseiling\nair drumming\n', b'\xef\xbb\xbfa\r\nb'),
        _ERRORS,
        lambda: make.lines(make.words()),
        weight=0.5,
    ),
    Target(
        'video_lists',
        run_lists,
        (_LIST, _FRAMES),
        _ERRORS,
        lambda: st.one_of(_paths(_label()), _paths(_label(), _label())),
    ),
    Target(
        'experiment_lists',
        run_experiment_lists,
        (_LIST + _SPLIT + _LIST, _FRAMES + _SPLIT + _LIST),
        _ERRORS,
        lambda: _joined(_paths(_label(), _label()), _paths(_label())),
        weight=0.7,
    ),
    Target(
        'folder_names',
        run_names,
        (_NAMES,),
        _ERRORS,
        lambda: _paths(),
        weight=0.7,
    ),
    Target(
        'folder_convert',
        run_folder,
        (_NAMES,),
        _CONVERTER_ERRORS,
        lambda: _paths().map(lambda d: re.sub(rb'(\r|\n)', b'.avi\\1', d)),
        weight=0.3,
        words=(b'.avi', b'/', b'\n', b'Biking/'),
    ),
]
