// SPDX-License-Identifier: Apache-2.0

// A load is what the client does to one server: its connections, and one window of traffic at a time.
//
//   std::unique_ptr<Load> load = ...EchoLoad::Connect(server.address(), cell)...
//   absl::StatusOr<Traffic> traffic = load->Run(absl::Milliseconds(120));
//
// `Run` begins and ends with nothing in flight, so that whatever the server did between the two is what the traffic
// cost, with no message counted in one window and paid for in another.
#ifndef PROACTOR_TESTS_BENCHMARK_LOAD_H_
#define PROACTOR_TESTS_BENCHMARK_LOAD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace proactor::benchmark {

struct Traffic {
  int64_t messages = 0;
  absl::Duration elapsed;
  absl::Duration client_cpu;
};

class Load {
 public:
  virtual ~Load() = default;

  // Produces traffic for `duration`, then waits for what is still in flight. An error, within seconds, when the server
  // closes a connection, answers with the wrong bytes or stops answering.
  virtual absl::StatusOr<Traffic> Run(absl::Duration duration) = 0;
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_LOAD_H_
