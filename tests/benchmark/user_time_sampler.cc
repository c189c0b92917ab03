// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/user_time_sampler.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace proactor::benchmark {
namespace {

// A record of one sample is 16 bytes: room for more than a second of pure user mode.
constexpr size_t kRecordBytes = 262144;
constexpr size_t kLargestRecord = 64;

size_t MappedBytes() { return kRecordBytes + static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

absl::StatusOr<UserTimeSampler::Ring> UserTimeSampler::Ring::Open(pid_t thread) {
  perf_event_attr attributes = {};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_TASK_CLOCK;
  attributes.sample_period = static_cast<uint64_t>(absl::ToInt64Nanoseconds(kPeriod));
  attributes.sample_type = PERF_SAMPLE_IP;
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  OwnedDescriptor event(
      static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (event.number() < 0) return absl::ErrnoToStatus(errno, "perf_event_open (see kernel.perf_event_paranoid)");
  void* memory = mmap(nullptr, MappedBytes(), PROT_READ | PROT_WRITE, MAP_SHARED, event.number(), 0);
  if (memory == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap of perf_event_open's ring");
  return Ring(std::move(event), memory);
}

UserTimeSampler::Ring::Ring(Ring&& other) noexcept
    : event_(std::move(other.event_)), memory_(std::exchange(other.memory_, nullptr)) {}

UserTimeSampler::Ring::~Ring() {
  if (memory_ != nullptr) munmap(memory_, MappedBytes());
}

absl::StatusOr<int64_t> UserTimeSampler::Ring::TakeSamples() {
  auto* control = static_cast<perf_event_mmap_page*>(memory_);
  const char* records = static_cast<const char*>(memory_) + control->data_offset;
  // The kernel publishes records with the head; storing the tail gives their room back.
  const uint64_t head = std::atomic_ref(control->data_head).load(std::memory_order_acquire);
  uint64_t tail = control->data_tail;
  int64_t samples = 0;
  // A full ring drops what follows, and can only say so in a record once it has room again.
  bool complete = head - tail + kLargestRecord <= control->data_size;
  while (tail < head) {
    // Records are multiples of 8 bytes in a ring whose size is a power of two: the header never wraps around.
    const auto* header = reinterpret_cast<const perf_event_header*>(records + tail % control->data_size);
    if (header->type == PERF_RECORD_SAMPLE) ++samples;
    if (header->type == PERF_RECORD_LOST || header->type == PERF_RECORD_THROTTLE) complete = false;
    tail += header->size;
  }
  std::atomic_ref(control->data_tail).store(tail, std::memory_order_release);
  if (!complete) return absl::ResourceExhaustedError("the kernel dropped samples (see perf_event_max_sample_rate)");
  return samples;
}

absl::StatusOr<UserTimeSampler> UserTimeSampler::Attach(pid_t process) {
  UserTimeSampler sampler;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(absl::StrCat("/proc/", process, "/task"), error)) {
    const std::string name = entry.path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    absl::StatusOr<Ring> ring = Ring::Open(thread);
    if (!ring.ok()) return ring.status();
    sampler.rings_.push_back(*std::move(ring));
  }
  if (error) return absl::ErrnoToStatus(error.value(), "the process has ended");
  return sampler;
}

void UserTimeSampler::Resume() {
  for (const Ring& ring : rings_) ioctl(ring.descriptor(), PERF_EVENT_IOC_ENABLE, 0);
}

void UserTimeSampler::Pause() {
  for (const Ring& ring : rings_) ioctl(ring.descriptor(), PERF_EVENT_IOC_DISABLE, 0);
}

absl::StatusOr<int64_t> UserTimeSampler::Samples() {
  int64_t total = 0;
  for (Ring& ring : rings_) {
    absl::StatusOr<int64_t> samples = ring.TakeSamples();
    if (!samples.ok()) return samples.status();
    total += *samples;
  }
  return total;
}

}  // namespace proactor::benchmark
