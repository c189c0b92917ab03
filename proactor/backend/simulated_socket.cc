// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_socket.h"

#include <netinet/tcp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace proactor {
namespace {

// Linux's net.core.somaxconn.
constexpr int kLongestBacklog = 4096;

struct Option {
  enum Shape { kFlag, kNumber, kBufferSize } shape;
  int level;
  int name;
  int initial;
};

constexpr Option kOptions[] = {
    {Option::kFlag, SOL_SOCKET, SO_REUSEADDR, 0},
    {Option::kFlag, SOL_SOCKET, SO_REUSEPORT, 0},
    {Option::kFlag, SOL_SOCKET, SO_KEEPALIVE, 0},
    {Option::kFlag, SOL_SOCKET, SO_OOBINLINE, 0},
    {Option::kBufferSize, SOL_SOCKET, SO_SNDBUF, 2626560},
    {Option::kBufferSize, SOL_SOCKET, SO_RCVBUF, 131072},
    {Option::kNumber, SOL_SOCKET, SO_PRIORITY, 0},
    {Option::kNumber, SOL_SOCKET, SO_BUSY_POLL, 0},
    {Option::kNumber, SOL_SOCKET, SO_INCOMING_CPU, 0},
    {Option::kFlag, IPPROTO_TCP, TCP_NODELAY, 0},
    {Option::kFlag, IPPROTO_TCP, TCP_CORK, 0},
    {Option::kFlag, IPPROTO_TCP, TCP_QUICKACK, 1},
    {Option::kNumber, IPPROTO_TCP, TCP_KEEPIDLE, 7200},
    {Option::kNumber, IPPROTO_TCP, TCP_KEEPINTVL, 75},
    {Option::kNumber, IPPROTO_TCP, TCP_KEEPCNT, 9},
    {Option::kNumber, IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
    {Option::kNumber, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0},
    {Option::kNumber, IPPROTO_TCP, TCP_FASTOPEN, 0},
    {Option::kNumber, IPPROTO_IP, IP_TOS, 0},
    {Option::kFlag, IPPROTO_IPV6, IPV6_V6ONLY, 0},
};

const Option* FindOption(int family, int level, int name) {
  if (level == IPPROTO_IPV6 && family != AF_INET6) return nullptr;
  for (const Option& option : kOptions) {
    if (option.level == level && option.name == name) return &option;
  }
  return nullptr;
}

// The value that a program reads back after it has set `value`.
int Stored(const Option& option, int value) {
  switch (option.shape) {
    case Option::kFlag:
      return value != 0 ? 1 : 0;
    case Option::kBufferSize:
      // Linux doubles it for its own bookkeeping; see socket(7).
      return std::max(2 * value, option.name == SO_SNDBUF ? 4608 : 2304);
    default:
      return value;
  }
}

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
  size_t room = network_.buffer_size() - std::min(network_.buffer_size(), peer->received_.size());
  if (room == 0) return -EAGAIN;
  size_t count = network_.chance().Part(std::min(size, room));
  peer->received_.insert(peer->received_.end(), bytes, bytes + count);
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
      return 0;
    default:
      break;
  }
  // Without a connection too, this has its effect, beside the error.
  bool connected = state_ == State::kEstablished && !Over();
  if (read) ignores_rest_ = true;
  if (write) sent_end_ = true;
  if (!connected) return -ENOTCONN;
  std::shared_ptr<SimulatedSocket> peer = peer_.lock();
  if (write && peer != nullptr) peer->ReceiveEnd();
  return 0;
}

void SimulatedSocket::BeReset() {
  if (state_ != State::kEstablished || Over()) return;
  error_ = received_end_ ? EPIPE : ECONNRESET;
  state_ = State::kReset;
}

void SimulatedSocket::Abort() {
  if (std::shared_ptr<SimulatedSocket> peer = peer_.lock()) peer->BeReset();
  state_ = State::kReset;
}

void SimulatedSocket::StopListening() {
  network_.RemoveListener(*this);
  state_ = State::kIdle;
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
    auto linger = options_.find({SOL_SOCKET, SO_LINGER});
    bool at_once = linger != options_.end() && linger->second == 0;
    if (at_once || !received_.empty()) {
      Abort();
    } else if (std::shared_ptr<SimulatedSocket> peer = peer_.lock()) {
      peer->ReceiveEnd();
    }
  }
  state_ = State::kIdle;
  if (bound()) Unbind();
}

bool SimulatedSocket::Flag(int level, int name) const {
  auto found = options_.find({level, name});
  return found != options_.end() && found->second != 0;
}

int SimulatedSocket::SetOption(int level, int name, const void* value, socklen_t size) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger wanted;
    if (size < sizeof(wanted)) return -EINVAL;
    std::memcpy(&wanted, value, sizeof(wanted));
    options_.erase({level, name});
    if (wanted.l_onoff != 0) options_[{level, name}] = wanted.l_linger;
    return 0;
  }
  const Option* option = FindOption(family_, level, name);
  if (option == nullptr) return -ENOPROTOOPT;
  int wanted;
  if (size < sizeof(wanted)) return -EINVAL;
  std::memcpy(&wanted, value, sizeof(wanted));
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && bound()) return -EINVAL;
  options_[{level, name}] = Stored(*option, wanted);
  return 0;
}

int SimulatedSocket::GetOption(int level, int name, void* value, socklen_t* size) {
  auto give = [&](const void* bytes, socklen_t count) {
    *size = std::min(*size, count);
    std::memcpy(value, bytes, *size);
    return 0;
  };
  auto give_number = [&](int number) { return give(&number, sizeof(number)); };
  if (level == SOL_SOCKET) {
    switch (name) {
      case SO_ERROR:
        return give_number(TakeError());
      case SO_TYPE:
        return give_number(SOCK_STREAM);
      case SO_DOMAIN:
        return give_number(family_);
      case SO_PROTOCOL:
        return give_number(IPPROTO_TCP);
      case SO_ACCEPTCONN:
        return give_number(listening() ? 1 : 0);
      case SO_LINGER: {
        auto found = options_.find({level, name});
        linger set = {};
        if (found != options_.end()) set = {.l_onoff = 1, .l_linger = found->second};
        return give(&set, sizeof(set));
      }
      default:
        break;
    }
  }
  const Option* option = FindOption(family_, level, name);
  if (option == nullptr) return -ENOPROTOOPT;
  auto found = options_.find({level, name});
  return give_number(found != options_.end() ? found->second : option->initial);
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
