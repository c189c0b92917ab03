// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/closing.h"

#include <poll.h>

#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/operation/accept.h"
#include "proactor/operation/close.h"
#include "proactor/operation/read.h"
#include "proactor/operation/recv.h"
#include "proactor/operation/send_all.h"
#include "proactor/operation/splice.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class ClosingTest : public OperationTest {
 protected:
  // Tasks that use the server's end of a connection, and note in which order they end.
  Task<absl::Status> Read() {
    char byte;
    absl::StatusOr<size_t> n = co_await MakeOperation(RecvOp{.descriptor = server(), .buffer = {&byte, 1}});
    order_ += 'r';
    read_ = n.ok() ? absl::OkStatus() : n.status();
    co_return absl::OkStatus();
  }
  Task<absl::Status> Write() {
    written_ = co_await MakeOperation(SendAllOp{.descriptor = server(), .bytes = bytes_});
    order_ += 'w';
    co_return absl::OkStatus();
  }
  Task<absl::Status> Close() {
    closed_ = co_await MakeOperation(CloseOp{.descriptor = server()});
    order_ += 'c';
    co_return absl::OkStatus();
  }

  Task<absl::Status> CloseFile(OwnedDescriptor& file) {
    closed_ = co_await MakeOperation(CloseOp{.descriptor = file.get()});
    order_ += 'c';
    co_return absl::OkStatus();
  }

  // What waits for room, because this has filled the pipe.
  SpliceOp SpliceIntoFull(PipeEnds& pipe, OwnedDescriptor& file) {
    SpliceOp op = {.input = file.get(), .descriptor = pipe.writer.get(), .size = 100'000};
    while (system().Poll(pipe.writer->number, POLLOUT) > 0) EXPECT_THAT(Await(op), IsOk());
    return op;
  }

  // Runs tasks of which the first wait already when the later ones begin, which then all begin in one step.
  absl::Status RunTasks(std::vector<Task<absl::Status>> first, std::vector<Task<absl::Status>> later) {
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      for (Task<absl::Status>& task : first) group.Spawn(std::move(task));
      co_await Try(Sleep(absl::Milliseconds(1)));
      for (Task<absl::Status>& task : later) group.Spawn(std::move(task));
      co_return absl::OkStatus();
    };
    // What is never closed would be waited for without an end.
    return Run(WithTimeout(absl::Seconds(20), WithTaskGroup(body)));
  }
  template <class... Tasks>
  std::vector<Task<absl::Status>> Together(Tasks... tasks) {
    std::vector<Task<absl::Status>> list;
    (list.push_back(std::move(tasks)), ...);
    return list;
  }

  Descriptor* server() { return connection_.server.get(); }
  void WriteToServer(std::string_view bytes) { WriteNow(connection_.client, bytes); }

  Connection connection_ = MakeConnection(system());
  const std::string bytes_ = std::string(32 << 20, 'x');  // More than any socket takes.
  std::string order_;
  absl::Status read_ = absl::UnknownError("has not ended"), written_ = read_, closed_ = read_;
};

constexpr char kSpliceEnded[] = "splice: Operation canceled (its descriptor is closed)";
constexpr char kReadAtEnded[] = "pread: Operation canceled (its descriptor is closed)";
constexpr char kReadEnded[] = "recv: Operation canceled (its descriptor is closed)";

TEST_P(ClosingTest, AReadInFlightIsCancelledAndHasEndedBefore) {
  EXPECT_THAT(RunTasks(Together(Read()), Together(Close())), IsOk());
  EXPECT_THAT(read_, StatusIs(absl::StatusCode::kCancelled, kReadEnded));
  EXPECT_EQ(ErrnoOf(read_), ECANCELED);
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "rc");
  EXPECT_EQ(server()->number, -1);
}

TEST_P(ClosingTest, AWriteInFlightSaysHowFarItGot) {
  EXPECT_THAT(RunTasks(Together(Write()), Together(Close())), IsOk());
  EXPECT_THAT(written_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_GT(BytesTransferred(written_).value_or(0), 0u);
  EXPECT_LT(BytesTransferred(written_).value_or(bytes_.size()), bytes_.size());
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "wc");
}

