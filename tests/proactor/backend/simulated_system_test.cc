// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "tests/proactor/backend/either_system.h"

namespace proactor {
namespace {

using ::testing::HasSubstr;

constexpr SimulationOptions kReliable = {.short_transfers = false, .interruptions = false};

int TcpSocket(System& system) { return system.Socket(AF_INET, SOCK_STREAM, 0); }

TEST(SimulatedSystemTest, DescriptorsAreTheLowestFreeNumbers) {
  SimulatedSystem system(kReliable);
  EXPECT_EQ(TcpSocket(system), 3);
  EXPECT_EQ(TcpSocket(system), 4);
  EXPECT_EQ(system.Open("file", O_RDWR | O_CREAT, 0644), 5);
  EXPECT_EQ(system.Close(3), 0);
  EXPECT_EQ(system.Close(4), 0);
  EXPECT_EQ(TcpSocket(system), 3);
  EXPECT_EQ(TcpSocket(system), 4);
  EXPECT_EQ(TcpSocket(system), 6);
}

TEST(SimulatedSystemTest, OpenDescriptorsAreCountedAndNamed) {
  SimulatedSystem system(kReliable);
  EXPECT_EQ(system.open_descriptors(), 0);
  system.WriteFile("notes", "x");
  int file = system.Open("notes", O_RDONLY, 0);
  int socket = TcpSocket(system);
  RawAddress address = RawAddress::Ipv4("127.0.0.1", 80);
  EXPECT_EQ(system.Bind(socket, address.data(), address.size), 0);
  EXPECT_EQ(system.Listen(socket, 1), 0);
  EXPECT_EQ(system.open_descriptors(), 2);
  EXPECT_EQ(system.DescribeOpenDescriptors(), "3: file notes\n4: socket listening on 127.0.0.1:80\n");
  EXPECT_EQ(system.Close(file), 0);
  EXPECT_EQ(system.Close(socket), 0);
  EXPECT_EQ(system.open_descriptors(), 0);
}

TEST(SimulatedSystemTest, WhatIsNotOpenIsABadDescriptor) {
  SimulatedSystem system(kReliable);
  char byte;
  struct statx facts;
  for (int fd : {-1, 3, 1000}) {
    EXPECT_EQ(system.Close(fd), -EBADF);
    EXPECT_EQ(system.Read(fd, &byte, 1, -1), -EBADF);
    EXPECT_EQ(system.Write(fd, &byte, 1, -1), -EBADF);
    EXPECT_EQ(system.Receive(fd, &byte, 1), -EBADF);
    EXPECT_EQ(system.Accept(fd, nullptr, nullptr), -EBADF);
    EXPECT_EQ(system.Shutdown(fd, SHUT_WR), -EBADF);
    EXPECT_EQ(system.Stat(fd, STATX_BASIC_STATS, &facts), -EBADF);
    EXPECT_EQ(system.Sync(fd, false), -EBADF);
    EXPECT_EQ(system.Splice(fd, 1, 1), -EBADF);
    EXPECT_EQ(system.Splice(0, fd, 1), -EBADF);
  }
}

TEST(SimulatedSystemTest, AFileIsNotASocket) {
  SimulatedSystem system(kReliable);
  int file = system.Open("file", O_RDWR | O_CREAT, 0644);
  char byte = 'x';
  RawAddress address = RawAddress::Ipv4("127.0.0.1", 80);
  EXPECT_EQ(system.Receive(file, &byte, 1), -ENOTSOCK);
  EXPECT_EQ(system.Send(file, &byte, 1), -ENOTSOCK);
  EXPECT_EQ(system.Bind(file, address.data(), address.size), -ENOTSOCK);
  EXPECT_EQ(system.Connect(file, address.data(), address.size), -ENOTSOCK);
  EXPECT_EQ(system.Shutdown(file, SHUT_WR), -ENOTSOCK);
  EXPECT_EQ(system.SocketName(file, address.data(), &address.size), -ENOTSOCK);
}

TEST(SimulatedSystemTest, ASocketIsNotAFile) {
  SimulatedSystem system(kReliable);
  int socket = TcpSocket(system);
  char byte = 'x';
  EXPECT_EQ(system.Read(socket, &byte, 1, 0), -ESPIPE);
  EXPECT_EQ(system.Read(socket, &byte, 1, -1), -ENOTCONN);
  EXPECT_EQ(system.Sync(socket, false), -EINVAL);
  EXPECT_EQ(system.Truncate(socket, 0), -EINVAL);
  struct statx facts;
  EXPECT_EQ(system.Stat(socket, STATX_BASIC_STATS, &facts), 0);
  EXPECT_TRUE(S_ISSOCK(facts.stx_mode));
}

TEST(SimulatedSystemTest, OnlyStreamsOfTheInternetAreKnown) {
  SimulatedSystem system(kReliable);
  EXPECT_EQ(system.Socket(AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
  EXPECT_EQ(system.Socket(AF_INET, SOCK_DGRAM, 0), -ESOCKTNOSUPPORT);
  EXPECT_EQ(system.Socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
  EXPECT_GE(system.Socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP), 0);
}

TEST(SimulatedSystemTest, DescriptorsRunOut) {
  SimulatedSystem system({.short_transfers = false, .interruptions = false, .descriptor_limit = 5});
  EXPECT_EQ(TcpSocket(system), 3);
  EXPECT_EQ(TcpSocket(system), 4);
  EXPECT_EQ(TcpSocket(system), -EMFILE);
  EXPECT_EQ(system.Open("file", O_RDWR | O_CREAT, 0644), -EMFILE);
  EXPECT_EQ(system.ReadFile("file"), std::nullopt);
  EXPECT_EQ(system.Close(3), 0);
  EXPECT_EQ(TcpSocket(system), 3);
}

TEST(SimulatedSystemTest, AConnectionWaitsWhileDescriptorsHaveRunOut) {
  SimulatedSystem system({.short_transfers = false, .interruptions = false, .descriptor_limit = 5});
  int listener = TcpSocket(system);
  RawAddress address = RawAddress::Ipv4("127.0.0.1", 80);
  EXPECT_EQ(system.Bind(listener, address.data(), address.size), 0);
  EXPECT_EQ(system.Listen(listener, 1), 0);
  int client = TcpSocket(system);
  EXPECT_EQ(system.Connect(client, address.data(), address.size), -EINPROGRESS);
  EXPECT_EQ(system.Connect(client, address.data(), address.size), 0);
  EXPECT_EQ(system.Accept(listener, nullptr, nullptr), -EMFILE);
  EXPECT_EQ(system.Send(client, "x", 1), 1);
  EXPECT_EQ(system.Close(client), 0);
  EXPECT_EQ(system.Accept(listener, nullptr, nullptr), 4);
}

TEST(SimulatedSystemTest, CallsFailOnDemandAndDoNothing) {
  SimulatedSystem system(kReliable);
  int file = system.Open("file", O_RDWR | O_CREAT, 0644);
  system.FailNext(SimulatedCall::kWrite, ENOSPC, 2);
  system.FailNext(SimulatedCall::kSync, EIO);
  system.FailNext(SimulatedCall::kOpen, EMFILE);
  system.FailNext(SimulatedCall::kSocket, ENOBUFS);
  EXPECT_EQ(system.Write(file, "x", 1, -1), -ENOSPC);
  EXPECT_EQ(system.Write(file, "x", 1, -1), -ENOSPC);
  EXPECT_EQ(system.Write(file, "x", 1, -1), 1);
  EXPECT_EQ(system.Sync(file, false), -EIO);
  EXPECT_EQ(system.Sync(file, false), 0);
  EXPECT_EQ(system.Open("other", O_RDWR | O_CREAT, 0644), -EMFILE);
  EXPECT_EQ(TcpSocket(system), -ENOBUFS);
  EXPECT_EQ(system.ReadFile("file"), "x");
  EXPECT_EQ(system.ReadFile("other"), std::nullopt);
}

TEST(SimulatedSystemTest, ACloseThatFailsClosesAllTheSame) {
  SimulatedSystem system(kReliable);
  int file = system.Open("file", O_RDWR | O_CREAT, 0644);
  system.FailNext(SimulatedCall::kClose, EIO);
  EXPECT_EQ(system.Close(file), -EIO);
  EXPECT_EQ(system.Close(file), -EBADF);
  EXPECT_EQ(system.open_descriptors(), 0);
}

TEST(SimulatedSystemTest, StandardInputEndsAtOnceUnlessItIsFed) {
  SimulatedSystem system(kReliable);
  char buffer[10];
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), 0);
  system.SetStandardInput("hello");
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), 5);
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), 0);
  system.FeedStandardInput("more");
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), 4);
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), -EAGAIN);
  system.EndStandardInput();
  EXPECT_EQ(system.Read(0, buffer, sizeof(buffer), -1), 0);
}

