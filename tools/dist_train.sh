#!/usr/bin/env bash
# usage: bash tools/dist_train.sh CONFIG GPUS [options of train.py]
# Arguments and variables (NNODES, NODE_RANK, PORT, MASTER_ADDR) are those of
# the stock dist_train.sh. On a machine without GPUs GPUS is the number of
# processes; add: --cfg-options env_cfg.dist_cfg.backend=gloo
#
# example:
#   bash tools/dist_train.sh configs/lgd3d_k600.py 8 --work-dir work_dirs/a
#
# MAX_RESTARTS=3 starts the ranks of all machines again when one has died, at
# most 3 times; with --resume they go on from the last checkpoint:
#   MAX_RESTARTS=3 bash tools/dist_train.sh configs/lgd3d_k600.py 8 --resume
# TORCHRUN_ARGS holds further options of torchrun.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launchers.sh"
usage 2 "$@"
run_torchrun "$2" train.py "$1" --launcher pytorch "${@:3}"
