"""Every rule can fail, and does not fail for what is allowed."""
import pathlib
import tempfile
import unittest
from unittest import mock

import rules
import source


class RuleTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)

    def write(self, path, text, mode=0o644):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def findings(self, rule):
        return list(rule(rules.Tree(self.root)))

    def assert_clean(self, rule):
        self.assertEqual([str(finding) for finding in self.findings(rule)], [])

    def assert_found(self, rule, path, line):
        self.assertIn((path, line), [(finding.path, finding.line) for finding in self.findings(rule)])


def function(lines):
    return "int f(int a) {\n" + "  ++a;\n" * (lines - 2) + "}\n"


class Lengths(RuleTest):
    def test_file(self):
        self.write("lib/a/src/a.cpp", "int a;\n" * 400)
        self.assert_clean(rules.lengths)
        self.write("lib/a/src/a.cpp", "int a;\n" * 401)
        self.assert_found(rules.lengths, "lib/a/src/a.cpp", 1)

    def test_function(self):
        self.write("lib/a/src/a.cpp", "int x = 1;\n" + function(70))
        self.assert_clean(rules.lengths)
        self.write("lib/a/src/a.cpp", "int x = 1;\n" + function(71))
        self.assert_found(rules.lengths, "lib/a/src/a.cpp", 2)

    def test_exception_only_shrinks(self):
        self.write("lib/a/src/a.cpp", "int a;\n" * 410)
        for allowed, clean in ((409, False), (410, True), (411, False)):
            with mock.patch.dict(rules.EXCEPTIONS, {"lib/a/src/a.cpp": allowed}):
                self.assertEqual(not self.findings(rules.lengths), clean, allowed)
        self.write("lib/a/src/a.cpp", "int a;\n" * 400)
        with mock.patch.dict(rules.EXCEPTIONS, {"lib/a/src/a.cpp": 410}):
            self.assert_found(rules.lengths, "lib/a/src/a.cpp", 1)


class Functions(unittest.TestCase):
    def names(self, text):
        return [head.split("(")[0].split()[-1] for _, _, head in source.functions(text)]

    def test_kinds(self):
        text = """
        #define OPEN(x) { x
        namespace a::b {
        namespace {
        enum class Colour { red, green };
        constexpr int kTable[] = {1, 2};
        std::vector<int> numbers{1, 2};
        struct Plain : Base {
          int x = f(1);
          void method() const { if (x) { y(); } }
         private:
          std::map<int, int> m_{{1, 2}};
        };
        template <class T>
        class Holder {
         public:
          explicit Holder(T t) : t_{t}, u_{g(t)} {
            const auto inner = [&](int i) { return i; };
          }
          ~Holder() override = default;
        };
        }  // namespace
        auto trailing() -> int { return 1'000; }
        Plain make(const char* s = "{ (") { return {'{', R"x(}")x"}; }
        TEST_CASE("braces { in ( names") { /* } */ SECTION("a") { } }
        }
        extern "C" { int c_function() { return 0; } }
        """
        self.assertEqual(self.names(text), ["method", "Holder", "trailing", "make", "TEST_CASE", "c_function"])

    def test_lines(self):
        text = "namespace a {\n\nint f(\n    int x) {\n  return x;\n}\n\n}\n"
        self.assertEqual([(line, length) for line, length, _ in source.functions(text)], [(3, 4)])


