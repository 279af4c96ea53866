#!/usr/bin/env bash
# Try the whole thing in a few minutes: a small LGD-3D, both stages.
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

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

# ------------------------------------------------------------------ options
out='' seed=0 fresh='' install=1 smoke=''
while [ $# -gt 0 ]; do
    case $1 in
    --out=* | --seed=*)
        set -- "${1%%=*}" "${1#*=}" "${@:2}"
        continue
        ;;
    --out | --seed)
        [ -n "${2:-}" ] || fail "$1 needs a value; see --help"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    --fresh) fresh=1 ;;
    --no-install) install='' ;;
    --smoke) smoke=1 ;;
    -h | --help)
        usage
        exit
        ;;
    *) fail "unknown option $1; see --help" ;;
    esac
    shift
done
[[ $seed =~ ^[0-9]{1,9}$ ]] ||
    fail "--seed takes a whole number from 0 to 999999999, not '$seed'"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -n "$out" ]; then
    [[ $out = /* ]] || out=$PWD/$out
    data=$out/data
else
    out=work_dirs/quickstart${smoke:+_smoke}
    data=data/quickstart${smoke:+_smoke}
fi
# a cleaned list takes no blanks, and mmaction2's take none either
[[ $out$data != *[[:space:]]* ]] ||
    fail "the folder '$out' has a blank in its name, which MMAction2 cannot" \
        "read; choose another with --out"
cd "$root"
config=configs/quickstart_lgd3d.py
work=$out/train scores=$out/scores.pkl report=$out/report
mine=$out/quickstart.txt # says what this folder was made with

train_clips=80 val_clips=20 # of each of the 8 classes
options=("randomness.seed=$seed")
if [ -n "$smoke" ]; then
    train_clips=2 val_clips=1
    options+=(train_cfg.max_epochs=2 custom_hooks.0.switch_epoch=1
        train_dataloader.batch_size=4 default_hooks.logger.interval=1)
fi

# --------------------------------------------------------- what is there
settings() {
    echo "seed $seed, ${smoke:+smoke, }clips $train_clips + $val_clips"
    echo "config $(cksum <$config)"
}
if [ -e "$out" ] && [ ! -d "$out" ]; then
    fail "$out is a file; choose another folder with --out"
fi
if [ -n "$(ls -A "$out" 2>/dev/null)" ] && [ ! -f "$mine" ]; then
    fail "$out holds other files; choose an empty or a new folder with --out"
fi
if [ -n "$fresh" ] && [ -f "$mine" ]; then
    echo "Throwing away the earlier result in $out"
    rm -rf "$work" "$report" "$scores" "$out/"{train,test}.log "$data" "$mine"
fi
if [ -f "$mine" ] && [ "$(settings)" != "$(cat "$mine")" ]; then
    fail "$out was made with other settings ($(head -n 1 "$mine")) or another" \
        "version of $config; start over with --fresh, or choose another" \
        "folder with --out"
fi
mkdir -p "$out" 2>/dev/null || fail "$out cannot be made; see --out"
settings >"$mine" || fail "nothing can be written into $out; see --out"

say() { printf '\n== %s\n' "$*"; }

# print a command as one would type it
show() {
    printf '   $'
    printf ' %q' "$@"
    printf '\n'
}

# run a command, all of its output into a log, the telling lines to the screen
logged() { # log, pattern, command...
    local log=$1 pattern=$2
    shift 2
    if ! "$@" </dev/null 2>&1 | tee "$log" |
        { grep --line-buffered -E "$pattern" || true; } |
        sed -u -E 's/^.* - INFO - //; s/ (base_lr|eta|time|data_time|memory|grad_norm): [^ ]+( hours| days?,[^ ]*)?//g; /loss_cls/s/ loss_(local|global): [^ ]+//g; s/  +/  /g; s/^/   /'; then
        local reason
        if reason=$(grep -E '^error: ' "$log" | tail -n 1) && [ -n "$reason" ]; then
            fail "${reason#error: } (all that was said: $log)"
        fi
        tail -n 20 "$log" >&2
        fail "$2 stopped; its last lines are above, the others in $log"
    fi
}

# ------------------------------------------------------------------- steps
SECONDS=0
say "1/5 The environment"
if [ -n "$install" ]; then
    echo "   by hand: bash tools/setup_env.sh lite"
    bash tools/setup_env.sh lite
    export PATH=${VIRTUAL_ENV:-${CONDA_PREFIX:-$root/.venv}}/bin:$PATH
else
    export PYTHONPATH=$root:$root/tools${PYTHONPATH:+:$PYTHONPATH}
    echo "   the active one, as it is: $(command -v python || echo none)"
    command -v python >/dev/null ||
        fail "there is no command python; activate an environment"
fi
# one core is left to the process that decodes; more threads than this do not
# help with pictures this small
cores=$(nproc 2>/dev/null || echo 2)
threads=$((cores > 4 ? 4 : cores > 1 ? cores - 1 : 1))
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$threads}
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
export MPLBACKEND=Agg PYTHONUNBUFFERED=1 PYTHONWARNINGS=ignore
export LGD_QUICKSTART_DATA=$data # the config reads it

say "2/5 Generating clips of 8 kinds of motion, real mp4 files; no single" \
    "frame tells the kind"
clips=(python tools/data/generate_clips.py --task motion --out "$data"
    --name quickstart --size 64 --seed "$seed"
    --train-per-class $train_clips --val-per-class $val_clips
    --workers "$cores" --preview)
show "${clips[@]}"
OMP_NUM_THREADS=1 "${clips[@]}" || fail "the clips could not be made"

by_hand=()
[ "$data" = data/quickstart ] || by_hand=(env "LGD_QUICKSTART_DATA=$data")

say "3/5 Training a small LGD-3D: first loss (5) for the local and the global" \
    "path, then loss (6) for the joint classifier"
train=(python tools/train.py $config --work-dir "$work" --resume
    --cfg-options "${options[@]}")
show "${by_hand[@]}" "${train[@]}"
if [ -f "$work/finished" ]; then
    echo "   finished in an earlier run: kept"
else
    logged "$out/train.log" 'Epoch\((train|val)\).*(acc|loss)|TwoStageHook:|resumed epoch' \
        "${train[@]}"
    touch "$work/finished"
fi
checkpoint=$work/$(basename "$(cat "$work/last_checkpoint")")
[ -f "$checkpoint" ] ||
    fail "$checkpoint is gone; train again with --fresh"

say "4/5 Testing the checkpoint on clips that were not trained on"
test=(python tools/test.py $config "$checkpoint" --dump "$scores"
    --work-dir "$out/test")
show "${by_hand[@]}" "${test[@]}"
if [ "$scores" -nt "$checkpoint" ]; then
    echo "   tested in an earlier run: kept"
else
    logged "$out/test.log" 'Epoch\(test\).*acc' "${test[@]}"
fi

say "5/5 Drawing pictures"
pictures=(python tools/analysis/report_run.py "$work" --scores "$scores"
    --label-map "$data/label_map.txt" --out "$report")
show "${pictures[@]}"
"${pictures[@]}" >"$out/report.log" || fail "the pictures could not be drawn"

say "Result, after $((SECONDS / 60)) min $((SECONDS % 60)) s"
sed 's/^/   /' "$out/report.log"
echo "   These are generated clips: the number says that everything works," \
    "and nothing about real data."
