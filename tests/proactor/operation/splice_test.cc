// SPDX-License-Identifier: Apache-2.0
#include "proactor/operation/splice.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "proactor/errors.h"
#include "proactor/testing/status_matchers.h"
#include "tests/proactor/operation/operands.h"

namespace proactor {
namespace {

class SpliceTest : public OperationTest {
 protected:
  static SpliceOp Splice(const OwnedDescriptor& from, const OwnedDescriptor& to, size_t size = 1 << 20) {
    return {.input = from.get(), .descriptor = to.get(), .size = size};
  }

  static std::string Pattern(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 31 + i / 4096);
    return text;
  }

  // Adds what is in the pipe, of which there must be something.
  static void Drain(const OwnedDescriptor& pipe, size_t size, std::string& text) {
    // Before Linux 6.4 a pipe cannot be asked not to wait; here it need not be.
    System& system = pipe->system.may_block() ? pipe->system : System::Real();
    for (size_t end = text.size() + size; text.size() < end;) {
      char buffer[4096];
      int n = system.Read(pipe->number, buffer, std::min(sizeof(buffer), end - text.size()), -1);
      if (n == -EINTR) continue;
      ASSERT_GT(n, 0);
      text.append(buffer, static_cast<size_t>(n));
    }
  }

  // Moves as much as the pipe has room for, and a bit at a time.
  size_t Fill(const OwnedDescriptor& file, const OwnedDescriptor& pipe) {
    size_t moved = 0;
    while (true) {
      absl::StatusOr<size_t> n = AwaitWithTimeout(absl::Milliseconds(5), Splice(file, pipe));
      if (n.ok()) {
        EXPECT_GT(*n, 0u);
        moved += *n;
      } else {
        EXPECT_THAT(n, StatusIs(absl::StatusCode::kDeadlineExceeded));
        if (simulated() || IsFull(pipe)) return moved;
        // A thread that was to move bytes was not fast enough.
      }
    }
  }

