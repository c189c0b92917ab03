// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_pipe.h"

#include <limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace proactor {
namespace {

// At once: Linux moves no more than the pipe has slots for, which standard output has without end here.
constexpr size_t kLargestSplice = size_t{64} << 10;

void StatPipe(struct statx& facts) {
  facts.stx_mode = S_IFIFO | 0600;
  facts.stx_nlink = 1;
  facts.stx_blksize = 4096;
}

}  // namespace

int SimulatedPipeReader::Read(char* buffer, size_t size, int64_t offset) {
  if (offset >= 0) return -ESPIPE;
  if (size == 0) return 0;
  std::deque<char>& bytes = pipe_->bytes;
  if (bytes.empty()) return pipe_->has_writer ? -EAGAIN : 0;
  size_t count = pipe_->chance.Part(std::min(size, bytes.size()));
  std::copy_n(bytes.begin(), count, buffer);
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
  return static_cast<int>(count);
}

void SimulatedPipeReader::Stat(struct statx& facts) const { StatPipe(facts); }

int SimulatedPipeWriter::Write(const char* bytes, size_t size, int64_t offset) {
  if (offset >= 0) return -ESPIPE;
  if (size == 0) return 0;
  if (!pipe_->has_reader) return -EPIPE;
  size_t room = pipe_->capacity - std::min(pipe_->capacity, pipe_->bytes.size());
  size_t count = std::min(size, room);
  if (size <= std::min<size_t>(PIPE_BUF, pipe_->capacity)) {
    if (count < size) return -EAGAIN;
  } else {
    count = pipe_->chance.Part(count);
  }
  if (count == 0) return -EAGAIN;
  pipe_->bytes.insert(pipe_->bytes.end(), bytes, bytes + count);
  return static_cast<int>(count);
}

int SimulatedPipeWriter::SpliceFrom(SimulatedDescription& input, size_t size) {
  if (size == 0) return 0;
  if (!pipe_->has_reader) return -EPIPE;
  size_t room = pipe_->capacity - std::min(pipe_->capacity, pipe_->bytes.size());
  if (room == 0) return -EAGAIN;
  std::vector<char> bytes(std::min({size, room, kLargestSplice}));
  int count = input.Read(bytes.data(), bytes.size(), -1);
  if (count > 0) pipe_->bytes.insert(pipe_->bytes.end(), bytes.begin(), bytes.begin() + count);
  return count;
}

void SimulatedPipeWriter::Stat(struct statx& facts) const { StatPipe(facts); }

}  // namespace proactor
