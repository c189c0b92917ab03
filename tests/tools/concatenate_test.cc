// SPDX-License-Identifier: Apache-2.0
//
// What uring-cat writes, next to what the system's cat does with the same.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/tools/cat_fixture.h"

namespace proactor {
namespace {

class ConcatenateTest : public CatTest {
 protected:
  // Runs a line of shell with $CAT as either program, in which $F is a file with these contents. What is left in the
  // file is added to the output.
  Ending Shell(const std::string& line, const std::string& cat, std::string_view contents) {
    std::string file = File("file", contents);
    Ending ending = RunToEnd({.program = "/bin/sh",
                              .arguments = {"-c", line},
                              .environment = {"CAT=" + cat, "F=" + file, "D=" + directory_, "LC_ALL=C"}});
    ending.output += "|" + Contents(file);
    return ending;
  }

  void ExpectSameAsCat(const std::string& line, std::string_view contents = "one\ntwo\n") {
    Ending expected = Shell(line, "cat", contents);
    std::string word = Cat({.program = kCat}).arguments[0];
    Ending ending = Shell(line, std::string(kCat) + " " + word, contents);
    EXPECT_TRUE(ending.output == expected.output) << line << ": " << ending << " instead of " << expected;
    EXPECT_EQ(ending.error, absl::StrReplaceAll(expected.error, {{"cat: ", "uring-cat: "}})) << line;
    EXPECT_EQ(ending.exit_status, expected.exit_status) << line;
  }
};

TEST_P(ConcatenateTest, CopiesBinaryDataLargerThanItsBufferByteByByte) {
  std::string bytes = RandomBytes((3 << 20) + 12345);

  EXPECT_TRUE(RunToEnd(Cat({.program = kCat, .arguments = {File("a", bytes)}})).output == bytes) << "from a file";
  EXPECT_TRUE(RunToEnd(Cat({.program = kCat}), bytes).output == bytes) << "from a pipe";
  EXPECT_EQ(
      RunToEnd(
          Cat({.program = kCat, .arguments = {Path("a")}, .output = Open(Path("copy"), O_WRONLY | O_CREAT)->number}))
          .exit_status,
      0);
  EXPECT_TRUE(Contents(Path("copy")) == bytes) << "to a file";
}

// Its size is 0, and it has contents.
TEST_P(ConcatenateTest, WritesAFileOfProc) {
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {"/proc/version"}})), Prints(Contents("/proc/version")));
  EXPECT_NE(Contents("/proc/version"), "");
}

TEST_P(ConcatenateTest, DoesNotAppendAFileToItself) {
  std::string a = File("a", "1"), b = File("b", "2");
  OwnedDescriptor output = Open(a, O_WRONLY | O_APPEND);

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {a, b}, .output = output->number})),
              Fails("", "uring-cat: " + a + ": input file is output file\n"));
  EXPECT_EQ(std::filesystem::file_size(a), 2u);
}

// There is nothing in it to append.
TEST_P(ConcatenateTest, CopiesAnEmptyFileOrADeviceToItself) {
  OwnedDescriptor file = Open(File("a", ""), O_WRONLY | O_APPEND), device = Open("/dev/null", O_RDWR);

  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {Path("a")}, .output = file->number})), Prints(""));
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .input = device->number, .output = device->number})), Prints(""));
}

TEST_P(ConcatenateTest, EndsBySigpipeWhenNobodyReads) {
  Pipe pipe;
  pipe.output = OwnedDescriptor();

  Ending ending = RunToEnd(Cat({.program = kCat, .arguments = {File("a", "1")}, .output = pipe.input->number}));
  EXPECT_EQ(ending.signal, SIGPIPE);
  EXPECT_EQ(ending.error, "");
}

TEST_P(ConcatenateTest, ReportsAFullDisk) {
  EXPECT_THAT(
      RunToEnd(Cat({.program = kCat, .arguments = {File("a", "1")}, .output = Open("/dev/full", O_WRONLY)->number})),
      Fails("", "uring-cat: write error: No space left on device\n"));
}

// Sizes around those of blocks, pipes and what is worth splicing.
TEST_P(ConcatenateTest, CopiesFilesOfManySizesAsCatDoes) {
  std::string bytes = RandomBytes((5 << 20) + 1);
  std::vector<std::string> names;
  for (size_t size : {0, 1, 4096, 65536, 128 << 10, 1 << 20, 2 << 20, 5 << 20}) {
    for (size_t around : {size - std::min<size_t>(size, 1), size, size + 1}) {
      names.push_back(File(std::to_string(around), std::string_view(bytes).substr(bytes.size() - around)));
    }
  }
  std::string expected = RunToEnd({.program = "/bin/cat", .arguments = names}).output;
  EXPECT_TRUE(RunToEnd(Cat({.program = kCat, .arguments = names})).output == expected) << "to a pipe";
  OwnedDescriptor copy = Open(Path("copy"), O_WRONLY | O_CREAT);
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = names, .output = copy->number})), Prints(""));
  EXPECT_TRUE(Contents(Path("copy")) == expected) << "to a file";
}

