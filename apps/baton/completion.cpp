#include "completion.hpp"

#include <fmt/format.h>

#include <functional>
#include <string_view>

#include "shell.hpp"

namespace baton::cli {
namespace {

// Lists without starting a daemon, and quietly.
constexpr std::string_view kRuns = "BATON_NO_START=1 baton ls -o name 2>/dev/null";

std::string words(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, " ")); }

// Calls `each` with every command that takes arguments, and its path ("daemon logs").
void walk(const CommandTree& tree, const std::string& path,
          const std::function<void(const CommandTree&, const std::string&)>& each) {
  each(tree, path);
  for (const CommandTree& command : tree.commands)
    walk(command, path.empty() ? command.name : path + " " + command.name, each);
}

std::vector<std::string> names_of(const std::vector<CommandTree>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CommandTree& command : commands) names.push_back(command.name);
  return names;
}

std::string bash_operand(Operand operand) {
  switch (operand) {
    case Operand::run:
      return fmt::format("COMPREPLY=($(compgen -W \"last $({})\" -- \"$current\"))", kRuns);
    case Operand::file:
      return "compopt -o default 2>/dev/null; COMPREPLY=($(compgen -f -- \"$current\"))";
    case Operand::task:
      return "COMPREPLY=($(compgen -W \"$(BATON_NO_START=1 baton graph \"$run\" -o json 2>/dev/null | "
             "sed -n 's/^ *\"name\": \"\\(.*\\)\",\\{0,1\\}$/\\1/p')\" -- \"$current\"))";
    case Operand::none:
      return ":";
  }
  return ":";
}

// The arms of the script's `case` statements.
struct BashCases {
  std::string commands;  // path → its commands
  std::string options;   // path → its options
  std::string values;    // "path option" → its values
  std::string takers;    // "path option" that takes a value
  std::string operands;  // "path:position" → how to complete
};

BashCases bash_cases(const CommandTree& tree) {
  BashCases cases;
  walk(tree, "", [&](const CommandTree& command, const std::string& path) {
    if (!command.commands.empty()) {
      cases.commands += fmt::format("    {}) subcommands={} ;;\n", shell_quoted(path),
                                    shell_quoted(words(names_of(command.commands))));
    }
    std::vector<std::string> names;
    for (const CommandTree::Option& option : command.options) {
      for (const std::string& name : option.names) {
        names.push_back(name);
        if (!option.takes_value) continue;
        cases.takers += fmt::format("    {}) return 0 ;;\n", shell_quoted(path + " " + name));
        if (!option.choices.empty())
          cases.values += fmt::format("    {}) choices={} ;;\n", shell_quoted(path + " " + name),
                                      shell_quoted(words(option.choices)));
      }
    }
    cases.options += fmt::format("    {}) options={} ;;\n", shell_quoted(path), shell_quoted(words(names)));
    for (std::size_t i = 0; i < command.operands.size(); ++i) {
      const bool repeats = i + 1 == command.operands.size();
      cases.operands +=
          fmt::format("    {}{}) {} ;;\n", shell_quoted(fmt::format("{}:{}", path, i)),
                      repeats ? fmt::format("|{}*", shell_quoted(path + ":")) : "", bash_operand(command.operands[i]));
    }
  });
  return cases;
}

constexpr const char* kBashScript = R"(# bash completion for baton; from `baton completion bash`.
_baton_takes_value() {{
  case "$1" in
{takers}  esac
  return 1
}}

_baton() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" path="" run="" word previous="" subcommands="" options="" choices=""
  local -i position=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word="${{COMP_WORDS[i]}}"
    if [[ -n $previous ]]; then previous=""; continue; fi
    if [[ $word == -* ]]; then
      if _baton_takes_value "$path $word"; then previous="$word"; fi
      continue
    fi
    subcommands=""
    case "$path" in
{commands}    esac
    if [[ -n $subcommands ]]; then
      path="${{path:+$path }}$word"
    else
      if ((position == 0)); then run="$word"; fi
      position+=1
    fi
  done
  if [[ -n $previous ]]; then
    case "$path $previous" in
{values}    esac
    if [[ -n $choices ]]; then COMPREPLY=($(compgen -W "$choices" -- "$current"))
    else compopt -o default 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); fi
    return
  fi
  if [[ $current == -* ]]; then
    case "$path" in
{options}    esac
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    return
  fi
  subcommands=""
  case "$path" in
{commands}  esac
  if [[ -n $subcommands ]]; then COMPREPLY=($(compgen -W "$subcommands" -- "$current")); return; fi
  case "$path:$position" in
{operands}  esac
}}

complete -F _baton baton
)";

}  // namespace

