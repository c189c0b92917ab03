// SPDX-License-Identifier: Apache-2.0
//
// System: every system call that an operation or a resource makes outside the ring.
//
//   int fd = system.Socket(AF_INET, SOCK_STREAM, 0);
//   if (fd < 0) return ErrnoToStatus(-fd, "socket");
//
// `System::Real()` is the kernel's; `SimulatedSystem` (backend/simulated_system.h) keeps sockets and files in memory.
// Code above this line never calls the kernel itself, so all of it can be simulated.
//
// Calls return what the system call of that name returns, or -errno. They do not block: transfers on sockets are made
// with MSG_DONTWAIT and yield -EAGAIN where they would wait; `Read` and `Write` are for descriptors that cannot wait,
// or that are ready. Descriptors are made close-on-exec. A socket whose peer is gone raises no signal (MSG_NOSIGNAL); a
// pipe that nobody reads raises SIGPIPE, as for any write(2).
//
// Threads: the real system may be used from any; a simulated one belongs to its world.
#ifndef PROACTOR_SYSTEM_H_
#define PROACTOR_SYSTEM_H_

#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

struct statx;

namespace proactor {

class System {
 public:
  static System& Real();

  // The kernel's, for a thread that must not block: sockets are made non-blocking; `Read` and `Write` yield -EAGAIN
  // where they would wait, for a peer or for a disk; what may block and cannot be asked not to yields -EOPNOTSUPP.
  static System& NonBlocking();

  // Whether calls may block, as everywhere but in `NonBlocking`.
  virtual bool may_block() const { return true; }

  virtual ~System() = default;

  // Sockets.
  virtual int Socket(int family, int type, int protocol) = 0;
  virtual int Bind(int fd, const sockaddr* address, socklen_t size) = 0;
  virtual int Listen(int fd, int backlog) = 0;
  virtual int Accept(int fd, sockaddr* address, socklen_t* size) = 0;
  // -EINPROGRESS when started, -EALREADY while going on; calling it again later tells the outcome.
  virtual int Connect(int fd, const sockaddr* address, socklen_t size) = 0;
  virtual int Receive(int fd, void* buffer, size_t size) = 0;
  virtual int Send(int fd, const void* bytes, size_t size) = 0;
  // The same for several buffers. `more`: other bytes follow at once, and may share a packet with these.
  virtual int ReceiveMessage(int fd, msghdr& message) = 0;
  virtual int SendMessage(int fd, const msghdr& message, bool more) = 0;
  virtual int Shutdown(int fd, int how) = 0;
  virtual int SetSocketOption(int fd, int level, int name, const void* value, socklen_t size) = 0;
  virtual int GetSocketOption(int fd, int level, int name, void* value, socklen_t* size) = 0;
  virtual int SocketName(int fd, sockaddr* address, socklen_t* size) = 0;
  virtual int PeerName(int fd, sockaddr* address, socklen_t* size) = 0;

  // Files. An offset of -1 is the descriptor's own position, which then moves.
  virtual int Open(const char* path, int flags, mode_t mode) = 0;
  virtual int Read(int fd, void* buffer, size_t size, int64_t offset) = 0;
  virtual int Write(int fd, const void* bytes, size_t size, int64_t offset) = 0;
  virtual int Sync(int fd, bool data_only) = 0;
  virtual int Stat(int fd, unsigned mask, struct statx* result) = 0;
  virtual int Truncate(int fd, int64_t size) = 0;
  // Moves bytes from one descriptor's position into a pipe without copying them. -EAGAIN while the pipe is full.
  virtual int Splice(int from, int pipe, size_t size) = 0;

  // Which of these events (poll(2)) there are now, and of POLLERR, POLLHUP and POLLNVAL; does not wait for one.
  virtual int Poll(int fd, short events) = 0;

  // Signals. The mask is the calling thread's (pthread_sigmask(3)); `before` may be null. The descriptor is a
  // non-blocking signalfd(2).
  virtual int SetSignalMask(int how, const sigset_t& signals, sigset_t* before) = 0;
  virtual int SignalDescriptor(const sigset_t& signals) = 0;

  virtual int Close(int fd) = 0;
};

// The most that one transfer moves: what Linux caps read(2) and write(2) at (MAX_RW_COUNT), so that a count fits an
// int.
inline constexpr size_t kLargestTransfer = 0x7ffff000;

}  // namespace proactor

#endif  // PROACTOR_SYSTEM_H_
