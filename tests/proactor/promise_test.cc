// SPDX-License-Identifier: Apache-2.0
#include "proactor/promise.h"

#include <coroutine>
#include <future>
#include <source_location>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proactor/operation/operation.h"
#include "proactor/sleep.h"
#include "proactor/task.h"
#include "proactor/task_group.h"
#include "proactor/testing/simulated_world.h"
#include "proactor/testing/status_matchers.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace elsewhere {

// Yields what the library knows of the coroutine that awaits it. Awaitable because it has a MakeAwaiter.
template <class Knows>
struct Ask {
  struct Awaiter {
    proactor::PromiseBase& promise;
    Knows knows;
    bool await_ready() const { return true; }
    void await_suspend(std::coroutine_handle<>) const {}
    auto await_resume() const { return knows(promise); }
  };
  template <bool kTry>
  Awaiter MakeAwaiter(proactor::PromiseBase& promise, const proactor::Context&) && {
    return {promise, knows};
  }
  Knows knows;
};

auto Name() {
  return Ask{[](proactor::PromiseBase& promise) { return proactor::DescribeCoroutine(promise); }};
}

proactor::Task<std::string> Free() { co_return co_await Name(); }

struct Class {
  proactor::Task<std::string> Member(int) const { co_return co_await Name(); }
  static proactor::Task<std::string> Static() { co_return co_await Name(); }
  proactor::Task<std::string> operator()() { co_return co_await Name(); }
};

template <class T>
struct ClassTemplate {
  proactor::Task<std::string> Member(T) { co_return co_await Name(); }
};

template <class T>
proactor::Task<std::string> Template(T) {
  co_return co_await Name();
}

proactor::Task<absl::StatusOr<std::string>> ResultWithArguments(absl::StatusOr<std::string>) {
  co_return co_await Name();
}

}  // namespace elsewhere

namespace {

proactor::Task<std::string> InAnonymousNamespace() { co_return co_await elsewhere::Name(); }

}  // namespace

