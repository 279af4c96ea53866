"""Mean and spread over splits."""

import json

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.results.summarise_splits import (
    format_cell,
    main,
    spread,
    summarise,
)


def _report(split, rgb, flow=None, **changes):
    def stream(name, top1):
        return {
            'name': name,
            'file': f'{name}{split}.pkl',
            'sha256': f'{name}{split}',
            'weight': 0.5,
            **_measures(top1),
        }

    streams = [stream('rgb', rgb)]
    if flow is not None:
        streams.append(stream('flow', flow))
    return {
        'tool': 'fuse_streams',
        'videos': 3780 + split,
        'classes': 101,
        'streams': streams,
        'fused': None if flow is None else _measures((rgb + flow) / 2),
        **changes,
    }


def _measures(top1):
    return {'top1': top1, 'top5': 1.0, 'mean_class': top1 / 2}


def test_spread_by_hand():
    found = spread([0.90, 0.92, 0.97])
    assert found['mean'] == pytest.approx(0.93)
    # sqrt((9 + 1 + 16) / 2) points
    assert found['std'] == pytest.approx(13**0.5 / 100)
    assert (found['min'], found['max']) == (0.90, 0.97)
    assert format_cell(found) == '93.00 ± 3.61 (90.00-97.00)'
    assert format_cell(spread([0.5])) == '50.00'


def test_summary_and_row(tmp_path, capsys):
    paths = []
    for split, (rgb, _flow) in enumerate(
        [(0.9, 0.8), (0.92, 0.8), (0.97, 0.8)]
    ):
        path = tmp_path / f'split{split}.json'
        path.write_text(json.dumps(_report(split, rgb, 0.8)))
        paths.append(str(path))
    out, numbers = tmp_path / 'row.md', tmp_path / 'row.json'
    argv = [*paths, '--name', 'LGD|3D', '--measures', 'top1']
    assert main([*argv, '--out', str(out), '--json', str(numbers)]) == 0
    lines = out.read_text().splitlines()
    assert lines == capsys.readouterr().out.splitlines()
    assert lines[0] == (
        '| experiment | rgb top-1 | flow top-1 | fused top-1 | test videos |'
    )
    assert lines[1] == '| --- | --- | --- | --- | --- |'
    assert lines[2] == (
        '| LGD\\|3D | 93.00 ± 3.61 (90.00-97.00) '
        '| 80.00 ± 0.00 (80.00-80.00) | 86.50 ± 1.80 (85.00-88.50) '
        '| 3780 + 3781 + 3782 |'
    )
    summary = json.loads(numbers.read_text())
    assert summary['splits'] == 3
    assert summary['results']['rgb']['mean_class']['mean'] == pytest.approx(
        0.465
    )


def test_single_stream():
    summary = summarise([_report(1, 0.9)])
    assert set(summary['results']) == {'rgb'}
    assert summary['results']['rgb']['top1']['std'] is None


def test_refuses_what_is_no_set_of_splits(tmp_path):
    first = _report(1, 0.9, 0.8)
    for other, message in [
        (_report(2, 0.9), 'fuse the same streams'),
        (_report(2, 0.9, 0.8, classes=51), 'classes of split 1 are 101.* 51'),
        (first, 'splits 1 and 2 come from the same scores'),
    ]:
        with pytest.raises(ToolError, match=message):
            summarise([first, other])
    other = _report(2, 0.9, 0.8)
    other['streams'][0]['weight'] = 0.6
    with pytest.raises(ToolError, match='weights of split 1 are .*0.6'):
        summarise([first, other])
    for text, message in [
        ('{', 'does not come from'),
        ('{}', 'does not come from'),
    ]:
        path = tmp_path / 'x.json'
        path.write_text(text)
        with pytest.raises(ToolError, match=message):
            main([str(path)])
    with pytest.raises(ToolError, match='none.json does not exist'):
        main([str(tmp_path / 'none.json')])
