#!/bin/sh
# A master (port 7001), two replicas (7002, 7003) and three sentinels (27001 to 27003)
# on this machine, until Ctrl-C. Their files go to the folder given, or to a new
# temporary one that is removed at the end.
#
#   make all stock && examples/three-sentinels/run.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
sentinel=${SENTINEL:-$top/build/redis-sentinel}
server=${SERVER:-$top/build/stock/redis-server}
for program in "$sentinel" "$server"; do
    if [ ! -x "$program" ]; then
        echo "$program is missing. Run: make all stock" >&2
        exit 1
    fi
done

own_folder=''
if [ $# -eq 0 ]; then
    own_folder=$(mktemp -d)
fi
folder=${1:-$own_folder}
pids=''

finish() {
    trap - EXIT INT TERM
    # shellcheck disable=SC2086  # a list of process ids
    kill $pids 2>/dev/null || true
    wait
    [ -z "$own_folder" ] || rm -rf "$own_folder"
    echo 'All ended.'
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

launch() {
    log=$1
    shift
    "$@" >"$log" 2>&1 &
    pids="$pids $!"
}

for port in 7001 7002 7003; do
    mkdir -p "$folder/$port"
    {
        echo "port $port"
        echo 'bind 127.0.0.1'
        echo "dir $folder/$port"
        [ "$port" = 7001 ] || echo 'replicaof 127.0.0.1 7001'
    } >"$folder/$port/redis.conf"
    launch "$folder/$port/log" "$server" "$folder/$port/redis.conf"
done
for n in 1 2 3; do
    mkdir -p "$folder/sentinel-$n"
    # what a sentinel has learned is kept if the folder is used again
    [ -e "$folder/sentinel-$n/sentinel.conf" ] ||
        cp "$here/sentinel-$n.conf" "$folder/sentinel-$n/sentinel.conf"
    launch "$folder/sentinel-$n/log" "$sentinel" "$folder/sentinel-$n/sentinel.conf"
done

cat <<TEXT
Running; files and logs are in $folder. In another terminal, try:

  redis-cli -p 27001 sentinel masters
  redis-cli -p 27001 sentinel get-master-addr-by-name mymaster
  redis-cli -p 27002 psubscribe '*'                  # watch the events
  redis-cli -p 7001 shutdown nosave                  # a master that dies
  redis-cli -p 27003 sentinel failover mymaster      # a planned failover

Ctrl-C ends everything.
TEXT
wait
