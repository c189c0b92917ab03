// SPDX-License-Identifier: Apache-2.0
//
// RingKernel: the seam below a Ring: setup, enter, register and the mappings, so that a fake kernel can stand in, and
// the machine that goes with it.
//
//   absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({}, RingKernel::Real());
//   FakeKernel kernel;                                  // a class of a test's own
//   absl::StatusOr<std::unique_ptr<Ring>> other = Ring::Create({}, kernel);
//
// It also remembers what rings have learnt of it, for those after them: which features it lacks although that cannot be
// asked beforehand, and that one of its rings has worked. So both are found out once in a process.
//
// Threads: any; each ring is used by one.
#ifndef PROACTOR_BACKEND_RING_KERNEL_H_
#define PROACTOR_BACKEND_RING_KERNEL_H_

#include <liburing.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "proactor/backend/credentials.h"
#include "proactor/backend/machine.h"
#include "proactor/feature.h"

namespace proactor {

class RingKernel {
 public:
  static RingKernel& Real();
  virtual ~RingKernel() = default;

  // Each returns what the system call does, or -errno.
  virtual int Setup(unsigned entries, io_uring_params* params) = 0;
  virtual int Enter(int fd, unsigned submit, unsigned wait_for, unsigned flags, void* argument, size_t size) = 0;
  virtual int Register(int fd, unsigned opcode, void* argument, unsigned count) = 0;
  // MAP_FAILED on failure.
  virtual void* Map(int fd, size_t size, off_t offset) = 0;
  virtual void Unmap(void* address, size_t size) = 0;
  virtual void Close(int fd) = 0;
  // As uname(2) says it: "6.1.0-32-amd64". Empty where nothing is known.
  virtual std::string Release() { return ""; }

  // On whose behalf the calling thread asks.
  virtual Credentials Asking() { return {}; }

  // Whose clock timeouts are on, and whose descriptors operations are for.
  virtual Machine& machine() { return Machine::Real(); }

  // Relaxed: nothing else is published by them.
  FeatureSet lacks() const { return FeatureSet(lacks_.load(std::memory_order_relaxed)); }
  void Lacks(FeatureSet features) { lacks_.fetch_or(features.bits(), std::memory_order_relaxed); }
  bool trusted() const { return trusted_.load(std::memory_order_relaxed); }
  void Trust() { trusted_.store(true, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> lacks_ = 0;
  std::atomic<bool> trusted_ = false;
};

// Fails for the releases whose io_uring loses events, which no probing finds. What a distribution calls 5.15.0-91 has
// patches that its number does not tell of, and is let pass.
absl::Status CheckRelease(std::string_view release);

}  // namespace proactor

#endif  // PROACTOR_BACKEND_RING_KERNEL_H_
