#include "json_output.hpp"
#include "log_text.hpp"
#include "verbs.hpp"

namespace baton::cli {

Action declare_why(Arguments& arguments) {
  struct WhyOptions {
    std::string run, task;
  };
  auto options = std::make_shared<WhyOptions>();
  arguments.operand("RUN", options->run, Operand::run, "The run");
  arguments.operand("TASK", options->task, Operand::task, "A task of it", false);
  return [options](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    const auto why = client->why(options->run, options->task);
    if (!why) return std::unexpected(why.error());
    if (session.json()) {
      write_json(session.out, {{"run", options->run}, {"task", options->task}, {"why", *why}});
      return kExitSucceeded;
    }
    PrefixedLines lines("", session.out.colour() ? Shown::coloured : Shown::plain);  // several lines, each escaped
    session.out.write(lines.feed(*why));
    session.out.write(lines.finish());
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
