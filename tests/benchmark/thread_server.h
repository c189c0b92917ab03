// SPDX-License-Identifier: Apache-2.0

// A server for the tests of loads, which answers what it receives as a test wants it, right or wrong.
//
//   ThreadServer server(cell.connections, ThreadServer::Echo);
//   EchoLoad::Connect(server.address(), cell, false);
//
// It has as many threads as connections at a time. Destroy the load first: a thread ends when nobody is connected.
#ifndef PROACTOR_TESTS_BENCHMARK_THREAD_SERVER_H_
#define PROACTOR_TESTS_BENCHMARK_THREAD_SERVER_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {

class ThreadServer {
 public:
  using Answer = std::function<void(int socket, char* bytes, size_t size)>;

  static void Echo(int socket, char* bytes, size_t size) { send(socket, bytes, size, MSG_NOSIGNAL); }

  ThreadServer(int connections, Answer answer)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), answer_(std::move(answer)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address_);
    bind(listener_.number(), reinterpret_cast<sockaddr*>(&address_), length);
    listen(listener_.number(), connections);
    getsockname(listener_.number(), reinterpret_cast<sockaddr*>(&address_), &length);
    for (int i = 0; i < connections; ++i) threads_.emplace_back([this] { Serve(); });
  }

  ~ThreadServer() {
    shutdown(listener_.number(), SHUT_RDWR);  // accept(2) fails
    for (std::thread& thread : threads_) thread.join();
  }

  const sockaddr_in& address() const { return address_; }
  int64_t bytes() const { return bytes_; }

 private:
  void Serve() {
    std::vector<char> buffer(65536);
    while (true) {
      const OwnedDescriptor connection(accept(listener_.number(), nullptr, nullptr));
      if (connection.number() < 0) return;
      ssize_t size;
      while ((size = recv(connection.number(), buffer.data(), buffer.size(), 0)) > 0) {
        bytes_ += size;
        answer_(connection.number(), buffer.data(), static_cast<size_t>(size));
      }
    }
  }

  OwnedDescriptor listener_;
  const Answer answer_;
  sockaddr_in address_ = {};
  std::atomic<int64_t> bytes_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_THREAD_SERVER_H_
