#!/usr/bin/env bash
# usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]
# Arguments and variables (GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS) are
# those of the stock slurm_train.sh. Example:
#   GPUS=16 bash tools/slurm_train.sh video lgd configs/lgd3d_k600.py --resume
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
usage 3 "$@"
run_srun "$1" "$2" train.py "$3" --launcher slurm "${@:4}"