namespace proactor {
namespace {

using ::elsewhere::Ask;
using ::elsewhere::Name;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// --- Names. ---

std::string NameOf(Task<std::string> task) {
  SimulatedWorld world;
  return world.Run(std::move(task));
}

TEST(DescribeCoroutineTest, NamesFunctionsOfAllKinds) {
  EXPECT_THAT(NameOf(elsewhere::Free()), MatchesRegex("elsewhere::Free \\(promise_test.cc:[0-9]+\\)"));
  EXPECT_THAT(NameOf(elsewhere::Class::Static()),
              MatchesRegex("elsewhere::Class::Static \\(promise_test.cc:[0-9]+\\)"));
  elsewhere::Class object;
  EXPECT_THAT(NameOf(object.Member(1)), MatchesRegex("elsewhere::Class::Member \\(promise_test.cc:[0-9]+\\)"));
  EXPECT_THAT(NameOf(object()), MatchesRegex("elsewhere::Class::operator\\(\\) \\(promise_test.cc:[0-9]+\\)"));
}

TEST(DescribeCoroutineTest, NamesTemplates) {
  EXPECT_THAT(NameOf(elsewhere::Template(std::pair<int, int>())),
              MatchesRegex("elsewhere::Template \\(promise_test.cc:[0-9]+\\)"));
  elsewhere::ClassTemplate<std::string> object;
  EXPECT_THAT(NameOf(object.Member("")),
              MatchesRegex("elsewhere::ClassTemplate<.*>::Member \\(promise_test.cc:[0-9]+\\)"));
}

TEST(DescribeCoroutineTest, IsNotConfusedByAnonymousNamespacesAndResultTypes) {
  EXPECT_THAT(NameOf(InAnonymousNamespace()), HasSubstr("InAnonymousNamespace (promise_test.cc:"));
  SimulatedWorld world;
  EXPECT_THAT(world.Run(elsewhere::ResultWithArguments("")),
              IsOkAndHolds(MatchesRegex("elsewhere::ResultWithArguments \\(promise_test.cc:[0-9]+\\)")));
}

TEST(DescribeCoroutineTest, ALambdaHasTheNameOfTheFunctionAroundIt) {
  auto lambda = []() -> Task<std::string> { co_return co_await Name(); };
  EXPECT_THAT(NameOf(lambda()), HasSubstr("ALambdaHasTheNameOfTheFunctionAroundIt"));
}

TEST(DescribeCoroutineTest, OneThatHasNotAwaitedYetIsWhereItIsWritten) {
  auto name = [](auto task) {
    PromiseBase& promise = std::move(task).Release();
    std::string name = DescribeCoroutine(promise);
    internal::DestroyFrames(promise);
    return name;
  };
  EXPECT_THAT(name(elsewhere::Free()), MatchesRegex("elsewhere::Free \\(promise_test.cc:[0-9]+\\)"));
  elsewhere::Class object;
  EXPECT_THAT(name(object.Member(1)), MatchesRegex("elsewhere::Class::Member \\(promise_test.cc:[0-9]+\\)"));
  EXPECT_THAT(name(elsewhere::Template(1)), MatchesRegex("elsewhere::Template \\(promise_test.cc:[0-9]+\\)"));
  uint32_t here = std::source_location::current().line();
  auto body = []() -> Task<int> { co_return 1; };
  EXPECT_THAT(name(body()), HasSubstr("OneThatHasNotAwaitedYetIsWhereItIsWritten"));
  EXPECT_THAT(name(body()), HasSubstr("promise_test.cc:" + std::to_string(here + 1)));
}

// --- Where it waits. ---

TEST(PromiseTest, KnowsTheLineOfTheLatestAwait) {
  SimulatedWorld world;
  auto line = [] { return Ask{[](PromiseBase& promise) { return promise.where().line(); }}; };
  auto body = [&]() -> Task<void> {
    uint32_t here = std::source_location::current().line();
    uint32_t first = co_await line();
    uint32_t second = co_await line();
    EXPECT_EQ(first, here + 1);
    EXPECT_GE(second, here + 2);
    EXPECT_LE(second, here + 3);
  };
  world.Run(body());
}

TEST(PromiseTest, AWaitingCoroutineKnowsForWhat) {
  SimulatedWorld world;
  PromiseBase* sleeper = nullptr;
  auto remember = [&] { return Ask{[&](PromiseBase& promise) { return sleeper = &promise; }}; };
  auto sleep = [&]() -> Task<absl::Status> {
    co_await remember();
    co_return co_await Sleep(absl::Seconds(1));
  };
  auto body = [&](TaskGroup& group) -> Task<absl::Status> {
    group.Spawn(sleep());
    co_await Try(Sleep(absl::ZeroDuration()));
    EXPECT_NE(sleeper->awaiting(), nullptr);
    EXPECT_EQ(sleeper->child(), nullptr);
    EXPECT_EQ(sleeper->parent(), nullptr) << "the outermost of its task";
    co_return absl::OkStatus();
  };
  EXPECT_THAT(world.Run(WithTaskGroup(body)), IsOk());
}

// --- The context. ---

TEST(CurrentContextTest, IsTheOneOfWhoeverAwaits) {
  SimulatedWorld world;
  auto child = []() -> Task<const Context*> {
    const Context& context = co_await CurrentContext();
    co_return &context;
  };
  auto body = [&]() -> Task<void> {
    const Context& own = co_await CurrentContext();
    const Context* childs = co_await child();
    EXPECT_EQ(childs, &own);
    CancelScope scope(own);
    const Context* scoped = co_await internal::InScope(scope, child());
    EXPECT_EQ(scoped, &scope.context());
    EXPECT_EQ(scoped->task, own.task);
    EXPECT_EQ(scoped->loop, own.loop);
  };
  world.Run(body());
}

TEST(CurrentContextTest, DoesNotSuspend) {
  SimulatedWorld world;
  auto body = [&]() -> Task<int64_t> {
    int64_t before = world.scheduler().counters().resumes.value();
    for (int i = 0; i < 1000; ++i) co_await CurrentContext();
    co_return world.scheduler().counters().resumes.value() - before;
  };
  EXPECT_EQ(world.Run(body()), 0);
}

// --- What can be awaited, and where: refused when compiled, not when run. ---

struct NoOp {
  static constexpr char kName[] = "nop";
  static constexpr Readiness kReadiness = Readiness::kBlocking;
  using Value = void;
  void Prepare(io_uring_sqe&) const {}
  int Perform(System&) const { return 0; }
  void ToValue(int) const {}
};

static_assert(internal::Awaitable<Task<int>>);
static_assert(internal::Awaitable<Operation<NoOp>>);
static_assert(internal::Awaitable<decltype(Sleep(absl::Seconds(1)))>);
static_assert(internal::Awaitable<decltype(Try(Sleep(absl::Seconds(1))))>);
static_assert(internal::Awaitable<decltype(CurrentContext())>);

// Awaitables of others know nothing of a context; whoever resumes them would do so behind the scheduler's back.
struct ForeignTask {
  struct promise_type {
    ForeignTask get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
  bool await_ready() const { return true; }
  void await_suspend(std::coroutine_handle<>) const {}
  void await_resume() const {}
};
static_assert(!internal::Awaitable<ForeignTask>);
static_assert(!internal::Awaitable<std::suspend_always>);
static_assert(!internal::Awaitable<std::suspend_never>);
static_assert(!internal::Awaitable<std::future<int>>);
static_assert(!internal::Awaitable<int>);

// And a foreign coroutine has no context to give: a Task is nothing that it could await.
template <class A>
concept AwaitableAnywhere = requires(A awaitable) {
  std::move(awaitable).await_ready();
}
|| requires(A awaitable) { std::move(awaitable).operator co_await(); }
|| requires(A awaitable) { operator co_await(std::move(awaitable)); };
static_assert(AwaitableAnywhere<ForeignTask>);
static_assert(!AwaitableAnywhere<Task<int>>);
static_assert(!AwaitableAnywhere<decltype(CurrentContext())>);

static_assert(!std::is_copy_constructible_v<PromiseBase>);
static_assert(!std::is_copy_constructible_v<Task<int>>);

}  // namespace
}  // namespace proactor
