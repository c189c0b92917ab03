#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A budget of instructions: what one echoed message costs in the library's own code, with its client (two reads, two
# writes), or one sleep and one read that are cancelled. Counted by callgrind, without what the fake kernel does, and
# without what happens once: the figure is the difference between two runs. A figure that grows is a decision, made
# where this is called.
#
#     instruction_budget_test.sh BUDGET COUNT PROGRAM [ARGUMENT]...
#
# The program is run for COUNT and for twice as many, which is its last argument.
set -euo pipefail

budget="$1"
at_first="$2"
program=("${@:3}")

if [[ ! -x /usr/bin/valgrind ]]; then
  echo "Skipped: there is no valgrind here (Debian's package of that name)."
  exit 0
fi

# count COUNT: the instructions of a run.
count() {
  local out="$TEST_TMPDIR/callgrind.$1"
  # The order matters: --toggle-collect alone would begin outside, and count what is inside.
  valgrind --tool=callgrind --callgrind-out-file="$out" --toggle-collect='proactor::FakeKernel::Enter(*' \
    --collect-atstart=yes "${program[@]}" "$1" >"$TEST_TMPDIR/output.$1" 2>"$TEST_TMPDIR/errors.$1" || {
    local status=$?
    cat "$TEST_TMPDIR/output.$1" "$TEST_TMPDIR/errors.$1" >&2
    return "$status"
  }
  cat "$TEST_TMPDIR/output.$1" >&2
  awk '$1 == "totals:" || $1 == "summary:" { total = $2 } END { print total }' "$out"
}

status=0
"${program[@]}" 1 >/dev/null || status=$?
if ((status == 77)); then
  echo "Skipped: this is not compiled as it ships."
  exit 0
fi

once="$(count "$at_first")"
twice="$(count "$((2 * at_first))")"
each="$(((twice - once) / at_first))"
echo "$each instructions for each; the budget is $budget"
((each > 0 && each <= budget))
