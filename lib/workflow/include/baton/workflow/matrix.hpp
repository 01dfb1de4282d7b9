// A task's matrix: which instances it has and what they are called.
#pragma once
#include <baton/base/result.hpp>
#include <baton/workflow/expression.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace baton::workflow {

// The combinations of one matrix, in instance order: the product of the axes with the last axis turning fastest,
// without the excluded ones, then the included ones. The product is not stored: its combinations are computed from
// their number. All of this is deterministic, so that instances keep their numbers and names over restarts.
class MatrixCombos {
 public:
  MatrixCombos() = default;
  struct Axis {
    std::string name;
    std::vector<Value> values;
  };
  // Include entries that agree with combinations of the product on all of their axes' keys extend these, as in GitHub
  // Actions; the others are added as combinations of their own. An exclude entry names some of the axes and removes
  // every combination of the product that agrees with it. No axis, an empty axis or an exclusion of everything leaves
  // no combination, which is not an error here. Errors: a value twice in an axis, an included combination twice,
  // entries that are no objects or empty, an exclude entry with a key that is no axis, more than
  // limits::kInstancesPerTask combinations (before exclusion), entries that match more than 8 times that many in all.
  static Result<MatrixCombos> build(std::vector<Axis> axes, std::vector<Value> include, std::vector<Value> exclude);
  // Dynamic mapping; what is no object becomes {"item": x}. Errors: two equal elements, too many.
  static Result<MatrixCombos> from_list(std::vector<Value> objects);

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] Value at(std::uint32_t index) const;  // an object; index < size()
  // "C=0.1,seed=2": the values in axis order, then the other keys in alphabetical order. Characters other than
  // [A-Za-z0-9_.:/+-] are percent-encoded. Unique within the matrix and at most 128 bytes: where it needs it, a label
  // ends with `~` and the index.
  [[nodiscard]] std::string label(std::uint32_t index) const;

  // For the database: what from_json reads back into an equal object.
  [[nodiscard]] Value to_json() const;
  static Result<MatrixCombos> from_json(const Value& json);

 private:
  struct Match;  // the part of the product that agrees with an include or exclude entry
  Result<void> check_axes() const;
  void index_values();
  [[nodiscard]] std::uint32_t product_size() const;
  [[nodiscard]] Match match(const Value& entry) const;
  Result<void> apply_excludes();
  Result<void> apply_includes();
  Result<void> number_included();
  [[nodiscard]] std::uint32_t product_index(std::uint32_t index) const { return all_kept_ ? index : kept_[index]; }
  void add_common(std::uint32_t rule);
  // The include entries that extend this combination of the product and not all of them, in file order.
  [[nodiscard]] std::span<const std::pair<std::uint32_t, std::uint32_t>> extensions(std::uint32_t product_index) const;
  [[nodiscard]] std::string full_label(std::uint32_t index) const;
  // The part of a label for the keys that are no axes.
  [[nodiscard]] std::string label_of_others(const Value& object) const;

  std::uint32_t size_ = 0;
  std::uint32_t from_product_ = 0;  // the first combinations; the rest are included
  bool is_list_ = false;            // from_list
  bool all_kept_ = true;
  std::vector<Axis> axes_;
  std::vector<Value> include_, exclude_;          // as given
  std::vector<std::vector<std::string>> labels_;  // of each axis' values, told apart
  std::vector<std::uint32_t> kept_;               // product indexes left by `exclude`, ascending
  // What include entries that name no axis add to the whole product, folded once: every combination has it.
  Value common_ = Value::object();
  std::map<std::string, std::uint32_t, std::less<>> common_rules_;  // key of common_ → the entry it is of
  std::string common_label_;                                        // of common_
  std::vector<std::pair<std::uint32_t, std::uint32_t>> extended_;   // (product index, include entry), ascending
  std::vector<std::uint32_t> included_;   // include entries that are combinations of their own
  std::vector<std::uint32_t> ambiguous_;  // combinations whose label needs the index, ascending
  std::vector<std::map<std::string, std::uint32_t, std::less<>>>
      places_;  // of each axis: value → index; while building
};

// A matrix as written. Without an expression in it, `fixed` holds its combinations, expanded when the file was read.
struct MatrixSpec {
  struct AxisTemplate {
    std::string name;
    std::variant<std::vector<Value>, Expression> values;
    SourcePos pos;
  };
  std::optional<MatrixCombos> fixed;
  std::variant<std::vector<AxisTemplate>, Expression> axes;  // the expression yields a list or an object of axes
  std::vector<Value> include, exclude;
  std::vector<std::string> axis_names;  // empty if not known before the run
  SourcePos pos;

  // The combinations in `context`; `fixed` if there is one.
  [[nodiscard]] Result<MatrixCombos> expand(const EvalContext& context) const;
};

}  // namespace baton::workflow
