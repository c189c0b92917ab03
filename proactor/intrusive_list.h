// SPDX-License-Identifier: Apache-2.0
//
// A doubly linked list threaded through its elements: no allocation, and an element can leave without knowing its list.
//
//   struct Waiter : ListNode<Waiter> {};
//   IntrusiveList<Waiter> waiters;
//   waiters.PushBack(waiter);
//   waiter.Unlink();
//
// A type that is in several lists at once derives from one `ListNode` for each, told apart by a tag.
//
// Threads: one at a time.
#ifndef PROACTOR_INTRUSIVE_LIST_H_
#define PROACTOR_INTRUSIVE_LIST_H_

namespace proactor {

template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  bool linked() const { return next_ != nullptr; }

  // Leaves the list, if in one.
  void Unlink() {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = nullptr;
  }

 private:
  template <class, class>
  friend class IntrusiveList;

  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

template <class T, class Tag = T>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() { head_.previous_ = head_.next_ = &head_; }
  // Whoever is still in the list must not be left pointing at it.
  ~IntrusiveList() {
    while (!empty()) head_.next_->Unlink();
    head_.previous_ = head_.next_ = nullptr;
  }

  bool empty() const { return head_.next_ == &head_; }
  T* front() const { return empty() ? nullptr : static_cast<T*>(head_.next_); }

  void PushBack(T& element) {
    Node& node = element;
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }

  void PushFront(T& element) {
    Node& node = element;
    node.previous_ = &head_;
    node.next_ = head_.next_;
    head_.next_->previous_ = &node;
    head_.next_ = &node;
  }

  T* PopFront() {
    if (empty()) return nullptr;
    Node* node = head_.next_;
    node->Unlink();
    return static_cast<T*>(node);
  }

  // The element after `element`, or null at the end.
  T* Next(const T& element) const {
    Node* next = static_cast<const Node&>(element).next_;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }

  // Takes all elements of `other`, which is empty afterwards; this list must be empty.
  void Take(IntrusiveList& other) {
    if (other.empty()) return;
    head_.next_ = other.head_.next_;
    head_.previous_ = other.head_.previous_;
    head_.next_->previous_ = &head_;
    head_.previous_->next_ = &head_;
    other.head_.previous_ = other.head_.next_ = &other.head_;
  }

 private:
  Node head_;  // previous_ is the last element, next_ the first.
};

}  // namespace proactor

#endif  // PROACTOR_INTRUSIVE_LIST_H_
