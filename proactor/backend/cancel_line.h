// SPDX-License-Identifier: Apache-2.0
//
// CancelLine: the operations that are to be cancelled, until there is room for the requests.
//
//   line.Push(operation);
//   if (operation_has_ended) line.Remove(operation);   // By itself, before it came to that.
//   while (io_uring_sqe* entry = line.empty() ? nullptr : NextEntry()) Prepare(*entry, line.Pop());
//
// The newest go first. The kernel looks for an operation in lists that begin with the newest, of which it has not more
// than 256: of ten thousand, the oldest is behind forty others, and the newest is the first.
//
// Each call takes as long with one operation as with many. In flight, an operation keeps its place here.
//
// Threads: the scheduler's only.
#ifndef PROACTOR_BACKEND_CANCEL_LINE_H_
#define PROACTOR_BACKEND_CANCEL_LINE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proactor/backend/user_data.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

class CancelLine {
 public:
  bool empty() const { return entries_.empty(); }

  void Push(OperationBase& operation) {
    operation.set_place(static_cast<int>(entries_.size()));
    entries_.push_back(UserData(operation));
  }

  // Takes out an operation that was pushed and not popped.
  void Remove(const OperationBase& operation) {
    entries_[static_cast<size_t>(operation.place())] = kRemoved;
    DropRemoved();
  }

  // Takes out the newest. Yields its user_data.
  uint64_t Pop() {
    // Of many operations, most have left the caches.
    if (entries_.size() > kAhead) __builtin_prefetch(OperationOf(entries_[entries_.size() - 1 - kAhead]), 1);
    uint64_t newest = entries_.back();
    entries_.pop_back();
    DropRemoved();
    return newest;
  }

 private:
  static constexpr uint64_t kRemoved = 0;
  static constexpr size_t kAhead = 8;

  // There are none at the end.
  void DropRemoved() {
    while (!entries_.empty() && entries_.back() == kRemoved) entries_.pop_back();
  }

  std::vector<uint64_t> entries_;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_CANCEL_LINE_H_
