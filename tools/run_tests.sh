#!/usr/bin/env bash
# Install what the tests need, lint, run all tests.
#
#     bash tools/run_tests.sh              everything
#     bash tools/run_tests.sh --quick      lint and the tests not marked slow
#     bash tools/run_tests.sh tests/models -k sketch    options go to pytest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=
args=()
for arg in "$@"; do
    case $arg in
    --quick) quick=1 ;;
    *) args+=("$arg") ;;
    esac
done

# shellcheck source=tools/setup_env.sh
source tools/setup_env.sh
setup_env full
setup_env_test
# mim is an extra: without it its tests say so and are skipped
setup_env_mim || echo 'the tests that run mim will be skipped'

run() {
    printf '\n$'
    printf ' %q' "$@"
    printf '\n'
    "$@"
}

run python -m ruff check .
run python -m ruff format --check .
for script in tools/*.sh .ci/run; do
    bash -n "$script"
done

# one thread a process: two test processes share the machine
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
run python -m pytest -n 2 --dist loadgroup --durations=15 -ra \
    ${quick:+-m 'not slow'} "${args[@]+"${args[@]}"}" </dev/null
