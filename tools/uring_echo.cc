// SPDX-License-Identifier: Apache-2.0
//
// uring-echo: a TCP server that sends back what it receives, through io_uring or epoll.
//
//   uring-echo --listen=127.0.0.1:7000
//
// Prints the address that it listens on, on a line of its own. The first SIGINT or SIGTERM ends the listening, and
// gives the connections a while to end; the second ends them at once.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/backend_choice.h"
#include "proactor/buffer_pool.h"
#include "proactor/errors.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/signal_set.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "proactor/until_stopping.h"

namespace {

using namespace proactor;  // An example shows the library's names as its users would write them.

// Thousands of clients may come at once; one that finds the queue full comes again after a second.
constexpr int kBacklog = 4096;

constexpr char kUsage[] =
    "Usage: uring-echo [--listen=ADDRESS:PORT] [--backend=auto|io_uring|epoll] [--drain=TIME]\n"
    "Send back what TCP clients send, until SIGINT or SIGTERM.\n"
    "\n"
    "      --listen=ADDRESS:PORT  where to listen (127.0.0.1:7000); port 0 picks a free one\n"
    "      --backend=BACKEND      what to ask the kernel through: io_uring, epoll, or auto (the\n"
    "                             default): io_uring, and epoll where that is refused\n"
    "      --drain=TIME           how long connections may take to end after a first signal (800ms);\n"
    "                             such as 30s, or inf\n"
    "      --help                 show this text and exit\n"
    "      --version              show the version and exit\n"
    "\n"
    "The first line of standard output is the address that it listens on. A first signal ends\n"
    "the listening; connections that do not end by themselves in that time, or before a second\n"
    "signal, are reset. The last line of standard error counts the connections, the bytes sent\n"
    "back, the connections that failed (as when a client resets), and those that were reset here.\n";

struct Totals {
  int64_t connections = 0;
  int64_t bytes = 0;    // Sent back.
  int64_t failed = 0;   // Connections that ended with an error.
  int64_t aborted = 0;  // Connections that had not ended when the time was up.
};

// What comes while it writes is received meanwhile, up to what the pool allows for a client that does not read.
Task<absl::Status> Echo(TcpStream& stream, BufferPool& pool, Totals& totals) {
  while (true) {
    Buffers chunks = co_await Try(stream.ReceiveAll(pool));
    if (chunks.empty()) co_return absl::OkStatus();
    co_await Try(stream.WriteAll(chunks));
    totals.bytes += static_cast<int64_t>(chunks.bytes());
  }
}

// What goes wrong with one client is no failure of the server.
Task<absl::Status> ServeClient(TcpStream stream, BufferPool& pool, Totals& totals) {
  ++totals.connections;
  absl::Status status = co_await Echo(stream, pool, totals);
  if (absl::IsCancelled(status)) {
    ++totals.aborted;
    // After a plain close a client could take what it has got for everything, and one that never reads would leave its
    // bytes in the kernel for minutes.
    stream.Reset();
  } else if (!status.ok()) {
    ++totals.failed;
  }
  co_return absl::OkStatus();
}

// Until the service is told to stop soon; the listener is then closed.
Task<absl::Status> Accept(TcpListener listener, TaskGroup& connections, BufferPool& pool, Totals& totals) {
  while (std::optional<TcpStream> stream = co_await Try(UntilStopping(listener.Accept()))) {
    connections.Spawn(ServeClient(*std::move(stream), pool, totals), {.name = "connection"});
  }
  co_return absl::OkStatus();
}

// The first signal ends the listening; the second, or the time that connections have to end by themselves, the rest.
Task<absl::Status> ObeySignals(SignalSet& signals, absl::Duration drain, TaskGroup& service) {
  co_await Try(signals.Wait());
  service.scope().StopSoon();
  absl::StatusOr<Signal> second = co_await WithTimeout(drain, signals.Wait());
  service.Cancel();
  co_return absl::OkStatus();
}

struct Options {
  SocketAddress address = SocketAddress::Loopback(7000);
  std::optional<BackendChoice> backend;  // Nothing: as for every program of the library.
  absl::Duration drain = absl::Milliseconds(800);
};

Task<absl::Status> Serve(const Options& options, Totals& totals) {
  SignalSet signals = co_await Try(SignalSet::Block(SIGINT, SIGTERM));
  TcpListener listener = co_await Try(TcpListener::Listen(options.address, {.backlog = kBacklog}));
  SocketAddress bound = co_await Try(listener.LocalAddress());
  std::cout << bound.ToString() << std::endl;
  if (!std::cout) co_return ErrnoToStatus(errno, "standard output");
  BufferPool pool;
  co_return co_await WithTaskGroup([&](TaskGroup& service) -> Task<absl::Status> {
    service.Spawn(ObeySignals(signals, options.drain, service), {.name = "signals"});
    co_await Try(
        WithTaskGroup([&](TaskGroup& connections) { return Accept(std::move(listener), connections, pool, totals); }));
    service.Cancel();  // All connections have ended.
    co_return absl::OkStatus();
  });
}

int Print(std::string_view text) {
  std::cout << text << std::flush;
  if (std::cout) return 0;
  std::cerr << "uring-echo: standard output: " << std::strerror(errno) << "\n";
  return 1;
}

int WrongValue(std::string_view flag, const absl::Status& status) {
  std::cerr << "uring-echo: " << flag << ": " << status.message() << "\n";
  return 2;
}

// What `main` is to return already, if anything.
std::optional<int> Parse(int argc, char** argv, Options& options) {
  enum { kListen = 256, kBackend, kDrain, kHelp, kVersion };
  static constexpr option kOptions[] = {{"listen", required_argument, nullptr, kListen},
                                        {"backend", required_argument, nullptr, kBackend},
                                        {"drain", required_argument, nullptr, kDrain},
                                        {"help", no_argument, nullptr, kHelp},
                                        {"version", no_argument, nullptr, kVersion},
                                        {nullptr, 0, nullptr, 0}};
  argv[0] = const_cast<char*>("uring-echo");
  for (int choice; (choice = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    if (choice == kHelp) return Print(kUsage);
    if (choice == kVersion) return Print("uring-echo (proactor) 0.1.0\n");
    if (choice == kListen) {
      absl::StatusOr<SocketAddress> address = SocketAddress::Parse(optarg);
      if (!address.ok()) return WrongValue("--listen", address.status());
      options.address = *address;
    } else if (choice == kBackend) {
      absl::StatusOr<BackendChoice> backend = ParseBackendChoice(optarg);
      if (!backend.ok()) return WrongValue("--backend", backend.status());
      options.backend = *backend;
    } else if (choice == kDrain) {
      if (!absl::ParseDuration(optarg, &options.drain) || options.drain < absl::ZeroDuration()) {
        return WrongValue("--drain", absl::InvalidArgumentError(absl::StrCat(
                                         "\"", optarg, "\" is not a time, such as 800ms, 1.5s, 2m or inf")));
      }
    } else {
      std::cerr << "Try 'uring-echo --help' for more information.\n";
      return 2;
    }
  }
  if (optind == argc) return std::nullopt;
  std::cerr << "uring-echo: unexpected operand '" << argv[optind] << "'\n"
            << "Try 'uring-echo --help' for more information.\n";
  return 2;
}

// Standard descriptors that are closed, or the listener would get the number of one, and be sent its own address.
void OpenStandardDescriptors() {
  int taken;
  while ((taken = open("/dev/null", O_RDWR)) >= 0 && taken <= STDERR_FILENO) {
  }
  close(taken);
}

// To what is allowed: each client takes a descriptor, and the usual limit is there for programs that use select(2).
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (std::optional<int> exit_status = Parse(argc, argv, options)) return *exit_status;
  OpenStandardDescriptors();
  RaiseDescriptorLimit();
  Totals totals;
  absl::Status status = Run(Serve(options, totals), {.backend = options.backend});
  if (!status.ok()) {
    std::cerr << "uring-echo: " << status.message() << "\n";
    return 1;
  }
  std::cerr << "uring-echo: " << totals.connections << " connections, " << totals.bytes << " bytes sent back, "
            << totals.failed << " failed, " << totals.aborted << " reset at the end\n";
  return 0;
}
