// SPDX-License-Identifier: Apache-2.0
//
// CatTest: uring-cat as its users run it, on each backend, in a directory of its own.
//
//   class UringCatTest : public CatTest {};
//   TEST_P(UringCatTest, WritesAFile) {
//     EXPECT_THAT(RunToEnd(Cat({.program = kCat, .arguments = {File("a", "text")}})), Prints("text"));
//   }
//   INSTANTIATE_ON_REAL_BACKENDS(UringCatTest);
#ifndef PROACTOR_TESTS_TOOLS_CAT_FIXTURE_H_
#define PROACTOR_TESTS_TOOLS_CAT_FIXTURE_H_

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/backends.h"
#include "tests/support/child_process.h"

namespace proactor {

inline constexpr char kCat[] = "tools/uring-cat";

// The end that all goes well with: the output, and not a word besides.
inline auto Prints(const std::string& output) {
  return ::testing::AllOf(::testing::Field("output", &Ending::output, output),
                          ::testing::Field("error", &Ending::error, ""),
                          ::testing::Field("exit_status", &Ending::exit_status, 0));
}

inline auto Fails(const std::string& output, const std::string& error, int exit_status = 1) {
  return ::testing::AllOf(::testing::Field("output", &Ending::output, output),
                          ::testing::Field("error", &Ending::error, error),
                          ::testing::Field("exit_status", &Ending::exit_status, exit_status));
}

inline std::string RandomBytes(size_t size) {
  std::mt19937_64 random(20221);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

inline std::string Contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class CatDirectory : public ::testing::Test {
 protected:
  CatDirectory() {
    std::string name = ::testing::TempDir() + "/uring_cat.XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~CatDirectory() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  // The path of a new file with these contents.
  std::string File(const std::string& name, std::string_view contents) const {
    std::ofstream(Path(name), std::ios::binary) << contents;
    return Path(name);
  }

  static OwnedDescriptor Open(const std::string& path, int flags) {
    OwnedDescriptor file = Own(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666));
    EXPECT_GE(file->number, 0) << path;
    return file;
  }

  std::string directory_;
};

class CatTest : public CatDirectory, public ::testing::WithParamInterface<Backend> {
 protected:
  // The command, on this test's backend.
  static Command Cat(Command command) {
    std::string word = GetParam() == Backend::kEpoll ? "--backend=epoll" : "--backend=io_uring";
    command.arguments.insert(command.arguments.begin(), word);
    return command;
  }
};

}  // namespace proactor

#endif  // PROACTOR_TESTS_TOOLS_CAT_FIXTURE_H_
