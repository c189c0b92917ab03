// SPDX-License-Identifier: Apache-2.0
//
// What the tests of operations work on: sockets, pipes and files of either system; and the fixture of those tests.
//
//   class RecvTest : public OperationTest {};
//   TEST_P(RecvTest, AnUnconnectedSocketIsAnError) {
//     OwnedDescriptor socket = MakeSocket(system());
//     char buffer[1];
//     EXPECT_EQ(ErrnoOf(Await(RecvOp{.descriptor = socket.get(), .buffer = buffer}).status()), ENOTCONN);
//   }
//   INSTANTIATE_ON_EVERY_BACKEND(RecvTest);
#ifndef PROACTOR_TESTS_PROACTOR_OPERATION_OPERANDS_H_
#define PROACTOR_TESTS_PROACTOR_OPERATION_OPERANDS_H_

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "proactor/backend/simulated_system.h"
#include "proactor/cancellation.h"
#include "proactor/descriptor.h"
#include "proactor/net/address.h"
#include "proactor/operation/operation.h"
#include "proactor/sleep.h"
#include "proactor/system.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {

// What cannot be made fails the test.

// A TCP socket that is not connected. `flags` as for socket(2), such as SOCK_NONBLOCK.
OwnedDescriptor MakeSocket(System& system, int flags = 0);

struct Listener {
  OwnedDescriptor descriptor;
  SocketAddress address;
};
Listener MakeListener(System& system, int backlog = 16, int flags = 0);

// Connects and returns once that is done; ends the connecting where a queue is full by failing the test.
OwnedDescriptor MakeClient(System& system, const SocketAddress& address);

struct Connection {
  OwnedDescriptor client;
  OwnedDescriptor server;
};
Connection MakeConnection(System& system);

struct PipeEnds {
  OwnedDescriptor reader;
  OwnedDescriptor writer;
};
PipeEnds MakePipe(System& system);

// Waits until a listener has a connection; as `AwaitDelivery` (backends.h).
void AwaitReadable(const OwnedDescriptor& descriptor);

OwnedDescriptor OpenFile(System& system, const std::string& path, int flags);
void WriteNow(const OwnedDescriptor& descriptor, std::string_view bytes);

// While it lives, no further descriptor can be opened in this process. Do what is done meanwhile once before: UBSan
// makes a pipe to look at an object of a type that it has not met.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors();
  ~NoMoreDescriptors();
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;

 private:
  size_t limit_;
};

class OperationTest : public BackendTest {
 protected:
  template <class Op>
  using ResultOf = typename Operation<Op>::Result;

  ~OperationTest() override;

  SimulatedSystem& simulation() { return static_cast<SimulatedSystem&>(system()); }

  // A path that may be used for a file; one that is there in the end is removed.
  std::string Path(const std::string& name);
  // A file with these contents, open for reading and writing.
  OwnedDescriptor MakeFile(const std::string& name, std::string_view contents);

  template <class Op>
  ResultOf<Op> Await(Op op) {
    auto body = [&]() -> Task<ResultOf<Op>> { co_return co_await MakeOperation(op); };
    return Run(body());
  }
  template <class Op>
  ResultOf<Op> AwaitWithTimeout(absl::Duration timeout, Op op) {
    return Run(WithTimeout(timeout, MakeOperation(op)));
  }
  template <class Op>
  ResultOf<Op> AwaitInCancelledScope(Op op) {
    auto body = [&](CancelScope& scope) -> Task<ResultOf<Op>> {
      scope.Cancel();
      co_return co_await MakeOperation(op);
    };
    return Run(WithCancelScope(body));
  }

  // Awaits an operation; something happens once it waits, and has done as much as it is to have done by then.
  template <class Op>
  ResultOf<Op> AwaitWhile(
      Op op, absl::FunctionRef<void()> happens, absl::FunctionRef<bool()> has_done = [] { return true; }) {
    std::optional<ResultOf<Op>> result;
    auto later = [&]() -> Task<absl::Status> {
      do {
        co_await Try(Sleep(absl::Milliseconds(1)));
      } while (!has_done());
      EXPECT_FALSE(result.has_value()) << "it did not wait";
      happens();
      co_return absl::OkStatus();
    };
    auto body = [&](TaskGroup& group) -> Task<absl::Status> {
      group.Spawn(later());
      result.emplace(co_await MakeOperation(op));
      co_return absl::OkStatus();
    };
    absl::Status status = Run(WithTaskGroup(body));
    EXPECT_TRUE(status.ok()) << status;
    return *std::move(result);
  }

 private:
  std::string directory_;
  std::vector<std::string> paths_;
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_PROACTOR_OPERATION_OPERANDS_H_
