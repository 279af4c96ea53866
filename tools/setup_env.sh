# shellcheck shell=bash
# Make or use a Python environment for this package. Source it, then call:
#
#     source tools/setup_env.sh
#     setup_env lite    # recognition: mmcv-lite, about two minutes
#     setup_env full    # and detection: builds mmcv, about ten minutes more
#     setup_env_test    # and what the tests need
#     setup_env_mim     # a second, layered environment for the command `mim`
#
# The active virtualenv or conda environment is used, and the torch in it is
# kept; without one, .venv in the root of the repository is made and used.
# Every step is printed with the command that does it by hand. What is done is
# not done again. Afterwards `python` is the Python of that environment.

_lgd_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
_lgd_req=tools/requirements

_lgd_say() { printf '\n== %s\n' "$*"; }

_lgd_fail() {
    printf 'error: %s\n' "$*" >&2
    return 1
}

# print a command as one would type it, then run it
_lgd_run() {
    printf '   $'
    printf ' %q' "$@"
    printf '\n'
    (cd "$_lgd_root" && "$@" </dev/null)
}

_lgd_pip() {
    _lgd_run python -m pip --disable-pip-version-check "$@"
}

_lgd_python_fits() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
        >/dev/null 2>&1
}

# Python 3.10-3.12 among the commands of this machine, 3.11 first: most tested
_lgd_find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.10 python3 python; do
        # a command may exist and not run (pyenv's, for other versions)
        if command -v "$candidate" >/dev/null && _lgd_python_fits "$candidate"
        then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# sets PATH and VIRTUAL_ENV so that `python` is the environment's
_lgd_activate() {
    local base prefix=${VIRTUAL_ENV:-${CONDA_PREFIX:-}}
    if [ -n "$prefix" ]; then
        _lgd_say "Using the active environment $prefix"
        if ! _lgd_python_fits "$prefix/bin/python"; then
            _lgd_fail "the active environment $prefix has no Python 3.10," \
                "3.11 or 3.12; deactivate it or activate one that has"
            return
        fi
    else
        prefix=$_lgd_root/.venv
        if [ -x "$prefix/bin/python" ]; then
            _lgd_say "Using the environment $prefix"
            if ! _lgd_python_fits "$prefix/bin/python"; then
                _lgd_fail "$prefix has no working Python 3.10, 3.11 or 3.12;" \
                    "remove that folder and run this again"
                return
            fi
        else
            if ! base=$(_lgd_find_python); then
                _lgd_fail "no Python 3.10, 3.11 or 3.12 was found; install" \
                    "one (for example: sudo apt-get install python3" \
                    "python3-venv) or activate a conda environment with one"
                return
            fi
            _lgd_say "Making the environment $prefix"
            if ! _lgd_run "$base" -m venv "$prefix"; then
                rm -rf "$prefix"
                _lgd_fail "$base cannot make environments; install its venv" \
                    "module (for example: sudo apt-get install python3-venv)"
                return
            fi
        fi
        export VIRTUAL_ENV=$prefix
    fi
    _lgd_prefix=$prefix
    export PATH="$prefix/bin:$PATH"
    hash -r
    if ! python -m pip --version >/dev/null 2>&1 &&
        ! _lgd_run python -m ensurepip; then
        _lgd_fail "the environment $prefix has no pip; install it there"
    fi
}

