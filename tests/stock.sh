#!/bin/sh
# Makes $1/redis-server and $1/redis-sentinel: links to the distribution's programs,
# which are one binary that looks at the name it was started by. Debian's redis-tools
# holds that binary as redis-check-rdb; installing redis-tools starts no service.
set -eu
dir=$1
mkdir -p "$dir"

link() {
    name=$1
    shift
    for candidate in "$@"; do
        if path=$(command -v "$candidate"); then
            ln -sf "$path" "$dir/$name"
            return 0
        fi
    done
    echo "No redis server found (looked for: $*). Run: make deps" >&2
    exit 1
}
link redis-server redis-server redis-check-rdb
link redis-sentinel redis-sentinel redis-server redis-check-rdb
