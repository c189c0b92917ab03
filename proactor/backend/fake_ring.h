// SPDX-License-Identifier: Apache-2.0
//
// FakeRing: one io_uring of a fake kernel: what is in flight, and what an enter does.
//
//   FakeRing ring(machine, options, params);
//   ring.Enable();
//   int result = ring.Enter({.submit = 3, .wait_for = 1, .flags = IORING_ENTER_GETEVENTS});   // Or -errno.
//   ring.Interrupt();                                     // Something has happened: look who waited for it.
//
// A request is tried when it is new, and whenever something has happened since it had to wait. What it yields is work
// deferred to the next enter of a ring that has asked for that, and comes into the completion queue at once otherwise.
// While an enter waits, time jumps from one moment at which something happens to the next, as in SimulatedProactor,
// which this follows: the same seed gives the same run.
//
// A request to cancel finds its target new, waiting, or on a worker, says so or says nothing of use, and the target
// ends as cancelled or in spite of that; before the request or after it.
//
// Threads: one: that which enables it.
#ifndef PROACTOR_BACKEND_FAKE_RING_H_
#define PROACTOR_BACKEND_FAKE_RING_H_

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "proactor/backend/fake_buffers.h"
#include "proactor/backend/fake_files.h"
#include "proactor/backend/fake_kernel_profile.h"
#include "proactor/backend/fake_machine.h"
#include "proactor/backend/fake_queues.h"
#include "proactor/backend/fake_request.h"
#include "proactor/backend/fake_restrictions.h"
#include "proactor/monotonic_time.h"

namespace proactor {

class FakeRing {
 public:
  FakeRing(FakeMachine& machine, const FakeKernelOptions& options, io_uring_params& params);

  // -EBADFD if it is enabled already.
  int Enable();
  int Restrict(std::span<const io_uring_restriction> list);

  struct Request {
    unsigned submit = 0;
    unsigned wait_for = 0;
    unsigned flags = 0;
    MonotonicTime until = MonotonicTime::Infinite();
  };
  // `deadlock` is called when it would wait for ever.
  int Enter(const Request& request, const std::function<void()>& deadlock);
  void Interrupt();

  // From now on an enter says that completions have been lost.
  void LoseCompletions() { lost_ = true; }

  FakeQueues& queues() { return queues_; }
  FakeBuffers& buffers() { return buffers_; }
  FakeFiles& files() { return files_; }
  const FakeRestrictions& restrictions() const { return restrictions_; }
  size_t in_flight() const { return in_flight_.size(); }
  // Whether something in flight may point at memory of the user's, which may be gone once the ring is.
  bool PointsAtMemory() const;

 private:
  static constexpr uint64_t kNotTried = ~uint64_t{0};

  struct InFlight {
    FakeRequest request;
    MonotonicTime start;                               // When the kernel gets to it.
    MonotonicTime cancel = MonotonicTime::Infinite();  // When it hears that it is cancelled.
    uint64_t waits_since = kNotTried;                  // The edges of what it waits for, when it had to.
    bool is_work = false;                              // Waits for nobody.
    bool on_worker = false;
    bool over = false;

    bool tried() const { return waits_since != kNotTried; }
    bool is(unsigned opcode) const { return request.entry().opcode == opcode; }
  };

  bool HasFlag(unsigned flag) const { return (setup_flags_ & flag) != 0; }
  bool Defers() const { return HasFlag(IORING_SETUP_DEFER_TASKRUN); }
  // A fault that happens one time in so many.
  bool Happens(unsigned one_in);

  int Submit(unsigned count);
  // False: the entry makes no sense to this kernel, or is not allowed.
  bool Start(io_uring_sqe entry);
  bool Knows(const io_uring_sqe& entry) const;
  int GetEvents(const Request& request, const std::function<void()>& deadlock);

  // Tries what is due, in random order. Whether there was anything.
  bool TryRequests();
  void Try(InFlight& in_flight);
  void TryPoll(InFlight& in_flight);
  void GoOn(InFlight& in_flight, FakeResult& result, uint64_t edges);
  uint64_t Edges(const InFlight& in_flight) const;
  MonotonicTime TryAt(const InFlight& in_flight) const;
  MonotonicTime NextTry() const;

  int Cancel(const io_uring_sqe& entry);
  int CancelOne(InFlight& target);

  // `more`: the request goes on.
  void Finish(InFlight& in_flight, int result, unsigned flags = 0);
  // Posts what is finished, up to a number.
  void Post(size_t most);
  void PostOne(io_uring_cqe completion);
  // Says whether an enter would bring more; where nobody looks at that, brings all there is.
  void Settle();

  FakeMachine& machine_;
  SimulatedChance& chance_;
  const FakeKernelProfile profile_;
  const FakeFaults faults_;
  const unsigned setup_flags_;
  FakeQueues queues_;
  FakeBuffers buffers_;
  FakeFiles files_;
  FakeRestrictions restrictions_;
  std::thread::id thread_;  // That enabled it.
  bool enabled_;
  bool inside_ = false;     // An enter, or the answer to an interrupt.
  bool lost_ = false;
  std::vector<std::unique_ptr<InFlight>> in_flight_;  // In the order of submission.
  std::deque<io_uring_cqe> finished_;                 // Not posted yet.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_RING_H_
