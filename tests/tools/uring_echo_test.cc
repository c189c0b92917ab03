// SPDX-License-Identifier: Apache-2.0
//
// uring-echo as its users run it: a process, with clients on the loopback interface.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kEcho[] = "tools/uring-echo";

auto Ends(int exit_status, const std::string& output, const std::string& error) {
  return AllOf(Field("output", &Ending::output, output), Field("error", &Ending::error, error),
               Field("exit_status", &Ending::exit_status, exit_status));
}

// A stream that differs from client to client, and repeats only after a prime number of bytes.
std::string Stream(int client, size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i + static_cast<size_t>(client) * 31) % 251);
  return bytes;
}

// A connected socket, or one without a number where nobody listens.
OwnedDescriptor Connect(const std::string& address) {
  size_t colon = address.rfind(':');
  sockaddr_in server = {};
  server.sin_family = AF_INET;
  server.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  EXPECT_EQ(inet_pton(AF_INET, address.substr(0, colon).c_str(), &server.sin_addr), 1) << address;
  OwnedDescriptor connection = Own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // From another address of the loopback interface: with its own and the same port by chance, TCP connects a socket to
  // itself where nobody listens.
  sockaddr_in client = {};
  client.sin_family = AF_INET;
  client.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
  // The port is chosen by connect(2), which may take one that waits to be forgotten (TIME_WAIT); bind(2) may not, and
  // would look for one among thousands.
  int later = 1;
  EXPECT_EQ(setsockopt(connection->number, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &later, sizeof(later)), 0);
  EXPECT_EQ(bind(connection->number, reinterpret_cast<sockaddr*>(&client), sizeof(client)), 0) << std::strerror(errno);
  if (connect(connection->number, reinterpret_cast<sockaddr*>(&server), sizeof(server)) < 0) return {};
  return connection;
}

// A client that sends its stream and checks what comes back, as far as the socket allows at any time.
class Client {
 public:
  Client(OwnedDescriptor connection, std::string stream) : socket_(std::move(connection)), stream_(std::move(stream)) {
    EXPECT_EQ(fcntl(number(), F_SETFL, O_NONBLOCK), 0) << "not connected";
  }
  Client(const std::string& address, std::string stream) : Client(Connect(address), std::move(stream)) {}

  int number() const { return socket_ ? socket_->number : -1; }
  bool finished() const { return received_ == stream_.size(); }
  short events() const { return static_cast<short>((received_ < sent_ ? POLLIN : 0) | (CanSend() ? POLLOUT : 0)); }

