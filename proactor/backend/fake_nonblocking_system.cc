// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_nonblocking_system.h"

#include <poll.h>

#include <memory>

namespace proactor {

int FakeNonBlockingSystem::Refusal(int fd) {
  std::shared_ptr<SimulatedDescription> description = to_.DescriptionOf(fd);
  if (description == nullptr || description->socket() != nullptr) return 0;
  if (!description->Poll().has_value()) return to_.chance().OneIn(2) ? -EAGAIN : 0;
  return options_.pipes_know_nowait ? 0 : -EOPNOTSUPP;
}

int FakeNonBlockingSystem::Read(int fd, void* buffer, size_t size, int64_t offset) {
  int refusal = Refusal(fd);
  return refusal < 0 ? refusal : to_.Read(fd, buffer, size, offset);
}

int FakeNonBlockingSystem::Write(int fd, const void* bytes, size_t size, int64_t offset) {
  int refusal = Refusal(fd);
  return refusal < 0 ? refusal : to_.Write(fd, bytes, size, offset);
}

// What cannot be written to is told at once: it would never have room.
int FakeNonBlockingSystem::Splice(int from, int pipe, size_t size) {
  std::shared_ptr<SimulatedDescription> description = to_.DescriptionOf(pipe);
  char nothing = 0;
  bool writable = description != nullptr && description->Write(&nothing, 0, -1) >= 0;
  return writable ? -EOPNOTSUPP : to_.Splice(from, pipe, size);
}

}  // namespace proactor
