// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_socket.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

// Linux's net.core.somaxconn.
constexpr int kLongestBacklog = 4096;

}  // namespace

SimulatedSocket::SimulatedSocket(SimulatedNetwork& network, int family)
    : network_(network), family_(family), local_(SimulatedAddress::Any(family)) {}

int SimulatedSocket::Bind(const sockaddr* address, socklen_t size) {
  SimulatedAddress wanted;
  if (int result = SimulatedAddress::FromKernel(family_, address, size, wanted); result < 0) return result;
  if (bound() || OtherFamily(wanted)) return -EINVAL;
  int result = network_.Assign(*this, wanted);
  if (result == 0) bound_to_ = wanted;
  return result;
}

int SimulatedSocket::Listen(int backlog) {
  if ((state_ != State::kIdle && state_ != State::kListening) || outcome_unknown_) return -EINVAL;
  // A negative one is as good as the longest.
  backlog_ = static_cast<size_t>(backlog < 0 ? kLongestBacklog : std::min(backlog, kLongestBacklog));
  if (state_ == State::kListening) {
    AdmitConnections();
    return 0;
  }
  if (!bound()) {
    if (int result = network_.Assign(*this, local_); result < 0) return result;
  }
  // Several may bind to one address with SO_REUSEADDR, but one only may listen there.
  if (network_.InUse(*this, local_)) return -EADDRINUSE;
  state_ = State::kListening;
  network_.AddListener(*this);
  return 0;
}

int SimulatedSocket::Accept(std::shared_ptr<SimulatedSocket>& connection) {
  if (state_ != State::kListening) return -EINVAL;
  if (queue_.empty()) return -EAGAIN;
  Queued first = std::move(queue_.front());
  queue_.pop_front();
  AdmitConnections();
  if (first.aborted) {
    first.connection->Close();
    return -ECONNABORTED;
  }
  connection = std::move(first.connection);
  return 0;
}

int SimulatedSocket::Connect(const sockaddr* address, socklen_t size) {
  SimulatedAddress to;
  if (int result = SimulatedAddress::FromKernel(family_, address, size, to); result < 0) return result;
  if (outcome_unknown_) return ConnectOutcome();
  if (state_ != State::kIdle) return -EISCONN;

  // The address "any" stands for this host.
  if (to.IsAny()) {
    bool at_own_address = to.IsIpv4() && !local_.IsAny();
    to.ip = at_own_address ? local_.ip : SimulatedAddress::Loopback(to.IsIpv4() ? AF_INET : AF_INET6).ip;
  }
  if (OtherFamily(to) || (!local_.IsAny() && local_.IsIpv4() != to.IsIpv4())) return -ENETUNREACH;
  if (!bound() && network_.Assign(*this, local_) < 0) return -EADDRNOTAVAIL;
  if (local_.IsAny()) {
    local_.ip = to.IsLoopback() ? SimulatedAddress::Loopback(to.IsIpv4() ? AF_INET : AF_INET6).ip : to.ip;
  }
  remote_ = to;
  outcome_unknown_ = true;
  ignores_rest_ = sent_end_ = false;
  error_ = 0;
  SimulatedSocket* listener = network_.FindListener(to);
  if (listener == nullptr) {
    BeRefused();
  } else {
    state_ = State::kConnecting;
    listener->waiting_.push_back(weak_from_this());
    listener->AdmitConnections();
  }
  return -EINPROGRESS;
}

void SimulatedSocket::BeRefused() {
  state_ = State::kIdle;
  error_ = ECONNREFUSED;
  ++wakes_;
  if (bound_to_.port == 0) Unbind();
}

void SimulatedSocket::Unbind() {
  network_.Remove(*this);
  local_ = SimulatedAddress::Any(family_);
}

int SimulatedSocket::ConnectOutcome() {
  if (state_ == State::kConnecting) return -EALREADY;
  outcome_unknown_ = false;
  if (state_ == State::kEstablished && !Over()) return 0;
  // The socket is as it was and may try again. Who has taken the failure by SO_ERROR is told that there was one.
  state_ = State::kIdle;
  if (bound_to_.port != 0) local_ = bound_to_;
  int error = TakeError();
  return error != 0 ? -error : -ECONNABORTED;
}

void SimulatedSocket::AdmitConnections() {
  // Linux's queue takes one more than it was asked for.
  while (!waiting_.empty() && queue_.size() <= backlog_) {
    std::shared_ptr<SimulatedSocket> client = waiting_.front().lock();
    waiting_.pop_front();
    if (client == nullptr || client->state_ != State::kConnecting) continue;
    queue_.push_back({MakeConnection(*client)});
    ++wakes_;
  }
}

