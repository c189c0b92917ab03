// SPDX-License-Identifier: Apache-2.0
//
// What an entry of a ring was, in the `user_data` that its completions bring back.
//
//   entry.user_data = UserData(operation);
//   if (KindOf(completion.user_data) == EntryKind::kOperation) OperationOf(completion.user_data)->Complete(...);
//
// It is the address of an operation or a multishot request, with the kind of entry in the low bits, and an operation's
// generation in the top 16, so that a request to cancel cannot hit a later operation at the same address.
//
// Threads: functions of values.
#ifndef PROACTOR_BACKEND_USER_DATA_H_
#define PROACTOR_BACKEND_USER_DATA_H_

#include <cstdint>

#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

enum class EntryKind : uint64_t { kOperation = 0, kCancelRequest = 1, kWake = 2, kMultishot = 3 };

namespace internal {
inline constexpr uint64_t kEntryKindMask = 7;
inline constexpr int kGenerationShift = 48;
}  // namespace internal

inline uint64_t UserData(const OperationBase& operation) {
  return reinterpret_cast<uintptr_t>(&operation) | uint64_t{operation.generation} << internal::kGenerationShift;
}
inline uint64_t UserData(const Multishot& multishot) {
  return reinterpret_cast<uintptr_t>(&multishot) | static_cast<uint64_t>(EntryKind::kMultishot);
}
// Of an entry that is about nobody.
inline uint64_t UserData(EntryKind kind) { return static_cast<uint64_t>(kind); }

inline EntryKind KindOf(uint64_t user_data) { return EntryKind{user_data & internal::kEntryKindMask}; }
inline OperationBase* OperationOf(uint64_t user_data) {
  return reinterpret_cast<OperationBase*>(user_data << 16 >> 16 & ~internal::kEntryKindMask);
}
inline Multishot* MultishotOf(uint64_t user_data) {
  return reinterpret_cast<Multishot*>(user_data & ~internal::kEntryKindMask);
}

// Whom a completion is for, with all that a result touches: a multishot request keeps what it has received.
inline void PrefetchOwnerOf(uint64_t user_data) {
  const char* owner = reinterpret_cast<const char*>(OperationOf(user_data));
  __builtin_prefetch(owner);
  if (KindOf(user_data) != EntryKind::kMultishot) return;
  __builtin_prefetch(owner + 64);
  __builtin_prefetch(owner + 128);
}

}  // namespace proactor

#endif  // PROACTOR_BACKEND_USER_DATA_H_
