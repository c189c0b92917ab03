# SPDX-License-Identifier: Apache-2.0
"""The libraries that proactor depends on, taken from Debian's packages, under the labels that everyone uses.

A workspace that depends on proactor defines its own @com_google_absl, @com_google_googletest or @liburing first, if it
has them, and then calls `proactor_dependencies()`, which only fills in what is not there yet:

    load("@proactor//tools/debian:repositories.bzl", "proactor_dependencies")

    proactor_dependencies()
"""

load(":abseil.bzl", "ABSEIL_TARGETS")

_PUBLIC = """\
# Written by //tools/debian:repositories.bzl.
package(default_visibility = ["//visibility:public"])

"""

def _link_headers(repository, package, names):
    """Puts /usr/include/NAME at include/NAME, so that the headers are inputs that Bazel knows and watches."""
    for name in names:
        header = repository.path("/usr/include/" + name)
        if not header.exists:
            fail("%s is missing. Run `apt-get install %s`, or define @%s before you call proactor_dependencies()." % (
                header,
                package,
                repository.name,
            ))
        repository.symlink(header, "include/" + name)

def _library_directory(repository, archive):
    """The directory of Debian's archives: /usr/lib/x86_64-linux-gnu on one machine, another name on the next."""
    for directory in repository.path("/usr/lib").readdir():
        if directory.get_child(archive).exists:
            return directory
    fail("%s is in no directory of /usr/lib" % archive)

def _abseil(repository):
    _link_headers(repository, "libabsl-dev", ["absl"])
    archives = sorted([
        path.basename
        for path in _library_directory(repository, "libabsl_base.a").readdir()
        if path.basename.startswith("libabsl_") and path.basename.endswith(".a")
    ])

    # One library for all of Abseil. Which archive needs which is not recorded anywhere in the package, so the linker
    # finds out (--start-group); it takes only what is used. Archives and not shared objects, because sixty of those
    # would be loaded at each start of a program.
    linkopts = ["-Wl,--start-group"] + ["-l:" + archive for archive in archives] + ["-Wl,--end-group", "-pthread"]
    repository.file("BUILD.bazel", """\
# Written by //tools/debian:repositories.bzl.
cc_library(
    name = "everything",
    hdrs = glob(["include/absl/**"]),
    includes = ["include"],
    linkopts = {},
    visibility = ["//:__subpackages__"],
)
""".format(linkopts))
    for package, targets in ABSEIL_TARGETS.items():
        repository.file("absl/%s/BUILD.bazel" % package, _PUBLIC + "\n".join([
            'cc_library(name = "%s", deps = ["//:everything"])' % target
            for target in targets
        ]) + "\n")

def _googletest(repository):
    _link_headers(repository, "libgtest-dev", ["gtest"])
    _link_headers(repository, "libgmock-dev", ["gmock"])
    repository.file("BUILD.bazel", _PUBLIC + """\
cc_library(
    name = "gtest",
    testonly = True,
    hdrs = glob(["include/**"]),
    includes = ["include"],
    linkopts = ["-l:libgmock.a", "-l:libgtest.a", "-pthread"],
)

cc_library(
    name = "gtest_main",
    testonly = True,
    linkopts = ["-l:libgmock_main.a"],
    deps = [":gtest"],
)

cc_library(
    name = "gtest_prod",
    hdrs = ["include/gtest/gtest_prod.h"],
    includes = ["include"],
)
""")

def _liburing(repository):
    _link_headers(repository, "liburing-dev", ["liburing.h", "liburing"])

    # The archive: the shared object does not export all that the header declares. System headers (`includes`), because
    # these do not compile without warnings as C++20.
    repository.file("BUILD.bazel", _PUBLIC + """\
cc_library(
    name = "liburing",
    hdrs = glob(["include/**"]),
    includes = ["include"],
    linkopts = ["-l:liburing.a"],
)
""")

def _nlohmann_json(repository):
    _link_headers(repository, "nlohmann-json3-dev", ["nlohmann"])
    repository.file("BUILD.bazel", _PUBLIC + """\
cc_library(
    name = "json",
    hdrs = glob(["include/**"]),
    includes = ["include"],
)
""")

def _asio(repository):
    _link_headers(repository, "libasio-dev", ["asio.hpp", "asio"])
    repository.file("BUILD.bazel", _PUBLIC + """\
cc_library(
    name = "asio",
    hdrs = glob(["include/**"]),
    defines = ["ASIO_STANDALONE"],
    includes = ["include"],
    linkopts = ["-pthread"],
)
""")

_DEBIAN_BAZEL_RULES_CC = "\n".join(["%s = native.%s" % (rule, rule) for rule in [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "fdo_prefetch_hints",
    "fdo_profile",
    "objc_import",
    "objc_library",
]]) + "\n"

def _rules_cc(repository):
    repository.file("BUILD.bazel", "")
    repository.file("cc/BUILD.bazel", "")
    repository.file("cc/defs.bzl", _DEBIAN_BAZEL_RULES_CC)

def _remote_coverage_tools(repository):
    repository.file(
        "BUILD.bazel",
        'filegroup(name = "coverage_report_generator", visibility = ["//visibility:public"])\n',
    )

# `local`: looked at again whenever Bazel starts, so that an upgraded package is noticed.
debian_abseil = repository_rule(_abseil, local = True)
debian_googletest = repository_rule(_googletest, local = True)
debian_liburing = repository_rule(_liburing, local = True)
debian_nlohmann_json = repository_rule(_nlohmann_json, local = True)
debian_asio = repository_rule(_asio, local = True)
debian_rules_cc = repository_rule(_rules_cc)
debian_remote_coverage_tools = repository_rule(_remote_coverage_tools)

def proactor_dependencies():
    """Defines the repositories that proactor needs and that the workspace has not defined yet."""
    _unless_defined(debian_abseil, "com_google_absl")
    _unless_defined(debian_googletest, "com_google_googletest")
    _unless_defined(debian_liburing, "liburing")
    _unless_defined(debian_nlohmann_json, "nlohmann_json")  # for a tool only, as is the next for the benchmark
    _unless_defined(debian_asio, "asio")  # for our benchmark only; nobody else's build looks at it

    # Debian's Bazel, the only one that does not know its version, has no network at build time: what Bazel itself would
    # download for every C++ target is replaced here. Any other Bazel gets the real ones, its own way.
    if not native.bazel_version:
        # Debian's package bazel-rules-cc is too new for its Bazel, so native rules stand in.
        _unless_defined(debian_rules_cc, "rules_cc")
        _unless_defined(debian_remote_coverage_tools, "remote_coverage_tools")
        _unless_defined(native.local_repository, "rules_java", path = "/usr/share/bazel/rules/java")

def _unless_defined(rule, name, **kwargs):
    if not native.existing_rule(name):
        rule(name = name, **kwargs)
