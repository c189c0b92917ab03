// SPDX-License-Identifier: Apache-2.0
//
// FakeNonBlockingSystem: the calls of a SimulatedSystem, for a thread that must not block: what `System::NonBlocking`
// is to `System::Real`.
//
//   FakeNonBlockingSystem calls(system, {.pipes_know_nowait = false});
//   int result = calls.Open("file", O_RDONLY, 0);   // -EOPNOTSUPP: have a thread do it
//
// A file is read and written at once now and then, as the seed says; otherwise it would have to wait for its disk.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_NONBLOCKING_SYSTEM_H_
#define PROACTOR_BACKEND_FAKE_NONBLOCKING_SYSTEM_H_

#include <cerrno>

#include "proactor/backend/simulated_system.h"
#include "proactor/system.h"

namespace proactor {

struct FakeNonBlockingOptions {
  bool pipes_know_nowait = true;  // RWF_NOWAIT, Linux 6.4; -EOPNOTSUPP before.
};

class FakeNonBlockingSystem final : public System {
 public:
  // The system outlives this.
  explicit FakeNonBlockingSystem(SimulatedSystem& system, FakeNonBlockingOptions options = {})
      : to_(system), options_(options) {}

  bool may_block() const override { return false; }

  int Open(const char*, int, mode_t) override { return -EOPNOTSUPP; }
  int Sync(int, bool) override { return -EOPNOTSUPP; }
  int Truncate(int, int64_t) override { return -EOPNOTSUPP; }
  int Splice(int from, int pipe, size_t size) override;
  int Read(int fd, void* buffer, size_t size, int64_t offset) override;
  int Write(int fd, const void* bytes, size_t size, int64_t offset) override;

  // The rest never blocks.
  int Socket(int family, int type, int protocol) override { return to_.Socket(family, type, protocol); }
  int Bind(int fd, const sockaddr* address, socklen_t size) override { return to_.Bind(fd, address, size); }
  int Listen(int fd, int backlog) override { return to_.Listen(fd, backlog); }
  int Accept(int fd, sockaddr* address, socklen_t* size) override { return to_.Accept(fd, address, size); }
  int Connect(int fd, const sockaddr* address, socklen_t size) override { return to_.Connect(fd, address, size); }
  int Receive(int fd, void* buffer, size_t size) override { return to_.Receive(fd, buffer, size); }
  int Send(int fd, const void* bytes, size_t size) override { return to_.Send(fd, bytes, size); }
  int ReceiveMessage(int fd, msghdr& message) override { return to_.ReceiveMessage(fd, message); }
  int SendMessage(int fd, const msghdr& message, bool more) override { return to_.SendMessage(fd, message, more); }
  int Shutdown(int fd, int how) override { return to_.Shutdown(fd, how); }
  int SetSocketOption(int fd, int level, int name, const void* value, socklen_t size) override {
    return to_.SetSocketOption(fd, level, name, value, size);
  }
  int GetSocketOption(int fd, int level, int name, void* value, socklen_t* size) override {
    return to_.GetSocketOption(fd, level, name, value, size);
  }
  int SocketName(int fd, sockaddr* address, socklen_t* size) override { return to_.SocketName(fd, address, size); }
  int PeerName(int fd, sockaddr* address, socklen_t* size) override { return to_.PeerName(fd, address, size); }
  int Stat(int fd, unsigned mask, struct statx* result) override { return to_.Stat(fd, mask, result); }
  int Poll(int fd, short events) override { return to_.Poll(fd, events); }
  int SetSignalMask(int how, const sigset_t& signals, sigset_t* before) override {
    return to_.SetSignalMask(how, signals, before);
  }
  int SignalDescriptor(const sigset_t& signals) override { return to_.SignalDescriptor(signals); }
  int Close(int fd) override { return to_.Close(fd); }

 private:
  // Why a read or write cannot take place without waiting, though it may be possible; 0 if it can.
  int Refusal(int fd);

  SimulatedSystem& to_;
  const FakeNonBlockingOptions options_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_NONBLOCKING_SYSTEM_H_
