// SPDX-License-Identifier: Apache-2.0
//
// uring-probe: says how a program of this library would ask the kernel on this machine, and why not better.
//
//   uring-probe [--json] [--backend=auto|io_uring|epoll] [--restricted]
//
// The exit status is for health checks: 0 as wanted, 1 epoll instead of io_uring, 2 called wrongly, 3 nothing works.
#include <getopt.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/run.h"
#include "tools/probe.h"
#include "tools/probe_report.h"

namespace {

constexpr char kUsage[] =
    "Usage: uring-probe [--json] [--backend=auto|io_uring|epoll] [--restricted]\n"
    "Say how programs ask the kernel on this machine, why, and what would make it better.\n"
    "\n"
    "      --json             as JSON, for programs\n"
    "      --backend=BACKEND  as for a program that is given this; auto, unless $PROACTOR_BACKEND\n"
    "                         says otherwise\n"
    "      --restricted       as for a program whose ring refuses what the library does not use\n"
    "      --help             show this text and exit\n"
    "      --version          show the version and exit\n"
    "\n"
    "$PROACTOR_DISABLE counts as for any program: a list of features to do without, or\n"
    "linux-5.10, linux-5.15, linux-5.19, linux-6.0, linux-6.1, linux-6.6, all.\n"
    "\n"
    "Exit status: 0 if operations go the way that is wanted, 1 if through epoll because\n"
    "io_uring is refused, 2 if called wrongly, 3 if nothing works.\n";

int Print(std::string_view text, int exit_status) {
  std::cout << text << std::flush;
  if (std::cout) return exit_status;
  std::cerr << "uring-probe: standard output: " << std::strerror(errno) << "\n";
  return 3;
}

struct Arguments {
  bool json = false;
  proactor::RunOptions options = {};
};

int Misused() {
  std::cerr << "Try 'uring-probe --help' for more information.\n";
  return 2;
}

bool ParseBackend(const char* word, proactor::RunOptions& options) {
  absl::StatusOr<proactor::BackendChoice> backend = proactor::ParseBackendChoice(word);
  if (backend.ok()) {
    options.backend = *backend;
  } else {
    std::cerr << "uring-probe: --backend: " << backend.status().message() << "\n";
  }
  return backend.ok();
}

// What `main` is to return already, if anything.
std::optional<int> Parse(int argc, char** argv, Arguments& arguments) {
  enum { kJson = 256, kBackend, kRestricted, kHelp, kVersion };
  static constexpr option kOptions[] = {{"json", no_argument, nullptr, kJson},
                                        {"backend", required_argument, nullptr, kBackend},
                                        {"restricted", no_argument, nullptr, kRestricted},
                                        {"help", no_argument, nullptr, kHelp},
                                        {"version", no_argument, nullptr, kVersion},
                                        {nullptr, 0, nullptr, 0}};
  argv[0] = const_cast<char*>("uring-probe");
  for (int choice; (choice = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (choice == kHelp) return Print(kUsage, 0);
    if (choice == kVersion) return Print("uring-probe (proactor) 0.1.0\n", 0);
    if (choice == kJson) {
      arguments.json = true;
    } else if (choice == kRestricted) {
      arguments.options.restricted = true;
    } else if (choice != kBackend || !ParseBackend(optarg, arguments.options)) {
      return Misused();
    }
  }
  if (optind == argc) return std::nullopt;
  std::cerr << "uring-probe: unexpected operand '" << argv[optind] << "'\n";
  return Misused();
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (std::optional<int> exit_status = Parse(argc, argv, arguments)) return *exit_status;
  tools::Probe probe = tools::LookAround(arguments.options);
  int exit_status = tools::ExitStatus(probe);
  if (exit_status == 2) {
    std::cerr << "uring-probe: " << probe.status.message() << "\n";
    return exit_status;
  }
  return Print(arguments.json ? tools::ToJson(probe) : tools::ToText(probe), exit_status);
}
