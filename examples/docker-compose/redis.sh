#!/bin/sh
# Starts a data server. On a new volume redis-1 is the master; later each is what the
# sentinels made of it: they have the configuration rewritten there (CONFIG REWRITE).
set -eu
me=$(hostname)
if [ ! -e /data/redis.conf ]; then
  {
    echo "replica-announce-ip $me"
    echo "dir /data"
    echo "appendonly yes"
    [ "$me" = redis-1 ] || echo "replicaof redis-1 6379"
  } >/data/redis.conf.new
  mv /data/redis.conf.new /data/redis.conf
fi
exec redis-server /data/redis.conf
