// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/simulated_pipe.h"

#include <gtest/gtest.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

namespace proactor {
namespace {

class SimulatedPipeTest : public ::testing::Test {
 protected:
  static constexpr size_t kCapacity = 3 * PIPE_BUF;

  int Write(std::string_view bytes) { return writer_.Write(bytes.data(), bytes.size(), -1); }
  std::string Read(size_t size = 100) {
    std::string buffer(size, '\0');
    int result = reader_.Read(buffer.data(), size, -1);
    EXPECT_GE(result, 0);
    return buffer.substr(0, static_cast<size_t>(result));
  }

  SimulatedChance chance_{1, /*short_transfers=*/false};
  std::shared_ptr<SimulatedPipe> pipe_{new SimulatedPipe{.chance = chance_, .capacity = kCapacity}};
  SimulatedPipeReader reader_{pipe_};
  SimulatedPipeWriter writer_{pipe_};
};

TEST_F(SimulatedPipeTest, BytesComeOutInOrder) {
  EXPECT_EQ(Write("one"), 3);
  EXPECT_EQ(Write("two"), 3);
  EXPECT_EQ(Read(4), "onet");
  EXPECT_EQ(Read(), "wo");
}

TEST_F(SimulatedPipeTest, AReaderWaitsForTheWriter) {
  char byte;
  EXPECT_EQ(reader_.Read(&byte, 1, -1), -EAGAIN);
}

TEST_F(SimulatedPipeTest, TheEndComesAfterTheLastByte) {
  EXPECT_EQ(Write("last"), 4);
  writer_.Close();
  EXPECT_EQ(Read(), "last");
  EXPECT_EQ(Read(), "");
}

TEST_F(SimulatedPipeTest, WritingToNobodyIsABrokenPipe) {
  reader_.Close();
  EXPECT_EQ(Write("x"), -EPIPE);
}

TEST_F(SimulatedPipeTest, AWriterWaitsForRoom) {
  EXPECT_EQ(Write(std::string(2 * kCapacity, 'x')), kCapacity);
  EXPECT_EQ(Write("x"), -EAGAIN);
  EXPECT_EQ(Read(1), "x");
  EXPECT_EQ(Write("x"), 1);
}

TEST_F(SimulatedPipeTest, SmallWritesAreNotTornApart) {
  EXPECT_EQ(Write(std::string(kCapacity - 10, 'x')), kCapacity - 10);
  EXPECT_EQ(Write(std::string(11, 'y')), -EAGAIN);
  EXPECT_EQ(Write(std::string(10, 'y')), 10);
}

TEST_F(SimulatedPipeTest, IsReadyForWhatCanBeDone) {
  EXPECT_EQ(reader_.Poll()->events, 0u);
  EXPECT_EQ(writer_.Poll()->events, POLLOUT);
  EXPECT_EQ(Write(std::string(2 * PIPE_BUF, 'x')), 2 * PIPE_BUF);
  EXPECT_EQ(reader_.Poll()->events, POLLIN);
  EXPECT_EQ(writer_.Poll()->events, POLLOUT);
  EXPECT_EQ(Write("x"), 1);
  EXPECT_EQ(writer_.Poll()->events, 0u) << "for there may be too little room";
  writer_.Close();
  EXPECT_EQ(reader_.Poll()->events, POLLIN | POLLHUP);
  reader_.Close();
  EXPECT_EQ(writer_.Poll()->events, POLLERR);
}

TEST_F(SimulatedPipeTest, WakesWhoeverMayWait) {
  uint64_t wakes = reader_.Poll()->wakes;
  EXPECT_EQ(Write("one"), 3);
  EXPECT_GT(reader_.Poll()->wakes, wakes);
  wakes = reader_.Poll()->wakes;
  EXPECT_EQ(Write("two"), 3);
  EXPECT_GT(reader_.Poll()->wakes, wakes) << "though it was readable already";
  EXPECT_EQ(Write(std::string(2 * kCapacity, 'x')), kCapacity - 6);
  wakes = writer_.Poll()->wakes;
  EXPECT_EQ(Read(), "onetwo" + std::string(94, 'x'));
  EXPECT_EQ(writer_.Poll()->wakes, wakes) << "too little room, still";
  EXPECT_EQ(Read(PIPE_BUF).size(), PIPE_BUF);
  EXPECT_EQ(writer_.Poll()->wakes, wakes + 1);
}

TEST_F(SimulatedPipeTest, HasNoPositionAndTwoDifferentEnds) {
  char byte;
  EXPECT_EQ(reader_.Read(&byte, 1, 0), -ESPIPE);
  EXPECT_EQ(writer_.Write(&byte, 1, 0), -ESPIPE);
  EXPECT_EQ(reader_.Write(&byte, 1, -1), -EBADF);
  EXPECT_EQ(writer_.Read(&byte, 1, -1), -EBADF);
  EXPECT_EQ(reader_.Sync(), -EINVAL);
  EXPECT_EQ(writer_.Truncate(0), -EINVAL);
  struct statx facts = {};
  reader_.Stat(facts);
  EXPECT_TRUE(S_ISFIFO(facts.stx_mode));
}

TEST_F(SimulatedPipeTest, IsFilledFromAnotherAsFarAsThereIsRoom) {
  auto other = std::make_shared<SimulatedPipe>(SimulatedPipe{.chance = chance_, .capacity = 2 * kCapacity});
  SimulatedPipeReader source(other);
  SimulatedPipeWriter feed(other);
  EXPECT_EQ(writer_.SpliceFrom(source, 10), -EAGAIN) << "the source is empty";
  std::string bytes(kCapacity + 1, 'x');
  EXPECT_EQ(feed.Write(bytes.data(), bytes.size(), -1), kCapacity + 1);
  EXPECT_EQ(writer_.SpliceFrom(source, 0), 0);
  EXPECT_EQ(writer_.SpliceFrom(source, 2 * kCapacity), kCapacity);
  EXPECT_EQ(writer_.SpliceFrom(source, 1), -EAGAIN) << "this one is full";
  EXPECT_EQ(Read(), std::string(100, 'x'));
  EXPECT_EQ(writer_.SpliceFrom(source, 2), 1);
  feed.Close();
  EXPECT_EQ(writer_.SpliceFrom(source, 1), 0);
  EXPECT_EQ(reader_.SpliceFrom(source, 1), -EBADF);
  reader_.Close();
  EXPECT_EQ(writer_.SpliceFrom(source, 1), -EPIPE);
}

TEST(SimulatedPipeChanceTest, TransfersMayBeShort) {
  SimulatedChance chance(1);
  auto pipe = std::make_shared<SimulatedPipe>(SimulatedPipe{.chance = chance, .capacity = 1 << 20});
  SimulatedPipeReader reader(pipe);
  SimulatedPipeWriter writer(pipe);
  std::string bytes(10'000, 'x');
  std::string buffer(100, '\0');
  bool short_write = false;
  bool short_read = false;
  for (int i = 0; i < 20; ++i) {
    int written = writer.Write(bytes.data(), bytes.size(), -1);
    EXPECT_GT(written, 0);
    short_write |= written < 10'000;
    while (!pipe->bytes.empty()) {
      size_t left = pipe->bytes.size();
      int read = reader.Read(buffer.data(), buffer.size(), -1);
      EXPECT_GT(read, 0);
      short_read |= read < 100 && static_cast<size_t>(read) < left;
    }
  }
  EXPECT_TRUE(short_write);
  EXPECT_TRUE(short_read);
}

}  // namespace
}  // namespace proactor
