// SPDX-License-Identifier: Apache-2.0
//
// SimulatedNetwork: who has which address, for the sockets of one simulation.
//
//   SimulatedNetwork network(chance, 65536);
//   int result = network.Assign(socket, SimulatedAddress::Any(AF_INET, 7000));
//   SimulatedSocket* listener = network.FindListener(SimulatedAddress::Loopback(AF_INET, 7000));
//
// Every address is local: sockets bind to whatever they like, and where nobody listens, connections are refused. An
// address is free again when the last socket that has it is closed: there is no TIME_WAIT.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_NETWORK_H_
#define PROACTOR_BACKEND_SIMULATED_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <map>

#include "proactor/backend/simulated_address.h"
#include "proactor/backend/simulated_chance.h"

namespace proactor {

class SimulatedSocket;

class SimulatedNetwork {
 public:
  // Each direction of a connection holds up to `buffer_size` bytes that were sent and not yet received.
  SimulatedNetwork(SimulatedChance& chance, size_t buffer_size) : chance_(chance), buffer_size_(buffer_size) {}

  SimulatedChance& chance() { return chance_; }
  size_t buffer_size() const { return buffer_size_; }

  // Gives a socket a local address, and with port 0 a free one. Yields 0 or -EADDRINUSE.
  int Assign(SimulatedSocket& socket, SimulatedAddress address);
  // Without asking: a connection that was accepted shares the listener's address.
  void Add(SimulatedSocket& socket);
  // The socket has no address any more, if it had one.
  void Remove(SimulatedSocket& socket);

  // Whether another socket keeps this one from `address`: one that overlaps, unless both allow it (SO_REUSEADDR while
  // neither listens, or SO_REUSEPORT).
  bool InUse(const SimulatedSocket& socket, const SimulatedAddress& address) const;

  // Whose connections those to `address` are: the listener with the most exact address; one of them by chance when
  // several share it (SO_REUSEPORT). Null: nobody's.
  SimulatedSocket* FindListener(const SimulatedAddress& address);
  void AddListener(SimulatedSocket& socket);
  void RemoveListener(SimulatedSocket& socket);

 private:
  using ByPort = std::multimap<uint16_t, SimulatedSocket*>;
  static void Erase(ByPort& sockets, const SimulatedSocket& socket);

  SimulatedChance& chance_;
  const size_t buffer_size_;
  ByPort sockets_;    // All that have a local address.
  ByPort listeners_;  // Those that listen, once more.
  uint16_t next_port_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_NETWORK_H_
