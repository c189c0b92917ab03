// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_pipe.h"

#include <poll.h>
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
  // What is left had not come yet when this was read, and comes now.
  if (count < size && !bytes.empty()) ++pipe_->wakes;
  if (pipe_->writer_waits && pipe_->room() >= pipe_->smallest_room()) {
    pipe_->writer_waits = false;
    ++pipe_->wakes;
  }
  return static_cast<int>(count);
}

std::optional<SimulatedReadiness> SimulatedPipeReader::Poll() const {
  int events = (pipe_->bytes.empty() ? 0 : POLLIN) | (pipe_->has_writer ? 0 : POLLHUP);
  return SimulatedReadiness{.events = static_cast<uint32_t>(events), .wakes = pipe_->wakes};
}

void SimulatedPipeReader::Close() {
  pipe_->has_reader = false;
  ++pipe_->wakes;
}

void SimulatedPipeReader::Stat(struct statx& facts) const { StatPipe(facts); }

int SimulatedPipeWriter::Write(const char* bytes, size_t size, int64_t offset) {
  if (offset >= 0) return -ESPIPE;
  if (size == 0) return 0;
  if (!pipe_->has_reader) return -EPIPE;
  bool whole = size <= pipe_->smallest_room();
  size_t fits = std::min(size, pipe_->room());
  if (fits < size) pipe_->writer_waits = true;
  if (fits == 0 || (whole && fits < size)) return -EAGAIN;
  size_t count = whole ? size : pipe_->chance.Part(fits);
  pipe_->bytes.insert(pipe_->bytes.end(), bytes, bytes + count);
  ++pipe_->wakes;  // Of the reader, and of a writer that found less room than there is now.
  return static_cast<int>(count);
}

std::optional<SimulatedReadiness> SimulatedPipeWriter::Poll() const {
  int events = (pipe_->room() < pipe_->smallest_room() ? 0 : POLLOUT) | (pipe_->has_reader ? 0 : POLLERR);
  return SimulatedReadiness{.events = static_cast<uint32_t>(events), .wakes = pipe_->wakes};
}

void SimulatedPipeWriter::Close() {
  pipe_->has_writer = false;
  ++pipe_->wakes;
}

int SimulatedPipeWriter::SpliceFrom(SimulatedDescription& input, size_t size) {
  if (size == 0) return 0;
  if (!pipe_->has_reader) return -EPIPE;
  if (size > pipe_->room()) pipe_->writer_waits = true;
  if (pipe_->room() == 0) return -EAGAIN;
  std::vector<char> bytes(std::min({size, pipe_->room(), kLargestSplice}));
  int count = input.Read(bytes.data(), bytes.size(), -1);
  if (count > 0) pipe_->bytes.insert(pipe_->bytes.end(), bytes.begin(), bytes.begin() + count);
  ++pipe_->wakes;
  return count;
}

void SimulatedPipeWriter::Stat(struct statx& facts) const { StatPipe(facts); }

}  // namespace proactor
