// SPDX-License-Identifier: Apache-2.0
//
// Ring: an io_uring: set up, entries in, one enter, completions out. It knows nothing of operations.
//
//   absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({.entries = 256});
//   (*ring)->Enable();                                        // on the thread that will use it
//   if (io_uring_sqe* entry = (*ring)->NextEntry()) { ...; (*ring)->Push(); }
//   (*ring)->Enter(1, deadline);                              // submits everything, waits for one
//   (*ring)->Reap([](uint64_t user_data) {}, [](const io_uring_cqe& completion) { ... });
//
// Which features the kernel has is found out by trying (feature.h), never by looking at its version:
//
//  1. Setup begins with all flags that are known and leaves out the newest for each EINVAL. ENOMEM, which is the
//     locked-memory limit, halves the ring. When that does not help either, all of it is asked for once more after a
//     pause: what a ring of an ended process had locked is given back to its user some time later.
//  2. What setup returns, and the probe of opcodes, say what else there is.
//  3. All three system calls are tried, because a filter may allow some of them only. The first ring of a process is
//     preceded by a small one, through which some requests have to go round: nothing, bytes over a pair of sockets,
//     and one that is cancelled. Half an io_uring is none.
//  4. Releases whose io_uring is known to lose events, which no trying finds, are refused (`CheckRelease`).
//  5. What can only be seen when a request fails is tried until then (`Downgrade`), once in a process.
//
// Steps 1 to 4 are done by `Create`, when another backend can still be chosen; what is left to go wrong in `Enable` is
// a filter that is installed in between. A feature that is disabled is treated as one that the kernel lacks.
//
// A ring asks on behalf of whoever enters it, but what is in flight goes on with the privileges that it began with. So
// they are dropped before a ring is created: `Enable` fails where they have changed since.
//
// A child after fork(2) has neither the mapped memory nor a use for the ring: all that it does with its copy is to
// close the descriptor, which its parent does not notice.
//
// Threads: created on any, used from `Enable` on by one only. Destroyed on another, it is closed when the thread ends
//   that has used it, with the files that are registered.
#ifndef PROACTOR_BACKEND_RING_H_
#define PROACTOR_BACKEND_RING_H_

#include <liburing.h>

#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstring>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/backend/credentials.h"
#include "proactor/backend/feature_record.h"
#include "proactor/backend/ring_kernel.h"
#include "proactor/capabilities.h"
#include "proactor/feature.h"
#include "proactor/monotonic_time.h"
#include "proactor/thread_mark.h"

namespace proactor {

struct RingOptions {
  unsigned entries = 256;       // Submission queue. When it is full, it is flushed.
  unsigned completions = 4096;  // Completion queue: room for bursts. An overflow is slow, not lost.
  FeatureSet disabled = {};     // Features to do without, though the kernel may have them.
  bool restricted = false;      // The kernel refuses what this library does not use (Linux 5.10).
};

class Ring {
 public:
  static absl::StatusOr<std::unique_ptr<Ring>> Create(RingOptions options, RingKernel& kernel = RingKernel::Real());
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Binds the ring to the calling thread. Before it, only `NextEntry` and `Push` may be used.
  absl::Status Enable();
  bool enabled() const { return enabled_; }

  // The next free entry, all zero, or null when the queue is full. `Push` makes it one of those to submit.
  io_uring_sqe* NextEntry() {
    if (tail_ - Load(submission_.head) >= submission_.count) return nullptr;
    io_uring_sqe* entry = &submission_.entries[tail_ & submission_.mask];
    std::memset(entry, 0, sizeof(*entry));
    return entry;
  }
  void Push() { ++tail_; }
  unsigned unsubmitted() const;

