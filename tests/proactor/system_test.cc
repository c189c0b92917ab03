// SPDX-License-Identifier: Apache-2.0
#include "proactor/system.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

#include "gtest/gtest.h"

namespace proactor {
namespace {

// The largest number that no process can have open.
constexpr int kNotOpen = 0x7fffffff;

bool ClosesOnExec(int fd) { return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

class SystemTest : public ::testing::Test {
 protected:
  // Fails the test, instead of ending it, when something raises SIGPIPE.
  SystemTest() {
    broken_pipes = 0;
    struct sigaction counts = {};
    counts.sa_handler = [](int) { broken_pipes = broken_pipes + 1; };
    sigaction(SIGPIPE, &counts, &before_);
  }
  ~SystemTest() override {
    sigaction(SIGPIPE, &before_, nullptr);
    EXPECT_EQ(broken_pipes, 0) << "A closed peer raised SIGPIPE.";
  }

  static std::string TemporaryPath(const std::string& name) { return ::testing::TempDir() + "/system_test_" + name; }

  System& system_ = System::Real();

 private:
  static inline volatile sig_atomic_t broken_pipes = 0;
  struct sigaction before_;
};

// Two connected sockets of this process.
class SocketSystemTest : public SystemTest {
 protected:
  SocketSystemTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_), 0);
    left_ = pair_[0];
    right_ = pair_[1];
  }
  ~SocketSystemTest() override {
    for (int fd : pair_) {
      if (fd >= 0) close(fd);
    }
  }

  int pair_[2];
  int left_;
  int right_;
};

TEST_F(SystemTest, IsOne) { EXPECT_EQ(&System::Real(), &System::Real()); }

// --- Signals. ---

TEST_F(SystemTest, SignalsAreBlockedAndRead) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ASSERT_EQ(system_.SetSignalMask(SIG_BLOCK, set, &before), 0);
  EXPECT_EQ(sigismember(&before, SIGUSR1), 0);
  int fd = system_.SignalDescriptor(set);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(ClosesOnExec(fd));
  signalfd_siginfo signal;
  EXPECT_EQ(system_.Read(fd, &signal, sizeof(signal), -1), -EAGAIN);
  kill(getpid(), SIGUSR1);
  EXPECT_EQ(system_.Read(fd, &signal, sizeof(signal), -1), static_cast<int>(sizeof(signal)));
  EXPECT_EQ(signal.ssi_signo, static_cast<uint32_t>(SIGUSR1));
  EXPECT_EQ(system_.Close(fd), 0);
  EXPECT_EQ(system_.SetSignalMask(SIG_SETMASK, before, nullptr), 0);
}

TEST_F(SystemTest, AMaskThatIsSetInNoKnownWayIsANegativeErrno) {
  sigset_t set;
  sigemptyset(&set);
  EXPECT_EQ(system_.SetSignalMask(1000, set, nullptr), -EINVAL);
}

// --- Sockets. ---

TEST_F(SystemTest, SocketsCloseOnExec) {
  int fd = system_.Socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(ClosesOnExec(fd));
  EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SystemTest, ASocketOfNoFamilyIsANegativeErrno) {
  EXPECT_EQ(system_.Socket(9999, SOCK_STREAM, 0), -EAFNOSUPPORT);
}

