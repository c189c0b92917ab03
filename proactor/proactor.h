// SPDX-License-Identifier: Apache-2.0
//
// Proactor: the interface that turns submitted operations into completions.
//
//   proactor.Submit(operation);   // asks; the operation completes in some later Wait, or at once
//   proactor.Wait(until);         // submits, waits, completes: once per turn of the scheduler
//
// Implementations are in backend/: `IoUringProactor`, and `SimulatedProactor` with no kernel and virtual time (the one
// to read first). A scheduler owns one, and is the only one to call it, on one thread; only `Wake` comes from others.
#ifndef PROACTOR_PROACTOR_H_
#define PROACTOR_PROACTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proactor/buffer_group.h"
#include "proactor/capabilities.h"
#include "proactor/clock.h"
#include "proactor/counters.h"
#include "proactor/monotonic_time.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"
#include "proactor/system.h"

namespace proactor {

class DescriptorWatcher;

class Proactor : public Clock {
 public:
  virtual ~Proactor() = default;

  // Takes an operation in flight, to be completed by a later `Wait`, or at once where asking the system is the way to
  // learn whether it has to wait (`CompleteAtOnce`). Never fails: errors are results. Does not block, however full the
  // queues are.
  virtual void Submit(OperationBase& operation) = 0;

  // Asks that an operation in flight end early. It still ends by its own result, which may be a success.
  virtual void Cancel(OperationBase& operation) = 0;

  // Something has changed of a multishot that was armed here, or may be: see whether it is `wanted`. May be called
  // whenever operations may be submitted.
  virtual void Adjust(Multishot&) {}

  // The descriptor of a multishot that was armed here is busy: the proactor may do something once that makes each
  // operation on it cheaper.
  virtual void BecameBusy(Multishot&) {}

  // What descriptors that are watched here have for a watcher.
  virtual const DescriptorWatcher* watcher() const { return nullptr; }

  // Nobody awaits anything any more: asks for the end of what is armed all the same. Yields how much of it there is
  // that has not ended, which takes some more `Wait`s.
  virtual size_t Drain() { return 0; }

  // Buffers that requests take by themselves. Null where the kernel cannot do so.
  virtual std::unique_ptr<BufferGroup> MakeBufferGroup(uint16_t) { return nullptr; }

  // Submits what is to be submitted, waits until something completes, `Wake` was called or `until` has come, and
  // completes what there is. With `MonotonicTime::Past()` it does not wait. May return early, for no reason.
  virtual void Wait(MonotonicTime until) = 0;

  // Makes the current or the next `Wait` return. From any thread, also while the scheduler runs.
  virtual void Wake() = 0;

  // "io_uring", "simulated".
  virtual std::string_view name() const = 0;

  virtual System& system() = 0;

  // How operations get to the kernel, and why not better.
  virtual Capabilities capabilities() const { return Capabilities::Without(name(), reason_); }
  // Why this proactor was chosen though another was the first choice.
  const std::string& reason() const { return reason_; }
  void set_reason(std::string reason) { reason_ = std::move(reason); }

  // What chance begins with (`Loop::chance`): in a simulation that of the world; not 0.
  virtual uint32_t seed() const { return 1; }

  // False in a simulation, which a child after fork(2) may go on with, as a copy. With a kernel it would be the
  // parent's.
  virtual bool has_kernel() const { return true; }

  Counters& counters() { return counters_; }

 private:
  Counters counters_;
  std::string reason_;
};

}  // namespace proactor

#endif  // PROACTOR_PROACTOR_H_