TEST(SimulatedSystemTest, StandardOutputsTakeEverything) {
  SimulatedSystem system(kReliable);
  std::string much(1'000'000, 'x');
  EXPECT_EQ(system.Write(1, much.data(), much.size(), -1), 1'000'000);
  EXPECT_EQ(system.Write(2, "oops", 4, -1), 4);
  EXPECT_EQ(system.standard_output(), much);
  EXPECT_EQ(system.standard_error(), "oops");
  EXPECT_EQ(system.Close(1), 0);
  EXPECT_EQ(system.open_descriptors(), 0);
  EXPECT_EQ(TcpSocket(system), 1);
  EXPECT_EQ(system.open_descriptors(), 1);
}

TEST(SimulatedSystemTest, PipesAreMadeForTests) {
  SimulatedSystem system(kReliable);
  auto [reader, writer] = system.MakePipe();
  EXPECT_EQ(system.Write(writer, "x", 1, -1), 1);
  EXPECT_EQ(system.Close(writer), 0);
  char buffer[10];
  EXPECT_EQ(system.Read(reader, buffer, sizeof(buffer), -1), 1);
  EXPECT_EQ(system.Read(reader, buffer, sizeof(buffer), -1), 0);
}

TEST(SimulatedSystemTest, FilesAndPipesAreSplicedIntoPipesOnly) {
  SimulatedSystem system(kReliable);
  system.WriteFile("file", "0123456789");
  int file = system.Open("file", O_RDWR, 0);
  auto [reader, writer] = system.MakePipe();
  EXPECT_EQ(system.Splice(file, writer, 4), 4);
  EXPECT_EQ(system.Splice(file, writer, 100), 6);
  EXPECT_EQ(system.Splice(file, writer, 100), 0);
  EXPECT_EQ(system.Splice(reader, STDOUT_FILENO, 7), 7);
  EXPECT_EQ(system.standard_output(), "0123456");
  EXPECT_EQ(system.Splice(reader, file, 1), -EINVAL);
  EXPECT_EQ(system.Splice(writer, STDOUT_FILENO, 1), -EBADF);
}

