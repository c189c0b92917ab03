// SPDX-License-Identifier: Apache-2.0
//
// uring-cat as its users run it: a process, with pipes, files, FIFOs and a terminal.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/system_call_filter.h"
#include "tests/tools/cat_fixture.h"

namespace proactor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class UringCatTest : public CatTest {};

TEST_P(UringCatTest, WritesAFile) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "one\ntwo\n")}})), Prints("one\ntwo\n"));
}

TEST_P(UringCatTest, WritesFilesInTheOrderOfTheirNames) {
  std::string a = File("a", "1"), b = File("b", "2"), c = File("c", "3");

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {c, a, b, a}})), Prints("3121"));
}

TEST_P(UringCatTest, WritesNothingOfAnEmptyFile) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "")}})), Prints(""));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {Path("a"), File("b", "b"), Path("a")}})), Prints("b"));
}

TEST_P(UringCatTest, ReadsStandardInputWithoutOperands) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat}), "from a pipe"), Prints("from a pipe"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = Open(File("a", "from a file"), O_RDONLY)->number})),
              Prints("from a file"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = Open("/dev/null", O_RDONLY)->number})), Prints(""));
}

TEST_P(UringCatTest, ReadsStandardInputForADash) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"-"}}), "piped"), Prints("piped"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "<"), "-", "-", File("b", ">")}}), "piped"),
              Prints("<piped>"));
}

// A file that is standard input is read from where it stands, and left where it ends.
TEST_P(UringCatTest, ReadsStandardInputFromItsPosition) {
  OwnedDescriptor file = Open(File("a", "skipped, read"), O_RDONLY);
  lseek(file->number, 9, SEEK_SET);

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = file->number})), Prints("read"));
  EXPECT_EQ(lseek(file->number, 0, SEEK_CUR), 13);
}

TEST_P(UringCatTest, AppendsWhereStandardOutputAppends) {
  OwnedDescriptor log = Open(File("log", "old "), O_WRONLY | O_APPEND);

  RunToEnd(Cat({.program = kCat, .arguments = {File("a", "new")}, .output = log->number}));
  EXPECT_EQ(Contents(Path("log")), "old new");
}

// A pseudo-terminal: what is typed and shown at one end is read and written at the other.
struct Terminal {
  explicit Terminal(int flags = 0) {
    int result = grantpt(keyboard->number) | unlockpt(keyboard->number);
    EXPECT_EQ(result, 0) << std::strerror(errno);
    standard = Own(open(ptsname(keyboard->number), O_RDWR | O_NOCTTY | O_CLOEXEC | flags));
    EXPECT_GE(standard->number, 0) << std::strerror(errno);
  }

  OwnedDescriptor keyboard = Own(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  OwnedDescriptor standard;
};

TEST_P(UringCatTest, ReadsATerminalUpToItsEndOfFile) {
  Terminal terminal;
  ChildProcess cat(Cat({.program = kCat, .input = terminal.standard->number}));

  WriteTo(terminal.keyboard->number, "typed\n");
  EXPECT_EQ(cat.ReadLine(), "typed");
  WriteTo(terminal.keyboard->number, "again\n\x04");
  EXPECT_THAT(cat.Finish(), Prints("again\n"));
}

TEST_P(UringCatTest, WaitsForANonBlockingTerminal) {
  Terminal terminal(O_NONBLOCK);
  ChildProcess cat(Cat({.program = kCat, .input = terminal.standard->number}));

  for (int i = 0; i < 100; ++i) {
    WriteTo(terminal.keyboard->number, "typed\n");
    ASSERT_EQ(cat.ReadLine(), "typed") << "round " << i;
  }
  WriteTo(terminal.keyboard->number, "\x04");
  EXPECT_THAT(cat.Finish(), Prints(""));
  EXPECT_NE(fcntl(terminal.standard->number, F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(UringCatTest, WaitsForRoomInANonBlockingTerminal) {
  Terminal terminal(O_NONBLOCK);
  std::string text = std::string(100'000, 'x') + "end";
  ChildProcess cat(Cat({.program = kCat, .arguments = {File("a", text)}, .output = terminal.standard->number}));

  EXPECT_TRUE(ReadFrom(terminal.keyboard->number, text.size()) == text);
  EXPECT_THAT(cat.Finish(), Prints(""));
}

TEST_P(UringCatTest, WaitsForTheWriterOfAFifo) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0666), 0);
  ChildProcess cat(Cat({.program = kCat, .arguments = {Path("fifo"), File("a", "file")}}));

  OwnedDescriptor writer = Open(Path("fifo"), O_RDWR);  // Not O_WRONLY, which would wait for a reader.
  WriteTo(writer->number, "first\n");
  EXPECT_EQ(cat.ReadLine(), "first");
  WriteTo(writer->number, "second\n");
  EXPECT_EQ(cat.ReadLine(), "second");
  writer = OwnedDescriptor();
  EXPECT_THAT(cat.Finish(), Prints("file"));
}

TEST_P(UringCatTest, PassesOnWhatHasArrivedWithoutWaitingForMore) {
  ChildProcess cat(Cat({.program = kCat}));

  for (int i = 0; i < 100; ++i) {
    WriteTo(cat.input(), "line\n");
    ASSERT_EQ(cat.ReadLine(), "line");
  }
  EXPECT_THAT(cat.Finish(), Prints(""));
}

// Stopping and continuing interrupts the wait (EINTR).
TEST_P(UringCatTest, GoesOnAfterItWasStopped) {
  ChildProcess cat(Cat({.program = kCat}));
  WriteTo(cat.input(), "before\n");
  ASSERT_EQ(cat.ReadLine(), "before");

  for (int i = 0; i < 20; ++i) {
    cat.Signal(SIGSTOP);
    cat.Signal(SIGCONT);
    WriteTo(cat.input(), "after\n");
    ASSERT_EQ(cat.ReadLine(), "after");
  }
  EXPECT_THAT(cat.Finish(), Prints(""));
}

TEST_P(UringCatTest, ReportsAMissingFileAndWritesTheOthers) {
  std::string a = File("a", "1"), b = File("b", "2");

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {a, Path("missing"), b}})),
              Fails("12", "uring-cat: " + Path("missing") + ": No such file or directory\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {""}})),
              Fails("", "uring-cat: : No such file or directory\n"));
}

