// SPDX-License-Identifier: Apache-2.0
//
// uring-cat: writes files to standard output, through io_uring.
//
//   uring-cat [FILE...]
//
// Without a FILE, or for "-", it reads standard input. A file that fails is reported and the others are still written;
// the exit status is then 1.
#include <getopt.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/run.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace {

using proactor::File;
using proactor::Task;

constexpr size_t kBufferSize = size_t{256} << 10;
constexpr char kUsage[] =
    "Usage: uring-cat [FILE...]\n"
    "Write each FILE to standard output, through io_uring.\n"
    "\n"
    "Without a FILE, or where FILE is -, read standard input.\n"
    "\n"
    "      --help     show this text and exit\n"
    "      --version  show the version and exit\n";

// In the words that people know from other tools: what errno means, or else the message.
void Report(std::string_view what, const absl::Status& status) {
  int error = proactor::ErrnoOf(status);
  std::cerr << "uring-cat: " << what << ": " << (error != 0 ? std::strerror(error) : std::string(status.message()))
            << std::endl;
}

Task<absl::StatusOr<File>> OpenOperand(std::string name) {
  if (name == "-") return File::StandardInput();
  return File::Open(std::move(name));
}

// Copies one operand. A failure to read is reported and counted; one to write ends the whole.
Task<absl::Status> Copy(std::string name, File& output, std::span<char> buffer, bool& failed) {
  absl::StatusOr<File> input = co_await OpenOperand(name);
  if (!input.ok()) {
    Report(name, input.status());
    failed = true;
    co_return absl::OkStatus();
  }
  while (true) {
    absl::StatusOr<size_t> n = co_await input->Read(buffer);
    if (!n.ok()) {
      Report(name, n.status());
      failed = true;
      co_return absl::OkStatus();
    }
    if (*n == 0) co_return absl::OkStatus();
    co_await proactor::Try(output.WriteAll({buffer.data(), *n}));
  }
}

// Yields the exit status.
Task<absl::StatusOr<int>> Concatenate(std::vector<std::string> names) {
  bool failed = false;
  absl::StatusOr<File> output = co_await File::StandardOutput();
  if (!output.ok()) {
    Report("standard output", output.status());
    co_return 1;
  }
  std::vector<char> buffer(kBufferSize);
  for (const std::string& name : names) {
    if (absl::Status status = co_await Copy(name, *output, buffer, failed); !status.ok()) {
      Report("write error", status);
      co_return 1;
    }
  }
  co_return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  enum { kHelp = 256, kVersion };
  static constexpr option kOptions[] = {
      {"help", no_argument, nullptr, kHelp}, {"version", no_argument, nullptr, kVersion}, {nullptr, 0, nullptr, 0}};
  // Said in one way however the tool was started.
  argv[0] = const_cast<char*>("uring-cat");
  for (int choice; (choice = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (choice) {
      case kHelp:
        std::cout << kUsage;
        return 0;
      case kVersion:
        std::cout << "uring-cat (proactor) 0.1.0\n";
        return 0;
      default:
        std::cerr << "Try 'uring-cat --help' for more information.\n";
        return 2;
    }
  }
  // `bazel run` starts programs in a directory of its own; operands mean the caller's.
  if (const char* directory = getenv("BUILD_WORKING_DIRECTORY"); directory != nullptr && chdir(directory) != 0) {
    std::cerr << "uring-cat: " << directory << ": " << std::strerror(errno) << "\n";
    return 1;
  }

  std::vector<std::string> names(argv + optind, argv + argc);
  if (names.empty()) names.push_back("-");
  absl::StatusOr<int> exit_status = proactor::Run(Concatenate(std::move(names)));
  if (!exit_status.ok()) {
    std::cerr << "uring-cat: " << exit_status.status().message() << "\n";
    return 1;
  }
  return *exit_status;
}
