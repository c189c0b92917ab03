// SPDX-License-Identifier: Apache-2.0
#include "tests/support/interleavings.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "proactor/log.h"
#include "tests/support/fiber.h"
#include "tests/support/model_atomic.h"

namespace proactor {
namespace internal {
namespace {

class Explorer {
 public:
  Explorer(ConcurrentProgram& program, const ExplorationOptions& options);
  ~Explorer();

  Exploration Explore();

  // For participants.
  bool Step(const Shared& object, const char* name, AccessKind kind, uint64_t expected);
  void Observe(uint64_t value, bool succeeded);
  void ForgetPast(uint64_t summary);
  void ForgetAttempts(uint64_t seen);
  void Fail(std::string_view why);

  static Explorer* current;

  std::vector<Shared*> objects;
  int running = -1;  // Who is on its fiber.
  bool over = false;
  std::array<std::array<uint8_t, kMostParticipants>, kMostParticipants> clocks;

 private:
  // What a participant has seen, as a number: that of the past before its last observation, and that observation.
  using Past = std::pair<uint64_t, uint64_t>;
  static constexpr uint64_t kAttempts = ~uint64_t{0};  // No observation: attempts that are forgotten.

  struct Participant {
    std::unique_ptr<Fiber> fiber;
    bool ended = false;
    uint64_t past = 0;
    uint64_t remembered = 0;  // Its past at the last ForgetPast.
    // The access whose turn it waits for.
    const Shared* object = nullptr;
    const char* name = nullptr;
    AccessKind kind = AccessKind::kPlain;
    uint64_t expected = 0;
  };

  struct Choice {
    int participant;
    bool accident;
  };

  // A state on the way to the current one, and which of its choices comes next.
  struct Junction {
    std::string state;
    std::vector<Choice> choices;
    size_t next = 0;
    uint64_t interleavings = 0;
  };

  // A step, for a failure's story.
  struct MadeStep {
    int participant;
    const char* name;
    uint64_t value;
    bool succeeded;
    bool accident;
  };

  void Start();
  void Enter(int participant);
  std::vector<Choice> Choices() const;
  std::string State() const;
  uint64_t RunOnce();
  void WindUp();
  void AddToPast(uint64_t seen);
  std::string DescribeSteps() const;

  ConcurrentProgram& program_;
  const ExplorationOptions options_;
  std::vector<Participant> participants_;
  bool quitting_ = false;

  // Of the current execution.
  int accidents_ = 0;
  bool accident_ = false;
  std::vector<MadeStep> steps_;

