"""A working folder of experiments with stand-ins for training and testing."""

import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

FAKE_TRAIN = """
import json, os, shutil, sys, time
from pathlib import Path
argv = sys.argv[1:]
work = Path(argv[argv.index('--work-dir') + 1])
work.mkdir(parents=True, exist_ok=True)
with open('calls.jsonl', 'a') as file:
    file.write(json.dumps(['train', *argv]) + '\\n')
first = 1
if '--resume' in argv:
    first = int(Path(argv[argv.index('--resume') + 1]).stem[6:]) + 1
for epoch in range(first, 4):
    shutil.copy('checkpoint', work / f'epoch_{epoch}.pth')
    (work / 'last_checkpoint').write_text(str(work / f'epoch_{epoch}.pth'))
    if epoch == 2 and os.path.exists('stop'):
        sys.exit(3)
    if epoch == 2 and os.path.exists('hang'):
        Path('hanging').touch()
        time.sleep(60)
"""
FAKE_TEST = """
import json, os, pickle, random, runpy, sys
argv = sys.argv[1:]
with open('calls.jsonl', 'a') as file:
    file.write(json.dumps(['test', *argv]) + '\\n')
dataset = runpy.run_path(argv[0])['test_dataloader']['dataset']
entries = []
for line in open(dataset['ann_file']):
    name, *_, label = line.split()
    random.seed(argv[0] + name)
    share = random.random()
    entries.append(dict(
        pred_score=[share, 1 - share], gt_label=int(label),
        filename='x/' + name,
    ))
if os.path.exists('lose'):
    entries.pop()
with open(argv[argv.index('--dump') + 1], 'wb') as file:
    pickle.dump(entries, file)
"""


@pytest.fixture
def tool() -> ModuleType:
    """lgd_tools/experiment/command.py."""
    from lgd_tools.experiment import command

    return command


@pytest.fixture
def place(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder: two splits, RGB and flow, stand-in scripts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'fake_train.py').write_text(FAKE_TRAIN)
    (tmp_path / 'fake_test.py').write_text(FAKE_TEST)
    write_checkpoint(tmp_path / 'checkpoint', 0)
    monkeypatch.setattr(tool.plan, 'TRAIN_SCRIPT', tmp_path / 'fake_train.py')
    monkeypatch.setattr(tool.plan, 'TEST_SCRIPT', tmp_path / 'fake_test.py')
    for split in (1, 2):
        for stream in ('rgb', 'flow'):
            _write_data(tmp_path, stream, split)
    return tmp_path


def write_checkpoint(path: Path, weight: float) -> None:
    """What counts as a complete checkpoint."""
    parts = {'message_hub': {}, 'optimizer': {}}
    parts['meta'] = {'epoch': 3, 'iter': 3}
    parts['state_dict'] = {'weight': torch.tensor(weight)}
    torch.save(parts, path)


def _write_data(root: Path, stream: str, split: int) -> None:
    """Six videos a split: two to train on, four to test on."""
    lists = {'train': [], 'test': []}
    for i in range(6):
        role = 'train' if i < 2 else 'test'
        name, label = f's{split}_v{i}', i % 2
        if stream == 'rgb':
            path = root / 'data' / 'videos' / f'{name}.avi'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'video')
            lists[role].append(f'{name}.avi {label}')
        else:
            folder = root / 'data' / 'flow' / name
            folder.mkdir(parents=True)
            for xy in 'xy':
                for frame in range(1, 6):
                    (folder / f'flow_{xy}_{frame:05d}.jpg').write_bytes(b'j')
            lists[role].append(f'{name} 5 {label}')
    for role, lines in lists.items():
        path = root / 'data' / f'{stream}_{role}_{split}.txt'
        path.write_text('\n'.join(lines) + '\n')
    prefix = "video='data/videos'" if stream == 'rgb' else "img='data/flow'"
    kind = (
        "'VideoDataset'"
        if stream == 'rgb'
        else "'RawframeDataset', modality='Flow',"
        " filename_tmpl='flow_{}_{:05d}.jpg'"
    )
    loaders = ''.join(
        f"{role}_dataloader = dict(dataset=dict(type={kind}, ann_file='data/"
        f"{stream}_{file}_{split}.txt', data_prefix=dict({prefix}), pipeline"
        "=[dict(type='Resize'), dict(type='PackActionInputs')]))\n"
        for role, file in (
            ('train', 'train'),
            ('val', 'test'),
            ('test', 'test'),
        )
    )
    (root / f'{stream}{split}.py').write_text(
        f'{loaders}model = dict(cls_head=dict(num_classes=2))\n'
        'load_from = None\ntrain_cfg = dict(max_epochs=3)\n'
        'custom_hooks = [dict(switch_epoch=2)]\n'
    )


def argv_of(*more: str) -> list[str]:
    return [
        *('--name', 'row', '--work-dir', 'work'),
        *('--rgb', 'rgb1.py', 'rgb2.py', '--flow', 'flow1.py', 'flow2.py'),
        *more,
    ]


def calls() -> list[list[str]]:
    path = Path('calls.jsonl')
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