class PureEngine(RuleTest):
    def test_includes(self):
        for header in ("<thread>", "<random>", "<iostream>", "<unistd.h>", "<sys/stat.h>", "<boost/asio/io_context.hpp>",
                       "<spdlog/spdlog.h>", "<sqlite3.h>", "<baton/store/store.hpp>"):
            self.write("lib/engine/src/a.cpp", f"#include <vector>\n#include {header}\n")
            self.assert_found(rules.pure_engine, "lib/engine/src/a.cpp", 2)

    def test_calls(self):
        for call in ("std::chrono::system_clock::now()", "steady_clock::now()", "time(nullptr)", "std::time(nullptr)",
                     "getenv(\"A\")", "std::random_device()", "rand()", "std::this_thread::get_id()"):
            self.write("lib/engine/src/a.cpp", f"int a;\nauto b = {call};\n")
            self.assert_found(rules.pure_engine, "lib/engine/src/a.cpp", 2)

    def test_allowed(self):
        self.write("lib/engine/src/a.cpp", "#include <baton/engine/event.hpp>\n#include <map>\n#include \"run.hpp\"\n"
                   "// uses no system_clock::now()\nvoid f(TimePoint now) { g(now, start_time(x), run.time()); }\n")
        self.write("lib/service/src/a.cpp", "auto now = std::chrono::system_clock::now();\n")
        self.assert_clean(rules.pure_engine)


class LightHeaders(RuleTest):
    def test(self):
        for header in ("<boost/asio.hpp>", "<boost/beast/http.hpp>", "<yaml-cpp/yaml.h>", "<sqlite3.h>"):
            self.write("lib/a/include/baton/a/a.hpp", f"#include {header}\n")
            self.assert_found(rules.light_headers, "lib/a/include/baton/a/a.hpp", 1)
        self.write("lib/a/include/baton/a/a.hpp", "#include <memory>\n")
        self.write("lib/a/src/a.cpp", "#include <boost/asio.hpp>\n")
        self.assert_clean(rules.light_headers)


class NoSleeps(RuleTest):
    def test_cpp(self):
        for call in ("std::this_thread::sleep_for(1s)", "sleep_until(t)", "sleep(1)", "usleep(5)", "nanosleep(&a, &b)"):
            self.write("tests/unit/a/a.cpp", f"void f() {{\n  {call};\n}}\n")
            self.assert_found(rules.no_sleeps, "tests/unit/a/a.cpp", 2)

    def test_scripts(self):
        self.write("tests/e2e/a.py", "import time\ntime.sleep(1)\n")
        self.assert_found(rules.no_sleeps, "tests/e2e/a.py", 2)
        self.write("tests/e2e/a.sh", "true\n  sleep 1\n")
        self.assert_found(rules.no_sleeps, "tests/e2e/a.sh", 2)

    def test_tasks_may_sleep(self):
        self.write("tests/unit/a/a.cpp", "auto yaml = R\"(run: sleep 60)\";  // sleep(1)\nauto s = \"sleep(1)\";\n")
        self.write("tests/e2e/a.py", "script = 'sleep(60)'  # sleep(1)\n")
        self.write("lib/a/src/a.cpp", "sleep(1);\n")
        self.assert_clean(rules.no_sleeps)


class NothingLeftOpen(RuleTest):
    def test(self):
        for word in ("TO" + "DO", "FIX" + "ME"):
            for path in ("lib/a/src/a.cpp", "packaging/a.sh", "lib/CMakeLists.txt", "tests/a.py"):
                self.write(path, f"\n# {word}: later\n")
                self.assert_found(rules.nothing_left_open, path, 2)
                self.write(path, "\n# done\n")
        self.assert_clean(rules.nothing_left_open)


class SaysWhatItIs(RuleTest):
    def test_files(self):
        for path in ("lib/a/src/run_manager.cpp", "lib/util/src/a.cpp", "tests/support/helpers.hpp", "lib/a/src/RunHelper.cpp",
                     "lib/a/src/string-utils.hpp"):
            self.write(path, "\n")
            self.assert_found(rules.says_what_it_is, path, 1)
            (self.root / path).unlink()

    def test_types(self):
        self.write("lib/a/src/a.cpp", "\nclass RunManager {};\n")
        self.assert_found(rules.says_what_it_is, "lib/a/src/a.cpp", 2)

    def test_allowed(self):
        self.write("lib/a/src/futile.cpp", "// a Manager\nclass Engine {};\n")
        self.write("lib/a/src/engine.cpp", "auto text = \"class RunManager\";\n")
        self.assert_clean(rules.says_what_it_is)


