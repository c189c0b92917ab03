// SPDX-License-Identifier: Apache-2.0
#include "proactor/timer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace proactor {

void PrintTo(const MonotonicTime& time, std::ostream* out) { *out << time.nanoseconds << " ns"; }

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr MonotonicTime At(int64_t nanoseconds) { return {nanoseconds}; }

class Alarm final : public Timer {
 public:
  explicit Alarm(std::function<void()> on_fire = [] {}) : on_fire_(std::move(on_fire)) {}
  void Fire() override {
    ++fired;
    on_fire_();
  }
  int fired = 0;

 private:
  std::function<void()> on_fire_;
};

// Writes its name into a log when it fires.
class Named final : public Timer {
 public:
  Named(std::vector<std::string>& log, std::string name) : log_(log), name_(std::move(name)) {}
  void Fire() override { log_.push_back(name_); }

 private:
  std::vector<std::string>& log_;
  const std::string name_;
};

// One nanosecond to 146 years.
std::vector<int64_t> Magnitudes() {
  std::vector<int64_t> magnitudes;
  for (int bit = 0; bit < 63; ++bit) {
    for (int64_t nearby : {-1, 0, 1}) {
      int64_t magnitude = (int64_t{1} << bit) + nearby;
      if (magnitude > 0) magnitudes.push_back(magnitude);
    }
  }
  return magnitudes;
}

