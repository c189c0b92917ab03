// SPDX-License-Identifier: Apache-2.0

// The closed loop: on each connection a fixed number of messages is in flight, and every echo that comes back sends the
// next one.
//
// It is an epoll loop on one thread, because that is the leanest client here: one receive buffer that stays in the
// cache for all connections, nothing copied on the way out, no attempt that would fail. Echoed bytes are compared with
// what was sent: all of them in short reads, the two ends of long ones. The stream repeats only after a prime number of
// bytes and starts somewhere else on each connection, so a lost, doubled, moved or misdirected piece does not match.
#ifndef PROACTOR_TESTS_BENCHMARK_ECHO_LOAD_H_
#define PROACTOR_TESTS_BENCHMARK_ECHO_LOAD_H_

#include <netinet/in.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/load.h"
#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {

class EchoLoad : public Load {
 public:
  // Opens the cell's connections. A client that polls busily never sleeps: for a cell that would otherwise measure how
  // long it takes to wake a client, and only with a processor of its own.
  static absl::StatusOr<std::unique_ptr<EchoLoad>> Connect(const sockaddr_in& server, const Cell& cell,
                                                           bool polls_busily);

  absl::StatusOr<Traffic> Run(absl::Duration duration) override;

 private:
  struct Connection {
    OwnedDescriptor socket;
    // Positions in the stream of this connection, in bytes since the beginning of the window.
    int64_t allowed = 0;   // may be sent: the closed loop's credit
    int64_t sent = 0;      // <= allowed
    int64_t received = 0;  // <= sent
    int64_t origin = 0;    // where in the pattern the stream of this window begins
    bool is_full = false;  // the socket, for sending
  };

  EchoLoad(const Cell& cell, bool polls_busily);

  absl::Status Begin();
  absl::Status Send(Connection& connection);
  absl::Status Receive(Connection& connection);
  absl::Status Verify(const Connection& connection, size_t size) const;
  absl::Status WaitOnce();

  const Cell cell_;
  const bool polls_busily_;
  OwnedDescriptor epoll_;
  std::vector<Connection> connections_;
  std::vector<char> pattern_;
  std::vector<char> received_;
  // Bytes of all connections since the beginning of the window.
  int64_t allowed_ = 0;
  int64_t echoed_ = 0;
  bool stopping_ = false;  // echoes no longer send the next message
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_ECHO_LOAD_H_
