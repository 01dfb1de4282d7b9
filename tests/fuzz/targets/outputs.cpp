// The file that a task writes its outputs to.
#include <baton/base/text.hpp>
#include <baton/worker/output_file.hpp>

#include "../target.hpp"

namespace baton::fuzz {

void outputs(std::string_view input) {
  const auto parsed = worker::parse_outputs(input);
  if (!parsed) {
    holds(parsed.error().message.size() < 1024, "an error is one line for people");
    return;
  }
  std::string again;
  std::size_t bytes = 0;
  for (const auto& [name, value] : *parsed) {
    holds(is_identifier(name) && is_valid_utf8(value), "names are names and values are text");
    bytes += name.size() + value.size();
    std::string end = "END";
    while (value.find(end) != std::string::npos) end += "X";
    again += name + "<<" + end + "\n" + value + "\n" + end + "\n";
  }
  holds(bytes <= input.size(), "nothing is made up");
  holds(worker::parse_outputs(again) == parsed, "what was read is written and read again");
}

}  // namespace baton::fuzz
