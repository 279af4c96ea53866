#!/usr/bin/env bash
# Usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
# Arguments and variables (NNODES, NODE_RANK, PORT, MASTER_ADDR) are those of
# the stock dist_test.sh. On a machine without GPUs GPUS is the number of
# processes; add: --cfg-options env_cfg.dist_cfg.backend=gloo
# TORCHRUN_ARGS holds further options of torchrun.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]" >&2
    exit 2
fi
config=$1 checkpoint=$2 gpus=$3
shift 3

source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
run_torchrun "$gpus" test.py "$config" "$checkpoint" --launcher pytorch "$@"
