#include "workflow_files.hpp"

#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <baton/base/limits.hpp>

#include <thread>

#include "catch.hpp"
#include "temp_folder.hpp"

namespace baton::cli {
namespace {

const std::string kChild = "tasks:\n  a:\n    run: echo child\n";

std::string uses(const std::string& path) { return "tasks:\n  sub:\n    uses: " + path + "\n"; }

TEST_CASE("a bundle has the file and everything it uses, by paths from the file's folder") {
  const test::TempFolder folder;
  const std::string entry =
      folder.write("flows/main.yaml", "tasks:\n  a:\n    uses: parts/one.yaml\n  b:\n    uses: ../shared.yaml\n");
  folder.write("flows/parts/one.yaml", uses("two.yaml"));
  folder.write("flows/parts/two.yaml", kChild);
  folder.write("shared.yaml", kChild);
  const auto files = collect(entry);
  REQUIRE(files);
  CHECK(files->bundle.entry == "main.yaml");
  CHECK(files->working_dir == folder / "flows");
  CHECK(files->unreadable.empty());
  std::vector<std::string> paths;
  for (const auto& [path, text] : files->bundle.files) paths.push_back(path);
  CHECK(paths == std::vector<std::string>{"../shared.yaml", "main.yaml", "parts/one.yaml", "parts/two.yaml"});
  CHECK(check(*files).workflow != nullptr);
}

TEST_CASE("what comes through a pipe belongs to the current folder, and is waited for") {
  const test::TempFolder folder;
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::thread writer([&] { std::ofstream(pipe) << "tasks:\n  a:\n    rum: x\n"; });
  const auto files = collect(pipe);
  writer.join();
  REQUIRE(files);
  CHECK(files->working_dir == std::filesystem::current_path());
  const CheckedWorkflow checked = check(*files);
  REQUIRE_FALSE(checked.diagnostics.empty());
  CHECK(checked.diagnostics.front().file == pipe);
}

TEST_CASE("a file that the shell has opened belongs to the current folder, not to that of descriptors") {
  const test::TempFolder folder;
  const Descriptor open(::open(folder.write("main.yaml", kChild).c_str(), O_RDONLY | O_CLOEXEC));
  const auto files = collect(fmt::format("/dev/fd/{}", open.get()));
  REQUIRE(files);
  CHECK(files->working_dir == std::filesystem::current_path());
  const CheckedWorkflow checked = check(*files);
  REQUIRE(checked.workflow != nullptr);
  CHECK(checked.workflow->name == "stdin");
}

TEST_CASE("a used file that is not there is an error that names it and who uses it") {
  const test::TempFolder folder;
  const auto files = collect(folder.write("main.yaml", uses("gone.yaml")));
  REQUIRE(files);
  const CheckedWorkflow checked = check(*files);
  CHECK(checked.workflow == nullptr);
  CHECK(checked.errors > 0);
  CHECK(checked.report.find("gone.yaml") != std::string::npos);
  CHECK(checked.report.find("No such file") != std::string::npos);
  REQUIRE_FALSE(checked.diagnostics.empty());
  CHECK(checked.diagnostics.back().file == folder / "gone.yaml");
}

TEST_CASE("diagnostics have their place in the file as the user named it") {
  const test::TempFolder folder;
  const auto files = collect(folder.write("main.yaml", "tasks:\n  a:\n    need: b\n    run: x\n"));
  REQUIRE(files);
  const CheckedWorkflow checked = check(*files);
  REQUIRE(checked.diagnostics.size() == 1);
  const Diagnostic& diagnostic = checked.diagnostics.front();
  CHECK(diagnostic.file == folder / "main.yaml");
  CHECK(diagnostic.pos == SourcePos{3, 5});
  CHECK(diagnostic.hint == "did you mean `needs`?");
}

TEST_CASE("files that use each other are read once") {
  const test::TempFolder folder;
  folder.write("b.yaml", uses("a.yaml"));
  const auto files = collect(folder.write("a.yaml", uses("b.yaml")));
  REQUIRE(files);
  CHECK(files->bundle.files.size() == 2);
  CHECK(check(*files).workflow == nullptr);
}

TEST_CASE("an entry that cannot be read is a wrong argument") {
  const test::TempFolder folder;
  for (const std::string& path : {folder / "none.yaml", folder.path(), folder / "none/x.yaml"}) {
    const auto files = collect(path);
    REQUIRE_FALSE(files);
    CHECK(files.error().code == ErrorCode::invalid_argument);
    CHECK(files.error().message.find(path) != std::string::npos);
  }
}

TEST_CASE("a device without end is read up to the limit only") {
  const auto text = read_file("/dev/zero", 1000);
  REQUIRE(text);
  CHECK(text->size() == 1001);
}

TEST_CASE("diagnostics name files as the user did, with the source line") {
  const test::TempFolder folder;
  const std::string entry = folder.write("sub/main.yaml", "tasks:\n  a:\n    rum: echo\n");
  const auto files = collect(folder / "sub/../sub/main.yaml");
  REQUIRE(files);
  const CheckedWorkflow checked = check(*files);
  CHECK(checked.workflow == nullptr);
  CHECK(checked.report.find(entry + ":3:5: error: ") != std::string::npos);
  CHECK(checked.report.find("    rum: echo\n") != std::string::npos);
}

TEST_CASE("parameters come from a JSON or YAML file, and -p wins") {
  const test::TempFolder folder;
  for (const std::string& file :
       {folder.write("p.json", R"({"C": 0.1, "name": "x\ud83d\ude00", "deep": false, "n": 3})"),
        folder.write("p.yaml", "# of a run\nC: 0.1\nname: \"x\\U0001f600\"\ndeep: false\nn: 3\n")}) {
    INFO(file);
    const auto params = read_params({"C=1", "url=a=b", "empty="}, file);
    REQUIRE(params);
    CHECK(params->values == nlohmann::json{{"name", "x😀"}, {"deep", false}, {"n", 3}});
    CHECK(params->texts == std::map<std::string, std::string>{{"C", "1"}, {"url", "a=b"}, {"empty", ""}});
  }
  CHECK(read_params({}, "")->values == nlohmann::json::object());
  CHECK(read_params({}, folder.write("empty.yaml", "# nothing\n"))->values == nlohmann::json::object());
}

TEST_CASE("values of -p get the types that the workflow declares, those of a file have their own") {
  const test::TempFolder folder;
  const auto files =
      collect(folder.write("w.yaml", "params: {n: 1, on: false, name: x, wait: 5s}\ntasks: {a: {run: x}}\n"));
  REQUIRE(files);
  const auto workflow = check(*files).workflow;
  REQUIRE(workflow);
  const auto params = read_params({"n=5", "name=7", "no=1", "wait=90s"}, folder.write("p.json", R"({"on": "true"})"));
  REQUIRE(params);
  const auto values = typed(*params, *workflow);
  CHECK(values == nlohmann::json{{"n", 5}, {"name", "7"}, {"no", "1"}, {"wait", "90s"}, {"on", "true"}});
  CHECK(typed(*read_params({"n=x"}, ""), *workflow) == nlohmann::json{{"n", "x"}});
}

TEST_CASE("parameters that cannot be read are wrong arguments") {
  const test::TempFolder folder;
  const auto refused = [](const Result<GivenParams>& params) {
    return !params && params.error().code == ErrorCode::invalid_argument;
  };
  CHECK(refused(read_params({"novalue"}, "")));
  CHECK(refused(read_params({"=x"}, "")));
  CHECK(refused(read_params({"a b=x"}, "")));
  CHECK(refused(read_params({"a=\xff"}, "")));
  CHECK(refused(read_params({}, folder / "none.json")));
  CHECK(refused(read_params({}, folder.write("list.json", "[1]"))));
  CHECK(refused(read_params({}, folder.write("bad.json", "{"))));
  const std::string twice = folder.write("twice.json", "{\"a\": 1, \"b\": {\"a\": 2}, \"a\": 3}");
  CHECK(read_params({}, twice).error().message.find("duplicate key `a`") != std::string::npos);
  CHECK(read_params({}, folder.write("text.yaml", "text"))
            .error()
            .message.ends_with(":1:1: parameters are a map of names and values"));
  const std::string file = folder.write("bad.yaml", "a: 1\nb: 2\nb: .inf\na: 3\n");
  CHECK(read_params({}, file).error().message == file + ":3:1: duplicate key `b` (it stands first in line 2); " + file +
                                                     ":4:1: duplicate key `a` (it stands first in line 1)");
  CHECK(refused(read_params({}, folder.write("deep.json", "{\"a\":" + std::string(100'000, '[')))));
}

}  // namespace
}  // namespace baton::cli