  // One step in each direction. False, and a failed test, when the connection is over or a byte is not the one sent.
  bool Step() {
    if (CanSend()) {
      ssize_t n = send(number(), stream_.data() + sent_, stream_.size() - sent_, MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) {
        ADD_FAILURE() << "send: " << std::strerror(errno);
        return false;
      }
      sent_ += static_cast<size_t>(std::max<ssize_t>(n, 0));
    }
    char piece[65536];
    ssize_t n = recv(number(), piece, sizeof(piece), 0);
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) {
      ADD_FAILURE() << "recv: " << (n == 0 ? "end of stream" : std::strerror(errno)) << " after " << received_
                    << " bytes";
      return false;
    }
    bool same = std::string_view(stream_).substr(received_, static_cast<size_t>(n)) ==
                std::string_view(piece, static_cast<size_t>(n));
    EXPECT_TRUE(same) << "what came back is not what was sent, after " << received_ << " bytes";
    received_ += static_cast<size_t>(n);
    return same;
  }

  // Sends until nothing more fits, and never reads.
  void Fill() {
    std::string bytes(1 << 16, 'x');
    while (send(number(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0) {
    }
  }

  void Close() { socket_ = OwnedDescriptor(); }

  // Closes so that the peer sees a reset.
  void Reset() {
    linger at_once = {1, 0};
    setsockopt(number(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    Close();
  }

  void FinishSending() const { EXPECT_EQ(shutdown(number(), SHUT_WR), 0); }

  // What comes is nothing more.
  bool AwaitEnd() const {
    char byte;
    return Await(number(), POLLIN) && recv(number(), &byte, 1, 0) == 0;
  }
  // What comes is a reset.
  bool AwaitReset() const {
    char byte;
    return Await(number(), POLLIN) && recv(number(), &byte, 1, 0) < 0 && errno == ECONNRESET;
  }

 private:
  bool CanSend() const { return sent_ < stream_.size(); }

  OwnedDescriptor socket_;
  std::string stream_;
  size_t sent_ = 0;
  size_t received_ = 0;
};

using Clients = std::vector<std::unique_ptr<Client>>;

// Lets all of them send and receive until each has its whole stream back.
enum WhenFinished { kStay, kClose };
void Exchange(const Clients& clients, WhenFinished when_finished = kStay) {
  OwnedDescriptor epoll = Own(epoll_create1(EPOLL_CLOEXEC));
  size_t busy = 0;
  auto expect = [&](int change, Client& client) {
    epoll_event event = {.events = static_cast<uint32_t>(client.events()), .data = {.ptr = &client}};
    EXPECT_EQ(epoll_ctl(epoll->number, change, client.number(), &event), 0) << std::strerror(errno);
  };
  for (const std::unique_ptr<Client>& client : clients) {
    if (client->finished()) continue;
    expect(EPOLL_CTL_ADD, *client);
    ++busy;
  }
  while (busy > 0) {
    epoll_event events[256];
    int count = epoll_wait(epoll->number, events, 256, static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
    if (count <= 0) {
      ADD_FAILURE() << busy << " clients wait for their bytes for too long";
      return;
    }
    for (int i = 0; i < count; ++i) {
      Client& client = *static_cast<Client*>(events[i].data.ptr);
      short before = client.events();
      if (!client.Step()) return;
      if (!client.finished()) {
        if (client.events() != before) expect(EPOLL_CTL_MOD, client);
        continue;
      }
      expect(EPOLL_CTL_DEL, client);
      if (when_finished == kClose) client.Close();
      --busy;
    }
  }
}

// Raises this process's limit, if need be.
void AllowDescriptors(rlim_t count) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = std::max(limit.rlim_cur, count);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0) << std::strerror(errno);
}

Clients Connected(int count, const std::string& address, size_t size) {
  Clients clients;
  for (int i = 0; i < count; ++i) clients.push_back(std::make_unique<Client>(address, Stream(i, size)));
  return clients;
}

// Nobody listens any more, which takes a moment.
bool AwaitRefusal(const std::string& address) {
  absl::Time deadline = absl::Now() + kPatience;
  while (Connect(address)) {
    if (absl::Now() > deadline) return false;
  }
  return true;
}

// The last line of a server's standard error.
std::string TotalsOf(int connections, int64_t bytes, int failed, int reset) {
  return "uring-echo: " + std::to_string(connections) + " connections, " + std::to_string(bytes) +
         " bytes sent back, " + std::to_string(failed) + " failed, " + std::to_string(reset) + " reset at the end\n";
}

// The parameter is the backend's word.
class UringEchoTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::vector<std::string> Arguments(const std::string& address = "127.0.0.1:0") {
    std::vector<std::string> arguments;
    arguments.push_back("--listen=" + address);
    arguments.push_back(std::string("--backend=") + GetParam());
    arguments.push_back("--drain=inf");  // What ends, ends by itself or by a second signal.
    return arguments;
  }

  std::string Address() {
    if (address_.empty()) address_ = server_.ReadLine();
    return address_;
  }

  // Ends the server, which has nothing to complain about.
  void ExpectGoodEnd(const std::string& totals, int signal = SIGTERM) {
    server_.Signal(signal);
    EXPECT_THAT(server_.Finish(), Ends(0, "", totals));
  }

  ChildProcess server_{{.program = kEcho, .arguments = Arguments()}};
  std::string address_;
};

INSTANTIATE_TEST_SUITE_P(Every, UringEchoTest, ::testing::Values("io_uring", "epoll"),
                         [](const ::testing::TestParamInfo<const char*>& info) {
                           return std::string(info.param) == "epoll" ? "Epoll" : "IoUring";
                         });

TEST_P(UringEchoTest, PrintsTheAddressThatItListensOn) {
  EXPECT_THAT(Address(), StartsWith("127.0.0.1:"));
  EXPECT_NE(Address(), "127.0.0.1:0");
  ExpectGoodEnd(TotalsOf(0, 0, 0, 0));
}

TEST_P(UringEchoTest, SendsBackWhatItReceives) {
  Exchange(Connected(1, Address(), 1));
  Exchange(Connected(1, Address(), 100'000));
  ExpectGoodEnd(TotalsOf(2, 100'001, 0, 0));
}

TEST_P(UringEchoTest, Serves2000ClientsAtOnce) {
  AllowDescriptors(2'100);
  Clients clients = Connected(2000, Address(), 20'000);
  Exchange(clients);
  clients.clear();
  ExpectGoodEnd(TotalsOf(2000, 2000 * 20'000, 0, 0));
}

// While clients reset in the middle, or never read.
TEST_P(UringEchoTest, HostileClientsHarmNobody) {
  Clients never_read = Connected(5, Address(), 0);
  for (const std::unique_ptr<Client>& client : never_read) client->Fill();
  Clients others = Connected(20, Address(), 100'000);
  for (int i = 0; i < 20; ++i) {
    others[static_cast<size_t>(i)]->Step();
    Client resets(Address(), "");
    resets.Fill();
    resets.Reset();
  }
  Exchange(others);
  Exchange(Connected(1, Address(), 10));  // Connections are taken in order: all are by now.
  for (const std::unique_ptr<Client>& client : others) client->FinishSending();
  for (const std::unique_ptr<Client>& client : others) EXPECT_TRUE(client->AwaitEnd());

  server_.Signal(SIGTERM);
  server_.Signal(SIGINT);
  Ending ending = server_.Finish();
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_THAT(ending.error,
              AllOf(StartsWith("uring-echo: 46 connections, "), EndsWith(" failed, 5 reset at the end\n")));
}

TEST_P(UringEchoTest, SendsEverythingBackToAClientThatHasFinishedSending) {
  Clients clients = Connected(1, Address(), 60'000);  // So few that they fit into the buffers of the sockets.
  while (clients[0]->events() & POLLOUT) clients[0]->Step();
  clients[0]->FinishSending();

  Exchange(clients);
  EXPECT_TRUE(clients[0]->AwaitEnd());
  ExpectGoodEnd(TotalsOf(1, 60'000, 0, 0));
}

TEST_P(UringEchoTest, CountsAClientThatResets) {
  Client resets(Address(), "");
  resets.Fill();
  resets.Reset();
  Exchange(Connected(1, Address(), 10));  // Connections are taken in order: both are by now.
  server_.Signal(SIGTERM);
  Ending ending = server_.Finish();
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_THAT(ending.error, AllOf(StartsWith("uring-echo: 2 connections, "),
                                  EndsWith(" bytes sent back, 1 failed, 0 reset at the end\n")));
}

TEST_P(UringEchoTest, EndsOnSigint) {
  Address();
  ExpectGoodEnd(TotalsOf(0, 0, 0, 0), SIGINT);
}

// Connections that end by themselves are served to the end.
TEST_P(UringEchoTest, AfterTheFirstSignalItServesThoseThatItHas) {
  Clients later = Connected(1, Address(), 1000);
  Clients clients = Connected(10, Address(), 1000);
  Exchange(clients);
  server_.Signal(SIGTERM);
  EXPECT_TRUE(AwaitRefusal(Address()));
  Exchange(later);
  clients.clear();
  later.clear();
  Ending ending = server_.Finish();
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_THAT(ending.error, EndsWith(" connections, 11000 bytes sent back, 0 failed, 0 reset at the end\n"));
}

TEST_P(UringEchoTest, WhoDoesNotEndInTimeIsReset) {
  std::vector<std::string> arguments = Arguments();
  arguments.back() = "--drain=300ms";
  for (absl::Duration drain : {absl::Milliseconds(300), absl::Milliseconds(800)}) {
    if (drain == absl::Milliseconds(800)) arguments.pop_back();  // As long as it is without being asked.
    ChildProcess server({.program = kEcho, .arguments = arguments});
    std::string address = server.ReadLine();
    Clients never_read = Connected(1, address, 0);
    never_read[0]->Fill();
    Clients clients = Connected(20, address, 1000);
    Exchange(clients);

    absl::Time start = absl::Now();
    server.Signal(SIGTERM);
    Ending ending = server.Finish();
    absl::Duration taken = absl::Now() - start;
    EXPECT_GE(taken, drain);
    EXPECT_LT(taken, drain + kPatience / 2) << "a second is enough where nobody else wants the processor";
    EXPECT_EQ(ending.exit_status, 0);
    EXPECT_THAT(ending.error,
                AllOf(StartsWith("uring-echo: 21 connections, "), EndsWith(" 0 failed, 21 reset at the end\n")));
    for (const std::unique_ptr<Client>& client : clients) EXPECT_TRUE(client->AwaitReset());
  }
}

TEST_P(UringEchoTest, ASecondSignalEndsItAtOnce) {
  Clients clients = Connected(1, Address(), 1000);
  Exchange(clients);
  server_.Signal(SIGTERM);
  server_.Signal(SIGINT);
  EXPECT_THAT(server_.Finish(), Ends(0, "", TotalsOf(1, 1000, 0, 1)));
  EXPECT_TRUE(clients[0]->AwaitReset());
}

// Each connection that ends makes room for one that waits.
TEST_P(UringEchoTest, With64DescriptorsServes200ClientsInTheEnd) {
  ChildProcess server({.program = kEcho, .arguments = Arguments(), .descriptor_limit = 64});
  std::string address = server.ReadLine();
  // Some first: UBSan needs descriptors of its own to look at an object of a type that it has not met.
  Exchange(Connected(20, address, 500'000), kClose);
  Clients clients = Connected(180, address, 20'000);
  Exchange(clients, kClose);
  server.Signal(SIGTERM);
  Ending ending = server.Finish();
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_THAT(ending.error, AllOf(HasSubstr("accept on descriptor "), HasSubstr(": Too many open files; "),
                                  EndsWith(TotalsOf(200, 20 * 500'000 + 180 * 20'000, 0, 0))));
}

TEST_P(UringEchoTest, ReportsAnAddressThatIsInUse) {
  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = Arguments(Address())}),
              Ends(1, "", "uring-echo: bind to " + Address() + ": Address already in use\n"));
  ExpectGoodEnd(TotalsOf(0, 0, 0, 0));
}

// An address that it had itself a moment ago, with connections that it closed, is not in use.
TEST_P(UringEchoTest, ListensAgainRightAfterItsEnd) {
  Clients clients = Connected(3, Address(), 10);
  Exchange(clients);
  for (const std::unique_ptr<Client>& client : clients) client->FinishSending();
  for (const std::unique_ptr<Client>& client : clients) EXPECT_TRUE(client->AwaitEnd());
  ExpectGoodEnd(TotalsOf(3, 30, 0, 0));

  ChildProcess again({.program = kEcho, .arguments = Arguments(Address())});
  EXPECT_EQ(again.ReadLine(), Address());
  again.Signal(SIGTERM);
  EXPECT_THAT(again.Finish(), Ends(0, "", TotalsOf(0, 0, 0, 0)));
}

TEST(UringEchoOptionsTest, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:7x", "::1:7000"}) {
    Ending ending = RunToEnd({.program = kEcho, .arguments = {std::string("--listen=") + address}});
    EXPECT_EQ(ending.exit_status, 2) << address;
    EXPECT_EQ(ending.output, "") << address;
    EXPECT_THAT(ending.error,
                StartsWith("uring-echo: --listen: \"" + std::string(address) + "\" is no socket address"));
  }
}

TEST(UringEchoOptionsTest, RefusesWhatIsNoTime) {
  for (const char* drain : {"", "800", "soon", "-1s"}) {
    EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {std::string("--drain=") + drain}}),
                Ends(2, "",
                     "uring-echo: --drain: \"" + std::string(drain) +
                         "\" is not a time, such as 800ms, 1.5s, 2m or inf\n"));
  }
}

TEST(UringEchoOptionsTest, RefusesFlagsAndOperandsThatItDoesNotHave) {
  std::string hint = "Try 'uring-echo --help' for more information.\n";

  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"--wrong"}}),
              Ends(2, "", "uring-echo: unrecognized option '--wrong'\n" + hint));
  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"--listen"}}),
              Ends(2, "", "uring-echo: option '--listen' requires an argument\n" + hint));
  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"operand"}}),
              Ends(2, "", "uring-echo: unexpected operand 'operand'\n" + hint));
  Ending wrong_backend = RunToEnd({.program = kEcho, .arguments = {"--backend=kqueue"}});
  EXPECT_EQ(wrong_backend.exit_status, 2);
  EXPECT_THAT(wrong_backend.error, AllOf(StartsWith("uring-echo: --backend: "), HasSubstr("io_uring")));
}

