// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tidy_rules.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "tests/support/include_rules.h"
#include "tests/support/source_text.h"

namespace proactor::tidy {
namespace {

using Views = std::vector<std::string_view>;

constexpr size_t kColumns = 120;
constexpr int kFunctionLines = 60;

bool IsScript(const SourceFile& file) { return file.text.starts_with("#!"); }

bool IsBuildFile(std::string_view path) {
  return path.ends_with(".bazel") || path.ends_with(".bzl") || path == "WORKSPACE";
}

bool IsSource(const SourceFile& file) { return IsCpp(file.path) || IsBuildFile(file.path) || IsScript(file); }

size_t Columns(std::string_view line) {
  return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });  // Code points of UTF-8.
}

std::string_view Trimmed(std::string_view line) {
  size_t begin = std::min(line.find_first_not_of(' '), line.size());
  return line.substr(begin, line.find_last_not_of(' ') + 1 - begin);
}

size_t Indentation(std::string_view line) { return line.find_first_not_of(' '); }

// PROACTOR_TASK_H_ for proactor/task.h, PROACTOR_NET_TCP_H_ for net/tcp.h, which users include as proactor/net/tcp.h.
std::string GuardOf(std::string_view path) {
  if (path.starts_with("proactor/")) path.remove_prefix(9);
  std::string guard = "PROACTOR_";
  for (char c : path) guard += std::isalnum(static_cast<unsigned char>(c)) ? std::toupper(c) : '_';
  return guard + "_";
}

struct Word {
  std::string_view word;
  std::string_view remedy;
};

// Parts of names in code. (In prose they are words like others.)
constexpr Word kEmptyNouns[] = {
    {"manager", "say what it does with them"},
    {"managers", "say what they do"},
    {"impl", "name it after what it is made of"},
    {"helper", "say what it does"},
    {"helpers", "say what they do"},
    {"util", "name the noun that it belongs to"},
    {"utils", "name the noun that they belong to"},
};

// Words of any text, in pieces here, so that this file keeps the rule.
constexpr Word kDeskWords[] = {
    {"TO"
     "DO",
     "do it now, or open an issue"},
    {"FIX"
     "ME",
     "fix it now, or open an issue"},
    {"XX"
     "X",
     "say what is wrong, or mend it"},
    {"HA"
     "CK",
     "say why it must be so, or mend it"},
};
constexpr Word kUnclearWords[] = {
    {"ses"
     "sion",
     "say connection, task or run, whichever it is"},
    {"ses"
     "sions",
     "say connections, tasks or runs, whichever they are"},
};
constexpr std::string_view kMachinePaths[] = {
    "/wo"
    "rk/",
    "/fa"
    "rm/",
    "/ro"
    "ot/"};

constexpr std::string_view kSleeps[] = {"sleep", "usleep", "nanosleep", "sleep_for", "sleep_until", "SleepFor"};

// Beginnings of names. What the kernel has had most trouble with, and the library does without; see proactor/README.md.
constexpr std::string_view kOffByDefault[] = {
    "IORING_SETUP_SQPOLL", "IORING_SETUP_IOPOLL", "IORING_SETUP_NO_MMAP", "IORING_SETUP_ATTACH_WQ",
    "IORING_REGISTER_FILES", "IORING_REGISTER_BUFFERS", "IORING_REGISTER_PERSONALITY", "IORING_REGISTER_RESIZE",
    "IORING_REGISTER_ZCRX", "IORING_OP_LINK_TIMEOUT", "IORING_OP_MSG_RING", "IORING_OP_URING_CMD", "IORING_OP_FUTEX",
    "IORING_OP_WAITID", "IORING_OP_RECV_ZC", "IORING_OP_READ_FIXED", "IORING_OP_WRITE_FIXED", "IOSQE_FIXED_FILE",
    "IOSQE_IO_LINK", "IOSQE_IO_HARDLINK", "IOU_PBUF_RING_MMAP", "io_uring_prep_link_timeout",
    "io_uring_prep_msg_ring", "io_uring_prep_send_zc", "io_uring_prep_sendmsg_zc", "io_uring_prep_read_fixed",
    "io_uring_prep_write_fixed", "io_uring_register_files", "io_uring_register_buffers",
    "io_uring_register_personality",
};