TEST_P(UringCatTest, ReportsADirectoryAndWritesTheOthers) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {directory_, File("a", "1")}})),
              Fails("1", "uring-cat: " + directory_ + ": Is a directory\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = Open(directory_, O_RDONLY)->number})),
              Fails("", "uring-cat: -: Is a directory\n"));
}

// The flags belong to whoever else has the pipe open, such as the shell. (Kernels of the 5.10 class fail these reads
// with EAGAIN, and the library polls; newer ones wait by themselves.)
TEST_P(UringCatTest, WaitsForANonBlockingPipeAndKeepsItsFlags) {
  Pipe pipe(O_NONBLOCK);
  int flags = fcntl(pipe.output->number, F_GETFL);
  ASSERT_TRUE((flags & O_NONBLOCK) != 0);
  ChildProcess cat(Cat({.program = kCat, .input = pipe.output->number}));

  for (int i = 0; i < 200; ++i) {
    WriteTo(pipe.input->number, "line\n");
    ASSERT_EQ(cat.ReadLine(), "line") << "round " << i;
  }
  EXPECT_EQ(fcntl(pipe.output->number, F_GETFL), flags);
  pipe.input = OwnedDescriptor();
  EXPECT_THAT(cat.Finish(), Prints(""));
  EXPECT_EQ(fcntl(pipe.output->number, F_GETFL), flags);
}

TEST_P(UringCatTest, WaitsForRoomInANonBlockingPipeAndKeepsItsFlags) {
  std::string bytes = RandomBytes(1 << 20);
  Pipe pipe(O_NONBLOCK);
  fcntl(pipe.input->number, F_SETPIPE_SZ, 4096);
  int flags = fcntl(pipe.input->number, F_GETFL);
  ASSERT_TRUE((flags & O_NONBLOCK) != 0);
  ChildProcess cat(Cat({.program = kCat, .arguments = {File("a", bytes)}, .output = pipe.input->number}));

  EXPECT_TRUE(ReadFrom(pipe.output->number, bytes.size()) == bytes);
  EXPECT_THAT(cat.Finish(), Prints(""));
  EXPECT_EQ(fcntl(pipe.input->number, F_GETFL), flags);
}

TEST_P(UringCatTest, LeavesBlockingPipesBlocking) {
  Pipe input, output;
  WriteTo(input.input->number, "piped");
  input.input = OwnedDescriptor();

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = input.output->number, .output = output.input->number})),
              Prints(""));
  EXPECT_EQ(ReadFrom(output.output->number, 5), "piped");
  EXPECT_EQ(fcntl(input.output->number, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(output.input->number, F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(UringCatTest, ReportsAClosedStandardInput) {
  std::string a = File("a", "1");

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = kClosed})), Fails("", "uring-cat: -: Bad file descriptor\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {a, "-", a}, .input = kClosed})),
              Fails("11", "uring-cat: -: Bad file descriptor\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {a}, .input = kClosed})), Prints("1"));
}

TEST_P(UringCatTest, ReportsAClosedStandardOutput) {
  std::string closed = "uring-cat: standard output: Bad file descriptor\n";

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "1")}, .output = kClosed})), Fails("", closed));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .output = kClosed}), "piped"), Fails("", closed));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {Path("a")}, .input = kClosed, .output = kClosed})),
              Fails("", closed));
}

TEST_P(UringCatTest, LosesOnlyItsMessagesWithStandardErrorClosed) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {Path("missing"), File("a", "1")}, .error = kClosed})),
              Fails("1", ""));
  EXPECT_EQ(Contents(Path("a")), "1");
}

