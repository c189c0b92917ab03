// SPDX-License-Identifier: Apache-2.0
//
// Two ends of one connection, for scenarios.
//
//   StreamPair pair = co_await Try(ConnectPair());
#ifndef PROACTOR_TESTS_STRESS_STREAM_PAIR_H_
#define PROACTOR_TESTS_STRESS_STREAM_PAIR_H_

#include "absl/status/statusor.h"
#include "proactor/net/tcp.h"
#include "proactor/task.h"
#include "proactor/try.h"

namespace proactor {

struct StreamPair {
  TcpStream client;
  TcpStream server;
};

inline Task<absl::StatusOr<StreamPair>> ConnectPair() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  StreamPair connection;
  connection.client = co_await Try(TcpStream::Connect(address));
  connection.server = co_await Try(listener.Accept());
  co_return connection;
}

}  // namespace proactor

#endif  // PROACTOR_TESTS_STRESS_STREAM_PAIR_H_
