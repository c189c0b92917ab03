#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A budget of instructions: what one echoed message costs in the library's own code, with its client (two reads, two
# writes), counted by callgrind. What the fake kernel does is left out, and so is what happens once: the figure is the
# difference between two runs. A figure that grows is a decision, made here.
set -euo pipefail

program="$1"
budget="$2"
messages=500

if [[ ! -x /usr/bin/valgrind ]]; then
  echo "Skipped: there is no valgrind here (Debian's package of that name)."
  exit 0
fi

# count MESSAGES: the instructions of a run.
count() {
  local out="$TEST_TMPDIR/callgrind.$1"
  # The order matters: --toggle-collect alone would begin outside, and count what is inside.
  valgrind --tool=callgrind --callgrind-out-file="$out" --toggle-collect='proactor::FakeKernel::Enter(*' \
    --collect-atstart=yes "$program" "$1" >"$TEST_TMPDIR/output.$1" 2>"$TEST_TMPDIR/errors.$1" || {
    local status=$?
    cat "$TEST_TMPDIR/output.$1" "$TEST_TMPDIR/errors.$1" >&2
    return "$status"
  }
  cat "$TEST_TMPDIR/output.$1" >&2
  awk '$1 == "totals:" || $1 == "summary:" { total = $2 } END { print total }' "$out"
}

status=0
"$program" 1 >/dev/null || status=$?
if ((status == 77)); then
  echo "Skipped: this is not compiled as it ships."
  exit 0
fi

once="$(count "$messages")"
twice="$(count "$((2 * messages))")"
each="$(((twice - once) / messages))"
echo "$each instructions for each echoed message; the budget is $budget"
((each > 0 && each <= budget))
