// SPDX-License-Identifier: Apache-2.0
#include "tests/support/source_text.h"

#include <algorithm>
#include <cctype>

namespace proactor::tidy {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool IsUpper(char c) { return std::isupper(static_cast<unsigned char>(c)); }
bool IsLower(char c) { return std::islower(static_cast<unsigned char>(c)); }

// Where the literal ends whose opening quote is at `quote`: behind its closing quote, or at the end of the text. The
// contents are what lies between `*from` and `*to`.
size_t EndOfLiteral(std::string_view text, size_t quote, size_t* from, size_t* to) {
  bool raw = text[quote] == '"' && quote > 0 && text[quote - 1] == 'R';
  *from = quote + 1;
  if (raw) {
    size_t open = text.find('(', quote);
    if (open == std::string_view::npos) return *to = text.size();
    std::string close = ")" + std::string(text.substr(quote + 1, open - quote - 1)) + "\"";
    *from = open + 1;
    *to = std::min(text.find(close, open), text.size());
    return std::min(*to + close.size(), text.size());
  }
  size_t end = *from;
  while (end < text.size() && text[end] != text[quote] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
  *to = std::min(end, text.size());
  return std::min(end + 1, text.size());
}

}  // namespace

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string CodeOf(std::string_view text) {
  std::string code(text);
  auto blank = [&code](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
  };
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text.substr(i, 2) == "//") {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.substr(i, 2) == "/*") {
      end = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
      blank(i, end);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !IsWord(text[i - 1])))) {  // 1'000 is one number.
      size_t from, to;
      end = EndOfLiteral(text, i, &from, &to);
      blank(from, to);
    }
    i = end;
  }
  return code;
}

std::vector<Identifier> Identifiers(std::string_view text) {
  std::vector<Identifier> identifiers;
  int number = 0;
  for (std::string_view line : Lines(text)) {
    ++number;
    for (size_t i = 0; i < line.size();) {
      size_t end = i;
      while (end < line.size() && IsWord(line[end])) ++end;
      if (end > i) identifiers.push_back({line.substr(i, end - i), number});
      i = end + 1;
    }
  }
  return identifiers;
}

std::vector<std::string> WordsOf(std::string_view identifier) {
  std::vector<std::string> words;
  bool begins = true;
  for (size_t i = 0; i < identifier.size(); ++i) {
    char c = identifier[i];
    if (c == '_') {
      begins = true;
      continue;
    }
    bool next_is_lower = i + 1 < identifier.size() && IsLower(identifier[i + 1]);
    if (IsUpper(c) && i > 0 && (!IsUpper(identifier[i - 1]) || next_is_lower)) begins = true;
    if (begins) words.emplace_back();
    begins = false;
    words.back().push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return words;
}

}  // namespace proactor::tidy
