// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/processor.h"

#include <sched.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace proactor::benchmark {
namespace {

constexpr int kPriority = 50;  // above what is started with chrt's usual values, below the kernel's own threads

}  // namespace

void TakeProcessor(int processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(static_cast<size_t>(processor), &processors);
  if (sched_setaffinity(0, sizeof(processors), &processors) < 0) {
    std::fprintf(stderr, "note: not pinned to CPU %d (%s): client and server may disturb each other\n", processor,
                 std::strerror(errno));
  }
  const sched_param parameters = {.sched_priority = kPriority};
  if (sched_setscheduler(0, SCHED_RR, &parameters) < 0) {
    std::fprintf(stderr, "note: no real-time scheduling on CPU %d (%s): other processes will disturb the numbers\n",
                 processor, std::strerror(errno));
  }
}

}  // namespace proactor::benchmark
