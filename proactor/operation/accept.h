// SPDX-License-Identifier: Apache-2.0
//
// AcceptOp: takes the next connection from a listening socket (accept4(2)). AcceptQueue: connections that have been
// taken before anybody asked for them.
//
//   MakeOperation(AcceptOp{.descriptor = listener})
//
// A connection that was reset before it was taken is not an error: the operation goes on to the next one. Nor is it one
// that there is no descriptor or no memory for a connection: the operation takes it when there is (pause.h).
//
// In an io_uring that can, a request stays armed from the first time on (multishot.h). It takes all that wait in the
// kernel's queue when it looks, which are as many as that holds at most (the backlog of listen(2)). When there are 32
// that nobody has asked for, it takes no more until all of them have been asked for. Those that are left are closed
// with the listener.
// The limit of descriptors is for such a request what it was when it was armed (io_uring/net.c, io_accept_prep).
#ifndef PROACTOR_OPERATION_ACCEPT_H_
#define PROACTOR_OPERATION_ACCEPT_H_

#include <optional>
#include <vector>

#include "proactor/context.h"
#include "proactor/descriptor.h"
#include "proactor/feature.h"
#include "proactor/multishot.h"
#include "proactor/operation/operation_base.h"

namespace proactor {

class AcceptQueue final : public Multishot {
 public:
  static constexpr size_t kMostAhead = 32;

  explicit AcceptQueue(Descriptor& descriptor) : Multishot(descriptor) {}
  ~AcceptQueue() override { Clear(); }

  Feature feature() const override { return Feature::kMultishotAccept; }
  void Prepare(io_uring_sqe& entry) override;
  bool Take(int result, int buffer, bool ended) override;
  bool wanted() const override { return failure_ == 0 && !over_limit_; }
  bool HasResult() const override { return next_ < accepted_.size() || failure_ != 0; }
  bool HasUnreadBytes() const override { return false; }
  int Copy(char*, size_t) override { return 0; }
  void Clear() override;
  bool DescriptorIsWrong() const override;

  // A connection's descriptor, or -errno. Only if there `HasResult`.
  int TakeOutcome();

 private:
  std::vector<int> accepted_;  // Those before `next_` have been taken.
  size_t next_ = 0;
  int failure_ = 0;  // What comes behind them.
  bool over_limit_ = false;
};

struct AcceptOp {
  static constexpr char kName[] = "accept";
  static constexpr Readiness kReadiness = Readiness::kRead;
  using Value = OwnedDescriptor;  // The connection.

  Descriptor* descriptor;

  bool HasResult(Loop& loop) const;
  void Prepare(io_uring_sqe& entry) const;
  int Perform(System& system) const;
  bool Advance(int& result) const;
  bool NeedsPause(int result) const;
  bool StandInLine(OperationBase& self, int result) const;
  OwnedDescriptor ToValue(int result) const;

 private:
  // From `HasResult` on.
  AcceptQueue* queue() const { return static_cast<AcceptQueue*>(descriptor->multishot); }
};

}  // namespace proactor

#endif  // PROACTOR_OPERATION_ACCEPT_H_
