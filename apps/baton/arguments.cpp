#include "arguments.hpp"

#include <baton/base/text.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <deque>
#include <map>

namespace baton::cli {
namespace {

constexpr const char* kEverywhere = "Options everywhere";

// The help of a verb says where to read about them. CLI11's own way to hide options, a group without a name, hides
// their names in errors too.
class HelpOfVerb : public CLI::Formatter {
 public:
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    return group == kEverywhere ? std::string() : CLI::Formatter::make_group(group, is_positional, std::move(options));
  }
};

// Words become the numbers that CLI11 reads an enumeration from.
CLI::Validator format_word() {
  static const std::map<std::string, Format> kFormats{
      {"table", Format::table}, {"wide", Format::wide}, {"json", Format::json}, {"name", Format::name}};
  return {[](std::string& word) {
            const auto found = kFormats.find(word);
            if (found == kFormats.end())
              return fmt::format("`{}` is not table, wide, json or name", escape_control(word));
            word = std::to_string(static_cast<int>(found->second));
            return std::string();
          },
          ""};
}

// CLI11 reads -1 as a number without a sign, which is a large one.
CLI::Validator whole_number(std::uint64_t most) {
  return {[most](std::string& text) {
            std::uint64_t value = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            const bool good = error == std::errc() && end == text.data() + text.size() && value <= most;
            return good ? std::string()
                        : fmt::format("`{}` is not a whole number from 0 to {}", escape_control(text), most);
          },
          ""};
}

CLI::Validator not_empty() {
  return {[](std::string& text) { return text.empty() ? std::string("must not be empty") : std::string(); }, ""};
}

void add_global_options(CLI::App& app, GlobalOptions& options) {
  const std::string group = kEverywhere;
  if (app.get_option_no_throw("--output") == nullptr) {
    app.add_option("-o,--output", options.format, "table (default), wide, json or name")
        ->transform(format_word())
        ->type_name("FORMAT")
        ->group(group);
  }
  app.add_flag("-q,--quiet", options.quiet, "Print names alone, and no notices")->group(group);
  app.add_flag("--no-color", options.no_color, "No colours; so does NO_COLOR, and output that is not a terminal")
      ->group(group);
  app.add_flag("--no-start", options.no_start, "Never start a daemon; so does BATON_NO_START=1")->group(group);
  const auto path = [&](const char* name, std::string& target, const char* help) {
    app.add_option(name, target, help)->type_name("PATH")->group(group);
  };
  path("--socket", options.locations.socket, "The daemon's socket (BATON_SOCKET)");
  path("--state-dir", options.locations.state_dir, "The daemon's state directory (BATON_STATE_DIR)");
  path("--config", options.locations.config, "The daemon's configuration (BATON_CONFIG)");
}

CommandTree::Option described(const CLI::Option& option) {
  CommandTree::Option result;
  for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  result.takes_value = option.get_items_expected_max() > 0;
  result.help = option.get_description();
  if (option.check_lname("output") && option.get_type_name() == "FORMAT") {
    result.choices = {"table", "wide", "json", "name"};
  } else if (const std::string type = option.get_type_name(); type.find('|') != std::string::npos) {
    result.choices = CLI::detail::split(type, '|');
  }
  return result;
}

}  // namespace

void Arguments::flag(const std::string& names, bool& target, const std::string& help) {
  app_.add_flag(names, target, help);
}

void Arguments::text(const std::string& names, std::string& target, const std::string& value, const std::string& help) {
  app_.add_option(names, target, help)->type_name(value);
}

void Arguments::texts(const std::string& names, std::vector<std::string>& target, const std::string& value,
                      const std::string& help) {
  app_.add_option(names, target, help)->type_name(value)->allow_extra_args(false);
}

void Arguments::number(const std::string& names, std::uint64_t& target, const std::string& help, std::uint64_t most) {
  app_.add_option(names, target, help)->check(whole_number(most))->type_name("N");
}

void Arguments::number(const std::string& names, std::optional<std::uint64_t>& target, const std::string& help,
                       std::uint64_t most) {
  app_.add_option_function<std::uint64_t>(
          names, [&target](const std::uint64_t& value) { target = value; }, help)
      ->check(whole_number(most))
      ->type_name("N");
}

void Arguments::integer(const std::string& names, std::optional<int>& target, const std::string& help) {
  app_.add_option_function<int>(names, [&target](const int& value) { target = value; }, help)->type_name("N");
}

void Arguments::choice(const std::string& names, std::string& target, const std::vector<std::string>& choices,
                       const std::string& help) {
  app_.add_option(names, target, help)
      ->check(CLI::IsMember(choices).description(""))
      ->type_name(CLI::detail::join(choices, "|"));
}

void Arguments::operand(const std::string& name, std::string& target, Operand kind, const std::string& help,
                        bool required) {
  CLI::Option* option = app_.add_option(name, target, help)->required(required)->type_name("");
  if (kind == Operand::run && required) option->check(not_empty());
  operands_.push_back(kind);
}

void Arguments::operands(const std::string& name, std::vector<std::string>& target, Operand kind,
                         const std::string& help) {
  CLI::Option* option = app_.add_option(name, target, help)->required()->type_name("");
  if (kind == Operand::run) option->check(not_empty());
  operands_.push_back(kind);
}

void Arguments::exclude(const std::string& name, const std::string& other) {
  app_.get_option(name)->excludes(app_.get_option(other));
}

