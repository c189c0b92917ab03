// SPDX-License-Identifier: Apache-2.0
//
// EpollKernel: the seam below EpollProactor: the system calls of epoll(7), and the machine that goes with them, so that
// a fake kernel can stand in.
//
//   EpollKernel& kernel = EpollKernel::Real();
//   int epoll = kernel.Create();
//   int result = kernel.Control(epoll, EPOLL_CTL_ADD, fd, &event);
//   int count = kernel.Wait(epoll, events, size, nullptr);
//
// Each call returns what the system call does, or -errno.
//
// Threads: any, for the real one.
#ifndef PROACTOR_BACKEND_EPOLL_KERNEL_H_
#define PROACTOR_BACKEND_EPOLL_KERNEL_H_

#include <sys/epoll.h>
#include <time.h>

#include "proactor/backend/machine.h"

namespace proactor {

class EpollKernel {
 public:
  static EpollKernel& Real();
  virtual ~EpollKernel() = default;

  virtual int Create() = 0;
  virtual int Control(int epoll, int operation, int fd, epoll_event* event) = 0;
  // epoll_pwait2(2), Linux 5.11. Without a time there is no end.
  virtual int Wait(int epoll, epoll_event* events, int size, const timespec* time) = 0;
  // epoll_wait(2). -1: without end.
  virtual int WaitMilliseconds(int epoll, epoll_event* events, int size, int milliseconds) = 0;
  virtual void Close(int epoll) = 0;

  virtual Machine& machine() { return Machine::Real(); }
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_EPOLL_KERNEL_H_
