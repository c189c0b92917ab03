// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_epoll.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/log.h"

namespace proactor {
namespace {

// No descriptor of the system's, and no event of the machine's. There is one only.
constexpr int kEpoll = 2'000'000;

}  // namespace

FakeEpoll::FakeEpoll(SimulatedSystem& system, FakeEpollOptions options)
    : nonblocking_(system, {.pipes_know_nowait = options.pipes_know_nowait}),
      machine_(system, nonblocking_),
      options_(options) {}

int FakeEpoll::Create() {
  if (open_) return -EMFILE;
  open_ = true;
  return kEpoll;
}

void FakeEpoll::Close(int) {
  open_ = false;
  watches_.clear();
}

int FakeEpoll::Control(int epoll, int operation, int fd, epoll_event* event) {
  if (epoll != kEpoll || !open_) return -EBADF;
  std::shared_ptr<SimulatedDescription> description = machine_.system().DescriptionOf(fd);
  bool is_event = machine_.IsEvent(fd);
  if (description == nullptr && !is_event) return -EBADF;
  if (description != nullptr && !description->Poll().has_value()) return -EPERM;
  auto found = watches_.find(fd);
  bool watched = found != watches_.end() && found->second.description == description;
  if (operation == EPOLL_CTL_ADD && watched) return -EEXIST;
  if (operation != EPOLL_CTL_ADD && !watched) return -ENOENT;
  if (operation == EPOLL_CTL_DEL) {
    watches_.erase(found);
    return 0;
  }
  if (operation == EPOLL_CTL_ADD && add_failures_ > 0) {
    --add_failures_;
    return -add_error_;
  }
  // What is so already is reported as well.
  Watch watch = {.description = description, .wanted = *event, .pending = true, .due = machine_.AfterLatency()};
  watch.wakes = Readiness(fd, watch).wakes;
  watches_[fd] = watch;
  return 0;
}

SimulatedReadiness FakeEpoll::Readiness(int fd, const Watch& watch) const {
  if (watch.description != nullptr) return *watch.description->Poll();
  return {.events = machine_.Poll(fd, EPOLLIN), .wakes = machine_.Edges(fd)};
}

int FakeEpoll::Wait(int epoll, epoll_event* events, int size, const timespec* time) {
  if (!options_.knows_nanoseconds) return -ENOSYS;
  if (epoll != kEpoll || !open_) return -EBADF;
  return WaitUntil(events, size,
                   time == nullptr ? MonotonicTime::Infinite() : machine_.Now() + absl::DurationFromTimespec(*time));
}

int FakeEpoll::WaitMilliseconds(int epoll, epoll_event* events, int size, int milliseconds) {
  if (epoll != kEpoll || !open_) return -EBADF;
  return WaitUntil(
      events, size,
      milliseconds < 0 ? MonotonicTime::Infinite() : machine_.Now() + absl::Milliseconds(milliseconds));
}

int FakeEpoll::WaitUntil(epoll_event* events, int size, MonotonicTime until) {
  if (until > machine_.Now() && Happens(options_.interrupted)) return -EINTR;
  while (true) {
    bool busy = machine_.RunJobs();
    NoteEdges();
    if (int count = Report(events, size); count > 0) return count;
    if (busy) continue;
    MonotonicTime now = machine_.Now();
    if (until <= now) return 0;
    MonotonicTime next = std::min({NextReport(), machine_.NextJob(), until});
    if (next <= now) continue;
    if (next == MonotonicTime::Infinite()) {
      Check(on_deadlock_ != nullptr, "Deadlock: an epoll waits, and in its simulation nothing is left to happen.");
      on_deadlock_();
      return -EINTR;
    }
    machine_.system().clock().AdvanceTo(next);
  }
}

void FakeEpoll::NoteEdges() {
  for (auto& [fd, watch] : watches_) {
    Check(watch.description == nullptr || machine_.system().DescriptionOf(fd) == watch.description, [fd = fd] {
      return absl::StrCat("Descriptor ", fd, " was closed while epoll watches it: have it forgotten before.");
    });
    uint64_t wakes = Readiness(fd, watch).wakes;
    if (wakes == watch.wakes) continue;
    watch.wakes = wakes;
    if (watch.pending) continue;
    watch.pending = true;
    watch.due = machine_.AfterLatency();
  }
}

MonotonicTime FakeEpoll::NextReport() const {
  MonotonicTime next = MonotonicTime::Infinite();
  for (const auto& [fd, watch] : watches_) {
    if (watch.pending) next = std::min(next, watch.due);
  }
  return next;
}

int FakeEpoll::Report(epoll_event* events, int size) {
  SimulatedChance& chance = machine_.system().chance();
  std::vector<Watches::iterator> due;
  for (auto at = watches_.begin(); at != watches_.end(); ++at) {
    if (at->second.pending && at->second.due <= machine_.Now()) due.push_back(at);
  }
  for (size_t i = 1; i < due.size(); ++i) std::swap(due[i], due[chance.Below(i + 1)]);
  // In turn, so that none waits for ever.
  if (!due.empty() && Happens(options_.postponed)) due.resize(1 + chance.Below(due.size()));
  int count = 0;
  for (Watches::iterator at : due) {
    if (count == size) break;
    uint32_t found = EventsOf(at->first, at->second);
    if (found != 0) events[count++] = {.events = found, .data = at->second.wanted.data};
  }
  if (count < size && !watches_.empty() && Happens(options_.spurious)) {
    auto at = std::next(watches_.begin(), static_cast<ptrdiff_t>(chance.Below(watches_.size())));
    constexpr uint32_t kWrong[] = {EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT};
    uint32_t wrong = kWrong[chance.Below(std::size(kWrong))] & at->second.wanted.events;
    // One descriptor is reported once in a wait.
    bool reported = std::any_of(events, events + count, [&](const epoll_event& event) {
      return event.data.u64 == at->second.wanted.data.u64;
    });
    if (wrong != 0 && !reported) events[count++] = {.events = wrong, .data = at->second.wanted.data};
  }
  return count;
}

uint32_t FakeEpoll::EventsOf(int fd, Watch& watch) {
  watch.pending = false;
  uint32_t events = Readiness(fd, watch).events & (watch.wanted.events | EPOLLERR | EPOLLHUP);
  if (events == 0 || !Happens(options_.in_parts)) return events;
  // As if the rest had come a moment later. What ends a direction comes with what says that it may be tried.
  constexpr uint32_t kParts[] = {EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLIN | EPOLLRDHUP};
  uint32_t part = events & kParts[machine_.system().chance().Below(std::size(kParts))];
  if (part == 0 || part == events) return events;
  watch.pending = true;
  return part;
}

}  // namespace proactor
