// SPDX-License-Identifier: Apache-2.0

#include "tests/benchmark/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/benchmark/processor.h"

namespace proactor::benchmark {
namespace {

constexpr absl::Duration kTimeToStart = absl::Seconds(10);
constexpr int kMillisecondsToStop = 2000;

[[noreturn]] void RunServer(char** arguments, int output, int processor, pid_t harness) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != harness) _exit(1);  // it died before the line above
  TakeProcessor(processor);
  dup2(output, STDOUT_FILENO);
  execv(arguments[0], arguments);
  std::fprintf(stderr, "%s: %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

// The address in a line `listening on 127.0.0.1:PORT`, if there is one in what the server has printed.
bool FindAddress(const std::string& printed, sockaddr_in& address) {
  constexpr std::string_view kPhrase = "listening on ";
  const size_t phrase = printed.find(kPhrase);
  if (phrase == std::string::npos || printed.find('\n', phrase) == std::string::npos) return false;
  std::array<char, INET_ADDRSTRLEN> host;
  unsigned port = 0;
  if (std::sscanf(printed.c_str() + phrase + kPhrase.size(), "%15[0-9.]:%u", host.data(), &port) != 2) return false;
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  return inet_pton(AF_INET, host.data(), &address.sin_addr) == 1;
}

}  // namespace

ServerProcess::ServerProcess(pid_t id, OwnedDescriptor output) : id_(id), output_(std::move(output)) {}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : id_(std::exchange(other.id_, 0)),
      output_(std::move(other.output_)),
      cpu_clock_(other.cpu_clock_),
      address_(other.address_) {}

ServerProcess::~ServerProcess() {
  if (id_ == 0) return;
  kill(id_, SIGKILL);
  waitpid(id_, nullptr, 0);
}

absl::StatusOr<ServerProcess> ServerProcess::Start(const ServerCommand& command, int processor) {
  std::vector<std::string> words = absl::StrSplit(command.command, ' ', absl::SkipEmpty());
  if (words.empty()) return absl::InvalidArgumentError(absl::StrCat("no command for server ", command.name));
  words.push_back("--listen=127.0.0.1:0");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) < 0) return absl::ErrnoToStatus(errno, "pipe2");
  OwnedDescriptor output(ends[0]);
  OwnedDescriptor input(ends[1]);
  const pid_t harness = getpid();
  const pid_t id = fork();
  if (id < 0) return absl::ErrnoToStatus(errno, "fork");
  if (id == 0) RunServer(arguments.data(), input.number(), processor, harness);
  input = OwnedDescriptor();

  ServerProcess server(id, std::move(output));
  if (const int error = clock_getcpuclockid(id, &server.cpu_clock_); error != 0) {
    return absl::ErrnoToStatus(error, "clock_getcpuclockid");
  }
  if (absl::Status status = server.AwaitAddress(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(command.command, ": ", status.message()));
  }
  return server;
}

absl::Status ServerProcess::AwaitAddress() {
  const absl::Time deadline = absl::Now() + kTimeToStart;
  std::string printed;
  while (!FindAddress(printed, address_)) {
    const absl::Duration left = deadline - absl::Now();
    pollfd ready = {.fd = output_.number(), .events = POLLIN, .revents = 0};
    if (left <= absl::ZeroDuration() || poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(left))) == 0) {
      return absl::DeadlineExceededError("did not print \"listening on ADDRESS:PORT\"");
    }
    std::array<char, 512> piece;
    const ssize_t size = read(output_.number(), piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return absl::UnavailableError("ended before it printed \"listening on ADDRESS:PORT\"");
    printed.append(piece.data(), static_cast<size_t>(size));
  }
  return absl::OkStatus();
}

absl::Duration ServerProcess::Cpu() const {
  timespec time = {};
  clock_gettime(cpu_clock_, &time);
  return absl::DurationFromTimespec(time);
}

absl::Status ServerProcess::Stop() {
  const OwnedDescriptor handle(static_cast<int>(syscall(SYS_pidfd_open, id_, 0)));
  kill(id_, SIGTERM);
  pollfd ended = {.fd = handle.number(), .events = POLLIN, .revents = 0};
  if (poll(&ended, 1, kMillisecondsToStop) != 1) return absl::DeadlineExceededError("did not end on SIGTERM");
  int status = 0;
  waitpid(std::exchange(id_, 0), &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM) {
    return absl::InternalError(absl::StrCat("ended by signal ", WTERMSIG(status)));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
    return absl::InternalError(absl::StrCat("ended with status ", WEXITSTATUS(status)));
  }
  return absl::OkStatus();
}

}  // namespace proactor::benchmark
