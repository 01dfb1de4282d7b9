#include "expression_check.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>

namespace baton::workflow {
namespace {

using Views = std::vector<std::string_view>;

Views views(const Names& names) { return {names.begin(), names.end()}; }

Views views(const std::shared_ptr<const NeedsList>& needs) {
  Views out;
  if (!needs) return out;
  out.reserve(needs->size());
  for (const auto& [name, task] : *needs) out.push_back(name);
  return out;
}

}  // namespace

Known Checker::context(Instruction& instruction) {
  if (!instruction.name.empty()) return unknown_word(instruction);
  const auto which = static_cast<Context>(instruction.arg);
  const auto allow = [&](bool allowed) {
    if (allowed) return;
    error(instruction.offset, fmt::format("`{}` cannot be used {}", kContextNames[instruction.arg], where()));
  };
  switch (which) {
    case Context::params:
      return {.type = Type::object, .shape = Shape::params};
    case Context::workflow:
      return {.type = Type::object, .shape = Shape::workflow};
    case Context::matrix:
      allow(context_.allow_matrix);
      program_.matrix = true;
      return {.type = Type::object, .shape = context_.allow_matrix ? Shape::matrix : Shape::plain};
    case Context::needs:
      allow(context_.allow_needs);
      program_.needs = true;
      if (!context_.allow_needs) return {};
      remember_needs();
      return {.type = Type::object, .shape = Shape::needs};
    case Context::run:
      allow(context_.allow_run);
      return {.type = Type::object, .shape = Shape::run};
    case Context::env:
      allow(context_.allow_env);
      return {.shape = context_.allow_env ? Shape::env : Shape::plain};
    case Context::secrets:
      allow(context_.allow_secrets);
      return {.shape = context_.allow_secrets ? Shape::secrets : Shape::plain};
  }
  return {};
}

std::string Checker::where() const { return context_.field.empty() ? "here" : fmt::format("in `{}`", context_.field); }

void Checker::remember_needs() {
  const bool followed = at_ + 1 < code_.size() && code_[at_ + 1].op == Op::member;
  if (!followed) program_.all_needs = context_.all_needs;
}

Known Checker::unknown_word(const Instruction& instruction) {
  const std::string& name = instruction.name;
  std::string hint;
  const std::vector<std::string_view> contexts(kContextNames.begin(), kContextNames.end());
  if (context_.param && context_.param(name)) {
    hint = fmt::format("did you mean `params.{}`?", name);
  } else if (name == "inputs" || name == "vars") {
    hint = "a workflow's inputs are its `params`";
  } else if (const auto near = nearest(name, contexts)) {
    hint = fmt::format("did you mean `{}`?", *near);
  } else {
    hint = fmt::format("a string is written in quotes: '{}'", shown(name));
  }
  error(instruction.offset, fmt::format("unknown name `{}`", shown(name)), hint);
  return {};
}

void Checker::unknown_member(const Instruction& instruction, std::string_view context, std::string message,
                             std::span<const std::string_view> candidates) {
  const std::string& name = instruction.name;
  std::string hint;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > name.size() && candidate.starts_with(name) && !is_identifier(candidate) &&
        (candidate[name.size()] == '-' || candidate[name.size()] == '.')) {
      hint = fmt::format("`{}` needs quotes here: {}['{}']", candidate, context, candidate);
    }
  }
  if (context_.did_you_mean) {
    if (std::string meant = context_.did_you_mean(name, candidates); !meant.empty()) hint = std::move(meant);
  } else if (const auto near = nearest(name, candidates)) {
    hint = fmt::format("did you mean `{}`?", *near);
  }
  error(instruction.offset, std::move(message), hint);
}

Known Checker::member(Instruction& instruction) {
  const Known base = pop();
  const std::string& name = instruction.name;
  switch (base.shape) {
    case Shape::params:
      return param(instruction);
    case Shape::matrix:
      if (context_.matrix_axes &&
          std::find(context_.matrix_axes->begin(), context_.matrix_axes->end(), name) == context_.matrix_axes->end()) {
        unknown_member(instruction, "matrix",
                       context_.matrix_axes->empty() ? "this task has no matrix"
                                                     : fmt::format("the matrix has no `{}`", shown(name)),
                       views(*context_.matrix_axes));
      }
      return {};
    case Shape::needs:
      return need(instruction);
    case Shape::need:
      return need_member(instruction, base);
    case Shape::outputs:
    case Shape::outputs_list:
      return output(instruction, base);
    case Shape::run:
      return run_member(instruction);
    case Shape::workflow:
      if (name != "name")
        unknown_member(instruction, "workflow", fmt::format("`workflow` has no `{}`", shown(name)), Views{"name"});
      return {.type = Type::string};
    case Shape::env:
      if (std::find(context_.env_names.begin(), context_.env_names.end(), name) == context_.env_names.end()) {
        unknown_member(instruction, "env", fmt::format("no variable `{}` is bound before this place", shown(name)),
                       views(context_.env_names));
      }
      absorb_previous();
      instruction.op = Op::env;
      return {.type = Type::string};
    case Shape::secrets:
      return secret(instruction);
    case Shape::plain:
      break;
  }
  if (known(base.type) && base.type != Type::object) {
    error(instruction.offset, fmt::format("{} has no member `{}`", described(base.type), shown(name)),
          base.type == Type::list ? "an element is written list[0]" : "");
  }
  return {};
}

