// SPDX-License-Identifier: Apache-2.0
#include "tests/proactor/operation/operands.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace proactor {
namespace {

// A simulated system interrupts calls; a real one may.
template <class Call>
int Uninterrupted(Call call) {
  int result;
  while ((result = call()) == -EINTR) {
  }
  return result;
}

void ExpectDone(int result, std::string_view what) {
  if (result < 0) ADD_FAILURE() << what << ": " << std::strerror(-result);
}

// For what a test does to files by hand, on a thread that it may block.
System& MayBlock(System& system) { return system.may_block() ? system : System::Real(); }

}  // namespace

OwnedDescriptor MakeSocket(System& system, int flags) {
  int number = system.Socket(AF_INET, SOCK_STREAM | flags, 0);
  ExpectDone(number, "socket");
  return OwnedDescriptor(system, number, DescriptorKind::kSocket);
}

Listener MakeListener(System& system, int backlog, int flags) {
  Listener listener{MakeSocket(system, flags), SocketAddress::Loopback(0)};
  int number = listener.descriptor->number;
  ExpectDone(system.Bind(number, listener.address.data(), listener.address.size()), "bind");
  ExpectDone(system.Listen(number, backlog), "listen");
  sockaddr_in name;
  socklen_t size = sizeof(name);
  ExpectDone(system.SocketName(number, reinterpret_cast<sockaddr*>(&name), &size), "getsockname");
  listener.address = SocketAddress::Loopback(ntohs(name.sin_port));
  return listener;
}

OwnedDescriptor MakeClient(System& system, const SocketAddress& address) {
  OwnedDescriptor client = MakeSocket(system);
  auto connect = [&] { return system.Connect(client->number, address.data(), address.size()); };
  int result = Uninterrupted(connect);
  while (result == -EINPROGRESS || result == -EALREADY) {
    // The simulated one tells the outcome when asked again, a real one when its softirq has had a processor.
    pollfd asked = {client->number, POLLOUT, 0};
    if (!IsSimulated(system)) poll(&asked, 1, -1);
    result = Uninterrupted(connect);
  }
  ExpectDone(result, "connect");
  return client;
}

Connection MakeConnection(System& system) {
  Listener listener = MakeListener(system);
  Connection connection;
  connection.client = MakeClient(system, listener.address);
  AwaitReadable(listener.descriptor);
  int number = Uninterrupted([&] { return system.Accept(listener.descriptor->number, nullptr, nullptr); });
  ExpectDone(number, "accept");
  connection.server = OwnedDescriptor(system, number, DescriptorKind::kSocket);
  return connection;
}

void AwaitReadable(const OwnedDescriptor& descriptor) {
  if (IsSimulated(descriptor->system)) return;
  pollfd asked = {descriptor->number, POLLIN, 0};
  poll(&asked, 1, -1);
}

PipeEnds MakePipe(System& system) {
  int ends[2] = {-1, -1};
  if (auto* simulated = dynamic_cast<SimulatedSystem*>(&system)) {
    std::tie(ends[0], ends[1]) = simulated->MakePipe();
  } else if (pipe2(ends, O_CLOEXEC) < 0) {
    ADD_FAILURE() << "pipe2: " << std::strerror(errno);
  }
  return {OwnedDescriptor(system, ends[0], DescriptorKind::kPipe),
          OwnedDescriptor(system, ends[1], DescriptorKind::kPipe)};
}

OwnedDescriptor OpenFile(System& system, const std::string& path, int flags) {
  int number = Uninterrupted([&] { return MayBlock(system).Open(path.c_str(), flags, 0600); });
  ExpectDone(number, path);
  return OwnedDescriptor(system, number, DescriptorKind::kRegularFile);
}

void WriteNow(const OwnedDescriptor& descriptor, std::string_view bytes) {
  System& system = MayBlock(descriptor->system);
  while (!bytes.empty()) {
    int result = Uninterrupted([&] { return system.Write(descriptor->number, bytes.data(), bytes.size(), -1); });
    ExpectDone(result, "write");
    if (result < 0) return;
    bytes.remove_prefix(static_cast<size_t>(result));
  }
}

NoMoreDescriptors::NoMoreDescriptors() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit_ = limit.rlim_cur;
  // The lowest number that is free is the first that the limit forbids.
  int free = fcntl(0, F_DUPFD, 0);
  close(free);
  limit.rlim_cur = static_cast<rlim_t>(free);
  setrlimit(RLIMIT_NOFILE, &limit);
}

NoMoreDescriptors::~NoMoreDescriptors() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit_;
  setrlimit(RLIMIT_NOFILE, &limit);
}

OperationTest::~OperationTest() {
  for (const std::string& path : paths_) unlink(path.c_str());
  if (!directory_.empty()) rmdir(directory_.c_str());
}

std::string OperationTest::Path(const std::string& name) {
  if (simulated()) return name;
  if (directory_.empty()) {
    directory_ = ::testing::TempDir() + "/operation_test.XXXXXX";
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
  }
  return paths_.emplace_back(directory_ + "/" + name);
}

OwnedDescriptor OperationTest::MakeFile(const std::string& name, std::string_view contents) {
  std::string path = Path(name);
  {
    OwnedDescriptor writer = OpenFile(system(), path, O_WRONLY | O_CREAT | O_TRUNC);
    WriteNow(writer, contents);
  }
  return OpenFile(system(), path, O_RDWR);
}

}  // namespace proactor