TEST(UringEchoOptionsTest, SaysHowItIsUsed) {
  OwnedDescriptor full = Own(open("/dev/full", O_WRONLY | O_CLOEXEC));

  Ending help = RunToEnd({.program = kEcho, .arguments = {"--help"}});
  EXPECT_THAT(help.output, StartsWith("Usage: uring-echo [--listen=ADDRESS:PORT] [--backend="));
  EXPECT_THAT(help, Ends(0, help.output, ""));
  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"--version"}}), Ends(0, "uring-echo (proactor) 0.1.0\n", ""));
  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"--help"}, .output = full->number}),
              Ends(1, "", "uring-echo: standard output: No space left on device\n"));
}

TEST(UringEchoOptionsTest, EndsWhenItCannotSayWhereItListens) {
  OwnedDescriptor full = Own(open("/dev/full", O_WRONLY | O_CLOEXEC));

  EXPECT_THAT(RunToEnd({.program = kEcho, .arguments = {"--listen=127.0.0.1:0"}, .output = full->number}),
              Ends(1, "", "uring-echo: standard output: No space left on device\n"));
}

// Otherwise a socket would get the number of one of them, and the address, which is written to standard output, go
// there.
TEST(UringEchoOptionsTest, ServesWithoutStandardInputAndOutput) {
  std::string address;
  {
    ChildProcess first({.program = kEcho, .arguments = {"--listen=127.0.0.1:0"}});
    address = first.ReadLine();
    // Not killed: the kernel takes down the ring of a killed process, and the listener with it, a little after its end.
    first.Signal(SIGTERM);
    ASSERT_EQ(first.Finish().exit_status, 0);
  }
  ChildProcess server({.program = kEcho, .arguments = {"--listen=" + address}, .input = kClosed, .output = kClosed});

  OwnedDescriptor connection;
  absl::Time deadline = absl::Now() + kPatience;
  while (!connection && absl::Now() < deadline) connection = Connect(address);
  ASSERT_TRUE(connection);
  Clients clients;
  clients.push_back(std::make_unique<Client>(std::move(connection), Stream(0, 1000)));
  Exchange(clients);
  clients.clear();
  server.Signal(SIGTERM);
  EXPECT_THAT(server.Finish(), Ends(0, "", TotalsOf(1, 1000, 0, 0)));
}

