// SPDX-License-Identifier: Apache-2.0

// The least that could be many sleeping tasks, all cancelled at once: for each a record in a list, and a frame that is
// linked among those that sleep. Both come from the library's pool, are as large as the library's, and are walked
// through as often: when they are started, when they begin to sleep, when they are cancelled, and when they end.
// No times, no errors, no checks: what is left is how the caches of this machine take to so many of them.
//
//   CancelBareSleepers(10'000);
#ifndef PROACTOR_TESTS_BENCHMARK_BARE_SLEEPERS_H_
#define PROACTOR_TESTS_BENCHMARK_BARE_SLEEPERS_H_

#include <coroutine>
#include <cstddef>
#include <cstdlib>

#include "proactor/frame_pool.h"
#include "proactor/intrusive_list.h"

namespace proactor::benchmark {

class BareSleeper {
 public:
  // What fills the record and the frame up to the size of the library's, two and four cache lines.
  static constexpr size_t kRecordFilling = 80;
  static constexpr size_t kFrameFilling = 144;

  struct Node : ListNode<Node> {
    char filling[kFrameFilling];
    bool cancelled = false;  // At the other end.
  };
  struct promise_type {
    Node* sleeping = nullptr;

    static void* operator new(size_t size) { return internal::AllocateFrame(size); }
    static void operator delete(void* frame, size_t size) noexcept { internal::FreeFrame(frame, size); }
    BareSleeper get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  // Sleeps in `list` until it is resumed.
  struct Sleep {
    IntrusiveList<Node>& list;
    Node node = {};
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<promise_type> coroutine) noexcept {
      coroutine.promise().sleeping = &node;
      list.PushBack(node);
    }
    void await_resume() const noexcept {}
  };

  std::coroutine_handle<promise_type> coroutine;
};

struct BareRecord : ListNode<BareRecord> {
  explicit BareRecord(BareSleeper sleeper) : coroutine(sleeper.coroutine) {}
  static void* operator new(size_t size) { return internal::AllocateFrame(size); }
  static void operator delete(void* record, size_t size) noexcept { internal::FreeFrame(record, size); }

  BareRecord* next_ready = nullptr;
  std::coroutine_handle<BareSleeper::promise_type> coroutine;
  char filling[BareSleeper::kRecordFilling - sizeof(BareRecord*) - sizeof(coroutine)];
  bool started = false;  // At the other end.
};

[[gnu::noipa]] inline BareSleeper SleepBarely(IntrusiveList<BareSleeper::Node>& list) {
  co_await BareSleeper::Sleep{list};
}

inline void CancelBareSleepers(int count) {
  IntrusiveList<BareSleeper::Node> sleeping;
  IntrusiveList<BareRecord> records;
  BareRecord* ready = nullptr;
  BareRecord** last = &ready;
  auto make_ready = [&](BareRecord& record) {
    record.next_ready = nullptr;
    *last = &record;
    last = &record.next_ready;
  };
  auto run = [&] {
    last = &ready;
    for (BareRecord* record = ready; record != nullptr;) {
      BareRecord* next = record->next_ready;
      record->started = true;
      record->coroutine.resume();
      if (record->coroutine.done()) {
        record->coroutine.destroy();
        record->Unlink();
        delete record;
      }
      record = next;
    }
    ready = nullptr;
  };
  for (int i = 0; i < count; ++i) {
    auto* record = new BareRecord(SleepBarely(sleeping));
    records.PushBack(*record);
    make_ready(*record);
  }
  run();
  for (BareRecord* record = records.front(); record != nullptr; record = records.Next(*record)) {
    record->coroutine.promise().sleeping->Unlink();
    record->coroutine.promise().sleeping->cancelled = true;
    make_ready(*record);
  }
  run();
}

}  // namespace proactor::benchmark

#endif  // PROACTOR_TESTS_BENCHMARK_BARE_SLEEPERS_H_
