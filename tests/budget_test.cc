// SPDX-License-Identifier: Apache-2.0
//
// What can be counted exactly: bytes, allocations, entries and enters. A figure that grows is a decision, made here.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <span>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "proactor/buffer_pool.h"
#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/leaf_awaiter.h"
#include "proactor/net/tcp.h"
#include "proactor/operation/operation.h"
#include "proactor/operation/recv.h"
#include "proactor/operation/send_all.h"
#include "proactor/promise.h"
#include "proactor/scheduler.h"
#include "proactor/sleep.h"
#include "proactor/sync/barrier.h"
#include "proactor/sync/condition.h"
#include "proactor/sync/mutex.h"
#include "proactor/sync/rw_lock.h"
#include "proactor/sync/semaphore.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/task_record.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace {

std::atomic<int64_t> allocations{0};
std::atomic<int64_t> allocated_bytes{0};

void* CountedAllocation(size_t size, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
  void* memory = alignment <= alignof(std::max_align_t) ? std::malloc(size) : std::aligned_alloc(alignment, size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) { return CountedAllocation(size, 1); }
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  size_t align = static_cast<size_t>(alignment);
  return CountedAllocation((size + align - 1) / align * align, align);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace proactor {
namespace {

// An idle connection is to fit into 512 bytes one day, its frame included: a frame is 16 bytes of the compiler's, the
// promise, and an awaiter for each `co_await` in it.
TEST(BudgetTest, SizesInBytes) {
  EXPECT_EQ(sizeof(PromiseBase), 40u);
  EXPECT_EQ(sizeof(internal::Promise<absl::Status>), 48u);  // With the frame's head, a cache line.
  EXPECT_EQ(sizeof(Suspension), 16u);
  EXPECT_EQ(sizeof(OperationBase), 40u);
  EXPECT_EQ(sizeof(PendingOperation<RecvOp>), 64u);  // A cache line.
  EXPECT_EQ(sizeof(PendingOperation<SendAllOp>), 72u);
  EXPECT_EQ((sizeof(internal::LeafAwaiter<PendingOperation<RecvOp>, true>)), 64u) << "an awaiter adds nothing";
  EXPECT_EQ(sizeof(Task<absl::Status>), 8u);
  EXPECT_EQ(sizeof(TcpStream), 8u);
  EXPECT_EQ(sizeof(Descriptor), 56u);  // What malloc(3) gives to 48, too.
  EXPECT_EQ(sizeof(TaskRecord), 96u);
  EXPECT_EQ(sizeof(Context), 32u);
  EXPECT_EQ(sizeof(CancelScope), 144u);
}

struct Usage {
  int64_t allocations;
  int64_t operations;
  int64_t submissions;
  int64_t enters;
  int64_t turns;
  int64_t flushes;
  int64_t waits;

  friend Usage operator-(const Usage& a, const Usage& b) {
    return {a.allocations - b.allocations,
            a.operations - b.operations,
            a.submissions - b.submissions,
            a.enters - b.enters,
            a.turns - b.turns,
            a.flushes - b.flushes,
            a.waits - b.waits};
  }
};

constexpr int kEchoes = 1000;

class UsageTest : public BackendTest {
 protected:
  Usage Now() {
    return {allocations.load(),        counters().operations.value(), counters().submissions.value(),
            counters().enters.value(), counters().turns.value(),      counters().flushes.value(),
            counters().waits.value()};
  }

  // Of messages that a client sends, once things are warm, and `echo`, called with a stream, sends back.
  template <class Echo>
  Usage EchoThrough(Echo echo) {
    Usage before = {};
    Usage after = {};
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
      SocketAddress address = co_await Try(listener.LocalAddress());
      TcpStream client = co_await Try(TcpStream::Connect(address));
      TcpStream server = co_await Try(listener.Accept());
      group.Spawn(echo(std::move(server)));
      char reply[1];
      for (int i = -100; i < kEchoes; ++i) {
        if (i == 0) before = Now();
        co_await Try(client.WriteAll("x"));
        co_await Try(client.Read(reply));
      }
      after = Now();
      co_return absl::OkStatus();
    };
    EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
    return after - before;
  }
};

Task<absl::Status> Echo(TcpStream stream) {
  char buffer[4096];
  while (size_t n = co_await Try(stream.Read(buffer))) {
    co_await Try(stream.WriteAll({buffer, n}));
  }
  co_return absl::OkStatus();
}

// Invariant 8: no heap allocation on the steady-state path of an operation. Invariant 6: one enter per turn at most.
TEST_P(UsageTest, ASteadyEchoAllocatesNothingAndAsksForFourOperations) {
  Usage usage = EchoThrough(&Echo);
  EXPECT_EQ(usage.operations, 4 * kEchoes);
  if (simulated()) return;  // Its bookkeeping is its own.
  EXPECT_EQ(usage.allocations, 0);
  // Without a ring, there are no entries to submit; without these opcodes, polls for the two that receive.
  bool opcodes = scheduler().proactor().capabilities().Has(Feature::kRecv);
  int entries = GetParam() != Backend::kIoUring ? 0 : opcodes ? 4 : 2;
  EXPECT_EQ(usage.submissions, entries * kEchoes);
  EXPECT_EQ(usage.flushes, 0);
  EXPECT_LE(usage.enters, usage.turns);
}

// The same into a pool, where a request that is armed once needs no entry for a message.
TEST_P(UsageTest, ASteadyEchoThroughAPoolAllocatesNothingAndAsksForNoMore) {
  BufferPool pool;
  auto echo = [&](TcpStream stream) -> Task<absl::Status> {
    while (true) {
      Buffers chunks = co_await Try(stream.ReceiveAll(pool));
      if (chunks.empty()) co_return absl::OkStatus();
      co_await Try(stream.WriteAll(chunks));
    }
  };
  Usage usage = EchoThrough(echo);
  EXPECT_EQ(usage.operations, 4 * kEchoes);
  if (simulated()) return;
  EXPECT_EQ(usage.allocations, 0);
  if (pool.usage().provided > 0) {  // There was memory for a ring of buffers.
    EXPECT_EQ(usage.submissions, 3 * kEchoes);
  }
  EXPECT_EQ(usage.flushes, 0);
  EXPECT_LE(usage.enters, usage.turns);
}

// The same for a list, more of it than one message takes, which is sent again for the rest.
TEST_P(UsageTest, AListOfBuffersAllocatesNothing) {
  Usage before = {};
  Usage after = {};
  auto body = [&]() -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    TcpStream client = co_await Try(TcpStream::Connect(address));
    TcpStream server = co_await Try(listener.Accept());
    std::vector<std::string_view> pieces(40, "x");
    char first[20], second[20];
    std::span<char> buffers[] = {first, second};
    for (int i = -10; i < 100; ++i) {
      if (i == 0) before = Now();
      co_await Try(client.WriteAll(pieces));
      for (size_t got = 0; got < 40;) got += co_await Try(server.Read(buffers));
    }
    after = Now();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  if (simulated()) return;  // Its bookkeeping is its own.
  EXPECT_EQ(after.allocations - before.allocations, 0);
}

TEST_P(UsageTest, ASleepAllocatesNothing) {
  Usage before = {};
  Usage after = {};
  auto body = [&]() -> Task<absl::Status> {
    for (int i = -10; i < 100; ++i) {
      if (i == 0) before = Now();
      co_await Try(Sleep(absl::Microseconds(1)));
    }
    after = Now();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
  EXPECT_EQ(after.allocations - before.allocations, 0);
  EXPECT_EQ(after.submissions - before.submissions, 0);
}

// Not even a turn of the loop: what is awaited ends first, and the timer was never of interest to the kernel.
// Uncontended and contended: whoever waits does so in its own frame.
TEST_P(UsageTest, WaitingForEachOtherAllocatesNothing) {
  Mutex mutex;
  Condition condition;
  Semaphore semaphore(1);
  RwLock rw_lock;
  Barrier barrier(2);
  Usage before = {};
  Usage after = {};
  int turn = 0;
  auto player = [&](int id) -> Task<absl::Status> {
    for (int i = -10; i < 100; ++i) {
      if (i == 0 && id == 0) before = Now();
      {
        MutexLock lock = co_await Try(mutex.Lock());
        co_await Try(condition.Wait(lock, [&] { return turn == id; }));
        turn = 1 - id;
        condition.NotifyAll();
      }
      {
        Permit permit = co_await Try(semaphore.Acquire());
        co_await Try(Sleep(absl::ZeroDuration()));
      }
      {
        WriteLock lock = co_await Try(rw_lock.LockToWrite());
        co_await Try(Sleep(absl::ZeroDuration()));
      }
      co_await Try(barrier.Wait());
    }
    if (id == 0) after = Now();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(player(0));
    group.Spawn(player(1));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_EQ(after.operations - before.operations, 0);
  // The bookkeeping of fake kernels is their own.
  if (GetParam() == Backend::kFakeIoUring || GetParam() == Backend::kFakeEpoll) return;
  EXPECT_EQ(after.allocations - before.allocations, 0);
}

TEST_P(UsageTest, ATimeoutThatDoesNotExpireAllocatesNothingAndAsksTheKernelForNothing) {
  Usage before = {};
  Usage after = {};
  auto nothing = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  auto body = [&]() -> Task<absl::Status> {
    for (int i = -10; i < 1000; ++i) {
      if (i == 0) before = Now();
      co_await Try(WithTimeout(absl::Seconds(10), nothing()));
    }
    after = Now();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(body()), IsOk());
#if !defined(__SANITIZE_ADDRESS__)  // There every frame comes from the heap.
  EXPECT_EQ(after.allocations - before.allocations, 0);
#endif
  EXPECT_EQ(after.operations - before.operations, 0);
  EXPECT_EQ(after.submissions - before.submissions, 0);
  EXPECT_EQ(after.enters - before.enters, 0);
  EXPECT_EQ(after.waits - before.waits, 0);
}

INSTANTIATE_ON_EVERY_BACKEND(UsageTest);

#if !defined(__SANITIZE_ADDRESS__)

// What a connection costs while it waits for its next byte: the task's record, the frame with its buffer taken off, the
// descriptor. Memory that glibc adds is not counted.
TEST(BudgetTest, AnIdleConnectionCostsNoMoreThanThis) {
  Bench bench(Backend::kIoUring);
  constexpr int kConnections = 200;
  int64_t bytes = 0;
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    TcpListener listener = co_await Try(TcpListener::Listen(SocketAddress::Loopback(0)));
    SocketAddress address = co_await Try(listener.LocalAddress());
    std::vector<TcpStream> clients;
    clients.reserve(kConnections);
    for (int i = -20; i < kConnections; ++i) {
      TcpStream client = co_await Try(TcpStream::Connect(address));
      TcpStream server = co_await Try(listener.Accept());
      int64_t before = allocated_bytes.load();
      if (i == 0) bytes = 0;
      group.Spawn(Echo(std::move(server)));
      co_await Try(Sleep(absl::ZeroDuration()));
      bytes += allocated_bytes.load() - before;
      if (i >= 0) clients.push_back(std::move(client));
    }
    group.Cancel();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(bench.Run(WithTaskGroup(body)), IsOk());
  int64_t each = bytes / kConnections - 4096 + static_cast<int64_t>(sizeof(Descriptor));
  std::printf("an idle connection: %ld bytes besides its buffer\n", static_cast<long>(each));
  EXPECT_LE(each, 568);  // The aim is 512.
}

#endif

}  // namespace
}  // namespace proactor
