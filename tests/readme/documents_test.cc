// SPDX-License-Identifier: Apache-2.0
//
// What the documents mention exists, and the commands of README.md are those that CI runs.
//
// A mention is what stands in backticks, what a line of a block of sh says, or where a link goes.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/source_text.h"

namespace proactor::tidy {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

namespace fs = std::filesystem;

constexpr const char* kDocuments[] = {
    "README.md",       "CHANGELOG.md",    "proactor/README.md",        "proactor/RATIONALE.md",
    "tests/README.md", "tools/README.md", "tests/benchmark/README.md",
};

struct Mention {
  std::string text;
  int line;
  bool command = false;  // Of a block of sh.
};

std::string Contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The work tree, which the test's data links to.
const fs::path& Root() {
  static const fs::path root = fs::canonical("README.md").parent_path();
  return root;
}

// What is between `open` and `close`.
std::vector<std::string> Between(std::string_view line, std::string_view open, std::string_view close) {
  std::vector<std::string> pieces;
  for (size_t at; (at = line.find(open)) != std::string_view::npos;) {
    line.remove_prefix(at + open.size());
    size_t end = line.find(close);
    if (end == std::string_view::npos) break;
    pieces.emplace_back(line.substr(0, end));
    line.remove_prefix(end + close.size());
  }
  return pieces;
}

std::vector<Mention> Mentions(const std::string& document) {
  std::vector<Mention> mentions;
  std::string text = Contents(Root() / document);
  std::string_view block;  // The language of the block that the line is in.
  bool inside = false;
  int number = 0;
  for (std::string_view line : Lines(text)) {
    ++number;
    if (line.starts_with("```")) {
      inside = !inside;
      block = inside ? line.substr(3) : "";
    } else if (block == "sh") {
      std::string_view command = line.substr(0, line.find("  #"));
      command = command.substr(0, command.find_last_not_of(' ') + 1);
      if (!command.empty()) mentions.push_back({std::string(command), number, true});
    } else if (!inside) {
      for (const std::string& code : Between(line, "`", "`")) mentions.push_back({code, number});
      for (const std::string& link : Between(line, "](", ")")) mentions.push_back({link, number});
    }
  }
  return mentions;
}

std::vector<std::string> Words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) {
    std::erase_if(word, [](char c) { return c == '"' || c == '\''; });
    words.push_back(word);
  }
  return words;
}

bool IsLabel(std::string_view word) { return word.starts_with("//") || word.starts_with("@"); }

bool IsPath(std::string_view word, const std::string& mention) {
  if (word.starts_with('/') || word.starts_with("--") || word.find("::") != std::string_view::npos) return false;
  bool is_name = std::ranges::all_of(word, [](unsigned char c) { return std::isalnum(c) || std::strchr("_./*-", c); });
  if (!is_name) return false;
  if (word.starts_with('.') && word.size() > 1 && std::islower(word[1]) && word == mention) return true;
  for (std::string_view end : {".md", ".h", ".cc", ".c", ".bazel"}) {
    if (word.ends_with(end)) return true;
  }
  return word.find('/') != std::string_view::npos || word == "WORKSPACE" || word == "LICENSE";
}

// `path` may end with a star.
bool Exists(const fs::path& path) {
  std::string name = path.filename().string();
  if (!name.ends_with('*')) return fs::exists(path);
  name.pop_back();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path.parent_path(), error)) {
    if (entry.path().filename().string().starts_with(name)) return true;
  }
  return false;
}

// From the root, from the folder of the document or of the library, or as an include.
bool PathExists(const std::string& document, const std::string& path) {
  for (const fs::path& folder : {Root(), (Root() / document).parent_path(), Root() / "proactor"}) {
    if (Exists(folder / path)) return true;
  }
  constexpr std::string_view kPrefix = "proactor/";
  return path.starts_with(kPrefix) && Exists(Root() / path.substr(kPrefix.size()));
}

struct Label {
  fs::path package;
  std::string name;  // Empty for all.
};