  std::vector<Junction> way_;
  std::unordered_map<std::string, uint64_t> interleavings_from_;
  std::map<Past, uint64_t> pasts_;
  Exploration result_;
};

Explorer* Explorer::current = nullptr;

Explorer::Explorer(ConcurrentProgram& program, const ExplorationOptions& options)
    : program_(program), options_(options), participants_(program.participants()) {
  Check(Explorer::current == nullptr, "One exploration at a time.");
  Check(participants_.size() <= kMostParticipants, "Too many participants: raise kMostParticipants.");
  current = this;
  for (int i = 0; i < static_cast<int>(participants_.size()); ++i) {
    // One fiber for all executions, because making one is slow under the sanitizers.
    participants_[i].fiber = std::make_unique<Fiber>([this, i] {
      while (!quitting_) {
        program_.Run(i);
        participants_[i].ended = true;
        participants_[i].fiber->Leave();
      }
    });
  }
}

Explorer::~Explorer() {
  quitting_ = true;
  for (Participant& participant : participants_) participant.fiber->Enter();
  current = nullptr;
}

Exploration Explorer::Explore() {
  do {
    uint64_t interleavings = RunOnce();
    WindUp();
    if (!result_.failure.empty()) break;
    // Back to the last junction that has another way.
    while (!way_.empty()) {
      Junction& junction = way_.back();
      junction.interleavings += interleavings;
      if (++junction.next < junction.choices.size()) break;
      interleavings = junction.interleavings;
      interleavings_from_.emplace(std::move(junction.state), interleavings);
      way_.pop_back();
    }
    result_.interleavings = interleavings;
  } while (!way_.empty());
  result_.states = interleavings_from_.size();
  return result_;
}

// Yields how many interleavings it stands for: more than one when it ends in a state whose future is known.
uint64_t Explorer::RunOnce() {
  ++result_.executions;
  Start();
  for (size_t depth = 0;; ++depth) {
    if (!result_.failure.empty()) return 0;
    std::vector<Choice> choices = Choices();
    if (choices.empty()) {
      over = true;
      program_.AtEnd(std::all_of(participants_.begin(), participants_.end(), [](auto& one) { return one.ended; }));
      return 1;
    }
    if (static_cast<int>(depth) >= options_.steps) {
      Fail("It goes on for ever.");
      return 0;
    }
    if (depth == way_.size()) {
      std::string state = State();
      if (auto known = interleavings_from_.find(state);
          options_.each_state_once && known != interleavings_from_.end()) {
        return known->second;
      }
      way_.push_back({std::move(state), std::move(choices)});
    } else {
      Check(choices.size() == way_[depth].choices.size(), "The program did something else than the last time.");
    }
    Choice choice = way_[depth].choices[way_[depth].next];
    accident_ = choice.accident;
    accidents_ += choice.accident ? 1 : 0;
    Enter(choice.participant);
  }
}

void Explorer::Start() {
  over = false;
  accidents_ = 0;
  steps_.clear();
  clocks = {};
  program_.Reset();
  for (int i = 0; i < static_cast<int>(participants_.size()); ++i) {
    participants_[i].ended = false;
    participants_[i].past = participants_[i].remembered = 0;
    Enter(i);  // To its first access.
  }
}

void Explorer::Enter(int participant) {
  running = participant;
  participants_[participant].fiber->Enter();
  running = -1;
}

// Lets every participant run to its end, so that nothing is left on its stack.
void Explorer::WindUp() {
  over = true;
  for (int i = 0; i < static_cast<int>(participants_.size()); ++i) {
    if (!participants_[i].ended) Enter(i);
  }
}

std::vector<Explorer::Choice> Explorer::Choices() const {
  std::vector<Choice> choices;
  for (int i = 0; i < static_cast<int>(participants_.size()); ++i) {
    const Participant& one = participants_[i];
    if (one.ended) continue;
    bool can_go_wrong = false;
    bool can_go_right = true;
    if (one.kind == AccessKind::kWait) {
      can_go_right = one.object->StateValue() != 0;
      can_go_wrong = !can_go_right;
    } else if (one.kind == AccessKind::kWeakCompareExchange) {
      // Where the value is another than expected, to fail for no reason is no different from failing.
      can_go_wrong = one.object->StateValue() == one.expected;
    }
    if (can_go_right) choices.push_back({i, false});
    if (can_go_wrong && accidents_ < options_.accidents) choices.push_back({i, true});
  }
  return choices;
}

// Everything that the rest of the execution depends on. A participant's past stands for its local variables and for
// where it is.
std::string Explorer::State() const {
  std::vector<uint64_t> state;
  state.push_back(accidents_);
  for (const Participant& participant : participants_) state.push_back(participant.past);
  for (const auto& clock : clocks) state.insert(state.end(), clock.begin(), clock.end());
  for (const Shared* object : objects) {
    state.push_back(object->StateValue());
    state.insert(state.end(), object->clock.begin(), object->clock.end());
  }
  program_.AppendState(state);
  return std::string(reinterpret_cast<const char*>(state.data()), state.size() * sizeof(state[0]));
}

bool Explorer::Step(const Shared& object, const char* name, AccessKind kind, uint64_t expected) {
  if (running < 0 || over) return false;
  Participant& self = participants_[running];
  self.object = &object;
  self.name = name;
  self.kind = kind;
  self.expected = expected;
  self.fiber->Leave();
  if (over) return false;
  AddToPast(accident_ ? 1 : 0);
  return accident_;
}

void Explorer::Observe(uint64_t value, bool succeeded) {
  if (running < 0 || over) return;
  AddToPast(value);
  AddToPast(succeeded ? 1 : 0);
  steps_.push_back({running, participants_[running].name, value, succeeded, accident_});
}

void Explorer::AddToPast(uint64_t seen) {
  uint64_t& past = participants_[running].past;
  past = pasts_.try_emplace({past, seen}, pasts_.size() + 1).first->second;
}

void Explorer::ForgetPast(uint64_t summary) {
  Participant& self = participants_[running];
  self.past = 0;
  AddToPast(summary);
  self.remembered = self.past;
}

void Explorer::ForgetAttempts(uint64_t seen) {
  Participant& self = participants_[running];
  self.past = self.remembered;
  AddToPast(kAttempts);
  AddToPast(seen);
}

void Explorer::Fail(std::string_view why) {
  if (!result_.failure.empty()) return;
  result_.failure = std::string(why) + "\n" + DescribeSteps();
}

std::string Explorer::DescribeSteps() const {
  std::string text;
  for (const MadeStep& step : steps_) {
    text += "  " + program_.Name(step.participant) + ": " + step.name;
    text += !step.succeeded ? " fails" : "";
    text += step.accident ? " (for no reason)" : "";
    text += " -> " + program_.Show(step.value) + "\n";
  }
  return text;
}

}  // namespace

Shared::Shared() {
  if (Explorer::current != nullptr) Explorer::current->objects.push_back(this);
}

Shared::~Shared() {
  if (Explorer::current != nullptr) std::erase(Explorer::current->objects, this);
}

bool Shared::Step(const char* name, AccessKind kind, uint64_t expected) {
  return Explorer::current != nullptr && Explorer::current->Step(*this, name, kind, expected);
}

void Shared::Observe(uint64_t value, bool succeeded) {
  if (Explorer::current != nullptr) Explorer::current->Observe(value, succeeded);
}

void Shared::AcquireIf(std::memory_order order) {
  if (order == std::memory_order_relaxed || order == std::memory_order_release) return;
  if (Explorer::current == nullptr || Explorer::current->running < 0) return;
  auto& mine = Explorer::current->clocks[Explorer::current->running];
  for (int i = 0; i < kMostParticipants; ++i) mine[i] = std::max(mine[i], clock[i]);
}

void Shared::ReleaseIf(std::memory_order order, bool continues) {
  if (!continues) clock = {};
  if (order == std::memory_order_relaxed || order == std::memory_order_acquire) return;
  if (Explorer::current == nullptr || Explorer::current->running < 0) return;
  const auto& mine = Explorer::current->clocks[Explorer::current->running];
  for (int i = 0; i < kMostParticipants; ++i) clock[i] = std::max(clock[i], mine[i]);
}

}  // namespace internal

void ModelEvent::Signal() {
  Step("signal");
  ++signals_;
  Observe(signals_);
}

void ModelEvent::Wait() {
  Step("wait", internal::AccessKind::kWait);
  Observe(std::exchange(signals_, 0));
}

void ModelEvent::Drain() {
  Step("drain");
  Observe(std::exchange(signals_, 0));
}

Exploration ExploreInterleavings(ConcurrentProgram& program, const ExplorationOptions& options) {
  return internal::Explorer(program, options).Explore();
}

void FailInterleaving(std::string_view why) { internal::Explorer::current->Fail(why); }

bool InterleavingIsOver() { return internal::Explorer::current->over; }

void ForgetPast(uint64_t summary) { internal::Explorer::current->ForgetPast(summary); }

void ForgetAttempts(uint64_t seen) { internal::Explorer::current->ForgetAttempts(seen); }

Stamp Publish() {
  internal::Explorer& explorer = *internal::Explorer::current;
  return {explorer.running, ++explorer.clocks[explorer.running][explorer.running]};
}

bool Sees(Stamp stamp) {
  internal::Explorer& explorer = *internal::Explorer::current;
  return explorer.clocks[explorer.running][stamp.participant] >= stamp.time;
}

}  // namespace proactor