class Names(RuleTest):
    def test_types(self):
        for text in ("struct run_view {", "class engine : public Base {", "enum class colour : int {", "enum colour {"):
            self.write("lib/a/src/a.cpp", f"\n  {text}\n")
            self.assert_found(rules.names, "lib/a/src/a.cpp", 2)

    def test_constants(self):
        for text in ("constexpr int limit = 3;", "static constexpr std::size_t max{4};", "constexpr std::array<int, 2> two{{1, 2}};",
                     "inline constexpr const_iterator it = f();"):
            self.write("lib/a/src/a.cpp", f"\n{text}\n")
            self.assert_found(rules.names, "lib/a/src/a.cpp", 2)

    def test_allowed(self):
        self.write("lib/a/src/a.cpp", "struct Run {\n  constexpr auto operator<=>(const Run&) const = default;\n};\n"
                   "constexpr int kLimit = 3;\nconstexpr double to_seconds(Duration d) { return d; }\n"
                   "class io_context;\nstruct sockaddr_un address{};\nif constexpr (x) {\n}\n"
                   "constexpr Id() = default;\nconstexpr explicit Id(int value) : value_(value) {}\n"
                   "constexpr std::array<std::string_view, 2> kNames{\"a\", \"b\"};\n")
        self.assert_clean(rules.names)


class NoCoroutines(RuleTest):
    def test(self):
        self.write("lib/a/src/a.cpp", "// no co_await here\nint x;\n")
        self.assert_clean(rules.no_coroutines)
        self.write("lib/a/src/a.cpp", "\nco_await x;\n")
        self.assert_found(rules.no_coroutines, "lib/a/src/a.cpp", 2)


class SaysWithoutThrowing(RuleTest):
    def test(self):
        self.write("lib/a/src/a.cpp", "// fmt::print throws\ntell(fmt::format(\"x\"));\n")
        self.assert_clean(rules.says_without_throwing)
        for text in ("fmt::print(stderr, \"x\");", "std::println(\"x\");"):
            self.write("lib/a/src/a.cpp", "\n" + text + "\n")
            self.assert_found(rules.says_without_throwing, "lib/a/src/a.cpp", 2)


class ScriptsRun(RuleTest):
    def test(self):
        self.write("packaging/a.sh", "true\n", 0o755)
        self.write("packaging/a.bash", "f() { true; }\n")
        self.assert_clean(rules.scripts_run)
        self.write("packaging/a.sh", "true\n", 0o644)
        self.assert_found(rules.scripts_run, "packaging/a.sh", 1)
        self.write("packaging/a.sh", "if true\n", 0o755)
        self.assert_found(rules.scripts_run, "packaging/a.sh", 1)
        self.write(".ci/run", "fi\n", 0o755)
        self.assert_found(rules.scripts_run, ".ci/run", 1)


class Links(RuleTest):
    def test(self):
        self.write("docs/a.md", "[b](b.md#part) [root](../README.md) [web](https://example.org/x) [here](#a)\n"
                   "```\n[c](nowhere.md)\n```\n")
        self.write("docs/b.md", "")
        self.write("README.md", "")
        self.assert_clean(rules.links_lead_somewhere)
        self.write("docs/a.md", "\n[b](c.md)\n")
        self.assert_found(rules.links_lead_somewhere, "docs/a.md", 2)


class Completeness(unittest.TestCase):
    def test_every_rule_is_in_the_list(self):
        written = {value for name, value in vars(rules).items()
                   if callable(value) and getattr(value, "__doc__", None) and getattr(value, "__code__", None)
                   and value.__code__.co_varnames[:1] == ("tree",)}
        self.assertEqual(written, set(rules.ALL))


if __name__ == "__main__":
    unittest.main()
