"""Kinetics csv files that are wrong: the message names the line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgd_tools.cli import ToolError
from lgd_tools.lists import kinetics

HEADER = 'label,youtube_id,time_start,time_end,split'
ROWS = """\
air drumming,-a0_12345_67,3,13,train
air drumming,bbbbbbbbbbb,0,10,train"""


def write_csv(path: Path, rows: str = ROWS, header: str = HEADER) -> Path:
    path.write_text(f'{header}\n{rows}\n')
    return path


def convert(tmp_path: Path, csv: Path) -> int:
    argv = ['--version', 600, '--csv', csv, '--out', tmp_path / 'out']
    argv += ['--num-classes', 4, '--no-check-videos']
    return kinetics.main([str(a) for a in argv])


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ('zumba,ddddddddddd,7,17', r':4: more or fewer fields'),
        ('a,b,c,1,2,train', r':4: more or fewer fields'),
        ('zumba,ddddddddddd,x,17,train', r":4: time_start 'x' is not"),
        ('zumba,ddddddddddd,7,nan,train', r':4: time_end'),
        ('zumba,ddddddddddd,-7,17,train', r':4: time_start'),
        ('zumba,../../etc,7,17,train', r':4: .* not a YouTube id'),
        ('zumba,a b,7,17,train', r':4: .* not a YouTube id'),
        ('zumba,#NAME?,7,17,train', r':4: .* not a YouTube id'),
        (',ddddddddddd,7,17,train', r':4: a train clip needs a label'),
        ('zumba,ddddddddddd,7,17,dev', r":4: split 'dev'"),
        ('"zumba,ddddddddddd,7,17,train', r':4: not a valid csv'),
    ],
)
def test_wrong_rows_name_the_line(tmp_path, row, message):
    rows = f'{ROWS}\n{row}'
    csv = write_csv(tmp_path / 'k.csv', rows)
    with pytest.raises(ToolError, match=r'k\.csv' + message):
        convert(tmp_path, csv)
    assert not (tmp_path / 'out').exists()


def test_header_and_emptiness(tmp_path):
    csv = write_csv(tmp_path / 'k.csv', header='label,id,start,end,split')
    with pytest.raises(ToolError, match='youtube_id, time_start, time_end'):
        convert(tmp_path, csv)
    csv.write_text('')
    with pytest.raises(ToolError, match='no usable rows'):
        convert(tmp_path, csv)


@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda s: f'{HEADER}\n{s}'.encode()),
        st.lists(
            st.sampled_from([*'",\r\n\0 \xe9', 'a', '1', 'val', HEADER]),
            max_size=40,
        ).map(lambda parts: ''.join([HEADER, '\n', *parts]).encode()),
    )
)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_fuzz_csv(tmp_path, data):
    path = tmp_path / 'fuzz.csv'
    path.write_bytes(data)
    try:
        rows, _ = kinetics.read_rows([path])
    except ToolError as error:
        assert 'fuzz.csv' in str(error)
    else:
        assert all(rows.values())
