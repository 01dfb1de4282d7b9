// Effects: what the world must do after the records of the same step are committed, in this order.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/result.hpp>
#include <baton/base/time.hpp>
#include <baton/engine/state.hpp>
#include <baton/workflow/spec.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace baton::engine {

// Start an attempt. Repeating it (after a reconnect) is harmless: the worker knows the id.
struct Launch {
  WorkerId worker;
  AttemptId attempt;
  std::string label;  // RUN/TASK/ATTEMPT
  std::vector<std::string> argv;
  std::string script;
  struct Env {
    std::string name;
    std::string value;  // or, if is_secret, the secret's name: the value is filled in on the way out
    bool is_secret = false;
  };
  std::vector<Env> env;
  std::string working_dir;
  std::vector<std::string> outputs;
  Duration timeout{0};
  Duration grace{0};
  workflow::Resources needs;
};

enum class KillReason : std::uint8_t { cancelled, preempted };
struct Kill {
  WorkerId worker;
  AttemptId attempt;
  KillReason reason = KillReason::cancelled;
};

// The worker may drop its record of an attempt whose end is committed.
struct Forget {
  WorkerId worker;
  AttemptId attempt;
};

// The answer to a request event. `token` is the requester's.
struct Reply {
  std::uint64_t token = 0;
  struct RunAccepted {
    RunKey run;
    std::string id;
    std::uint64_t number = 0;
  };
  struct Done {
    RunKey run;
    std::vector<std::string> instances;  // what the request touched (retry: what runs again)
  };
  Result<std::variant<RunAccepted, Done>> result;
};

using Effect = std::variant<Launch, Kill, Forget, Reply>;

}  // namespace baton::engine
