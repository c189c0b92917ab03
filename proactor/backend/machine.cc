// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/machine.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "absl/time/clock.h"

namespace proactor {
namespace {

class RealMachine final : public Machine {
 public:
  System& system() override { return System::Real(); }
  System& non_blocking_system() override { return System::NonBlocking(); }
  JobRunner& blocking_jobs() override { return BlockingPool::Shared(); }

  MonotonicTime Now() const override {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return {time.tv_sec * 1'000'000'000 + time.tv_nsec};
  }
  // As of the last tick (clock_gettime(2)).
  MonotonicTime RoughlyNow() const override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
  }
  absl::Time WallTime() const override { return absl::Now(); }
  void Pause(absl::Duration time) override { absl::SleepFor(time); }

  int OpenEvent() override {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor >= 0 ? descriptor : -errno;
  }
  void AddEvent(int event) override {
    uint64_t one = 1;
    // Fails only where the counter is full, and then the descriptor is readable anyway.
    [[maybe_unused]] ssize_t ignored = write(event, &one, sizeof(one));
  }
  void TakeEvents(int event) override {
    uint64_t count;
    [[maybe_unused]] ssize_t ignored = read(event, &count, sizeof(count));
  }
  void CloseEvent(int event) override { close(event); }

  bool OpenPair(int (&ends)[2]) override { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0; }
};

}  // namespace

Machine& Machine::Real() {
  static RealMachine machine;
  return machine;
}

}  // namespace proactor
