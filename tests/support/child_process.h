// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: a program under test, run the way its users run it.
//
//   ChildProcess cat({.program = "tools/uring-cat", .arguments = {"-"}});
//   Ending ending = cat.Finish("some text");
//   EXPECT_EQ(ending.output, "some text");
//   EXPECT_EQ(ending.exit_status, 0);
//
// Everything that waits here gives up after `kPatience`, kills the process and fails the test. The process ends with
// this object at the latest.
//
// Threads: one.
#ifndef PROACTOR_TESTS_SUPPORT_CHILD_PROCESS_H_
#define PROACTOR_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proactor/descriptor.h"
#include "tests/support/system_call_filter.h"

namespace proactor {

inline constexpr absl::Duration kPatience = absl::Seconds(20);

// The descriptor, closed in the end.
OwnedDescriptor Own(int number);

// One pipe: its end to read from, and its end to write to. `flags` as for pipe2(2); close-on-exec in any case.
struct Pipe {
  explicit Pipe(int flags = 0);

  OwnedDescriptor output;
  OwnedDescriptor input;
};

// Waits until `poll` says that one of `events` has come; false, and a failed test, when it takes too long.
bool Await(int descriptor, short events);

// Writes all of the bytes, or reads as many; less, and a failed test, on an error or when it takes too long.
void WriteTo(int descriptor, std::string_view bytes);
std::string ReadFrom(int descriptor, size_t size);

// What a program finds at a standard descriptor: a pipe to this process, nothing, or what this process lends it.
inline constexpr int kPipe = -1;
inline constexpr int kClosed = -2;

struct Command {
  std::string program;  // Its path, relative to the root of the runfiles.
  std::vector<std::string> arguments = {};
  std::vector<std::string> environment = {};  // NAME=VALUE, besides that of the test.
  int input = kPipe;
  int output = kPipe;
  int error = kPipe;
  int descriptor_limit = 0;  // How many it may have open; 0: as the test.
  // How many bytes of memory it may lock, without the privilege to lock any; negative: as the test.
  int64_t locked_memory_limit = -1;
  SystemCallFilter filter = {};
};

// How a process ended, and what it had not been read of before.
struct Ending {
  int exit_status = -1;  // -1 if a signal ended it.
  int signal = 0;
  std::string output;
  std::string error;
};

std::ostream& operator<<(std::ostream& out, const Ending& ending);

class ChildProcess {
 public:
  explicit ChildProcess(const Command& command);
  ~ChildProcess();

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // This process's ends of the pipes.
  int input() const { return input_->number; }
  int output() const { return output_->number; }

  // One line of its output, without the newline.
  std::string ReadLine();

  void CloseInput() { input_ = OwnedDescriptor(); }
  void Signal(int signal) const;

  // Feeds it, takes what it says, and waits for its end.
  Ending Finish(std::string_view input = "");

 private:
  std::string program_;
  pid_t id_;
  OwnedDescriptor handle_;  // A pidfd: readable when the process has ended.
  OwnedDescriptor input_;
  OwnedDescriptor output_;
  OwnedDescriptor error_;
};

// Runs a program from its beginning to its end.
inline Ending RunToEnd(const Command& command, std::string_view input = "") {
  return ChildProcess(command).Finish(input);
}

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_CHILD_PROCESS_H_
