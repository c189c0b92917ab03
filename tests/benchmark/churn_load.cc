// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/churn_load.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "tests/benchmark/stopwatch.h"

namespace proactor::benchmark {
namespace {

constexpr size_t kPatternPeriod = 251;  // each visitor begins one byte further into it than the one before
constexpr absl::Duration kPatience = absl::Seconds(2);  // for a server that has stopped answering

}  // namespace

ChurnLoad::ChurnLoad(const sockaddr_in& server, const Cell& cell)
    : server_(server),
      bytes_(static_cast<size_t>(cell.bytes)),
      pattern_(kPatternPeriod + bytes_),
      received_(bytes_ + 1),  // so that a byte too many is seen
      visitors_(static_cast<size_t>(cell.connections)),
      ready_(visitors_.size(), pollfd{.fd = -1, .events = POLLIN, .revents = 0}) {
  for (size_t i = 0; i < pattern_.size(); ++i) pattern_[i] = static_cast<char>(i % kPatternPeriod);
}

absl::StatusOr<Traffic> ChurnLoad::Run(absl::Duration duration) {
  const Stopwatch stopwatch;
  entered_ = left_ = 0;
  absl::Status status;
  for (size_t place = 0; place < visitors_.size() && status.ok(); ++place) status = Enter(place);
  while (status.ok() && left_ < entered_) {
    const int count = poll(ready_.data(), ready_.size(), static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
    if (count == 0) return absl::DeadlineExceededError("the server stopped answering");
    if (count < 0) return absl::ErrnoToStatus(errno, "poll");
    const bool stopping = stopwatch.Elapsed() >= duration;
    for (size_t place = 0; place < visitors_.size() && status.ok(); ++place) {
      if (ready_[place].revents == 0) continue;
      status = Continue(place);
      const bool is_free = ready_[place].fd < 0;
      if (is_free && !stopping && status.ok()) status = Enter(place);
    }
  }
  if (!status.ok()) return status;
  return Traffic{.messages = left_, .elapsed = stopwatch.Elapsed(), .client_cpu = stopwatch.ClientCpu()};
}

absl::Status ChurnLoad::Enter(size_t place) {
  Visitor& visitor = visitors_[place];
  visitor.socket = OwnedDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  visitor.message = pattern_.data() + static_cast<size_t>(entered_) % kPatternPeriod;
  visitor.received = 0;
  const int socket = visitor.socket.number();
  if (socket < 0) return absl::ErrnoToStatus(errno, "socket");
  const timeval patience = absl::ToTimeval(kPatience);  // also bounds connect(2), which here does not wait
  if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0) {
    return absl::ErrnoToStatus(errno, "setsockopt");
  }
  if (connect(socket, reinterpret_cast<const sockaddr*>(&server_), sizeof(server_)) < 0) {
    return absl::ErrnoToStatus(errno, "connect");
  }
  const ssize_t sent = send(socket, visitor.message, bytes_, MSG_NOSIGNAL);
  if (sent < 0) return absl::ErrnoToStatus(errno, "send");
  if (static_cast<size_t>(sent) < bytes_) return absl::DeadlineExceededError("the server does not read");
  ready_[place].fd = socket;
  ++entered_;
  return absl::OkStatus();
}

// `place` has bytes, or the end.
absl::Status ChurnLoad::Continue(size_t place) {
  Visitor& visitor = visitors_[place];
  const size_t missing = bytes_ - visitor.received;
  const ssize_t result = recv(visitor.socket.number(), received_.data(), missing + 1, MSG_DONTWAIT);
  if (result < 0) return absl::ErrnoToStatus(errno, "recv");
  const size_t size = static_cast<size_t>(result);
  if (size > missing) return absl::DataLossError("the server sent more than it was sent");
  if (size == 0 && missing > 0) return absl::DataLossError("the server closed a connection");
  if (std::memcmp(visitor.message + visitor.received, received_.data(), size) != 0) {
    return absl::DataLossError("the echo differs from what was sent");
  }
  visitor.received += size;
  if (size == 0) {
    Leave(place);
  } else if (visitor.received == bytes_) {
    shutdown(visitor.socket.number(), SHUT_WR);
  }
  return absl::OkStatus();
}

void ChurnLoad::Leave(size_t place) {
  ready_[place].fd = -1;
  visitors_[place].socket = OwnedDescriptor();
  ++left_;
}

}  // namespace proactor::benchmark
