#!/usr/bin/env bash
# Usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
# Arguments and variables (GPUS, GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS) are
# those of the stock slurm_test.sh.
set -euo pipefail

if [ "$#" -lt 4 ]; then
    echo "usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]" >&2
    exit 2
fi
partition=$1 job_name=$2 config=$3 checkpoint=$4
shift 4

source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
run_srun "$partition" "$job_name" test.py "$config" "$checkpoint" \
    --launcher slurm "$@"