TEST_F(SystemTest, ConnectsOverLoopback) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  sockaddr* name = reinterpret_cast<sockaddr*>(&address);

  int listener = system_.Socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(listener, 0);
  ASSERT_EQ(system_.Bind(listener, name, size), 0);
  ASSERT_EQ(system_.Listen(listener, 1), 0);
  ASSERT_EQ(system_.SocketName(listener, name, &size), 0);
  EXPECT_NE(address.sin_port, 0);

  int client = system_.Socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_GE(client, 0);
  ASSERT_EQ(system_.Connect(client, name, size), 0);
  sockaddr_in peer = {};
  size = sizeof(peer);
  int server = system_.Accept(listener, reinterpret_cast<sockaddr*>(&peer), &size);
  ASSERT_GE(server, 0);
  EXPECT_TRUE(ClosesOnExec(server));
  EXPECT_EQ(size, sizeof(peer));

  sockaddr_in own = {};
  size = sizeof(own);
  EXPECT_EQ(system_.SocketName(client, reinterpret_cast<sockaddr*>(&own), &size), 0);
  EXPECT_EQ(own.sin_port, peer.sin_port);
  size = sizeof(own);
  EXPECT_EQ(system_.PeerName(server, reinterpret_cast<sockaddr*>(&own), &size), 0);
  EXPECT_EQ(own.sin_port, peer.sin_port);

  for (int fd : {listener, client, server}) EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SystemTest, AConnectionThatIsRefusedIsANegativeErrno) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  sockaddr* name = reinterpret_cast<sockaddr*>(&address);
  // Bound but not listening, so that the port is nobody else's.
  int bound = system_.Socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(system_.Bind(bound, name, size), 0);
  ASSERT_EQ(system_.SocketName(bound, name, &size), 0);
  int client = system_.Socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(system_.Connect(client, name, size), -ECONNREFUSED);
  for (int fd : {bound, client}) EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SystemTest, ASocketThatDoesNotBlockIsConnectedLater) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  sockaddr* name = reinterpret_cast<sockaddr*>(&address);
  int listener = system_.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  ASSERT_EQ(system_.Bind(listener, name, size), 0);
  ASSERT_EQ(system_.Listen(listener, 1), 0);
  ASSERT_EQ(system_.SocketName(listener, name, &size), 0);
  EXPECT_EQ(system_.Accept(listener, nullptr, nullptr), -EAGAIN);
  int client = system_.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  EXPECT_EQ(system_.Connect(client, name, size), -EINPROGRESS);
  int server = system_.Accept(listener, nullptr, nullptr);
  EXPECT_GE(server, 0);
  EXPECT_EQ(system_.Connect(client, name, size), 0) << "Calling it again tells the outcome.";
  for (int fd : {listener, client, server}) EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SystemTest, OptionsAreSetAndRead) {
  int fd = system_.Socket(AF_INET, SOCK_STREAM, 0);
  int value = 1;
  EXPECT_EQ(system_.SetSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)), 0);
  value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(system_.GetSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(size, sizeof(value));
  EXPECT_EQ(system_.SetSocketOption(fd, IPPROTO_TCP, 9999, &value, sizeof(value)), -ENOPROTOOPT);
  EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SocketSystemTest, WhatIsSentIsReceived) {
  EXPECT_EQ(system_.Send(left_, "hello", 5), 5);
  char buffer[16] = {};
  EXPECT_EQ(system_.Receive(right_, buffer, sizeof(buffer)), 5);
  EXPECT_STREQ(buffer, "hello");
}

TEST_F(SocketSystemTest, AMessageIsGatheredAndScattered) {
  char hello[] = "hello", world[] = "world";
  iovec sent[] = {{hello, 5}, {world, 5}};
  msghdr message = {};
  message.msg_iov = sent;
  message.msg_iovlen = 2;
  EXPECT_EQ(system_.SendMessage(left_, message, false), 10);
  char first[4] = {}, second[16] = {};
  iovec received[] = {{first, 3}, {second, 15}};
  message.msg_iov = received;
  EXPECT_EQ(system_.ReceiveMessage(right_, message), 10);
  EXPECT_STREQ(first, "hel");
  EXPECT_STREQ(second, "loworld");
  EXPECT_EQ(system_.ReceiveMessage(right_, message), -EAGAIN);
  EXPECT_EQ(system_.Close(std::exchange(pair_[1], -1)), 0);
  EXPECT_EQ(system_.SendMessage(left_, message, true), -EPIPE);
}

TEST_F(SocketSystemTest, ReceiveDoesNotBlock) {
  char buffer[16];
  EXPECT_EQ(system_.Receive(right_, buffer, sizeof(buffer)), -EAGAIN);
}

TEST_F(SocketSystemTest, SendDoesNotBlock) {
  const std::string bytes(1 << 16, 'x');
  int64_t sent = 0;
  int result;
  while ((result = system_.Send(left_, bytes.data(), bytes.size())) > 0) sent += result;
  EXPECT_EQ(result, -EAGAIN);
  EXPECT_GT(sent, 0);
}

TEST_F(SocketSystemTest, TheEndOfAStreamIsZeroBytes) {
  EXPECT_EQ(system_.Shutdown(left_, SHUT_WR), 0);
  char buffer[16];
  EXPECT_EQ(system_.Receive(right_, buffer, sizeof(buffer)), 0);
  EXPECT_EQ(system_.Send(right_, "back", 4), 4) << "Only one direction was shut.";
  EXPECT_EQ(system_.Receive(left_, buffer, sizeof(buffer)), 4);
}

