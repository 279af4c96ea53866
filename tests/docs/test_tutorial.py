"""docs/tutorial.ipynb: kept without outputs, and runs from top to bottom."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.fixture
def notebook(repo_root: Path) -> nbformat.NotebookNode:
    return nbformat.read(repo_root / 'docs' / 'tutorial.ipynb', as_version=4)


def test_is_valid_and_without_outputs(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    code = [c for c in notebook.cells if c.cell_type == 'code']
    assert len(code) >= 8
    for cell in code:
        assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.slow
def test_runs_in_a_smaller_setting(
    notebook: nbformat.NotebookNode,
    repo_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the kernel finds this package, whatever is installed
    monkeypatch.setenv(
        'PYTHONPATH', f'{repo_root}{os.pathsep}{repo_root}/tools'
    )
    monkeypatch.setenv(
        'MPLBACKEND', 'module://matplotlib_inline.backend_inline'
    )
    (cell,) = (
        c for c in notebook.cells if c.metadata.get('tags') == ['parameters']
    )
    cell.source = 'CLIPS_PER_CLASS, EPOCHS, STAGE_2_FROM = 4, 2, 1\n'
    cell.source += f'OUT = {str(tmp_path)!r}'
    NotebookClient(notebook, timeout=300, kernel_name='python3').execute()
    outputs = [o for c in notebook.cells for o in c.get('outputs', ())]
    said = ''.join(o.text for o in outputs if o.output_type == 'stream')
    assert 'chance                12.5%' in said
    pictures = [o for o in outputs if 'image/png' in o.get('data', ())]
    assert len(pictures) == 3
    assert (tmp_path / 'train' / 'epoch_2.pth').is_file()
