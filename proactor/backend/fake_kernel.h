// SPDX-License-Identifier: Apache-2.0
//
// FakeKernel: an io_uring without a kernel: a RingKernel that keeps its rings in its own memory, and performs what they
// are asked for on a SimulatedSystem, in its virtual time. The real Ring and the real IoUringProactor run over it.
//
//   SimulatedSystem system({.seed = 7});
//   FakeKernel kernel(system, {.profile = FakeKernelProfile::Linux5_15(), .faults = FakeFaults::All()});
//   absl::StatusOr<std::unique_ptr<IoUringProactor>> proactor = IoUringProactor::Create({}, kernel);
//
// It does whatever Linux may: what it offers is its profile, and what it makes difficult are its faults, which the seed
// decides. It is as strict as it can be: flags that its profile does not have are EINVAL, a ring that is used before
// it is enabled is EBADFD, one that is used from a second thread is EEXIST, what a restricted one does not allow is
// EACCES. Closing one while a request is in flight that points at memory of the user's is fatal.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_KERNEL_H_
#define PROACTOR_BACKEND_FAKE_KERNEL_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "proactor/backend/fake_kernel_profile.h"
#include "proactor/backend/fake_machine.h"
#include "proactor/backend/fake_ring.h"
#include "proactor/backend/ring_kernel.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/monotonic_time.h"

namespace proactor {

class FakeKernel final : public RingKernel {
 public:
  // The system outlives the kernel, and the kernel its rings' users.
  explicit FakeKernel(SimulatedSystem& system, FakeKernelOptions options = {});
  ~FakeKernel() override;

  // Called when an enter would wait for ever; it returns then, as if interrupted. Without it that is a fatal check.
  void OnDeadlock(std::function<void()> hook) { on_deadlock_ = std::move(hook); }

  // Until then there is no locked memory left for a ring, of any size.
  void FreeMemoryAt(MonotonicTime when) { memory_at_ = when; }

  // As when memory runs out: completions are lost, and each enter says so from now on (EBADR).
  void LoseCompletions();

  int Setup(unsigned entries, io_uring_params* params) override;
  int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) override;
  int Register(int fd, unsigned opcode, void* argument, unsigned count) override;
  void* Map(int fd, size_t size, off_t offset) override;
  void Unmap(void*, size_t) override {}
  void Close(int fd) override;
  FakeMachine& machine() override { return machine_; }

  size_t open_rings() const { return rings_.size(); }

 private:
  // Null: no ring has this number.
  FakeRing* Find(int fd, bool registered);
  void Probe(io_uring_probe& probe, unsigned count) const;
  int RegisterRing(io_uring_rsrc_update& update);
  void Deadlock();

  FakeKernelOptions options_;
  FakeMachine machine_;
  std::function<void()> on_deadlock_;
  MonotonicTime memory_at_ = MonotonicTime::Past();
  int next_ring_ = 2'000'000;  // Beyond all descriptors and events.
  std::map<int, std::unique_ptr<FakeRing>> rings_;
  std::map<int, int> registered_;  // By index: the ring's number.
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_KERNEL_H_
