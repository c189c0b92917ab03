// SPDX-License-Identifier: Apache-2.0

// An echo server under measurement: any program that takes `--listen=127.0.0.1:0`, prints `listening on 127.0.0.1:PORT`
// on a line of its own, echoes what it receives, and ends on SIGTERM.
//
//   absl::StatusOr<ServerProcess> server = ServerProcess::Start({.name = "raw", .command = "./raw_ring_echo"}, 0);
//   const absl::Duration before = server->Cpu();
//
// The process ends with this object, and with the harness.
#ifndef PROACTOR_TESTS_BENCHMARK_SERVER_PROCESS_H_
#define PROACTOR_TESTS_BENCHMARK_SERVER_PROCESS_H_

#include <netinet/in.h>
#include <sys/types.h>
#include <time.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/benchmark/owned_descriptor.h"

namespace proactor::benchmark {

struct ServerCommand {
  std::string name;
  std::string command;  // a path and arguments, separated by spaces
};

class ServerProcess {
 public:
  // Starts it alone on that processor, and waits until it listens.
  static absl::StatusOr<ServerProcess> Start(const ServerCommand& command, int processor);

  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();

  // CPU time of all its threads so far, those that have ended too. It is the number in /proc/PID/schedstat, in
  // nanoseconds, and exact while the server sleeps; of a running thread, the time since the last tick is missing.
  absl::Duration Cpu() const;

  // Asks it to end. An error if that takes longer than two seconds, or if it has failed: ended with anything but 0 or
  // the SIGTERM that asked.
  absl::Status Stop();

  pid_t id() const { return id_; }
  const sockaddr_in& address() const { return address_; }

 private:
  ServerProcess(pid_t id, OwnedDescriptor output);

  absl::Status AwaitAddress();

  pid_t id_;
  OwnedDescriptor output_;  // kept open: a server that prints more must not die of it
  clockid_t cpu_clock_ = {};
  sockaddr_in address_ = {};
};

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_SERVER_PROCESS_H_
