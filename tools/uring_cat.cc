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

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/run.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace {

using proactor::File;
using proactor::FileStatus;
using proactor::Task;
using proactor::Try;

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

// A file that is appended to itself has no end. (The size of what is no file is 0.)
Task<absl::Status> CheckDiffers(File& input, File& output) {
  FileStatus from = co_await Try(input.Stat());
  FileStatus to = co_await Try(output.Stat());
  bool same = from.device == to.device && from.inode == to.inode;
  if (same && from.size > 0) co_return absl::FailedPreconditionError("input file is output file");
  co_return absl::OkStatus();
}

// Reports and counts what concerns one operand only: the others are still written.
absl::Status Skip(std::string_view name, const absl::Status& failure, bool& failed) {
  Report(name, failure);
  failed = true;
  return absl::OkStatus();
}

// Copies one operand. Fails if the output does.
Task<absl::Status> Copy(std::string name, File& output, std::span<char> buffer, bool& failed) {
  absl::StatusOr<File> input = co_await OpenOperand(name);
  if (!input.ok()) co_return Skip(name, input.status(), failed);
  if (absl::Status status = co_await CheckDiffers(*input, output); !status.ok()) co_return Skip(name, status, failed);
  while (true) {
    absl::StatusOr<size_t> n = co_await input->Read(buffer);
    if (!n.ok()) co_return Skip(name, n.status(), failed);
    if (*n == 0) co_return absl::OkStatus();
    co_await Try(output.WriteAll({buffer.data(), *n}));
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

int Print(std::string_view text) {
  std::cout << text << std::flush;
  if (std::cout) return 0;
  std::cerr << "uring-cat: write error: " << std::strerror(errno) << "\n";
  return 1;
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
        return Print(kUsage);
      case kVersion:
        return Print("uring-cat (proactor) 0.1.0\n");
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
