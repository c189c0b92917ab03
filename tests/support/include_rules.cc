// SPDX-License-Identifier: Apache-2.0
#include "tests/support/include_rules.h"

#include <algorithm>
#include <initializer_list>

#include "tests/support/source_text.h"

namespace proactor::tidy {
namespace {

// A part of the library, and the parts that its files may include besides their own. (Within a part, Bazel keeps the
// targets free of circles.)
struct Part {
  std::string_view name;
  std::initializer_list<std::string_view> files;  // Folders, or paths without their extension.
  std::initializer_list<std::string_view> below;
};

// From the bottom up.
const Part kParts[] = {
    // No kernel and no thread.
    {"language",
     {"proactor/log",
      "proactor/errors",
      "proactor/intrusive_list",
      "proactor/monotonic_time",
      "proactor/clock",
      "proactor/frame_pool",
      "proactor/result",
      "proactor/ready_queue",
      "proactor/remote_queue",
      "proactor/timer",
      "proactor/counters",
      "proactor/context",
      "proactor/pause",
      "proactor/promise",
      "proactor/leaf_awaiter",
      "proactor/task_record",
      "proactor/thread_mark",
      "proactor/cancellation",
      "proactor/task",
      "proactor/try",
      "proactor/backend_choice",
      "proactor/feature",
      "proactor/capabilities",
      "proactor/multishot"},
     {}},
    // Coroutines that wait for each other.
    {"sync", {"proactor/sync/"}, {"language"}},
    {"system", {"proactor/system"}, {}},
    {"blocking pool", {"proactor/blocking_pool"}, {"language"}},
    {"descriptor", {"proactor/descriptor"}, {"language", "system"}},
    // What asks and who answers, which name each other.
    {"protocol",
     {"proactor/proactor", "proactor/operation/operation_base", "proactor/remote_message", "proactor/buffer_group"},
     {"language", "system"}},
    {"remote close", {"proactor/remote_close"}, {"language", "descriptor", "protocol"}},
    // What connections receive into.
    {"buffers",
     {"proactor/buffer", "proactor/buffer_store", "proactor/buffer_pool", "proactor/held_buffers"},
     {"language", "protocol"}},
    // Coroutines of several schedulers, and threads, that wait for each other.
    {"shared sync",
     {"proactor/sync/shared_waiter", "proactor/sync/shared_channel", "proactor/sync/shared_future"},
     {"language", "sync", "protocol"}},
    // Neither of the next two knows the other.
    {"backend",
     {"proactor/backend/"},
     {"language", "system", "blocking pool", "descriptor", "protocol", "remote close"}},
    {"operation", {"proactor/operation/"}, {"language", "system", "descriptor", "protocol", "buffers"}},
    {"policies",
     {"proactor/sleep",          "proactor/every",       "proactor/yield",
      "proactor/timeout",        "proactor/child_count", "proactor/branch",
      "proactor/branches",       "proactor/all",         "proactor/any",
      "proactor/task_group",     "proactor/failures",    "proactor/log_failure",
      "proactor/ready",          "proactor/starting",    "proactor/completion_queue",
      "proactor/retry",          "proactor/canceller",   "proactor/stop_token",
      "proactor/until_stopping", "proactor/task_local"},
     {"language", "sync", "protocol"}},
    // Made of operations.
    {"awaitables",
     {"proactor/run_blocking", "proactor/signal_set"},
     {"language", "system", "descriptor", "protocol", "operation", "policies"}},
    {"scheduler", {"proactor/scheduler"}, {"language", "protocol"}},
    {"run", {"proactor/run"}, {"language", "protocol", "scheduler", "backend"}},
    {"testing", {"proactor/testing/"}, {"language", "system", "protocol", "scheduler", "backend"}},
    {"net",
     {"net/"},
     {"language", "sync", "shared sync", "system", "descriptor", "protocol", "buffers", "operation", "policies"}},
    {"fs",
     {"fs/"},
     {"language", "sync", "shared sync", "system", "descriptor", "protocol", "buffers", "operation", "policies"}},
    // Written as users write programs.
    {"tools",
     {"tools/"},
     {"language", "sync", "shared sync", "protocol", "buffers", "scheduler", "policies", "awaitables", "run", "net",
      "fs"}},
    {"tests",
     {"tests/"},
     {"language", "sync", "shared sync", "system", "blocking pool", "descriptor", "protocol", "remote close", "buffers",
      "backend", "operation", "awaitables", "scheduler", "policies", "run", "testing", "net", "fs", "tools"}},
};

// The longest entry decides: proactor/operation/operation_base is not of proactor/operation/.
const Part* PartOf(std::string_view path) {
  const Part* found = nullptr;
  size_t longest = 0;
  std::string_view stem = path.substr(0, path.rfind('.'));
  for (const Part& part : kParts) {
    for (std::string_view files : part.files) {
      bool matches = files.ends_with('/') ? path.starts_with(files) : stem == files;
      if (!matches || files.size() <= longest) continue;
      found = &part;
      longest = files.size();
    }
  }
  return found;
}

struct Include {
  std::string_view name;
  int line;
};

// What stands between `open` and `close` in #include directives; not those in comments and literals.
std::vector<Include> Includes(const SourceFile& file, char open, char close) {
  std::vector<Include> includes;
  std::string code = CodeOf(file.text);
  std::vector<std::string_view> code_lines = Lines(code);
  std::vector<std::string_view> lines = Lines(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!code_lines[i].starts_with("#include")) continue;
    size_t begin = lines[i].find(open);
    if (begin == std::string_view::npos) continue;
    size_t end = lines[i].find(close, begin + 1);
    includes.push_back({lines[i].substr(begin + 1, end - begin - 1), static_cast<int>(i) + 1});
  }
  return includes;
}

// Where a file of this repository is, by the name that it is included under; empty if it is of another.
std::string PathOf(std::string_view include) {
  for (std::string_view folder : {"proactor/net/", "proactor/fs/"}) {
    if (include.starts_with(folder)) return std::string(include.substr(std::string_view("proactor/").size()));
  }
  for (std::string_view folder : {"proactor/", "tests/", "tools/"}) {
    if (include.starts_with(folder)) return std::string(include);
  }
  return "";
}

}  // namespace