Known Checker::param(const Instruction& instruction) {
  const std::optional<Type> type = context_.param ? context_.param(instruction.name) : std::nullopt;
  if (!type) {
    unknown_member(instruction, "params", fmt::format("unknown parameter `{}`", shown(instruction.name)),
                   views(context_.param_names));
  }
  return {.type = type.value_or(Type::any)};
}

Known Checker::need(Instruction& instruction) {
  const std::optional<NeedsInfo> found = context_.needs ? context_.needs(instruction.name) : std::nullopt;
  if (!found) {
    unknown_member(instruction, "needs", fmt::format("`{}` is not among this task's needs", shown(instruction.name)),
                   views(context_.all_needs));
    return {};
  }
  needs_.push_back(*found);
  absorb_previous();
  instruction.op = Op::need;
  instruction.task = found->index;
  return {.type = Type::object, .shape = Shape::need, .need = &needs_.back(), .need_name = instruction.name};
}

Known Checker::need_member(Instruction& instruction, const Known& base) {
  const bool outputs = instruction.name == "outputs";
  if (!outputs && instruction.name != "result") {
    if (std::binary_search(base.need->outputs->begin(), base.need->outputs->end(), instruction.name)) {
      error(instruction.offset, fmt::format("a need has `outputs` and `result`, but no `{}`", instruction.name),
            fmt::format("did you mean `outputs.{}`?", instruction.name));
    } else {
      unknown_member(instruction, "needs",
                     fmt::format("a need has `outputs` and `result`, but no `{}`", shown(instruction.name)),
                     Views{"outputs", "result"});
    }
    return {};
  }
  absorb_previous();
  instruction.op = outputs ? Op::outputs : Op::result;
  instruction.task = base.need->index;
  if (!outputs) return {.type = Type::string};
  Known result = base;
  result.type = base.need->is_matrix ? Type::list : Type::object;
  result.element = Type::object;
  result.shape = base.need->is_matrix ? Shape::outputs_list : Shape::outputs;
  return result;
}

Known Checker::output(Instruction& instruction, const Known& base) {
  const Names& names = *base.need->outputs;
  if (!std::binary_search(names.begin(), names.end(), instruction.name)) {
    unknown_member(instruction, fmt::format("needs.{}.outputs", base.need_name),
                   fmt::format("task `{}` declares no output `{}`", base.need_name, shown(instruction.name)),
                   views(names));
    return {};
  }
  if (base.shape == Shape::outputs) return {.type = Type::string};
  instruction.op = Op::pluck;
  return {.type = Type::list, .element = Type::string};
}

Known Checker::run_member(const Instruction& instruction) {
  if (instruction.name == "id" || instruction.name == "status") return {.type = Type::string};
  if (instruction.name == "number") return {.type = Type::number};
  if (instruction.name != "scheduled_for") {  // which is null for a run that no schedule made
    unknown_member(instruction, "run", fmt::format("`run` has no `{}`", shown(instruction.name)),
                   Views{"id", "number", "status", "scheduled_for"});
  }
  return {};
}

Known Checker::secret(Instruction& instruction) {
  if (!is_identifier(instruction.name)) {
    error(instruction.offset, fmt::format("`{}` is not a name for a secret", shown(instruction.name)));
  } else if (!secret_allowed_ || code_.size() != 2) {
    error(code_[at_ - 1].offset, "a secret must be the whole value and cannot be part of an expression or a text",
          fmt::format("bind it alone: ${{{{ secrets.{} }}}}", shown(instruction.name)));
  }
  absorb_previous();
  instruction.op = Op::secret;
  program_.secret = instruction.name;
  return {.type = Type::string};
}

Known Checker::index(Instruction& instruction) {
  const Known position = pop_value();
  const Known base = pop();
  if (base.shape == Shape::env || base.shape == Shape::secrets) {
    value_of(base);
    return {};
  }
  if (known(base.type) && base.type != Type::list && base.type != Type::object) {
    error(instruction.offset, fmt::format("{} cannot be indexed", described(base.type)));
  } else if (base.type == Type::list && known(position.type) && position.type != Type::number) {
    error(instruction.offset, fmt::format("a list is indexed with a number, not with {}", described(position.type)));
  } else if (base.type == Type::object && known(position.type) && position.type != Type::string) {
    error(instruction.offset, fmt::format("an object is indexed with a string, not with {}", described(position.type)));
  }
  if (base.shape == Shape::outputs_list) {
    Known result = base;
    result.type = Type::object;
    result.shape = Shape::outputs;
    return result;
  }
  if (base.shape == Shape::outputs) return {.type = Type::string};
  return {.type = base.type == Type::list ? base.element : Type::any};
}

}  // namespace baton::workflow
