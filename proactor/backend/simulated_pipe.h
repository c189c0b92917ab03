// SPDX-License-Identifier: Apache-2.0
//
// SimulatedPipe: bytes on their way from one end to the other (pipe(7)).
//
//   auto pipe = std::make_shared<SimulatedPipe>(chance, 65536);
//   SimulatedPipeReader reader(pipe);
//   SimulatedPipeWriter writer(pipe);
//
// A reader waits for bytes or for the last writer to close; a writer waits for room, and gets -EPIPE once no reader is
// left. Up to PIPE_BUF bytes, if the pipe can hold as many, are written as a whole.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_PIPE_H_
#define PROACTOR_BACKEND_SIMULATED_PIPE_H_

#include <limits.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proactor/backend/simulated_chance.h"
#include "proactor/backend/simulated_description.h"

namespace proactor {

struct SimulatedPipe {
  SimulatedChance& chance;
  size_t capacity;
  std::deque<char> bytes = {};
  bool has_reader = true;
  bool has_writer = true;
  bool writer_waits = false;  // A write found too little room.
  uint64_t wakes = 0;         // See SimulatedReadiness.

  size_t room() const { return capacity - std::min(capacity, bytes.size()); }
  // What is written as a whole, or not at all.
  size_t smallest_room() const { return std::min<size_t>(PIPE_BUF, capacity); }
};

class SimulatedPipeReader final : public SimulatedDescription {
 public:
  explicit SimulatedPipeReader(std::shared_ptr<SimulatedPipe> pipe) : pipe_(std::move(pipe)) {}

  int Read(char* buffer, size_t size, int64_t offset) override;
  int Write(const char*, size_t, int64_t) override { return -EBADF; }
  int SpliceFrom(SimulatedDescription&, size_t) override { return -EBADF; }
  void Stat(struct statx& facts) const override;
  std::optional<SimulatedReadiness> Poll() const override;
  void Close() override;
  std::string Describe() const override { return "pipe to read from"; }

 private:
  std::shared_ptr<SimulatedPipe> pipe_;
};

class SimulatedPipeWriter final : public SimulatedDescription {
 public:
  explicit SimulatedPipeWriter(std::shared_ptr<SimulatedPipe> pipe) : pipe_(std::move(pipe)) {}

  int Read(char*, size_t, int64_t) override { return -EBADF; }
  int Write(const char* bytes, size_t size, int64_t offset) override;
  int SpliceFrom(SimulatedDescription& input, size_t size) override;
  void Stat(struct statx& facts) const override;
  std::optional<SimulatedReadiness> Poll() const override;
  void Close() override;
  std::string Describe() const override { return "pipe to write to"; }

 private:
  std::shared_ptr<SimulatedPipe> pipe_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_PIPE_H_