// Of these, what some files only are to know of.
constexpr std::string_view kOfRegisteredFiles[] = {"IORING_REGISTER_FILES", "IOSQE_FIXED_FILE"};

template <size_t kSize>
const Word* Find(const Word (&words)[kSize], std::string_view name) {
  const Word* word = std::ranges::find(words, name, &Word::word);
  return word == std::end(words) ? nullptr : word;
}

std::string Replace(std::string_view name, const Word& word) {
  return Sentence("the word ", word.word, " in `", name, "`; ", word.remedy);
}

// What is between the quotes of `before"..."` in a line of a BUILD file.
std::vector<std::string_view> Quoted(std::string_view line, std::string_view before) {
  std::vector<std::string_view> quoted;
  std::string opening = std::string(before);
  for (size_t at = line.find(opening); at != std::string_view::npos; at = line.find(opening, at)) {
    at += opening.size();
    quoted.push_back(line.substr(at, line.find('"', at) - at));
  }
  return quoted;
}

}  // namespace

std::string Complaint(std::string_view path, int line, std::string_view sentence) {
  return Sentence(path, ":", line, ": ", sentence);
}

bool IsHeader(std::string_view path) { return path.ends_with(".h"); }
bool IsCpp(std::string_view path) { return IsHeader(path) || path.ends_with(".cc") || path.ends_with(".c"); }
bool IsTest(std::string_view path) { return path.starts_with("tests/"); }

Complaints NamesItsLicence(const SourceFile& file) {
  if (!IsSource(file)) return {};
  Views lines = Lines(file.text);
  size_t first = IsScript(file) ? 1 : 0;
  std::string licence = Sentence(IsCpp(file.path) ? "//" : "#", " SPDX-License-Identifier: Apache-2.0");
  if (first < lines.size() && lines[first] == licence) return {};
  int number = static_cast<int>(first) + 1;
  return {Complaint(file.path, number, Sentence("no licence; let this line be `", licence, "`"))};
}

Complaints LinesFit(const SourceFile& file) {
  Complaints complaints;
  if (!IsSource(file)) return complaints;
  int number = 0;
  for (std::string_view line : Lines(file.text)) {
    ++number;
    if (size_t columns = Columns(line); columns > kColumns) {
      complaints.push_back(Complaint(file.path, number, Sentence(columns, " columns; break the line at ", kColumns)));
    }
  }
  return complaints;
}

Complaints FileIsShort(const SourceFile& file) {
  if (!IsCpp(file.path) || file.path.ends_with("_test.cc")) return {};
  bool backend = file.path.starts_with("proactor/backend/");
  size_t most = IsHeader(file.path) ? 200 : backend ? 500 : 400;
  size_t lines = Lines(file.text).size();
  if (lines <= most) return {};
  return {Complaint(file.path, static_cast<int>(lines),
                    Sentence(lines, " lines; find the second noun in it, which gets a file of its own (at most ", most,
                             " lines here)"))};
}

// By indentation, which the formatter keeps true: from a line to the bare brace that closes at the same depth.
Complaints FunctionsAreShort(const SourceFile& file) {
  Complaints complaints;
  if (!IsCpp(file.path)) return complaints;
  std::string code = CodeOf(file.text);
  Views code_lines = Lines(code);
  Views lines = Lines(file.text);
  for (size_t end = 0; end < code_lines.size(); ++end) {
    // With the remark behind it, which that of a namespace has, it is not bare.
    if (Trimmed(code_lines[end]) != "}" || Trimmed(lines[end]) != "}") continue;
    size_t depth = Indentation(code_lines[end]);
    size_t begin = end;
    while (begin-- > 0) {
      std::string_view line = code_lines[begin];
      if (Indentation(line) == depth && line[depth] != '#') break;
    }
    int length = static_cast<int>(end - begin) + 1;
    if (begin < end && length > kFunctionLines) {
      complaints.push_back(Complaint(
          file.path, static_cast<int>(begin) + 1,
          Sentence("a function of ", length, " lines; give a part of it a name (at most ", kFunctionLines, " lines)")));
    }
  }
  return complaints;
}

