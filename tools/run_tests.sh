#!/usr/bin/env bash
# Install what the tests need, lint, check types, build the site, run all tests.
# Examples:
#
#     bash tools/run_tests.sh              everything
#     bash tools/run_tests.sh --quick      lint and the tests not marked slow
#     bash tools/run_tests.sh --python 3.12 --quick    with another Python, in
#                                          an environment of its own
#     bash tools/run_tests.sh tests/models -k sketch    options go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=()
args=()
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0" && exit ;;
    --quick) quick=(-m 'not slow') ;;
    --python)
        [ -n "${2:-}" ] || { echo 'error: --python takes a version' >&2 && exit 2; }
        export LGD_PYTHON=$2 && unset VIRTUAL_ENV CONDA_PREFIX && shift
        ;;
    *) args+=("$1") ;;
    esac
    shift
done

bash tools/setup_env.sh full test
PATH=${VIRTUAL_ENV:-${CONDA_PREFIX:-$PWD/.venv${LGD_PYTHON:+-$LGD_PYTHON}}}/bin:$PATH

run() { printf '\n$' && printf ' %q' "$@" && printf '\n' && "$@" </dev/null; }

run python -m ruff check .
run python -m ruff format --check .
run python -m mypy
NO_MKDOCS_2_WARNING=1 run python -m mkdocs build --strict --quiet
for script in tools/*.sh .ci/run; do
    bash -n "$script"
done

# one thread a process: two test processes share the machine
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
# or each process would compile all of the package and of the tests again
unset PYTHONDONTWRITEBYTECODE
run python -m pytest -n 2 --dist loadgroup --durations=15 -ra \
    "${quick[@]}" "${args[@]}"
