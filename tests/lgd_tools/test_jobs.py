"""lgd_tools.jobs: isolation, time limit, journal, interruption."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lgd_tools import jobs as parallel
from lgd_tools.cli import ToolError
from lgd_tools.jobs import Job
from lgd_tools.journal import Journal, Outcome

# the workers import it by name, so it lies in a folder of its own
WORK = """
import os, time
from lgd_tools.jobs import JobError

STUMBLE = os.path.join(os.path.dirname(__file__), 'stumble')
if os.path.exists(STUMBLE):  # this process dies before its first item
    os.remove(STUMBLE)
    os._exit(3)

def work(kind, folder):
    with open(os.path.join(folder, 'calls'), 'a') as file:
        file.write(kind + '\\n')
    if kind.startswith('bad'):
        raise JobError(f'{kind} is broken')
    if kind.startswith('bug'):
        raise ValueError('two\\nlines')
    if kind.startswith('segv'):
        os.kill(os.getpid(), 11)
    if kind.startswith('trip'):
        open(STUMBLE, 'w').close()
    if kind.startswith('hang'):
        time.sleep(60)
    if kind.startswith('slow'):
        time.sleep(0.3)
    return dict(kind=kind, pid=os.getpid())
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / 'work_for_parallel.py').write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__('work_for_parallel')
    yield module.work
    sys.modules.pop('work_for_parallel', None)


def calls(tmp_path):
    path = tmp_path / 'calls'
    return sorted(path.read_text().split()) if path.exists() else []


def run_jobs(function, jobs, **options):
    folder = jobs[0].args[1] if jobs else '/nowhere'
    journal = os.path.join(folder, 'default.jsonl')
    options = dict(dict(journal=Path(journal), workers=1), **options)
    return parallel.run_jobs(function, jobs, **options)


def jobs_of(tmp_path, *kinds):
    return [Job(kind, (kind, str(tmp_path)), None) for kind in kinds]


@pytest.mark.slow
def test_every_way_to_fail_costs_one_item(work, tmp_path):
    kinds = ['a', 'bad', 'segv', 'hang', 'bug', 'b', 'c', 'd']
    report = run_jobs(
        work, jobs_of(tmp_path, *kinds), workers=2, time_limit=2.0
    )
    assert [o.key for o in report.outcomes] == kinds  # in order of the jobs
    status = {o.key: o.status for o in report.outcomes}
    assert status == dict(
        a='done',
        b='done',
        c='done',
        d='done',
        bad='failed',
        bug='failed',
        segv='crashed',
        hang='timeout',
    )
    error = {o.key: o.error for o in report.bad}
    assert error['bad'] == 'bad is broken'
    assert error['bug'] == 'ValueError: two lines'
    assert error['segv'] == 'the process crashed (SIGSEGV)'
    assert error['hang'] == 'took longer than 2 s'
    assert report.exit_code == 1
    # a crash gets a second chance, nothing else does
    assert calls(tmp_path).count('segv') == 2
    assert calls(tmp_path).count('hang') == 1


def test_a_time_limit_is_told():
    """Python 3.10's own TimeoutError is another one than that of a pool."""
    late = concurrent.futures.Future()
    late.set_exception(concurrent.futures.TimeoutError())
    told = 'timeout', None, 'took longer than 2 s', 2.0
    assert parallel._answer(late, 2.0) == told


def test_all_good_is_exit_code_0(work, tmp_path):
    report = run_jobs(work, jobs_of(tmp_path, 'a', 'b'), workers=4)
    assert report.exit_code == 0 and not report.bad
    assert [o.result['kind'] for o in report.done] == ['a', 'b']
    again = run_jobs(work, [], journal=tmp_path / 'none.jsonl')
    assert again.exit_code == 0


@pytest.mark.slow
def test_journal_skips_what_is_unchanged(work, tmp_path):
    journal, source = tmp_path / 'j' / 'journal.jsonl', tmp_path / 'in.mp4'
    source.write_bytes(b'1')
    jobs = [
        Job('a', ('a', str(tmp_path)), source),
        Job('bad', ('bad', str(tmp_path)), source),
    ]

    def go(**options):
        (tmp_path / 'calls').unlink(missing_ok=True)
        report = run_jobs(
            work,
            jobs,
            workers=1,
            journal=journal,
            **dict(params=dict(p=1), **options),
        )
        return report.skipped, calls(tmp_path), report.exit_code

    assert go() == (0, ['a', 'bad'], 1)
    assert go() == (1, ['bad'], 1)  # failed items are tried again
    assert go(still_done=lambda job, outcome: False) == (0, ['a', 'bad'], 1)
    source.write_bytes(b'12')  # another size
    assert go() == (0, ['a', 'bad'], 1)
    os.utime(source, ns=(1, 1))  # another time
    assert go() == (0, ['a', 'bad'], 1)
    report = run_jobs(work, jobs, workers=1, journal=journal, params=dict(p=2))
    assert report.skipped == 0  # other parameters


def test_torn_last_line_costs_one_item(work, tmp_path):
    journal = tmp_path / 'journal.jsonl'
    jobs = jobs_of(tmp_path, 'a', 'b')
    run_jobs(work, jobs, workers=1, journal=journal)
    text = journal.read_text()
    journal.write_text(text[:-10])  # killed in the middle of a write
    report = run_jobs(work, jobs, workers=1, journal=journal)
    assert (report.skipped, len(report.done)) == (1, 2)
    lines = journal.read_text().splitlines()
    assert json.loads(lines[-1])['status'] == 'done'
    assert run_jobs(work, jobs, workers=1, journal=journal).skipped == 2


