// baton-worker for the kill sweep: the first process of one role (attach, supervise, session) runs under strace from
// its first instruction, every later one as it is. batond is given it with --worker-program.
//
// $BATON_SWEEP_DIR/ROLE holds the role's strace command, one argument a line; whoever removes the file uses it. All the
// rest is the real baton-worker's: also attach, which hands on its own program file, so that this program is asked
// again for each supervisor and session.
#include <baton/worker/programs.hpp>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

std::vector<std::string> take_command(const std::string& role) {
  const char* folder = std::getenv("BATON_SWEEP_DIR");
  if (folder == nullptr) return {};
  const std::string path = std::string(folder) + "/" + role;
  std::ifstream file(path);
  std::vector<std::string> command;
  for (std::string line; std::getline(file, line);) command.push_back(line);
  if (command.empty() || ::unlink(path.c_str()) != 0) return {};
  return command;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string role = argv[1];
  std::vector<std::string> command = take_command(role);
  if (role == "attach" && command.empty()) {
    baton::worker::SupervisorOptions options;
    if (argc != 4 || std::string(argv[2]) != "--dir") return 2;
    options.folder = argv[3];
    return baton::worker::attach(options);
  }
  command.emplace_back(BATON_WORKER_PROGRAM);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + static_cast<std::size_t>(argc));
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  return 126;
}
