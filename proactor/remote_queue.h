// SPDX-License-Identifier: Apache-2.0
//
// RemoteQueue: what other threads send to a scheduler, and the wake protocol, the only one in the library.
//
//   if (queue.Push(node)) proactor.Wake();             // any thread: true for the one that finds the receiver asleep
//
//   if (queue.Sleep()) proactor.Wait(deadline);        // the receiver, before it blocks
//   for (RemoteNode* node = queue.TakeAll(); ...)      // and after it woke, in the order of pushing
//
// The protocol, on one atomic word that is empty, asleep, or the newest of a chain of nodes:
//  1. The receiver goes from empty to asleep by a compare-and-swap. If a node is there, it fails, and the receiver
//     stays up.
//  2. A sender puts its node in place of whatever is there. The one that replaces "asleep" must wake the receiver;
//     those after it find a node and need not. So there is one wake at most for each sleep, and none is missed, because
//     "is there work?" and "am I asleep?" are the same word.
//  3. The receiver takes everything, and is awake by that. A wake that arrives later makes one later wait return early.
//
// `Atomic` is a parameter so that a test can run every interleaving of the two sides.
#ifndef PROACTOR_REMOTE_QUEUE_H_
#define PROACTOR_REMOTE_QUEUE_H_

#include <atomic>
#include <cstdint>

namespace proactor {

struct RemoteNode {
  RemoteNode* next = nullptr;
};

template <template <class> class Atomic>
class BasicRemoteQueue {
 public:
  // Any thread. True when the caller must wake the receiver.
  bool Push(RemoteNode& node) {
    uintptr_t seen = newest_.load(std::memory_order_relaxed);
    do {
      node.next = seen == kAsleep ? nullptr : reinterpret_cast<RemoteNode*>(seen);
      // Release publishes the node, and what its sender did before.
    } while (!newest_.compare_exchange_weak(seen, reinterpret_cast<uintptr_t>(&node), std::memory_order_release,
                                            std::memory_order_relaxed));
    return seen == kAsleep;
  }

  // The receiver. True: asleep, and the next `Push` will wake it. False: there is something to take.
  bool Sleep() {
    uintptr_t expected = kEmpty;
    return newest_.compare_exchange_strong(expected, kAsleep, std::memory_order_relaxed, std::memory_order_relaxed);
  }

  // The receiver. Takes all nodes, the oldest first, and is awake. Null when there are none.
  RemoteNode* TakeAll() {
    if (newest_.load(std::memory_order_relaxed) == kEmpty) return nullptr;
    // Acquire pairs with the release of every `Push` in the chain: each was an atomic modification of the same word.
    uintptr_t taken = newest_.exchange(kEmpty, std::memory_order_acquire);
    if (taken == kAsleep) return nullptr;
    RemoteNode* oldest = nullptr;
    for (RemoteNode* node = reinterpret_cast<RemoteNode*>(taken); node != nullptr;) {
      RemoteNode* older = node->next;
      node->next = oldest;
      oldest = node;
      node = older;
    }
    return oldest;
  }

 private:
  static constexpr uintptr_t kEmpty = 0;
  static constexpr uintptr_t kAsleep = 1;

  Atomic<uintptr_t> newest_{kEmpty};
};

using RemoteQueue = BasicRemoteQueue<std::atomic>;

}  // namespace proactor

#endif  // PROACTOR_REMOTE_QUEUE_H_
