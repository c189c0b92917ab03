// SPDX-License-Identifier: Apache-2.0

// Thousands are cancelled at once: for each it takes as long as among a tenth as many, as far as the caches and the
// kernel allow. How far that is, the bare versions show: no more than they must ours grow, and each has both bars.

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proactor/fs/file.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/try.h"
#include "tests/benchmark/bare_reads.h"
#include "tests/benchmark/bare_sleepers.h"
#include "tests/benchmark/micro_cases.h"

namespace proactor::benchmark {
namespace {

constexpr int kMany = 10'000;
constexpr int kFew = 1'000;

// Descriptors of a pipe that nobody writes to, for a reader each.
class EmptyPipe {
 public:
  EmptyPipe() {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) MicroScheduler().Run(Open(ends[0])).IgnoreError();
  }
  Operation<ReadOp> Read(int number, char& byte) { return files_[static_cast<size_t>(number)].Read({&byte, 1}); }
  bool complete() const { return files_.size() == kMany; }

 private:
  Task<absl::Status> Open(int end) {
    while (!complete()) files_.push_back(co_await Try(File::Adopt(fcntl(end, F_DUPFD_CLOEXEC, 0))));
    co_return absl::OkStatus();
  }
  std::vector<File> files_;
};

struct Sleeps {
  Task<absl::Status> operator()(int) const { co_return co_await Sleep(absl::Hours(1)); }
};

struct Reads {
  std::shared_ptr<EmptyPipe> pipe;
  Task<absl::Status> operator()(int number) const {
    char byte;
    absl::StatusOr<size_t> n = co_await pipe->Read(number, byte);
    co_return n.status();
  }
};

template <class Wait>
Task<absl::Status> CancelAtOnce(const Wait& wait, int count) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 0; i < count; ++i) group.Spawn(wait(i));
    // A timer that is due comes after all that are ready, and what they have asked for has been submitted by then.
    co_await Try(Sleep(absl::Microseconds(1)));
    group.Cancel();
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

// However many there are at once, `times` counts each.
std::function<void(int64_t times)> AtOnce(int at_once, std::function<void(int count)> cancel) {
  return [at_once, cancel = std::move(cancel)](int64_t times) {
    for (int64_t done = 0; done < times; done += at_once) cancel(at_once);
  };
}

template <class Wait>
std::function<void(int count)> Cancel(Wait wait) {
  return [wait = std::move(wait)](int count) { MicroScheduler().Run(CancelAtOnce(wait, count)).IgnoreError(); };
}

MicroCase Growth(const char* name, const std::function<void(int count)>& cancel) {
  return {.name = name,
          .subject = AtOnce(kMany, cancel),
          .yardstick = AtOnce(kFew, cancel),
          .bar = AtMost(1.2),
          .batch = kMany};
}

MicroCase GrowthBesideBare(const char* name, const std::function<void(int count)>& cancel,
                           const std::function<void(int count)>& bare) {
  MicroCase growth = Growth(name, cancel);
  growth.bare_subject = AtOnce(kMany, bare);
  growth.bare_yardstick = AtOnce(kFew, bare);
  return growth;
}

}  // namespace

std::vector<MicroCase> CancelCases() {
  std::vector<MicroCase> cases = {
      Growth("10 k sleeps cancelled at once / 1 k", Cancel(Sleeps())),
      GrowthBesideBare("10 k sleeps cancelled, growth / bare growth", Cancel(Sleeps()), &CancelBareSleepers)};
  auto pipe = std::make_shared<EmptyPipe>();
  if (!pipe->complete()) return cases;  // So many descriptors are not allowed here.
  cases.push_back(Growth("10 k reads cancelled at once / 1 k", Cancel(Reads{pipe})));
  auto bare = std::make_shared<BareReads>();
  if (!bare->usable()) return cases;  // This kernel has no such ring.
  cases.push_back(GrowthBesideBare("10 k reads cancelled, growth / bare growth", Cancel(Reads{pipe}),
                                   [bare](int count) { bare->Cancel(count); }));
  return cases;
}

}  // namespace proactor::benchmark
