// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tree_rules.h"

#include <algorithm>
#include <set>

namespace proactor::tidy {
namespace {

std::string FolderOf(std::string_view path) {
  size_t slash = path.rfind('/');
  return std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash));
}

// The folder of the BUILD file that is responsible for `path`; empty if there is none in the tree.
std::string PackageOf(const Tree& tree, std::string_view path) {
  std::string folder = FolderOf(path);
  while (!folder.empty() && !tree.contains(folder + "/BUILD.bazel")) folder = FolderOf(folder);
  return folder;
}

}  // namespace

Complaints StemsHaveTests(const Tree& tree) {
  Complaints complaints;
  std::set<std::string> tests;
  for (const auto& [path, text] : tree) {
    if (!IsCpp(path) || IsTest(path)) continue;
    std::string test = Sentence("tests/", path.substr(0, path.rfind('.')), "_test.cc");
    if (tree.contains(test) || !tests.insert(test).second) continue;
    complaints.push_back(Complaint(path, 1, Sentence("no test; write ", test)));
  }
  return complaints;
}

Complaints TestsHaveStems(const Tree& tree) {
  constexpr std::string_view kTests = "tests/", kTest = "_test.cc";
  std::set<std::string> folders;
  for (const auto& [path, text] : tree) {
    if (IsCpp(path) && !IsTest(path)) folders.insert(FolderOf(path));
  }
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    if (!path.starts_with(kTests) || !path.ends_with(kTest)) continue;
    std::string stem = path.substr(kTests.size(), path.size() - kTests.size() - kTest.size());
    if (!folders.contains(FolderOf(stem)) || tree.contains(stem + ".h") || tree.contains(stem + ".cc")) continue;
    complaints.push_back(Complaint(
        path, 1,
        Sentence("there is no ", stem, ".h or .cc; name the test after what it tests, or move it up to tests/")));
  }
  return complaints;
}

Complaints FilesAreInTargets(const Tree& tree) {
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    if (!IsCpp(path)) continue;
    std::string package = PackageOf(tree, path);
    if (package.empty()) {
      complaints.push_back(Complaint(path, 1, Sentence("in no package; write ", FolderOf(path), "/BUILD.bazel")));
      continue;
    }
    std::string build_file = package + "/BUILD.bazel";
    std::string name = path.substr(package.size() + 1);
    if (tree.at(build_file).find(Sentence('"', name, '"')) != std::string::npos) continue;
    complaints.push_back(Complaint(path, 1, Sentence("in no target; name \"", name, "\" in ", build_file)));
  }
  return complaints;
}

Complaints PackagesAreSeen(const Tree& tree, std::span<const std::string> folders) {
  Complaints complaints;
  for (const std::string& folder : folders) {
    std::string build_file = folder + "/BUILD.bazel";
    if (tree.contains(build_file)) continue;
    complaints.push_back(
        Complaint(build_file, 1,
                  Sentence("//tests:tidy_test does not see this package; end it with `filegroup(name = "
                           "\"sources\", srcs = glob([\"**\"]), visibility = [\"//tests:__pkg__\"])` "
                           "and add //",
                           folder, ":sources to the test's data")));
  }
  return complaints;
}

std::span<const TreeRule> TreeRules() {
  static constexpr TreeRule kRules[] = {
      {"StemsHaveTests", StemsHaveTests},
      {"TestsHaveStems", TestsHaveStems},
      {"FilesAreInTargets", FilesAreInTargets},
  };
  return kRules;
}

}  // namespace proactor::tidy
