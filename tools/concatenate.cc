// SPDX-License-Identifier: Apache-2.0
#include "tools/concatenate.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/try.h"

namespace tools {
namespace {

using proactor::DescriptorKind;
using proactor::File;
using proactor::FileStatus;
using proactor::Task;
using proactor::Try;

// What is read and written at a time: each costs a turn through the kernel, and with more a cache does not hold it.
constexpr size_t kBlockSize = size_t{2} << 20;
// What a pipe is made to hold, the most that anybody may without rights (pipe(7)), and what is spliced at a time.
constexpr size_t kPipeSize = size_t{1} << 20;
// A worker of the kernel's does the splicing; less than this is read and written before it has woken up.
constexpr int64_t kWorthSplicing = 128 << 10;

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

// Refuses what cat(1) refuses: a file that is read and appended to at once has no end. One that is at its end has.
absl::Status CheckDiffers(const File& input, const FileStatus& from, const FileStatus& to) {
  bool same = to.is_regular() && from.device == to.device && from.inode == to.inode;
  if (!same || lseek(input.descriptor_number(), 0, SEEK_CUR) >= from.size) return absl::OkStatus();
  return absl::FailedPreconditionError("input file is output file");
}

// Reports and counts what concerns one operand only: the others are still written.
absl::Status Skip(std::string_view name, const absl::Status& failure, bool& failed) {
  Report(name, failure);
  failed = true;
  return absl::OkStatus();
}

// Begins where a page does: copying from pages to where none does takes half as long again.
struct alignas(4096) Block {
  char bytes[kBlockSize];
};

// Where all goes.
struct Output {
  File file;
  FileStatus status;
  std::unique_ptr<Block> block = std::make_unique_for_overwrite<Block>();
};

// Moves what can be moved into a pipe without copying it. What this leaves, for whatever reason, is for reading and
// writing, which will find the reason, too.
Task<void> Splice(File& input, File& pipe) {
  int number = pipe.descriptor_number();
  // The fewer the turns that reader and writer take. Users may own only so much of large pipes; then it stays small.
  if (fcntl(number, F_GETPIPE_SZ) < static_cast<int>(kPipeSize)) fcntl(number, F_SETPIPE_SZ, kPipeSize);
  while (true) {
    absl::StatusOr<size_t> n = co_await input.SpliceTo(pipe, kPipeSize);
    if (!n.ok() || *n == 0) co_return;
  }
}

// Copies one operand. Fails if the output does.
Task<absl::Status> Copy(std::string name, Output& output, bool& failed) {
  absl::StatusOr<File> input = co_await OpenOperand(name);
  if (!input.ok()) co_return Skip(name, input.status(), failed);
  absl::StatusOr<FileStatus> status = co_await input->Stat();
  if (!status.ok()) co_return Skip(name, status.status(), failed);
  if (absl::Status same = CheckDiffers(*input, *status, output.status); !same.ok()) co_return Skip(name, same, failed);
  // Files of /proc have contents in spite of their size, which is 0, and are read.
  bool splice = status->is_regular() && status->size >= kWorthSplicing && output.file.kind() == DescriptorKind::kPipe;
  if (splice) co_await Splice(*input, output.file);
  while (true) {
    absl::StatusOr<size_t> n = co_await input->Read(output.block->bytes);
    if (!n.ok()) co_return Skip(name, n.status(), failed);
    if (*n == 0) co_return absl::OkStatus();
    co_await Try(output.file.WriteAll({output.block->bytes, *n}));
  }
}

Task<absl::StatusOr<Output>> OpenOutput() {
  Output output;
  output.file = co_await Try(File::StandardOutput());
  output.status = co_await Try(output.file.Stat());
  co_return output;
}

}  // namespace

proactor::Task<absl::StatusOr<int>> Concatenate(std::vector<std::string> names) {
  bool failed = false;
  absl::StatusOr<Output> output = co_await OpenOutput();
  if (!output.ok()) {
    Report("standard output", output.status());
    co_return 1;
  }
  for (const std::string& name : names) {
    if (absl::Status status = co_await Copy(name, *output, failed); !status.ok()) {
      // Where another thread wrote, its signal has gone nowhere.
      if (proactor::ErrnoOf(status) == EPIPE) raise(SIGPIPE);
      Report("write error", status);
      co_return 1;
    }
  }
  co_return failed ? 1 : 0;
}

}  // namespace tools