Label ParseLabel(std::string_view label) {
  label.remove_prefix(label.find("//") + 2);
  size_t colon = std::min(label.find(':'), label.size());
  std::string package(label.substr(0, colon));
  if (package.ends_with("...")) return {package.substr(0, package.size() - 3), ""};
  if (colon < label.size()) return {package, std::string(label.substr(colon + 1))};
  return {package, package.substr(package.rfind('/') + 1)};
}

bool LabelExists(std::string_view text) {
  if (text == "@proactor") text = "//:proactor";
  if (text.starts_with("@") && !text.starts_with("@proactor//")) {
    std::string repository = "\"" + std::string(text.substr(1, text.find('/') - 1)) + "\"";
    return Contents(Root() / "tools/debian/repositories.bzl").find(repository) != std::string::npos;
  }
  Label label = ParseLabel(text);
  if (label.name.empty()) return fs::exists(Root() / label.package);
  std::string build_file = Contents(Root() / label.package / "BUILD.bazel");
  return build_file.find("name = \"" + label.name + "\"") != std::string::npos;
}

// The words in the code of a folder.
std::set<std::string, std::less<>> IdentifiersBelow(const fs::path& folder) {
  std::set<std::string, std::less<>> identifiers;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    std::string extension = entry.path().extension().string();
    bool code = extension == ".h" || extension == ".cc" || extension == ".c";
    if (!code || entry.path().parent_path().filename() == "readme") continue;
    std::string text = Contents(entry.path());
    for (const Identifier& identifier : Identifiers(text)) identifiers.emplace(identifier.name);
  }
  return identifiers;
}

// The words in all code.
const std::set<std::string, std::less<>>& AllIdentifiers() {
  static const auto all = [] {
    std::set<std::string, std::less<>> identifiers;
    for (const char* folder : {"proactor", "net", "fs", "tools", "tests"}) {
      identifiers.merge(IdentifiersBelow(Root() / folder));
    }
    return identifiers;
  }();
  return all;
}

// Whether a word of the code is `name`, or begins with it if there is a star behind it.
bool NameExists(std::string_view name) {
  if (AllIdentifiers().contains(name)) return true;
  auto next = AllIdentifiers().lower_bound(name);
  bool star = *(name.data() + name.size()) == '*';  // Of the string that `name` is a part of.
  return star && next != AllIdentifiers().end() && next->starts_with(name);
}

class DocumentTest : public ::testing::TestWithParam<const char*> {
 protected:
  const std::vector<Mention>& mentions() const { return mentions_; }

  std::string At(const Mention& mention) const {
    return std::string(GetParam()) + ":" + std::to_string(mention.line) + ": ";
  }

 private:
  const std::vector<Mention> mentions_ = Mentions(GetParam());
};

TEST_P(DocumentTest, MentionsPathsThatExist) {
  for (const Mention& mention : mentions()) {
    for (const std::string& word : Words(mention.text)) {
      if (!IsPath(word, mention.text)) continue;
      EXPECT_TRUE(PathExists(GetParam(), word)) << At(mention) << "there is no " << word;
    }
  }
}

TEST_P(DocumentTest, MentionsTargetsThatExist) {
  for (const Mention& mention : mentions()) {
    for (const std::string& word : Words(mention.text)) {
      if (!IsLabel(word)) continue;
      EXPECT_TRUE(LabelExists(word)) << At(mention) << "there is no target " << word;
    }
  }
}

TEST_P(DocumentTest, MentionsConfigurationsThatExist) {
  constexpr std::string_view kConfig = "--config=";
  std::string configurations = Contents(Root() / ".bazelrc");
  for (const Mention& mention : mentions()) {
    for (const std::string& word : Words(mention.text)) {
      if (!word.starts_with(kConfig)) continue;
      EXPECT_THAT(configurations, HasSubstr("\nbuild:" + word.substr(kConfig.size()) + " ")) << At(mention) << word;
    }
  }
}

