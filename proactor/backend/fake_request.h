// SPDX-License-Identifier: Apache-2.0
//
// FakeRequest: what one submission queue entry asks for, performed on a System.
//
//   FakeRequest request(entry);                                   // copies what the entry points at
//   std::optional<FakeResult> result = request.Try(system, buffers, true);   // nothing: to be tried again
//   if (result.has_value() && !result->more()) ...                // over
//   int result = request.Cancelled();                             // instead
//
// Some go on after a result (IORING_CQE_F_MORE): a multishot accept or receive, until something ends it, and a send
// without copying, which tells when its buffer is free again; that this was left alone until then is a fatal check.
//
// From its submission on a request keeps what it was told (paths, addresses, lists of buffers), as kernels do that say
// IORING_FEAT_SUBMIT_STABLE: the user may have changed it since. Opcodes that the library does not use are a fatal
// check, except those that FakeRing knows itself.
//
// Threads: the simulation's.
#ifndef PROACTOR_BACKEND_FAKE_REQUEST_H_
#define PROACTOR_BACKEND_FAKE_REQUEST_H_

#include <liburing.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proactor/backend/fake_buffers.h"
#include "proactor/system.h"

namespace proactor {

struct FakeResult {
  int result;
  unsigned flags = 0;  // IORING_CQE_F_...

  bool more() const { return (flags & IORING_CQE_F_MORE) != 0; }
};

class FakeRequest {
 public:
  explicit FakeRequest(const io_uring_sqe& entry);

  const io_uring_sqe& entry() const { return entry_; }
  uint64_t user_data() const { return entry_.user_data; }

  // One attempt. `send_continues`: one with MSG_WAITALL goes on after a part.
  std::optional<FakeResult> Try(System& system, FakeBuffers& buffers, bool send_continues);

  // Whether all that is left of it is to tell that its buffer is free, which nothing can cancel.
  bool notifies() const { return notifies_; }

  // The result of one that is cancelled: how far it got, if it did.
  int Cancelled() const { return done_ > 0 ? done_ : -ECANCELED; }

  // Whether it is a transfer that has moved nothing yet, and that would have to fail on a descriptor that does not
  // block.
  bool MayBeRefused() const;
  // Whether it waits for nobody, but may take its time: work on files and paths.
  bool IsWork(System& system) const;

 private:
  int Call(System& system);
  std::optional<int> Transferred(int result, bool goes_on);
  std::optional<FakeResult> Accepted(int result) const;
  std::optional<FakeResult> TryWithBuffer(System& system, FakeBuffers& buffers);
  FakeResult SentWithoutCopy(int result);
  FakeResult Notification() const;
  std::string Bytes() const;
  size_t SizeOfMessage() const;
  msghdr RestOfMessage(std::vector<iovec>& parts) const;
  void* address() const { return reinterpret_cast<void*>(entry_.addr); }

  io_uring_sqe entry_;
  std::string bytes_;          // A path, an address, or what a send without copying has sent.
  std::vector<iovec> parts_;   // Of a message.
  int done_ = 0;               // What a transfer that goes on has moved.
  bool notifies_ = false;
};

}  // namespace proactor

#endif  // PROACTOR_BACKEND_FAKE_REQUEST_H_