TEST(TimerWheelTest, NeverFiresEarly) {
  for (int64_t begin : {int64_t{0}, int64_t{1}, int64_t{63}, int64_t{1'000'000'007}, int64_t{1} << 50}) {
    for (int64_t magnitude : Magnitudes()) {
      TimerWheel wheel(At(begin));
      Alarm alarm;
      wheel.Start(alarm, At(begin) + absl::Nanoseconds(magnitude));
      const int64_t deadline = alarm.deadline({}).nanoseconds;
      wheel.Advance(At(begin + magnitude / 2));
      wheel.Advance(At(deadline - 1));
      ASSERT_EQ(alarm.fired, 0) << magnitude << " ns after " << begin;
      ASSERT_TRUE(alarm.active());
      wheel.Advance(At(deadline));
      ASSERT_EQ(alarm.fired, 1) << magnitude << " ns after " << begin;
      ASSERT_FALSE(alarm.active());
    }
  }
}

TEST(TimerWheelTest, FiresOnce) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.Start(alarm, At(10));
  EXPECT_EQ(wheel.Advance(At(10)), 1);
  EXPECT_EQ(wheel.Advance(At(10)), 0);
  EXPECT_EQ(wheel.Advance(At(1'000'000)), 0);
  EXPECT_EQ(alarm.fired, 1);
}

TEST(TimerWheelTest, FiresInTheOrderOfDeadlines) {
  std::vector<std::string> log;
  TimerWheel wheel(At(0));
  Named year(log, "year"), second(log, "second"), later_second(log, "later second"), nanosecond(log, "nanosecond");
  wheel.Start(year, At(31'557'600'000'000'000));
  wheel.Start(later_second, At(1'000'000'001));
  wheel.Start(second, At(1'000'000'000));
  wheel.Start(nanosecond, At(1));
  EXPECT_EQ(wheel.Advance(At(31'557'600'000'000'000)), 4);
  EXPECT_THAT(log, ElementsAre("nanosecond", "second", "later second", "year"));
}

TEST(TimerWheelTest, FiresEqualDeadlinesInTheOrderOfStarting) {
  std::vector<std::string> log;
  TimerWheel wheel(At(0));
  Named first(log, "first"), second(log, "second"), third(log, "third");
  wheel.Start(first, At(1'000'000));
  wheel.Advance(At(999'000));  // The others begin in a lower level.
  wheel.Start(second, At(1'000'000));
  wheel.Advance(At(999'999));
  wheel.Start(third, At(1'000'000));
  wheel.Advance(At(1'000'000));
  EXPECT_THAT(log, ElementsAre("first", "second", "third"));
}

TEST(TimerWheelTest, FiresADeadlineThatHasPassedAtTheNextAdvance) {
  TimerWheel wheel(At(100));
  for (MonotonicTime deadline : {At(100), At(99), At(0), At(-5), MonotonicTime::Past()}) {
    Alarm alarm;
    wheel.Start(alarm, deadline);
    EXPECT_EQ(alarm.fired, 0);
    EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Past());
    EXPECT_EQ(wheel.Advance(At(100)), 1);
    EXPECT_EQ(alarm.fired, 1) << deadline.nanoseconds;
  }
}

TEST(TimerWheelTest, InfiniteOutlastsEverything) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.Start(alarm, MonotonicTime::Infinite());
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Infinite());
  wheel.Advance(At(int64_t{1} << 62));
  wheel.Advance(At(MonotonicTime::Infinite().nanoseconds - 1));
  EXPECT_EQ(alarm.fired, 0);
  EXPECT_TRUE(alarm.active());
}

TEST(TimerWheelTest, NextDeadlineOfNoTimerIsInfinite) {
  TimerWheel wheel(At(7));
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Infinite());
  {
    Alarm alarm;
    wheel.Start(alarm, At(8));
    EXPECT_EQ(wheel.NextDeadline(), At(8));
  }
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Infinite());
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheelTest, NextDeadlineIsExactForUpToSixteenTimersInTheFirstSlot) {
  for (int64_t magnitude : Magnitudes()) {
    // One slot of the level that `magnitude` is in.
    int shift = 0;
    while (shift < 60 && magnitude >> shift >= 64) shift += 6;
    const int64_t base = magnitude >> shift << shift;
    const int64_t room = shift == 0 ? 0 : (int64_t{1} << shift) - 1;
    TimerWheel wheel(At(0));
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 16; i > 0; --i) {
      alarms.push_back(std::make_unique<Alarm>());
      wheel.Start(*alarms.back(), At(base + room / 16 * i));
    }
    for (int i = 0; i < 20; ++i) {
      alarms.push_back(std::make_unique<Alarm>());
      wheel.Start(*alarms.back(), MonotonicTime::Infinite());
    }
    int64_t earliest = base + room / 16;
    ASSERT_EQ(wheel.NextDeadline(), At(earliest)) << magnitude;
  }
}

// A walk through thousands would cost each turn more than a wake-up in between.
TEST(TimerWheelTest, NextDeadlineOfACrowdedSlotIsTheSlotsBeginning) {
  TimerWheel wheel(At(0));
  std::vector<std::unique_ptr<Alarm>> alarms;
  // In one slot of 4096 ns; the earliest comes last.
  for (int i = 17; i > 0; --i) {
    alarms.push_back(std::make_unique<Alarm>());
    wheel.Start(*alarms.back(), At(8192 + i));
  }
  EXPECT_EQ(wheel.NextDeadline(), At(8192));
  EXPECT_EQ(wheel.Advance(At(8192)), 0);
  EXPECT_EQ(wheel.NextDeadline(), At(8193));
}

TEST(TimerWheelTest, NextDeadlineOfACrowdedSlotReachesTheTimersInTwelveSteps) {
  for (int64_t magnitude : Magnitudes()) {
    TimerWheel wheel(At(0));
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 0; i < 100; ++i) {
      alarms.push_back(std::make_unique<Alarm>());
      wheel.Start(*alarms.back(), At(magnitude));
    }
    MonotonicTime now = At(0);
    int steps = 0;
    while (wheel.size() == 100 && steps < 100) {
      MonotonicTime next = wheel.NextDeadline();
      ASSERT_LE(next, At(magnitude));
      ASSERT_GT(next, now) << "The wheel turns without getting on.";
      now = next;
      wheel.Advance(now);
      ++steps;
    }
    ASSERT_LE(steps, 12) << magnitude;
    ASSERT_EQ(now, At(magnitude));
    ASSERT_TRUE(wheel.empty());
  }
}

TEST(TimerWheelTest, AStoppedTimerDoesNotFire) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.Start(alarm, At(1'000));
  alarm.Stop();
  EXPECT_FALSE(alarm.active());
  EXPECT_TRUE(wheel.empty());
  alarm.Stop();
  EXPECT_EQ(wheel.size(), 0) << "Stopped twice, counted twice.";
  EXPECT_EQ(wheel.Advance(At(10'000)), 0);
  EXPECT_EQ(alarm.fired, 0);
}

TEST(TimerWheelTest, StartMovesAnActiveTimer) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.Start(alarm, At(1'000));
  wheel.Start(alarm, At(1'000'000));
  EXPECT_EQ(wheel.size(), 1);
  EXPECT_EQ(alarm.deadline({}), At(1'000'000));
  wheel.Advance(At(999'999));
  EXPECT_EQ(alarm.fired, 0);
  wheel.Start(alarm, At(1'000'001));
  wheel.Advance(At(1'000'000));
  EXPECT_EQ(alarm.fired, 0);
  wheel.Advance(At(1'000'001));
  EXPECT_EQ(alarm.fired, 1);
}

// What a connection with a timeout does for each message.
TEST(TimerWheelTest, PuttingATimerOffMakesItNeitherEarlyNorLate) {
  for (int64_t magnitude : Magnitudes()) {
    TimerWheel wheel(At(0));
    Alarm alarm;
    wheel.Start(alarm, At(magnitude));
    for (int i = 0; i < 10; ++i) wheel.Start(alarm, alarm.deadline({}) + absl::Nanoseconds(magnitude));
    const int64_t deadline = alarm.deadline({}).nanoseconds;
    wheel.Advance(At(magnitude / 2));
    ASSERT_EQ(wheel.NextDeadline(), At(deadline)) << magnitude;
    wheel.Advance(At(magnitude));
    ASSERT_EQ(wheel.NextDeadline(), At(deadline)) << magnitude;
    wheel.Advance(At(deadline - 1));
    ASSERT_EQ(alarm.fired, 0) << magnitude;
    wheel.Advance(At(deadline));
    ASSERT_EQ(alarm.fired, 1) << magnitude;
  }
}

TEST(TimerWheelTest, ATimerThatIsPutOffDoesNotHideALaterOne) {
  TimerWheel wheel(At(0));
  Alarm put_off, other;
  wheel.Start(put_off, At(10));
  wheel.Start(other, At(1'000));
  wheel.Start(put_off, At(1'000'000));
  EXPECT_EQ(wheel.NextDeadline(), At(1'000));
  EXPECT_EQ(wheel.Advance(At(999)), 0);
  EXPECT_EQ(wheel.Advance(At(1'000)), 1);
  EXPECT_EQ(other.fired, 1);
  EXPECT_EQ(wheel.NextDeadline(), At(1'000'000));
}

TEST(TimerWheelTest, ATimerThatIsPutOffForEverNeverFires) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.Start(alarm, At(10));
  wheel.Start(alarm, MonotonicTime::Infinite());
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Infinite());
  EXPECT_EQ(wheel.Advance(At(MonotonicTime::Infinite().nanoseconds - 1)), 0);
  EXPECT_TRUE(alarm.active());
}

TEST(TimerWheelTest, FireMayPutOffAnotherTimerThatIsDueToo) {
  TimerWheel wheel(At(0));
  Alarm later, late;
  Alarm first([&] {
    wheel.Start(later, At(30));
    wheel.Start(late, At(15));  // Has passed, so that it is for the next call.
  });
  wheel.Start(first, At(10));
  wheel.Start(later, At(11));
  wheel.Start(late, At(12));
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_EQ(late.fired, 1);
  EXPECT_EQ(wheel.NextDeadline(), At(30));
  EXPECT_EQ(wheel.Advance(At(30)), 1);
}

// It stays where it is: what is put off is still in the slot that it was started in, which is crowded.
TEST(TimerWheelTest, PuttingOffMovesNothingUntilTheOldDeadline) {
  TimerWheel wheel(At(0));
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (int i = 0; i < 1'000; ++i) {
    alarms.push_back(std::make_unique<Alarm>());
    wheel.Start(*alarms.back(), At(8192 + i));
  }
  for (int round = 1; round <= 100; ++round) {
    for (auto& alarm : alarms) wheel.Start(*alarm, alarm->deadline({}) + absl::Seconds(1));
  }
  EXPECT_EQ(wheel.NextDeadline(), At(8192));
  EXPECT_EQ(wheel.size(), 1'000);
  EXPECT_EQ(wheel.Advance(At(8192)), 0);
  EXPECT_GT(wheel.NextDeadline(), At(60'000'000'000)) << "They have found their places.";
  EXPECT_EQ(wheel.Advance(At(100'000'008'191)), 0);
  EXPECT_EQ(wheel.Advance(At(100'000'010'000)), 1'000);
}

TEST(TimerWheelTest, MovesATimerFromAnotherWheel) {
  TimerWheel first(At(0)), second(At(0));
  Alarm alarm;
  first.Start(alarm, At(10));
  second.Start(alarm, At(20));
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(second.size(), 1);
  EXPECT_EQ(first.Advance(At(100)), 0);
  EXPECT_EQ(second.Advance(At(100)), 1);
}

TEST(TimerWheelTest, ADestroyedTimerLeavesItsWheel) {
  TimerWheel wheel(At(0));
  auto alarm = std::make_unique<Alarm>();
  wheel.Start(*alarm, At(10));
  alarm.reset();
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.Advance(At(100)), 0);
}

TEST(TimerWheelTest, ATimerOutlivesItsWheel) {
  Alarm waiting, due;
  {
    TimerWheel wheel(At(100));
    wheel.Start(waiting, At(1'000));
    wheel.Start(due, At(1));
  }
  EXPECT_FALSE(waiting.active());
  EXPECT_FALSE(due.active());
  waiting.Stop();
}

TEST(TimerWheelTest, FireMayStartTheTimerAgain) {
  TimerWheel wheel(At(0));
  Alarm every_ten([&] { wheel.Start(every_ten, every_ten.deadline({}) + absl::Nanoseconds(10)); });
  wheel.Start(every_ten, At(10));
  EXPECT_EQ(wheel.Advance(At(10)), 1);
  EXPECT_EQ(wheel.NextDeadline(), At(20));
  EXPECT_EQ(wheel.Advance(At(19)), 0);
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_EQ(every_ten.fired, 2);
}

TEST(TimerWheelTest, ATimerThatStartsItselfAtOnceDoesNotKeepAdvanceGoing) {
  TimerWheel wheel(At(0));
  Alarm restless([&] { wheel.Start(restless, MonotonicTime::Past()); });
  wheel.Start(restless, At(5));
  EXPECT_EQ(wheel.Advance(At(5)), 1);
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Past());
  EXPECT_EQ(wheel.Advance(At(5)), 1);
  EXPECT_EQ(restless.fired, 2);
}

TEST(TimerWheelTest, FireMayStopAnotherTimerThatIsDueToo) {
  TimerWheel wheel(At(0));
  Alarm victim;
  Alarm killer([&] { victim.Stop(); });
  wheel.Start(killer, At(10));
  wheel.Start(victim, At(11));
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_EQ(victim.fired, 0);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheelTest, FireMayMoveAnotherTimerThatIsDueToo) {
  TimerWheel wheel(At(0));
  Alarm moved;
  Alarm mover([&] { wheel.Start(moved, At(30)); });
  wheel.Start(mover, At(10));
  wheel.Start(moved, At(11));
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_EQ(moved.fired, 0);
  EXPECT_EQ(wheel.NextDeadline(), At(30));
  EXPECT_EQ(wheel.Advance(At(30)), 1);
  EXPECT_EQ(moved.fired, 1);
}

TEST(TimerWheelTest, FireMayDestroyItsTimer) {
  TimerWheel wheel(At(0));
  int fired = 0;
  std::unique_ptr<Alarm> alarm;
  alarm = std::make_unique<Alarm>([&] {
    ++fired;
    alarm.reset();
  });
  wheel.Start(*alarm, At(10));
  EXPECT_EQ(wheel.Advance(At(10)), 1);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(alarm, nullptr);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheelTest, FireMayDestroyAnotherTimerThatIsDueToo) {
  TimerWheel wheel(At(0));
  auto victim = std::make_unique<Alarm>();
  Alarm killer([&] { victim.reset(); });
  wheel.Start(killer, At(10));
  wheel.Start(*victim, At(10));
  EXPECT_EQ(wheel.Advance(At(20)), 1);
  EXPECT_TRUE(wheel.empty());
}

TEST(TimerWheelTest, SkippingAheadWithoutTimersLosesNone) {
  TimerWheel wheel(At(0));
  EXPECT_EQ(wheel.Advance(At(int64_t{1} << 40)), 0);
  Alarm alarm;
  wheel.Start(alarm, At((int64_t{1} << 40) + 1));
  EXPECT_EQ(wheel.NextDeadline(), At((int64_t{1} << 40) + 1));
  EXPECT_EQ(wheel.Advance(At((int64_t{1} << 40) + 1)), 1);
}

TEST(TimerWheelTest, ADurationBeginsWithTheNextAdvance) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.StartAfter(alarm, absl::Nanoseconds(10));
  EXPECT_TRUE(alarm.active());
  EXPECT_EQ(wheel.size(), 1);
  EXPECT_EQ(alarm.deadline(At(90)), At(100)) << "if it began now";
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Past()) << "nobody may sleep before it has begun";
  EXPECT_EQ(wheel.Advance(At(1'000)), 0);
  EXPECT_EQ(alarm.deadline(At(90)), At(1'010));
  EXPECT_EQ(wheel.NextDeadline(), At(1'010));
  EXPECT_EQ(wheel.Advance(At(1'009)), 0);
  EXPECT_EQ(wheel.Advance(At(1'010)), 1);
}

TEST(TimerWheelTest, ADurationStoppedBeforeItBeginsIsGone) {
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.StartAfter(alarm, absl::Nanoseconds(10));
  alarm.Stop();
  EXPECT_TRUE(wheel.empty());
  EXPECT_EQ(wheel.NextDeadline(), MonotonicTime::Infinite());
  wheel.StartAfter(alarm, absl::Nanoseconds(10));
  wheel.Start(alarm, At(5));
  EXPECT_EQ(wheel.NextDeadline(), At(5)) << "the later start counts";
  wheel.StartAfter(alarm, absl::Nanoseconds(20));
  EXPECT_EQ(wheel.Advance(At(5)), 0) << "the later start counts";
  EXPECT_EQ(wheel.NextDeadline(), At(25));
}

TEST(TimerWheelTest, ADurationOfNothingIsOverAtOnceAndAnInfiniteOneNever) {
  for (absl::Duration nothing : {absl::ZeroDuration(), absl::Seconds(-1), -absl::InfiniteDuration()}) {
    TimerWheel wheel(At(0));
    Alarm alarm;
    wheel.StartAfter(alarm, nothing);
    EXPECT_EQ(wheel.Advance(At(7)), 1);
  }
  TimerWheel wheel(At(0));
  Alarm alarm;
  wheel.StartAfter(alarm, absl::InfiniteDuration());
  EXPECT_EQ(wheel.Advance(At(int64_t{1} << 62)), 0);
  EXPECT_EQ(alarm.deadline({}), MonotonicTime::Infinite());
}

// A wheel beside the obvious implementation: everything that one does, the other does.
class ModelCheck {
 public:
  explicit ModelCheck(uint64_t seed) : crowded_(seed % 2 == 0), random_(seed), now_(At(Magnitude(60))), wheel_(now_) {
    for (int i = 0; i < kTimers; ++i) Renew(i);
  }

  void Run(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      switch (Below(7)) {
        case 6:
          Begin(Below(kTimers));
          break;
        case 5:
          PutOff(Below(kTimers));
          break;
        case 0:
        case 1:
          Start(Below(kTimers));
          break;
        case 2:
          Stop(Below(kTimers));
          break;
        case 3:
          // Not so far that the end of time is reached soon, where everything is due.
          Advance(now_ + absl::Nanoseconds(Magnitude(50)));
          break;
        case 4:
          if (wheel_.NextDeadline() < MonotonicTime::Infinite()) Advance(std::max(now_, wheel_.NextDeadline()));
          break;
      }
      CheckNextDeadline();
    }
  }

  int64_t fired() const { return fired_; }

 private:
  static constexpr int kTimers = 40;

  // When a timer is due: deadlines that have passed already are all due now.
  using Model = std::multimap<MonotonicTime, int>;

  class Checked final : public Timer {
   public:
    Checked(ModelCheck& check, int number) : check_(check), number_(number) {}
    void Fire() override { check_.Fired(number_); }

   private:
    ModelCheck& check_;
    const int number_;
  };

  int Below(int limit) { return static_cast<int>(random_() % limit); }
  // As often a few nanoseconds as many years; but every other wheel is crowded.
  int64_t Magnitude(int bits = 62) {
    if (crowded_) return static_cast<int64_t>(random_() % 10'000);
    return static_cast<int64_t>(random_() >> (64 - bits) >> Below(bits));
  }

  void Start(int number) {
    MonotonicTime deadline = Below(20) == 0   ? MonotonicTime::Infinite()
                             : Below(20) == 0 ? At(now_.nanoseconds - Magnitude())
                                              : now_ + absl::Nanoseconds(Magnitude());
    // Some at the very same time as another.
    if (!model_.empty() && Below(4) == 0) deadline = model_.begin()->first;
    StartAt(number, deadline);
  }

  // With a duration that begins with the next `Advance`.
  void Begin(int number) {
    Forget(number);
    moved_[number] = false;
    beginning_.emplace_back(Below(20) == 0 ? 0 : Magnitude(), number);
    wheel_.StartAfter(*timers_[number], absl::Nanoseconds(beginning_.back().first));
    ASSERT_TRUE(timers_[number]->active());
  }

  // To a later deadline, if it is active and has one, and it may be that it has passed too.
  void PutOff(int number) {
    auto is_it = [&](auto& one) { return one.second == number; };
    if (!timers_[number]->active() || std::any_of(beginning_.begin(), beginning_.end(), is_it)) return;
    StartAt(number, timers_[number]->deadline({}) + absl::Nanoseconds(Magnitude(50)));
  }

  void StartAt(int number, MonotonicTime deadline) {
    moved_[number] = timers_[number]->active() && deadline >= timers_[number]->deadline({});
    Forget(number);
    model_.emplace(std::max(deadline, now_), number);
    wheel_.Start(*timers_[number], deadline);
    ASSERT_EQ(timers_[number]->deadline({}), std::max(deadline, At(0)));
    ASSERT_TRUE(timers_[number]->active());
  }

  void Stop(int number) {
    Forget(number);
    timers_[number]->Stop();
    ASSERT_FALSE(timers_[number]->active());
  }

  void Renew(int number) {
    Forget(number);
    timers_[number] = std::make_unique<Checked>(*this, number);
  }

  void Forget(int number) {
    auto is_it = [&](auto& one) { return one.second == number; };
    for (Model* model : {&model_, &firing_}) std::erase_if(*model, is_it);
    std::erase_if(beginning_, is_it);
  }

  void Advance(MonotonicTime now) {
    now_ = now;
    for (auto [duration, number] : beginning_) model_.emplace(now + absl::Nanoseconds(duration), number);
    beginning_.clear();
    firing_.clear();
    for (auto due = model_.begin(); due != model_.end() && due->first <= now;) {
      firing_.insert(firing_.end(), *due);
      due = model_.erase(due);
    }
    int64_t before = fired_;
    int fired = wheel_.Advance(now);
    ASSERT_EQ(fired, fired_ - before);
    ASSERT_THAT(firing_, IsEmpty()) << "A timer that is due did not fire.";
  }

  void Fired(int number) {
    ++fired_;
    ASSERT_FALSE(timers_[number]->active());
    ASSERT_LE(timers_[number]->deadline({}), now_) << "Early.";
    ASSERT_FALSE(firing_.empty()) << "Fired what was stopped, or not due.";
    auto next = firing_.begin();
    // Those that were moved to a later time have no place among equals.
    while (next->second != number && (moved_[number] || moved_[next->second])) {
      ASSERT_NE(++next, firing_.end()) << "Fired what was stopped, or not due.";
    }
    ASSERT_EQ(next->second, number) << "Out of order.";
    ASSERT_EQ(next->first, firing_.begin()->first) << "Out of order.";
    firing_.erase(next);
    // What a Fire may do.
    switch (Below(9)) {
      case 5:
        PutOff(Below(kTimers));
        break;
      case 0:
        Start(number);
        break;
      case 1:
        Start(Below(kTimers));
        break;
      case 2:
        Stop(Below(kTimers));
        break;
      case 3:
        Renew(number);
        break;
      case 4:
        Renew(Below(kTimers));
        break;
      case 6:
        Begin(Below(kTimers));
        break;
    }
  }

  void CheckNextDeadline() {
    ASSERT_EQ(wheel_.size(), static_cast<int64_t>(model_.size() + beginning_.size()));
    ASSERT_EQ(wheel_.empty(), model_.empty() && beginning_.empty());
    MonotonicTime next = wheel_.NextDeadline();
    if (!beginning_.empty()) {
      ASSERT_EQ(next, MonotonicTime::Past());
      return;
    }
    if (model_.empty()) {
      ASSERT_EQ(next, MonotonicTime::Infinite());
      return;
    }
    MonotonicTime earliest = model_.begin()->first;
    ASSERT_LE(next, earliest) << "The scheduler would oversleep.";
    if (earliest == now_) {
      ASSERT_LE(next, now_);
    } else {
      ASSERT_GT(next, now_) << "The scheduler would spin.";
      // There are no more in the first slot than there are in all; one that was moved may be looked at twice.
      if (model_.size() <= 8) {
        ASSERT_EQ(next, earliest);
      }
    }
  }

  const bool crowded_;
  std::mt19937_64 random_;
  MonotonicTime now_;
  TimerWheel wheel_;
  Model model_;
  Model firing_;
  std::vector<std::pair<int64_t, int>> beginning_;
  std::unique_ptr<Checked> timers_[kTimers];
  bool moved_[kTimers] = {};
  int64_t fired_ = 0;
};

TEST(TimerWheelTest, DoesWhatASortedListWouldDo) {
  int64_t fired = 0;
  for (uint64_t seed = 0; seed < 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    ModelCheck check(seed);
    check.Run(300);
    fired += check.fired();
  }
  EXPECT_GT(fired, 10'000) << "Hardly anything was checked.";
}

}  // namespace
}  // namespace proactor