  // Whether the kernel has something that only an enter brings into the completion queue.
  bool NeedsEnter() const {
    return (Load(submission_.flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
  }
  bool overflowed() const { return (Load(submission_.flags) & IORING_SQ_CQ_OVERFLOW) != 0; }
  bool HasCompletions() const { return Load(completion_.tail) != *completion_.head; }

  // Submits all entries and waits until `wait_for` completions are there or `until` has come. Returns how many entries
  // the kernel took, or -errno; -ETIME, -EINTR, -EAGAIN and -EBUSY are part of normal life.
  int Enter(unsigned wait_for, MonotonicTime until);

  // Calls `foresee` with the user_data of each completion there is, then `handle` with each, and frees their places
  // afterwards, at once.
  template <class Foresee, class Handler>
  unsigned Reap(Foresee&& foresee, Handler&& handle) {
    unsigned head = *completion_.head;
    unsigned tail = Load(completion_.tail);
    for (unsigned at = head; at != tail; ++at) foresee(completion_.entries[at & completion_.mask].user_data);
    for (unsigned at = head; at != tail; ++at) handle(completion_.entries[at & completion_.mask]);
    // Release: the kernel may overwrite the entries once it sees the new head.
    if (tail != head) std::atomic_ref(*completion_.head).store(tail, std::memory_order_release);
    return tail - head;
  }

  // io_uring_register(2), for what is registered later than by `Enable`: what it returns, or -errno.
  int Register(unsigned opcode, void* argument, unsigned count);

  bool Supports(unsigned opcode) const { return opcode < supported_.size() && supported_[opcode]; }
  bool Has(Feature feature) const { return record_.Has(feature); }
  // A request has shown that the kernel lacks the feature. No ring of this kernel tries it from now on.
  void Downgrade(Feature feature);
  FeatureSet features() const { return record_.on(); }
  // How it is with a feature, and why. Those that `Enable` tries count as on until then.
  Capability CapabilityFor(Feature feature) const { return record_.CapabilityFor(feature); }
  // All of that.
  Capabilities capabilities() const;
  unsigned setup_flags() const { return setup_flags_; }
  unsigned entries() const { return submission_.count; }
  unsigned completion_entries() const { return completion_.mask + 1; }
  // Whether memory was short for a ring of the size that was asked for.
  bool shrunk() const { return shrunk_; }
  // Whether it is in a kernel that others share, not in memory of the process.
  bool real() const { return kernel_.machine().real(); }
  // Whether the kernel refuses what the library does not use.
  bool restricted() const { return restricted_; }

 private:
  explicit Ring(RingKernel& kernel) : kernel_(kernel) {}

  // Acquire pairs with the kernel's release of what it wrote before.
  static unsigned Load(const unsigned* word) {
    return std::atomic_ref(*const_cast<unsigned*>(word)).load(std::memory_order_acquire);
  }
  absl::Status SetUp(RingOptions options);
  absl::Status MapQueues(const io_uring_params& params);
  absl::Status Probe();
  absl::Status Restrict();
  absl::Status CheckNeeded() const;
  // Whether requests go round through a small ring with the same flags: of those that are used.
  absl::Status TestAnother() const;
  bool GoesRound();
  // Fills an entry, if there is one, and yields the bit for its completion.
  unsigned Ask(unsigned trial, uint8_t opcode, int fd, char* byte);
  // Whether all that were asked for come back as they should, and nothing else.
  bool Brings(unsigned asked);

  struct Mapping {
    void* address = nullptr;
    size_t size = 0;
  };

  RingKernel& kernel_;
  int fd_ = -1;
  int enter_fd_ = -1;  // The registered index once there is one.
  unsigned enter_flags_ = 0;
  unsigned setup_flags_ = 0;
  FeatureRecord record_;
  Credentials creator_;
  ThreadMark thread_;  // That has enabled it.
  bool enabled_ = false;
  bool shrunk_ = false;
  bool restricted_ = false;
  std::bitset<256> supported_;

  unsigned tail_ = 0;  // Entries up to here are filled; the kernel is told at the next enter.
  struct {
    unsigned* head = nullptr;
    unsigned* tail = nullptr;
    unsigned* flags = nullptr;
    unsigned mask = 0;
    unsigned count = 0;
    io_uring_sqe* entries = nullptr;
  } submission_;
  struct {
    unsigned* head = nullptr;
    unsigned* tail = nullptr;
    unsigned mask = 0;
    io_uring_cqe* entries = nullptr;
  } completion_;
  Mapping queues_;
  Mapping entries_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_RING_H_
