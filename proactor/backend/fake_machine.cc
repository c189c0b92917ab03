// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_machine.h"

#include <poll.h>

#include <algorithm>

namespace proactor {

FakeMachine::FakeMachine(SimulatedSystem& system, System& non_blocking_system)
    : system_(system), non_blocking_system_(non_blocking_system) {
  system_.OnChange([this] {
    if (on_interrupt_) on_interrupt_();
  });
}

FakeMachine::~FakeMachine() { system_.OnChange(nullptr); }

uint32_t FakeMachine::seed() const { return std::max(static_cast<uint32_t>(system_.options().seed), 1u); }

void FakeMachine::Pause(absl::Duration time) {
  ++pauses_;
  system_.clock().AdvanceTo(Now() + time);
}

int FakeMachine::OpenEvent() {
  events_.emplace_back();
  return kFirstEvent + static_cast<int>(events_.size()) - 1;
}

unsigned FakeMachine::Poll(int fd, unsigned events) const {
  if (fd < kFirstEvent) return static_cast<unsigned>(system_.Poll(fd, static_cast<short>(events)));
  const Event& event = EventAt(fd);
  return event.Added() != event.taken ? events & POLLIN : 0;
}

uint64_t FakeMachine::Edges(int fd) const { return fd < kFirstEvent ? system_.changes() : EventAt(fd).Added(); }

// In quarters, so that different operations often meet at the same moment.
MonotonicTime FakeMachine::AfterLatency() {
  if (system_.options().max_latency <= absl::ZeroDuration()) return Now();
  return Now() + system_.options().max_latency / 4 * static_cast<int64_t>(system_.chance().Below(5));
}

void FakeMachine::Submit(BlockingJob& job) {
  jobs_.push_back({&job, AfterLatency()});
  if (on_interrupt_) on_interrupt_();
}

bool FakeMachine::Remove(BlockingJob& job) {
  return std::erase_if(jobs_, [&](const Job& waiting) { return waiting.job == &job; }) > 0;
}

bool FakeMachine::RunJobs() {
  std::vector<size_t> due;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    if (jobs_[i].start <= Now()) due.push_back(i);
  }
  if (due.empty()) return false;
  size_t chosen = due[system_.chance().Below(due.size())];
  BlockingJob* job = jobs_[chosen].job;
  jobs_.erase(jobs_.begin() + static_cast<ptrdiff_t>(chosen));
  job->Run();
  return true;
}

MonotonicTime FakeMachine::NextJob() const {
  MonotonicTime next = MonotonicTime::Infinite();
  for (const Job& job : jobs_) next = std::min(next, job.start);
  return next;
}

}  // namespace proactor
