// SPDX-License-Identifier: Apache-2.0
//
// An operation and a multishot request that ask for nothing, for tests of what only keeps or names them.
//
//   internal::Promise<void> promise;
//   Context context;
//   PlainOperation operation(promise, context);
//   PlainMultishot multishot(descriptor);
#ifndef PROACTOR_TESTS_SUPPORT_PLAIN_OPERATION_H_
#define PROACTOR_TESTS_SUPPORT_PLAIN_OPERATION_H_

#include <coroutine>
#include <cstddef>
#include <string>

#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/feature.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"
#include "proactor/promise.h"
#include "proactor/system.h"

namespace proactor {

class PlainOperation final : public OperationBase {
 public:
  PlainOperation(PromiseBase& promise, const Context& context, Descriptor* descriptor = nullptr)
      : OperationBase(promise, context), descriptor_(descriptor) {}
  void Prepare(io_uring_sqe&) override {}
  int Perform(System&) override { return 0; }
  Readiness readiness() const override { return Readiness::kBlocking; }
  Descriptor* descriptor() const override { return descriptor_; }
  std::coroutine_handle<> Resume() override { return nullptr; }
  std::string Describe() const override { return "nothing"; }

 private:
  Descriptor* descriptor_;
};

class PlainMultishot final : public Multishot {
 public:
  explicit PlainMultishot(Descriptor& descriptor) : Multishot(descriptor) {}
  Feature feature() const override { return Feature::kMultishotReceive; }
  void Prepare(io_uring_sqe&) override {}
  bool Take(int, int, bool) override { return false; }
  bool wanted() const override { return false; }
  bool HasResult() const override { return false; }
  bool HasUnreadBytes() const override { return false; }
  int Copy(char*, size_t) override { return 0; }
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_PLAIN_OPERATION_H_
