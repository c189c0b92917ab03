// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/kernel_proactor.h"

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/time/clock.h"
#include "proactor/errors.h"

namespace proactor {

MonotonicTime KernelTime() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
}

absl::StatusOr<int> KernelProactor::OpenWakeDescriptor() {
  int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) return ErrnoToStatus(errno, "eventfd");
  return descriptor;
}

KernelProactor::~KernelProactor() { close(wake_fd_); }

void KernelProactor::Wake() {
  uint64_t one = 1;
  // Fails only where the counter is full, and then the descriptor is readable anyway.
  [[maybe_unused]] ssize_t ignored = write(wake_fd_, &one, sizeof(one));
}

void KernelProactor::TakeWakes() {
  uint64_t count;
  [[maybe_unused]] ssize_t ignored = read(wake_fd_, &count, sizeof(count));
}

absl::Time KernelProactor::WallTime() const { return absl::Now(); }

}  // namespace proactor
