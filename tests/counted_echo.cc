// SPDX-License-Identifier: Apache-2.0
//
// Echoes COUNT messages over the real IoUringProactor and a fake kernel, so that the library's instructions can be
// counted: instruction_budget_test.sh runs it under callgrind, which leaves out what happens in the fake kernel.
//
//     counted_echo [--pool] COUNT
//
// --pool: the server receives into buffers of a pool, instead of one of its own.
//
// Exit status: 0; 1 if the echo failed; 77 if this was not compiled as it ships, so that there is nothing to count.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "proactor/buffer_pool.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/try.h"
#include "tests/support/fake_ring_world.h"

namespace proactor {
namespace {

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
constexpr bool kAsItShips = true;
#else
constexpr bool kAsItShips = false;
#endif

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[4096];
  while (size_t n = co_await Try(stream.Read(buffer))) {
    co_await Try(stream.WriteAll({buffer, n}));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> EchoFromPool(TcpStream stream, BufferPool& pool) {
  while (true) {
    Buffer chunk = co_await Try(stream.Receive(pool));
    if (chunk.empty()) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(chunk));
  }
}

Task<absl::Status> Exchange(bool with_pool, int count) {
  BufferPool pool;
  TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
  SocketAddress address = co_await Try(listener.LocalAddress());
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    group.Spawn(with_pool ? EchoFromPool(std::move(server), pool) : Echo(std::move(server)));
    char reply[1];
    for (int i = 0; i < count; ++i) {
      co_await Try(client.WriteAll("x"));
      co_await Try(client.Read(reply));
    }
    co_return absl::OkStatus();
  };
  co_return co_await WithTaskGroup(body);
}

int Main(int argc, char** argv) {
  if (!kAsItShips) return 77;
  bool with_pool = argc > 2 && std::string_view(argv[1]) == "--pool";
  int count = argc > 1 ? std::atoi(argv[argc - 1]) : 1;
  SimulationOptions simulation = {.short_transfers = false, .interruptions = false};
  auto world = MakeFakeRingWorld(simulation, FakeKernelOptions{});
  absl::Status status = world->Run(Exchange(with_pool, count));
  const Counters& counters = world->scheduler().counters();
  std::printf("%lld operations, %lld enters\n", static_cast<long long>(counters.operations.value()),
              static_cast<long long>(counters.enters.value()));
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace proactor

int main(int argc, char** argv) { return proactor::Main(argc, argv); }
