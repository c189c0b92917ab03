// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_queues.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;

constexpr unsigned kSetupNoSubmissionArray = 1u << 16;

// The other side: what a user of the ring sees.
struct User {
  explicit User(unsigned entries, unsigned completions, unsigned flags = 0)
      : params(Parameters(entries, completions, flags)) {}
  static io_uring_params Parameters(unsigned entries, unsigned completions, unsigned flags) {
    io_uring_params params = {};
    params.sq_entries = entries;
    params.cq_entries = completions;
    params.flags = flags;
    return params;
  }
  unsigned& Word(unsigned offset) {
    return *reinterpret_cast<unsigned*>(static_cast<char*>(queues.Map(0, IORING_OFF_SQ_RING)) + offset);
  }
  void Push(uint64_t user_data) {
    auto* entries = static_cast<io_uring_sqe*>(queues.Map(0, IORING_OFF_SQES));
    unsigned place = Word(params.sq_off.tail) & Word(params.sq_off.ring_mask);
    entries[place].user_data = user_data;
    if (params.sq_off.array != 0) (&Word(params.sq_off.array))[place] = place;
    ++Word(params.sq_off.tail);
  }
  std::vector<uint64_t> Reap() {
    auto* completions = reinterpret_cast<io_uring_cqe*>(&Word(params.cq_off.cqes));
    std::vector<uint64_t> reaped;
    while (Word(params.cq_off.head) != Word(params.cq_off.tail)) {
      reaped.push_back(completions[Word(params.cq_off.head)++ & Word(params.cq_off.ring_mask)].user_data);
    }
    return reaped;
  }
  bool HasFlag(unsigned flag) { return (Word(params.sq_off.flags) & flag) != 0; }

  io_uring_params params;
  FakeQueues queues{params};
};

io_uring_cqe Completion(uint64_t user_data) { return {.user_data = user_data, .res = 0, .flags = 0}; }

TEST(FakeQueuesTest, EntriesComeInTheOrderOfPushing) {
  for (unsigned flags : {0u, kSetupNoSubmissionArray}) {
    User user(4, 8, flags);
    EXPECT_EQ(user.params.sq_off.array == 0, flags != 0);
    for (uint64_t round = 0; round < 10; ++round) {
      for (uint64_t i = 0; i < 3; ++i) user.Push(3 * round + i);
      EXPECT_EQ(user.queues.submitted(), 3u);
      for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(user.queues.TakeEntry().user_data, 3 * round + i);
      EXPECT_EQ(user.queues.submitted(), 0u);
    }
  }
}

TEST(FakeQueuesTest, AnOverflowIsFlaggedAndComesLaterInOrder) {
  User user(4, 8);
  for (uint64_t i = 0; i < 10; ++i) user.queues.Post(Completion(i));
  EXPECT_EQ(user.queues.ready(), 8u);
  EXPECT_TRUE(user.queues.overflowed());
  EXPECT_TRUE(user.HasFlag(IORING_SQ_CQ_OVERFLOW));
  EXPECT_THAT(user.Reap(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  // There is room, but others are in line.
  user.queues.Post(Completion(10));
  EXPECT_EQ(user.queues.ready(), 0u);
  user.queues.FlushOverflow();
  EXPECT_FALSE(user.HasFlag(IORING_SQ_CQ_OVERFLOW));
  EXPECT_THAT(user.Reap(), ElementsAre(8, 9, 10));
}

TEST(FakeQueuesTest, FlagsAreSetAndClearedOneByOne) {
  User user(4, 8);
  user.queues.SetFlag(IORING_SQ_TASKRUN, true);
  user.queues.Overflow(Completion(1));
  EXPECT_TRUE(user.HasFlag(IORING_SQ_TASKRUN));
  EXPECT_TRUE(user.HasFlag(IORING_SQ_CQ_OVERFLOW));
  user.queues.SetFlag(IORING_SQ_TASKRUN, false);
  EXPECT_FALSE(user.HasFlag(IORING_SQ_TASKRUN));
  EXPECT_TRUE(user.HasFlag(IORING_SQ_CQ_OVERFLOW));
}

TEST(FakeQueuesTest, NoMoreIsMappedThanThereIs) {
  User user(4, 8);
  size_t rings = user.params.sq_off.array + 4 * sizeof(unsigned);
  EXPECT_NE(user.queues.Map(rings, IORING_OFF_SQ_RING), nullptr);
  EXPECT_EQ(user.queues.Map(rings + 1, IORING_OFF_SQ_RING), nullptr);
  EXPECT_NE(user.queues.Map(4 * sizeof(io_uring_sqe), IORING_OFF_SQES), nullptr);
  EXPECT_EQ(user.queues.Map(5 * sizeof(io_uring_sqe), IORING_OFF_SQES), nullptr);
  EXPECT_EQ(user.queues.Map(1, 4096), nullptr);
}

}  // namespace
}  // namespace proactor
