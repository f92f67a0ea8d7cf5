#!/bin/sh
# install.sh VENV REQUIREMENTS…: create the virtual environment if needed, and install exactly what the files pin.
# PYTHON chooses the interpreter; pip is quiet unless it fails.
set -eu
venv=$1
shift

usable() { # Try it: some distributions leave ensurepip out, and a version manager's shim may not work.
    "$1" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        usable "$python" && break
        python=
    done
    if [ -z "$python" ]; then
        echo "Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv, or make … PYTHON=/path/to/python3" >&2
        exit 1
    fi
    echo "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

echo "Installing $*"
for file in "$@"; do
    shift
    set -- "$@" --requirement "$file"
done
if ! "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes "$@" >"$venv/install.log" 2>&1; then
    tail -n 20 "$venv/install.log" >&2
    echo "pip failed: the whole of its output is in $venv/install.log" >&2
    exit 1
fi
