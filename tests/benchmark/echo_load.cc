// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/echo_load.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/benchmark/stopwatch.h"

namespace proactor::benchmark {
namespace {

constexpr int64_t kPatternPeriod = 65521;    // a prime, so that no message size keeps the stream in step with it
constexpr size_t kLargestTransfer = 262144;  // per system call, either way
constexpr size_t kVerifiedInFull = 4096;
constexpr size_t kVerifiedAtEachEnd = 64;
constexpr int kEventsPerWait = 512;
constexpr absl::Duration kPatience = absl::Seconds(2);  // for a server that has stopped answering

}  // namespace

EchoLoad::EchoLoad(const Cell& cell, bool polls_busily)
    : cell_(cell),
      polls_busily_(polls_busily),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      pattern_(kPatternPeriod + kLargestTransfer),
      received_(kLargestTransfer) {
  std::minstd_rand random(1);
  for (int64_t i = 0; i < kPatternPeriod; ++i) pattern_[static_cast<size_t>(i)] = static_cast<char>(random() >> 8);
  // Continued beyond its period, so that any transfer is one contiguous piece of it.
  for (size_t i = kPatternPeriod; i < pattern_.size(); ++i) pattern_[i] = pattern_[i - kPatternPeriod];
}

absl::StatusOr<std::unique_ptr<EchoLoad>> EchoLoad::Connect(const sockaddr_in& server, const Cell& cell,
                                                            bool polls_busily) {
  std::unique_ptr<EchoLoad> load(new EchoLoad(cell, polls_busily));
  if (load->epoll_.number() < 0) return absl::ErrnoToStatus(errno, "epoll_create1");
  load->connections_.resize(static_cast<size_t>(cell.connections));
  int64_t origin = 0;
  for (Connection& connection : load->connections_) {
    connection.socket = OwnedDescriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int socket = connection.socket.number();
    if (socket < 0) return absl::ErrnoToStatus(errno, "socket");
    // Also bounds connect(2).
    const timeval patience = absl::ToTimeval(kPatience);
    const int on = 1;
    if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
      return absl::ErrnoToStatus(errno, "setsockopt");
    }
    if (connect(socket, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) < 0) {
      return absl::ErrnoToStatus(errno, "connect");
    }
    epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.ptr = &connection}};
    if (epoll_ctl(load->epoll_.number(), EPOLL_CTL_ADD, socket, &event) < 0) {
      return absl::ErrnoToStatus(errno, "epoll_ctl");
    }
    connection.origin = origin;
    origin = (origin + 8191) % kPatternPeriod;
  }
  return load;
}

absl::StatusOr<Traffic> EchoLoad::Run(absl::Duration duration) {
  const Stopwatch stopwatch;
  absl::Status status = Begin();
  absl::Duration elapsed = stopwatch.Elapsed();
  absl::Duration last_echo = elapsed;
  while (status.ok() && echoed_ < allowed_) {
    const int64_t echoed_before = echoed_;
    status = WaitOnce();
    elapsed = stopwatch.Elapsed();
    if (elapsed >= duration) stopping_ = true;
    if (echoed_ > echoed_before) last_echo = elapsed;
    if (status.ok() && elapsed - last_echo >= kPatience) {
      status = absl::DeadlineExceededError("the server stopped answering");
    }
  }
  if (!status.ok()) return status;
  return Traffic{.messages = echoed_ / cell_.bytes, .elapsed = elapsed, .client_cpu = stopwatch.ClientCpu()};
}

absl::Status EchoLoad::Begin() {
  stopping_ = false;
  const int64_t credit = int64_t{cell_.bytes} * cell_.in_flight;
  allowed_ = credit * cell_.connections;
  echoed_ = 0;
  for (Connection& connection : connections_) {
    connection.origin = (connection.origin + connection.received) % kPatternPeriod;
    connection.allowed = credit;
    connection.sent = 0;
    connection.received = 0;
    if (absl::Status status = Send(connection); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status EchoLoad::WaitOnce() {
  std::array<epoll_event, kEventsPerWait> events;
  const int milliseconds = polls_busily_ ? 0 : static_cast<int>(absl::ToInt64Milliseconds(kPatience));
  const int count = epoll_wait(epoll_.number(), events.data(), kEventsPerWait, milliseconds);
  if (count < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "epoll_wait");
  for (int i = 0; i < count; ++i) {
    Connection& connection = *static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
    const uint32_t ready = events[static_cast<size_t>(i)].events;
    if (ready & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) return absl::DataLossError("the server closed a connection");
    absl::Status status;
    if (ready & EPOLLIN) status = Receive(connection);
    if (ready & EPOLLOUT) connection.is_full = false;
    if (status.ok() && !connection.is_full) status = Send(connection);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status EchoLoad::Receive(Connection& connection) {
  ssize_t size = 0;
  do {
    size = recv(connection.socket.number(), received_.data(), received_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return absl::OkStatus();
    if (size < 0) return absl::ErrnoToStatus(errno, "recv");
    if (absl::Status status = Verify(connection, static_cast<size_t>(size)); !status.ok()) return status;
    const int64_t whole_before = connection.received / cell_.bytes;
    connection.received += size;
    echoed_ += size;
    if (!stopping_) {
      const int64_t next = (connection.received / cell_.bytes - whole_before) * cell_.bytes;
      connection.allowed += next;
      allowed_ += next;
    }
    // A short read emptied the socket: what comes later is a new edge, and no attempt has to fail.
  } while (static_cast<size_t>(size) == received_.size());
  return absl::OkStatus();
}

absl::Status EchoLoad::Verify(const Connection& connection, size_t size) const {
  const char* expected = pattern_.data() + (connection.origin + connection.received) % kPatternPeriod;
  const char* actual = received_.data();
  const size_t head = size <= kVerifiedInFull ? size : kVerifiedAtEachEnd;
  const size_t tail = size <= kVerifiedInFull ? 0 : kVerifiedAtEachEnd;
  if (connection.received + static_cast<int64_t>(size) > connection.sent) {
    return absl::DataLossError("the server sent more than it was sent");
  }
  if (std::memcmp(expected, actual, head) != 0 ||
      std::memcmp(expected + size - tail, actual + size - tail, tail) != 0) {
    return absl::DataLossError(
        absl::StrCat("the echo differs from what was sent, near byte ", connection.received, " of a connection"));
  }
  return absl::OkStatus();
}

absl::Status EchoLoad::Send(Connection& connection) {
  while (connection.sent < connection.allowed) {
    const char* next = pattern_.data() + (connection.origin + connection.sent) % kPatternPeriod;
    const size_t size = std::min(kLargestTransfer, static_cast<size_t>(connection.allowed - connection.sent));
    const ssize_t sent = send(connection.socket.number(), next, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    connection.is_full = sent < 0 && errno == EAGAIN;
    if (connection.is_full) return absl::OkStatus();  // an event will say that there is room
    if (sent < 0) return absl::ErrnoToStatus(errno, "send");
    connection.sent += sent;
  }
  return absl::OkStatus();
}

}  // namespace proactor::benchmark
