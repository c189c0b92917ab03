// SPDX-License-Identifier: Apache-2.0
#include "tests/net/connection.h"

#include "proactor/task_group.h"

namespace proactor {

Task<absl::StatusOr<Connection>> Connect() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  Connection connection;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto accept = [&]() -> Task<absl::Status> {
      connection.server = co_await Try(listener.Accept());
      co_return absl::OkStatus();
    };
    group.Spawn(accept());
    connection.client = co_await Try(TcpStream::Connect(address));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  co_await Try(WithTaskGroup(body));
  co_return connection;
}

std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

}  // namespace proactor
