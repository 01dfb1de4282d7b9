// Collects what one step changed. Several changes of one row in one step become one record: the last state.
#pragma once
#include <baton/engine/engine.hpp>

#include "attempts.hpp"
#include "run.hpp"

#include <string>
#include <utility>

namespace baton::engine {

class StepWriter {
 public:
  void created(const RunCreated& run) { step_.records.emplace_back(run); }
  void expanded(TaskExpanded expanded) { step_.records.emplace_back(std::move(expanded)); }
  void changed(Run& run);
  // The instance's record in this step, made if there is none, with everything that the instance itself knows filled
  // in. Valid until the next call.
  InstanceChanged& changed(Run& run, TaskIndex task, std::uint32_t index);
  void changed(ActiveAttempt& attempt, AttemptChanged record);
  void due_changed(InstanceKey key, TimePoint due) { step_.records.emplace_back(DueChanged{key, due}); }
  template <class E>
  void effect(E effect) {
    step_.effects.emplace_back(std::move(effect));
  }
  void reply(std::uint64_t token, decltype(Reply::result) result) { effect(Reply{token, std::move(result)}); }

  // What was collected; the rows' own notes about it are cleared by the caller through `each_touched`.
  Step take() { return std::exchange(step_, {}); }
  [[nodiscard]] const Step& peek() const { return step_; }

 private:
  Step step_;
};

}  // namespace baton::engine
