// SPDX-License-Identifier: Apache-2.0
//
// uring-cat: writes files to standard output, through io_uring or epoll.
//
//   uring-cat [--backend=auto|io_uring|epoll] [FILE...]
//
// Without a FILE, or for "-", it reads standard input. A file that fails is reported and the others are still written;
// the exit status is then 1.
#include <getopt.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/run.h"
#include "tools/concatenate.h"

namespace {

using proactor::BackendChoice;
using proactor::RunOptions;

constexpr char kUsage[] =
    "Usage: uring-cat [OPTION...] [FILE...]\n"
    "Write each FILE to standard output, through io_uring or epoll.\n"
    "\n"
    "Without a FILE, or where FILE is -, read standard input.\n"
    "\n"
    "      --backend=auto|io_uring|epoll  ask the kernel in this way; auto, unless\n"
    "                                     $PROACTOR_BACKEND says otherwise: io_uring,\n"
    "                                     or epoll where that is not allowed\n"
    "      --help                         show this text and exit\n"
    "      --version                      show the version and exit\n";

int Print(std::string_view text) {
  std::cout << text << std::flush;
  if (std::cout) return 0;
  std::cerr << "uring-cat: write error: " << std::strerror(errno) << "\n";
  return 1;
}

// What the command line asks for.
struct Arguments {
  std::optional<int> exit_status = {};  // Nothing is left to do.
  RunOptions options = {};
  std::vector<std::string> names = {};
};

Arguments Misused() {
  std::cerr << "Try 'uring-cat --help' for more information.\n";
  return {.exit_status = 2};
}

bool ParseBackend(const char* word, RunOptions& options) {
  absl::StatusOr<BackendChoice> backend = proactor::ParseBackendChoice(word);
  if (backend.ok()) {
    options.backend = *backend;
  } else {
    std::cerr << "uring-cat: " << backend.status().message() << "\n";
  }
  return backend.ok();
}

Arguments ParseArguments(int argc, char** argv) {
  enum { kBackend = 256, kHelp, kVersion };
  static constexpr option kOptions[] = {{"backend", required_argument, nullptr, kBackend},
                                        {"help", no_argument, nullptr, kHelp},
                                        {"version", no_argument, nullptr, kVersion},
                                        {nullptr, 0, nullptr, 0}};
  Arguments arguments;
  // Said in one way however the tool was started.
  argv[0] = const_cast<char*>("uring-cat");
  for (int choice; (choice = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (choice) {
      case kBackend:
        if (!ParseBackend(optarg, arguments.options)) return Misused();
        break;
      case kHelp:
        return {.exit_status = Print(kUsage)};
      case kVersion:
        return {.exit_status = Print("uring-cat (proactor) 0.1.0\n")};
      default:
        return Misused();
    }
  }
  arguments.names.assign(argv + optind, argv + argc);
  if (arguments.names.empty()) arguments.names.push_back("-");
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments = ParseArguments(argc, argv);
  if (arguments.exit_status.has_value()) return *arguments.exit_status;
  // `bazel run` starts programs in a directory of its own; operands mean the caller's.
  if (const char* directory = getenv("BUILD_WORKING_DIRECTORY"); directory != nullptr && chdir(directory) != 0) {
    std::cerr << "uring-cat: " << directory << ": " << std::strerror(errno) << "\n";
    return 1;
  }
  absl::StatusOr<int> exit_status = proactor::Run(tools::Concatenate(std::move(arguments.names)), arguments.options);
  if (!exit_status.ok()) {
    std::cerr << "uring-cat: " << exit_status.status().message() << "\n";
    return 1;
  }
  return *exit_status;
}