// Larger than any number of 32 bits, with something here and there.
TEST_P(ConcatenateTest, CopiesASparseFileOfThreeGibibytes) {
  constexpr int64_t kSize = (int64_t{3} << 30) + 5;
  OwnedDescriptor file = Open(Path("sparse"), O_RDWR | O_CREAT);
  ASSERT_EQ(ftruncate(file->number, kSize), 0);
  for (int64_t offset : {int64_t{0}, int64_t{4095}, (int64_t{1} << 31) - 2, (int64_t{1} << 31) + 7, kSize - 4}) {
    ASSERT_EQ(pwrite(file->number, "here", 4, offset), 4);
  }
  Pipe pipe;
  ChildProcess cat(Cat({.program = kCat, .arguments = {Path("sparse")}, .output = pipe.input->number}));
  pipe.input = OwnedDescriptor();

  std::vector<char> copy(1 << 20), original(1 << 20);
  int64_t offset = 0;
  for (ssize_t n; Await(pipe.output->number, POLLIN) && (n = read(pipe.output->number, copy.data(), copy.size())) > 0;
       offset += n) {
    ASSERT_EQ(pread(file->number, original.data(), static_cast<size_t>(n), offset), n);
    ASSERT_EQ(std::memcmp(copy.data(), original.data(), static_cast<size_t>(n)), 0) << "behind " << offset;
  }
  EXPECT_EQ(offset, kSize);
  EXPECT_THAT(cat.Finish(), Prints(""));
}

TEST_P(ConcatenateTest, ReadsFilesOfTheKernelAsCatDoes) {
  ExpectSameAsCat("$CAT /proc/version /proc/cpuinfo /proc/filesystems | grep -v MHz");
  ExpectSameAsCat("$CAT /sys/kernel/mm/transparent_hugepage/enabled /sys/devices/system/cpu/online");
  ExpectSameAsCat("$CAT /dev/null; $CAT < /dev/null");
  ExpectSameAsCat("head -c 300000 /dev/zero | $CAT | $CAT - | wc -c");
}

TEST_P(ConcatenateTest, ReadsFifosAsCatDoes) {
  std::string bytes = RandomBytes(700'001);
  ExpectSameAsCat("mkfifo $D/in; cat $F > $D/in & $CAT $D/in $F; wait; rm $D/in", bytes);
  ExpectSameAsCat("mkfifo $D/out; cat $D/out > $D/copy & $CAT $F > $D/out; wait; cmp $D/copy $F; rm $D/out", bytes);
}

TEST_P(ConcatenateTest, SaysWhatCatSays) {
  ExpectSameAsCat("$CAT $F $D/missing $D $F");
  ExpectSameAsCat("$CAT $D/missing; $CAT $F/file");
  ExpectSameAsCat("$CAT < $D");
  ExpectSameAsCat("$CAT $F > /dev/full");
  ExpectSameAsCat("$CAT $F >&-");
  ExpectSameAsCat("trap '' PIPE; (read x; $CAT $F; echo $? >&2) < $F | true", RandomBytes(3 << 20));
}

TEST_P(ConcatenateTest, RefusesToAppendAFileToItselfWhereCatDoes) {
  for (const char* line :
       {"$CAT $F >> $F", "$CAT < $F >> $F", "$CAT - < $F >> $F", "$CAT $F > $F", "$CAT < $F > $F",
        "{ read x; $CAT; } < $F >> $F", "{ read x; read y; $CAT; } < $F >> $F", "$CAT $F $D/missing >> $F"}) {
    ExpectSameAsCat(line);
    ExpectSameAsCat(line, "");
  }
}

TEST_P(ConcatenateTest, EndsBySigpipeWhenTheReaderLeaves) {
  std::string big = File("big", RandomBytes(3 << 20));
  Pipe pipe;
  ChildProcess cat(Cat({.program = kCat, .arguments = {big}, .output = pipe.input->number}));
  pipe.input = OwnedDescriptor();
  EXPECT_EQ(ReadFrom(pipe.output->number, 100).size(), 100u);
  pipe.output = OwnedDescriptor();
  Ending ending = cat.Finish();
  EXPECT_EQ(ending.signal, SIGPIPE);
  EXPECT_EQ(ending.error, "");
}

// Users may own only so much of large pipes.
TEST_P(ConcatenateTest, GrowsThePipeForLargeFilesOnly) {
  Pipe pipe;
  int size = fcntl(pipe.input->number, F_GETPIPE_SZ);
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "a")}, .output = pipe.input->number})),
              Prints(""));
  EXPECT_EQ(fcntl(pipe.input->number, F_GETPIPE_SZ), size);
  std::string bytes = RandomBytes(1 << 19);
  EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("b", bytes)}, .output = pipe.input->number})),
              Prints(""));
  EXPECT_EQ(fcntl(pipe.input->number, F_GETPIPE_SZ), 1 << 20);
  EXPECT_TRUE(ReadFrom(pipe.output->number, 1 + bytes.size()) == "a" + bytes);
}

INSTANTIATE_ON_REAL_BACKENDS(ConcatenateTest);

}  // namespace
}  // namespace proactor