Complaints IncludesGoDownward(const SourceFile& file) {
  Complaints complaints;
  if (!IsCpp(file.path)) return complaints;
  constexpr std::string_view kTable = "kParts in tests/support/include_rules.cc";
  const Part* part = PartOf(file.path);
  if (part == nullptr) return {Complaint(file.path, 1, Sentence("belongs to no part; add it to ", kTable))};
  for (const Include& include : Includes(file, '"', '"')) {
    std::string path = PathOf(include.name);
    if (path.empty()) continue;
    const Part* other = PartOf(path);
    if (other == part || (other != nullptr && std::ranges::find(part->below, other->name) != part->below.end()))
      continue;
    complaints.push_back(
        Complaint(file.path, include.line,
                  Sentence(part->name, " may not include ", other == nullptr ? "what is of no part" : other->name, " (",
                           include.name, "); move what both need to a part below both, see ", kTable)));
  }
  return complaints;
}

Complaints LiburingStaysBelow(const SourceFile& file) {
  Complaints complaints;
  if (!IsCpp(file.path) || IsTest(file.path)) return complaints;
  for (std::string_view driver :
       {"proactor/backend/ring.", "proactor/backend/ring_buffers.", "proactor/backend/ring_kernel.",
        "proactor/backend/registered_files.", "proactor/backend/io_uring_proactor.", "proactor/backend/fake_"}) {
    if (file.path.starts_with(driver)) return complaints;
  }
  if (file.path.starts_with("proactor/operation/") && !IsHeader(file.path)) return complaints;
  for (const Include& include : Includes(file, '<', '>')) {
    if (!include.name.starts_with("liburing") && include.name != "linux/io_uring.h") continue;
    complaints.push_back(Complaint(file.path, include.line,
                                   Sentence("includes <", include.name,
                                            ">; declare `struct io_uring_sqe;` instead, or move the code to the .cc of "
                                            "an operation or to proactor/backend/ring")));
  }
  return complaints;
}

}  // namespace proactor::tidy