TEST_F(SocketSystemTest, SendingToAClosedPeerRaisesNoSignal) {
  EXPECT_EQ(system_.Close(std::exchange(pair_[1], -1)), 0);
  EXPECT_EQ(system_.Send(left_, "hello", 5), -EPIPE);
}

TEST_F(SocketSystemTest, SendingAfterShutdownRaisesNoSignal) {
  EXPECT_EQ(system_.Shutdown(left_, SHUT_WR), 0);
  EXPECT_EQ(system_.Send(left_, "hello", 5), -EPIPE);
}

// --- Files. ---

TEST_F(SystemTest, FilesCloseOnExec) {
  std::string path = TemporaryPath("exec");
  int fd = system_.Open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(ClosesOnExec(fd));
  struct stat status;
  ASSERT_EQ(fstat(fd, &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(system_.Close(fd), 0);
  unlink(path.c_str());
}

TEST_F(SystemTest, AFileThatIsNotThereIsANegativeErrno) {
  EXPECT_EQ(system_.Open(TemporaryPath("missing").c_str(), O_RDONLY, 0), -ENOENT);
}

TEST_F(SystemTest, AnOffsetLeavesThePositionAlone) {
  std::string path = TemporaryPath("offset");
  int fd = system_.Open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(system_.Write(fd, "0123456789", 10, -1), 10);
  EXPECT_EQ(system_.Write(fd, "ab", 2, 3), 2);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);
  char buffer[16] = {};
  EXPECT_EQ(system_.Read(fd, buffer, 4, 2), 4);
  EXPECT_STREQ(buffer, "2ab5");
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);

  lseek(fd, 8, SEEK_SET);
  std::memset(buffer, 0, sizeof(buffer));
  EXPECT_EQ(system_.Read(fd, buffer, sizeof(buffer), -1), 2) << "-1 is the position.";
  EXPECT_STREQ(buffer, "89");
  EXPECT_EQ(system_.Read(fd, buffer, sizeof(buffer), -1), 0) << "The end.";
  EXPECT_EQ(system_.Read(fd, buffer, sizeof(buffer), 0), 10) << "0 is an offset.";
  EXPECT_EQ(system_.Close(fd), 0);
  unlink(path.c_str());
}

TEST_F(SystemTest, StatSeesWhatTruncateDid) {
  std::string path = TemporaryPath("truncate");
  int fd = system_.Open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(system_.Truncate(fd, int64_t{5} << 30), 0);
  struct statx result = {};
  EXPECT_EQ(system_.Stat(fd, STATX_SIZE, &result), 0);
  EXPECT_EQ(result.stx_size, uint64_t{5} << 30);
  EXPECT_EQ(system_.Truncate(fd, -1), -EINVAL);
  EXPECT_EQ(system_.Sync(fd, /*data_only=*/false), 0);
  EXPECT_EQ(system_.Sync(fd, /*data_only=*/true), 0);
  EXPECT_EQ(system_.Close(fd), 0);
  unlink(path.c_str());
}

TEST_F(SystemTest, APipeCannotBeSynced) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  EXPECT_EQ(system_.Sync(pipe[1], /*data_only=*/false), -EINVAL);
  EXPECT_EQ(system_.Sync(pipe[1], /*data_only=*/true), -EINVAL);
  for (int fd : pipe) EXPECT_EQ(system_.Close(fd), 0);
}

TEST_F(SystemTest, PipesAreReadAndWritten) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC | O_NONBLOCK), 0);
  char buffer[16] = {};
  EXPECT_EQ(system_.Read(pipe[0], buffer, sizeof(buffer), -1), -EAGAIN);
  EXPECT_EQ(system_.Write(pipe[1], "hello", 5, -1), 5);
  EXPECT_EQ(system_.Read(pipe[0], buffer, sizeof(buffer), -1), 5);
  EXPECT_STREQ(buffer, "hello");
  EXPECT_EQ(system_.Read(pipe[0], buffer, sizeof(buffer), 0), -ESPIPE) << "A pipe has no offsets.";
  EXPECT_EQ(system_.Close(pipe[1]), 0);
  EXPECT_EQ(system_.Read(pipe[0], buffer, sizeof(buffer), -1), 0);
  EXPECT_EQ(system_.Close(pipe[0]), 0);
}

