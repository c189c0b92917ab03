// SPDX-License-Identifier: Apache-2.0
#include "proactor/buffer_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <source_location>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proactor/log.h"

namespace proactor::internal {
namespace {

constexpr size_t kSmallestBuffer = 64;
constexpr size_t kFirstBytes = size_t{64} << 10;  // What a size begins with, and
constexpr size_t kFirstBuffers = 4;               // at least so many.
constexpr size_t kProvidedBytes = 512 << 10;      // What the kernel has, however few requests there are,
constexpr size_t kFewestProvided = 8;             // and how many buffers that are at least.
constexpr size_t kMostBuffers = size_t{1} << 16;  // An index has 16 bits.
constexpr size_t kHeldShares = 8;                 // One of these, of all memory, is held by receives that wait.
constexpr size_t kStep = 4;                       // From one size to the next.

BufferPoolOptions Sane(BufferPoolOptions options) {
  options.smallest = std::max(options.smallest, kSmallestBuffer);
  options.largest = std::clamp(options.largest, options.smallest, size_t{1} << 30);
  options.most_bytes = std::max(options.most_bytes, options.largest);
  return options;
}

}  // namespace

BufferStore::BufferStore(const BufferPoolOptions& options)
    : options_(Sane(options)), held_(options_.most_bytes / kHeldShares) {
  for (size_t size = options_.smallest;; size *= kStep) {
    SizeClass& size_class = classes_.emplace_back();
    size_class.size = std::min(size, options_.largest);
    size_class.CountRequests(0);
    if (size >= options_.largest) break;
  }
}

BufferStore::~BufferStore() {
  LoopWatcher::Unlink();
  for (SizeClass& size_class : classes_) size_class.group.reset();
  for (Chunk& chunk : chunks_) munmap(chunk.memory, chunk.size);
}

void BufferStore::Bind(Loop& loop) {
  Check(loop_ == nullptr,
        "A BufferPool was used by two schedulers: make one for each; what it has lent may go anywhere.");
  loop_ = &loop;
  thread_.Bind();
  loop.watchers.PushBack(*this);
}

bool BufferStore::Grow(SizeClass& size_class) {
  size_t room = (options_.most_bytes - bytes_) / size_class.size;
  // Chat leaves memory for bulk.
  if (&size_class != &classes_.back()) {
    size_t share = std::max<size_t>(options_.most_bytes / classes_.size() / size_class.size, 1);
    room = std::min(room, share - std::min(share, size_class.slots.size()));
  }
  size_t more = std::max({size_class.slots.size(), kFirstBytes / size_class.size, kFirstBuffers});
  more = std::min({more, room, kMostBuffers - size_class.slots.size()});
  if (more == 0) return false;
  size_t size = more * size_class.size;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  Chunk& chunk = chunks_.emplace_back(static_cast<char*>(memory), size, std::make_unique<BufferSlot[]>(more));
  bytes_ += size;
  for (size_t i = 0; i < more; ++i) {
    BufferSlot& slot = chunk.slots[i];
    slot.store = this;
    slot.memory = chunk.memory + i * size_class.size;
    slot.index = static_cast<uint16_t>(size_class.slots.size());
    slot.size_class = static_cast<uint8_t>(&size_class - classes_.data());
    size_class.slots.push_back(&slot);
  }
  for (size_t i = more; i > 0; --i) MakeFree(size_class, chunk.slots[i - 1]);
  return true;
}

// One is kept for calls: what is provided may all be taken for streams that nobody reads from.
inline void BufferStore::MakeFree(SizeClass& size_class, BufferSlot& slot) {
  bool one_is_kept = size_class.free != nullptr;
  if (one_is_kept && size_class.group != nullptr && size_class.provided < size_class.enough) {
    slot.state = BufferSlot::kProvided;
    ++size_class.provided;
    size_class.group->Add(slot.memory, size_class.size, slot.index);
    return;
  }
  slot.state = BufferSlot::kFree;
  slot.next = size_class.free;
  size_class.free = &slot;
}

inline BufferSlot* BufferStore::TakeFree(SizeClass& size_class) {
  BufferSlot* slot = size_class.free;
  if (slot != nullptr) size_class.free = std::exchange(slot->next, nullptr);
  return slot;
}

void BufferStore::SizeClass::CountRequests(unsigned count) {
  armed = count;
  size_t few = std::max(kProvidedBytes / size, kFewestProvided);
  enough = static_cast<unsigned>(std::min<size_t>(std::max<size_t>(few, armed), kMostProvided));
}

uint16_t BufferStore::BeginRequest(int number) {
  SizeClass& size_class = classes_[static_cast<size_t>(number)];
  size_class.CountRequests(size_class.armed + 1);
  ProvideEnough(size_class);
  return size_class.group->number();
}

void BufferStore::EndRequest(int number) {
  SizeClass& size_class = classes_[static_cast<size_t>(number)];
  size_class.CountRequests(size_class.armed - 1);
}

inline void BufferStore::ProvideEnough(SizeClass& size_class) {
  while (size_class.provided < size_class.enough && size_class.free != nullptr && size_class.free->next != nullptr) {
    MakeFree(size_class, *TakeFree(size_class));
  }
}

// The nearest larger one comes before the smaller ones.
BufferSlot* BufferStore::Take(int size_class) {
  if (!line_.empty()) return nullptr;
  SizeClass& first = classes_[static_cast<size_t>(size_class)];
  BufferSlot* slot = TakeFree(first);
  if (slot == nullptr && Grow(first)) slot = TakeFree(first);
  for (int other = size_class + 1; slot == nullptr && other < size_classes(); ++other) {
    slot = TakeFree(classes_[static_cast<size_t>(other)]);
  }
  for (int other = size_class - 1; slot == nullptr && other >= 0; --other) {
    slot = TakeFree(classes_[static_cast<size_t>(other)]);
  }
  if (slot != nullptr) CountOut(*slot);
  return slot;
}

inline void BufferStore::CountOut(BufferSlot& slot) {
  slot.state = BufferSlot::kReceived;
  slot.begin = slot.size = 0;
  out_bytes_ += classes_[slot.size_class].size;
}

BufferSlot* BufferStore::Hold(int number) {
  SizeClass& size_class = classes_[static_cast<size_t>(number)];
  if (by_call_ || !line_.empty() || (size_class.free == nullptr && !Grow(size_class))) return nullptr;
  BufferSlot& slot = *TakeFree(size_class);
  CountOut(slot);
  slot.state = BufferSlot::kHeld;
  return &slot;
}

void BufferStore::PutBack(BufferSlot& slot) {
  SizeClass& size_class = classes_[slot.size_class];
  out_bytes_ -= size_class.size;
  if (!line_.empty()) [[unlikely]] {
    CountOut(slot);
    return line_.PopFront()->Assign(slot);
  }
  MakeFree(size_class, slot);
  if (out_bytes_ == 0 && self_ != nullptr) [[unlikely]] {
    std::shared_ptr<BufferStore> last = std::move(self_);  // Goes at the end of this scope.
  }
}

int BufferStore::ProvidedFor(int size_class) {
  if (by_call_ || loop_ended_ || !line_.empty()) return -1;
  SizeClass& first = classes_[static_cast<size_t>(size_class)];
  if (first.group == nullptr && !first.refused) {
    first.group = loop_->proactor.MakeBufferGroup(kMostProvided);
    first.refused = first.group == nullptr;
    BufferSlot* free = std::exchange(first.free, nullptr);
    while (free != nullptr) MakeFree(first, *std::exchange(free, free->next));
  }
  // Better by calls than for ever into another size.
  if (first.group == nullptr) return -1;
  if (first.provided == 0) Grow(first);
  if (first.provided > 0) return size_class;
  for (int other = size_class + 1; other < size_classes(); ++other) {
    if (classes_[static_cast<size_t>(other)].provided > 0) return other;
  }
  for (int other = size_class - 1; other >= 0; --other) {
    if (classes_[static_cast<size_t>(other)].provided > 0) return other;
  }
  return -1;
}

Buffer BufferStore::TakeProvided(int number, int index, size_t size) {
  SizeClass& size_class = classes_[static_cast<size_t>(number)];
  BufferSlot& slot = *size_class.slots[static_cast<size_t>(index)];
  Check(slot.state == BufferSlot::kProvided, "The kernel has received into a buffer that it was not provided with.");
  --size_class.provided;
  ProvideEnough(size_class);
  CountOut(slot);
  return Received(slot, size);
}

Buffer BufferStore::Received(BufferSlot& slot, size_t size) {
  slot.state = BufferSlot::kReceived;
  slot.size = static_cast<uint32_t>(size);
  slot.next = nullptr;
  return Buffer(slot);
}

void BufferStore::Lend(const Buffers& buffers, const PromiseBase& borrower) {
  for (BufferSlot* slot = buffers.first_; slot != nullptr; slot = slot->next) Lend(*slot, borrower);
}

// Of several who have found none at once, the first has seen to it.
void BufferStore::RanOut(int number) {
  SizeClass& size_class = classes_[static_cast<size_t>(number)];
  if (size_class.provided == 0 && line_.empty()) Grow(size_class);
}

void BufferStore::StopProviding() {
  by_call_ = true;
  for (SizeClass& size_class : classes_) {
    if (size_class.group == nullptr) continue;
    size_class.group.reset();
    size_class.provided = 0;
    for (BufferSlot* slot : size_class.slots) {
      if (slot->state == BufferSlot::kProvided) MakeFree(size_class, *slot);
    }
  }
}

void ReturnBuffer(BufferSlot& slot) {
  BufferStore& store = *slot.store;
  if (!store.thread_.IsThisThread() || store.loop_ended_) return store.ReturnFromElsewhere(slot);
  store.PutBack(slot);
}

void BufferStore::ReturnFromElsewhere(BufferSlot& slot) {
  if (loop_ == nullptr || !thread_.IsThisProcess()) return PutBack(slot);
  std::shared_ptr<BufferStore> last;  // Goes after the lock does.
  std::lock_guard lock(mutex_);
  if (loop_ended_) {
    last = self_;
    return PutBack(slot);
  }
  slot.next = returned_;
  returned_ = &slot;
  if (std::exchange(on_its_way_, true)) return;
  Send(*loop_, *this);
}

void BufferStore::Receive() {
  std::shared_ptr<BufferStore> last;  // Goes after the lock does.
  std::unique_lock lock(mutex_);
  last = self_;
  on_its_way_ = false;
  BufferSlot* slot = std::exchange(returned_, nullptr);
  if (!loop_ended_) lock.unlock();
  while (slot != nullptr) PutBack(*std::exchange(slot, std::exchange(slot->next, nullptr)));
}

void BufferStore::Discard() { Receive(); }

void BufferStore::LoopEnds() {
  std::lock_guard lock(mutex_);
  loop_ended_ = true;
}

BufferPoolUsage BufferStore::usage() const {
  BufferPoolUsage usage = {.bytes = bytes_};
  for (const SizeClass& size_class : classes_) {
    usage.buffers += static_cast<int>(size_class.slots.size());
    usage.provided += static_cast<int>(size_class.provided);
    for (const BufferSlot* slot : size_class.slots) {
      usage.on_loan += slot->state == BufferSlot::kOnLoan;
      usage.received += slot->state == BufferSlot::kReceived;
      usage.held += slot->state == BufferSlot::kHeld;
    }
  }
  for (BufferWaiter* waiter = line_.front(); waiter != nullptr; waiter = line_.Next(*waiter)) ++usage.waiting;
  return usage;
}

std::string BufferStore::Dump() const {
  std::string text;
  for (const SizeClass& size_class : classes_) {
    for (const BufferSlot* slot : size_class.slots) {
      if (slot->state != BufferSlot::kOnLoan) continue;
      absl::StrAppend(&text, "a buffer of ", size_class.size, " bytes: ", DescribeCoroutine(slot->borrower));
      if (!loop_ended_) {
        absl::Duration age = absl::Nanoseconds(loop_->clock.Now().nanoseconds - slot->since.nanoseconds);
        absl::StrAppend(&text, ", for ", absl::FormatDuration(absl::Trunc(age, absl::Milliseconds(1))));
      }
      absl::StrAppend(&text, "\n");
    }
  }
  return text;
}

void BufferStore::PoolEnds(const std::shared_ptr<BufferStore>& self) {
  std::unique_lock lock(mutex_, std::defer_lock);
  if (loop_ended_) lock.lock();
  int on_loan = usage().on_loan;
  std::string who = Dump();
  if (lock.owns_lock()) lock.unlock();
  if (on_loan > 0) {
    Log(LogSeverity::kError, absl::StrCat("A BufferPool has ended while ", on_loan,
                                          " of its buffers were on loan; drop them first. Who took them:\n", who));
  }
  LetGo(self);
}

// It goes to the loop of its store, to be dropped there.
struct BufferStore::Dropped final : RemoteMessage {
  explicit Dropped(std::shared_ptr<BufferStore> store) : store(std::move(store)) {}
  void Receive() override {
    { std::lock_guard lock(store->mutex_); }  // Not before the other thread is done with it.
    LetGo(std::move(store));
    delete this;
  }
  void Discard() override { Receive(); }
  std::shared_ptr<BufferStore> store;
};

void BufferStore::StayUntilAllIsBack(const std::shared_ptr<BufferStore>& self) {
  if (out_bytes_ > 0) self_ = self;
}

void BufferStore::LetGo(std::shared_ptr<BufferStore> store) {
  BufferStore& self = *store;
  if (self.loop_ == nullptr || !self.thread_.IsThisProcess()) return;
  if (self.thread_.IsThisThread() && !self.loop_ended_) return self.StayUntilAllIsBack(store);
  std::lock_guard lock(self.mutex_);
  if (self.loop_ended_) return self.StayUntilAllIsBack(store);
  Send(*self.loop_, *new Dropped(std::move(store)));
}

}  // namespace proactor::internal
