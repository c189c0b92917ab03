// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_queues.h"

namespace proactor {
namespace {

constexpr unsigned kSetupNoSubmissionArray = 1u << 16;  // Linux 6.6, newer than the liburing that this builds with.

}  // namespace

FakeQueues::FakeQueues(io_uring_params& params) : completion_count_(params.cq_entries) {
  auto at = [](unsigned which) { return which * static_cast<unsigned>(sizeof(unsigned)); };
  constexpr unsigned kCompletions = 64;  // Behind the words.
  const unsigned indices = kCompletions + params.cq_entries * static_cast<unsigned>(sizeof(io_uring_cqe));
  bool has_indices = (params.flags & kSetupNoSubmissionArray) == 0;
  rings_size_ = indices + (has_indices ? params.sq_entries * sizeof(unsigned) : 0);
  rings_ = std::make_unique<char[]>(rings_size_);
  entries_ = std::make_unique<io_uring_sqe[]>(params.sq_entries);
  entries_size_ = params.sq_entries * sizeof(io_uring_sqe);
  completions_ = reinterpret_cast<io_uring_cqe*>(rings_.get() + kCompletions);
  if (has_indices) indices_ = reinterpret_cast<const unsigned*>(rings_.get() + indices);

  params.sq_off = {};
  params.sq_off.head = at(kSubmissionHead);
  params.sq_off.tail = at(kSubmissionTail);
  params.sq_off.flags = at(kSubmissionFlags);
  params.sq_off.ring_mask = at(kSubmissionMask);
  params.sq_off.array = has_indices ? indices : 0;
  params.cq_off = {};
  params.cq_off.head = at(kCompletionHead);
  params.cq_off.tail = at(kCompletionTail);
  params.cq_off.ring_mask = at(kCompletionMask);
  params.cq_off.cqes = kCompletions;
  word(kSubmissionMask) = params.sq_entries - 1;
  word(kCompletionMask) = params.cq_entries - 1;
}

void* FakeQueues::Map(size_t size, off_t offset) {
  switch (static_cast<unsigned long long>(offset)) {
    case IORING_OFF_SQ_RING:
    case IORING_OFF_CQ_RING:
      return size <= rings_size_ ? rings_.get() : nullptr;
    case IORING_OFF_SQES:
      return size <= entries_size_ ? entries_.get() : nullptr;
    default:
      return nullptr;
  }
}

io_uring_sqe FakeQueues::TakeEntry() {
  unsigned place = word(kSubmissionHead)++ & word(kSubmissionMask);
  return entries_[indices_ != nullptr ? indices_[place] : place];
}

void FakeQueues::Put(const io_uring_cqe& completion) {
  completions_[word(kCompletionTail)++ & word(kCompletionMask)] = completion;
}

void FakeQueues::Overflow(const io_uring_cqe& completion) {
  overflow_.push_back(completion);
  SetFlag(IORING_SQ_CQ_OVERFLOW, true);
}

void FakeQueues::FlushOverflow() {
  while (!overflow_.empty() && ready() < completion_count_) {
    Put(overflow_.front());
    overflow_.pop_front();
  }
  SetFlag(IORING_SQ_CQ_OVERFLOW, !overflow_.empty());
}

void FakeQueues::SetFlag(unsigned flag, bool on) {
  unsigned& flags = word(kSubmissionFlags);
  flags = on ? flags | flag : flags & ~flag;
}

}  // namespace proactor