  static bool IsFull(const OwnedDescriptor& pipe) {
    pollfd asked = {pipe->number, POLLOUT, 0};
    return poll(&asked, 1, 0) == 0;
  }
};

TEST_P(SpliceTest, MovesBytesFromThePositionToTheEnd) {
  std::string text = Pattern(20'000);
  OwnedDescriptor file = MakeFile("file", text);
  PipeEnds pipe = MakePipe(system());
  std::string moved;
  while (true) {
    absl::StatusOr<size_t> n = Await(Splice(file, pipe.writer, 7000));
    ASSERT_THAT(n, IsOk());
    EXPECT_LE(*n, 7000u);
    if (*n == 0) break;
    Drain(pipe.reader, *n, moved);
  }
  EXPECT_TRUE(moved == text);
}

TEST_P(SpliceTest, AFullPipeIsWaitedForAndNothingIsLost) {
  std::string text = Pattern(300'000);
  OwnedDescriptor file = MakeFile("file", text);
  PipeEnds pipe = MakePipe(system());
  size_t full = Fill(file, pipe.writer);
  EXPECT_LT(full, text.size());
  std::string moved;
  absl::StatusOr<size_t> n = AwaitWhile(Splice(file, pipe.writer), [&] { Drain(pipe.reader, full, moved); });
  while (n.ok() && *n > 0) {
    Drain(pipe.reader, *n, moved);
    n = Await(Splice(file, pipe.writer));
  }
  EXPECT_THAT(n, IsOkAndHolds(0u));
  EXPECT_TRUE(moved == text);
}

TEST_P(SpliceTest, ANonBlockingPipeIsWaitedForAsWell) {
  if (simulated()) return;  // Has no such flag.
  OwnedDescriptor file = MakeFile("file", Pattern(300'000));
  PipeEnds pipe = MakePipe(system());
  fcntl(pipe.writer->number, F_SETFL, O_WRONLY | O_NONBLOCK);
  size_t full = Fill(file, pipe.writer);
  std::string moved;
  EXPECT_THAT(AwaitWhile(Splice(file, pipe.writer), [&] { Drain(pipe.reader, full, moved); }), IsOk());
}

TEST_P(SpliceTest, ACancelledScopeMovesNothing) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  PipeEnds pipe = MakePipe(system());
  EXPECT_THAT(AwaitInCancelledScope(Splice(file, pipe.writer)), StatusIs(absl::StatusCode::kCancelled));
  std::string moved;
  while (moved.size() < 10) {
    absl::StatusOr<size_t> n = Await(Splice(file, pipe.writer));
    ASSERT_THAT(n, IsOk());
    Drain(pipe.reader, *n, moved);
  }
  EXPECT_EQ(moved, "0123456789");
}

TEST_P(SpliceTest, APipeThatNobodyReadsIsBroken) {
  signal(SIGPIPE, SIG_IGN);
  OwnedDescriptor file = MakeFile("file", "0123456789");
  PipeEnds pipe = MakePipe(system());
  pipe.reader = OwnedDescriptor();
  EXPECT_EQ(ErrnoOf(Await(Splice(file, pipe.writer)).status()), EPIPE);
}

TEST_P(SpliceTest, AReaderThatLeavesEndsTheWait) {
  signal(SIGPIPE, SIG_IGN);
  OwnedDescriptor file = MakeFile("file", Pattern(300'000));
  PipeEnds pipe = MakePipe(system());
  Fill(file, pipe.writer);
  absl::StatusOr<size_t> n = AwaitWhile(Splice(file, pipe.writer), [&] { pipe.reader = OwnedDescriptor(); });
  EXPECT_EQ(ErrnoOf(n.status()), EPIPE);
}

TEST_P(SpliceTest, OtherPairsAreRefusedWithoutAskingAnyone) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  OwnedDescriptor other = MakeFile("other", "");
  PipeEnds pipe = MakePipe(system());
  PipeEnds second = MakePipe(system());
  OwnedDescriptor socket = MakeSocket(system());
  int64_t before = counters().operations.value();
  auto refused = StatusIs(absl::StatusCode::kInvalidArgument, "splice: Invalid argument");
  EXPECT_THAT(Await(Splice(file, other)), refused);
  EXPECT_THAT(Await(Splice(file, socket)), refused);
  EXPECT_THAT(Await(Splice(pipe.reader, other)), refused);
  EXPECT_THAT(Await(Splice(pipe.reader, second.writer)), refused);
  EXPECT_THAT(Await(Splice(socket, pipe.writer)), refused);
  EXPECT_THAT(Await(Splice(file, pipe.writer, 0)), refused) << "zero bytes would read as the end";
  EXPECT_EQ(counters().operations.value(), before);
}

TEST_P(SpliceTest, TheWrongEndOfAPipeIsAnError) {
  OwnedDescriptor file = MakeFile("file", "0123456789");
  PipeEnds pipe = MakePipe(system());
  EXPECT_EQ(ErrnoOf(Await(Splice(file, pipe.reader)).status()), EBADF);
}

TEST(SpliceOpTest, NoMoreThanTheKernelTransfersIsAskedForAtOnce) {
  OwnedDescriptor file(System::Real(), -1, DescriptorKind::kRegularFile);
  OwnedDescriptor pipe(System::Real(), -1, DescriptorKind::kPipe);
  SpliceOp op = {.input = file.get(), .descriptor = pipe.get(), .size = size_t{5} << 30};
  io_uring_sqe entry = {};
  op.Prepare(entry);
  EXPECT_EQ(entry.len, kLargestTransfer);
}

// Whoever else writes to the pipe was faster.
TEST(SpliceOpTest, APipeThatIsFullAgainIsWaitedForAgain) {
  SimulatedWorld world({.interruptions = false});
  world.system().WriteFile("file", "x");
  OwnedDescriptor file = OpenFile(world.system(), "file", O_RDONLY);
  PipeEnds pipe = MakePipe(world.system());
  world.system().FailNext(SimulatedCall::kSplice, EAGAIN, 3);
  auto body = [&]() -> Task<absl::StatusOr<size_t>> {
    co_return co_await MakeOperation(SpliceOp{.input = file.get(), .descriptor = pipe.writer.get(), .size = 10});
  };
  EXPECT_THAT(world.Run(body()), IsOkAndHolds(1u));
}

INSTANTIATE_ON_EVERY_BACKEND(SpliceTest);

}  // namespace
}  // namespace proactor
