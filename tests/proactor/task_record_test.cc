// SPDX-License-Identifier: Apache-2.0
#include "proactor/task_record.h"

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/cancellation.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"
#include "tests/support/backends.h"

namespace proactor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

Task<absl::Status> Innermost() { co_return co_await Sleep(absl::Seconds(1)); }
Task<absl::Status> Middle() { co_return co_await Innermost(); }
Task<absl::Status> Outermost() { co_return co_await Middle(); }

// Runs a task up to where everything waits.
class TaskRecordTest : public ::testing::Test {
 protected:
  ~TaskRecordTest() override { scheduler().Shutdown(); }

  void Start(Task<absl::Status> task, std::string_view name = "") {
    scheduler().Spawn(std::move(task), name);
    scheduler().Turn(MonotonicTime::Past());
  }
  Scheduler& scheduler() { return world_.scheduler(); }

  SimulatedWorld world_;
};

TEST_F(TaskRecordTest, ItsDumpIsTheChainOfCoroutinesAndWhatTheLastOneWaitsFor) {
  Start(Outermost(), "server");
  EXPECT_THAT(scheduler().Dump(), MatchesRegex("task server\n"
                                               "  proactor::.*::Outermost \\(task_record_test.cc:[0-9]+\\)\n"
                                               "    proactor::.*::Middle \\(task_record_test.cc:[0-9]+\\)\n"
                                               "      proactor::.*::Innermost \\(task_record_test.cc:[0-9]+\\) "
                                               "waits for sleep[^\n]*\n"));
}

TEST_F(TaskRecordTest, OneWithoutANameSaysSo) {
  Start(Innermost());
  EXPECT_THAT(scheduler().Dump(), HasSubstr("task (unnamed)\n"));
}

TEST_F(TaskRecordTest, OneThatHasNotRunYetWaitsForItsTurn) {
  scheduler().Spawn(Outermost(), "late");
  EXPECT_THAT(scheduler().Dump(), MatchesRegex("task late\n  proactor::.*::Outermost \\(task_record_test.cc:[0-9]+\\) "
                                               "waits for its turn to run\n"));
}

TEST_F(TaskRecordTest, OneThatHasEndedIsNotInTheDump) {
  auto body = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  Start(body());
  EXPECT_THAT(scheduler().Dump(), IsEmpty());
  EXPECT_TRUE(scheduler().idle());
  EXPECT_EQ(scheduler().counters().tasks_started.value(), 1);
  EXPECT_EQ(scheduler().counters().tasks_finished.value(), 1);
}

TEST_F(TaskRecordTest, ADumpHasTheTasksOfScopesInside) {
  auto group_body = [](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Middle(), {.name = "child"});
    co_return co_await Innermost();
  };
  auto body = [&]() -> Task<absl::Status> { co_return co_await WithTaskGroup(group_body); };
  Start(body(), "parent");
  scheduler().Turn(MonotonicTime::Past());
  std::string dump = scheduler().Dump();
  EXPECT_THAT(dump, HasSubstr("task parent\n"));
  EXPECT_THAT(dump, HasSubstr("task child\n"));
}

// What a cancelled scope relies on to find whom to tell.
TEST_F(TaskRecordTest, WaitsForWhatItsInnermostCoroutineWaitsFor) {
  const TaskRecord* record = nullptr;
  const Suspension* while_running = nullptr;
  auto body = [&]() -> Task<absl::Status> {
    record = (co_await CurrentContext()).task;
    while_running = record->waiting();
    co_await Try(Outermost());
    co_return co_await Sleep(absl::Seconds(1));
  };
  Start(body(), "waiter");
  EXPECT_EQ(while_running, nullptr);
  ASSERT_NE(record->waiting(), nullptr);
  EXPECT_THAT(record->waiting()->Describe(), HasSubstr("sleep"));
  EXPECT_EQ(record->name(), "waiter");
  EXPECT_EQ(record->context().task, record);
}