TEST(UringEchoOptionsTest, ServesThroughABackendOfItsOwnChoice) {
  ChildProcess server({.program = kEcho, .arguments = {"--listen=127.0.0.1:0", "--backend=auto"}});
  Clients clients = Connected(1, server.ReadLine(), 1000);
  Exchange(clients);
  clients.clear();
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Finish().exit_status, 0);
}

TEST(UringEchoOptionsTest, ThroughEpollItMakesNoCallOfIoUring) {
  const unsigned kCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
  Command command = {
      .program = kEcho, .arguments = {"--listen=127.0.0.1:0", "--backend=epoll"}, .filter = FatalOn(kCalls)};
  ChildProcess server(command);
  Clients clients = Connected(1, server.ReadLine(), 1000);
  Exchange(clients);
  clients.clear();
  server.Signal(SIGTERM);
  EXPECT_THAT(server.Finish(), Ends(0, "", TotalsOf(1, 1000, 0, 0)));
  command.arguments.back() = "--backend=auto";
  EXPECT_EQ(RunToEnd(command).signal, SIGSYS) << "the filter catches nobody";
}

TEST(UringEchoOptionsTest, SaysWhatIsMissingWhereTheIoUringThatWasAskedForIsForbidden) {
  Ending ending = RunToEnd({.program = kEcho,
                            .arguments = {"--listen=127.0.0.1:0", "--backend=io_uring"},
                            .filter = Failing(SYS_io_uring_setup, EPERM)});
  EXPECT_EQ(ending.exit_status, 1);
  EXPECT_THAT(ending.error, StartsWith("uring-echo: io_uring_setup: Operation not permitted; "));
}

}  // namespace
}  // namespace proactor
