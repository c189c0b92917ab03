// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_request.h"

#include <fcntl.h>

#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"

namespace proactor {
namespace {

io_uring_sqe Entry(unsigned opcode, int fd, const void* address, size_t size) {
  io_uring_sqe entry = {};
  io_uring_prep_rw(static_cast<int>(opcode), &entry, fd, address, static_cast<unsigned>(size), 0);
  return entry;
}

class FakeRequestTest : public ::testing::Test {
 protected:
  static constexpr size_t kBufferSize = 100;

  // A client and its server.
  std::pair<int, int> Connected() {
    int listener = system_.Socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(system_.Listen(listener, 1), 0);
    sockaddr_storage address;
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    system_.SocketName(listener, generic, &size);
    int client = system_.Socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(system_.Connect(client, generic, size), -EINPROGRESS);
    EXPECT_EQ(system_.Connect(client, generic, size), 0);
    int server = system_.Accept(listener, nullptr, nullptr);
    system_.Close(listener);
    return {client, server};
  }

  // What it yields, if it does not have to wait.
  std::optional<int> Try(FakeRequest& request, bool send_continues = true) {
    std::optional<FakeResult> result = request.Try(system_, buffers_, send_continues);
    return result.has_value() ? std::optional(result->result) : std::nullopt;
  }

