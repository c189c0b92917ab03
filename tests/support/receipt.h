// SPDX-License-Identifier: Apache-2.0
//
// Receipt: a value that must not get lost, and the Ledger that knows where each one is.
//
//   Ledger ledger;
//   Receipt receipt = ledger.Issue();     // It happened.
//   ledger.Accept(std::move(receipt));    // Its result was delivered. Destroyed instead, it was dropped.
//   EXPECT_EQ(ledger.issued(), ledger.accepted() + ledger.dropped());
//   EXPECT_EQ(ledger.outstanding(), 0);
//
// Threads: any.
#ifndef PROACTOR_TESTS_SUPPORT_RECEIPT_H_
#define PROACTOR_TESTS_SUPPORT_RECEIPT_H_

#include <atomic>
#include <utility>

namespace proactor {

class Ledger;

// Moves; the one it was moved from counts no more. A second destruction of one shows in the ledger.
class Receipt {
 public:
  Receipt(Receipt&& other) noexcept : ledger_(std::exchange(other.ledger_, nullptr)) {}
  Receipt& operator=(Receipt&& other) noexcept {
    std::swap(ledger_, other.ledger_);
    return *this;
  }
  inline ~Receipt();

 private:
  friend class Ledger;
  explicit Receipt(Ledger& ledger) : ledger_(&ledger) {}

  Ledger* ledger_;
};

class Ledger {
 public:
  Receipt Issue() {
    ++issued_;
    return Receipt(*this);
  }
  void Accept(Receipt receipt) {
    if (std::exchange(receipt.ledger_, nullptr) == this) ++accepted_;
  }

  int issued() const { return issued_; }
  int accepted() const { return accepted_; }
  int dropped() const { return dropped_; }
  // Negative if one was destroyed twice.
  int outstanding() const { return issued_ - accepted_ - dropped_; }

 private:
  friend class Receipt;

  std::atomic<int> issued_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> dropped_ = 0;
};

inline Receipt::~Receipt() {
  if (ledger_ != nullptr) ++ledger_->dropped_;
}

}  // namespace proactor

#endif  // PROACTOR_TESTS_SUPPORT_RECEIPT_H_
