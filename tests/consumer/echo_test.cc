// SPDX-License-Identifier: Apache-2.0
//
// An echo server and its client in one program: the client sends this file.
#include "fs/contents.h"
#include "net/exchange.h"
#include "proactor/fs/file.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/task_group.h"
#include "proactor/try.h"

#ifndef LIBURING_OF_THE_CONSUMER
#error "proactor is not built on the @liburing that this workspace defines."
#endif

using namespace proactor;

Task<absl::Status> Echo(TcpListener& listener) {
  TcpStream stream = co_await Try(listener.Accept());
  char buffer[4096];
  while (size_t n = co_await Try(stream.Read(buffer))) co_await Try(stream.WriteAll({buffer, n}));
  co_return absl::OkStatus();
}

Task<absl::Status> AskForEcho(SocketAddress address) {
  TcpStream stream = co_await Try(TcpStream::Connect(address));
  std::string sent = co_await Try(ContentsOf("echo_test.cc"));
  std::string answer = co_await Try(Exchange(stream, sent));
  co_return !sent.empty() && answer == sent ? absl::OkStatus() : absl::DataLossError("this is no echo");
}

Task<absl::Status> Test() {
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Echo(listener));
    co_return co_await AskForEcho(address);
  };
  co_return co_await WithTaskGroup(body);
}

int main() { return ExitCode(Run(Test())); }
