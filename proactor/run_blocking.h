// SPDX-License-Identifier: Apache-2.0
//
// RunBlocking: calls a function that blocks, or computes for long, on a thread of the BlockingPool, while the scheduler
// goes on.
//
//   absl::StatusOr<std::string> host = co_await RunBlocking([&] { return SlowLookup(name); });
//
// A function that can end early takes a std::stop_token, which is requested when the scope is cancelled:
//
//   absl::StatusOr<Digest> digest = co_await RunBlocking([&](std::stop_token stop) { return Hash(file, stop); });
//
// Result: what the function returns: `absl::StatusOr<T>` for a T, `absl::Status` for nothing; either of these as it is.
//   What it throws is `kInternal` with what it said.
// Cancelled: `kCancelled` if no thread has begun with it. A function that runs cannot be interrupted, only asked: it
//   delays the end of its scope, and its result is delivered.
// The function may use what the caller's frame holds, which outlives it, but nothing that belongs to the scheduler. A
//   lambda that captures more than references must be named before it is awaited: see task.h.
// Threads: the scheduler's, also for callbacks on the token, which must not use it; in a simulation the function is
//   called on that thread, at a time that the seed says.
#ifndef PROACTOR_RUN_BLOCKING_H_
#define PROACTOR_RUN_BLOCKING_H_

#include <concepts>
#include <exception>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proactor/cancellation.h"
#include "proactor/context.h"
#include "proactor/operation/call.h"
#include "proactor/operation/operation.h"
#include "proactor/result.h"
#include "proactor/task.h"
#include "proactor/timeout.h"
#include "proactor/try.h"

namespace proactor {
namespace internal {

template <class F>
class FunctionCall final : public BlockingCall {
 public:
  using Result = WithStatus<std::invoke_result_t<F&>>;

  explicit FunctionCall(F& function) : function_(function) {}

  void Call() override {
#if defined(__cpp_exceptions)
    try {
      CallFunction();
    } catch (const std::exception& exception) {
      Threw(exception.what());
    } catch (...) {
      Threw("an object that is not a std::exception");
    }
#else
    CallFunction();
#endif
  }

  Result TakeResult() { return *std::move(result_); }

 private:
  void CallFunction() {
    if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
      function_();
      result_ = absl::OkStatus();
    } else {
      result_.emplace(function_());
    }
  }
  void Threw(std::string what) { result_ = absl::InternalError("RunBlocking: the function threw: " + what); }

  F& function_;
  std::optional<Result> result_;
};

// Tells a stop token of its end.
class TokenScope final : public CancelScope {
 public:
  using CancelScope::CancelScope;
  std::stop_token token() const { return source_.get_token(); }

 private:
  void Cancelled() override { source_.request_stop(); }

  std::stop_source source_;
};

template <class F>
struct BlockingResult {
  using Type = WithStatus<std::invoke_result_t<F&>>;
};
template <class F>
  requires std::invocable<F&, std::stop_token>
struct BlockingResult<F> {
  using Type = WithStatus<std::invoke_result_t<F&, std::stop_token>>;
};

}  // namespace internal

template <class F>
Task<typename internal::BlockingResult<F>::Type> RunBlocking(F function) {
  if constexpr (std::invocable<F&, std::stop_token>) {
    internal::TokenScope scope(co_await CurrentContext());
    auto with_token = [&] { return function(scope.token()); };
    internal::FunctionCall<decltype(with_token)> call(with_token);
    co_await Try(internal::InScope(scope, MakeOperation(CallOp{.call = &call})));
    co_return call.TakeResult();
  } else {
    internal::FunctionCall<F> call(function);
    co_await Try(MakeOperation(CallOp{.call = &call}));
    co_return call.TakeResult();
  }
}

}  // namespace proactor

#endif  // PROACTOR_RUN_BLOCKING_H_
