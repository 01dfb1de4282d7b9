// One run of a small graph through the production engine, beside the rules: after every step the states of all tasks
// and of the run, what was launched, killed and forgotten must be what the rules say.
#pragma once
#include <baton/workflow/spec.hpp>

#include <memory>
#include <string>
#include <vector>

#include "rules.hpp"

namespace baton::sim {

// A graph as text, and the same for the rules.
struct SmallGraph {
  std::string text;
  std::shared_ptr<const workflow::WorkflowSpec> workflow;
  std::vector<RuleTask> tasks;
  std::uint32_t max_retries = 0;
};

// What may happen in a trial besides that the attempt launched first succeeds or fails.
struct Freedom {
  bool any_order = false;  // the next to end is any of those launched
  bool cancel = false;     // once, at any point
  bool reboot = false;   // of the worker, at any point: all that is launched is lost; or it comes back and has heard of
                         // nothing yet, so that all is launched again
  bool pairs = false;    // two of these in one step
  bool restart = false;  // the engine is thrown away after every step and made anew from its records
};

// Decides what happens: one sequence of choices after the other until all have been.
class Choices {
 public:
  std::size_t pick(std::size_t of);
  bool next();  // the next sequence, from its beginning; false: that was the last

 private:
  struct Digit {
    std::size_t value, of;
  };
  std::vector<Digit> digits_;
  std::size_t at_ = 0;
};

// Throws a Violation whose detail has the graph and what happened.
void try_graph(const SmallGraph& graph, Freedom freedom, Choices& choices);

}  // namespace baton::sim
