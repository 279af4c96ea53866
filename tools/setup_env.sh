#!/usr/bin/env bash
# Make or use a Python environment for this package. Examples:
#
#     bash tools/setup_env.sh lite         # recognition, about two minutes
#     bash tools/setup_env.sh full         # and detection: builds mmcv
#     bash tools/setup_env.sh full test    # and what the tests need
#
# The active virtualenv or conda environment is used, and a torch in it is
# kept; without one, .venv in the root of the repository is made and used
# (activate it afterwards: source .venv/bin/activate). LGD_PYTHON=3.12 takes
# that Python, in .venv-3.12. Every step is printed with the command that does
# it by hand. What is done is not done again.
#
# Plain pip, not uv: pip heeds the indexes and wheel folders that a machine is
# configured with, and so gets the torch meant for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
req=tools/requirements mmcv=2.1.0 old_exec=()

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2 && exit 1; }
run() { printf '   $' && printf ' %q' "$@" && printf '\n' && "$@" </dev/null; }
pip() { run python -m pip --disable-pip-version-check "$@"; }
works() { (cd / && python -W ignore -c "$@") >/dev/null 2>&1; }
version() { python -c 'import sys; from importlib.metadata import version
print(version(sys.argv[1]))' "$1" 2>/dev/null; }

case "$*" in
lite | full | 'lite test' | 'full test') ;;
-h | --help) sed -n '2,/^$/s/^# \{0,1\}//p;/^set /q' "$0" && exit ;;
*) fail "setup_env.sh takes lite or full, then test or nothing, not '$*'" ;;
esac
[ "$(uname -s)" = Linux ] || fail "this set-up is for Linux (on Windows: in WSL);" \
    "on $(uname -s) install by hand as README.md says, which nobody has tried"

# ---------------------------------------------------------- the environment
fits() { # PYTHON: is it one of 3.10 to 3.13, or the one that was asked for
    "$1" -c 'import sys
v = sys.version_info[:2]
sys.exit(not (3, 10) <= v <= (3, 13) or sys.argv[1] not in ("", "%d.%d" % v))' \
        "${LGD_PYTHON:-}" >/dev/null 2>&1
}
wanted="Python ${LGD_PYTHON:-3.10, 3.11, 3.12 or 3.13}"
env=${VIRTUAL_ENV:-${CONDA_PREFIX:-$PWD/.venv${LGD_PYTHON:+-$LGD_PYTHON}}}
if [ ! -x "$env/bin/python" ]; then
    # 3.11 first: most tested. A command may exist and not run (pyenv's)
    for base in python3.{11,12,10,13} python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python ''; do
        [ -n "$base" ] || fail "no $wanted was found; install one (for" \
            "example: sudo apt-get install python3 python3-venv) or activate" \
            "a conda environment with one"
        fits "$base" && break
    done
    say "Making the environment $env"
    run "$base" -m venv "$env" || { rm -rf "$env" && fail "$base cannot make" \
        "environments; install its venv module (for example: sudo apt-get" \
        "install python3-venv)"; }
fi
say "Using the environment $env"
fits "$env/bin/python" || fail "the environment $env has no working $wanted;" \
    "deactivate it, or remove it if it is .venv, and run this again"
export PATH="$env/bin:$PATH"
python -m pip --version >/dev/null 2>&1 || run python -m ensurepip ||
    fail "the environment $env has no pip; install it there"

