"""Reading and pairing of score files."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import DumpResults

from lgd_mmaction.errors import LGDError
from lgd_tools.results.scores import load_scores, pair_streams
from lgd_tools.results.video_names import read_list, video_keys


def _write_list(path: Path, lines: list[str]) -> Path:
    path.write_text('\n'.join(lines) + '\n')
    return path


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'bfloat16'])
def test_reads_what_the_stock_dump_writes(tmp_path, dtype):
    metric = DumpResults(str(tmp_path / 'a.pkl'))
    expected = torch.rand(3, 4).softmax(1).to(getattr(torch, dtype))
    for i in range(3):
        sample = ActionDataSample().set_gt_label(i)
        sample.set_pred_score(expected[i]).set_pred_label(1)
        sample.set_metainfo({'filename': f'd/v{i}.mp4', 'img_shape': (8, 8)})
        metric.process(None, [sample.to_dict()])
    metric.evaluate(3)
    scores = load_scores(tmp_path / 'a.pkl')
    assert scores.names == ['d/v0.mp4', 'd/v1.mp4', 'd/v2.mp4']
    assert scores.labels.tolist() == [0, 1, 2]
    assert scores.names_from == 'dump'
    assert np.array_equal(scores.values, expected.double().numpy())


def test_reads_numpy_entries(tmp_path):
    entry = {
        'pred_score': np.array([0.25, 0.75]),
        'gt_label': np.int64(1),
        'filename': 'a',
    }
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([entry]))
    scores = load_scores(tmp_path / 'a.pkl')
    assert scores.values.tolist() == [[0.25, 0.75]]
    assert scores.labels.tolist() == [1]


class _Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_runs_no_code_from_a_score_file(tmp_path):
    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps([_Evil(tmp_path / 'touched')]))
    with pytest.raises(LGDError, match='evil.pkl names pathlib'):
        load_scores(path)
    assert not (tmp_path / 'touched').exists()


def test_runs_no_code_from_a_tensor(tmp_path):
    """torch's own storage loader would unpickle whatever it is given."""
    inner = pickle.dumps(_Evil(tmp_path / 'touched'))

    class Storage:
        def __reduce__(self):
            return (torch.storage._load_from_bytes, (inner,))

    path = tmp_path / 'evil.pkl'
    path.write_bytes(pickle.dumps([Storage()]))
    with pytest.raises(LGDError, match='file .* damaged or no pickle'):
        load_scores(path)
    assert not (tmp_path / 'touched').exists()


def test_a_tensor_is_not_larger_than_its_storage(tmp_path):
    storage = torch.FloatStorage([0.25, 0.75])

    class Tensor:
        def __init__(self, *args):
            self.args = storage, *args, False, OrderedDict()

        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, self.args

    path = tmp_path / 'a.pkl'

    def load(*args):
        entry = {'pred_score': Tensor(*args), 'gt_label': 0, 'filename': 'a'}
        path.write_bytes(pickle.dumps([entry]))
        return load_scores(path).values.tolist()

    assert load(0, (2,), (1,)) == [[0.25, 0.75]]
    assert load(1, (1,), (1,)) == [[0.75]]
    for args in (
        (0, (50_000_000,), (1,)),
        (1, (2,), (1,)),
        (0, (2,), (2,)),
        (-1, (2,), (1,)),
        (2, (2,), (-1,)),
    ):
        with pytest.raises(LGDError, match='a.pkl .*larger than its storage'):
            load(*args)


def test_keys_of_an_ordered_dict_are_looked_at(tmp_path):
    path = tmp_path / 'a.pkl'
    # OrderedDict([((), 1)]): its own constructor would hash any key
    made = b'\x80\x02ccollections\nOrderedDict\n](' + b')K\x01\x86e\x85R.'
    path.write_bytes(made)
    with pytest.raises(LGDError, match='a.pkl is damaged'):
        load_scores(path)
    plain = OrderedDict(pred_score=torch.ones(2), gt_label=0, filename='a')
    path.write_bytes(pickle.dumps([plain]))
    assert load_scores(path).values.tolist() == [[1, 1]]


def test_broken_files(tmp_path, write_dump, make_scores):
    with pytest.raises(LGDError, match='score file .*none.pkl does not exist'):
        load_scores(tmp_path / 'none.pkl')
    whole = write_dump('whole.pkl', *make_scores(4, 3, 0), list('abcd'))
    cut = tmp_path / 'cut.pkl'
    cut.write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(LGDError, match='cut.pkl is damaged'):
        load_scores(cut)
    (tmp_path / 'empty.pkl').write_bytes(b'')
    with pytest.raises(LGDError, match='empty.pkl is damaged'):
        load_scores(tmp_path / 'empty.pkl')
    (tmp_path / 'list.pkl').write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(LGDError, match='not a list of dicts'):
        load_scores(tmp_path / 'list.pkl')


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_not_finite(write_dump, make_scores, bad):
    values, labels = make_scores(3, 4, 0)
    values[1, 2] = bad
    path = write_dump('nan.pkl', values, labels, ['a', 'b', 'c'])
    with pytest.raises(LGDError, match='nan.pkl: b: the scores hold NaN'):
        load_scores(path)


