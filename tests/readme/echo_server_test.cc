// SPDX-License-Identifier: Apache-2.0
//
// README.md's echo server, as a process.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/descriptor.h"
#include "tests/support/child_process.h"

namespace proactor {
namespace {

class EchoServerTest : public ::testing::Test {
 protected:
  // The port stays bound here, without a listener, so that nobody else is given it; the server may bind it too, because
  // both set SO_REUSEADDR.
  EchoServerTest() : reservation_(Socket()) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    setsockopt(reservation_->number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    socklen_t size = sizeof(address_);
    if (bind(reservation_->number, Address(), size) < 0 || getsockname(reservation_->number, Address(), &size) < 0) {
      ADD_FAILURE() << "no port: " << std::strerror(errno);
    }
    server_ = std::make_unique<ChildProcess>(
        Command{.program = "tests/readme/echo_server_on_any_port",
                .environment = {"ECHO_PORT=" + std::to_string(ntohs(address_.sin_port))}});
  }

  // A connection, as soon as the server listens.
  OwnedDescriptor Connect() {
    absl::Time deadline = absl::Now() + kPatience;
    while (absl::Now() < deadline) {
      OwnedDescriptor connection = Socket();
      if (connect(connection->number, Address(), sizeof(address_)) == 0) return connection;
      poll(nullptr, 0, 1);
    }
    ADD_FAILURE() << "the server does not listen";
    return {};
  }

 private:
  static OwnedDescriptor Socket() { return Own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
  sockaddr* Address() { return reinterpret_cast<sockaddr*>(&address_); }

  sockaddr_in address_ = {};
  OwnedDescriptor reservation_;
  std::unique_ptr<ChildProcess> server_;
};

TEST_F(EchoServerTest, SendsBackWhatItReceives) {
  OwnedDescriptor connection = Connect();
  ASSERT_TRUE(connection);
  for (const std::string& text : {std::string("hello"), std::string(10'000, 'x')}) {
    WriteTo(connection->number, text);
    ASSERT_EQ(ReadFrom(connection->number, text.size()), text);
  }
}

TEST_F(EchoServerTest, ServesManyAndOutlivesAConnectionThatFails) {
  OwnedDescriptor first = Connect();
  OwnedDescriptor second = Connect();
  ASSERT_TRUE(first && second);
  linger reset = {1, 0};
  setsockopt(first->number, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  first = OwnedDescriptor();

  for (const OwnedDescriptor& connection : {Connect(), std::move(second)}) {
    WriteTo(connection->number, "still there?");
    ASSERT_EQ(ReadFrom(connection->number, 12), "still there?");
  }
}

}  // namespace
}  // namespace proactor
