// SPDX-License-Identifier: Apache-2.0

// A timer is stopped and started anew, with a random deadline, among many that are live.

#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "proactor/monotonic_time.h"
#include "proactor/timer.h"
#include "tests/benchmark/micro_cases.h"

namespace proactor::benchmark {
namespace {

// Which timer, and how far in the future its new deadline is: within ten seconds, as timeouts are. Drawn in advance:
// neither the wheel nor its yardstick is to pay for the dice.
struct Draw {
  size_t timer;
  int64_t delay;
};

class Draws {
 public:
  explicit Draws(size_t timers) {
    std::minstd_rand random(1);
    for (Draw& draw : draws_) {
      draw = {random() % timers, static_cast<int64_t>(random()) * 5 + 1};
    }
  }
  const Draw& Next() { return draws_[next_++ % draws_.size()]; }

 private:
  size_t next_ = 0;
  std::vector<Draw> draws_ = std::vector<Draw>(1 << 16);
};

struct Alarm final : Timer {
  void Fire() override {}
};

class Wheel {
 public:
  explicit Wheel(size_t live) : draws_(live), alarms_(live) {
    for (Alarm& alarm : alarms_) wheel_.Start(alarm, {kNow.nanoseconds + draws_.Next().delay});
  }
  void Move() {
    const Draw& draw = draws_.Next();
    Alarm& alarm = alarms_[draw.timer];
    alarm.Stop();
    wheel_.Start(alarm, {kNow.nanoseconds + draw.delay});
  }

 private:
  static constexpr MonotonicTime kNow = {1'000'000'000'000};
  Draws draws_;
  TimerWheel wheel_{kNow};
  std::vector<Alarm> alarms_;
};

class Map {
 public:
  explicit Map(size_t live) : draws_(live), alarms_(live) {
    for (auto& alarm : alarms_) alarm = map_.emplace(draws_.Next().delay, nullptr);
  }
  void Move() {
    const Draw& draw = draws_.Next();
    map_.erase(alarms_[draw.timer]);
    alarms_[draw.timer] = map_.emplace(draw.delay, nullptr);
  }

 private:
  Draws draws_;
  std::multimap<int64_t, void*> map_;
  std::vector<std::multimap<int64_t, void*>::iterator> alarms_;
};

template <class Timers>
std::function<void(int64_t times)> Moves(size_t live) {
  return [timers = std::make_shared<Timers>(live)](int64_t times) {
    for (int64_t i = 0; i < times; ++i) timers->Move();
  };
}

MicroCase TimerCase(std::string name, size_t live, double bar) {
  return {.name = std::move(name), .subject = Moves<Wheel>(live), .yardstick = Moves<Map>(live), .bar = AtMost(bar)};
}

}  // namespace

std::vector<MicroCase> TimerCases() {
  return {TimerCase("timer insert, cancel / multimap, 1 k live", 1'000, .25),
          TimerCase("timer insert, cancel / multimap, 100 k live", 100'000, .1)};
}

}  // namespace proactor::benchmark
