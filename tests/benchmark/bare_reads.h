// SPDX-License-Identifier: Apache-2.0

// The least that could be many reads in an io_uring, all cancelled at once: liburing, a ring like the library's, one
// request to cancel for each, and no coroutines, only the memory that they and their tasks would take: written when
// they begin and when they end, looked at when they are cancelled. It asks in the order that is the kernel's best: a
// submission queue at a time, the newest first, with a wait for as many completions as there are requests.
//
//   BareReads reads;
//   if (reads.usable()) reads.Cancel(10'000);
#ifndef PROACTOR_TESTS_BENCHMARK_BARE_READS_H_
#define PROACTOR_TESTS_BENCHMARK_BARE_READS_H_

#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <vector>

namespace proactor::benchmark {

class BareReads {
 public:
  BareReads() {
    io_uring_params params = {};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    params.cq_entries = 4096;
    usable_ = pipe2(ends_, O_CLOEXEC) == 0 && io_uring_queue_init_params(kQueue, &ring_, &params) == 0;
  }
  ~BareReads() {
    if (usable_) io_uring_queue_exit(&ring_);
    for (int end : ends_) close(end);
  }
  BareReads(const BareReads&) = delete;
  BareReads& operator=(const BareReads&) = delete;

  // Whether there is an io_uring, and as new a one.
  bool usable() const { return usable_; }

  void Cancel(int count) {
    reads_.resize(static_cast<size_t>(count));
    left_ = count;
    for (Read& read : reads_) {
      read.Touch();
      io_uring_sqe* entry = Entry(0);
      io_uring_prep_read(entry, ends_[0], &read.lines[0][1], 1, 0);
      io_uring_sqe_set_data(entry, &read);
    }
    io_uring_submit(&ring_);
    for (size_t i = reads_.size(); i-- > 0;) {
      left_ += reads_[i].lines[0][0] != reads_[i].lines[2][0];  // Never: the record, and the frame.
      io_uring_sqe* entry = Entry(kQueue);
      io_uring_prep_cancel(entry, &reads_[i], 0);
      io_uring_sqe_set_data(entry, nullptr);
    }
    while (left_ > 0) Flush(1);
  }

 private:
  static constexpr unsigned kQueue = 256;
  // A record of two cache lines and a frame of four, as those of the library's tasks.
  struct alignas(64) Read {
    void Touch() {
      for (auto& line : lines) ++line[0];
    }
    char lines[6][64];
  };

  io_uring_sqe* Entry(unsigned wait_for) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry != nullptr) return entry;
    Flush(wait_for);
    return io_uring_get_sqe(&ring_);
  }
  void Flush(unsigned wait_for) {
    io_uring_submit_and_wait(&ring_, wait_for);
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* completion;
    io_uring_for_each_cqe(&ring_, head, completion) {
      ++count;
      auto* read = static_cast<Read*>(io_uring_cqe_get_data(completion));
      if (read == nullptr) continue;
      read->Touch();
      --left_;
    }
    io_uring_cq_advance(&ring_, count);
  }

  int ends_[2] = {-1, -1};
  io_uring ring_;
  bool usable_ = false;
  int left_ = 0;
  std::vector<Read> reads_;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_BARE_READS_H_
