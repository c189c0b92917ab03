// SPDX-License-Identifier: Apache-2.0
//
// The rules of this repository that a program can keep, kept. What each rule is: tests/support/*_rules.h.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/tidy_rules.h"
#include "tests/support/tree_rules.h"

namespace proactor::tidy {

// For the name of a failed test.
void PrintTo(const FileRule& rule, std::ostream* out) { *out << rule.name; }
void PrintTo(const TreeRule& rule, std::ostream* out) { *out << rule.name; }

namespace {

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// The text files among the test's data, which are at their places below the working directory.
Tree ReadTree() {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(".")) {
    if (!entry.is_regular_file()) continue;
    std::string text = Read(entry.path());
    bool is_text = text.find('\0') == std::string::npos;
    if (is_text) tree.emplace(entry.path().lexically_normal().string(), std::move(text));
  }
  return tree;
}

const Tree& TheTree() {
  static const Tree tree = ReadTree();
  return tree;
}

// The folders with a BUILD file below the root, data of this test or not: in the work tree that the data links to.
std::vector<std::string> Packages() {
  std::filesystem::path root = std::filesystem::canonical("tests/BUILD.bazel").parent_path().parent_path();
  std::string ignored = Read(root / ".bazelignore");
  std::vector<std::string> packages;
  std::filesystem::recursive_directory_iterator entries(root), end;
  for (; entries != end; ++entries) {
    std::string path = entries->path().lexically_relative(root).string();
    if (entries->is_directory() &&
        (path.starts_with('.') || ("\n" + ignored).find("\n" + path + "\n") != std::string::npos)) {
      entries.disable_recursion_pending();
    } else if (path.ends_with("/BUILD.bazel")) {
      packages.push_back(path.substr(0, path.rfind('/')));
    }
  }
  return packages;
}

std::string Listed(const Complaints& complaints) {
  std::string list = "\n";
  for (const std::string& complaint : complaints) list += complaint + "\n";
  return list;
}

class EveryFile : public ::testing::TestWithParam<FileRule> {};

TEST_P(EveryFile, Keeps) {
  Complaints complaints;
  for (const auto& [path, text] : TheTree()) {
    Complaints more = GetParam().complaints({path, text});
    complaints.insert(complaints.end(), more.begin(), more.end());
  }

  EXPECT_TRUE(complaints.empty()) << Listed(complaints);
}

INSTANTIATE_TEST_SUITE_P(TidyTest, EveryFile, ::testing::ValuesIn(FileRules().begin(), FileRules().end()),
                         [](const auto& info) { return info.param.name; });

class WholeTree : public ::testing::TestWithParam<TreeRule> {};

TEST_P(WholeTree, Keeps) {
  Complaints complaints = GetParam().complaints(TheTree());

  EXPECT_TRUE(complaints.empty()) << Listed(complaints);
}

INSTANTIATE_TEST_SUITE_P(TidyTest, WholeTree, ::testing::ValuesIn(TreeRules().begin(), TreeRules().end()),
                         [](const auto& info) { return info.param.name; });

TEST(TidyTest, SeesEveryPackage) {
  std::vector<std::string> packages = Packages();

  ASSERT_EQ(std::ranges::count(packages, "tests"), 1) << "the work tree is not where the data is";
  Complaints complaints = PackagesAreSeen(TheTree(), packages);
  EXPECT_TRUE(complaints.empty()) << Listed(complaints);
}

}  // namespace
}  // namespace proactor::tidy
