#!/usr/bin/env bash
# Try the whole thing in a few minutes: a small LGD-3D, both stages. Example:
#
#     bash tools/quickstart.sh [options]
#
# Makes or uses a Python environment, generates labelled clips (real mp4
# files), trains a small LGD-3D through both stages with the stock runner of
# MMAction2, tests the checkpoint and draws pictures of the result. Every step
# is printed with the command that does it by hand. Run again, it keeps what
# is there and goes on where it was interrupted.
#
#     --out DIR      put everything into DIR (default: work_dirs/quickstart,
#                    and the clips into data/quickstart)
#     --seed N       seed of the clips and of the training (default: 0)
#     --fresh        throw away the result of an earlier run in the same place
#     --no-install   use the active environment as it is
#     --smoke        a few clips and two epochs, to see that everything runs;
#                    learns nothing (default place: work_dirs/quickstart_smoke)
#     --help         this text
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
install=1
for word in "$@"; do
    case $word in
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit
        ;;
    --no-install) install='' ;;
    --out | --out=* | --seed | --seed=* | --fresh | --smoke) ;;
    -*)
        echo "error: unknown option $word; see --help" >&2
        exit 2
        ;;
    esac
done
if [ -n "$install" ]; then
    printf '\n== The environment; by hand: bash tools/setup_env.sh lite\n'
    bash "$root/tools/setup_env.sh" lite
    export PATH=${VIRTUAL_ENV:-${CONDA_PREFIX:-$root/.venv}}/bin:$PATH
else
    # a checkout works without being installed
    export PYTHONPATH=$root:$root/tools${PYTHONPATH:+:$PYTHONPATH}
fi
exec python "$root/tools/run_quickstart.py" "$@"
