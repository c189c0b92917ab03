// SPDX-License-Identifier: Apache-2.0
//
// uring-echo: a TCP server that sends back what it receives, through io_uring.
//
//   uring-echo --listen=127.0.0.1:7000
//
// Prints the address that it listens on, on a line of its own. SIGINT and SIGTERM end it.
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "proactor/errors.h"
#include "proactor/fs/file.h"
#include "proactor/net/tcp.h"
#include "proactor/run.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/try.h"

namespace {

using namespace proactor;  // An example shows the library's names as its users would write them.

constexpr char kUsage[] =
    "Usage: uring-echo [--listen=ADDRESS:PORT]\n"
    "Send back what TCP clients send, through io_uring, until SIGINT or SIGTERM.\n"
    "\n"
    "      --listen=ADDRESS:PORT  where to listen (127.0.0.1:7000); port 0 picks a free one\n"
    "      --help                 show this text and exit\n"
    "      --version              show the version and exit\n";

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[4096];
  while (size_t n = co_await Try(stream.Read(buffer))) {
    co_await Try(stream.WriteAll({buffer, n}));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Accept(TcpListener& listener) {
  co_return co_await WithTaskGroup([&](TaskGroup& connections) -> Task<absl::Status> {
    while (true) {
      TcpStream stream = co_await Try(listener.Accept());
      connections.Spawn(Echo(std::move(stream)), {.name = "connection", .on_failure = kLog});
    }
  });
}

// Waits for one of the signals, which must be blocked in every thread.
Task<absl::Status> WaitForSignal(const sigset_t& signals) {
  int descriptor = signalfd(-1, &signals, SFD_CLOEXEC);
  if (descriptor < 0) co_return ErrnoToStatus(errno, "signalfd");
  File file = co_await Try(File::Adopt(descriptor));
  signalfd_siginfo received;
  co_await Try(file.Read({reinterpret_cast<char*>(&received), sizeof(received)}));
  co_return absl::OkStatus();
}

Task<absl::Status> Serve(SocketAddress address, const sigset_t& signals) {
  TcpListener listener = co_await Try(TcpListener::Listen(address));
  SocketAddress bound = co_await Try(listener.LocalAddress());
  std::cout << bound.ToString() << std::endl;
  if (!std::cout) co_return ErrnoToStatus(errno, "standard output");
  co_return co_await WithTaskGroup([&](TaskGroup& server) -> Task<absl::Status> {
    server.Spawn(Accept(listener), {.name = "accept"});
    co_await Try(WaitForSignal(signals));
    server.Cancel();
    co_return absl::OkStatus();
  });
}

int Print(std::string_view text) {
  std::cout << text << std::flush;
  if (std::cout) return 0;
  std::cerr << "uring-echo: standard output: " << std::strerror(errno) << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  enum { kListen = 256, kHelp, kVersion };
  static constexpr option kOptions[] = {{"listen", required_argument, nullptr, kListen},
                                        {"help", no_argument, nullptr, kHelp},
                                        {"version", no_argument, nullptr, kVersion},
                                        {nullptr, 0, nullptr, 0}};
  argv[0] = const_cast<char*>("uring-echo");
  SocketAddress address = SocketAddress::Loopback(7000);
  for (int choice; (choice = getopt_long(argc, argv, "", kOptions, nullptr)) != -1;) {
    switch (choice) {
      case kListen:
        if (absl::StatusOr<SocketAddress> parsed = SocketAddress::Parse(optarg); parsed.ok()) {
          address = *parsed;
          break;
        } else {
          std::cerr << "uring-echo: --listen: " << parsed.status().message() << "\n";
          return 2;
        }
      case kHelp:
        return Print(kUsage);
      case kVersion:
        return Print("uring-echo (proactor) 0.1.0\n");
      default:
        std::cerr << "Try 'uring-echo --help' for more information.\n";
        return 2;
    }
  }
  if (optind < argc) {
    std::cerr << "uring-echo: unexpected operand '" << argv[optind] << "'\n"
              << "Try 'uring-echo --help' for more information.\n";
    return 2;
  }

  // Standard descriptors that are closed, or the listener would get the number of one, and be sent its own address.
  int taken;
  while ((taken = open("/dev/null", O_RDWR)) >= 0 && taken <= STDERR_FILENO) {
  }
  close(taken);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  absl::Status status = Run(Serve(address, signals));
  if (!status.ok()) {
    std::cerr << "uring-echo: " << status.message() << "\n";
    return 1;
  }
  return 0;
}
