// SPDX-License-Identifier: Apache-2.0
#include "proactor/system.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace proactor {
namespace {

int OrErrno(ssize_t result) { return result >= 0 ? static_cast<int>(result) : -errno; }

size_t Capped(size_t size) { return std::min(size, kLargestTransfer); }

class RealSystem : public System {
 public:
  int Socket(int family, int type, int protocol) override {
    return OrErrno(socket(family, type | SOCK_CLOEXEC, protocol));
  }
  int Bind(int fd, const sockaddr* address, socklen_t size) override { return OrErrno(bind(fd, address, size)); }
  int Listen(int fd, int backlog) override { return OrErrno(listen(fd, backlog)); }
  int Accept(int fd, sockaddr* address, socklen_t* size) override {
    return OrErrno(accept4(fd, address, size, SOCK_CLOEXEC));
  }
  int Connect(int fd, const sockaddr* address, socklen_t size) override { return OrErrno(connect(fd, address, size)); }
  int Receive(int fd, void* buffer, size_t size) override {
    return OrErrno(recv(fd, buffer, Capped(size), MSG_DONTWAIT));
  }
  int Send(int fd, const void* bytes, size_t size) override {
    return OrErrno(send(fd, bytes, Capped(size), MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  int ReceiveMessage(int fd, msghdr& message) override { return OrErrno(recvmsg(fd, &message, MSG_DONTWAIT)); }
  int SendMessage(int fd, const msghdr& message, bool more) override {
    return OrErrno(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
  }
  int Shutdown(int fd, int how) override { return OrErrno(shutdown(fd, how)); }
  int SetSocketOption(int fd, int level, int name, const void* value, socklen_t size) override {
    return OrErrno(setsockopt(fd, level, name, value, size));
  }
  int GetSocketOption(int fd, int level, int name, void* value, socklen_t* size) override {
    return OrErrno(getsockopt(fd, level, name, value, size));
  }
  int SocketName(int fd, sockaddr* address, socklen_t* size) override {
    return OrErrno(getsockname(fd, address, size));
  }
  int PeerName(int fd, sockaddr* address, socklen_t* size) override { return OrErrno(getpeername(fd, address, size)); }

  int Open(const char* path, int flags, mode_t mode) override { return OrErrno(open(path, flags | O_CLOEXEC, mode)); }
  int Read(int fd, void* buffer, size_t size, int64_t offset) override {
    return OrErrno(offset < 0 ? read(fd, buffer, Capped(size)) : pread(fd, buffer, Capped(size), offset));
  }
  int Write(int fd, const void* bytes, size_t size, int64_t offset) override {
    return OrErrno(offset < 0 ? write(fd, bytes, Capped(size)) : pwrite(fd, bytes, Capped(size), offset));
  }
  int Sync(int fd, bool data_only) override { return OrErrno(data_only ? fdatasync(fd) : fsync(fd)); }
  int Stat(int fd, unsigned mask, struct statx* result) override {
    return OrErrno(statx(fd, "", AT_EMPTY_PATH, mask, result));
  }
  int Truncate(int fd, int64_t size) override { return OrErrno(ftruncate(fd, size)); }
  int Splice(int from, int pipe, size_t size) override {
    return OrErrno(splice(from, nullptr, pipe, nullptr, Capped(size), SPLICE_F_NONBLOCK));
  }

  int Poll(int fd, short events) override {
    pollfd asked = {fd, events, 0};
    int result = OrErrno(poll(&asked, 1, 0));
    return result < 0 ? result : asked.revents;
  }

  int SetSignalMask(int how, const sigset_t& signals, sigset_t* before) override {
    return -pthread_sigmask(how, &signals, before);  // Which yields the error, as threads do.
  }
  int SignalDescriptor(const sigset_t& signals) override {
    return OrErrno(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  // Not repeated after EINTR: Linux has closed the descriptor by then, and the number may be someone else's (close(2)).
  int Close(int fd) override {
    int result = OrErrno(close(fd));
    return result == -EINTR ? 0 : result;
  }
};

// RWF_NOWAIT: Linux 4.14 for reads of files; sockets, pipes (6.4) and more followed. Terminals and /proc lack it.
class NonBlockingSystem final : public RealSystem {
 public:
  bool may_block() const override { return false; }

  int Socket(int family, int type, int protocol) override {
    return RealSystem::Socket(family, type | SOCK_NONBLOCK, protocol);
  }
  int Read(int fd, void* buffer, size_t size, int64_t offset) override {
    iovec part = {buffer, Capped(size)};
    return OrErrno(preadv2(fd, &part, 1, std::max<int64_t>(offset, -1), RWF_NOWAIT));
  }
  int Write(int fd, const void* bytes, size_t size, int64_t offset) override {
    iovec part = {const_cast<void*>(bytes), Capped(size)};
    return OrErrno(pwritev2(fd, &part, 1, std::max<int64_t>(offset, -1), RWF_NOWAIT));
  }
  int Open(const char*, int, mode_t) override { return -EOPNOTSUPP; }
  int Sync(int, bool) override { return -EOPNOTSUPP; }
  int Truncate(int, int64_t) override { return -EOPNOTSUPP; }
  // May have to read from the disk. The wrong end of a pipe is told at once: it would never have room.
  int Splice(int, int pipe, size_t) override {
    return (fcntl(pipe, F_GETFL) & O_ACCMODE) == O_RDONLY ? -EBADF : -EOPNOTSUPP;
  }
};

}  // namespace

System& System::NonBlocking() {
  static NonBlockingSystem system;
  return system;
}

System& System::Real() {
  static RealSystem system;
  return system;
}

}  // namespace proactor
