// Files that are made to do harm: they are refused in time, memory and stack that have bounds.
#include <sys/resource.h>

#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "catch.hpp"
#include "parse_support.hpp"

namespace {

using namespace baton;
using namespace baton::workflow;

constexpr std::size_t kFull = limits::kWorkflowFileBytes;
constexpr std::size_t kMany = 4u << 20;

std::string filled(std::string_view text, std::size_t bytes) {
  std::string result;
  result.reserve(bytes);
  while (result.size() + text.size() <= bytes) result += text;
  return result;
}

// Refused, with a message that is not as large as the file.
std::string refusal(const std::string& text) {
  const ParseResult result = parse_workflow("test.yaml", text);
  CHECK(result.workflow == nullptr);
  CHECK_FALSE(result.diagnostics.empty());
  const std::string problems = problems_of(result);
  CHECK(problems.size() < 100'000);
  return problems;
}

// The most memory that this process has had so far.
long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string example() {
  std::ifstream file(std::filesystem::path(BATON_SOURCE_DIR) / "tests/corpus/workflow/good/everything.yaml");
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace

TEST_CASE("a file over the limit is not even looked at") {
  CHECK(refusal(std::string(kFull + 1, ' ')) ==
        "1:1: the file has 16777217 bytes, more than the 16 MiB that a workflow may have\n");
  CHECK(refusal(std::string(kFull, ' ')) == "1:1: the file is empty: a workflow has at least `tasks`\n");
}

TEST_CASE("brackets without end") {
  for (const char* text : {"[", "{", "[\n", "{a: ", "[a, ", "- [", "tasks: [", "&a [", "? "}) {
    INFO(text);
    const std::string problems = refusal(filled(text, kMany));
    CHECK(std::count(problems.begin(), problems.end(), '\n') == 1);
  }
  CHECK(refusal("- [" + filled("[],", kMany)).find("one value is too large") != std::string::npos);
  CHECK(refusal(filled("&a ", kMany)).find("one value is too large") != std::string::npos);
}

TEST_CASE("nesting is refused beyond its limit, in block style too") {
  const auto nested = [](std::size_t depth) {
    std::string text = "tasks:\n  a:\n    run: x\n    matrix:\n      c:\n";  // the list below is the fourth collection
    std::string indent(8, ' ');
    text += indent + "- ";
    for (std::size_t i = 5; i <= depth; ++i) text += "- ";
    return text + "x\n";
  };
  CHECK(problems_in(nested(64 - 1)).empty());
  CHECK(refusal(nested(64 + 1)).find("nested deeper than 64") != std::string::npos);
  std::string block;
  for (int i = 0; i < 2000; ++i) block += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  CHECK(refusal(block).find("nested deeper than 64") != std::string::npos);
}

TEST_CASE("aliases cannot blow a file up") {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{0}: &a{0} [", i);
    for (int k = 0; k < 10; ++k) bomb += fmt::format("*a{},", i - 1);
    bomb += "]\n";
  }
  CHECK(refusal(bomb).find("aliases stand for more than 100000 values") != std::string::npos);
  std::string merges = "a0: &a0 {k: v}\n";
  for (int i = 1; i < 40; ++i)
    merges += fmt::format("a{0}: &a{0} {{<<: [*a{1}, *a{1}], x{0}: [*a{1}, *a{1}]}}\n", i, i - 1);
  CHECK(refusal(merges).find("aliases stand for") != std::string::npos);
  const auto text_bomb = [](int aliases) {
    std::string text = "a: &a [" + std::string(std::size_t{1} << 20, 'x') + "]\nb: &b [";
    for (int i = 0; i < 8; ++i) text += "*a,";
    text += "]\nc: [";
    for (int i = 8; i < aliases; i += 8) text += "*b,";
    return text + "]\n";
  };
  CHECK(refusal(text_bomb(64)).find("aliases stand for") == std::string::npos);
  CHECK(refusal(text_bomb(72)).find("aliases stand for more than 64 MiB of text") != std::string::npos);
  CHECK(refusal("a: &a {b: *a}\n").find("inside of what it refers to") != std::string::npos);
  std::string anchors;
  for (int i = 0; i < 200'000; ++i) anchors += fmt::format("- &a{} x\n", i);
  CHECK(refusal(anchors).find("more than 100000 anchors") != std::string::npos);
}

TEST_CASE("more values than a file may have") {
  CHECK(refusal("labels:\n" + filled("-\n", kFull / 2 + 64)).find("more than 4000000 values") != std::string::npos);
}

TEST_CASE("more expressions than a file may have, in tasks that have as many arguments as they may") {
  constexpr std::string_view kItem = "    - ${{1}}\n";
  const auto tasks = [&](int count, std::size_t arguments) {
    std::string text = "tasks:\n";
    for (int i = 0; i < count; ++i) {
      text += fmt::format("  t{}:\n    command:\n", i) + filled(kItem, kItem.size() * arguments);
    }
    return text;
  };
  CHECK(refusal(tasks(1, 100'001)).find("`command` has more than 100000 arguments") != std::string::npos);
  CHECK(refusal(tasks(11, 100'000)).find("the file has more than 1000000 expressions") != std::string::npos);
}

TEST_CASE("more expressions than a text may have, and long texts with many") {
  const auto task = [](std::string_view script) {
    return fmt::format("tasks: {{a: {{command: [\"{}\"]}}}}\n", script);
  };
  CHECK(problems_in(task(filled("${{1}}", 6 * limits::kTextExpressions))).empty());
  CHECK(refusal(task(filled("${{1}}", 6 * limits::kTextExpressions + 6))) ==
        "1:6024: the text has more than 1000 expressions\n");
  std::string text;
  for (int i = 0; i < 900; ++i) text += "${{1}}" + std::string(15'000, 'x');
  CHECK(problems_in(task(text)).empty());
  CHECK(refusal(task(text + "${{}}")).starts_with("1:13505427: the expression is empty"));
}

TEST_CASE("quotes that do not pair are looked for once") {
  const std::string text = "tasks: {a: {command: [\"" + filled("${{'}}'", kMany) + "'\"]}}\n";
  const std::string problems = refusal(text);
  CHECK(std::count(problems.begin(), problems.end(), '\n') == 1);
  // What is written with escapes is not looked for in the rest of the file.
  std::string escaped = "tasks: {a: {command: [";
  for (int i = 0; i < 90'000; ++i) escaped += R"("\x24{{1}}",)";
  CHECK(problems_in(escaped + "\"" + std::string(kMany, 'x') + "\"]}}\n").empty());
}

TEST_CASE("what many expressions refer to is kept once") {
  std::string outputs, references, uses;
  for (int i = 0; i < 1'000; ++i) outputs += fmt::format("output_with_a_rather_long_name_{},", i);
  for (int i = 0; i < 4'000; ++i) references += "needs.a.result+";
  const std::string tasks = fmt::format("tasks:\n  a: {{run: x, outputs: [{}]}}\n", outputs);
  const long before = peak_kib();
  CHECK(problems_in(tasks + fmt::format("  b: {{needs: a, if: \"'' == {}''\", run: x}}\n", references)).empty());
  // The bare `needs` of a task that needs many.
  std::string many = "tasks:\n", ids;
  for (int i = 0; i < 20'000; ++i) {
    many += fmt::format("  t{}: {{run: x}}\n", i);
    ids += fmt::format("t{},", i);
  }
  many += fmt::format("  z: {{needs: [{}], command: [{}]}}\n", ids, filled("'${{ toJSON(needs) }}',", 23 * 2'000));
  CHECK(problems_in(many).empty());
  CHECK(peak_kib() - before < 150'000);
}

TEST_CASE("defaults cannot be copied to ever so many tasks") {
  std::string defaults = "defaults:\n  env:\n", tasks = "tasks:\n";
  for (int i = 0; i < 1'000; ++i) defaults += fmt::format("    VARIABLE_{}: a value that takes some room\n", i);
  for (int i = 0; i < 998; ++i) tasks += fmt::format("  t{}: {{run: x}}\n", i);
  CHECK(problems_in(defaults + tasks).empty());
  for (int i = 0; i < 50'000; ++i) tasks += fmt::format("  u{}: {{run: x}}\n", i);
  const long before = peak_kib();
  CHECK(refusal(defaults + tasks) ==
        "1004:3: `defaults` has 1002 entries for each of 50998 tasks, in all more than 1000000\n");
  CHECK(peak_kib() - before < 1'000'000);
}

TEST_CASE("nor can large defaults be copied to many tasks") {
  const std::string value(90'000, 'x');
  std::string tasks = "tasks:\n";
  for (int i = 0; i < 1'000; ++i) tasks += fmt::format("  t{}: {{run: x}}\n", i);
  for (const std::string& defaults : {"env: {V: " + value + "}", "shell: sh " + value, "working_dir: /" + value}) {
    CHECK(refusal("defaults: {" + defaults + "}\n" + tasks)
              .find("bytes for each of 1000 tasks, in all more than 64 MiB") != std::string::npos);
    CHECK(problems_in("defaults: {" + defaults + "}\ntasks: {a: {run: x}}\n").empty());
  }
}

TEST_CASE("outputs of a workflow have a limit too, and wrong ones are not all looked at") {
  std::string text = "tasks: {a: {run: x}}\noutputs:\n";
  for (int i = 0; i <= 1'000; ++i) text += fmt::format("  o{}: x\n", i);
  CHECK(refusal(text) == "3:3: `outputs` has more than 1000 names\n");
}

TEST_CASE("a name that is not there is compared with all others only so often") {
  std::string text = "tasks:\n", ids, wrong;
  for (int i = 0; i < 50'000; ++i) {
    text += fmt::format("  task_with_a_name_of_many_letters_{}: {{run: x}}\n", i);
    ids += fmt::format("task_with_a_name_of_many_letters_{},", i);
  }
  for (int i = 0; i < 50'000; ++i) wrong += fmt::format("\"${{{{needs.tusk_with_a_name_of_many_letters_{}}}}}\",", i);
  const std::string problems = refusal(text + fmt::format("  z: {{needs: [{}], command: [{}]}}\n", ids, wrong));
  CHECK(std::count(problems.begin(), problems.end(), '\n') == limits::kDiagnostics + 1);
}

TEST_CASE("more tasks than a workflow may have") {
  std::string text = "tasks:\n";
  for (std::size_t i = 0; i <= limits::kTasks; ++i) text += fmt::format("  t{}: {{run: x}}\n", i);
  CHECK(refusal(text) == "1:1: the workflow has 200001 tasks, more than 200000\n");
}

TEST_CASE("not more errors than can be read") {
  std::string text = "tasks:\n";
  for (int i = 0; i < 50'000; ++i) text += fmt::format("  t{}: {{needs: u{}, run: x, timeout: y}}\n", i, i);
  const ParseResult result = parse_workflow("test.yaml", text);
  CHECK(result.diagnostics.size() == limits::kDiagnostics + 1);
  CHECK(result.diagnostics.back().message == "there may be more errors: these are the first 100");
  CHECK(result.diagnostics.front().pos.line == 2);
}

TEST_CASE("bytes that are no text") {
  CHECK(refusal("tasks:\n  a: {run: \"\xff\"}\n") == "2:13: the file is not UTF-8 text\n");
  CHECK(refusal("tasks:\n  \xc5\xbe: \xc3(\n") == "2:6: the file is not UTF-8 text\n");
  CHECK(refusal(std::string("\xff\xfet\0a\0", 6)) == "1:1: the file is not UTF-8 text\n");
  CHECK(refusal(std::string("a: \0b", 5)) == "1:4: a control character (0x00) in the text\n");
  CHECK(refusal("a: 1\n\x04tasks: {}\n") == "2:1: a control character (0x04) in the text\n");
  std::mt19937 random(3);
  for (int round = 0; round < 500; ++round) {
    std::string junk(random() % 300, ' ');
    for (char& c : junk) c = static_cast<char>(random());
    refusal(junk);
  }
}

TEST_CASE("a byte order mark is no part of the text") {
  CHECK(problems_in("\xef\xbb\xbftasks: {a: {run: x}}\n").empty());
  CHECK(problems_in("\xef\xbb\xbftask: {}\ntasks: {a: {run: x}}\n") == "1:1: unknown key `task`\n");
}

TEST_CASE("a file that is cut off anywhere is read or refused, never more") {
  const std::string text = example();
  for (std::size_t length = 0; length < text.size(); ++length) {
    const ParseResult result = parse_workflow("test.yaml", text.substr(0, length));
    CHECK((result.workflow == nullptr) == has_errors(result.diagnostics));
  }
}

TEST_CASE("files with random changes are read or refused, never more") {
  const std::string original = example();
  constexpr std::string_view kBytes = "{}[]:,-?&*!|>'\"%@`# \n\t$ax0<";
  std::mt19937 random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string text = original;
    for (unsigned change = 0; change < 1 + random() % 4; ++change) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = kBytes[random() % kBytes.size()];
          break;
        case 1:
          text.insert(at, 1, kBytes[random() % kBytes.size()]);
          break;
        default:
          text.erase(at, 1 + random() % 20);
          break;
      }
    }
    const ParseResult result = parse_workflow("test.yaml", text);
    CHECK((result.workflow == nullptr) == has_errors(result.diagnostics));
  }
}

TEST_CASE("positions on very long lines do not take quadratic time") {
  std::string text = "{\"tasks\": {";
  for (int i = 0; i < 60'000; ++i) text += fmt::format("{}\"t{}\": {{\"run\": \"\xc5\xbe x\"}}", i == 0 ? "" : ", ", i);
  text += "}}";
  const auto workflow = parsed(text);
  CHECK(workflow->tasks[1].pos.column == 34);
  CHECK(workflow->tasks.back().pos.line == 1);
}