Complaints GuardIsNamedAfterPath(const SourceFile& file) {
  if (!IsHeader(file.path)) return {};
  std::string guard = GuardOf(file.path);
  Views directives;
  int number = 0, first = 1;
  for (std::string_view line : Lines(file.text)) {
    ++number;
    if (!line.starts_with("#")) continue;
    if (directives.empty()) first = number;
    directives.push_back(line);
  }
  if (directives.size() >= 3 && directives[0] == "#ifndef " + guard && directives[1] == "#define " + guard &&
      directives.back() == "#endif  // " + guard) {
    return {};
  }
  return {Complaint(file.path, first,
                    Sentence("no guard that is named after the path; #ifndef ", guard, ", #define ", guard,
                             " ... #endif  // ", guard))};
}

Complaints HeaderShowsAnExample(const SourceFile& file) {
  if (!IsHeader(file.path) || IsTest(file.path)) return {};
  std::string_view before;
  for (std::string_view line : Lines(file.text)) {
    if (!line.starts_with("//")) break;
    if (before == "//" && line.starts_with("//   ") && line.size() > 5 && line[5] != ' ') return {};
    before = line;
  }
  return {Complaint(file.path, 1,
                    "no example in the comment at the top; show a few lines of use, indented by three spaces, below an "
                    "empty `//`")};
}

Complaints HeaderDefinesNoMacros(const SourceFile& file) {
  Complaints complaints;
  if (!IsHeader(file.path) || IsTest(file.path)) return complaints;
  std::string code = CodeOf(file.text);
  int number = 0;
  for (std::string_view line : Lines(code)) {
    ++number;
    std::string_view directive = Trimmed(line);
    if (!directive.starts_with("#")) continue;
    directive = Trimmed(directive.substr(1));
    if (!directive.starts_with("define ") || Trimmed(directive.substr(7)) == GuardOf(file.path)) continue;
    complaints.push_back(Complaint(file.path, number,
                                   "a macro, which users get whether they want it or not; write a function, a template "
                                   "or a constant"));
  }
  return complaints;
}

Complaints WordsAreOurs(const SourceFile& file) {
  Complaints complaints;
  auto complain = [&](int line, std::string_view sentence) {
    complaints.push_back(Complaint(file.path, line, sentence));
  };
  std::string code = IsCpp(file.path) ? CodeOf(file.text) : "";
  for (const Identifier& identifier : Identifiers(code)) {
    for (const std::string& part : WordsOf(identifier.name)) {
      if (const Word* word = Find(kEmptyNouns, part)) complain(identifier.line, Replace(identifier.name, *word));
    }
  }
  for (const Identifier& identifier : Identifiers(file.text)) {
    if (const Word* word = Find(kDeskWords, identifier.name))
      complain(identifier.line, Replace(identifier.name, *word));
    for (const std::string& part : WordsOf(identifier.name)) {
      if (const Word* word = Find(kUnclearWords, part)) complain(identifier.line, Replace(identifier.name, *word));
    }
  }
  int number = 0;
  for (std::string_view line : Lines(file.text)) {
    ++number;
    for (std::string_view path : kMachinePaths) {
      if (line.find(path) == std::string_view::npos) continue;
      complain(number, Sentence(path, " is a path of one machine; write one from the root of the repository"));
    }
  }
  number = 0;
  for (std::string_view line : Lines(code)) {
    ++number;
    if (line.find("using namespace std") == std::string_view::npos) continue;
    complain(number, "using namespace std; write std:: where a name is used");
  }
  return complaints;
}