def test_second_run_on_one_journal_is_refused(tmp_path):
    journal = Journal(tmp_path / 'journal.jsonl')
    with pytest.raises(ToolError, match='another run is working'):
        Journal(tmp_path / 'journal.jsonl')
    journal.add(Outcome('a', 'done'))
    journal.file.close()
    again = Journal(tmp_path / 'journal.jsonl')
    assert list(again.entries) == ['a']
    again.file.close()


def test_same_key_twice_is_refused(tmp_path, work):
    with pytest.raises(ToolError, match='same name'):
        run_jobs(work, jobs_of(tmp_path, 'a', 'a'), workers=1)


@pytest.mark.slow
def test_workers_are_renewed(work, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, 'RENEWED_AFTER', 2)
    kinds = [f'x{i}' for i in range(5)]
    report = run_jobs(work, jobs_of(tmp_path, *kinds), workers=1)
    pids = [o.result['pid'] for o in report.done]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [2, 2, 1]


@pytest.mark.slow
def test_process_that_dies_before_its_first_item_costs_nothing(
    work, tmp_path, monkeypatch
):
    monkeypatch.setattr(parallel, 'RENEWED_AFTER', 1)
    kinds = ['trip', 'a', 'b']
    report = run_jobs(work, jobs_of(tmp_path, *kinds), workers=1)
    assert not (tmp_path / 'stumble').exists()
    assert [o.status for o in report.outcomes] == ['done'] * 3
    assert calls(tmp_path) == sorted(kinds)


@pytest.mark.slow
def test_results_of_other_parameters_are_refused(work, tmp_path):
    journal = tmp_path / 'j' / 'journal.jsonl'

    def go(p, kinds, **options):
        (tmp_path / 'calls').unlink(missing_ok=True)
        run_jobs(
            work,
            jobs_of(tmp_path, *kinds),
            workers=1,
            journal=journal,
            params=dict(p=p),
            **options,
        )
        return calls(tmp_path)

    assert go(1, ['a', 'b', 'bad'], overwrite=False) == ['a', 'b', 'bad']
    with pytest.raises(ToolError, match='2 result.*--overwrite') as error:
        go(2, ['c'], overwrite=False)
    assert calls(tmp_path) == []
    assert str(journal.parent) in str(error.value)
    assert go(2, ['bad'], overwrite=True) == ['bad']  # failed: no mixture
    assert go(1, ['a'], overwrite=False) == []
    assert go(2, ['a'], overwrite=True) == ['a']
    assert go(2, ['a', 'b'], overwrite=True) == ['b']  # continued
    assert go(2, ['a', 'b'], overwrite=False) == []
    assert go(3, ['a']) == ['a']  # check_videos: nothing to mix


def test_what_cannot_be_done_again_is_removed(work, tmp_path):
    """Its old result would pass for one of this run."""
    target = tmp_path / 'x.out'

    def go(kind, params):
        job = Job('x', (kind, str(tmp_path)), None, target)
        return run_jobs(work, [job], params=params).exit_code

    assert go('ok', 1) == 0
    target.write_text('made')
    (tmp_path / '.x.out.0000099.lgd-part').write_text('of a killed run')
    (tmp_path / '.y.out.0000099.lgd-part').write_text('of another run')
    assert go('ok', 1) == 0 and target.exists()
    assert [p.name for p in tmp_path.glob('.*.lgd-part')] == [
        '.y.out.0000099.lgd-part'
    ]
    assert go('bad', 2) == 1 and not target.exists()


def test_function_that_cannot_be_imported_is_a_defect(work, tmp_path):
    jobs = jobs_of(tmp_path, 'a')
    (tmp_path / 'work_for_parallel.py').write_text('work = None / 0')
    with pytest.raises((RuntimeError, OSError)):
        run_jobs(work, jobs, workers=1)


SCRIPT = """
import sys
sys.path.insert(0, {here!r})
from lgd_tools.cli import run_main
from pathlib import Path
from lgd_tools.jobs import Job, run_jobs
from work_for_parallel import work

def main():
    jobs = [Job(f'slow{{i}}', (f'slow{{i}}', {here!r})) for i in range(40)]
    return run_jobs(
        work, jobs, workers=2, journal=Path({here!r}, 'journal.jsonl')
    ).exit_code

if __name__ == '__main__':
    run_main(main)
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished(work, tmp_path, repo_root):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT.format(here=str(tmp_path)))
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    journal = tmp_path / 'journal.jsonl'
    end = time.monotonic() + 40
    while time.monotonic() < end:
        if journal.exists() and journal.read_text().count('\n') >= 3:
            break
        time.sleep(0.05)
    # as a terminal does: to the whole group, workers included
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr.strip().endswith('interrupted')
    assert 'Traceback' not in stderr
    lines = journal.read_text().splitlines()
    assert 3 <= len(lines) < 40
    assert {json.loads(line)['status'] for line in lines} == {'done'}
    with pytest.raises(ProcessLookupError):  # no worker is left behind
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.1)
