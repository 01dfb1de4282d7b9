#include <algorithm>

#include "json_output.hpp"
#include "run_text.hpp"
#include "style.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

struct LsOptions {
  std::string workflow;
  std::vector<std::string> states;
  bool all = false;
  std::uint64_t limit = 50;
};

api::Answer<std::vector<views::RunView>> fetch(api::Client& client, const LsOptions& options, bool& more) {
  constexpr std::uint64_t kPage = 500;
  std::vector<views::RunView> runs;
  api::RunQuery query;
  query.workflow = options.workflow;
  query.states = options.states;
  query.include_children = options.all;
  do {
    query.limit = options.limit == 0 ? kPage : std::min(kPage, options.limit - runs.size());
    auto page = client.runs(query);
    if (!page) return std::unexpected(page.error());
    std::move(page->items.begin(), page->items.end(), std::back_inserter(runs));
    query.cursor = page->next_cursor;
  } while (!query.cursor.empty() && (options.limit == 0 || runs.size() < options.limit));
  more = !query.cursor.empty();
  return runs;
}

}  // namespace

Action declare_ls(Arguments& arguments) {
  auto options = std::make_shared<LsOptions>();
  arguments.text("--workflow", options->workflow, "NAME", "Runs of this workflow only");
  arguments.texts("--state", options->states, "STATE",
                  "queued, running, succeeded, failed or cancelled; may be repeated");
  arguments.flag("-a,--all", options->all, "Runs of sub-workflows too");
  arguments.number("-n,--limit", options->limit, "At most so many (50); 0: all of them");
  return [options](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    bool more = false;
    const auto runs = fetch(*client, *options, more);
    if (!runs) return std::unexpected(runs.error());
    if (session.json()) {
      write_json(session.out, *runs);
    } else if (session.names_only()) {
      for (const views::RunView& run : *runs) session.out.print("{}\n", run.id);
    } else {
      session.out.write(run_table(*runs, session.options.format == Format::wide, now(), session.out.colour()));
      if (more && session.out.is_terminal()) session.notice("there are more runs: -n 0 lists all of them");
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
