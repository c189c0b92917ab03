// SPDX-License-Identifier: Apache-2.0
#include "proactor/log.h"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::pair<LogSeverity, std::string>> lines;

void Collect(LogSeverity severity, std::string_view line) { lines.emplace_back(severity, line); }

class LogTest : public ::testing::Test {
 protected:
  LogTest() { lines.clear(); }
  ~LogTest() override {
    SetLogSink(nullptr);
    SetCheckFailureHook(nullptr);
  }
};

// What `function` writes to standard error, one string for each write: a datagram socket keeps them apart.
template <class Function>
std::vector<std::string> WritesToStandardError(Function function) {
  int pair[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
  int saved = dup(STDERR_FILENO);
  dup2(pair[1], STDERR_FILENO);
  function();
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(pair[1]);
  std::vector<std::string> writes;
  char buffer[4096];
  for (ssize_t size; (size = recv(pair[0], buffer, sizeof(buffer), MSG_DONTWAIT)) > 0;)
    writes.emplace_back(buffer, size);
  close(pair[0]);
  return writes;
}

TEST_F(LogTest, GoesToTheSinkThatWasSet) {
  SetLogSink(&Collect);
  Log(LogSeverity::kWarning, "one");
  Log(LogSeverity::kInfo, "two");
  EXPECT_THAT(lines, ElementsAre(Pair(LogSeverity::kWarning, "one"), Pair(LogSeverity::kInfo, "two")));
}

TEST_F(LogTest, SetLogSinkYieldsTheSinkBefore) {
  LogSink standard = SetLogSink(&Collect);
  ASSERT_NE(standard, nullptr);
  EXPECT_EQ(SetLogSink(nullptr), &Collect);
  EXPECT_EQ(SetLogSink(&Collect), standard) << "Null did not restore the default.";
}

TEST_F(LogTest, ALineGoesToStandardErrorInOneWrite) {
  std::vector<std::string> writes = WritesToStandardError([] {
    Log(LogSeverity::kInfo, "first");
    Log(LogSeverity::kWarning, "second");
    Log(LogSeverity::kError, "third");
    Log(LogSeverity::kFatal, "fourth");
  });
  EXPECT_THAT(writes, ElementsAre("proactor: first\n", "proactor: warning: second\n", "proactor: error: third\n",
                                  "proactor: fatal: fourth\n"));
}

TEST_F(LogTest, NothingIsWrittenWhileASinkIsSet) {
  SetLogSink(&Collect);
  EXPECT_THAT(WritesToStandardError([] { Log(LogSeverity::kError, "elsewhere"); }), IsEmpty());
  SetLogSink(nullptr);
  EXPECT_THAT(WritesToStandardError([] { Log(LogSeverity::kError, "here again"); }),
              ElementsAre("proactor: error: here again\n"));
}

class CheckTest : public LogTest {};
using CheckDeathTest = CheckTest;

TEST_F(CheckTest, DoesNothingWhenTheConditionHolds) {
  SetLogSink(&Collect);
  Check(true, "not said");
  Check(true, [] { return std::string("not said either"); });
  EXPECT_THAT(lines, IsEmpty());
}

TEST_F(CheckTest, BuildsNoSentenceWhenTheConditionHolds) {
  int built = 0;
  Check(true, [&] {
    ++built;
    return "expensive";
  });
  EXPECT_EQ(built, 0);
}

TEST_F(CheckTest, SetCheckFailureHookYieldsTheHookBefore) {
  auto hook = [](std::string_view) {};
  EXPECT_EQ(SetCheckFailureHook(hook), nullptr);
  EXPECT_EQ(SetCheckFailureHook(nullptr), static_cast<CheckFailureHook>(hook));
  EXPECT_EQ(SetCheckFailureHook(nullptr), nullptr);
}

TEST_F(CheckDeathTest, EndsTheProcessWithTheSentence) {
  EXPECT_DEATH(Check(false, "Read needs a buffer."), "proactor: fatal: Read needs a buffer\\.\n");
}

TEST_F(CheckDeathTest, EndsTheProcessWithASentenceThatIsBuilt) {
  std::string name = "Echo";
  EXPECT_DEATH(Check(false, [&] { return "The coroutine " + name + " is gone."; }),
               "fatal: The coroutine Echo is gone\\.");
}

TEST_F(CheckDeathTest, EndsByAbortSoThatThereIsACoreDump) {
  EXPECT_EXIT(Check(false, "over"), ::testing::KilledBySignal(SIGABRT), "over");
}

TEST_F(CheckDeathTest, SpeaksThroughTheSink) {
  SetLogSink([](LogSeverity severity, std::string_view line) {
    std::string text = severity == LogSeverity::kFatal ? "sink(fatal): " : "sink(?): ";
    text.append(line).push_back('\n');
    [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
  });
  EXPECT_DEATH(Check(false, "through the sink"), "^sink\\(fatal\\): through the sink\n$");
}

TEST_F(CheckDeathTest, CallsTheHookAfterTheLogAndAbortsAllTheSame) {
  SetCheckFailureHook([](std::string_view sentence) {
    std::string text = "hook: " + std::string(sentence) + "\n";
    [[maybe_unused]] ssize_t ignored = write(STDERR_FILENO, text.data(), text.size());
  });
  EXPECT_EXIT(Check(false, "broken"), ::testing::KilledBySignal(SIGABRT), "fatal: broken\nhook: broken\n");
}

TEST_F(CheckDeathTest, AHookMayLeaveByOtherMeans) {
  SetCheckFailureHook([](std::string_view) { _exit(7); });
  EXPECT_EXIT(Check(false, "broken"), ::testing::ExitedWithCode(7), "fatal: broken");
}

}  // namespace
}  // namespace proactor
