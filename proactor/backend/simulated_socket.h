// SPDX-License-Identifier: Apache-2.0
//
// SimulatedSocket: a stream socket that behaves like Linux's TCP over the loopback interface (tcp(7)).
//
//   auto socket = std::make_shared<SimulatedSocket>(network, AF_INET);
//   int result = socket->Connect(address, size);      // -EINPROGRESS; 0 or the failure when called again
//   result = socket->Send(bytes, count);              // how many, or -EAGAIN when the other side does not read
//
// What Linux does and programs get wrong is here on purpose: who closes with bytes unread resets the connection, an end
// of stream comes after the bytes that were sent before it, the first send to a peer that is gone succeeds, a full
// queue of connections makes the next one wait, a closed listener resets those that nobody took.
//
// What differs: an answer travels in no time, so a connection is there or refused as soon as it is asked for; there is
// no TIME_WAIT; -EINTR and the like come from SimulatedSystem.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_SIMULATED_SOCKET_H_
#define PROACTOR_BACKEND_SIMULATED_SOCKET_H_

#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "proactor/backend/simulated_address.h"
#include "proactor/backend/simulated_description.h"
#include "proactor/backend/simulated_network.h"
#include "proactor/backend/simulated_socket_options.h"

namespace proactor {

class SimulatedSocket final : public SimulatedDescription, public std::enable_shared_from_this<SimulatedSocket> {
 public:
  SimulatedSocket(SimulatedNetwork& network, int family);

  // Each as the system call of that name.
  int Bind(const sockaddr* address, socklen_t size);
  int Listen(int backlog);
  int Accept(std::shared_ptr<SimulatedSocket>& connection);
  int Connect(const sockaddr* address, socklen_t size);
  int Receive(char* buffer, size_t size);
  int Send(const char* bytes, size_t size);
  int Shutdown(int how);
  int SetOption(int level, int name, const void* value, socklen_t size);
  int GetOption(int level, int name, void* value, socklen_t* size);
  int GetName(sockaddr* address, socklen_t* size) const;
  int GetPeerName(sockaddr* address, socklen_t* size) const;

  // Resets the oldest connection that waits to be accepted, for which the next `Accept` yields -ECONNABORTED. Whether
  // there was one.
  bool AbortNextConnection();

  int Read(char* buffer, size_t size, int64_t offset) override;
  int Write(const char* bytes, size_t size, int64_t offset) override;
  void Stat(struct statx& facts) const override;
  std::optional<SimulatedReadiness> Poll() const override;
  void Close() override;
  SimulatedSocket* socket() override { return this; }
  std::string Describe() const override;

  // For the network.
  const SimulatedAddress& local() const { return local_; }
  void set_local(const SimulatedAddress& address) { local_ = address; }
  bool listening() const { return state_ == State::kListening; }
  bool Flag(int level, int name) const;

 private:
  enum class State {
    kIdle,         // No connection yet, or none after a failed attempt.
    kListening,    //
    kConnecting,   // Waits for room in a listener's queue.
    kEstablished,  // Connected, also when one or both sides have finished.
    kReset,        // Was connected.
  };
  // A connection that nobody has accepted yet.
  struct Queued {
    std::shared_ptr<SimulatedSocket> connection;
    bool aborted = false;
  };

  bool bound() const { return local_.port != 0; }
  // Both sides have finished: the connection is over, though bytes may be left to receive.
  bool Over() const { return state_ == State::kReset || (sent_end_ && received_end_); }
  // Room for more bytes at the peer.
  size_t Room(const SimulatedSocket& peer) const {
    return network_.buffer_size() - std::min(network_.buffer_size(), peer.received_.size());
  }
  int TakeError() { return std::exchange(error_, 0); }

  // An IPv4 address, for a socket that does not want to know of them.
  bool OtherFamily(const SimulatedAddress& address) const {
    return family_ == AF_INET6 && address.IsIpv4() && Flag(IPPROTO_IPV6, IPV6_V6ONLY);
  }
  int ConnectOutcome();
  void BeRefused();
  void Unbind();
  // Takes connections that wait for room into the queue, as far as there is room.
  void AdmitConnections();
  std::shared_ptr<SimulatedSocket> MakeConnection(SimulatedSocket& client);
  // Ends the connection from this side with a reset.
  void Abort();
  // Ends it from the other side: with a reset, or in order.
  void BeReset();
  void ReceiveEnd();
  void StopListening();

  SimulatedNetwork& network_;
  const int family_;
  State state_ = State::kIdle;
  SimulatedAddress local_;
  SimulatedAddress bound_to_;  // By the program; kept, unlike a port of the system's choice, when connecting fails.
  SimulatedSocketOptions options_;
  int error_ = 0;       // SO_ERROR.
  uint64_t wakes_ = 0;  // See SimulatedReadiness.

  // While listening.
  size_t backlog_ = 0;
  std::deque<Queued> queue_;
  std::deque<std::weak_ptr<SimulatedSocket>> waiting_;  // For room in the queue.

  // While connecting, and connected.
  bool outcome_unknown_ = false;  // The program has not been told how its Connect ended.
  SimulatedAddress remote_;
  std::weak_ptr<SimulatedSocket> peer_;  // Expired once the other side is closed.
  std::deque<char> received_;            // And not yet taken.
  bool waits_for_room_ = false;          // To send.
  bool sent_end_ = false;
  bool received_end_ = false;
  bool ignores_rest_ = false;  // shutdown(SHUT_RD)
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_SIMULATED_SOCKET_H_