TEST_F(SystemTest, PollingSaysWhatIsReadyAndDoesNotWait) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  EXPECT_EQ(system_.Poll(pipe[0], POLLIN), 0);
  EXPECT_EQ(system_.Poll(pipe[1], POLLIN | POLLOUT), POLLOUT);
  EXPECT_EQ(system_.Write(pipe[1], "x", 1, -1), 1);
  EXPECT_EQ(system_.Poll(pipe[0], POLLIN), POLLIN);
  EXPECT_EQ(system_.Close(pipe[0]), 0);
  EXPECT_EQ(system_.Poll(pipe[1], 0), POLLERR);
  EXPECT_EQ(system_.Close(pipe[1]), 0);
}

TEST_F(SystemTest, SplicingDoesNotWaitForRoom) {
  int pipe[2];
  ASSERT_EQ(pipe2(pipe, O_CLOEXEC), 0);
  int file = system_.Open("/proc/self/exe", O_RDONLY, 0);
  ASSERT_GE(file, 0);
  EXPECT_EQ(system_.Splice(file, pipe[1], 100), 100);
  int moved;
  while ((moved = system_.Splice(file, pipe[1], size_t{5} << 30)) > 0) {
  }
  EXPECT_EQ(moved, -EAGAIN);
  EXPECT_EQ(system_.Splice(file, file, 1), -EBADF) << "It is open for reading only.";
  EXPECT_EQ(system_.Close(file), 0);
  EXPECT_EQ(system_.Close(pipe[0]), 0);
  EXPECT_EQ(system_.Close(pipe[1]), 0);
}

// --- What every call does with a descriptor that is none. ---

TEST_F(SystemTest, ADescriptorThatIsNotOpenIsANegativeErrno) {
  char buffer[16] = {};
  sockaddr_storage storage = {};
  storage.ss_family = AF_INET;
  socklen_t size = sizeof(sockaddr_in);
  sockaddr* name = reinterpret_cast<sockaddr*>(&storage);
  int value = 0;
  socklen_t value_size = sizeof(value);
  struct statx status;
  EXPECT_EQ(system_.Bind(kNotOpen, name, size), -EBADF);
  EXPECT_EQ(system_.Listen(kNotOpen, 1), -EBADF);
  EXPECT_EQ(system_.Accept(kNotOpen, name, &size), -EBADF);
  EXPECT_EQ(system_.Connect(kNotOpen, name, size), -EBADF);
  EXPECT_EQ(system_.Receive(kNotOpen, buffer, sizeof(buffer)), -EBADF);
  EXPECT_EQ(system_.Send(kNotOpen, buffer, sizeof(buffer)), -EBADF);
  EXPECT_EQ(system_.Shutdown(kNotOpen, SHUT_RD), -EBADF);
  EXPECT_EQ(system_.SetSocketOption(kNotOpen, SOL_SOCKET, SO_REUSEADDR, &value, value_size), -EBADF);
  EXPECT_EQ(system_.GetSocketOption(kNotOpen, SOL_SOCKET, SO_ERROR, &value, &value_size), -EBADF);
  EXPECT_EQ(system_.SocketName(kNotOpen, name, &size), -EBADF);
  EXPECT_EQ(system_.PeerName(kNotOpen, name, &size), -EBADF);
  EXPECT_EQ(system_.Read(kNotOpen, buffer, sizeof(buffer), -1), -EBADF);
  EXPECT_EQ(system_.Read(kNotOpen, buffer, sizeof(buffer), 0), -EBADF);
  EXPECT_EQ(system_.Write(kNotOpen, buffer, sizeof(buffer), -1), -EBADF);
  EXPECT_EQ(system_.Write(kNotOpen, buffer, sizeof(buffer), 0), -EBADF);
  EXPECT_EQ(system_.Sync(kNotOpen, false), -EBADF);
  EXPECT_EQ(system_.Stat(kNotOpen, STATX_SIZE, &status), -EBADF);
  EXPECT_EQ(system_.Truncate(kNotOpen, 0), -EBADF);
  EXPECT_EQ(system_.Poll(kNotOpen, POLLIN), POLLNVAL);
  EXPECT_EQ(system_.Close(kNotOpen), -EBADF);
}

}  // namespace
}  // namespace proactor