# one word for what must be the same for a finished set-up to count as done
_lgd_stamp() {
    (
        cd "$_lgd_root" || exit
        python -V
        echo "$_lgd_root $1"
        cat "$_lgd_req"/*.txt setup.cfg pyproject.toml tools/setup_env.sh
    ) | python -c 'import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

_lgd_done() {
    local stamp=$_lgd_prefix/.lgd_setup_$1
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(_lgd_stamp "$1")" ]
}

_lgd_mark() { _lgd_stamp "$1" >"$_lgd_prefix/.lgd_setup_$1"; }

_lgd_has() { (cd / && python -W ignore -c "$1") >/dev/null 2>&1; }

_lgd_dist() {
    python -c 'import sys; from importlib.metadata import version
print(version(sys.argv[1]))' "$1" 2>/dev/null
}

_lgd_torch() {
    if _lgd_has 'import torch'; then
        _lgd_say "Keeping torch $(_lgd_dist torch) of this environment"
        if ! _lgd_has 'import torch
assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 6)'; then
            _lgd_fail "torch 2.6 or newer is needed (older ones run code" \
                "that a checkpoint holds); update the torch of this environment"
        fi
        return
    fi
    _lgd_say "Installing torch (a GPU or CPU build of your own choice stays" \
        "if it is installed before this)"
    _lgd_pip install --no-compile -r $_lgd_req/torch.txt || _lgd_fail \
        "torch could not be installed; install it by hand (pytorch.org)" \
        "into $_lgd_prefix and run this again"
}

_lgd_base() {
    _lgd_say "Installing the tested versions of what this package needs"
    _lgd_pip install --no-compile --no-deps -r $_lgd_req/base.txt ||
        _lgd_fail "pip could not install them; its message is above"
}

# cv2 comes from two packages that own the same files, and needs libGL
_lgd_opencv() {
    local version
    _lgd_has 'import cv2; cv2.optflow.createOptFlow_DualTVL1' && return
    version=$(_lgd_dist opencv-contrib-python)
    _lgd_say "Putting the OpenCV build with optical flow on top"
    _lgd_pip install --no-deps --force-reinstall \
        "opencv-contrib-python==$version" || return
    _lgd_has 'import cv2; cv2.optflow.createOptFlow_DualTVL1' && return
    _lgd_say "This machine lacks a library that OpenCV's windows need" \
        "(libGL); taking the build without windows"
    _lgd_pip install --no-deps --force-reinstall \
        "opencv-contrib-python-headless==$version" || return
    _lgd_has 'import cv2; cv2.optflow.createOptFlow_DualTVL1' || _lgd_fail \
        "OpenCV does not load here; see: python -c 'import cv2'"
}

_lgd_mmcv_lite() {
    local full
    if full=$(_lgd_dist mmcv); then
        case $full in
        2.0.* | 2.1.*) _lgd_say "Keeping mmcv $full of this environment" ;;
        *) _lgd_fail "mmaction2 1.2.0 refuses the mmcv $full of this" \
            "environment; remove it (pip uninstall mmcv) and run this again" ;;
        esac
        return
    fi
    _lgd_say "Installing mmcv-lite (pure Python, enough for recognition)"
    _lgd_pip install --no-deps -r $_lgd_req/lite.txt
}

_lgd_mmcv_ops() { _lgd_has 'from mmcv.ops import RoIAlign, nms'; }

_lgd_mmcv_full() {
    local version=2.1.0 wheels=$_lgd_prefix/.lgd_wheels attempt
    _lgd_say "Installing mmdet and what builds mmcv"
    _lgd_pip install --no-deps -r $_lgd_req/full.txt || return
    if [ "$(_lgd_dist mmcv)" = $version ] && _lgd_mmcv_ops; then
        _lgd_say "Keeping the full mmcv $version of this environment"
        return
    fi
    if ! command -v "${CXX:-c++}" >/dev/null; then
        _lgd_fail "the full mmcv is built from source and there is no C++" \
            "compiler; install one (for example: sudo apt-get install g++)"
        return
    fi
    if ! _lgd_has 'import os, sysconfig
assert os.path.exists(sysconfig.get_path("include") + "/Python.h")'; then
        _lgd_fail "the full mmcv is built from source and Python.h is" \
            "missing; install it (for example: sudo apt-get install" \
            "python3-dev)"
        return
    fi
    # built before anything is removed: a failed build changes nothing. What
    # pip kept of an earlier build may be for another torch; then build anew.
    for attempt in '' --no-cache-dir; do
        _lgd_say "Building the full mmcv $version, about ten minutes on two" \
            "cores unless pip has kept the result of an earlier build"
        rm -rf "$wheels"
        (
            export MMCV_WITH_OPS=1
            if ! command -v nvcc >/dev/null; then
                # operators for the CPU only, whatever build torch is
                export CUDA_VISIBLE_DEVICES='' FORCE_CUDA=0
            fi
            echo "   MMCV_WITH_OPS=1 \\"
            _lgd_pip wheel $attempt --no-deps --no-build-isolation \
                --wheel-dir "$wheels" mmcv==$version
        ) || {
            _lgd_fail "mmcv could not be built; the compiler's message is" \
                "above"
            return
        }
        # mmcv and mmcv-lite own the same folder: never one over the other
        if _lgd_dist mmcv-lite >/dev/null; then
            _lgd_pip uninstall -y mmcv-lite || return
        fi
        _lgd_pip install --no-deps --force-reinstall "$wheels"/mmcv-*.whl ||
            return
        _lgd_mmcv_ops && break
    done
    rm -rf "$wheels"
    _lgd_mmcv_ops || _lgd_fail \
        "mmcv was built but its operators do not load; see:" \
        "python -c 'import mmcv.ops'"
}

_lgd_package() {
    _lgd_say "Installing this package in place"
    _lgd_pip install --no-deps --no-build-isolation -q -e .
}

_lgd_verify='import av, cv2, decord, matplotlib, mmcv, mmengine, scipy, tqdm
import lgd_mmaction, os, sys
import mmaction.datasets, mmaction.engine, mmaction.evaluation, mmaction.models
cv2.optflow.createOptFlow_DualTVL1
here = os.path.dirname(os.path.dirname(os.path.realpath(lgd_mmaction.__file__)))
assert here == os.path.realpath(sys.argv[1]), f"lgd_mmaction is in {here}"'

_lgd_check() {
    # from another folder, so that the installed package is what is found
    (cd / && python -W ignore -c "$_lgd_verify" "$_lgd_root" 2>&1) | tail -n 1
    return "${PIPESTATUS[0]}"
}

# setup_env lite|full
setup_env() {
    local mode=${1:-lite} message
    case $mode in
    lite | full) ;;
    *)
        _lgd_fail "setup_env takes lite or full, not '$mode'"
        return
        ;;
    esac
    _lgd_activate || return
    if { _lgd_done "$mode" || { [ "$mode" = lite ] && _lgd_done full; }; } &&
        _lgd_check >/dev/null; then
        if [ "$mode" = lite ] || _lgd_mmcv_ops; then
            echo "   everything is installed already ($mode)"
            return
        fi
    fi
    _lgd_torch || return
    _lgd_base || return
    if [ "$mode" = full ]; then
        _lgd_mmcv_full || return
    else
        _lgd_mmcv_lite || return
    fi
    _lgd_opencv || return
    _lgd_package || return
    if ! message=$(_lgd_check); then
        _lgd_fail "the installation does not work: $message"
        return
    fi
    _lgd_mark "$mode"
}

# what the tests need, after setup_env
setup_env_test() {
    if _lgd_done test && _lgd_has 'import pytest, xdist, hypothesis, ruff'; then
        return
    fi
    _lgd_say "Installing what the tests need"
    _lgd_pip install --no-deps -r $_lgd_req/test.txt || return
    _lgd_mark test
}

# the command `mim` in an environment layered on the main one, after setup_env
setup_env_mim() {
    local env=$_lgd_prefix/.lgd_mim site
    if _lgd_done mim && "$env/bin/python" -W ignore -c 'import mim' \
        >/dev/null 2>&1; then
        return
    fi
    _lgd_say "Making $env for the command mim, apart from the main one" \
        "because of what it pins"
    rm -rf "$env"
    _lgd_run python -m venv "$env" || return
    _lgd_run "$env/bin/python" -m pip --disable-pip-version-check install \
        --no-deps -r $_lgd_req/mim.txt || return
    # everything else is the main environment's, its editable installs too
    site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    echo "import site; site.addsitedir('$site')" >"$(
        "$env/bin/python" -c \
            'import sysconfig; print(sysconfig.get_path("purelib"))'
    )/zz_main_environment.pth"
    "$env/bin/python" -W ignore -c 'import mim' || return
    _lgd_mark mim
}