stamp=$env/.lgd_setup_$1${2:-}
wanted=$(echo "$PWD $*" && python -V &&
    cat $req/*.txt setup.cfg setup.py tools/setup_env.sh | cksum)
export HERE=$PWD
names='av cv2 decord mmaction mmcv scipy torch tqdm'
[ "$1" = lite ] || names+=' mmdet'
[ -z "${2:-}" ] || names+=' huggingface_hub hypothesis material mim mkdocstrings'
[ -z "${2:-}" ] || names+=' mypy nbclient onnxruntime onnxscript playwright pytest xdist'
imports="import os, lgd_mmaction, lgd_tools, ${names// /, }"'
assert os.path.samefile(lgd_mmaction.__path__[0], os.environ["HERE"] + "/lgd_mmaction")
import mmaction.datasets, mmaction.engine, mmaction.evaluation, mmaction.models
cv2.optflow.createOptFlow_DualTVL1'
[ "$1" = lite ] || imports+=$'\nfrom mmcv.ops import RoIAlign, nms'
# what has worked once is looked for and not imported, which takes seconds
there='import os, sys; from importlib.util import find_spec
assert all(map(find_spec, sys.argv[1:]))
here = find_spec("lgd_mmaction").submodule_search_locations[0]
assert os.path.samefile(here, os.environ["HERE"] + "/lgd_mmaction")'
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && works "$there" $names; then
    echo "   everything is installed already ($*)" && exit
fi

# --------------------------------------------------------------- the parts
if works 'import torch'; then
    say "Keeping torch $(version torch) of this environment"
    works 'import torch
assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 6)' ||
        fail "torch 2.6 or newer is needed (older ones run code that a" \
            "checkpoint holds); update the torch of this environment"
else
    say "Installing torch (a build of your own choice stays if it is there)"
    pip install --no-compile -r $req/torch.txt
fi

say "Installing the tested versions of what this package needs"
lists=(-r $req/base.txt)
[ "$1" = lite ] || lists+=(-r $req/full.txt)
[ -z "${2:-}" ] || lists+=(-r $req/test.txt -r $req/docs.txt -r $req/export.txt
    -r $req/demo.txt)
pip install --no-compile --no-deps "${lists[@]}"
# every OpenCV package owns the same files: ours last
works 'import cv2; cv2.optflow.createOptFlow_DualTVL1' || pip install -q \
    --no-deps --force-reinstall "$(grep ^opencv $req/base.txt)"

# mmcv 2.1.0's setup.py reads its version by an exec() into locals(), which
# Python 3.13 (PEP 667) no longer does: an exec() as before, for builds alone
if python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    mkdir -p "$env/.lgd_build" && cat >"$env/.lgd_build/sitecustomize.py" <<'EOF'
import builtins, sys
plain = builtins.exec
def exec_into_locals(code, *spaces, **named):
    caller = sys._getframe(1)
    here = caller.f_globals, caller.f_locals
    plain(code, *(spaces if spaces or named else here), **named)
builtins.exec = exec_into_locals
EOF
    old_exec=(env PYTHONPATH="$env/.lgd_build")
fi

has=$(version mmcv || true)
case $1,$has in
*,2.0.* | *,2.1.*) say "Keeping mmcv $has of this environment" ;;
*,?*) fail "mmaction2 1.2.0 refuses the mmcv $has of this environment; remove" \
    "it (pip uninstall mmcv) and run this again" ;;
lite,) run "${old_exec[@]}" python -m pip install --no-deps mmcv-lite==$mmcv ;;
esac
if [ "$1" = full ] && ! works 'from mmcv.ops import RoIAlign, nms'; then
    # no index has wheels of it
    command -v "${CXX:-c++}" >/dev/null || fail "the full mmcv is built from" \
        "source and there is no C++ compiler; install one with Python.h (for" \
        "example: sudo apt-get install g++ python3-dev)"
    # without debugging symbols: half the time
    export MMCV_WITH_OPS=1 CFLAGS="${CFLAGS:-} -g0" CXXFLAGS="${CXXFLAGS:-} -g0"
    # without nvcc operators for the CPU only, whatever build torch is
    command -v nvcc >/dev/null || export CUDA_VISIBLE_DEVICES='' FORCE_CUDA=0
    # what pip kept of an earlier build may be for another torch: build anew
    for cache in '' --no-cache-dir; do
        say "Building the full mmcv $mmcv, unless pip has kept an earlier build"
        # before anything is removed: a failed build changes nothing
        rm -rf "$env/.lgd_wheels"
        run "${old_exec[@]}" python -m pip wheel $cache --no-deps \
            --no-build-isolation --wheel-dir "$env/.lgd_wheels" mmcv==$mmcv
        # mmcv and mmcv-lite own the same folder: never one over the other
        pip uninstall -q -y mmcv-lite mmcv
        pip install --no-deps "$env"/.lgd_wheels/mmcv-*.whl
        works 'from mmcv.ops import RoIAlign, nms' && break
    done
    rm -rf "$env/.lgd_wheels"
fi

say "Installing this package in place"
pip install --no-deps --no-build-isolation -q -e .
(cd / && python -W ignore -c "$imports") ||
    fail "the installation does not work; Python's message is above"
echo "$wanted" >"$stamp"