std::string bash_completion(const CommandTree& tree) {
  const BashCases cases = bash_cases(tree);
  return fmt::format(fmt::runtime(kBashScript), fmt::arg("takers", cases.takers), fmt::arg("commands", cases.commands),
                     fmt::arg("values", cases.values), fmt::arg("options", cases.options),
                     fmt::arg("operands", cases.operands));
}

namespace {

// Text inside the brackets of an _arguments specification.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_operand(Operand operand) {
  switch (operand) {
    case Operand::run:
      return "run:_baton_runs";
    case Operand::file:
      return "file:_files";
    case Operand::task:
      return "task: ";
    case Operand::none:
      return "argument: ";
  }
  return "argument: ";
}

std::string zsh_function(const CommandTree& command, const std::string& function) {
  std::string out = fmt::format("{}() {{\n  _arguments -S", function);
  for (const CommandTree::Option& option : command.options) {
    for (const std::string& name : option.names) {
      std::string value;
      if (option.takes_value) {
        value = option.choices.empty() ? ":value:_files" : fmt::format(":value:({})", words(option.choices));
      }
      out += fmt::format(" \\\n    {}", shell_quoted(fmt::format("*{}[{}]{}", name, zsh_text(option.help), value)));
    }
  }
  for (std::size_t i = 0; i < command.operands.size(); ++i) {
    const bool repeats = i + 1 == command.operands.size();
    out += fmt::format(" \\\n    {}", shell_quoted((repeats ? "*:" : ":") + zsh_operand(command.operands[i])));
  }
  if (!command.commands.empty()) {
    out +=
        " \\\n    '1:command:->command' \\\n    '*::argument:->argument'\n  case $state in\n    command)\n      local "
        "-a commands=(\n";
    for (const CommandTree& child : command.commands) {
      out += fmt::format("        {}\n", shell_quoted(child.name + ":" + zsh_text(child.summary)));
    }
    out += "      )\n      _describe command commands ;;\n    argument)\n      case $words[1] in\n";
    for (const CommandTree& child : command.commands) {
      out += fmt::format("        {}) {}_{} ;;\n", child.name, function, child.name);
    }
    out += "      esac ;;\n  esac";
  }
  out += "\n}\n\n";
  for (const CommandTree& child : command.commands) out += zsh_function(child, function + "_" + child.name);
  return out;
}

}  // namespace

std::string zsh_completion(const CommandTree& tree) {
  return fmt::format(
      "#compdef baton\n# zsh completion for baton; from `baton completion zsh`.\n\n"
      "_baton_runs() {{\n  local -a runs=(last ${{(f)\"$({})\"}})\n  compadd -a runs\n}}\n\n{}"
      "if [[ $funcstack[1] == _baton ]]; then _baton \"$@\"; else compdef _baton baton; fi\n",
      kRuns, zsh_function(tree, "_baton"));
}

std::string fish_completion(const CommandTree& tree) {
  std::string out = "# fish completion for baton; from `baton completion fish`.\ncomplete -c baton -f\n";
  walk(tree, "", [&](const CommandTree& command, const std::string& path) {
    std::string condition = "__fish_use_subcommand";
    if (!path.empty()) {
      condition.clear();
      for (std::size_t at = 0; at < path.size();) {
        const std::size_t end = std::min(path.find(' ', at), path.size());
        condition +=
            fmt::format("{}__fish_seen_subcommand_from {}", at == 0 ? "" : "; and ", path.substr(at, end - at));
        at = end + 1;
      }
    }
    for (const CommandTree& child : command.commands) {
      const std::string unless =
          path.empty() ? ""
                       : fmt::format("; and not __fish_seen_subcommand_from {}", words(names_of(command.commands)));
      out += fmt::format("complete -c baton -n {} -a {} -d {}\n", shell_quoted(condition + unless), child.name,
                         shell_quoted(child.summary));
    }
    for (const CommandTree::Option& option : command.options) {
      out += fmt::format("complete -c baton -n {}", shell_quoted(condition));
      for (const std::string& name : option.names) {
        out += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
      }
      if (!option.choices.empty()) {
        out += fmt::format(" -x -a {}", shell_quoted(words(option.choices)));
      } else if (option.takes_value) {
        out += " -r -F";
      }
      out += fmt::format(" -d {}\n", shell_quoted(option.help));
    }
    for (const Operand operand : command.operands) {
      if (operand == Operand::file) out += fmt::format("complete -c baton -n {} -F\n", shell_quoted(condition));
      if (operand == Operand::run)
        out += fmt::format("complete -c baton -n {} -a '(echo last; env {})'\n", shell_quoted(condition), kRuns);
    }
  });
  return out;
}

}  // namespace baton::cli