std::shared_ptr<SimulatedSocket> SimulatedSocket::MakeConnection(SimulatedSocket& client) {
  auto server = std::make_shared<SimulatedSocket>(network_, family_);
  server->options_ = options_;
  server->local_ = client.remote_;
  server->remote_ = client.local_;
  server->peer_ = client.weak_from_this();
  server->state_ = State::kEstablished;
  client.peer_ = server;
  client.state_ = State::kEstablished;
  ++client.wakes_;
  network_.Add(*server);
  return server;
}

int SimulatedSocket::Receive(char* buffer, size_t size) {
  if (state_ == State::kListening) return -ENOTCONN;
  if (state_ == State::kConnecting) return -EAGAIN;
  // What has arrived can be taken whatever happened since; and after the end of the stream nothing else is reported.
  if (!received_.empty() && size > 0) {
    size_t count = network_.chance().Part(std::min(size, received_.size()));
    std::copy_n(received_.begin(), count, buffer);
    received_.erase(received_.begin(), received_.begin() + static_cast<ptrdiff_t>(count));
    // What is left had not come yet when this was taken, and comes now.
    if (count < size && !received_.empty()) ++wakes_;
    std::shared_ptr<SimulatedSocket> peer = peer_.lock();
    if (peer != nullptr && std::exchange(peer->waits_for_room_, false)) ++peer->wakes_;
    return static_cast<int>(count);
  }
  if (size == 0 || received_end_) return 0;
  if (error_ != 0) return -TakeError();
  if (ignores_rest_ || state_ == State::kReset) return 0;
  // After a failed attempt to connect, until its outcome has been told, the socket is one whose connection is over.
  if (state_ == State::kIdle) return outcome_unknown_ ? 0 : -ENOTCONN;
  return -EAGAIN;
}

int SimulatedSocket::Send(const char* bytes, size_t size) {
  if (error_ != 0) return -TakeError();
  if (state_ == State::kConnecting) return -EAGAIN;
  if (state_ != State::kEstablished || sent_end_) return -EPIPE;
  if (size == 0) return 0;
  std::shared_ptr<SimulatedSocket> peer = peer_.lock();
  if (peer == nullptr || (peer->sent_end_ && peer->ignores_rest_)) {
    // The bytes are on their way before the answer is back, that nobody is there to take them.
    if (peer != nullptr) peer->BeReset();
    BeReset();
    return static_cast<int>(size);
  }
  waits_for_room_ = size >= Room(*peer);
  if (Room(*peer) == 0) return -EAGAIN;
  size_t count = network_.chance().Part(std::min(size, Room(*peer)));
  peer->received_.insert(peer->received_.end(), bytes, bytes + count);
  ++peer->wakes_;
  // The room that is left was not there yet when these were sent, and is now.
  if (count < size && Room(*peer) > 0) ++wakes_;
  return static_cast<int>(count);
}

int SimulatedSocket::Shutdown(int how) {
  if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
  bool read = how != SHUT_WR;
  bool write = how != SHUT_RD;
  switch (state_) {
    case State::kListening:
      if (read) StopListening();
      return 0;
    case State::kConnecting:
      state_ = State::kIdle;
      ++wakes_;
      return 0;
    default:
      break;
  }
  // Without a connection too, this has its effect, beside the error.
  bool connected = state_ == State::kEstablished && !Over();
  if (read) ignores_rest_ = true;
  if (write) sent_end_ = true;
  ++wakes_;
  if (!connected) return -ENOTCONN;
  std::shared_ptr<SimulatedSocket> peer = peer_.lock();
  if (write && peer != nullptr) peer->ReceiveEnd();
  return 0;
}

void SimulatedSocket::BeReset() {
  if (state_ != State::kEstablished || Over()) return;
  error_ = received_end_ ? EPIPE : ECONNRESET;
  state_ = State::kReset;
  ++wakes_;
}

void SimulatedSocket::ReceiveEnd() {
  received_end_ = true;
  ++wakes_;
}

void SimulatedSocket::Abort() {
  if (std::shared_ptr<SimulatedSocket> peer = peer_.lock()) peer->BeReset();
  state_ = State::kReset;
}

void SimulatedSocket::StopListening() {
  network_.RemoveListener(*this);
  state_ = State::kIdle;
  ++wakes_;
  if (bound_to_.port == 0) Unbind();
  for (Queued& queued : std::exchange(queue_, {})) {
    queued.connection->Abort();
    queued.connection->Close();
  }
  for (std::weak_ptr<SimulatedSocket>& waiting : std::exchange(waiting_, {})) {
    std::shared_ptr<SimulatedSocket> client = waiting.lock();
    if (client == nullptr || client->state_ != State::kConnecting) continue;
    client->BeRefused();
  }
}

