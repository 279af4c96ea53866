# What dist_*.sh and slurm_*.sh share; they source it. Not a program.
#
# The stock scripts are not called: they use torch.distributed.launch, which
# torch has deprecated, look for tools/ in the current folder, and split
# options at spaces.

tools="$(dirname "${BASH_SOURCE[0]}")"
export PYTHONPATH="$tools/..:${PYTHONPATH:-}"

# run_torchrun PROCESSES SCRIPT [its arguments]
run_torchrun() {
    local processes=$1 script=$2 address=${MASTER_ADDR:-127.0.0.1}
    shift 2
    local meet=(
        --node_rank="${NODE_RANK:-0}"
        --master_addr="$address"
        --master_port="${PORT:-29500}"
    )
    if [ "${MAX_RESTARTS:-0}" -gt 0 ]; then
        # ranks that are started again must not find the addresses of those
        # before them: torch 2.13's static rendezvous keeps these, and its
        # c10d one does unless told (pytorch #135712)
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        meet=(
            --rdzv-backend=c10d
            --rdzv-endpoint="$address:${PORT:-29500}"
            --rdzv-id="lgd_${PORT:-29500}"
            --max-restarts="$MAX_RESTARTS"
        )
    fi
    # TORCHRUN_ARGS holds several arguments, so it is split at spaces
    # shellcheck disable=SC2086
    exec "${PYTHON:-python}" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        "${meet[@]}" \
        --nproc_per_node="$processes" \
        ${TORCHRUN_ARGS:-} \
        "$tools/$script" "$@"
}

# run_srun PARTITION JOB_NAME SCRIPT [its arguments]
run_srun() {
    local partition=$1 job_name=$2 script=$3
    shift 3
    local gpus_per_node=${GPUS_PER_NODE:-8}
    export MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))}
    # SRUN_ARGS likewise
    # shellcheck disable=SC2086
    exec srun -p "$partition" \
        --job-name="$job_name" \
        --gres="gpu:$gpus_per_node" \
        --ntasks="${GPUS:-8}" \
        --ntasks-per-node="$gpus_per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        "${PYTHON:-python}" -u "$tools/$script" "$@"
}
