// How a matrix is stored: as it was given, because everything else follows from that.
#include <baton/workflow/matrix.hpp>

#include <optional>

namespace baton::workflow {

Value MatrixCombos::to_json() const {
  Value out = Value::object();
  if (is_list_) {
    out["items"] = include_;
    return out;
  }
  Value& axes = out["axes"] = Value::array();
  for (const Axis& axis : axes_) axes.push_back(Value::array({axis.name, Value(axis.values)}));
  if (!include_.empty()) out["include"] = include_;
  if (!exclude_.empty()) out["exclude"] = exclude_;
  return out;
}

Result<MatrixCombos> MatrixCombos::from_json(const Value& json) {
  const auto list = [&](const char* key) -> std::optional<std::vector<Value>> {
    const auto found = json.find(key);
    if (found == json.end()) return std::vector<Value>{};
    if (!found->is_array()) return std::nullopt;
    return std::vector<Value>(found->begin(), found->end());
  };
  const auto corrupt = [] { return fail(ErrorCode::corrupt, "this is not a stored matrix"); };
  if (!json.is_object()) return corrupt();
  auto items = list("items");
  if (!items) return corrupt();
  if (json.contains("items")) return from_list(*std::move(items));
  auto written = list("axes");
  auto include = list("include");
  auto exclude = list("exclude");
  if (!json.contains("axes") || !written || !include || !exclude) return corrupt();
  std::vector<Axis> axes;
  for (const Value& axis : *written) {
    if (!axis.is_array() || axis.size() != 2 || !axis[0].is_string() || !axis[1].is_array()) return corrupt();
    axes.push_back({axis[0].get<std::string>(), std::vector<Value>(axis[1].begin(), axis[1].end())});
  }
  return build(std::move(axes), *std::move(include), *std::move(exclude));
}

}  // namespace baton::workflow
