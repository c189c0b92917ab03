// SPDX-License-Identifier: Apache-2.0
#include "proactor/thread_mark.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"

namespace proactor {
namespace {

constexpr char kWhat[] = "A spoon";
constexpr char kInstead[] = "wash it first";

// What `question` says in a child.
template <class Question>
bool InChild(Question question) {
  pid_t child = fork();
  if (child == 0) _exit(question() ? 1 : 0);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status) == 1;
}

TEST(ThreadMarkTest, BelongsToNoThreadAtFirst) {
  ThreadMark mark;
  EXPECT_FALSE(mark.bound());
  EXPECT_FALSE(mark.IsThisThread());
  EXPECT_TRUE(mark.IsThisProcess());
  mark.Check(kWhat, kInstead);
  std::thread([&] { mark.Check(kWhat, kInstead); }).join();
}

TEST(ThreadMarkTest, BelongsToTheThreadThatItIsBoundTo) {
  ThreadMark mark;
  mark.Bind();
  EXPECT_TRUE(mark.bound());
  EXPECT_TRUE(mark.IsThisThread());
  mark.Check(kWhat, kInstead);
  bool there = true;
  std::thread([&] { there = mark.IsThisThread(); }).join();
  EXPECT_FALSE(there);
}

// The stack of a thread that has ended, and with it the addresses of all that is the thread's, is the next one's.
TEST(ThreadMarkTest, ALaterThreadIsAnother) {
  ThreadMark mark;
  std::thread([&] { mark.Bind(); }).join();
  for (int i = 0; i < 10; ++i) {
    bool there = true;
    std::thread([&] {
      ThreadMark().Bind();
      there = mark.IsThisThread();
    }).join();
    EXPECT_FALSE(there);
  }
}

TEST(ThreadMarkTest, NothingBelongsToAChild) {
  ThreadMark bound, unbound;
  bound.Bind();
  EXPECT_FALSE(InChild([&] { return bound.IsThisThread() || bound.IsThisProcess() || unbound.IsThisProcess(); }));
  EXPECT_FALSE(InChild([&] {
    unbound.Bind();
    return unbound.bound();
  })) << "nor can it be had";
  EXPECT_TRUE(bound.IsThisThread());
  EXPECT_TRUE(InChild([] {
    ThreadMark mark;
    mark.Bind();
    return mark.IsThisThread() && mark.IsThisProcess();
  })) << "but what is new";
}

TEST(ThreadMarkTest, AChildOfAChildIsAnotherProcess) {
  EXPECT_TRUE(InChild([] {
    ThreadMark mark;
    mark.Bind();
    return !InChild([&] { return mark.IsThisThread() || mark.IsThisProcess(); });
  }));
}

TEST(ThreadMarkTest, WhatHasNothingOfTheKernelGoesOnInAChild) {
  ThreadMark bound, unbound;
  for (ThreadMark* mark : {&bound, &unbound}) mark->GoOnInChildren();
  bound.Bind();
  EXPECT_TRUE(InChild([&] {
    bound.Check(kWhat, kInstead);
    unbound.CheckProcess(kWhat);
    return bound.IsThisThread() && unbound.IsThisProcess() && !unbound.bound();
  }));
}

TEST(ThreadMarkDeathTest, AnotherThreadIsToldWhatToDo) {
  auto misuse = [] {
    ThreadMark mark;
    mark.Bind();
    std::thread([&] {
      pthread_setname_np(pthread_self(), "stranger");
      mark.CheckProcess(kWhat);
      mark.Check(kWhat, kInstead);
    }).join();
  };
  EXPECT_DEATH(misuse(),
               "A spoon was used from the thread \"stranger\" .[0-9]+., but runs on \"thread_mark_tes\" .[0-9]+.: "
               "wash it first\\.");
}

TEST(ThreadMarkDeathTest, AChildIsToldWhatToDo) {
  ThreadMark mark;
  mark.Bind();
  constexpr char kSentence[] =
      "A spoon was used in a child after fork.2. .[0-9]+., but belongs to its parent .[0-9]+., with which it would "
      "share a ring or an epoll: make another one in the child, and leave the child with _exit or execve";
  EXPECT_DEATH(mark.Check(kWhat, kInstead), kSentence);
  EXPECT_DEATH(mark.CheckProcess(kWhat), kSentence);
}

}  // namespace
}  // namespace proactor
