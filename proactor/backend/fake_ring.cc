// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_ring.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace proactor {
namespace {

constexpr unsigned kCancelByUserData = 1u << 4;  // Linux 6.6, newer than the liburing that this builds with.

}  // namespace

FakeRing::FakeRing(FakeMachine& machine, const FakeKernelOptions& options, io_uring_params& params)
    : machine_(machine),
      chance_(machine.system().chance()),
      profile_(options.profile),
      faults_(options.faults),
      setup_flags_(params.flags),
      queues_(params),
      files_(machine.system()),
      restrictions_(profile_),
      thread_(std::this_thread::get_id()),
      enabled_(!HasFlag(IORING_SETUP_R_DISABLED)) {}

int FakeRing::Enable() {
  if (enabled_) return -EBADFD;
  enabled_ = true;
  restrictions_.Enforce();
  thread_ = std::this_thread::get_id();
  return 0;
}

int FakeRing::Restrict(std::span<const io_uring_restriction> list) {
  return enabled_ ? -EBADFD : restrictions_.Register(list);
}

bool FakeRing::Happens(unsigned one_in) { return one_in != 0 && chance_.OneIn(one_in); }

// --- An enter. ---

int FakeRing::Enter(const Request& request, const std::function<void()>& deadlock) {
  if (!enabled_) return -EBADFD;
  if (HasFlag(IORING_SETUP_SINGLE_ISSUER) && thread_ != std::this_thread::get_id()) return -EEXIST;
  if (lost_) return -EBADR;
  if (Happens(faults_.enter_fails)) {
    constexpr int kFailures[] = {-EINTR, -EAGAIN, -EBUSY};
    return kFailures[chance_.Below(std::size(kFailures))];
  }
  inside_ = true;
  int submitted = Submit(request.submit);
  int result = submitted;
  // A kernel that did not take all does not wait. What has gone wrong since is not heard of where something was taken.
  if (submitted == static_cast<int>(request.submit) && (request.flags & IORING_ENTER_GETEVENTS) != 0) {
    int waited = GetEvents(request, deadlock);
    if (submitted == 0) result = waited;
  }
  Settle();
  inside_ = false;
  return result;
}

int FakeRing::Submit(unsigned count) {
  count = std::min(count, queues_.submitted());
  if (count == 0) return 0;
  if (profile_.overflow_stops_submission && queues_.overflowed()) {
    queues_.FlushOverflow();
    if (queues_.overflowed()) return -EBUSY;
  }
  unsigned most = Happens(faults_.partial_submit) ? static_cast<unsigned>(chance_.Below(count)) : count;
  for (unsigned taken = 0; taken < most; ++taken) {
    if (!Start(queues_.TakeEntry()) && !HasFlag(IORING_SETUP_SUBMIT_ALL)) return static_cast<int>(taken + 1);
  }
  return most > 0 ? static_cast<int>(most) : -EAGAIN;
}

bool FakeRing::Start(io_uring_sqe entry) {
  bool known = Knows(entry);
  if (!known || !restrictions_.Allow(entry)) {
    PostOne({.user_data = entry.user_data, .res = known ? -EACCES : -EINVAL, .flags = 0});
    return false;
  }
  if ((entry.flags & IOSQE_FIXED_FILE) != 0) {
    entry.fd = files_.At(entry.fd);
    if (entry.fd < 0) {
      PostOne({.user_data = entry.user_data, .res = entry.fd, .flags = 0});
      return true;
    }
  }
  in_flight_.push_back(std::make_unique<InFlight>(InFlight{FakeRequest(entry), machine_.AfterLatency()}));
  InFlight& in_flight = *in_flight_.back();
  in_flight.is_work = in_flight.request.IsWork(machine_.system());
  in_flight.on_worker = in_flight.is_work && Happens(faults_.on_worker);
  return true;
}

bool FakeRing::Knows(const io_uring_sqe& entry) const {
  if (entry.opcode >= profile_.operations || entry.opcode == profile_.hidden_operation) return false;
  switch (entry.opcode) {
    case IORING_OP_POLL_ADD:
      return entry.len == 0 || profile_.multishot_poll;
    case IORING_OP_ACCEPT:
      return (entry.ioprio & IORING_ACCEPT_MULTISHOT) == 0 || profile_.multishot_accept;
    case IORING_OP_RECV:
      return (entry.ioprio & IORING_RECV_MULTISHOT) == 0 || profile_.multishot_receive;
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
      return (entry.flags & IOSQE_CQE_SKIP_SUCCESS) == 0;
    default:
      return true;
  }
}

