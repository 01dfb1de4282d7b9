#include <baton/base/descriptor.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "graph_text.hpp"
#include "json_output.hpp"
#include "submission.hpp"

namespace baton::cli {
namespace {

struct GraphOptions {
  std::string what;
  std::string language = "dot";
  bool reduced = false;
};

bool is_file(const std::string& what) {
  std::error_code error;
  return what == "-" || std::filesystem::exists(what, error) || what.find('/') != std::string::npos ||
         what.ends_with(".yaml") || what.ends_with(".yml");
}

api::Answer<DrawnGraph> graph_of_run(Session& session, const GraphOptions& options) {
  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  const auto run = client->run(options.what);
  if (!run) return std::unexpected(run.error());
  auto source = client->workflow_source(run->id);
  if (!source) return std::unexpected(source.error());
  const auto parsed = workflow::parse_bundle({source->entry, std::move(source->files)});
  if (parsed.workflow == nullptr) {
    return refuse(ErrorCode::internal, "the workflow of run {} does not validate with this version of baton", run->id);
  }
  DrawnGraph graph = drawn_graph(*parsed.workflow, options.reduced);
  add_states(graph, *run);
  return graph;
}

// Graphviz reads the whole graph before it draws, so writing first and waiting then cannot block.
Result<void> draw_svg(Output& out, const std::string& dot) {
  out.flush();
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno(errno, "cannot make a pipe");
  const Descriptor input(ends[0]);
  Descriptor to_dot_program(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), STDIN_FILENO);
  std::string name = "dot";
  std::string argument = "-Tsvg";
  char* argv[] = {name.data(), argument.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, "dot", &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT) {
    return fail(ErrorCode::io,
                "svg needs Graphviz's program `dot` (Debian: apt-get install graphviz); -o dot does not");
  }
  if (error != 0) return fail_errno(error, "cannot start `dot`");
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  {
    Output pipe(to_dot_program.get(), false);
    pipe.write(dot);
  }
  to_dot_program.reset();
  std::signal(SIGPIPE, before);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(ErrorCode::io, "`dot` failed to draw the graph");
  return {};
}

Outcome draw(Session& session, const GraphOptions& options) {
  DrawnGraph graph;
  if (is_file(options.what)) {
    const auto loaded = load_workflow(session, options.what);
    if (!loaded) return std::unexpected(loaded.error());
    graph = drawn_graph(*loaded->workflow, options.reduced);
  } else {
    auto of_run = graph_of_run(session, options);
    if (!of_run) return std::unexpected(of_run.error());
    graph = *std::move(of_run);
  }
  if (options.language == "json") {
    write_json(session.out, to_json(graph));
  } else if (options.language == "mermaid") {
    session.out.write(to_mermaid(graph));
  } else if (options.language == "svg") {
    if (const auto drawn = draw_svg(session.out, to_dot(graph)); !drawn) return refuse(drawn.error());
  } else {
    session.out.write(to_dot(graph));
  }
  return kExitSucceeded;
}

}  // namespace

Action declare_graph(Arguments& arguments) {
  auto options = std::make_shared<GraphOptions>();
  arguments.operand("FILE|RUN", options->what, Operand::file, "A workflow file, or a run");
  arguments.choice("-o,--output", options->language, {"dot", "mermaid", "json", "svg"},
                   "The language; svg needs Graphviz");
  arguments.flag("--reduce", options->reduced, "Leave out edges that longer paths imply");
  return [options](Session& session) { return draw(session, *options); };
}

}  // namespace baton::cli
