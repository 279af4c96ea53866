#!/usr/bin/env bash
# usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
# Arguments and variables (NNODES, NODE_RANK, PORT, MASTER_ADDR) are those of
# the stock dist_test.sh. On a machine without GPUs GPUS is the number of
# processes; add: --cfg-options env_cfg.dist_cfg.backend=gloo
# TORCHRUN_ARGS holds further options of torchrun.
# example:
#   bash tools/dist_test.sh configs/lgd3d_k600.py work_dirs/a/epoch_100.pth 8
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
usage 3 "$@"
run_torchrun "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
