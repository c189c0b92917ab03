// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_network.h"

#include <cerrno>
#include <vector>

#include "proactor/backend/simulated_socket.h"

namespace proactor {
namespace {

// Linux's default of net.ipv4.ip_local_port_range.
constexpr uint16_t kFirstPort = 32768;
constexpr uint16_t kLastPort = 60999;

// How well a listener's address fits one that is connected to; 0: not at all.
int Fit(const SimulatedSocket& listener, const SimulatedAddress& address) {
  const SimulatedAddress& local = listener.local();
  if (local == address) return 3;
  if (!local.IsAny()) return 0;
  if (local.IsIpv4() == address.IsIpv4()) return 2;
  // The IPv6 wildcard takes IPv4 as well.
  return !local.IsIpv4() && !listener.Flag(IPPROTO_IPV6, IPV6_V6ONLY) ? 1 : 0;
}

// Whether some address would fit both.
bool Overlap(const SimulatedSocket& socket, const SimulatedAddress& address, const SimulatedSocket& other) {
  if (address == other.local() || Fit(other, address) > 0) return true;
  if (!address.IsAny()) return false;
  if (address.IsIpv4() == other.local().IsIpv4()) return true;
  return !address.IsIpv4() && !socket.Flag(IPPROTO_IPV6, IPV6_V6ONLY);
}

bool BothHave(const SimulatedSocket& left, const SimulatedSocket& right, int option) {
  return left.Flag(SOL_SOCKET, option) && right.Flag(SOL_SOCKET, option);
}

}  // namespace

int SimulatedNetwork::Assign(SimulatedSocket& socket, SimulatedAddress address) {
  if (address.port != 0) {
    if (InUse(socket, address)) return -EADDRINUSE;
  } else {
    // Ports of one's own, whatever the options allow, each in its turn, so that one is not reused soon.
    int tries = 0;
    do {
      if (tries++ > kLastPort - kFirstPort) return -EADDRINUSE;
      next_port_ = next_port_ < kFirstPort || next_port_ == kLastPort ? kFirstPort : next_port_ + 1;
    } while (sockets_.contains(next_port_));
    address.port = next_port_;
  }
  socket.set_local(address);
  Add(socket);
  return 0;
}

void SimulatedNetwork::Add(SimulatedSocket& socket) { sockets_.emplace(socket.local().port, &socket); }

void SimulatedNetwork::Remove(SimulatedSocket& socket) { Erase(sockets_, socket); }

bool SimulatedNetwork::InUse(const SimulatedSocket& socket, const SimulatedAddress& address) const {
  auto [begin, end] = sockets_.equal_range(address.port);
  for (auto at = begin; at != end; ++at) {
    const SimulatedSocket& other = *at->second;
    if (&other == &socket || BothHave(socket, other, SO_REUSEPORT)) continue;
    if (BothHave(socket, other, SO_REUSEADDR) && !other.listening()) continue;
    if (Overlap(socket, address, other)) return true;
  }
  return false;
}

SimulatedSocket* SimulatedNetwork::FindListener(const SimulatedAddress& address) {
  std::vector<SimulatedSocket*> best;
  int best_fit = 1;
  auto [begin, end] = listeners_.equal_range(address.port);
  for (auto at = begin; at != end; ++at) {
    int fit = Fit(*at->second, address);
    if (fit < best_fit) continue;
    if (fit > best_fit) best.clear();
    best_fit = fit;
    best.push_back(at->second);
  }
  return best.empty() ? nullptr : best[chance_.Below(best.size())];
}

void SimulatedNetwork::AddListener(SimulatedSocket& socket) { listeners_.emplace(socket.local().port, &socket); }

void SimulatedNetwork::RemoveListener(SimulatedSocket& socket) { Erase(listeners_, socket); }

void SimulatedNetwork::Erase(ByPort& sockets, const SimulatedSocket& socket) {
  auto [begin, end] = sockets.equal_range(socket.local().port);
  for (auto at = begin; at != end; ++at) {
    if (at->second != &socket) continue;
    sockets.erase(at);
    return;
  }
}

}  // namespace proactor
