# What dist_*.sh and slurm_*.sh share; they source it. Not a program.
#
# The stock scripts are not called: they use torch.distributed.launch, which
# torch has deprecated, look for tools/ in the current folder, and split
# options at spaces.

tools=$(dirname "${BASH_SOURCE[0]}")
export PYTHONPATH="$tools/..:$tools:${PYTHONPATH:-}"

# usage LEAST ARGUMENTS... : the comment at the top of the calling script
usage() {
    local text least=$1
    shift
    text=$(sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0")
    case " $* " in *' --help '* | *' -h '*) echo "$text" && exit ;; esac
    [ $# -ge "$least" ] || { echo "$text" >&2 && exit 2; }
}

# run_torchrun PROCESSES SCRIPT [its arguments]
run_torchrun() {
    local address=${MASTER_ADDR:-127.0.0.1} port=${PORT:-29500}
    local meet=(--node_rank="${NODE_RANK:-0}" --master_addr="$address"
        --master_port="$port")
    if [ "${MAX_RESTARTS:-0}" -gt 0 ]; then
        # ranks that are started again must not find the addresses of those
        # before them: torch 2.13's static rendezvous keeps these, and its
        # c10d one does unless told (pytorch #135712)
        export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
        meet=(--rdzv-backend=c10d --rdzv-endpoint="$address:$port"
            --rdzv-id="lgd_$port" --max-restarts="$MAX_RESTARTS")
    fi
    # TORCHRUN_ARGS holds several arguments, so it is split at spaces
    # shellcheck disable=SC2086
    exec "${PYTHON:-python}" -m torch.distributed.run \
        --nnodes="${NNODES:-1}" "${meet[@]}" --nproc_per_node="$1" \
        ${TORCHRUN_ARGS:-} "$tools/$2" "${@:3}"
}

# run_srun PARTITION JOB_NAME SCRIPT [its arguments]
run_srun() {
    export MASTER_PORT=${MASTER_PORT:-$((12000 + RANDOM % 20000))}
    # SRUN_ARGS likewise
    # shellcheck disable=SC2086
    exec srun -p "$1" --job-name="$2" --gres="gpu:${GPUS_PER_NODE:-8}" \
        --ntasks="${GPUS:-8}" --ntasks-per-node="${GPUS_PER_NODE:-8}" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$tools/$3" "${@:4}"
}