TEST_P(ClosingTest, AReadAndAWriteInFlightBothEndBefore) {
  EXPECT_THAT(RunTasks(Together(Read(), Write()), Together(Close())), IsOk());
  EXPECT_THAT(read_, StatusIs(absl::StatusCode::kCancelled, kReadEnded));
  EXPECT_THAT(written_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_.back(), 'c');
  EXPECT_EQ(order_.size(), 3u);
}

TEST_P(ClosingTest, AnAcceptInFlightEndsBefore) {
  Listener listener = MakeListener(system());
  absl::Status accepted;
  auto accept = [&]() -> Task<absl::Status> {
    accepted = (co_await MakeOperation(AcceptOp{.descriptor = listener.descriptor.get()})).status();
    order_ += 'a';
    co_return absl::OkStatus();
  };
  auto close = [&]() -> Task<absl::Status> {
    closed_ = co_await MakeOperation(CloseOp{.descriptor = listener.descriptor.get()});
    order_ += 'c';
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks(Together(accept()), Together(close())), IsOk());
  EXPECT_THAT(accepted, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "ac");
}

// What takes no slot is known all the same: the end of one that waits for somebody else,
TEST_P(ClosingTest, ASpliceFromItEndsBefore) {
  OwnedDescriptor file = MakeFile("file", std::string(100'000, 'x'));
  PipeEnds pipe = MakePipe(system());
  SpliceOp op = SpliceIntoFull(pipe, file);
  absl::Status spliced;
  auto splice = [&]() -> Task<absl::Status> {
    spliced = (co_await MakeOperation(op)).status();
    order_ += 's';
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks(Together(splice()), Together(CloseFile(file))), IsOk());
  EXPECT_THAT(spliced, StatusIs(absl::StatusCode::kCancelled, kSpliceEnded));
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "sc");
}

// and of those that end by themselves, any number of them.
TEST_P(ClosingTest, ReadsAtAnOffsetEndBefore) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  char bytes[3];
  absl::StatusOr<size_t> read[3], late;
  auto read_at = [&](int i) -> Task<absl::Status> {
    read[i] = co_await MakeOperation(ReadAtOp{{.descriptor = file.get(), .buffer = {&bytes[i], 1}, .offset = i}});
    order_ += 'r';
    co_return absl::OkStatus();
  };
  auto read_late = [&]() -> Task<absl::Status> {
    char byte;
    late = co_await MakeOperation(ReadAtOp{{.descriptor = file.get(), .buffer = {&byte, 1}, .offset = 0}});
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks({}, Together(read_at(0), read_at(1), read_at(2), CloseFile(file), read_late())), IsOk());
  for (int i = 0; i < 3; ++i) {
    if (read[i].ok()) {
      EXPECT_EQ(bytes[i], '0' + i);
    } else {
      EXPECT_THAT(read[i], StatusIs(absl::StatusCode::kCancelled, kReadAtEnded));
    }
  }
  EXPECT_EQ(ErrnoOf(late.status()), EBADF) << late.status();
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "rrrc");
}

