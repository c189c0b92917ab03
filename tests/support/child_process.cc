// SPDX-License-Identifier: Apache-2.0
#include "tests/support/child_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "proactor/system.h"

namespace proactor {
namespace {

constexpr size_t kPiece = 65536;

int MillisecondsUntil(absl::Time deadline) {
  absl::Duration left = absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1));
  return static_cast<int>(std::max<int64_t>(absl::ToInt64Milliseconds(left), 0));
}

// Writes what fits, and closes when all is written or nobody reads it any more.
void Feed(OwnedDescriptor& to, std::string_view& bytes) {
  ssize_t n = bytes.empty() ? 0 : write(to->number, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
  bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (bytes.empty() || n < 0) to = OwnedDescriptor();
}

// Reads what is there, and closes at the end of the file.
void Collect(OwnedDescriptor& from, std::string& bytes) {
  char piece[kPiece];
  ssize_t n = read(from->number, piece, sizeof(piece));
  bytes.append(piece, static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (n <= 0) from = OwnedDescriptor();
}

// That of the test; but operands mean its own directory, wherever `bazel run` was called.
std::vector<std::string> Environment(const std::vector<std::string>& more) {
  std::vector<std::string> environment = more;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!std::string_view(*variable).starts_with("BUILD_WORKING_DIRECTORY=")) environment.emplace_back(*variable);
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& string : strings) pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

// What the new process does before it becomes the program. Nothing here allocates: it is between fork and execve.
[[noreturn]] void Become(char* const* arguments, char* const* environment, const int (&standard)[3],
                         const Command& command, pid_t test) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != test) _exit(126);
  for (int i = 0; i < 3; ++i) {
    if (standard[i] == kClosed ? close(i) < 0 : dup2(standard[i], i) < 0) _exit(126);
  }
  if (command.descriptor_limit > 0) {
    rlim_t most = static_cast<rlim_t>(command.descriptor_limit);
    rlimit limit = {most, most};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) _exit(126);
  }
  if (command.locked_memory_limit >= 0) {
    rlim_t most = static_cast<rlim_t>(command.locked_memory_limit);
    rlimit limit = {most, most};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0) _exit(126);
    prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK);  // Fails for who has no privileges to drop.
  }
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!command.filter.empty() && !Install(command.filter)) _exit(126);
  execve(arguments[0], arguments, environment);
  _exit(127);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Ending& ending) {
  constexpr size_t kShown = 1000;
  return out << "exit status " << ending.exit_status << ", signal " << ending.signal << ", output \""
             << ending.output.substr(0, kShown) << "\", errors \"" << ending.error.substr(0, kShown) << '"';
}

OwnedDescriptor Own(int number) { return OwnedDescriptor(System::Real(), number, DescriptorKind::kOther); }

Pipe::Pipe(int flags) {
  int ends[2];
  if (pipe2(ends, flags | O_CLOEXEC) < 0) ADD_FAILURE() << "pipe2: " << std::strerror(errno);
  output = Own(ends[0]);
  input = Own(ends[1]);
}

bool Await(int descriptor, short events) {
  absl::Time deadline = absl::Now() + kPatience;
  pollfd entry = {descriptor, events, 0};
  int ready;
  while ((ready = poll(&entry, 1, MillisecondsUntil(deadline))) < 0 && errno == EINTR) {
  }
  EXPECT_GT(ready, 0) << "nothing has happened for too long";
  return ready > 0;
}

void WriteTo(int descriptor, std::string_view bytes) {
  while (!bytes.empty() && Await(descriptor, POLLOUT)) {
    ssize_t n = write(descriptor, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
    if (n < 0) {
      ADD_FAILURE() << "write: " << std::strerror(errno);
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

std::string ReadFrom(int descriptor, size_t size) {
  std::string bytes;
  char piece[kPiece];
  while (bytes.size() < size && Await(descriptor, POLLIN)) {
    ssize_t n = read(descriptor, piece, std::min(size - bytes.size(), kPiece));
    if (n <= 0) {
      ADD_FAILURE() << "read: " << (n == 0 ? "end of file" : std::strerror(errno));
      break;
    }
    bytes.append(piece, static_cast<size_t>(n));
  }
  return bytes;
}

ChildProcess::ChildProcess(const Command& command) : program_(command.program) {
  signal(SIGPIPE, SIG_IGN);  // A child that ends before it has read everything must not end the test.
  std::vector<std::string> words = command.arguments;
  words.insert(words.begin(), command.program);
  std::vector<std::string> variables = Environment(command.environment);
  std::vector<char*> arguments = Pointers(words);
  std::vector<char*> environment = Pointers(variables);
  Pipe in, out, err;
  int standard[] = {command.input == kPipe ? in.output->number : command.input,
                    command.output == kPipe ? out.input->number : command.output,
                    command.error == kPipe ? err.input->number : command.error};
  pid_t test = getpid();
  id_ = fork();
  if (id_ == 0) Become(arguments.data(), environment.data(), standard, command, test);
  handle_ = Own(static_cast<int>(syscall(SYS_pidfd_open, id_, 0)));
  if (id_ < 0 || handle_->number < 0) ADD_FAILURE() << program_ << " was not started: " << std::strerror(errno);
  if (command.input == kPipe) input_ = std::move(in.input);
  if (command.output == kPipe) output_ = std::move(out.output);
  if (command.error == kPipe) error_ = std::move(err.output);
}

ChildProcess::~ChildProcess() {
  if (id_ <= 0) return;
  kill(id_, SIGKILL);
  waitpid(id_, nullptr, 0);
}

std::string ChildProcess::ReadLine() {
  std::string line;
  while (!line.ends_with('\n')) {
    std::string byte = ReadFrom(output(), 1);
    if (byte.empty()) return line;
    line += byte;
  }
  line.pop_back();
  return line;
}

void ChildProcess::Signal(int signal) const { kill(id_, signal); }

Ending ChildProcess::Finish(std::string_view input) {
  Ending ending;
  absl::Time deadline = absl::Now() + kPatience;
  if (input.empty()) CloseInput();
  bool ended = false;
  while (!ended || output_ || error_) {
    auto number = [](const OwnedDescriptor& descriptor) { return descriptor ? descriptor->number : -1; };
    pollfd entries[] = {{number(input_), POLLOUT, 0},
                        {number(output_), POLLIN, 0},
                        {number(error_), POLLIN, 0},
                        {ended ? -1 : number(handle_), POLLIN, 0}};
    int ready = poll(entries, std::size(entries), MillisecondsUntil(deadline));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ADD_FAILURE() << program_ << " has not ended in time; " << ending;
      return ending;
    }
    if (entries[0].revents != 0) Feed(input_, input);
    if (entries[1].revents != 0) Collect(output_, ending.output);
    if (entries[2].revents != 0) Collect(error_, ending.error);
    ended = ended || entries[3].revents != 0;
  }
  int status = 0;
  waitpid(std::exchange(id_, -1), &status, 0);
  if (WIFEXITED(status)) ending.exit_status = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending.signal = WTERMSIG(status);
  return ending;
}

}  // namespace proactor