struct CommandLine::State {
  // A verb as CLI11 has it.
  struct Command {
    CLI::App* app = nullptr;
    const Verb* verb = nullptr;
    Action action;
    std::vector<Operand> operands;
  };

  CLI::App app{"Runs workflows: DAGs of tasks, written in YAML.", "baton"};
  GlobalOptions options;
  std::deque<Command> commands;  // stays in place: CLI11 holds pointers into the operands

  void add(CLI::App& parent, std::span<const Verb> verbs);
  [[nodiscard]] const Command* chosen() const;
  [[nodiscard]] Error explain(const CLI::ParseError& error) const;
  [[nodiscard]] CommandTree tree_of(const CLI::App& command) const;
};

void CommandLine::State::add(CLI::App& parent, std::span<const Verb> verbs) {
  parent.require_subcommand(1, 1);
  for (const Verb& verb : verbs) {
    CLI::App& child = *parent.add_subcommand(verb.name, verb.summary);
    child.set_help_flag("-h,--help", "Print this help");
    Command& command = commands.emplace_back(Command{&child, &verb, {}, {}});
    if (verb.declare != nullptr) {
      Arguments arguments(child, command.operands);
      command.action = verb.declare(arguments);
      add_global_options(child, options);
      child.formatter(std::make_shared<HelpOfVerb>());
      child.footer(fmt::format("Example: {}\nOptions that every command takes: baton --help", verb.example));
    } else {
      child.footer(fmt::format("Example: {}", verb.example));
      add(child, verb.verbs);
    }
  }
}

const CommandLine::State::Command* CommandLine::State::chosen() const {
  const auto found = std::find_if(commands.begin(), commands.end(), [](const Command& command) {
    return command.action && command.app->parsed() && command.app->get_subcommands().empty();
  });
  return found == commands.end() ? nullptr : &*found;
}

// CLI11's exceptions as one line that says what to do.
Error CommandLine::State::explain(const CLI::ParseError& error) const {
  // The command that did not understand a word; if all of them were understood, the last one.
  const CLI::App* deepest = &app;
  while (deepest->remaining(false).empty() && !deepest->get_subcommands().empty()) {
    deepest = deepest->get_subcommands().front();
  }
  std::string path;
  for (const CLI::App* at = deepest; at != nullptr; at = at->get_parent())
    path = at->get_name() + (path.empty() ? "" : " ") + path;

  std::string message = error.what();
  const std::vector<std::string> extras = deepest->remaining(false);
  if (!extras.empty()) {
    const std::string word = escape_control(extras.front());
    std::vector<std::string_view> known;
    std::deque<std::string> names;
    const bool is_option = word.starts_with('-');
    if (is_option) {
      for (const CLI::Option* option : deepest->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back(names.emplace_back("--" + name));
      }
    } else {
      for (const CLI::App* command : deepest->get_subcommands({}))
        known.push_back(names.emplace_back(command->get_name()));
    }
    const bool is_command = !is_option && !known.empty();
    message = fmt::format("{} `{}`",
                          is_option    ? "unknown option"
                          : is_command ? "unknown command"
                                       : "unexpected argument",
                          word);
    if (const auto meant = nearest(word, known)) message += fmt::format(", did you mean `{}`?", *meant);
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return Error{ErrorCode::invalid_argument, fmt::format("{} (see {} --help)", message, path)};
}

CommandTree CommandLine::State::tree_of(const CLI::App& command) const {
  CommandTree tree{command.get_name(), command.get_description(), {}, {}, {}};
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) tree.options.push_back(described(*option));
  }
  const auto own = std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.app == &command; });
  if (own != commands.end()) tree.operands = own->operands;
  for (const CLI::App* child : command.get_subcommands([](const CLI::App*) { return true; })) {
    tree.commands.push_back(tree_of(*child));
  }
  return tree;
}

CommandLine::CommandLine(std::span<const Verb> verbs) : state_(std::make_unique<State>()) {
  state_->app.set_help_flag("-h,--help", "Print this help");
  add_global_options(state_->app, state_->options);
  state_->app.footer(
      "A run is named by its id, a unique prefix of it, `last`, or WORKFLOW#NUMBER.\n"
      "Example: baton run pipeline.yaml -p C=0.1");
  state_->add(state_->app, verbs);
}

CommandLine::~CommandLine() = default;

Result<CommandLine::Parsed> CommandLine::parse(std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    state_->app.parse(arguments);
  } catch (const CLI::CallForHelp& call) {
    const CLI::App* asked = &state_->app;
    while (!asked->get_subcommands().empty()) asked = asked->get_subcommands().front();
    // Of a command that there is not there is no help.
    const std::vector<std::string> extras = asked->remaining(false);
    const bool names_command = !extras.empty() && !extras.front().starts_with('-');
    if (names_command && !asked->get_subcommands({}).empty()) return std::unexpected(state_->explain(call));
    std::string text = asked->help();
    // In front of the group that is not there.
    if (const std::size_t gap = text.rfind("\n\n\n"); gap != std::string::npos) text.erase(gap, 1);
    return Parsed{state_->options, {}, std::move(text)};
  } catch (const CLI::ParseError& error) {
    return std::unexpected(state_->explain(error));
  }
  const State::Command* command = state_->chosen();
  if (command == nullptr) return fail(ErrorCode::internal, "no command was chosen");
  return Parsed{state_->options, command->action, {}};
}

CommandTree CommandLine::tree() const { return state_->tree_of(state_->app); }

}  // namespace baton::cli
