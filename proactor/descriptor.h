// SPDX-License-Identifier: Apache-2.0
//
// Descriptor: what the library knows of one file descriptor; OwnedDescriptor: who closes it.
//
//   OwnedDescriptor socket(system, fd, DescriptorKind::kSocket);
//   socket->number
//
// A descriptor has one slot for an operation that reads and one for an operation that writes: at most one of each is in
// flight, and a second is a mistake that ends the process with a sentence, because the bytes of two readers or two
// writers would interleave. Reads and writes at an offset and the like take none: they share it. What closes takes
// both, and ends those that share it, too (operation/closing.h).
//
// It stays at one address while its owner moves: operations in flight and backends point at it. A backend that watches
// it (epoll) is told before it is closed.
//
// Threads: one at a time; a resource moves to another scheduler only while it has no operation in flight.
#ifndef PROACTOR_DESCRIPTOR_H_
#define PROACTOR_DESCRIPTOR_H_

#include <memory>

#include "proactor/system.h"

namespace proactor {

class OperationBase;
class Sharing;

// What a descriptor is, as far as it matters for waiting.
enum class DescriptorKind : char { kSocket, kPipe, kTerminal, kRegularFile, kOther };

// Whether one may have places that are read and written by their offset. Where none has, asking for one is ESPIPE.
inline bool MayHaveOffsets(DescriptorKind kind) {
  return kind == DescriptorKind::kRegularFile || kind == DescriptorKind::kOther;
}

// Whether a short transfer means that there is no more for now (epoll(7)).
inline bool IsStream(DescriptorKind kind) { return kind == DescriptorKind::kSocket || kind == DescriptorKind::kPipe; }

// Whether a call on a descriptor is worth a try, for a readiness backend.
enum class ReadyState : char {
  kNo,       // One has found nothing: wait for a report.
  kAwaited,  // So an operation does, the one in the slot.
  kLater,    // Nobody knows, but the peer may well wait for what was written last: let everybody else go first.
  kYes,      // Nobody knows better.
  kForGood,  // The peer has finished, or the connection failed: no report will come any more.
};

struct Descriptor;
class Multishot;

// A backend that the kernel tells of a descriptor by itself.
class DescriptorWatcher {
 public:
  // The descriptor is about to be closed, given away, or used elsewhere.
  virtual void Forget(Descriptor& descriptor) = 0;
  // Another loop is about to use it, on whatever thread. False: it has to be asked for first (operation/handover.h).
  // The loop that this is of runs, or has ended; it must not be ending.
  virtual bool LetGo(Descriptor&) { return false; }
  // Its owner has gone, on whatever thread, and nothing is in flight that anybody waits for. True: the watcher closes
  // it once the kernel is done with it (`CloseDescriptor`).
  virtual bool TakeOver(Descriptor&) { return false; }

 protected:
  ~DescriptorWatcher() = default;
};

struct Descriptor {
  System& system;
  int number;
  DescriptorKind kind;
  bool closes : 1 = true;   // Standard input and the like are left open for the rest of the process.
  bool resets : 1 = false;  // A connection whose peer is not to take its end for a regular one.
  ReadyState readable = ReadyState::kYes;
  ReadyState writable = ReadyState::kYes;
  OperationBase* reading = nullptr;
  OperationBase* writing = nullptr;
  Sharing* sharing = nullptr;            // The newest of the operations that need no slot.
  DescriptorWatcher* watcher = nullptr;  // A backend that the kernel tells of this.
  Multishot* multishot = nullptr;        // What comes ahead of who asks for it (multishot.h). Owned.

  // After a call that moved fewer bytes than it was given room for, on a stream: there is no more for now.
  // What a thread of the pool finds is not noted: it may come while another report is taken.
  void MarkShortRead(const System& by) {
    if (!by.may_block() && readable == ReadyState::kYes) readable = ReadyState::kNo;
  }
  void MarkShortWrite(const System& by) {
    if (!by.may_block() && writable == ReadyState::kYes) writable = ReadyState::kNo;
  }
  // Before it is closed, or given away.
  void StopWatching() {
    if (watcher != nullptr) watcher->Forget(*this);
  }
  // Before it is used by the loop that `other` is of: whether no other watches it, from here on.
  bool ComeTo(const DescriptorWatcher* other) {
    return (multishot == nullptr && watcher == other) || ComeFromElsewhere(other);
  }
  bool ComeFromElsewhere(const DescriptorWatcher* other);
  // Whether a poll says when a call that would have waited does not any more.
  bool CanBePolled(System& by) const;
};

// What is due before its number is given back to the system.
void BeforeClosing(Descriptor& descriptor);

// Closes it, unless it is to stay open, and frees it with what came ahead.
void CloseDescriptor(Descriptor* descriptor);

// Owns a descriptor, and closes it when destroyed. Move-only.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  OwnedDescriptor(System& system, int number, DescriptorKind kind)
      : descriptor_(new Descriptor{.system = system, .number = number, .kind = kind}) {}

  Descriptor* get() const { return descriptor_.get(); }
  Descriptor* operator->() const { return descriptor_.get(); }
  explicit operator bool() const { return descriptor_ != nullptr; }

  // Gives the number away without closing it. No operation may be in flight.
  int Release();

 private:
  struct Closer {
    void operator()(Descriptor* descriptor) const;
  };
  std::unique_ptr<Descriptor, Closer> descriptor_;
};

}  // namespace proactor

#endif  // PROACTOR_DESCRIPTOR_H_