def test_bad_scores_and_labels(write_dump):
    ragged = [np.full(3, 1 / 3), np.full(4, 1 / 4)]
    path = write_dump('ragged.pkl', ragged, [0, 1], ['a', 'b'])
    with pytest.raises(LGDError, match='b has 4 scores, others 3'):
        load_scores(path)
    clips = np.full((2, 5, 3), 1 / 3)
    path = write_dump('clips.pkl', clips, [0, 1], ['a', 'b'])
    with pytest.raises(LGDError, match='average_clips'):
        load_scores(path)
    path = write_dump('label.pkl', np.eye(3), [0, 1, -1], list('abc'))
    with pytest.raises(LGDError, match=r'c has label \[-1'):
        load_scores(path)


def test_names_from_the_list(tmp_path, write_dump, make_scores):
    values, labels = make_scores(4, 3, 0)
    path = write_dump('a.pkl', values, labels)
    with pytest.raises(LGDError, match='does not hold the names'):
        load_scores(path)
    lines = [f'd/v{i}.mp4 {label}' for i, label in enumerate(labels)]
    ann = _write_list(tmp_path / 'a.txt', lines)
    scores = load_scores(path, ann)
    assert scores.names == [f'd/v{i}.mp4' for i in range(4)]
    assert scores.names_from == 'list'
    short = _write_list(tmp_path / 'short.txt', lines[:3])
    with pytest.raises(LGDError, match=r'names of the 4 videos.*given: 3'):
        load_scores(path, short)
    other = lines[:3] + [f'd/v3.mp4 {(labels[3] + 1) % 3}']
    with pytest.raises(LGDError, match='disagree on v3'):
        load_scores(path, _write_list(tmp_path / 'other.txt', other))


def test_dumped_names_must_be_those_of_the_list(
    tmp_path, write_dump, make_scores
):
    values, labels = make_scores(3, 3, 0)
    names = [f'/data/v{i}.mp4' for i in range(3)]
    path = write_dump('a.pkl', values, labels, names)
    lines = [f'v{i}.mp4 {labels[i]}' for i in (2, 0, 1)]
    scores = load_scores(path, _write_list(tmp_path / 'a.txt', lines))
    assert scores.names_from == 'dump'
    assert scores.names == names
    with pytest.raises(LGDError, match='1 are not in .*b.txt: v1'):
        load_scores(
            path, _write_list(tmp_path / 'b.txt', [lines[0], lines[1]])
        )
    wrong = [*lines[:2], f'v1.mp4 {(labels[1] + 1) % 3}']
    with pytest.raises(LGDError, match='disagree on v1'):
        load_scores(path, _write_list(tmp_path / 'c.txt', wrong))


def test_read_list(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xef\xbb\xbfa b/c#1.avi 3\r\n\r\nd/e 17 2\r\n')
    assert read_list(path) == (['a b/c#1.avi', 'd/e'], [3, 2])
    with pytest.raises(LGDError, match=r'bad.txt:2: expected'):
        read_list(_write_list(tmp_path / 'bad.txt', ['a 1', 'b']))
    with pytest.raises(LGDError, match='is empty'):
        read_list(_write_list(tmp_path / 'none.txt', []))


def test_keys_of_videos_and_of_frame_folders():
    rgb = ['data/videos/run/x_1.5.AVI', 'data/videos/walk/y&(z).mp4']
    flow = ['flow\\x_1.5', 'flow\\y&(z)']
    assert video_keys([rgb, flow]) == [['x_1.5', 'y&(z)']] * 2


def test_keys_that_collide_keep_their_folder():
    rgb = ['v/run/01.avi', 'v/walk/01.avi']
    flow = ['f/walk/01', 'f/run/01']
    assert video_keys([rgb, flow]) == [
        ['run/01', 'walk/01'],
        ['walk/01', 'run/01'],
    ]


def test_a_video_listed_twice():
    with pytest.raises(LGDError, match='a/v.mp4 is there more than once'):
        video_keys([['a/v.mp4', 'a/w.mp4', 'a/v.mp4']])


def test_pairs_by_name_not_by_order(write_dump, make_scores):
    values, labels = make_scores(20, 5, 0)
    names = [f'videos/v{i:02d}.mp4' for i in range(20)]
    frames = [f'frames/v{i:02d}' for i in range(20)]
    order = np.random.default_rng(3).permutation(20)
    one = write_dump('one.pkl', values, labels, names)
    two = write_dump('two.pkl', values, labels, frames, 'frame_dir', order)
    keys, paired, shared = pair_streams([load_scores(one), load_scores(two)])
    assert keys == [f'v{i:02d}' for i in range(20)]
    assert np.array_equal(paired[0], paired[1])
    assert shared.tolist() == labels.tolist()


def test_refuses_other_videos(write_dump, make_scores):
    values, labels = make_scores(5, 3, 0)
    one = write_dump('one.pkl', values, labels, list('abcde'))
    two = write_dump('two.pkl', values[1:], labels[1:], list('bcde'))
    loaded = [load_scores(one), load_scores(two)]
    with pytest.raises(LGDError, match=r'one.pkl: 5.*two.pkl: 4.*: a;'):
        pair_streams(loaded)
    labels = labels.copy()
    labels[2] = (labels[2] + 1) % 3
    three = write_dump('three.pkl', values, labels, list('abcde'))
    with pytest.raises(LGDError, match='disagree on c'):
        pair_streams([loaded[0], load_scores(three)])
    four = write_dump('four.pkl', np.eye(5), range(5), list('abcde'))
    with pytest.raises(LGDError, match='different numbers of classes'):
        pair_streams([loaded[0], load_scores(four)])
