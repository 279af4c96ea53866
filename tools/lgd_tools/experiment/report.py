"""What an experiment measured: one JSON file and one markdown row."""

import platform
import runpy
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from lgd_tools.cli import write_json, write_text
from lgd_tools.experiment.steps import json_sha256
from lgd_tools.results.summarise_splits import format_table

PACKAGES = (
    *('lgd_mmaction', 'mmaction2', 'mmengine', 'mmcv', 'mmcv-lite'),
    *('torch', 'numpy', 'decord', 'opencv-contrib-python'),
)


def read_versions(repository: Path) -> dict[str, Any]:
    """Python, packages, GPU and the commit of this repository."""
    versions: dict[str, Any] = {'python': platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    own = repository / 'lgd_mmaction' / 'version.py'
    if own.is_file():  # a checkout, installed or not
        versions['lgd_mmaction'] = runpy.run_path(str(own))['__version__']
    versions['commit'] = _commit(repository)
    versions['gpu'] = _gpu()
    return versions


def _commit(repository: Path) -> str | None:
    command = ['git', 'describe', '--always', '--dirty', '--abbrev=12']
    try:
        done = subprocess.run(
            command, cwd=repository, capture_output=True, text=True
        )
    except OSError:  # no git
        return None
    return done.stdout.strip() or None


def _gpu() -> str | None:
    import torch

    if not torch.cuda.is_available():
        return None
    return f'{torch.cuda.get_device_name(0)} x{torch.cuda.device_count()}'


def run_facts(
    run: Any, data: Mapping[str, Any], markers: Mapping[str, dict]
) -> dict[str, Any]:
    """What the JSON says of one training and its test.

    Args:
        run: The plan.Run.
        data: Counts of each list.
        markers: Of its 'train' and 'test' step.
    """
    settings = run.settings
    hooks = settings.get('custom_hooks') or []
    switch = [h['switch_epoch'] for h in hooks if 'switch_epoch' in h]
    return {
        'stream': run.stream,
        'split': run.split,
        'config': run.config,
        'config_sha256': run.config_sha256,
        'cfg_options': run.options,
        'max_epochs': (settings.get('train_cfg') or {}).get('max_epochs'),
        'second_stage_from_epoch': switch[0] if switch else None,
        'data': dict(data),
        'checkpoint': dict(markers['train']['outputs']),
        'steps': {
            name: {
                key: marker[key]
                for key in (
                    *('command', 'runs', 'started', 'finished'),
                    *('seconds_of_last_run', 'inputs', 'versions'),
                )
            }
            for name, marker in markers.items()
        },
    }


def write_result(
    folder: Path,
    name: str,
    summary: dict,
    runs: Sequence[dict],
    splits: Sequence[dict],
    versions: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> str:
    """Writes result.json and result.md; returns the markdown row."""
    hashes = [run['config_sha256'] for run in runs]
    result = {
        'tool': 'run_experiment',
        'name': name,
        'configs_sha256': json_sha256(hashes),
        'settings': dict(settings),
        'versions': dict(versions),
        'summary': summary,
        'runs': list(runs),
        'splits': list(splits),
    }
    write_json(folder / 'result.json', result)
    train = [
        r['data']['train']['videos']
        for r in runs
        if r['stream'] == runs[0]['stream']
    ]
    table = format_table(
        name,
        summary,
        extra={
            'train videos': ' + '.join(map(str, train)),
            'weights': ' : '.join(
                f'{weight:.3g}' for weight in summary['weights'].values()
            ),
            'configs': result['configs_sha256'][:12],
            'versions': ', '.join(
                f'{key} {versions[key]}'
                for key in ('lgd_mmaction', 'commit', 'mmaction2', 'torch')
                if versions.get(key)
            ),
        },
    )
    write_text(folder / 'result.md', table + '\n')
    return table
