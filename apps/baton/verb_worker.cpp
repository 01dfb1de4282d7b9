#include "json_output.hpp"
#include "run_text.hpp"
#include "verbs.hpp"

namespace baton::cli {

Action declare_worker_ls(Arguments&) {
  return [](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    const auto workers = client->workers();
    if (!workers) return std::unexpected(workers.error());
    if (session.json()) {
      write_json(session.out, *workers);
    } else if (session.names_only()) {
      for (const views::WorkerView& worker : *workers) session.out.print("{}\n", worker.name);
    } else {
      session.out.write(worker_table(*workers, session.options.format == Format::wide, session.out.colour()));
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