int FakeRing::GetEvents(const Request& request, const std::function<void()>& deadlock) {
  size_t left = Defers() ? std::max<size_t>(profile_.most_completions, request.wait_for) : ~size_t{0};
  // What overflowed before has precedence, and room by now.
  queues_.FlushOverflow();
  while (true) {
    bool busy = TryRequests() || machine_.RunJobs();
    size_t before = finished_.size();
    Post(left);
    left -= before - finished_.size();
    if (queues_.ready() >= request.wait_for || left == 0) return 0;
    if (queues_.overflowed()) {
      queues_.FlushOverflow();
      continue;
    }
    if (busy) continue;
    if (Happens(faults_.interrupted)) return -EINTR;
    MonotonicTime now = machine_.Now();
    if (request.until <= now) return -ETIME;
    MonotonicTime next = std::min({NextTry(), machine_.NextJob(), request.until});
    if (next <= now) continue;
    if (next == MonotonicTime::Infinite()) {
      deadlock();
      return -EINTR;
    }
    machine_.system().clock().AdvanceTo(next);
    if (profile_.timeout_leaves_work && Defers() && next == request.until) return -ETIME;
  }
}

void FakeRing::Settle() {
  if (HasFlag(IORING_SETUP_TASKRUN_FLAG)) {
    bool work = !finished_.empty() || std::min(NextTry(), machine_.NextJob()) <= machine_.Now();
    queues_.SetFlag(IORING_SQ_TASKRUN, work);
  } else {
    while (TryRequests() || machine_.RunJobs()) continue;
    Post(~size_t{0});
  }
}

bool FakeRing::PointsAtMemory() const {
  return std::ranges::any_of(in_flight_, [](const auto& in_flight) {
    return !in_flight->is(IORING_OP_POLL_ADD) && !in_flight->is(IORING_OP_ASYNC_CANCEL) &&
           !in_flight->is(IORING_OP_NOP);
  });
}

void FakeRing::Interrupt() {
  if (inside_ || !enabled_) return;
  inside_ = true;
  Settle();
  inside_ = false;
}

// --- Requests. ---

uint64_t FakeRing::Edges(const InFlight& in_flight) const {
  return in_flight.is(IORING_OP_POLL_ADD) ? machine_.Edges(in_flight.request.entry().fd)
                                          : machine_.system().changes();
}

MonotonicTime FakeRing::TryAt(const InFlight& in_flight) const {
  bool waits = in_flight.waits_since == Edges(in_flight);
  return std::min(in_flight.cancel, waits ? MonotonicTime::Infinite() : in_flight.start);
}

MonotonicTime FakeRing::NextTry() const {
  MonotonicTime next = MonotonicTime::Infinite();
  for (const auto& in_flight : in_flight_) next = std::min(next, TryAt(*in_flight));
  return next;
}

bool FakeRing::TryRequests() {
  std::vector<InFlight*> tries;
  for (const auto& in_flight : in_flight_) {
    if (TryAt(*in_flight) <= machine_.Now()) tries.push_back(in_flight.get());
  }
  if (tries.empty()) return false;
  for (size_t i = 1; i < tries.size(); ++i) std::swap(tries[i], tries[chance_.Below(i + 1)]);
  if (Happens(faults_.postponed)) tries.resize(1 + chance_.Below(tries.size()));
  for (InFlight* in_flight : tries) {
    if (!in_flight->over) Try(*in_flight);
  }
  std::erase_if(in_flight_, [](const auto& in_flight) { return in_flight->over; });
  return true;
}

void FakeRing::Try(InFlight& in_flight) {
  FakeRequest& request = in_flight.request;
  if (in_flight.is(IORING_OP_ASYNC_CANCEL)) return Finish(in_flight, Cancel(request.entry()));
  if (in_flight.is(IORING_OP_POLL_ADD)) return TryPoll(in_flight);
  bool cancelled = in_flight.cancel <= machine_.Now() && !request.notifies();
  // Work that has not begun ends as cancelled; what waits is tried once at least.
  bool first = !in_flight.tried() && (in_flight.start <= machine_.Now() || !in_flight.is_work);
  if (cancelled && !first && chance_.OneIn(2)) return Finish(in_flight, request.Cancelled());
  // A file has nothing to wait for, and yet the kernel may not want to read it at once.
  bool work = in_flight.is_work && request.MayBeRefused();
  if (work && Happens(faults_.would_block)) return Finish(in_flight, -EAGAIN);

  uint64_t edges = Edges(in_flight);
  std::optional<FakeResult> result = request.Try(machine_.system(), buffers_, profile_.send_continues);
  if (!result.has_value() && request.MayBeRefused() && Happens(faults_.would_block)) {
    Finish(in_flight, -EAGAIN);
  } else if (!result.has_value() && cancelled) {
    Finish(in_flight, request.Cancelled());
  } else if (!result.has_value()) {
    in_flight.waits_since = edges;
  } else if (result->result == -EINTR && first &&
             (!in_flight.is_work || in_flight.cancel != MonotonicTime::Infinite())) {
    // What has not waited yet is not interrupted; nor what is to have its first try though it was cancelled.
  } else {
    if (result->more()) GoOn(in_flight, *result, edges);
    Finish(in_flight, result->result, result->flags);
  }
}