  FakeBuffers buffers_;
  SimulatedSystem system_{{.short_transfers = false, .interruptions = false, .buffer_size = kBufferSize}};
};

TEST_F(FakeRequestTest, KeepsThePathThatItWasToldAtFirst) {
  system_.WriteFile("right", "contents");
  std::string path = "right";
  io_uring_sqe entry = {};
  io_uring_prep_openat(&entry, AT_FDCWD, path.c_str(), O_RDONLY, 0);
  FakeRequest request(entry);
  path = "wrong";
  EXPECT_TRUE(request.IsWork(system_));
  std::optional<int> fd = Try(request);
  ASSERT_TRUE(fd.has_value());
  EXPECT_GE(*fd, 0);
}

TEST_F(FakeRequestTest, WaitsForWhatIsNotThere) {
  auto [reader, writer] = system_.MakePipe();
  char byte;
  io_uring_sqe entry = Entry(IORING_OP_READ, reader, &byte, 1);
  entry.off = ~uint64_t{0};
  FakeRequest request(entry);
  EXPECT_FALSE(request.IsWork(system_));
  EXPECT_TRUE(request.MayBeRefused());
  EXPECT_EQ(Try(request), std::nullopt);
  EXPECT_EQ(request.Cancelled(), -ECANCELED);
  EXPECT_EQ(system_.Write(writer, "x", 1, -1), 1);
  EXPECT_EQ(Try(request), 1);
}

TEST_F(FakeRequestTest, ASendOfAllGoesOnAfterAPartOrIsShortOnAnOlderKernel) {
  std::string bytes(3 * kBufferSize, 'x');
  for (bool continues : {true, false}) {
    auto [client, server] = Connected();
    io_uring_sqe entry = Entry(IORING_OP_SEND, client, bytes.data(), bytes.size());
    entry.msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
    FakeRequest request(entry);
    if (!continues) {
      EXPECT_EQ(Try(request, false), static_cast<int>(kBufferSize));
      continue;
    }
    std::optional<int> result;
    std::string received(kBufferSize, '\0');
    for (int i = 0; i < 3; ++i) {
      result = Try(request);
      EXPECT_EQ(request.Cancelled(), static_cast<int>(kBufferSize) * (i + 1)) << "how far it got";
      EXPECT_FALSE(request.MayBeRefused());
      EXPECT_EQ(system_.Receive(server, received.data(), received.size()), static_cast<int>(kBufferSize));
    }
    EXPECT_EQ(result, static_cast<int>(bytes.size()));
  }
}

TEST_F(FakeRequestTest, AMessageGoesOnInTheMiddleOfABufferThoughItsListHasChanged) {
  auto [client, server] = Connected();
  std::string first(kBufferSize - 10, 'a'), second(20, 'b');
  iovec parts[] = {{first.data(), first.size()}, {second.data(), second.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  io_uring_sqe entry = {};
  io_uring_prep_sendmsg(&entry, client, &message, MSG_WAITALL);
  FakeRequest request(entry);
  parts[0] = parts[1] = {};
  message = {};
  EXPECT_EQ(Try(request), std::nullopt);
  std::string received(2 * kBufferSize, '\0');
  EXPECT_EQ(system_.Receive(server, received.data(), received.size()), static_cast<int>(kBufferSize));
  EXPECT_EQ(Try(request), static_cast<int>(first.size() + second.size()));
  EXPECT_EQ(system_.Receive(server, received.data(), received.size()), 10);
  EXPECT_EQ(received.substr(0, 10), "bbbbbbbbbb");
}

TEST_F(FakeRequestTest, SplicingIntoAFullPipeIsAResult) {
  system_.WriteFile("file", std::string(1000, 'x'));
  int file = system_.Open("file", O_RDONLY, 0);
  auto [reader, writer] = system_.MakePipe();
  io_uring_sqe entry = {};
  io_uring_prep_splice(&entry, file, -1, writer, -1, 1000, SPLICE_F_NONBLOCK);
  FakeRequest request(entry);
  EXPECT_EQ(Try(request), static_cast<int>(kBufferSize));
  EXPECT_EQ(Try(request), -EAGAIN);
}

// --- Those that go on. ---

TEST_F(FakeRequestTest, AMultishotAcceptGoesOnUntilItFails) {
  int listener = system_.Socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(system_.Listen(listener, 8), 0);
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  system_.SocketName(listener, reinterpret_cast<sockaddr*>(&address), &size);
  io_uring_sqe entry = {};
  io_uring_prep_multishot_accept(&entry, listener, nullptr, nullptr, 0);
  FakeRequest request(entry);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(request.Try(system_, buffers_, true).has_value());
    int client = system_.Socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(system_.Connect(client, reinterpret_cast<sockaddr*>(&address), size), -EINPROGRESS);
    std::optional<FakeResult> accepted = request.Try(system_, buffers_, true);
    ASSERT_TRUE(accepted.has_value());
    EXPECT_GT(accepted->result, client);
    EXPECT_TRUE(accepted->more());
  }
  system_.FailNext(SimulatedCall::kAccept, EMFILE);
  std::optional<FakeResult> failed = request.Try(system_, buffers_, true);
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->result, -EMFILE);
  EXPECT_FALSE(failed->more());
}

TEST_F(FakeRequestTest, AMultishotReceiveTakesBuffersAndFailsWithoutOneThoughNothingIsThere) {
  alignas(4096) static io_uring_buf ring[4096 / sizeof(io_uring_buf)] = {};
  char space[2][8];
  EXPECT_EQ(buffers_.Register({.ring_addr = reinterpret_cast<uintptr_t>(ring), .ring_entries = 4, .bgid = 3, .pad = 0,
                               .resv = {}}), 0);
  auto* head = reinterpret_cast<io_uring_buf_ring*>(ring);
  for (unsigned i = 0; i < 2; ++i) {
    ring[i].addr = reinterpret_cast<uintptr_t>(space[i]);
    ring[i].len = sizeof(space[i]);
    ring[i].bid = static_cast<__u16>(10 + i);
  }
  head->tail = 2;
  auto [client, server] = Connected();
  io_uring_sqe entry = Entry(IORING_OP_RECV, server, nullptr, 0);
  entry.ioprio = IORING_RECV_MULTISHOT;
  entry.flags = IOSQE_BUFFER_SELECT;
  entry.buf_group = 3;
  FakeRequest request(entry);
  EXPECT_FALSE(request.Try(system_, buffers_, true).has_value()) << "the buffer is put back";
  EXPECT_EQ(system_.Send(client, "0123456789", 10), 10);
  unsigned more = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE;
  std::optional<FakeResult> first = request.Try(system_, buffers_, true);
  EXPECT_EQ(first->result, 8);
  EXPECT_EQ(first->flags, more | IORING_CQE_F_SOCK_NONEMPTY | 10u << IORING_CQE_BUFFER_SHIFT);
  EXPECT_EQ(std::string_view(space[0], 8), "01234567");
  std::optional<FakeResult> second = request.Try(system_, buffers_, true);
  EXPECT_EQ(second->result, 2);
  EXPECT_EQ(second->flags, more | 11u << IORING_CQE_BUFFER_SHIFT);
  std::optional<FakeResult> third = request.Try(system_, buffers_, true);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->result, -ENOBUFS);
  EXPECT_EQ(third->flags, 0u);
  ++head->tail;
  system_.Close(client);
  std::optional<FakeResult> end = request.Try(system_, buffers_, true);
  EXPECT_EQ(end->result, 0);
  EXPECT_EQ(end->flags, 0u);
}

TEST_F(FakeRequestTest, ASendWithoutCopyTellsWhenItsBufferIsFreeAlsoAfterAFailure) {
  auto [client, server] = Connected();
  std::string bytes = "hello";
  for (bool fails : {false, true}) {
    FakeRequest request(Entry(IORING_OP_SEND_ZC, client, bytes.data(), bytes.size()));
    if (fails) system_.FailNext(SimulatedCall::kSend, EPIPE);
    std::optional<FakeResult> sent = request.Try(system_, buffers_, true);
    EXPECT_EQ(sent->result, fails ? -EPIPE : 5);
    EXPECT_TRUE(sent->more());
    EXPECT_TRUE(request.notifies());
    std::optional<FakeResult> free = request.Try(system_, buffers_, true);
    EXPECT_EQ(free->flags, unsigned{IORING_CQE_F_NOTIF});
  }
  FakeRequest changed(Entry(IORING_OP_SEND_ZC, client, bytes.data(), bytes.size()));
  changed.Try(system_, buffers_, true);
  bytes[0] = 'J';
  EXPECT_DEATH(changed.Try(system_, buffers_, true), "was changed before the kernel said that it is free");
}

TEST_F(FakeRequestTest, AskingForWhatItCannotDoIsAFatalCheck) {
  EXPECT_DEATH(FakeRequest(Entry(IORING_OP_EPOLL_CTL, 0, nullptr, 0)).Try(system_, buffers_, true),
               "cannot perform the opcode 29");
}

}  // namespace
}  // namespace proactor
