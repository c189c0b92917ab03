// SPDX-License-Identifier: Apache-2.0
#include "proactor/backend/fake_restrictions.h"

#include <cerrno>

namespace proactor {

int FakeRestrictions::Register(std::span<const io_uring_restriction> list) {
  if (registered_) return -EBUSY;
  FakeRestrictions all(profile_);
  for (const io_uring_restriction& restriction : list) {
    if (int result = all.Add(restriction); result < 0) return result;
  }
  operations_ = all.operations_;
  registrations_ = all.registrations_;
  flags_allowed_ = all.flags_allowed_;
  flags_required_ = all.flags_required_;
  registered_ = true;
  return 0;
}

int FakeRestrictions::Add(const io_uring_restriction& restriction) {
  switch (restriction.opcode) {
    case IORING_RESTRICTION_REGISTER_OP:
      if (restriction.register_op >= profile_.registrations) return -EINVAL;
      registrations_.set(restriction.register_op);
      return 0;
    case IORING_RESTRICTION_SQE_OP:
      if (restriction.sqe_op >= profile_.operations) return -EINVAL;
      operations_.set(restriction.sqe_op);
      return 0;
    case IORING_RESTRICTION_SQE_FLAGS_ALLOWED:
      flags_allowed_ = restriction.sqe_flags;
      return 0;
    case IORING_RESTRICTION_SQE_FLAGS_REQUIRED:
      flags_required_ = restriction.sqe_flags;
      return 0;
    default:
      return -EINVAL;
  }
}

bool FakeRestrictions::Allow(const io_uring_sqe& entry) const {
  if (!enforced_) return true;
  bool has_required = (entry.flags & flags_required_) == flags_required_;
  bool has_others = (entry.flags & ~(flags_allowed_ | flags_required_)) != 0;
  return operations_[entry.opcode] && has_required && !has_others;
}

}  // namespace proactor
