// SPDX-License-Identifier: Apache-2.0
#include "proactor/promise.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proactor/log.h"
#include "proactor/task_record.h"

namespace proactor {

std::coroutine_handle<> PromiseBase::Finish() {
  for (PromiseBase* promise = this;;) {
    PromiseBase* parent = promise->parent();
    if (parent == nullptr) return promise->FinishTask();
    bool climbs = (promise->parent_ & kAwaitedByTry) != 0 && promise->Failed();
    if (!climbs) return parent->Transfer();
    parent->SetFailure(promise->TakeFailure());
    promise = parent;
  }
}

std::coroutine_handle<> PromiseBase::FinishTask() {
  context_->task->RootFinished();
  return std::noop_coroutine();
}

std::coroutine_handle<> PromiseBase::ContinueLater() {
  context_->task->ContinueLater(*this);
  return std::noop_coroutine();
}

namespace internal {

void DestroyFrameAndChildren(PromiseBase& outermost) noexcept {
  PromiseBase* promise = &outermost;
  while (PromiseBase* child = promise->child()) promise = child;
  while (promise != &outermost) {
    PromiseBase* parent = promise->parent();
    parent->ClearAwaiting();
    promise->handle().destroy();
    promise = parent;
  }
  outermost.handle().destroy();
}

void DestroyUnawaited(PromiseBase& promise) noexcept {
  Log(LogSeverity::kWarning, absl::StrCat("The coroutine ", DescribeCoroutine(promise),
                                          " was never run: co_await it, or give it to Spawn or Run."));
  DestroyFrames(promise);
}

void AwaitedTwice(const PromiseBase& parent) {
  CheckFailed(absl::StrCat("The coroutine ", DescribeCoroutine(parent),
                           " awaits a Task that was used already: it is awaited or spawned once, and empty after a "
                           "move."));
}

absl::Status EscapedException(const PromiseBase& promise, std::string_view what) {
  return absl::InternalError(absl::StrCat(DescribeCoroutine(promise), " let an exception escape: ", std::string(what)));
}

}  // namespace internal

namespace {

// "proactor::Task<absl::Status> net::Echo(TcpStream)" -> "net::Echo". Compilers describe a coroutine's body in ways of
// their own, so this keeps what stands before the first parenthesis that is outside of angle brackets and not part of a
// name: "operator()", and Clang's "(anonymous namespace)".
std::string FunctionName(const char* pretty) {
  std::string_view text = pretty;
  size_t begin = 0;
  size_t end = text.size();
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<') ++depth;
    if (text[i] == '>') --depth;
    if (depth != 0) continue;
    if (text[i] == ' ') begin = i + 1;
    if (text[i] != '(') continue;
    if (!text.substr(0, i).ends_with("operator") && !text.substr(i).starts_with("(anonymous ")) {
      end = i;
      break;
    }
    i = std::min(text.find(')', i), text.size());
  }
  return std::string(text.substr(begin, end - begin));
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string DescribeCoroutine(const PromiseBase& promise) { return DescribeCoroutine(promise.where()); }

std::string DescribeCoroutine(const std::source_location& where) {
  return absl::StrCat(FunctionName(where.function_name()), " (", std::string(BaseName(where.file_name())), ":",
                      where.line(), ")");
}

}  // namespace proactor
