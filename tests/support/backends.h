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

#include "gtest/gtest.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/testing/simulated_world.h"

namespace proactor {

// kFakeIoUring and kFakeEpoll: the real proactors over fake kernels where everything goes wrong that may
// (fake_ring_world.h, fake_epoll_world.h).
enum class Backend { kIoUring, kEpoll, kSimulated, kFakeIoUring, kFakeEpoll };

// Those with a kernel.
inline constexpr Backend kRealBackends[] = {Backend::kIoUring, Backend::kEpoll};

std::string BackendName(Backend backend);

// With no kernel, in virtual time.
inline bool IsSimulated(Backend backend) { return backend != Backend::kIoUring && backend != Backend::kEpoll; }

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

 private:
  std::unique_ptr<SimulatedWorld> world_;
  std::unique_ptr<Scheduler> scheduler_;
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

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_BACKENDS_H_