TEST_P(UringCatTest, TakesOperandsFromWhereBazelRunWasCalled) {
  File("a", "there");

  EXPECT_THAT(
      RunToEnd(Cat({.program = kCat, .arguments = {"a"}, .environment = {"BUILD_WORKING_DIRECTORY=" + directory_}})),
      Prints("there"));
  EXPECT_THAT(
      RunToEnd(
          Cat({.program = kCat, .arguments = {"a"}, .environment = {"BUILD_WORKING_DIRECTORY=" + Path("missing")}})),
      Fails("", "uring-cat: " + Path("missing") + ": No such file or directory\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"a"}})),
              Fails("", "uring-cat: a: No such file or directory\n"));
}

TEST_P(UringCatTest, SaysHowItIsUsed) {
  Ending help = RunToEnd(Cat({.program = kCat, .arguments = {"--help"}}));
  EXPECT_THAT(help.output, StartsWith("Usage: uring-cat [OPTION...] [FILE...]\n"));
  EXPECT_THAT(help, Prints(help.output));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--version"}})), Prints("uring-cat (proactor) 0.1.0\n"));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--help"}, .output = Open("/dev/full", O_WRONLY)->number})),
              Fails("", "uring-cat: write error: No space left on device\n"));
}

TEST_P(UringCatTest, RefusesFlagsThatItDoesNotHave) {
  std::string hint = "Try 'uring-cat --help' for more information.\n";

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--wrong"}})),
              Fails("", "uring-cat: unrecognized option '--wrong'\n" + hint, 2));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"-x"}})),
              Fails("", "uring-cat: invalid option -- 'x'\n" + hint, 2));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--", "-x"}})),
              Fails("", "uring-cat: -x: No such file or directory\n"));
}

TEST_P(UringCatTest, RefusesBackendsThatThereAreNot) {
  std::string hint = "Try 'uring-cat --help' for more information.\n";

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--backend=kqueue"}})),
              Fails("", "uring-cat: there is no backend 'kqueue'; say auto, io_uring or epoll\n" + hint, 2));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"--backend"}})),
              Fails("", "uring-cat: option '--backend' requires an argument\n" + hint, 2));
  EXPECT_THAT(RunToEnd({.program = kCat, .environment = {"PROACTOR_BACKEND=kqueue"}}).exit_status, 1);
}

INSTANTIATE_ON_REAL_BACKENDS(UringCatTest);

// What differs between them.
class UringCatBackendTest : public CatDirectory {};

TEST_F(UringCatBackendTest, TransfersThroughTheRingAndByNoOtherCall) {
  SystemCallFilter filter = FatalOn(0, {SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_splice});
  SystemCallFilter writes = FatalOn(1, {SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_sendfile});
  filter.pop_back();  // Its last word, that everything else is allowed, is that of the second.
  filter.insert(filter.end(), writes.begin(), writes.end());

  EXPECT_THAT(RunToEnd({.program = kCat, .arguments = {"--backend=io_uring"}, .filter = filter}, "piped"),
              Prints("piped"));
  EXPECT_EQ(RunToEnd({.program = "/bin/cat", .filter = filter}, "piped").signal, SIGSYS) << "the filter catches nobody";
}

TEST_F(UringCatBackendTest, PrintsThroughEpollWhereIoUringIsForbiddenAndSaysSo) {
  Ending ending =
      RunToEnd({.program = kCat, .arguments = {File("a", "1")}, .filter = Failing(SYS_io_uring_setup, EPERM)});

  EXPECT_EQ(ending.output, "1");
  EXPECT_EQ(ending.exit_status, 0);
  EXPECT_THAT(ending.error, AllOf(HasSubstr("io_uring_setup: Operation not permitted"), HasSubstr("using epoll\n")));
}

TEST_F(UringCatBackendTest, ThroughEpollItMakesNoCallOfIoUring) {
  const unsigned kCalls[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
  Command command = {.program = kCat, .arguments = {"--backend=epoll", File("a", "1"), "-"}, .filter = FatalOn(kCalls)};

  EXPECT_THAT(RunToEnd(command, "piped"), Prints("1piped"));
  command.arguments[0] = "--backend=auto";
  EXPECT_EQ(RunToEnd(command, "piped").signal, SIGSYS) << "the filter catches nobody";
}

TEST_F(UringCatBackendTest, PrintsThroughABackendOfItsOwnChoice) {
  Ending ending = RunToEnd({.program = kCat, .arguments = {"--backend=auto", File("a", "1")}});

  EXPECT_EQ(ending.output, "1");
  EXPECT_EQ(ending.exit_status, 0);
}

TEST_F(UringCatBackendTest, DoesNotGoOnThroughAnotherThanTheOneAskedFor) {
  Command command = {.program = kCat,
                     .arguments = {"--backend=io_uring", File("a", "1")},
                     .filter = Failing(SYS_io_uring_setup, EPERM)};
  Ending ending = RunToEnd(command);
  EXPECT_EQ(ending.output, "");
  EXPECT_EQ(ending.exit_status, 1);
  EXPECT_THAT(ending.error, AllOf(StartsWith("uring-cat: "), HasSubstr("io_uring_setup: Operation not permitted")));
  command.arguments[0] = "--backend=epoll";
  EXPECT_THAT(RunToEnd(command), Prints("1"));
}

}  // namespace
}  // namespace proactor
