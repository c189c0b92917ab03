// SPDX-License-Identifier: Apache-2.0
//
// What the rules of tidy_rules.h see of a C++ file: its lines, and its code without comments and literals.
//
//   CodeOf("f(\"// text\");  // remark") == "f(\"       \");           "
#ifndef PROACTOR_TESTS_SUPPORT_SOURCE_TEXT_H_
#define PROACTOR_TESTS_SUPPORT_SOURCE_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace proactor::tidy {

// Without their newlines. A newline at the end of the text ends the last line and begins no other.
std::vector<std::string_view> Lines(std::string_view text);

// The text with spaces for what stands in comments and in string and character literals, so that every remaining
// character is code and stands where it stood.
std::string CodeOf(std::string_view text);

struct Identifier {
  std::string_view name;
  int line = 0;  // From 1.
};

// Names, keywords, and the words of plain text.
std::vector<Identifier> Identifiers(std::string_view text);

// The words that an identifier is made of, in lower case: {"http", "server", "id"} for "HTTPServer_id".
std::vector<std::string> WordsOf(std::string_view identifier);

}  // namespace proactor::tidy

#endif  // PROACTOR_TESTS_SUPPORT_SOURCE_TEXT_H_
