// SPDX-License-Identifier: Apache-2.0
//
// What proactor/README.md says about security, as it is on this system.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/backend/fake_kernel.h"
#include "proactor/backend/ring.h"
#include "proactor/backend_choice.h"
#include "proactor/buffer_store.h"
#include "proactor/descriptor.h"
#include "proactor/fs/file.h"
#include "proactor/operation/accept.h"
#include "proactor/operation/close.h"
#include "proactor/operation/connect.h"
#include "proactor/operation/open.h"
#include "proactor/operation/read.h"
#include "proactor/operation/recv.h"
#include "proactor/operation/recv_list.h"
#include "proactor/operation/send_all.h"
#include "proactor/operation/send_all_list.h"
#include "proactor/operation/send_buffers.h"
#include "proactor/operation/splice.h"
#include "proactor/operation/stat.h"
#include "proactor/operation/sync.h"
#include "proactor/operation/truncate.h"
#include "proactor/operation/write_all.h"
#include "proactor/proactor.h"
#include "proactor/run.h"
#include "proactor/scheduler.h"
#include "proactor/task.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/try.h"
#include "tests/net/connection.h"
#include "tests/support/system_call_filter.h"

namespace proactor {
namespace {

using ::testing::ExitedWithCode;

// Opens a file that is there, and reads from it.
Task<absl::StatusOr<size_t>> OpenAndRead() {
  File file = co_await Try(File::Open("/proc/self/stat"));
  char buffer[1];
  co_return co_await file.Read(buffer);
}

// Runs in a process of its own, because a filter stays; by _exit(2), for which a sanitizer opens nothing.
[[noreturn]] void OpenUnderAFilter(BackendChoice backend, absl::StatusCode expected) {
  if (!Install(Failing(SYS_openat, EACCES))) _exit(2);
  if (open("/proc/self/stat", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES) _exit(3);
  absl::StatusOr<size_t> n = Run(OpenAndRead(), {.backend = backend});
  std::fputs(n.status().ToString().c_str(), stderr);
  _exit(n.status().code() == expected ? 0 : 1);
}

TEST(SecurityDeathTest, AFilterOfSystemCallsDoesNotSeeWhatTheRingDoes) {
  EXPECT_EXIT(OpenUnderAFilter(BackendChoice::kIoUring, absl::StatusCode::kOk), ExitedWithCode(0), "OK");
}

TEST(SecurityDeathTest, EpollObeysAFilterOfSystemCalls) {
  EXPECT_EXIT(OpenUnderAFilter(BackendChoice::kEpoll, absl::StatusCode::kPermissionDenied), ExitedWithCode(0),
              "open .*: Permission denied");
}

void DropPrivilegesTooLate() {
  absl::StatusOr<std::unique_ptr<Proactor>> proactor = MakeProactor({.backend = BackendChoice::kIoUring});
  if (!proactor.ok() || setresuid(65534, 65534, 65534) != 0) _exit(2);
  absl::StatusOr<size_t> n = Scheduler(*std::move(proactor)).Run(OpenAndRead());
  _exit(0);
}

TEST(SecurityDeathTest, PrivilegesThatAreDroppedAfterTheRingWasMadeAreFatal) {
  if (geteuid() != 0) GTEST_SKIP() << "only root has privileges to drop";
  EXPECT_EXIT(DropPrivilegesTooLate(), ::testing::KilledBySignal(SIGABRT), "privileges have changed since it was set");
}

// What an operation asks of io_uring.
template <class Op>
unsigned OpcodeOf(Op op) {
  io_uring_sqe entry = {};
  op.Prepare(entry);
  return entry.opcode;
}

int OperationsInTheSources() {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator("proactor/operation")) {
    std::ifstream text(file.path());
    for (std::string line; std::getline(text, line);) {
      count += line.starts_with("  static constexpr char kName[]") ? 1 : 0;
    }
  }
  return count;
}

// One that is not among what the ring allows would be performed without it, and nobody would notice.
TEST(SecurityTest, ARestrictedRingHasEveryOperationOfTheLibrary) {
  Descriptor descriptor = {.system = System::Real(), .number = -1, .kind = DescriptorKind::kOther};
  Descriptor* on = &descriptor;
  char buffer[1];
  std::span<char> in[] = {buffer};
  std::string_view out[] = {"x"};
  struct statx facts;
  internal::BufferStore store({});
  internal::BufferSlot* slot = store.Take(0);
  Buffers buffers;
  buffers.PushBack(store.Received(*slot, 1));
  const unsigned opcodes[] = {
      OpcodeOf(AcceptOp{.descriptor = on}),
      OpcodeOf(CloseOp{.descriptor = on}),
      OpcodeOf(ConnectOp{.descriptor = on, .address = nullptr, .size = 0}),
      OpcodeOf(OpenOp{.system = &System::Real(), .path = "", .flags = 0}),
      OpcodeOf(ReadOp{{.descriptor = on, .buffer = buffer}}),
      OpcodeOf(ReadAtOp{{.descriptor = on, .buffer = buffer}}),
      OpcodeOf(RecvOp{.descriptor = on, .buffer = buffer}),
      OpcodeOf(RecvListOp{.descriptor = on, .list = ListTransfer<std::span<char>>(in)}),
      OpcodeOf(SendAllOp{.descriptor = on, .bytes = "x"}),
      OpcodeOf(SendAllListOp{.descriptor = on, .list = ListTransfer<std::string_view>(out)}),
      OpcodeOf(SendBuffersOp{.descriptor = on, .next = buffers.begin()}),
      OpcodeOf(SpliceOp{.input = on, .descriptor = on, .size = 1}),
      OpcodeOf(StatOp{.descriptor = on, .facts = &facts}),
      OpcodeOf(SyncOp{.descriptor = on}),
      OpcodeOf(TruncateOp{.descriptor = on, .size = 0}),
      OpcodeOf(WriteAllOp{{.descriptor = on, .bytes = "x"}}),
      OpcodeOf(WriteAllAtOp{{.descriptor = on, .bytes = "x"}}),
  };
  EXPECT_EQ(OperationsInTheSources(), static_cast<int>(std::size(opcodes)) + 2)
      << "the others are CallOp, and ReceiveOp, which waits for a recv";
  SimulatedSystem system;
  FakeKernel kernel(system);
  absl::StatusOr<std::unique_ptr<Ring>> ring = Ring::Create({.restricted = true}, kernel);
  ASSERT_THAT(ring, IsOk());
  for (unsigned opcode : opcodes) EXPECT_TRUE((*ring)->Supports(opcode)) << opcode;
}

TEST(SecurityTest, ARestrictedRingServesFilesAndSockets) {
  auto exchange = []() -> Task<absl::StatusOr<std::string>> {
    co_await Try(OpenAndRead());
    Connection connection = co_await Try(Connect());
    co_await Try(connection.client.WriteAll("there"));
    co_await Try(connection.client.Close());
    co_return co_await ReadToEnd(connection.server);
  };
  for (BackendChoice backend : {BackendChoice::kIoUring, BackendChoice::kEpoll}) {
    EXPECT_THAT(proactor::Run(exchange(), {.backend = backend, .restricted = true}), IsOkAndHolds("there"));
  }
}

}  // namespace
}  // namespace proactor
