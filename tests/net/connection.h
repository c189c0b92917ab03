// SPDX-License-Identifier: Apache-2.0
//
// Two ends of one TCP connection, and what the tests of streams send through it.
//
//   Connection connection = co_await Try(Connect());
//   co_await Try(connection.client.WriteAll(Pattern(100)));
#ifndef PROACTOR_TESTS_NET_CONNECTION_H_
#define PROACTOR_TESTS_NET_CONNECTION_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "proactor/net/tcp.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace proactor {

struct Connection {
  TcpStream client;
  TcpStream server;
};

Task<absl::StatusOr<Connection>> Connect();

// Bytes that tell where they belong.
std::string Pattern(size_t size);

// What a stream, or a half of one, reads until its end.
template <class Reader>
Task<absl::StatusOr<std::string>> ReadToEnd(Reader& reader) {
  std::string all;
  char buffer[1000];
  while (size_t n = co_await Try(reader.Read(buffer))) all.append(buffer, n);
  co_return all;
}

}  // namespace proactor

#endif  // PROACTOR_TESTS_NET_CONNECTION_H_