// One that comes when the pipe is being closed has no share of the file, which may go before its turn.
TEST_P(ClosingTest, ASpliceIntoAPipeThatIsBeingClosedKeepsNothing) {
  OwnedDescriptor file = MakeFile("file", std::string(100'000, 'x'));
  PipeEnds pipe = MakePipe(system());
  SpliceOp op = SpliceIntoFull(pipe, file);
  absl::Status first, late;
  auto splice = [&](absl::Status& status) -> Task<absl::Status> {
    status = (co_await MakeOperation(op)).status();
    co_return absl::OkStatus();
  };
  absl::Status close_pipe;
  auto close = [&]() -> Task<absl::Status> {
    close_pipe = co_await MakeOperation(CloseOp{.descriptor = pipe.writer.get()});
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks(Together(splice(first)), Together(close(), splice(late), CloseFile(file))), IsOk());
  EXPECT_THAT(first, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(ErrnoOf(late), EBADF) << late;
  EXPECT_THAT(close_pipe, IsOk());
  EXPECT_THAT(closed_, IsOk());
}

// Completion beats cancellation: the byte was there before the descriptor was closed.
TEST_P(ClosingTest, AByteThatHasComeIsDelivered) {
  auto send_and_close = [&]() -> Task<absl::Status> {
    WriteToServer("x");
    AwaitDelivery(system(), connection_.client->number);
    // The reader has its result, or is about to get it, and has not run.
    scheduler().proactor().Wait(MonotonicTime::Past());
    if (simulated()) co_await Try(Sleep(absl::Milliseconds(1)));
    co_return co_await Close();
  };
  EXPECT_THAT(RunTasks(Together(Read()), Together(send_and_close())), IsOk());
  EXPECT_THAT(read_, IsOk());
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "rc");
}

TEST_P(ClosingTest, WhoComesMeanwhileFindsItClosed) {
  absl::Status late, second;
  auto read = [&]() -> Task<absl::Status> {
    char byte;
    late = (co_await MakeOperation(RecvOp{.descriptor = server(), .buffer = {&byte, 1}})).status();
    co_return absl::OkStatus();
  };
  auto close = [&]() -> Task<absl::Status> {
    second = co_await MakeOperation(CloseOp{.descriptor = server()});
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks(Together(Read()), Together(Close(), read(), close())), IsOk());
  EXPECT_EQ(ErrnoOf(late), EBADF) << late;
  EXPECT_EQ(ErrnoOf(second), EBADF) << second;
  EXPECT_THAT(read_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(closed_, IsOk());
  EXPECT_EQ(order_, "rc");
}

// The one that reads again and again, whatever it is told.
TEST_P(ClosingTest, AReaderThatGoesOnDoesNotKeepItOpen) {
  int cancelled = 0;
  absl::Status last;
  auto reader = [&]() -> Task<absl::Status> {
    char byte;
    while (ErrnoOf(last) != EBADF) {
      last = (co_await MakeOperation(RecvOp{.descriptor = server(), .buffer = {&byte, 1}})).status();
      cancelled += absl::IsCancelled(last);
    }
    co_return absl::OkStatus();
  };
  EXPECT_THAT(RunTasks(Together(reader()), Together(Close())), IsOk());
  EXPECT_EQ(cancelled, 1);
  EXPECT_THAT(closed_, IsOk());
}

TEST_P(ClosingTest, CancelledWhileItWaitsItLeavesTheDescriptorIdleToItsOwner) {
  std::optional<CancelScope> scope;
  auto close = [&]() -> Task<absl::Status> {
    scope.emplace(co_await CurrentContext());
    absl::Status status = co_await internal::InScope(*scope, Close());
    scope.reset();
    co_return status;
  };
  auto cancel = [&]() -> Task<absl::Status> {
    scope->Cancel();
    co_return absl::OkStatus();
  };
  int number = server()->number;
  EXPECT_THAT(RunTasks(Together(Read()), Together(close(), cancel())), IsOk());
  EXPECT_THAT(closed_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(read_, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(order_, "rc");
  EXPECT_EQ(server()->number, number);
  WriteToServer("x");
  EXPECT_THAT(Run(Read()), IsOk());
  EXPECT_THAT(read_, IsOk()) << "it can be used again";
}

TEST_P(ClosingTest, ADumpSaysWhoWaitsForWhom) {
  std::string dump;
  auto look = [&]() -> Task<absl::Status> {
    dump = scheduler().Dump();
    co_return absl::OkStatus();
  };
  std::string number = std::to_string(server()->number);
  EXPECT_THAT(RunTasks(Together(Read()), Together(Close(), look())), IsOk());
  EXPECT_NE(dump.find("waits for close on descriptor " + number), std::string::npos) << dump;
  EXPECT_NE(dump.find("waits for recv on descriptor " + number + ", which was asked to end"), std::string::npos)
      << dump;
}

INSTANTIATE_ON_EVERY_BACKEND(ClosingTest);

}  // namespace
}  // namespace proactor
