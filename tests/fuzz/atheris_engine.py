"""Let atheris (libFuzzer) make the inputs, guided by the coverage of the code.

Each target runs in a process of its own, since libFuzzer ends the process.
"""

import argparse
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lgd_tools.cli import EXIT_INCOMPLETE, EXIT_OK, ToolError
from tests.fuzz.engine import Runner
from tests.fuzz.target import Target

# whose branches guide it
_INSTRUMENTED = (
    *('kinetics', 'ucf101', 'hmdb51', 'folder', 'common', 'clips'),
    *('exclusion', 'scores', 'score_pickle', 'numpy_pickle', 'run_log'),
    *('summarise_splits', 'video_names', 'parallel', 'experiment'),
    *('jhmdb', 'ucf101_24', 'lgd_mmaction.tubes', 'lgd_mmaction.detections'),
    *('lgd_mmaction.plain_arrays', 'lgd_mmaction.safe_load'),
)


def run_atheris(targets: Sequence[Target], args: argparse.Namespace) -> int:
    """Shares ``args.inputs`` out to the targets; the exit code.

    Raises:
        ToolError: atheris is not installed.
    """
    if importlib.util.find_spec('atheris') is None:
        raise ToolError(
            '--engine atheris needs atheris: pip install atheris (Linux, '
            'Python 3.11 to 3.13), or leave --engine out'
        )
    code, each = EXIT_OK, -(-args.inputs // len(targets))
    for target in targets:
        with tempfile.TemporaryDirectory(prefix='fuzz_') as folder:
            corpus = Path(folder) / 'corpus'
            corpus.mkdir()
            for i, seed in enumerate(target.seeds):
                (corpus / str(i)).write_bytes(seed)
            options = {
                'target': target.name,
                'scratch': folder,
                'out': str(args.out or ''),
                'time_limit': args.time_limit,
                'memory': args.memory,
                'fuzzer': [
                    *(f'-runs={each}', f'-seed={args.seed + 1}'),
                    *('-max_len=20000', '-rss_limit_mb=4096', '-timeout=60'),
                    *(f'-artifact_prefix={folder}/', str(corpus)),
                ],
            }
            path = Path(__file__).resolve().parents[1] / 'fuzz.py'
            done = subprocess.run(
                [sys.executable, str(path), '--child', json.dumps(options)],
                capture_output=True,
                text=True,
                errors='replace',
            )
        text = done.stdout + done.stderr
        runs = re.search(r'Done (\d+) runs in (\d+) second', text)
        said = re.findall(r'^FAILED .*$', text, re.M)
        count = f'{runs[1]} inputs, {runs[2]} s' if runs else 'it crashed'
        cover = re.findall(r'cov: (\d+)', text)
        print(
            f'{target.name}: {count}, {cover[-1] if cover else 0} branches, '
            f'{len(said)} kinds of failure'
        )
        print('\n'.join(said) if runs else text[-1500:])
        if said or not runs:
            code = EXIT_INCOMPLETE
    return code


def child(text: str) -> None:
    """Body of the process of one target; does not return."""
    import atheris

    options = json.loads(text)
    with atheris.instrument_imports(include=list(_INSTRUMENTED)):
        from tests.fuzz import __main__ as fuzz

        targets = fuzz.all_targets()
    target = targets[options['target']]
    runner = Runner(
        Path(options['scratch']), options['time_limit'], options['memory']
    )
    seen: set[str] = set()

    def use(data: bytes) -> None:
        failure = runner.run(target, data)
        if failure is None or failure.key in seen:
            return
        seen.add(failure.key)
        print(
            f'FAILED {failure.target}: {failure.kind} at '
            f'{failure.where or "-"}: {failure.message[:200]!r}',
            file=sys.stderr,
        )
        if options['out']:
            failure.save(Path(options['out']))

    atheris.Setup([sys.argv[0], *options['fuzzer']], use)
    atheris.Fuzz()