// Options of programs are words of their sources. (Bazel's own are asked of Bazel, in .ci/readme.)
TEST_P(DocumentTest, MentionsOptionsThatExist) {
  for (const Mention& mention : mentions()) {
    fs::path folder;
    bool of_program = false;
    for (const std::string& word : Words(mention.text)) {
      if (IsLabel(word)) folder = ParseLabel(word).package;
      if (word.starts_with("uring-")) folder = "tools";
      if (word.starts_with("uring-") || word == "--") of_program = true;
      if (!of_program || !word.starts_with("--") || word == "--") continue;
      std::string option = word.substr(2, word.find('=') - 2);
      EXPECT_THAT(IdentifiersBelow(Root() / folder), Contains(option)) << At(mention) << "there is no --" << option;
    }
  }
}

TEST_P(DocumentTest, MentionsNamesThatExist) {
  for (const Mention& mention : mentions()) {
    for (const std::string& word : Words(mention.text)) {
      if (IsPath(word, mention.text) || IsLabel(word)) continue;
      for (const Identifier& identifier : Identifiers(word)) {
        bool of_kernel = identifier.name.starts_with("CAP_");
        bool is_name =
            !of_kernel && std::ranges::any_of(identifier.name, [](unsigned char c) { return std::isupper(c); });
        if (!is_name) continue;
        EXPECT_TRUE(NameExists(identifier.name)) << At(mention) << "nothing is called " << identifier.name;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Every, DocumentTest, ::testing::ValuesIn(kDocuments), [](const auto& info) {
  std::string name = info.param;
  std::erase_if(name, [](unsigned char c) { return !std::isalnum(c); });
  return name;
});

// The commands that .ci/run begins with: `suite "TITLE" OPTION...`, and `step "TITLE" .ci/readme run` or `probe`.
std::vector<std::string> CommandsOfCi() {
  std::vector<std::string> commands;
  std::string run = Contents(Root() / ".ci/run");
  EXPECT_THAT(run, HasSubstr("\n  tools/bazel test \"$@\" "));
  for (std::string_view line : Lines(run)) {
    size_t title_end = line.rfind('"');
    if (line.starts_with("suite \"")) {
      commands.push_back("tools/bazel test" + std::string(line.substr(title_end + 1)) + " //...");
    }
    for (auto [step, begin, end] : {std::array{" .ci/readme run", "  run) ", " | cmp - README.md ;;"},
                                    std::array{" .ci/readme probe", "  probe) ", " || (($? == 1)) ;;"}}) {
      if (!line.starts_with("step \"") || line.substr(title_end + 1) != step) continue;
      std::vector<std::string> found = Between(Contents(Root() / ".ci/readme"), begin, end);
      commands.insert(commands.end(), found.begin(), found.end());
    }
  }
  return commands;
}

TEST(ReadmeTest, ItsCommandsAreThoseThatCiRuns) {
  std::vector<std::string> commands = CommandsOfCi();
  int found = 0;
  for (const Mention& mention : Mentions("README.md")) {
    if (!mention.command) continue;
    ++found;
    EXPECT_THAT(commands, Contains(mention.text)) << "README.md:" << mention.line;
  }
  EXPECT_EQ(found, 3);
}

TEST(ReadmeTest, ItsBlocksAreTestedAsFilesThatSomethingUses) {
  std::string readme = Contents(Root() / "README.md");
  std::string build_file = Contents(Root() / "tests/readme/BUILD.bazel");
  std::string ci = Contents(Root() / ".ci/readme");
  std::vector<std::string> files = Between(readme, "<!-- tested as ", " -->");
  EXPECT_THAT(files, Not(IsEmpty()));
  for (const std::string& file : files) {
    bool by_target = build_file.find("\"" + file + "\"") != std::string::npos;
    bool by_ci = ci.find(" " + file + " ") != std::string::npos || ci.find(" " + file + ";") != std::string::npos;
    EXPECT_TRUE(by_target || by_ci) << file;
  }
}

TEST(ReadmeTest, CiDoesWhatTakesBazel) {
  std::string run = Contents(Root() / ".ci/run");
  for (const char* part : {"run", "depend", "options"}) {
    EXPECT_THAT(run, HasSubstr(std::string(" .ci/readme ") + part + "\n"));
  }
}

}  // namespace
}  // namespace proactor::tidy
