// SPDX-License-Identifier: Apache-2.0

// Visitors: each connects, has one message echoed, closes, and the next one comes in its place. A message is a visit.
//
//   std::unique_ptr<Load> load = std::make_unique<ChurnLoad>(server.address(), Cell::Churn());
//
// A visit has ended once the server has closed its end too, so nothing is in flight between windows, and a server that
// forgets to close is found. Messages differ from visit to visit, and every byte is compared.
//
// The client closes first, which leaves its ports in TIME_WAIT. Linux uses such a port again after a second
// (net.ipv4.tcp_tw_reuse, on for loopback since 4.19), so there are enough.
#ifndef PROACTOR_TESTS_BENCHMARK_CHURN_LOAD_H_
#define PROACTOR_TESTS_BENCHMARK_CHURN_LOAD_H_

#include <netinet/in.h>
#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/cell.h"
#include "tests/benchmark/load.h"
#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {

class ChurnLoad : public Load {
 public:
  // As many visitors at a time as the cell has connections, with messages of its size.
  ChurnLoad(const sockaddr_in& server, const Cell& cell);

  absl::StatusOr<Traffic> Run(absl::Duration duration) override;

 private:
  struct Visitor {
    OwnedDescriptor socket;
    const char* message = nullptr;
    size_t received = 0;
  };

  absl::Status Enter(size_t place);
  absl::Status Continue(size_t place);
  void Leave(size_t place);

  const sockaddr_in server_;
  const size_t bytes_;
  std::vector<char> pattern_;
  std::vector<char> received_;
  std::vector<Visitor> visitors_;
  std::vector<pollfd> ready_;  // parallel to `visitors_`; nobody is in a place without a descriptor
  int64_t entered_ = 0;        // since the beginning of the window
  int64_t left_ = 0;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_CHURN_LOAD_H_