bool SimulatedSocket::AbortNextConnection() {
  auto next = std::find_if(queue_.begin(), queue_.end(), [](const Queued& queued) { return !queued.aborted; });
  if (next == queue_.end()) return false;
  next->aborted = true;
  next->connection->Abort();
  return true;
}

void SimulatedSocket::Close() {
  if (state_ == State::kListening) StopListening();
  if (state_ == State::kEstablished && !Over()) {
    if (options_.ResetsAtOnce() || !received_.empty()) {
      Abort();
    } else if (std::shared_ptr<SimulatedSocket> peer = peer_.lock()) {
      peer->ReceiveEnd();
    }
  }
  state_ = State::kIdle;
  if (bound()) Unbind();
}

bool SimulatedSocket::Flag(int level, int name) const { return options_.Flag(level, name); }

int SimulatedSocket::SetOption(int level, int name, const void* value, socklen_t size) {
  if (family_ == AF_INET6 && level == IPPROTO_IPV6 && name == IPV6_V6ONLY && bound()) return -EINVAL;
  return options_.Set(family_, level, name, value, size);
}

int SimulatedSocket::GetOption(int level, int name, void* value, socklen_t* size) {
  auto give = [&](int number) { return SimulatedSocketOptions::Give(&number, sizeof(number), value, size); };
  if (level == SOL_SOCKET) {
    switch (name) {
      case SO_ERROR:
        return give(TakeError());
      case SO_TYPE:
        return give(SOCK_STREAM);
      case SO_DOMAIN:
        return give(family_);
      case SO_PROTOCOL:
        return give(IPPROTO_TCP);
      case SO_ACCEPTCONN:
        return give(listening() ? 1 : 0);
      default:
        break;
    }
  }
  return options_.Get(family_, level, name, value, size);
}

int SimulatedSocket::GetName(sockaddr* address, socklen_t* size) const {
  local_.ToKernel(family_, address, size);
  return 0;
}

int SimulatedSocket::GetPeerName(sockaddr* address, socklen_t* size) const {
  if (state_ != State::kEstablished || Over()) return -ENOTCONN;
  remote_.ToKernel(family_, address, size);
  return 0;
}

int SimulatedSocket::Read(char* buffer, size_t size, int64_t offset) {
  return offset >= 0 ? -ESPIPE : Receive(buffer, size);
}

int SimulatedSocket::Write(const char* bytes, size_t size, int64_t offset) {
  return offset >= 0 ? -ESPIPE : Send(bytes, size);
}

// As tcp_poll() in Linux.
std::optional<SimulatedReadiness> SimulatedSocket::Poll() const {
  if (state_ == State::kListening) {
    return SimulatedReadiness{.events = queue_.empty() ? 0 : uint32_t{POLLIN}, .wakes = wakes_};
  }
  int events = 0;
  if (state_ != State::kConnecting) {
    bool failed = state_ == State::kReset || (state_ == State::kIdle && outcome_unknown_);
    bool reads_no_more = received_end_ || ignores_rest_ || failed;
    bool writes_no_more = sent_end_ || failed;
    std::shared_ptr<SimulatedSocket> peer = peer_.lock();
    bool has_room = state_ != State::kEstablished || peer == nullptr || Room(*peer) > 0;
    if (reads_no_more) events |= POLLIN | POLLRDHUP;
    if (!received_.empty()) events |= POLLIN;
    if (writes_no_more || has_room) events |= POLLOUT;
    if (state_ == State::kIdle || (reads_no_more && writes_no_more)) events |= POLLHUP;
  }
  if (error_ != 0) events |= POLLERR;
  return SimulatedReadiness{.events = static_cast<uint32_t>(events), .wakes = wakes_};
}

void SimulatedSocket::Stat(struct statx& facts) const {
  facts.stx_mode = S_IFSOCK | 0777;
  facts.stx_nlink = 1;
  facts.stx_blksize = 4096;
}

std::string SimulatedSocket::Describe() const {
  if (!bound()) return "socket";
  if (listening()) return absl::StrCat("socket listening on ", local_.ToString());
  if (state_ == State::kIdle) return absl::StrCat("socket bound to ", local_.ToString());
  return absl::StrCat("socket ", local_.ToString(), " connected to ", remote_.ToString());
}

}  // namespace proactor
