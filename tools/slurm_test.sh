#!/usr/bin/env bash
# usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
# Arguments and variables (GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS) are
# those of the stock slurm_test.sh. Example:
#   GPUS=8 bash tools/slurm_test.sh video lgd configs/lgd3d_k600.py \
#       work_dirs/a/epoch_100.pth
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
usage 4 "$@"
run_srun "$1" "$2" test.py "$3" "$4" --launcher slurm "${@:5}"
