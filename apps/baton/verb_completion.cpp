#include "completion.hpp"
#include "verbs.hpp"

namespace baton::cli {

Action declare_completion(Arguments& arguments) {
  auto shell = std::make_shared<std::string>();
  arguments.operand("SHELL", *shell, Operand::none, "bash, zsh or fish");
  return [shell](Session& session) -> Outcome {
    const CommandTree tree = CommandLine(verbs()).tree();
    if (*shell == "bash") {
      session.out.write(bash_completion(tree));
    } else if (*shell == "zsh") {
      session.out.write(zsh_completion(tree));
    } else if (*shell == "fish") {
      session.out.write(fish_completion(tree));
    } else {
      return refuse(ErrorCode::invalid_argument, "completions are for bash, zsh and fish, not for {}", *shell);
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
