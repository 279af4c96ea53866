"""The index and the table of the configs say what the configs are."""

import functools
import re
import shutil
from pathlib import Path

import pytest
import yaml

from lgd_tools import configs_table
from lgd_tools.cli import ToolError
from lgd_tools.configs_table import read_groups
from tests.configs.test_configs import CONFIGS, ROOT, load


@pytest.mark.slow
def test_model_index_lists_every_config_once() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    models, collections = [], []
    for file in index['Import']:
        meta = yaml.safe_load((ROOT / file).read_text())
        models += meta['Models']
        collections += [c['Name'] for c in meta['Collections']]
    paths = [model['Config'] for model in models]
    assert sorted(paths) == sorted(f'configs/{n}.py' for n in CONFIGS)
    names = [model['Name'] for model in models]
    assert len(set(names)) == len(names)
    for model in models:
        assert (ROOT / model['Config']).is_file()
        # mim's download compares with lower-case names
        assert model['Name'] == model['Name'].lower()
        assert model['Name'] == Path(model['Config']).stem
        assert model['In Collection'] in collections
        # nothing was measured, nothing can be downloaded
        assert 'Results' not in model and 'Weights' not in model
        cfg = load(model['Config'][len('configs/') : -len('.py')])
        data = model['Metadata']
        assert data['Epochs'] == cfg.train_cfg.max_epochs
        assert data['Batch Size'] == cfg.auto_scale_lr.base_batch_size


@functools.cache
def table() -> list:
    return read_groups(ROOT)


@pytest.mark.slow
def test_docs_and_metafile_are_fresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configs_table.main(['--root', str(ROOT), '--check']) == 0
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    (tmp_path / 'docs').mkdir()
    page = tmp_path / 'docs' / 'configs.md'
    text = (ROOT / 'docs' / 'configs.md').read_text()
    page.write_text(text.replace('(quoted)', '(sure)'))
    arguments = ['--root', str(tmp_path)]
    assert configs_table.main([*arguments, '--check']) == 1
    assert 'configs.md is stale' in capsys.readouterr().out
    assert configs_table.main(arguments) == 0
    assert page.read_text() == text
    (tmp_path / 'configs' / 'new.py').write_text('seed = 1\n')
    with pytest.raises(ToolError, match='table.yml lacks new;'):
        configs_table.main(arguments)


@pytest.mark.slow
def test_table_has_every_config_once() -> None:
    names = [name for *_, rows in table() for r in rows for name in r.names]
    assert sorted(names) == CONFIGS
    page = (ROOT / 'docs' / 'configs.md').read_text()
    shown = re.findall(r'\[(\S+?)\]\(\.\./configs/(\S+?)\.py\)', page)
    links = {link: text.replace('{1,2,3}', '1') for text, link in shown}
    assert list(links) == list(links.values()) and len(shown) == len(links)
    splits = {n for n in CONFIGS if re.search('split[23]$', n)}
    assert {*links, *splits} == {*CONFIGS} and splits.isdisjoint(links)
    assert {n[:-1] + '1' for n in splits} == {
        link for text, link in shown if text.endswith('{1,2,3}')
    }


@pytest.mark.slow
def test_table_agrees_with_the_names() -> None:
    titles = dict(
        k400='Kinetics-400',
        k600='Kinetics-600',
        ucf101_24='UCF101-24',
        ucf101='UCF101',
        hmdb51='HMDB51',
        jhmdb='J-HMDB',
        quickstart_tubes='Generated videos',
        quickstart='Generated clips',
    )
    for *_, rows in table():
        for row in rows:
            name = row.names[0]
            key = next(key for key in titles if key in name)
            assert row.data == titles[key]
            assert row.modality == ('Flow' if 'flow' in name else 'RGB')
            if len(row.names) > 1:
                assert [n[-1] for n in row.names] == ['1', '2', '3']
                assert len({n[:-1] for n in row.names}) == 1
            if '/' not in name or name[0] != 'e':
                depth = '50' if 'r50' in name else '101'
                depth = '18' if 'quickstart' in name else depth
                assert row.architecture == f'ResNet-{depth}'
            for each in row.names:
                backbone = load(each).model.backbone
                if 'depth' in backbone:
                    assert row.architecture == f'ResNet-{backbone.depth}'


@pytest.mark.slow
def test_published_numbers_say_how_sure_they_are() -> None:
    numbers = 0
    page = (ROOT / 'docs' / 'configs.md').read_text()
    page = ' '.join(page.split())
    assert 'ResNet-101 LGD-3D with 128-frame clips: no target for' in page
    for *_, rows in table():
        for row in rows:
            # nobody trained the others here
            assert bool(row.measured) == row.names[0].startswith('quickstart')
            if row.published:
                numbers += 1
                assert re.match(r'\d.* \((quoted|recalled)\)$', row.published)
                for name in row.names:
                    assert 'lgd3d' in name and 'r50' not in name
    assert numbers == 8