Complaints NothingSleeps(const SourceFile& file) {
  Complaints complaints;
  bool measures = file.path.starts_with("tests/benchmark/") && !file.path.ends_with("_test.cc");
  bool is_the_pause = file.path == "proactor/backend/machine.cc";  // Tests have another machine.
  if (!IsCpp(file.path) || measures || is_the_pause) return complaints;
  std::string code = CodeOf(file.text);
  for (const Identifier& identifier : Identifiers(code)) {
    bool sleeps = std::ranges::find(kSleeps, identifier.name) != std::end(kSleeps);
    size_t behind = static_cast<size_t>(identifier.name.data() - code.data()) + identifier.name.size();
    bool called = code.compare(behind, 1, "(") == 0 && code.compare(behind, 2, "()") != 0;  // They take an argument.
    if (!sleeps || !called) continue;
    complaints.push_back(Complaint(file.path, identifier.line,
                                   Sentence("a call of ", identifier.name,
                                            "; wait, with a deadline, for what is to happen, or use simulated time")));
  }
  return complaints;
}

Complaints RingStaysPlain(const SourceFile& file) {
  Complaints complaints;
  bool kernel_side = file.path.starts_with("proactor/backend/fake_");
  bool registers = file.path.find("/registered_file") != std::string::npos;
  if (!IsCpp(file.path) || IsTest(file.path) || kernel_side) return complaints;
  std::string code = CodeOf(file.text);
  for (const Identifier& identifier : Identifiers(code)) {
    auto begins = [&](std::string_view name) { return identifier.name.starts_with(name); };
    if (std::ranges::none_of(kOffByDefault, begins)) continue;
    if (registers && std::ranges::any_of(kOfRegisteredFiles, begins)) continue;
    complaints.push_back(Complaint(file.path, identifier.line,
                                   Sentence("`", identifier.name,
                                            "`, which proactor/README.md says is off; do without it, or make it "
                                            "something that users ask for and change the list and the document")));
  }
  return complaints;
}

Complaints TargetsAreInOrder(const SourceFile& file) {
  Complaints complaints;
  if (!file.path.ends_with("BUILD.bazel")) return complaints;
  std::set<std::string_view> defined;
  int number = 0;
  for (std::string_view line : Lines(file.text)) {
    ++number;
    for (std::string_view name : Quoted(line, "name = \"")) defined.insert(name);
    for (std::string_view name : Quoted(line, "\":")) {
      if (name.starts_with(' ') || defined.contains(name)) continue;  // A space follows the key of a dictionary.
      complaints.push_back(
          Complaint(file.path, number,
                    Sentence("`:", name, "` is used above where it is defined; move it up, or the user down")));
    }
  }
  return complaints;
}

Complaints TestFileIsNamedTest(const SourceFile& file) {
  if (!IsCpp(file.path) || IsHeader(file.path) || file.path.ends_with("_test.cc")) return {};
  static constexpr std::string_view kTests[] = {"TEST", "TEST_F", "TEST_P", "TYPED_TEST"};
  std::string code = CodeOf(file.text);
  for (const Identifier& identifier : Identifiers(code)) {
    if (std::ranges::find(kTests, identifier.name) == std::end(kTests)) continue;
    return {Complaint(file.path, identifier.line, "a test in a file whose name does not end in _test.cc; rename it")};
  }
  return {};
}

std::span<const FileRule> FileRules() {
  static constexpr FileRule kRules[] = {
      {"NamesItsLicence", NamesItsLicence},
      {"LinesFit", LinesFit},
      {"FileIsShort", FileIsShort},
      {"FunctionsAreShort", FunctionsAreShort},
      {"GuardIsNamedAfterPath", GuardIsNamedAfterPath},
      {"HeaderShowsAnExample", HeaderShowsAnExample},
      {"HeaderDefinesNoMacros", HeaderDefinesNoMacros},
      {"WordsAreOurs", WordsAreOurs},
      {"NothingSleeps", NothingSleeps},
      {"RingStaysPlain", RingStaysPlain},
      {"TargetsAreInOrder", TargetsAreInOrder},
      {"TestFileIsNamedTest", TestFileIsNamedTest},
      {"IncludesGoDownward", IncludesGoDownward},
      {"LiburingStaysBelow", LiburingStaysBelow},
  };
  return kRules;
}

}  // namespace proactor::tidy
