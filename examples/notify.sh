#!/bin/sh
# A notification script: `sentinel notification-script mymaster /path/notify.sh`.
#
# Called with two arguments for every event of warning level:
#   $1  the event, for instance +sdown
#   $2  its text, for instance "master mymaster 127.0.0.1 6379"
#
# Exit 0: done. Exit 1: called again later (after 30 s, then 60 s, and so on, 10 times
# in all). Any other status: an error, not called again. After 60 s it is killed, and
# called again.
set -eu
event=$1
text=$2
# -failover-abort-not-elected is said after each election that nobody won, and the next
# one follows at once.
case $event in
-failover-abort-not-elected) priority=user.warning ;;
+odown | +switch-master | -failover-abort-*) priority=user.crit ;;
+sdown | +try-failover) priority=user.warning ;;
*) priority=user.notice ;;
esac
logger -t redis-sentinel -p "$priority" -- "$event $text"
