// SPDX-License-Identifier: Apache-2.0
//
// The rules of this repository that a program can keep, about one file each. Every rule yields its complaints, each
// with the file, the line, what is wrong there and what to do instead.
//
//   LinesFit({"net/tcp.h", text}) == {"net/tcp.h:7: 121 columns; break the line at 120"}
//
// No rule has exceptions: where one is wrong, it is changed.
#ifndef PROACTOR_TESTS_SUPPORT_TIDY_RULES_H_
#define PROACTOR_TESTS_SUPPORT_TIDY_RULES_H_

#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace proactor::tidy {

struct SourceFile {
  std::string path;  // From the root of the repository.
  std::string text;
};

using Complaints = std::vector<std::string>;

// "net/tcp.h:7: sentence"
std::string Complaint(std::string_view path, int line, std::string_view sentence);

// The parts in one string.
template <class... Parts>
std::string Sentence(const Parts&... parts) {
  std::ostringstream sentence;
  (sentence << ... << parts);
  return sentence.str();
}

bool IsHeader(std::string_view path);
bool IsCpp(std::string_view path);   // Or C: a header or a source.
bool IsTest(std::string_view path);  // Anything in tests/.

// The first line names the licence; in scripts the second.
Complaints NamesItsLicence(const SourceFile& file);
Complaints LinesFit(const SourceFile& file);
// Files and functions stay within what a person reads in one go.
Complaints FileIsShort(const SourceFile& file);
Complaints FunctionsAreShort(const SourceFile& file);

Complaints GuardIsNamedAfterPath(const SourceFile& file);
// A header is the manual of its noun: it begins with what that is and how it is used.
Complaints HeaderShowsAnExample(const SourceFile& file);
Complaints HeaderDefinesNoMacros(const SourceFile& file);

// Words that say nothing, or that are for our own desks.
Complaints WordsAreOurs(const SourceFile& file);
// Nothing waits for time to pass, least of all a test. (What measures may let the machine settle.)
Complaints NothingSleeps(const SourceFile& file);
// The library uses nothing of io_uring that it promises to leave off.
Complaints RingStaysPlain(const SourceFile& file);

// Targets stand below those that they use, so that a BUILD file reads from the bottom up.
Complaints TargetsAreInOrder(const SourceFile& file);
Complaints TestFileIsNamedTest(const SourceFile& file);

struct FileRule {
  const char* name;
  Complaints (*complaints)(const SourceFile& file);
};

// All rules about one file: the ones above, and those of include_rules.h.
std::span<const FileRule> FileRules();

}  // namespace proactor::tidy

#endif  // PROACTOR_TESTS_SUPPORT_TIDY_RULES_H_