TEST(SimulatedSystemTest, PollingSaysWhatIsReady) {
  SimulatedSystem system;
  system.WriteFile("file", "x");
  int file = system.Open("file", O_RDWR, 0);
  EXPECT_EQ(system.Poll(file, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT) << "always";
  EXPECT_EQ(system.Poll(0, POLLIN), POLLHUP);
  system.FeedStandardInput("bytes");
  EXPECT_EQ(system.Poll(0, POLLIN), POLLIN);
  EXPECT_EQ(system.Poll(0, 0), 0);
  EXPECT_EQ(system.Poll(12345, POLLIN), POLLNVAL);
  EXPECT_EQ(system.DescriptionOf(12345), nullptr);
  EXPECT_EQ(system.DescriptionOf(file)->Describe(), "file file");
  EXPECT_EQ(system.Close(file), 0);
}

TEST(SimulatedSystemTest, ACallThatHasToWaitChangesNothing) {
  SimulatedSystem system(kReliable);
  auto [reader, writer] = system.MakePipe();
  char byte = 'x';
  uint64_t before = system.changes();
  EXPECT_EQ(system.Read(reader, &byte, 1, -1), -EAGAIN);
  EXPECT_EQ(system.changes(), before);
  EXPECT_EQ(system.Write(writer, &byte, 1, -1), 1);
  EXPECT_GT(system.changes(), before);
}

// What a stream of bytes goes through: results of reads and writes until all is there.
std::vector<int> Transfer(uint64_t seed) {
  SimulatedSystem system({.seed = seed, .buffer_size = 1000});
  auto [reader, writer] = system.MakePipe();
  std::string bytes(20'000, 'x');
  std::string buffer(3000, '\0');
  std::vector<int> results;
  size_t written = 0;
  size_t read = 0;
  while (read < bytes.size()) {
    results.push_back(system.Write(writer, bytes.data() + written, bytes.size() - written, -1));
    if (results.back() > 0) written += static_cast<size_t>(results.back());
    results.push_back(system.Read(reader, buffer.data(), buffer.size(), -1));
    if (results.back() > 0) read += static_cast<size_t>(results.back());
  }
  EXPECT_EQ(read, written);
  return results;
}

TEST(SimulatedSystemTest, TheSeedDecides) {
  EXPECT_EQ(Transfer(1), Transfer(1));
  EXPECT_NE(Transfer(1), Transfer(2));
}

TEST(SimulatedSystemTest, AllThatMayHappenDoes) {
  std::map<int, int> counts;
  bool is_short = false;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    for (int result : Transfer(seed)) {
      if (result < 0) ++counts[result];
      is_short |= result > 0 && result < 1000;
    }
  }
  EXPECT_TRUE(is_short);
  EXPECT_GT(counts[-EINTR], 0);
  EXPECT_GT(counts[-EAGAIN], 0);
  EXPECT_EQ(counts.size(), 2);
}

TEST(SimulatedSystemTest, CallsAreInterruptedNowAndThen) {
  SimulatedSystem system({.short_transfers = false});
  int file = system.Open("file", O_RDWR | O_CREAT, 0644);
  while (file < 0) file = system.Open("file", O_RDWR | O_CREAT, 0644);
  int interrupted = 0;
  int written = 0;
  for (int i = 0; i < 1000; ++i) {
    int result = system.Write(file, "x", 1, -1);
    ++(result == -EINTR ? interrupted : written);
  }
  EXPECT_GT(interrupted, 30);
  EXPECT_LT(interrupted, 100);
  EXPECT_EQ(system.ReadFile("file"), std::string(static_cast<size_t>(written), 'x'));
}

}  // namespace
}  // namespace proactor
