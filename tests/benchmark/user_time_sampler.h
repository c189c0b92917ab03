// SPDX-License-Identifier: Apache-2.0

// How much CPU time another process spends in user mode.
//
//   absl::StatusOr<UserTimeSampler> sampler = UserTimeSampler::Attach(process);
//   sampler->Resume();  ...  sampler->Pause();
//   absl::StatusOr<int64_t> samples = sampler->Samples();  // of UserTimeSampler::kPeriod each
//
// The kernel's own figure (utime in /proc/PID/stat, getrusage, cpu.stat: one source) is sampled as well, except on
// a nohz_full processor: the tick asks 100 to 1,000 times a second where the CPU is. An echo spends a hundredth of
// its time in user mode, which gives about two such samples in a second. So this asks the same question 10,000
// times a second, with the kernel's task clock (perf_event_open): it runs only while the thread runs, so the
// samples are even in CPU time; an interrupt that has to wait for the kernel falls into kernel time, where it
// belongs. It asks about user mode only, which needs no privilege up to kernel.perf_event_paranoid 2.
//
// Each sample costs the process some time itself: do not compare CPU time in the same windows.
#ifndef PROACTOR_TESTS_BENCHMARK_USER_TIME_SAMPLER_H_
#define PROACTOR_TESTS_BENCHMARK_USER_TIME_SAMPLER_H_

#include <sys/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {

class UserTimeSampler {
 public:
  // Not a round number, so that it does not keep step with the tick.
  static constexpr absl::Duration kPeriod = absl::Nanoseconds(99991);

  // To all threads that the process has at this moment, paused.
  static absl::StatusOr<UserTimeSampler> Attach(pid_t process);

  void Resume();
  void Pause();

  // How many samples found the process in user mode since this was last asked; call it while paused. An error if the
  // kernel dropped some.
  absl::StatusOr<int64_t> Samples();

 private:
  // What the kernel writes the samples of one thread to.
  class Ring {
   public:
    static absl::StatusOr<Ring> Open(pid_t thread);
    Ring(Ring&& other) noexcept;
    Ring& operator=(Ring&&) = delete;
    ~Ring();

    int descriptor() const { return event_.number(); }
    absl::StatusOr<int64_t> TakeSamples();

   private:
    Ring(OwnedDescriptor event, void* memory) : event_(std::move(event)), memory_(memory) {}

    OwnedDescriptor event_;
    void* memory_;
  };

  std::vector<Ring> rings_;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_USER_TIME_SAMPLER_H_
