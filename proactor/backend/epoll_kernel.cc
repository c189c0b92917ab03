// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/epoll_kernel.h"

#include <unistd.h>

#include <cerrno>

namespace proactor {
namespace {

int OrErrno(int result) { return result >= 0 ? result : -errno; }

class RealEpollKernel final : public EpollKernel {
 public:
  int Create() override { return OrErrno(epoll_create1(EPOLL_CLOEXEC)); }
  int Control(int epoll, int operation, int fd, epoll_event* event) override {
    return OrErrno(epoll_ctl(epoll, operation, fd, event));
  }
  int Wait(int epoll, epoll_event* events, int size, const timespec* time) override {
    return OrErrno(epoll_pwait2(epoll, events, size, time, nullptr));
  }
  int WaitMilliseconds(int epoll, epoll_event* events, int size, int milliseconds) override {
    return OrErrno(epoll_wait(epoll, events, size, milliseconds));
  }
  void Close(int epoll) override { close(epoll); }
};

}  // namespace

EpollKernel& EpollKernel::Real() {
  static RealEpollKernel kernel;
  return kernel;
}

}  // namespace proactor
