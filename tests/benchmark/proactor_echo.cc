// SPDX-License-Identifier: Apache-2.0

// This library's server for the benchmark: what a user would write, with the yardstick's buffer of 64 KiB.
//
// With --pool it receives into a pool that all connections share.
//
// Usage: proactor_echo --listen=127.0.0.1:0 [--backend=auto|io_uring|epoll] [--disable=FEATURE,...] [--pool]
// It prints `listening on 127.0.0.1:PORT`, and runs until a signal ends it.

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/backend_choice.h"
#include "proactor/buffer_pool.h"
#include "proactor/feature.h"
#include "proactor/net/address.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/try.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:0", "address and port; port 0 takes a free one");
ABSL_FLAG(std::string, backend, "auto", "auto, io_uring or epoll");
ABSL_FLAG(std::string, disable, "", "features of io_uring to do without, as for PROACTOR_DISABLE");
ABSL_FLAG(bool, pool, false, "receive into a pool that all connections share");

namespace proactor::benchmark {
namespace {

Task<absl::Status> Echo(TcpStream stream) {
  constexpr size_t kSize = 65536;
  const auto buffer = std::make_unique_for_overwrite<char[]>(kSize);  // The others do not clear theirs either.
  while (size_t n = co_await Try(stream.Read({buffer.get(), kSize}))) {
    co_await Try(stream.WriteAll({buffer.get(), n}));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> EchoFromPool(TcpStream stream, BufferPool& pool) {
  while (true) {
    Buffers chunks = co_await Try(stream.ReceiveAll(pool));
    if (chunks.empty()) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(chunks));
  }
}

Task<absl::Status> Serve(SocketAddress address, bool from_pool) {
  BufferPool pool;
  TcpListener listener = co_await Try(TcpListener::Listen(address, {.backlog = 1024}));
  const SocketAddress local = co_await Try(listener.LocalAddress());
  std::printf("listening on %s\n", local.ToString().c_str());
  std::fflush(stdout);
  co_return co_await WithTaskGroup([&](TaskGroup& connections) -> Task<absl::Status> {
    while (true) {
      TcpStream stream = co_await Try(listener.Accept());
      connections.Spawn(from_pool ? EchoFromPool(std::move(stream), pool) : Echo(std::move(stream)),
                        {.name = "connection", .on_failure = kLog});
    }
  });
}

}  // namespace
}  // namespace proactor::benchmark

int main(int count, char** arguments) {
  absl::ParseCommandLine(count, arguments);
  const absl::StatusOr<proactor::SocketAddress> address = proactor::SocketAddress::Parse(absl::GetFlag(FLAGS_listen));
  if (!address.ok()) return proactor::ExitCode(address.status());
  const absl::StatusOr<proactor::BackendChoice> backend = proactor::ParseBackendChoice(absl::GetFlag(FLAGS_backend));
  if (!backend.ok()) return proactor::ExitCode(backend.status());
  const absl::StatusOr<proactor::FeatureSet> disabled = proactor::ParseFeatures(absl::GetFlag(FLAGS_disable));
  if (!disabled.ok()) return proactor::ExitCode(disabled.status());
  return proactor::ExitCode(proactor::Run(proactor::benchmark::Serve(*address, absl::GetFlag(FLAGS_pool)),
                                          {.backend = *backend, .disabled = *disabled}));
}
