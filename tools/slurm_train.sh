#!/usr/bin/env bash
# Usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]
# Arguments and variables (GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS) are
# those of the stock slurm_train.sh.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of train.py]" >&2
    exit 2
fi
partition=$1 job_name=$2 config=$3
shift 3

source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
run_srun "$partition" "$job_name" train.py "$config" --launcher slurm "$@"
