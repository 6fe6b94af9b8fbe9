#!/bin/sh
# The same seed must give the same trace whatever compiled the program, and when it is
# run again: compares the trace hashes of seeds 1-100 between builds.
#
#   determinism.sh BUILD MAKE
set -eu
build=$1
make=${2:-make}
seeds=1-100
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

hashes() {
    "$1" --seeds "$seeds" --hash | sort -n >"$2"
}
compare() {
    name=$1
    shift
    "$make" -s --no-print-directory BUILD="$build/$name" HARDEN= "$@" \
        "$build/$name/sim" >/dev/null
    hashes "$build/$name/sim" "$work/$name"
    if ! diff "$work/first" "$work/$name"; then
        echo "determinism: $name gives other traces" >&2
        exit 1
    fi
    echo "  OK    determinism: $name gives the same traces"
}

hashes "$build/sim" "$work/first"
[ -s "$work/first" ]
hashes "$build/sim" "$work/again"
cmp "$work/first" "$work/again"
compare gcc-O0 CC=gcc OPT=-O0
if command -v clang >/dev/null; then
    compare clang-O0 CC=clang OPT=-O0
    compare clang-O2 CC=clang OPT=-O2
else
    echo '  SKIP  determinism: clang is not installed'
fi
