// SPDX-License-Identifier: Apache-2.0
#include "proactor/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/descriptor.h"
#include "proactor/errors.h"
#include "proactor/net/address.h"
#include "proactor/system.h"
#include "proactor/testing/status_matchers.h"

namespace proactor::internal {
namespace {

using ::testing::HasSubstr;

// On the real system, and on the simulated one.
class SocketTest : public ::testing::TestWithParam<bool> {
 protected:
  System& system() { return GetParam() ? System::Real() : simulated_; }

 private:
  SimulatedSystem simulated_{{.interruptions = false}};
};

TEST_P(SocketTest, IsClosedByItsOwner) {
  int number = -1;
  {
    absl::StatusOr<OwnedDescriptor> socket = MakeSocket(system(), AF_INET, SOCK_STREAM);
    ASSERT_THAT(socket, IsOk());
    EXPECT_EQ((*socket)->kind, DescriptorKind::kSocket);
    number = (*socket)->number;
  }
  EXPECT_EQ(system().Close(number), -EBADF);
}

TEST_P(SocketTest, AnUnknownFamilyIsAFailureOfSocket) {
  absl::StatusOr<OwnedDescriptor> socket = MakeSocket(system(), 12345, SOCK_STREAM);
  EXPECT_THAT(std::string(socket.status().message()), HasSubstr("socket: "));
  EXPECT_NE(ErrnoOf(socket.status()), 0);
}

TEST_P(SocketTest, OptionsAreSetAndAFailureNamesTheOption) {
  absl::StatusOr<OwnedDescriptor> socket = MakeSocket(system(), AF_INET, SOCK_STREAM);
  ASSERT_THAT(socket, IsOk());
  const Descriptor& descriptor = *socket->get();
  EXPECT_THAT(SetOption(descriptor, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"), IsOk());
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(system().GetSocketOption(descriptor.number, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  EXPECT_NE(value, 0);
  absl::Status status = SetOption(descriptor, IPPROTO_TCP, 9999, 1, "TCP_UNHEARD_OF");
  EXPECT_EQ(ErrnoOf(status), ENOPROTOOPT);
  EXPECT_THAT(std::string(status.message()), HasSubstr("setsockopt TCP_UNHEARD_OF: "));
}

TEST_P(SocketTest, KnowsItsOwnAddressAndThatItHasNoPeer) {
  absl::StatusOr<OwnedDescriptor> socket = MakeSocket(system(), AF_INET, SOCK_STREAM);
  ASSERT_THAT(socket, IsOk());
  const Descriptor& descriptor = *socket->get();
  SocketAddress wanted = SocketAddress::Loopback(0);
  ASSERT_EQ(system().Bind(descriptor.number, wanted.data(), wanted.size()), 0);
  absl::StatusOr<SocketAddress> address = LocalAddressOf(descriptor);
  ASSERT_THAT(address, IsOk());
  EXPECT_EQ(*address, SocketAddress::Loopback(address->port()));
  EXPECT_NE(address->port(), 0);
  absl::StatusOr<SocketAddress> peer = PeerAddressOf(descriptor);
  EXPECT_EQ(ErrnoOf(peer.status()), ENOTCONN);
  EXPECT_THAT(std::string(peer.status().message()), HasSubstr("getpeername: "));
}

INSTANTIATE_TEST_SUITE_P(Real, SocketTest, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Simulated, SocketTest, ::testing::Values(false));

}  // namespace
}  // namespace proactor::internal
