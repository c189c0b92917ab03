// SPDX-License-Identifier: Apache-2.0
//
// FakeQueues: the memory that an io_uring shares with its user, from the kernel's side.
//
//   FakeQueues queues(params);                     // fills in where everything is
//   while (queues.submitted() > 0) Start(queues.TakeEntry());
//   queues.Post({.user_data = 1, .res = 0});       // to the overflow list, if the queue is full
//   queues.FlushOverflow();
//
// A completion that finds no room is kept and announced by IORING_SQ_CQ_OVERFLOW; those after it line up behind it.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_QUEUES_H_
#define PROACTOR_BACKEND_FAKE_QUEUES_H_

#include <liburing.h>

#include <cstddef>
#include <deque>
#include <memory>

namespace proactor {

class FakeQueues {
 public:
  // The numbers of entries and the flags are final; the offsets are for this to say.
  explicit FakeQueues(io_uring_params& params);

  // What io_uring_setup(2) maps there; null if it is not so large.
  void* Map(size_t size, off_t offset);

  // Entries that the user has filled, and that have not been taken.
  unsigned submitted() const { return word(kSubmissionTail) - word(kSubmissionHead); }
  io_uring_sqe TakeEntry();

  // Completions that the user can take.
  unsigned ready() const { return word(kCompletionTail) - word(kCompletionHead); }
  // Whether the next one finds no room.
  bool full() const { return !overflow_.empty() || ready() == completion_count_; }
  void Post(const io_uring_cqe& completion) { full() ? Overflow(completion) : Put(completion); }
  void Overflow(const io_uring_cqe& completion);
  bool overflowed() const { return !overflow_.empty(); }
  void FlushOverflow();

  // IORING_SQ_TASKRUN and the like.
  void SetFlag(unsigned flag, bool on);

 private:
  enum Word { kSubmissionHead, kSubmissionTail, kSubmissionFlags, kSubmissionMask, kCompletionHead, kCompletionTail,
              kCompletionMask, kWords };

  unsigned& word(Word which) const { return reinterpret_cast<unsigned*>(rings_.get())[which]; }
  void Put(const io_uring_cqe& completion);

  const unsigned completion_count_;
  size_t rings_size_ = 0;
  size_t entries_size_ = 0;
  std::unique_ptr<char[]> rings_;             // The words, the completions, the indices.
  std::unique_ptr<io_uring_sqe[]> entries_;
  io_uring_cqe* completions_ = nullptr;
  const unsigned* indices_ = nullptr;         // Null: entries are taken in the order of their places.
  std::deque<io_uring_cqe> overflow_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_QUEUES_H_
