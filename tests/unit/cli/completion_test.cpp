#include "completion.hpp"

#include <stdio.h>

#include "catch.hpp"
#include "temp_folder.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

CommandTree whole_tree() { return CommandLine(verbs()).tree(); }

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  CHECK(::pclose(pipe) == 0);
  return text;
}

// What bash offers for these words, the last of which is being typed; a `baton` of the test's own lists the runs.
std::string offered(const std::string& words) {
  const test::TempFolder folder;
  folder.write("completion.bash", bash_completion(whole_tree()));
  folder.write("pipe.yaml", "");
  const std::string baton =
      folder.write("bin/baton", "#!/bin/sh\n[ \"$BATON_NO_START$*\" = '1ls -o name' ] && printf 'r1\\nr2\\n'\n");
  std::filesystem::permissions(baton, std::filesystem::perms::owner_all);
  const std::string script = folder.write(
      "try.bash", "PATH=\"" + folder.path() + "/bin:$PATH\"\ncd \"" + folder.path() +
                      "\"\nsource ./completion.bash\nCOMP_WORDS=(baton " + words +
                      ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_baton 2>/dev/null\necho \"${COMPREPLY[*]}\"\n");
  std::string text = output_of("bash --norc " + script);
  text.pop_back();
  return text;
}

TEST_CASE("the tree of the command line has every verb, option and operand") {
  const CommandTree tree = whole_tree();
  CHECK(tree.commands.size() == verbs().size());
  const auto find = [](const CommandTree& in, const std::string& name) {
    const auto found =
        std::find_if(in.commands.begin(), in.commands.end(), [&](const auto& command) { return command.name == name; });
    REQUIRE(found != in.commands.end());
    return *found;
  };
  const CommandTree graph = find(tree, "graph");
  const auto output = std::find_if(graph.options.begin(), graph.options.end(),
                                   [](const CommandTree::Option& option) { return option.names.back() == "--output"; });
  REQUIRE(output != graph.options.end());
  CHECK(output->takes_value);
  CHECK(output->choices == std::vector<std::string>{"dot", "mermaid", "json", "svg"});
  CHECK(find(find(tree, "daemon"), "logs").summary == "Show the log of a daemon that the CLI started");
  CHECK(find(tree, "logs").operands == std::vector<Operand>{Operand::run, Operand::task});
}

TEST_CASE("bash completes verbs, options, values, runs and files") {
  CHECK(offered("desc") == "describe");
  CHECK(offered("daemon st") == "start stop status");
  CHECK(offered("run --det") == "--detach");
  CHECK(offered("ls -o js") == "json");
  CHECK(offered("graph -o m") == "mermaid");
  CHECK(offered("describe r") == "r1 r2");
  CHECK(offered("describe ''") == "last r1 r2");
  CHECK(offered("-o json describe r2") == "r2");
  CHECK(offered("cancel r1 r") == "r1 r2");
  CHECK(offered("run pip") == "pipe.yaml");
  CHECK(offered("run --params-file pip") == "pipe.yaml");
}

TEST_CASE("zsh and fish scripts speak of every verb") {
  const CommandTree tree = whole_tree();
  const std::string zsh = zsh_completion(tree);
  const std::string fish = fish_completion(tree);
  CHECK(zsh.starts_with("#compdef baton\n"));
  for (const CommandTree& command : tree.commands) {
    CHECK(zsh.find("_baton_" + command.name + "() {") != std::string::npos);
    CHECK(fish.find(" -a " + command.name + " -d ") != std::string::npos);
  }
}

}  // namespace
}  // namespace baton::cli
