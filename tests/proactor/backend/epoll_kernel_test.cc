// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/epoll_kernel.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "gtest/gtest.h"

namespace proactor {
namespace {

TEST(EpollKernelTest, WatchesReportsAndForgets) {
  EpollKernel& kernel = EpollKernel::Real();
  int epoll = kernel.Create();
  ASSERT_GE(epoll, 0);
  EXPECT_EQ(fcntl(epoll, F_GETFD), FD_CLOEXEC);
  int event = kernel.machine().OpenEvent();
  epoll_event wanted = {.events = EPOLLIN | EPOLLET, .data = {.fd = event}};
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_ADD, event, &wanted), -EEXIST);
  epoll_event events[4];
  EXPECT_EQ(kernel.WaitMilliseconds(epoll, events, 4, 0), 0);
  kernel.machine().AddEvent(event);
  EXPECT_EQ(kernel.WaitMilliseconds(epoll, events, 4, -1), 1);
  EXPECT_EQ(events[0].events, EPOLLIN);
  EXPECT_EQ(events[0].data.fd, event);
  kernel.machine().AddEvent(event);
  int count = kernel.Wait(epoll, events, 4, nullptr);
  EXPECT_TRUE(count == 1 || count == -ENOSYS) << count;
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_DEL, event, nullptr), 0);
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_DEL, event, nullptr), -ENOENT);
  kernel.machine().CloseEvent(event);
  kernel.Close(epoll);
  EXPECT_EQ(kernel.Control(epoll, EPOLL_CTL_DEL, event, nullptr), -EBADF);
}

TEST(EpollKernelTest, BelongsToTheRealMachine) {
  EXPECT_EQ(&EpollKernel::Real().machine(), &Machine::Real());
}

}  // namespace
}  // namespace proactor
