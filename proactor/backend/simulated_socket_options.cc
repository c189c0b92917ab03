// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace proactor {
namespace {

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

int SimulatedSocketOptions::Set(int family, int level, int name, const void* value, socklen_t size) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger wanted;
    if (size < sizeof(wanted)) return -EINVAL;
    std::memcpy(&wanted, value, sizeof(wanted));
    set_.erase({level, name});
    if (wanted.l_onoff != 0) set_[{level, name}] = wanted.l_linger;
    return 0;
  }
  const Option* option = FindOption(family, level, name);
  if (option == nullptr) return -ENOPROTOOPT;
  int wanted;
  if (size < sizeof(wanted)) return -EINVAL;
  std::memcpy(&wanted, value, sizeof(wanted));
  set_[{level, name}] = Stored(*option, wanted);
  return 0;
}

int SimulatedSocketOptions::Get(int family, int level, int name, void* value, socklen_t* size) const {
  auto found = set_.find({level, name});
  if (level == SOL_SOCKET && name == SO_LINGER) {
    linger set = {};
    if (found != set_.end()) set = {.l_onoff = 1, .l_linger = found->second};
    return Give(&set, sizeof(set), value, size);
  }
  const Option* option = FindOption(family, level, name);
  if (option == nullptr) return -ENOPROTOOPT;
  int number = found != set_.end() ? found->second : option->initial;
  return Give(&number, sizeof(number), value, size);
}

bool SimulatedSocketOptions::Flag(int level, int name) const {
  auto found = set_.find({level, name});
  return found != set_.end() && found->second != 0;
}

bool SimulatedSocketOptions::ResetsAtOnce() const {
  auto linger = set_.find({SOL_SOCKET, SO_LINGER});
  return linger != set_.end() && linger->second == 0;
}

int SimulatedSocketOptions::Give(const void* bytes, socklen_t count, void* value, socklen_t* size) {
  *size = std::min(*size, count);
  std::memcpy(value, bytes, *size);
  return 0;
}

}  // namespace proactor