// A request that has more to tell is looked at again; or ends here, for no reason.
void FakeRing::GoOn(InFlight& in_flight, FakeResult& result, uint64_t edges) {
  if (in_flight.request.notifies()) {
    in_flight.start = machine_.AfterLatency();
    in_flight.waits_since = kNotTried;
  } else {
    in_flight.waits_since = edges;
    if (Happens(faults_.multishot_ends)) result.flags &= ~IORING_CQE_F_MORE;
  }
}

// A multishot one reports an event that there is at first, and each edge from then on (Linux 5.13).
void FakeRing::TryPoll(InFlight& in_flight) {
  const io_uring_sqe& entry = in_flight.request.entry();
  bool multishot = (entry.len & IORING_POLL_ADD_MULTI) != 0;
  uint64_t edges = Edges(in_flight);
  unsigned ready = in_flight.waits_since != edges ? machine_.Poll(entry.fd, entry.poll32_events) : 0;
  in_flight.waits_since = edges;
  if ((ready & POLLNVAL) != 0) return Finish(in_flight, -EBADF);
  if (in_flight.cancel <= machine_.Now() && (ready == 0 || multishot || chance_.OneIn(2))) {
    return Finish(in_flight, -ECANCELED);
  }
  if (ready == 0) return;
  bool more = multishot && !Happens(faults_.multishot_ends);
  Finish(in_flight, static_cast<int>(ready), more ? IORING_CQE_F_MORE : 0);
}

// --- Cancelling. ---

int FakeRing::Cancel(const io_uring_sqe& entry) {
  const unsigned flags = entry.cancel_flags;
  bool many = (flags & (IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY)) != 0;
  auto meant = [&](const InFlight& in_flight) {
    if (in_flight.over || in_flight.is(IORING_OP_ASYNC_CANCEL) || in_flight.request.notifies()) return false;
    if ((flags & IORING_ASYNC_CANCEL_ANY) != 0) return true;
    bool by_descriptor = (flags & IORING_ASYNC_CANCEL_FD) != 0;
    if (by_descriptor && in_flight.request.entry().fd != entry.fd) return false;
    bool by_user_data = !by_descriptor || (flags & kCancelByUserData) != 0;
    return !by_user_data || in_flight.request.user_data() == entry.addr;
  };
  int count = 0;
  for (size_t i = 0; i < in_flight_.size(); ++i) {
    InFlight& target = *in_flight_[i];
    if (!meant(target)) continue;
    int result = CancelOne(target);
    if (!many) return result;
    ++count;
  }
  return many ? count : -ENOENT;
}

int FakeRing::CancelOne(InFlight& target) {
  if (Happens(faults_.cancel_is_lost)) return -EALREADY;
  // What a worker has begun with goes on. One that has been marked at the wrong moment is not even found.
  if (target.on_worker && target.start <= machine_.Now()) return chance_.OneIn(2) ? -EALREADY : -ENOENT;
  target.cancel = std::min(target.cancel, machine_.AfterLatency());
  // It may end before the request does.
  if (target.cancel <= machine_.Now() && chance_.OneIn(2)) Try(target);
  return target.tried() && chance_.OneIn(4) ? -EALREADY : 0;
}

// --- Completions. ---

void FakeRing::Finish(InFlight& in_flight, int result, unsigned flags) {
  in_flight.over = (flags & IORING_CQE_F_MORE) == 0;
  bool silent = (in_flight.request.entry().flags & IOSQE_CQE_SKIP_SUCCESS) != 0 && result >= 0;
  if (silent) return;
  finished_.push_back({.user_data = in_flight.request.user_data(), .res = result, .flags = flags});
}

void FakeRing::Post(size_t most) {
  for (; !finished_.empty() && most > 0; --most) {
    io_uring_cqe completion = finished_.front();
    finished_.pop_front();
    PostOne(completion);
  }
}

void FakeRing::PostOne(io_uring_cqe completion) {
  bool overflows = queues_.full() || Happens(faults_.overflow);
  if (overflows && profile_.overflow_ends_multishot && (completion.flags & IORING_CQE_F_MORE) != 0) {
    auto same = [&](const io_uring_cqe& other) { return other.user_data == completion.user_data; };
    bool last = std::ranges::none_of(finished_, same);
    bool ended = last && std::erase_if(in_flight_, [&](const auto& other) {
                           return other->request.user_data() == completion.user_data && !other->request.notifies();
                         }) > 0;
    if (ended) completion.flags &= ~IORING_CQE_F_MORE;
  }
  overflows ? queues_.Overflow(completion) : queues_.Post(completion);
}

}  // namespace proactor
