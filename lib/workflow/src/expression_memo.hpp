// What one evaluation of an expression leaves to the next (Memo).
#pragma once
#include <map>
#include <utility>
#include <vector>

#include "expression_program.hpp"

namespace baton::workflow {

struct Memo::Data {
  // By the instruction, and where the values stand that it took: these do not change, and stay where they are.
  using Key = std::pair<const Instruction*, std::vector<const Value*>>;
  struct Made {
    Result<Value> value;
    std::size_t steps;  // that it took
  };
  std::map<Key, Made> made;
  std::map<const Value*, std::size_t> weights;  // of values that stay
  std::array<std::optional<Value>, kContextNames.size()> contexts;
  std::map<TaskIndex, Value> outputs;
};

}  // namespace baton::workflow
