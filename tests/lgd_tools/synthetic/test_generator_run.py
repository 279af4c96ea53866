"""The workers of the generators."""

import os

import pytest

from lgd_tools.cli import ToolError
from lgd_tools.synthetic.generator_run import make_all


@pytest.mark.parametrize('workers', [1, 3])
def test_every_job_is_done_once(tmp_path, workers):
    folders = [str(tmp_path / str(i)) for i in range(9)]
    make_all(os.mkdir, folders, workers, 'clips')
    assert len(list(tmp_path.iterdir())) == 9


@pytest.mark.slow
def test_a_worker_that_dies_is_named_with_its_remedy():
    with pytest.raises(ToolError, match='fewer --workers; finished clips'):
        make_all(os._exit, [1] * 8, 2, 'clips')
