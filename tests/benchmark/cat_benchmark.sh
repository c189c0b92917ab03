#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# How long does uring-cat take for a cached file, next to cat?
#
#   tools/bazel run //tests/benchmark:cat_benchmark             # 2 GiB, 9 rounds
#   tools/bazel run //tests/benchmark:cat_benchmark -- 512 21   # MiB, rounds
#
# Runs alternate: cat, uring-cat on either backend, cat again, to /dev/null and through a pipe to `wc -c`. Only times of
# one round are divided by each other; the medians of these ratios count, and their quartiles say how much they move.
# The second cat is the null test: what its ratio is off 1, the machine cannot tell apart. The file is on disk: reads of
# a tmpfs, which a ring hands to a worker, say nothing about files.
set -eu

cat=$(command -v cat)
uring=$(realpath "$1")
mebibytes=${2:-2048}
rounds=${3:-9}
bar_null=1.0
bar_pipe=0.25

directory=$(mktemp -d /var/tmp/cat_benchmark.XXXXXX)
trap 'rm -rf "$directory"' EXIT
file=$directory/file
times=$directory/times
head -c "${mebibytes}M" /dev/urandom > "$file"
$cat "$file" > /dev/null  # Into the cache.

microseconds() { echo $(($(date +%s%N) / 1000)); }

# Runs one command to one place, and notes how many microseconds it took.
measure() {
  round=$1 place=$2 name=$3
  shift 3
  begin=$(microseconds)
  case $place in
    null) "$@" "$file" > /dev/null ;;
    pipe) "$@" "$file" | wc -c > /dev/null ;;
  esac
  echo "$round $place $name $(($(microseconds) - begin))" >> "$times"
}

for round in $(seq "$rounds"); do
  for place in null pipe; do
    measure "$round" $place cat "$cat"
    measure "$round" $place io_uring "$uring" --backend=io_uring
    measure "$round" $place epoll "$uring" --backend=epoll
    measure "$round" $place cat_again "$cat"
  done
done

# Of the values on standard input: the one that so large a part is below.
quantile() { sort -n | awk -v part="$1" '{ v[NR] = $1 } END { print v[int((NR - 1) * part + 1.5)] }'; }

failed=0
for place in null pipe; do
  eval "bar=\$bar_$place"
  for name in cat io_uring epoll cat_again; do
    awk -v place=$place -v name=$name '
      $2 == place && $3 == "cat" { first[$1] = $4 }
      $2 == place && $3 == name { print $4 / first[$1] }' "$times" > "$directory/ratios"
    seconds=$(awk -v place=$place -v name=$name '$2 == place && $3 == name { print $4 / 1e6 }' "$times" | quantile .5)
    median=$(quantile .5 < "$directory/ratios")
    printf '%s  %-9s  %6.3f s  %.3f x cat  (%.3f-%.3f)\n' $place $name "$seconds" "$median" \
      "$(quantile .25 < "$directory/ratios")" "$(quantile .75 < "$directory/ratios")"
    if [ $name = io_uring ] && ! awk "BEGIN { exit !($median <= $bar) }"; then
      echo "$place: above the bar, $bar"
      failed=1
    fi
  done
done
exit $failed
