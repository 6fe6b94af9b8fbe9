#!/bin/sh
# A reconfiguration script:
# `sentinel client-reconfig-script mymaster /path/reconfig.sh`.
#
# Called on every sentinel when the address of the master changes, with
#   $1  name of the master
#   $2  "leader" on the sentinel that carries out the failover, "observer" on the others
#   $3  "start"
#   $4 $5  old host and port
#   $6 $7  new host and port
# Exit statuses mean the same as for notify.sh. It may be called more than once for one
# change and on several sentinels at a time, so what it does must be safe to repeat.
#
# This one writes the address to a file that other programs watch.
set -eu
name=$1
role=$2
host=$6
port=$7
target=${TARGET_DIR:-/run/redis-master}
mkdir -p "$target"
printf '%s %s\n' "$host" "$port" >"$target/$name.new.$$"
mv "$target/$name.new.$$" "$target/$name"
echo "$role: clients of $name now go to $host port $port"
