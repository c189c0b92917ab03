// SPDX-License-Identifier: Apache-2.0
//
// EitherSystem: a fixture for tests of sockets that run twice: on the simulated system, and on the kernel, which says
// whether the simulation is right.
//
//   TEST_P(SimulatedSocketTest, SomethingThatLinuxDoes) {
//     auto [client, server] = Connected();
//     EXPECT_EQ(Send(client, "hello"), 5);
//     EXPECT_EQ(Receive(server), "hello");
//   }
//   INSTANTIATE_TEST_SUITE_P(, SimulatedSocketTest, EitherSystem::Both(), EitherSystem::Name);
#ifndef PROACTOR_TESTS_PROACTOR_BACKEND_EITHER_SYSTEM_H_
#define PROACTOR_TESTS_PROACTOR_BACKEND_EITHER_SYSTEM_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "proactor/backend/simulated_system.h"
#include "proactor/system.h"

namespace proactor {

// An address as a program passes it.
struct RawAddress {
  sockaddr_storage storage = {};
  socklen_t size = sizeof(storage);

  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  uint16_t port() const { return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port); }

  static RawAddress Ipv4(const char* text, uint16_t port = 0) {
    RawAddress address;
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(address.storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    inet_pton(AF_INET, text, &ipv4.sin_addr);
    address.size = sizeof(ipv4);
    return address;
  }
  static RawAddress Ipv6(const char* text, uint16_t port = 0) {
    RawAddress address;
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address.storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    inet_pton(AF_INET6, text, &ipv6.sin6_addr);
    address.size = sizeof(ipv6);
    return address;
  }

  std::string Ip() const {
    char text[INET6_ADDRSTRLEN] = "";
    if (family() == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof(text));
    } else {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof(text));
    }
    return text;
  }
};

class EitherSystem : public ::testing::TestWithParam<bool> {
 public:
  static auto Both() { return ::testing::Bool(); }
  static std::string Name(const ::testing::TestParamInfo<bool>& info) { return info.param ? "Simulated" : "Kernel"; }

 protected:
  static constexpr size_t kBufferSize = 10'000;

  void SetUp() override {
    if (simulated()) return;
    int probe = System::Real().Socket(AF_INET6, SOCK_STREAM, 0);
    if (probe < 0) GTEST_SKIP() << "no IPv6 here";
    RawAddress loopback = RawAddress::Ipv6("::1");
    int result = System::Real().Bind(probe, loopback.data(), loopback.size);
    System::Real().Close(probe);
    if (result < 0) GTEST_SKIP() << "no IPv6 loopback here";
  }

  void TearDown() override {
    for (int fd : std::set<int>(open_)) Close(fd);
    EXPECT_EQ(simulated_.open_descriptors(), 0) << simulated_.DescribeOpenDescriptors();
  }

  static bool simulated() { return GetParam(); }
  System& system() { return simulated() ? simulated_ : System::Real(); }
  SimulatedSystem& simulated_system() { return simulated_; }

  int Socket(int family = AF_INET) { return Opened(system().Socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0)); }
  int Close(int fd) {
    open_.erase(fd);
    return system().Close(fd);
  }
  int Bind(int fd, RawAddress address) { return system().Bind(fd, address.data(), address.size); }
  int Connect(int fd, RawAddress address) { return system().Connect(fd, address.data(), address.size); }
  int SetFlag(int fd, int level, int name) {
    int one = 1;
    return system().SetSocketOption(fd, level, name, &one, sizeof(one));
  }
  // The value, or -errno.
  int GetOption(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    int result = system().GetSocketOption(fd, level, name, &value, &size);
    return result < 0 ? result : value;
  }
  RawAddress NameOf(int fd) {
    RawAddress address;
    EXPECT_EQ(system().SocketName(fd, address.data(), &address.size), 0);
    return address;
  }
  int PeerNameOf(int fd, RawAddress& address) { return system().PeerName(fd, address.data(), &address.size); }
  int PeerNameOf(int fd) {
    RawAddress address;
    return PeerNameOf(fd, address);
  }

  int Listening(RawAddress address = RawAddress::Ipv4("127.0.0.1"), int backlog = 8) {
    int fd = Socket(address.family());
    EXPECT_EQ(Bind(fd, address), 0);
    EXPECT_EQ(system().Listen(fd, backlog), 0);
    return fd;
  }
  // Sends at once, so that the kernel's answers do not depend on its timers.
  int Connecting(RawAddress to) {
    int fd = Socket(to.family());
    EXPECT_EQ(SetFlag(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(Connect(fd, to), -EINPROGRESS);
    return fd;
  }
  int Accept(int listener) {
    return Opened(Settled([&] { return system().Accept(listener, nullptr, nullptr); }));
  }
  // A client and its server.
  std::pair<int, int> Connected() {
    int listener = Listening();
    std::pair<int, int> pair = ConnectedTo(listener);
    Close(listener);
    return pair;
  }
  std::pair<int, int> ConnectedTo(int listener) {
    int client = Connecting(NameOf(listener));
    int server = Accept(listener);
    EXPECT_EQ(Settled([&] { return Connect(client, NameOf(listener)); }), 0);
    return {client, server};
  }

  int Send(int fd, std::string_view bytes) { return system().Send(fd, bytes.data(), bytes.size()); }
  // What arrives, or the errno's name.
  std::string Receive(int fd, size_t size = 1000) {
    std::string buffer(size, '\0');
    int result = Settled([&] { return system().Receive(fd, buffer.data(), buffer.size()); });
    if (result < 0) return strerrorname_np(-result);
    buffer.resize(static_cast<size_t>(result));
    return buffer;
  }
  // Waits until the kernel has told this socket that its peer is gone.
  void AwaitHangUp(int fd) {
    pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLRDHUP, .revents = 0};
    if (!simulated()) poll(&poll_fd, 1, 5000);
  }
  // The kernel may need a moment: its answer when it has one. The simulation has none to wait for.
  int Settled(const std::function<int()>& call) {
    int result = call();
    for (int i = 0; i < 5000 && !simulated() && (result == -EAGAIN || result == -EALREADY); ++i) {
      poll(nullptr, 0, 1);
      result = call();
    }
    return result;
  }

 private:
  int Opened(int fd) {
    if (fd >= 0) open_.insert(fd);
    return fd;
  }

  SimulatedSystem simulated_{{.short_transfers = false, .interruptions = false, .buffer_size = kBufferSize}};
  std::set<int> open_;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_PROACTOR_BACKEND_EITHER_SYSTEM_H_