// A destructor may cancel a scope, which looks for what the task waits for.
TEST_F(TaskRecordTest, WhileItsCoroutinesAreDestroyedItWaitsForNothing) {
  int looked = 0;
  struct Local {
    const TaskRecord& record;
    int& looked;
    ~Local() {
      EXPECT_EQ(record.waiting(), nullptr);
      EXPECT_THAT(record.Dump(), HasSubstr("waits for its turn to run"));
      ++looked;
    }
  };
  auto inner = [&]() -> Task<absl::Status> {
    Local local{*(co_await CurrentContext()).task, looked};
    co_await Try(Sleep(absl::ZeroDuration()));
    absl::Status failure = absl::CancelledError("on purpose");
    co_return failure;
  };
  auto middle = [&]() -> Task<absl::Status> {
    Local local{*(co_await CurrentContext()).task, looked};
    co_await Try(inner());
    co_return absl::OkStatus();
  };
  auto outer = [&]() -> Task<absl::Status> {
    co_await Try(middle());
    co_return absl::OkStatus();
  };
  Start(outer());
  while (!scheduler().idle()) scheduler().Turn(MonotonicTime::Past());
  EXPECT_EQ(looked, 2);
}

// --- Names. ---

TEST_F(TaskRecordTest, ANameThatIsMadeAtRunTimeIsCopied) {
  for (int i : {1, 2}) {
    std::string name = "a connection whose name is longer than short strings are: " + std::to_string(i);
    Start(Innermost(), name);
    name.assign(name.size(), 'x');
  }
  EXPECT_THAT(scheduler().Dump(), HasSubstr("task a connection whose name is longer than short strings are: 1\n"));
  EXPECT_THAT(scheduler().Dump(), HasSubstr("task a connection whose name is longer than short strings are: 2\n"));
}

TEST_F(TaskRecordTest, ACoroutineCanAskForTheNameOfItsTaskWithoutSuspending) {
  std::string main, child;
  auto inner = [](std::string& name) -> Task<absl::Status> {
    name = co_await CurrentTaskName();
    co_return absl::OkStatus();
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    std::string name = "child 1";
    group.Spawn(inner(child), {.name = name});
    co_return co_await inner(main);
  };
  absl::Status status = world_.Run(WithTaskGroup(body));
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(main, "main");
  EXPECT_EQ(child, "child 1");
}

static_assert(TaskName("literal").literal());

// --- When does a child first run? ---

class FirstRunTest : public BackendTest {
 protected:
  Task<absl::Status> Write(int number) {
    log_.push_back(number);
    co_return absl::OkStatus();
  }
  std::vector<int> log_;
};

TEST_P(FirstRunTest, ASpawnedChildNeverRunsInsideSpawnAndThoseOfOneParentBeginInOrder) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    for (int i = 1; i <= 5; ++i) {
      group.Spawn(Write(i));
      EXPECT_THAT(log_, IsEmpty());
    }
    log_.push_back(0);
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(log_, ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST_P(FirstRunTest, AnAwaitedChildRunsAtOnceBeforeWhatIsReady) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(Write(2));
    co_await Try(Write(1));
    EXPECT_THAT(log_, ElementsAre(1));
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(log_, ElementsAre(1, 2));
}

TEST_P(FirstRunTest, ASpawnedChildRunsBehindWhatIsReady) {
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    auto first = [&]() -> Task<absl::Status> {
      group.Spawn(Write(3));
      log_.push_back(1);
      co_return absl::OkStatus();
    };
    group.Spawn(first());
    group.Spawn(Write(2));
    co_await group.Join();
    co_return absl::OkStatus();
  };
  EXPECT_THAT(Run(WithTaskGroup(body)), IsOk());
  EXPECT_THAT(log_, ElementsAre(1, 2, 3));
}

TEST_P(FirstRunTest, ATaskAtTheRootDoesNotRunInsideSpawn) {
  auto nothing = []() -> Task<absl::Status> { co_return absl::OkStatus(); };
  scheduler().Spawn(Write(1), "one");
  scheduler().Spawn(Write(2), std::string("two"));
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_THAT(Run(nothing()), IsOk());
  EXPECT_THAT(log_, ElementsAre(1, 2));
}

INSTANTIATE_ON_EVERY_BACKEND(FirstRunTest);

}  // namespace
}  // namespace proactor
