"""Lists, csv files and label maps, and the converters of them."""

import contextlib
import re
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from lgd_mmaction.errors import LGDError
from lgd_tools.cli import read_label_map, read_list
from lgd_tools.lists import folder, grouping, hmdb51, kinetics, ucf101
from lgd_tools.lists.clips import Clip, clip_stems, name_key, safe_name
from lgd_tools.results.video_names import read_list as read_names
from lgd_tools.results.video_names import video_keys
from lgd_tools.split_files import read_split_files
from tests.fuzz import strategies as make
from tests.fuzz.harness import SPLIT, convert, fuzzed, joined, write
from tests.fuzz.strategies import damaged

# run_main makes one sentence of a name that is too long for the disk
_CONVERTER = dict(errors=(LGDError, OSError), weight=0.3)

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


@fuzzed(
    damaged(
        *(_CSV, _CSV_CC), words=(b'train', b'"', b'\n"', b',,', b'youtube_id')
    ),
    _csv(),
)
def test_kinetics_csv(data: bytes, root: Path) -> None:
    kinetics.read_rows([write(root / 'a.csv', data)])


@fuzzed(
    damaged(_CSV, _CSV_CC, words=(b'train', b'../x', b'/etc/x')),
    _csv(),
    **_CONVERTER,
)
def test_kinetics_converter(data: bytes, root: Path) -> None:
    options = ['--version', '400', '--num-classes', '2', '--csv', 'IN/a.csv']
    options.append('--no-check-videos')
    convert(kinetics.main, options, {'a.csv': data}, root)


@fuzzed(
    damaged(
        *(_CLASSES, _CLASSES + SPLIT + _TRAIN, SPLIT + SPLIT + _TEST),
        words=(b'Basketball/', b' 2', b'\\'),
    ),
    make.lines(_label(), make.words()),
    joined(st.just(b''), _paths(_label())),
    joined(st.just(b''), st.just(b''), _paths()),
)
def test_ucf101_lists(data: bytes, root: Path) -> None:
    parts = data.split(SPLIT)
    path = write(root / 'a.txt', parts[-1])
    if len(parts) == 1:
        ucf101.read_classes(path, 2)
    else:
        classes = ['ApplyEyeMakeup', 'Basketball']
        ucf101.read_split(path, classes, labelled=len(parts) % 2 == 0)


def _convert_splits(main, names: tuple, data: bytes, root: Path) -> None:
    options = ['--annotations', 'IN', '--num-classes', '2', '--splits', '1']
    files = dict(zip(names, data.split(SPLIT), strict=False))
    convert(main, [*options, '--no-check-videos'], files, root)


@fuzzed(
    damaged(
        SPLIT.join((_CLASSES, _TRAIN, _TEST)),
        words=(b'Basketball/', b' 2', b'../', b'2 ..'),
    ),
    joined(
        st.sampled_from((_CLASSES, b'1 ..\n2 Basketball\n')),
        _paths(_label()),
        _paths(),
    ),
    **_CONVERTER,
)
def test_ucf101_converter(data: bytes, root: Path) -> None:
    names = 'classInd.txt', 'trainlist01.txt', 'testlist01.txt'
    _convert_splits(ucf101.main, names, data, root)


@fuzzed(
    damaged(_HMDB, words=(b' 1 ', b' 2 ', b'brush_hair/', b'.avi')),
    make.lines(make.words(), _label()),
)
def test_hmdb51_splits(data: bytes, root: Path) -> None:
    write(root / 'brush_hair_test_split1.txt', data)
    read_split_files(root)


@fuzzed(
    damaged(
        _HMDB + SPLIT + _HMDB.replace(b'brush_hair', b'walk'),
        words=(b' 1 ', b' 2 ', b'brush_hair/', b'../'),
    ),
    joined(*[make.lines(make.words(), _label())] * 2),
    **_CONVERTER,
)
def test_hmdb51_converter(data: bytes, root: Path) -> None:
    names = 'brush_hair_test_split1.txt', 'walk_test_split1.txt'
    _convert_splits(hmdb51.main, names, data, root)


@fuzzed(
    damaged(b'abseiling\nair drumming\n', b'\xef\xbb\xbfa\r\nb'),
    make.lines(make.words()),
    weight=0.5,
)
def test_label_map(data: bytes, root: Path) -> None:
    read_label_map(write(root / 'label_map.txt', data))


@fuzzed(damaged(_LIST, _FRAMES), _paths(_label()), _paths(_label(), _label()))
def test_video_lists(data: bytes, root: Path) -> None:
    path = write(root / 'list.txt', data)
    for read in (
        partial(read_list, path, 1),
        partial(read_list, path, 2),
    ):
        with contextlib.suppress(LGDError):
            read()
    names, _ = read_names(path)
    video_keys([names, list(reversed(names))])


@fuzzed(
    damaged(_LIST + SPLIT + _LIST, _FRAMES + SPLIT + _LIST),
    joined(_paths(_label(), _label()), _paths(_label())),
    weight=0.7,
)
def test_experiment_lists(data: bytes, root: Path) -> None:
    from lgd_tools.experiment.data import (
        check_overlap,
        check_streams,
        listed_videos,
    )

    parts = data.split(SPLIT)
    one, two = write(root / 'a', parts[0]), write(root / 'b', parts[-1])
    frames = {'type': 'RawframeDataset', 'ann_file': str(one)}
    videos = {'type': 'VideoDataset', 'ann_file': str(two)}
    config = {
        'train_dataloader': {'dataset': frames},
        'test_dataloader': {'dataset': videos},
    }
    for check in (
        partial(check_overlap, one, two),
        partial(check_streams, [one, two]),
        listed_videos(config, 'train').check,
        listed_videos(config, 'test').check,
    ):
        with contextlib.suppress(LGDError):
            check()


@fuzzed(damaged(_NAMES), _paths(), weight=0.7)
def test_names_of_own_folders(data: bytes, root: Path) -> None:
    names = data.decode('utf-8', 'surrogateescape').split('\n')[:20]
    names = [n[:255] for n in names if n and '\0' not in n]
    # below a class folder, as a search of a folder finds them
    below = [f'c/{n.strip("/.") or "x"}' for n in names]
    clips = [Clip(n, i % 2, 'c') for i, n in enumerate(below)]
    for name in names:
        name_key(safe_name(name))
        clip_stems(Clip(name, 0, name))
    for pattern in grouping.GROUPS:
        if not clips:
            continue
        with contextlib.suppress(LGDError):
            keys, _ = grouping.group_keys(
                clips, grouping.group_pattern(pattern)
            )
            labels = [clip.label for clip in clips]
            grouping.split_groups(labels, keys, 0.2, 0)


@fuzzed(
    damaged(_NAMES, words=(b'.avi', b'/', b'\n', b'Biking/')),
    _paths().map(lambda d: re.sub(rb'(\r|\n)', b'.avi\\1', d)),
    **_CONVERTER,
)
def test_converter_of_own_folders(data: bytes, root: Path) -> None:
    (root / 'in').mkdir()
    for name in data.split(b'\n')[:8]:
        parts = [p[:60] for p in name.split(b'/') if p not in (b'', b'.')]
        if parts and b'..' not in parts and b'\0' not in name:
            path = b'/'.join(parts[-3:]).decode('utf-8', 'surrogateescape')
            with contextlib.suppress(OSError):
                write(root / 'in' / path, b'x')
    convert(folder.main, ['--videos', 'IN', '--name', 'own'], {}, root)
