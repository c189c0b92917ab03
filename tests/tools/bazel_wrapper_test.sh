#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Drives tools/bazel on made-up machines: a directory that stands for /, whose usr/bin is all of PATH, with programs
# that stand for apt-get, sudo, and Debian's Bazel.
set -uo pipefail

wrapper="$PWD/tools/bazel"
everything=(g++ bazel-bootstrap bazel-rules-java liburing-dev libabsl-dev libgtest-dev libgmock-dev
            nlohmann-json3-dev valgrind)
install="install --yes --no-install-recommends"
failures=0
machines="$(mktemp -d)"
trap 'rm -rf "$machines"' EXIT

program() {  # NAME <BODY
  { echo '#!/bin/bash' && cat; } >"$root/usr/bin/$1"
  chmod +x "$root/usr/bin/$1"
}

# machine NAME [PACKAGE]...: with these packages, with apt-get, and the caller is root.
machine() {
  test_name="$1"
  shift
  root="$machines/$test_name"
  workspace="$root/home/proactor"
  mkdir -p "$root/usr/bin" "$root/elsewhere" "$workspace/tools" "$workspace/fs"
  cp "$wrapper" "$workspace/tools/bazel"
  local tool
  for tool in chmod env mkdir readlink true; do ln -s "$(type -P "$tool")" "$root/usr/bin/$tool"; done

  program id <<<'echo "${FAKE_UID:-0}"'
  program apt-get <<'PROGRAM'
echo "apt-get's own words"
while [[ $1 == -* ]]; do if [[ $1 == -o ]]; then shift; fi; shift; done
echo "${DEBIAN_FRONTEND:-}: $*" >>"$PROACTOR_ROOT/apt.log"
if [[ $1 == "${FAKE_APT_FAILS:-}" ]]; then exit 100; fi
if [[ $1 == install && -z ${FAKE_APT_INSTALLS_NOTHING:-} ]]; then unpack "${@:4}"; fi
PROGRAM
  program unpack <<'PROGRAM'
put() { mkdir -p "$PROACTOR_ROOT/${1%/*}" && printf '#!/bin/bash\n%s\n' "${2:-}" >"$PROACTOR_ROOT/$1"; }
run() { put "$@" && chmod +x "$PROACTOR_ROOT/$1"; }
for package; do
  case "$package" in
    g++) put usr/bin/g++ ;;
    bazel-bootstrap)
      put usr/share/bazel/A-server.jar
      run usr/bin/bazel 'BAZEL_REAL=${0%/*}/bazel-4 exec "$PROACTOR_ROOT/home/proactor/tools/bazel" "$@"'
      run usr/bin/bazel-4 '
        printf "bazel-4 in %s:" "${PWD#"$PROACTOR_ROOT"}"
        printf " <%s>" "$@"
        exit "${FAKE_STATUS:-0}"'
      ;;
    bazel-rules-java) put usr/share/bazel/rules/java/WORKSPACE ;;
    liburing-dev) put usr/include/liburing.h ;;
    libabsl-dev) put usr/include/absl/functional/any_invocable.h ;;
    libgtest-dev) put usr/include/gtest/gtest.h ;;
    libgmock-dev) put usr/include/gmock/gmock.h ;;
    nlohmann-json3-dev) put usr/include/nlohmann/json.hpp ;;
    valgrind) put usr/bin/valgrind ;;
    libasio-dev) put usr/include/asio.hpp ;;
    clang-16) put usr/bin/clang-16 ;;
    libclang-rt-16-dev) put usr/lib/llvm-16/lib/clang/16/include/sanitizer/asan_interface.h ;;
    lld-16) put usr/bin/ld.lld-16 ;;
    *) exit 100 ;;
  esac
done
PROGRAM
  on_machine / unpack "$@"
}

# on_machine [VARIABLE=VALUE]... DIRECTORY COMMAND...: leaves $out, $err and $status.
on_machine() {
  local variables=()
  while [[ $1 == *=* ]]; do variables+=("$1") && shift; done
  local directory="$1"
  shift
  out="$(cd "$root$directory" &&
    env -i PATH="$root/usr/bin" PROACTOR_ROOT="$root" "${variables[@]}" "$@" 2>"$root/stderr" </dev/null)"
  status=$?
  err="$(<"$root/stderr")"
}

