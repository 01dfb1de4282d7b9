// How a verb declares its arguments, and the command line made of all verbs. CLI11 does the parsing and stays inside
// arguments.cpp, because its headers are slow to compile.
#pragma once
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "session.hpp"

namespace CLI {
class App;
}

namespace baton::cli {

// What stands in a place of the command line; the shells' completions offer it.
enum class Operand { run, task, file, none };

// The arguments of one verb. Targets must live as long as the action that the declaration returns.
class Arguments {
 public:
  explicit Arguments(CLI::App& app, std::vector<Operand>& operands) : app_(app), operands_(operands) {}

  void flag(const std::string& names, bool& target, const std::string& help);
  void text(const std::string& names, std::string& target, const std::string& value, const std::string& help);
  void texts(const std::string& names, std::vector<std::string>& target, const std::string& value,
             const std::string& help);  // may be given again and again
  static constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max();
  void number(const std::string& names, std::uint64_t& target, const std::string& help,
              std::uint64_t most = kAnyNumber);
  void number(const std::string& names, std::optional<std::uint64_t>& target, const std::string& help,
              std::uint64_t most = kAnyNumber);
  void integer(const std::string& names, std::optional<int>& target, const std::string& help);
  void choice(const std::string& names, std::string& target, const std::vector<std::string>& choices,
              const std::string& help);
  void operand(const std::string& name, std::string& target, Operand kind, const std::string& help,
               bool required = true);
  void operands(const std::string& name, std::vector<std::string>& target, Operand kind, const std::string& help);
  void exclude(const std::string& name, const std::string& other);  // both together are an error

 private:
  CLI::App& app_;
  std::vector<Operand>& operands_;
};

struct Verb {
  const char* name;
  const char* summary;
  const char* example;
  Action (*declare)(Arguments& arguments);  // null: it has verbs of its own
  std::span<const Verb> verbs{};
};

// The command line as a plain tree.
struct CommandTree {
  struct Option {
    std::vector<std::string> names;  // with dashes
    bool takes_value = false;
    std::vector<std::string> choices;
    std::string help;
  };
  std::string name, summary;
  std::vector<Option> options;
  std::vector<Operand> operands;  // the last one repeats
  std::vector<CommandTree> commands;
};

class CommandLine {
 public:
  explicit CommandLine(std::span<const Verb> verbs);
  ~CommandLine();

  struct Parsed {
    GlobalOptions options;
    Action action;     // empty if
    std::string text;  // is to be printed instead: help
  };
  // `arguments` without the program's name. Errors: invalid_argument, one line.
  Result<Parsed> parse(std::vector<std::string> arguments);
  [[nodiscard]] CommandTree tree() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::cli
