// SPDX-License-Identifier: Apache-2.0
//
// FakeRestrictions: what a ring of a fake kernel may be asked for (io_uring_register(2), IORING_REGISTER_RESTRICTIONS).
//
//   FakeRestrictions restrictions(profile);
//   int result = restrictions.Register({list, count});    // before the ring is enabled
//   restrictions.Enforce();                               // when it is
//   if (!restrictions.Allow(entry)) ...                   // EACCES
//
// Until they are enforced, and where none were registered, everything is allowed.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_RESTRICTIONS_H_
#define PROACTOR_BACKEND_FAKE_RESTRICTIONS_H_

#include <liburing.h>

#include <bitset>
#include <span>

#include "proactor/backend/fake_kernel_profile.h"

namespace proactor {

class FakeRestrictions {
 public:
  explicit FakeRestrictions(const FakeKernelProfile& profile) : profile_(profile) {}

  // -EBUSY: there are some already. -EINVAL: the profile does not know what is to be allowed; none are registered.
  int Register(std::span<const io_uring_restriction> list);
  void Enforce() { enforced_ = registered_; }

  bool Allow(const io_uring_sqe& entry) const;
  bool AllowRegistration(unsigned opcode) const { return !enforced_ || registrations_[opcode]; }

 private:
  int Add(const io_uring_restriction& restriction);

  const FakeKernelProfile profile_;
  bool registered_ = false;
  bool enforced_ = false;
  std::bitset<256> operations_;
  std::bitset<256> registrations_;
  unsigned flags_allowed_ = 0;
  unsigned flags_required_ = 0;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_RESTRICTIONS_H_