fail() {
  printf 'FAILED: %s: %s\n' "$test_name" "$1"
  printf -- '--- status %s, standard output:\n%s\n--- standard error:\n%s\n\n' "$status" "$out" "$err"
  failures=$((failures + 1))
}
expect_status() { [[ $status == "$1" ]] || fail "exit status $status, not $1"; }
expect_out() { [[ $out == "$1" ]] || fail "standard output is not: $1"; }
expect_err() { [[ $err == *"$1"* ]] || fail "standard error does not have: $1"; }
expect_silence() { [[ -z $err ]] || fail "standard error is not empty"; }
expect_apt() {  # LINE...: each call of apt-get, after its options
  local expected="" actual=""
  if (($#)); then expected="$(printf '%s\n' "$@")"; fi
  if [[ -e $root/apt.log ]]; then actual="$(<"$root/apt.log")"; fi
  [[ $actual == "$expected" ]] || fail "apt-get was called: ${actual:-(not at all)}"
}

machine "WhenAllIsThereItOnlyRunsBazel" "${everything[@]}"
on_machine /home/proactor/fs ../tools/bazel run //tools:uring-cat -- "two words" ""
expect_status 0
expect_out "bazel-4 in /home/proactor/fs: <run> <//tools:uring-cat> <--> <two words> <>"
expect_silence
expect_apt
on_machine /home/proactor/fs bazel test //...
expect_out "bazel-4 in /home/proactor/fs: <test> <//...>"
expect_silence

machine "FromElsewhereItRunsInItsWorkspace" "${everything[@]}"
on_machine /elsewhere "$workspace/tools/bazel" test //...
expect_out "bazel-4 in /home/proactor: <test> <//...>"

machine "TheExitStatusIsBazels" "${everything[@]}"
on_machine FAKE_STATUS=3 /home/proactor tools/bazel test //...
expect_status 3

machine "AFreshMachineIsSetUp"
on_machine /home/proactor tools/bazel test //...
expect_status 0
expect_out "bazel-4 in /home/proactor: <test> <//...>"
for package in "${everything[@]}"; do expect_err "  $package "; done
expect_err "io_uring"
expect_err "apt-get's own words"
[[ -d $root/usr/share/man/man1 ]] || fail "no directory for Java's manual pages"
expect_apt ": update" "noninteractive: $install ${everything[*]}"
on_machine /home/proactor tools/bazel test //...
expect_silence

machine "OnlyWhatIsMissingIsInstalled" g++ bazel-bootstrap bazel-rules-java liburing-dev libabsl-dev libgmock-dev \
  nlohmann-json3-dev valgrind
on_machine /home/proactor bazel test //...
expect_out "bazel-4 in /home/proactor: <test> <//...>"
expect_apt ": update" "noninteractive: $install libgtest-dev"

machine "ClangIsInstalledWhenAskedFor" "${everything[@]}"
on_machine /home/proactor tools/bazel run //tools:uring-cat -- --config=clang
expect_apt
on_machine /home/proactor tools/bazel test --config=clang //...
expect_out "bazel-4 in /home/proactor: <test> <--config=clang> <//...>"
expect_apt ": update" "noninteractive: $install clang-16 libclang-rt-16-dev lld-16"

machine "AsioIsInstalledForTheBenchmark" "${everything[@]}"
on_machine /home/proactor tools/bazel test //...
on_machine /home/proactor tools/bazel test //tests/benchmark:cell_test
on_machine /home/proactor tools/bazel run --define=asio=no //tests/benchmark:echo_benchmark
expect_apt
on_machine /home/proactor tools/bazel run //tests/benchmark:echo_benchmark -- --rounds=1
expect_out "bazel-4 in /home/proactor: <run> <//tests/benchmark:echo_benchmark> <--> <--rounds=1>"
expect_apt ": update" "noninteractive: $install libasio-dev"

command="sudo apt-get update && sudo apt-get $install ${everything[*]}"

machine "WithoutAptItSaysWhatToRun"
rm "$root/usr/bin/apt-get"
on_machine /home/proactor tools/bazel test //...
expect_status 1
expect_out ""
expect_err "$command"

machine "WithoutRightsItSaysWhatToRun"
on_machine FAKE_UID=1000 /home/proactor tools/bazel test //...
expect_status 1
expect_err "$command"
program sudo <<<'[[ $1 == -n ]] || echo "Password:" >&2; exit 1'
on_machine FAKE_UID=1000 /home/proactor tools/bazel test //...
expect_status 1
expect_out ""
expect_err "$command"
[[ $err != *Password* ]] || fail "it asked for a password"
expect_apt

machine "SudoIsUsedWhereItNeedsNoPassword"
program sudo <<<'[[ $1 == -n ]] && shift && echo sudo >>"$PROACTOR_ROOT/apt.log" && exec "$@"'
on_machine FAKE_UID=1000 /home/proactor tools/bazel test //...
expect_status 0
expect_out "bazel-4 in /home/proactor: <test> <//...>"
[[ $(<"$root/apt.log") == *sudo*"$install"* ]] || fail "apt-get ran without sudo"

machine "AFailedUpdateIsNotTheEnd"
on_machine FAKE_APT_FAILS=update /home/proactor tools/bazel test //...
expect_status 0
expect_err "apt-get update failed"
expect_out "bazel-4 in /home/proactor: <test> <//...>"

machine "AFailedInstallationIsTheEnd"
on_machine FAKE_APT_FAILS=install /home/proactor tools/bazel test //...
expect_status 1
expect_out ""
expect_err "failed here"
expect_err "apt-get $install ${everything[*]}"

machine "PackagesThatAreTooOldAreNotInstalledForever" g++ bazel-bootstrap bazel-rules-java liburing-dev
on_machine FAKE_APT_INSTALLS_NOTHING=1 /home/proactor tools/bazel test //...
expect_status 1
expect_out ""
expect_err "Installed, and yet"

machine "AnotherBazelIsLeftAlone"
program bazelisk <<<'echo "bazelisk, which would download:" "$@"'
on_machine /home/proactor tools/bazel test //...
expect_out "bazelisk, which would download: test //..."
expect_silence
on_machine BAZEL_REAL="$root/usr/bin/bazelisk" /home/proactor tools/bazel test //...
expect_out "bazelisk, which would download: test //..."
expect_silence
expect_apt

machine "ABazelThatOnlyLeadsBackEnds"
program bazel <<<'exec "$PROACTOR_ROOT/home/proactor/tools/bazel" "$@"'
on_machine /home/proactor tools/bazel test //...
expect_status 1
expect_err "leads back here"

if ((failures)); then exit 1; fi
