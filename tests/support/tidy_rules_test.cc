// SPDX-License-Identifier: Apache-2.0
//
// Every rule of //tests:tidy_test, broken once: that it complains, where, and in which words; and what it lets pass.
#include "tests/support/tidy_rules.h"

#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/include_rules.h"
#include "tests/support/source_text.h"
#include "tests/support/tree_rules.h"

namespace proactor::tidy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Repeated(int times, std::string_view text) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST(SourceTextTest, CodeHasNeitherCommentsNorLiterals) {
  EXPECT_EQ(CodeOf("f(); // TEXT\ng();"), "f();        \ng();");
  EXPECT_EQ(CodeOf("/* TEXT\nTEXT */ f();"), "       \n        f();");
  EXPECT_EQ(CodeOf("/* TEXT"), "       ");
  EXPECT_EQ(CodeOf(R"(f("TEXT \" TEXT", 'T', '"'); g();)"), R"(f("            ", ' ', ' '); g();)");
  EXPECT_EQ(CodeOf(R"(f("// TEXT"); g();)"), R"(f("       "); g();)");
  EXPECT_EQ(CodeOf("f(R\"x(TEXT )\" \n)x\"); g();"), "f(R\"x(        \n)x\"); g();");
  EXPECT_EQ(CodeOf("i = 1'000; j = 1'000;"), "i = 1'000; j = 1'000;");
  EXPECT_EQ(CodeOf("\"TEXT"), "\"    ");
}

TEST(SourceTextTest, LinesDoNotCountTheNewlineAtTheEnd) {
  EXPECT_THAT(Lines(""), IsEmpty());
  EXPECT_THAT(Lines("a\n\nb\n"), ElementsAre("a", "", "b"));
  EXPECT_THAT(Lines("a\nb"), ElementsAre("a", "b"));
}

TEST(SourceTextTest, IdentifiersAreMadeOfWords) {
  EXPECT_THAT(WordsOf("HTTPServer_id"), ElementsAre("http", "server", "id"));
  EXPECT_THAT(WordsOf("kMaxSize"), ElementsAre("k", "max", "size"));
  EXPECT_THAT(WordsOf("simple"), ElementsAre("simple"));
  EXPECT_THAT(WordsOf("__x_"), ElementsAre("x"));
}

TEST(NamesItsLicenceTest, ComplainsAboutSourcesWithout) {
  EXPECT_THAT(NamesItsLicence({"net/tcp.h", "// TCP.\n"}),
              ElementsAre("net/tcp.h:1: no licence; let this line be `// SPDX-License-Identifier: Apache-2.0`"));
  EXPECT_THAT(NamesItsLicence({"net/BUILD.bazel", ""}),
              ElementsAre("net/BUILD.bazel:1: no licence; let this line be `# SPDX-License-Identifier: Apache-2.0`"));
  EXPECT_THAT(NamesItsLicence({"tools/debian/abseil.bzl", "x = 1\n"}),
              ElementsAre("tools/debian/abseil.bzl:1: no licence; let this line be `# SPDX-License-Identifier: "
                          "Apache-2.0`"));
  EXPECT_THAT(NamesItsLicence({"tools/bazel", "#!/bin/bash\nset -eu\n"}),
              ElementsAre("tools/bazel:2: no licence; let this line be `# SPDX-License-Identifier: Apache-2.0`"));

  EXPECT_THAT(NamesItsLicence({"net/tcp.h", "// SPDX-License-Identifier: Apache-2.0\n"}), IsEmpty());
  EXPECT_THAT(NamesItsLicence({"tools/bazel", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n"}), IsEmpty());
  EXPECT_THAT(NamesItsLicence({"proactor/README.md", "# Proactor\n"}), IsEmpty());
}

TEST(LinesFitTest, ComplainsAbout121Columns) {
  EXPECT_THAT(LinesFit({"net/tcp.h", "short\n" + Repeated(121, "x") + "\n"}),
              ElementsAre("net/tcp.h:2: 121 columns; break the line at 120"));

  EXPECT_THAT(LinesFit({"net/tcp.h", Repeated(120, "x")}), IsEmpty());
  EXPECT_THAT(LinesFit({"net/tcp.h", Repeated(120, "…")}), IsEmpty()) << "a column may take several bytes";
}

TEST(FileIsShortTest, ComplainsAboutMoreLinesThanItsKindMayHave) {
  EXPECT_THAT(FileIsShort({"net/tcp.h", Repeated(201, "\n")}),
              ElementsAre("net/tcp.h:201: 201 lines; find the second noun in it, which gets a file of its own (at most "
                          "200 lines here)"));
  EXPECT_THAT(FileIsShort({"net/tcp.cc", Repeated(401, "\n")}),
              ElementsAre("net/tcp.cc:401: 401 lines; find the second noun in it, which gets a file of its own (at "
                          "most 400 lines here)"));
  EXPECT_THAT(FileIsShort({"proactor/backend/ring.cc", Repeated(501, "\n")}),
              ElementsAre("proactor/backend/ring.cc:501: 501 lines; find the second noun in it, which gets a file of "
                          "its own (at most 500 lines here)"));

  EXPECT_THAT(FileIsShort({"net/tcp.h", Repeated(200, "\n")}), IsEmpty());
  EXPECT_THAT(FileIsShort({"net/tcp.cc", Repeated(400, "\n")}), IsEmpty());
  EXPECT_THAT(FileIsShort({"proactor/backend/ring.cc", Repeated(500, "\n")}), IsEmpty());
  EXPECT_THAT(FileIsShort({"tests/net/tcp_test.cc", Repeated(1000, "\n")}), IsEmpty());
}

TEST(FunctionsAreShortTest, ComplainsAboutMoreThan60Lines) {
  EXPECT_THAT(FunctionsAreShort({"a.cc", "namespace a {\n\nint F(int a,\n      int b) {\n" + Repeated(58, "  G();\n") +
                                             "}\n\n}  // namespace a\n"}),
              ElementsAre("a.cc:3: a function of 61 lines; give a part of it a name (at most 60 lines)"));
  EXPECT_THAT(FunctionsAreShort({"a.h", "class A {\n  void F() {\n" + Repeated(59, "    G();\n") + "  }\n};\n"}),
              ElementsAre("a.h:2: a function of 61 lines; give a part of it a name (at most 60 lines)"));

  EXPECT_THAT(FunctionsAreShort({"a.cc", "void F() {\n" + Repeated(58, "  G();\n") + "}\n"}), IsEmpty());
  EXPECT_THAT(FunctionsAreShort({"a.h", "class A {\n" + Repeated(99, "  int a;\n") + "};\n"}), IsEmpty());
  EXPECT_THAT(FunctionsAreShort({"a.cc", "namespace a {\n" + Repeated(99, "\n") + "}  // namespace a\n"}), IsEmpty());
}

TEST(GuardIsNamedAfterPathTest, ComplainsAboutOtherNames) {
  EXPECT_THAT(GuardIsNamedAfterPath({"net/tcp.h", "// TCP.\n#ifndef TCP_H\n#define TCP_H\n#endif  // TCP_H\n"}),
              ElementsAre("net/tcp.h:2: no guard that is named after the path; #ifndef PROACTOR_NET_TCP_H_, #define "
                          "PROACTOR_NET_TCP_H_ ... #endif  // PROACTOR_NET_TCP_H_"));
  EXPECT_THAT(GuardIsNamedAfterPath({"net/tcp.h", "#pragma once\n"}).size(), 1u);
  EXPECT_THAT(
      GuardIsNamedAfterPath({"net/tcp.h", "#ifndef PROACTOR_NET_TCP_H_\n#define PROACTOR_NET_TCP_H_\n#endif\n"}).size(),
      1u);

  EXPECT_THAT(GuardIsNamedAfterPath({"proactor/backend/ring.h",
                                     "#ifndef PROACTOR_BACKEND_RING_H_\n#define PROACTOR_BACKEND_RING_H_\n"
                                     "#include <x>\n#endif  // PROACTOR_BACKEND_RING_H_\n"}),
              IsEmpty());
}

TEST(HeaderShowsAnExampleTest, ComplainsAboutHeadersWithout) {
  EXPECT_THAT(HeaderShowsAnExample({"net/tcp.h", "// TCP.\n//\n// Errors: some.\n//   A continuation.\n#ifndef X\n"}),
              ElementsAre("net/tcp.h:1: no example in the comment at the top; show a few lines of use, indented by "
                          "three spaces, below an empty `//`"));
  EXPECT_THAT(HeaderShowsAnExample({"net/tcp.h", "// TCP.\n#ifndef X\n//\n//   F();\n"}).size(), 1u);

  EXPECT_THAT(HeaderShowsAnExample({"net/tcp.h", "// TCP.\n//\n//   F();\n"}), IsEmpty());
  EXPECT_THAT(HeaderShowsAnExample({"tests/support/backends.h", "// One test.\n"}), IsEmpty());
}

TEST(HeaderDefinesNoMacrosTest, ComplainsAboutAllButTheGuard) {
  EXPECT_THAT(
      HeaderDefinesNoMacros(
          {"net/tcp.h", "#ifndef PROACTOR_NET_TCP_H_\n#define PROACTOR_NET_TCP_H_\n#define F(x) x\n"}),
      ElementsAre("net/tcp.h:3: a macro, which users get whether they want it or not; write a function, a template or "
                  "a constant"));
  EXPECT_THAT(HeaderDefinesNoMacros({"net/tcp.h", "  #  define F\n"}).size(), 1u);

  EXPECT_THAT(HeaderDefinesNoMacros({"net/tcp.h", "// #define F\n#if defined(F)\n"}), IsEmpty());
  EXPECT_THAT(HeaderDefinesNoMacros({"net/tcp.cc", "#define F\n"}), IsEmpty());
}

TEST(WordsAreOursTest, ComplainsAboutNamesThatSayNothing) {
  EXPECT_THAT(WordsAreOurs({"a.h", "class TaskManager;\nint foo_impl_;\n"}),
              ElementsAre("a.h:1: the word manager in `TaskManager`; say what it does with them",
                          "a.h:2: the word impl in `foo_impl_`; name it after what it is made of"));
  EXPECT_THAT(WordsAreOurs({"a.h", "TestHelpers StringUtils Util Helper"}).size(), 4u);

  EXPECT_THAT(WordsAreOurs({"a.h", "int implement, utility, helped;  // A helper.\n"}), IsEmpty());
  EXPECT_THAT(WordsAreOurs({"README.md", "class TaskManager;"}), IsEmpty());
}

TEST(WordsAreOursTest, ComplainsAboutWordsForOurOwnDesks) {
  EXPECT_THAT(WordsAreOurs({"a.h",
                            "\n// TO"
                            "DO: mend.\n"}),
              ElementsAre("a.h:2: the word TO"
                          "DO in `TO"
                          "DO`; do it now, or open an issue"));
  EXPECT_THAT(WordsAreOurs({"README.md",
                            "FIX"
                            "ME XX"
                            "X HA"
                            "CK"})
                  .size(),
              3u);
  EXPECT_THAT(WordsAreOurs({"a.sh",
                            "cd /wo"
                            "rk/main"}),
              ElementsAre("a.sh:1: /wo"
                          "rk/ is a path of one machine; write one from the root of the repository"));

  EXPECT_THAT(WordsAreOurs({"a.cc", "mkstemp(\"XXXXXX\")"}), IsEmpty());
}

TEST(WordsAreOursTest, ComplainsAboutUnclearWords) {
  EXPECT_THAT(WordsAreOurs({"a.h",
                            "// Ses"
                            "sion.\nSes"
                            "sionPool pool;\n"}),
              ElementsAre("a.h:1: the word ses"
                          "sion in `Ses"
                          "sion`; say connection, task or run, whichever it is",
                          "a.h:2: the word ses"
                          "sion in `Ses"
                          "sionPool`; say connection, task or run, whichever it is"));
}

TEST(WordsAreOursTest, ComplainsAboutNamesWithoutTheirNamespace) {
  EXPECT_THAT(WordsAreOurs({"a.cc", "using namespace std;\n"}),
              ElementsAre("a.cc:1: using namespace std; write std:: where a name is used"));

  EXPECT_THAT(WordsAreOurs({"a.cc", "using namespace proactor;  // Not using namespace std.\n"}), IsEmpty());
}

TEST(NothingSleepsTest, ComplainsAboutCallsThatWaitForTime) {
  EXPECT_THAT(
      NothingSleeps({"tests/a_test.cc", "\nstd::this_thread::sleep_for(x);\n"}),
      ElementsAre("tests/a_test.cc:2: a call of sleep_for; wait, with a deadline, for what is to happen, or use "
                  "simulated time"));
  EXPECT_THAT(
      NothingSleeps({"a.cc", "sleep(1); usleep(1); nanosleep(&t, &t); absl::SleepFor(x); x::sleep_until(t);"}).size(),
      5u);
  EXPECT_THAT(NothingSleeps({"tests/benchmark/a_test.cc", "sleep(1);"}).size(), 1u);

  EXPECT_THAT(NothingSleeps({"a.cc", "co_await Sleep(x); bool sleep = false; Spawn(sleep());  // sleep(3)\n"}),
              IsEmpty());
  EXPECT_THAT(NothingSleeps({"tests/benchmark/a.cc", "sleep(1);"}), IsEmpty());
}

TEST(RingStaysPlainTest, ComplainsAboutWhatIsOffByDefault) {
  EXPECT_THAT(RingStaysPlain({"proactor/a.cc", "\nflags |= IORING_SETUP_SQPOLL;\n"}),
              ElementsAre("proactor/a.cc:2: `IORING_SETUP_SQPOLL`, which proactor/README.md says is off; do without "
                          "it, or make it something that users ask for and change the list and the document"));
  EXPECT_THAT(RingStaysPlain({"proactor/a.cc", "io_uring_prep_send_zc_fixed(e); x = IORING_OP_MSG_RING;"}).size(), 2u);

  EXPECT_THAT(RingStaysPlain({"proactor/a.cc", "flags |= IORING_SETUP_SINGLE_ISSUER;  // IORING_SETUP_SQPOLL"}),
              IsEmpty());
  EXPECT_THAT(RingStaysPlain({"tests/a.cc", "flags |= IORING_SETUP_SQPOLL;"}), IsEmpty());
  EXPECT_THAT(RingStaysPlain({"proactor/a.cc", "flags |= IOSQE_FIXED_FILE;"}).size(), 1u);
  EXPECT_THAT(RingStaysPlain({"proactor/registered_file.cc", "flags |= IOSQE_FIXED_FILE;"}), IsEmpty());
  EXPECT_THAT(RingStaysPlain({"proactor/registered_file.cc", "flags |= IOSQE_IO_LINK;"}).size(), 1u);
}

TEST(TargetsAreInOrderTest, ComplainsAboutUsesBeforeDefinitions) {
  EXPECT_THAT(TargetsAreInOrder({"net/BUILD.bazel", "name = \"tcp\",\ndeps = [\":address\"],\nname = \"address\",\n"}),
              ElementsAre("net/BUILD.bazel:2: `:address` is used above where it is defined; move it up, or the user "
                          "down"));

  EXPECT_THAT(TargetsAreInOrder({"net/BUILD.bazel", "name = \"address\",\nname = \"tcp\",\n\":address\",\n"}),
              IsEmpty());
  EXPECT_THAT(TargetsAreInOrder({"net/BUILD.bazel", "select({\"//conditions:default\": [\"a\"]})\n"}), IsEmpty());
}

TEST(TestFileIsNamedTestTest, ComplainsAboutTestsElsewhere) {
  EXPECT_THAT(TestFileIsNamedTest({"tests/net/tcp.cc", "\nTEST_P(TcpTest, Reads) {}\n"}),
              ElementsAre("tests/net/tcp.cc:2: a test in a file whose name does not end in _test.cc; rename it"));

  EXPECT_THAT(TestFileIsNamedTest({"tests/net/tcp_test.cc", "TEST(TcpTest, Reads) {}\n"}), IsEmpty());
  EXPECT_THAT(TestFileIsNamedTest({"tests/support/backends.cc", "// TEST\n"}), IsEmpty());
}

TEST(IncludesGoDownwardTest, ComplainsAboutIncludesOfWhatIsAbove) {
  EXPECT_THAT(
      IncludesGoDownward({"proactor/task.h", "\n#include \"proactor/scheduler.h\"\n"}),
      ElementsAre("proactor/task.h:2: language may not include scheduler (proactor/scheduler.h); move what both "
                  "need to a part below both, see kParts in tests/support/include_rules.cc"));
  struct {
    const char* path;
    const char* include;
  } upward[] = {
      {"proactor/cancellation.cc", "proactor/proactor.h"},
      {"proactor/system.h", "proactor/log.h"},
      {"proactor/backend/ring.h", "proactor/operation/read.h"},
      {"proactor/backend/ring.h", "proactor/scheduler.h"},
      {"proactor/operation/read.h", "proactor/backend/ring.h"},
      {"proactor/operation/operation_base.h", "proactor/descriptor.h"},
      {"proactor/scheduler.h", "proactor/backend/io_uring_proactor.h"},
      {"proactor/run.h", "proactor/net/tcp.h"},
      {"net/tcp.h", "proactor/backend/ring.h"},
      {"net/tcp.h", "proactor/fs/file.h"},
      {"fs/file.h", "proactor/backend/ring.h"},
      {"tools/uring_cat.cc", "proactor/operation/read.h"},
      {"fs/file.cc", "proactor/testing/simulated_world.h"},
      {"fs/file.cc", "tests/support/backends.h"},
  };
  for (auto [path, include] : upward) {
    EXPECT_EQ(IncludesGoDownward({path, Sentence("#include \"", include, "\"\n")}).size(), 1u)
        << path << " " << include;
  }

  std::string protocol = "#include \"proactor/proactor.h\"\n#include \"proactor/operation/operation_base.h\"\n";
  EXPECT_THAT(IncludesGoDownward({"proactor/operation/operation_base.cc", protocol}), IsEmpty());
  EXPECT_THAT(IncludesGoDownward({"proactor/operation/read.h", protocol}), IsEmpty());
  EXPECT_THAT(IncludesGoDownward({"proactor/task.h", "#include \"absl/status/status.h\"\n#include <span>\n"}),
              IsEmpty());
  EXPECT_THAT(IncludesGoDownward({"proactor/task.h", "// #include \"proactor/scheduler.h\"\n"}), IsEmpty());
}

TEST(IncludesGoDownwardTest, ComplainsAboutFilesThatAreOfNoPart) {
  EXPECT_THAT(IncludesGoDownward({"proactor/new_noun.h", ""}),
              ElementsAre("proactor/new_noun.h:1: belongs to no part; add it to kParts in "
                          "tests/support/include_rules.cc"));
  EXPECT_THAT(IncludesGoDownward({"net/tcp.h", "#include \"proactor/new_noun.h\"\n"}),
              ElementsAre("net/tcp.h:1: net may not include what is of no part (proactor/new_noun.h); move what both "
                          "need to a part below both, see kParts in tests/support/include_rules.cc"));
}

TEST(LiburingStaysBelowTest, ComplainsWhereUsersOrOthersWouldSeeIt) {
  EXPECT_THAT(LiburingStaysBelow({"proactor/operation/read.h", "\n#include <liburing.h>\n"}),
              ElementsAre("proactor/operation/read.h:2: includes <liburing.h>; declare `struct io_uring_sqe;` instead, "
                          "or move the code to the .cc of an operation or to proactor/backend/ring"));
  EXPECT_THAT(LiburingStaysBelow({"proactor/scheduler.cc", "#include <linux/io_uring.h>\n"}).size(), 1u);
  EXPECT_THAT(LiburingStaysBelow({"net/tcp.cc", "#include <liburing/io_uring.h>\n"}).size(), 1u);

  for (const char* path : {"proactor/operation/read.cc", "proactor/backend/ring.h", "proactor/backend/ring.cc",
                           "proactor/backend/io_uring_proactor.cc", "tests/proactor/backend/ring_test.cc"}) {
    EXPECT_THAT(LiburingStaysBelow({path, "#include <liburing.h>\n"}), IsEmpty()) << path;
  }
}

TEST(StemsHaveTestsTest, ComplainsOnceForEachStem) {
  Tree tree = {{"net/tcp.cc", ""}, {"net/tcp.h", ""}, {"net/udp.h", ""}, {"tests/net/udp_test.cc", ""}};
  EXPECT_THAT(StemsHaveTests(tree), ElementsAre("net/tcp.cc:1: no test; write tests/net/tcp_test.cc"));

  tree["tests/net/tcp_test.cc"];
  EXPECT_THAT(StemsHaveTests(tree), IsEmpty());
}

TEST(TestsHaveStemsTest, ComplainsAboutTestsOfNothing) {
  Tree tree = {
      {"net/udp.h", ""}, {"tests/net/tcp_test.cc", ""}, {"tests/net/udp_test.cc", ""}, {"tests/a_test.cc", ""}};
  EXPECT_THAT(TestsHaveStems(tree),
              ElementsAre("tests/net/tcp_test.cc:1: there is no net/tcp.h or .cc; name the test after what it tests, "
                          "or move it up to tests/"));

  tree["net/tcp.cc"];
  EXPECT_THAT(TestsHaveStems(tree), IsEmpty());
}

TEST(FilesAreInTargetsTest, ComplainsAboutFilesThatAreNotBuilt) {
  Tree tree = {{"net/BUILD.bazel", "\"tcp.h\""}, {"net/tcp.cc", ""}, {"net/tcp.h", ""}, {"net/tls/tls.h", ""}};
  EXPECT_THAT(FilesAreInTargets(tree),
              ElementsAre("net/tcp.cc:1: in no target; name \"tcp.cc\" in net/BUILD.bazel",
                          "net/tls/tls.h:1: in no target; name \"tls/tls.h\" in net/BUILD.bazel"));
  EXPECT_THAT(FilesAreInTargets({{"net/tcp.cc", ""}}),
              ElementsAre("net/tcp.cc:1: in no package; write net/BUILD.bazel"));

  tree["net/BUILD.bazel"] = "\"tcp.cc\" \"tcp.h\" \"tls/tls.h\"";
  EXPECT_THAT(FilesAreInTargets(tree), IsEmpty());
}

TEST(PackagesAreSeenTest, ComplainsAboutPackagesThatTheTestDoesNotRead) {
  Tree tree = {{"net/BUILD.bazel", ""}};
  EXPECT_THAT(
      PackagesAreSeen(tree, std::vector<std::string>{"fs", "net"}),
      ElementsAre("fs/BUILD.bazel:1: //tests:tidy_test does not see this package; end it with `filegroup(name = "
                  "\"sources\", srcs = glob([\"**\"]), visibility = [\"//tests:__pkg__\"])` and add "
                  "//fs:sources to the test's data"));

  EXPECT_THAT(PackagesAreSeen(tree, std::vector<std::string>{"net"}), IsEmpty());
}

}  // namespace
}  // namespace proactor::tidy
