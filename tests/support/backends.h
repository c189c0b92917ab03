// SPDX-License-Identifier: Apache-2.0
//
// One test, every backend: a fixture whose parameter says what stands under the scheduler.
//
//   class TcpStreamTest : public BackendTest {};
//   TEST_P(TcpStreamTest, EndOfStreamIsZeroBytes) {
//     absl::Status status = Run(Exchange());
//     EXPECT_THAT(status, IsOk());
//   }
//   INSTANTIATE_ON_EVERY_BACKEND(TcpStreamTest);
#ifndef PROACTOR_TESTS_SUPPORT_BACKENDS_H_
#define PROACTOR_TESTS_SUPPORT_BACKENDS_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/monotonic_time.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"

namespace proactor {

// kFakeIoUring and kFakeEpoll: the real proactors over fake kernels where everything goes wrong that may
// (fake_ring_world.h, fake_epoll_world.h).
enum class Backend { kIoUring, kEpoll, kSimulated, kFakeIoUring, kFakeEpoll };

// Those with a kernel.
inline constexpr Backend kRealBackends[] = {Backend::kIoUring, Backend::kEpoll};
// With no kernel, in virtual time.
inline constexpr Backend kVirtualBackends[] = {Backend::kSimulated, Backend::kFakeIoUring, Backend::kFakeEpoll};

std::string BackendName(Backend backend);

// One of kVirtualBackends.
inline bool IsSimulated(Backend backend) { return backend != Backend::kIoUring && backend != Backend::kEpoll; }

bool IsSimulated(System& system);

// Waits until what this socket has sent has reached the peer, for which a softirq of the kernel's must have had a
// processor. Simulated, that takes virtual time, and nothing is done here.
void AwaitDelivery(System& system, int socket);

// A scheduler on the backend. A simulated one moves 1 to n bytes at a time, as its seed says.
class Bench {
 public:
  explicit Bench(Backend backend, uint64_t seed = 1);
  ~Bench();

  template <class T>
  T Run(Task<T> task) {
    // A world watches for deadlocks while it runs.
    return world_ != nullptr ? world_->Run(std::move(task)) : scheduler_->Run(std::move(task));
  }

  Scheduler& scheduler() { return world_ != nullptr ? world_->scheduler() : *scheduler_; }
  // For calls of the test's own, which may block.
  System& system() { return world_ != nullptr ? world_->system() : scheduler().proactor().system(); }
  const Counters& counters() { return scheduler().counters(); }
  // Since it was made. Virtual time passes only while everything waits.
  absl::Duration Elapsed() { return scheduler().Now() - start_; }

 private:
  std::unique_ptr<SimulatedWorld> world_;
  std::unique_ptr<Scheduler> scheduler_;
  MonotonicTime start_;
};

class BackendTest : public ::testing::TestWithParam<Backend> {
 protected:
  template <class T>
  T Run(Task<T> task) {
    return bench_.Run(std::move(task));
  }
  bool simulated() const { return IsSimulated(GetParam()); }
  Scheduler& scheduler() { return bench_.scheduler(); }
  System& system() { return bench_.system(); }
  const Counters& counters() { return bench_.counters(); }
  absl::Duration Elapsed() { return bench_.Elapsed(); }

  // What it waited for took as long; in real time, at least.
  void ExpectElapsed(absl::Duration duration) {
    if (simulated()) {
      EXPECT_EQ(Elapsed(), duration);
    } else {
      EXPECT_GE(Elapsed(), duration);
    }
  }

 private:
  Bench bench_{GetParam()};
};

#define INSTANTIATE_ON_BACKENDS(Test, ...)                     \
  INSTANTIATE_TEST_SUITE_P(Every, Test, __VA_ARGS__,           \
                           [](const ::testing::TestParamInfo<Backend>& info) { return BackendName(info.param); })
#define INSTANTIATE_ON_EVERY_BACKEND(Test)                                                                        \
  INSTANTIATE_ON_BACKENDS(Test, ::testing::Values(Backend::kIoUring, Backend::kEpoll, Backend::kSimulated,        \
                                                  Backend::kFakeIoUring, Backend::kFakeEpoll))
#define INSTANTIATE_ON_REAL_BACKENDS(Test) INSTANTIATE_ON_BACKENDS(Test, ::testing::ValuesIn(kRealBackends))
// What is about exact moments, or takes hours.
#define INSTANTIATE_ON_VIRTUAL_BACKENDS(Test) INSTANTIATE_ON_BACKENDS(Test, ::testing::ValuesIn(kVirtualBackends))

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_BACKENDS_H_
