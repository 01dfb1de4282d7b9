#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/workflow/matrix.hpp>

#include <algorithm>
#include <cassert>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "expression_program.hpp"
#include "matrix_label.hpp"

namespace baton::workflow {
namespace {

constexpr std::uint64_t kMostMatches = 8 * limits::kInstancesPerTask;

// Equal for equal values: 1 and 1.0 are one, 1 and "1" are two.
std::string identity(const Value& value) {
  if (value.is_number()) return to_text(value);
  return value.dump(-1, ' ', false, Value::error_handler_t::replace);
}

std::unexpected<Error> too_many(std::uint64_t size) {
  return fail(ErrorCode::limit, "the matrix has {} combinations; at most {} are allowed", size,
              limits::kInstancesPerTask);
}

Result<void> check_entry(const Value& entry, std::string_view list) {
  if (!entry.is_object()) {
    return fail(ErrorCode::invalid_argument, "an entry of `{}` must be an object, not {}", list,
                described(type_of(entry)));
  }
  if (entry.empty()) return fail(ErrorCode::invalid_argument, "an entry of `{}` is empty", list);
  return {};
}

// The numbers below `count` whose text an earlier one has too, ascending, each with the first one that has it. Keeps
// hashes instead of the texts, of which there may be a million.
std::vector<std::pair<std::uint32_t, std::uint32_t>> repetitions(std::uint32_t count, auto text_of) {
  std::vector<std::pair<std::size_t, std::uint32_t>> hashes;
  hashes.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) hashes.emplace_back(std::hash<std::string>{}(text_of(i)), i);
  std::sort(hashes.begin(), hashes.end());
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  for (std::size_t begin = 0, end = 0; begin < hashes.size(); begin = end) {
    for (end = begin + 1; end < hashes.size() && hashes[end].first == hashes[begin].first;) ++end;
    if (end == begin + 1) continue;
    std::unordered_map<std::string, std::uint32_t> first;
    for (std::size_t i = begin; i < end; ++i) {
      const auto [found, fresh] = first.try_emplace(text_of(hashes[i].second), hashes[i].second);
      if (!fresh) out.emplace_back(hashes[i].second, found->second);
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

struct MatrixCombos::Match {
  bool possible = false;
  bool extends_only = true;                         // it names no axis, so that it agrees with everything
  std::vector<std::optional<std::uint32_t>> fixed;  // of each axis: the value's index; nullopt: any
  std::uint64_t count = 0;                          // of combinations

  // Calls visit(product index) for each combination, in order.
  void for_each(const std::vector<Axis>& axes, auto visit) const {
    std::vector<std::uint32_t> digits(axes.size(), 0);
    for (std::uint64_t done = 0; done < count; ++done) {
      std::uint32_t index = 0;
      for (std::size_t a = 0; a < axes.size(); ++a) {
        index = index * static_cast<std::uint32_t>(axes[a].values.size()) + fixed[a].value_or(digits[a]);
      }
      visit(index);
      for (std::size_t a = axes.size(); a-- > 0;) {
        if (fixed[a]) continue;
        if (++digits[a] < axes[a].values.size()) break;
        digits[a] = 0;
      }
    }
  }
};

Result<MatrixCombos> MatrixCombos::build(std::vector<Axis> axes, std::vector<Value> include,
                                         std::vector<Value> exclude) {
  MatrixCombos out;
  out.axes_ = std::move(axes);
  out.include_ = std::move(include);
  out.exclude_ = std::move(exclude);
  if (Result<void> good = out.check_axes(); !good) return std::unexpected(good.error());
  out.index_values();
  if (Result<void> good = out.apply_excludes(); !good) return std::unexpected(good.error());
  if (Result<void> good = out.apply_includes(); !good) return std::unexpected(good.error());
  if (Result<void> good = out.number_included(); !good) return std::unexpected(good.error());
  out.places_.clear();
  return out;
}

Result<MatrixCombos> MatrixCombos::from_list(std::vector<Value> objects) {
  MatrixCombos out;
  out.is_list_ = true;
  if (objects.size() > limits::kInstancesPerTask) return too_many(objects.size());
  out.include_ = std::move(objects);
  for (std::uint32_t i = 0; i < out.include_.size(); ++i) out.included_.push_back(i);
  if (Result<void> good = out.number_included(); !good) return std::unexpected(good.error());
  return out;
}

Result<void> MatrixCombos::check_axes() const {
  std::uint64_t product = axes_.empty() ? 0 : 1;
  for (const Axis& axis : axes_) {
    const auto same = [&](const Axis& other) { return other.name == axis.name; };
    if (std::count_if(axes_.begin(), axes_.end(), same) > 1) {
      return fail(ErrorCode::invalid_argument, "the matrix has two axes `{}`", shown(axis.name));
    }
    product *= std::min<std::uint64_t>(axis.values.size(), limits::kInstancesPerTask + 1);
    if (product > limits::kInstancesPerTask) return too_many(product);
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      const auto [first, fresh] = seen.try_emplace(identity(axis.values[i]), i);
      if (fresh) continue;
      return fail(ErrorCode::invalid_argument, "axis `{}` has the value {} twice, at {} and {}", shown(axis.name),
                  shown(first->first), first->second + 1, i + 1);
    }
  }
  return {};
}

void MatrixCombos::index_values() {
  for (const Axis& axis : axes_) {
    auto& places = places_.emplace_back();
    for (std::uint32_t i = 0; i < axis.values.size(); ++i) places.emplace(identity(axis.values[i]), i);
    labels_.push_back(label_values(axis.values));
  }
}

std::uint32_t MatrixCombos::product_size() const {
  std::uint32_t size = axes_.empty() ? 0 : 1;
  for (const Axis& axis : axes_) size *= static_cast<std::uint32_t>(axis.values.size());
  return size;
}

MatrixCombos::Match MatrixCombos::match(const Value& entry) const {
  Match out;
  out.count = product_size();
  out.possible = out.count != 0;
  for (std::size_t a = 0; a < axes_.size(); ++a) {
    std::optional<std::uint32_t>& fixed = out.fixed.emplace_back();
    const auto given = entry.find(axes_[a].name);
    if (given == entry.end()) continue;
    out.extends_only = false;
    const auto place = places_[a].find(identity(*given));
    if (place == places_[a].end()) {
      out.possible = false;
    } else {
      fixed = place->second;
      out.count /= axes_[a].values.size();
    }
  }
  if (!out.possible) out.count = 0;
  return out;
}

Result<void> MatrixCombos::apply_excludes() {
  const std::uint32_t product = product_size();
  from_product_ = product;
  if (exclude_.empty()) return {};
  std::vector<bool> removed(product, false);
  std::uint64_t matches = 0;
  for (const Value& entry : exclude_) {
    if (Result<void> good = check_entry(entry, "exclude"); !good) return good;
    for (const auto& [key, value] : entry.items()) {
      const auto named = [&name = key](const Axis& axis) { return axis.name == name; };
      if (std::any_of(axes_.begin(), axes_.end(), named)) continue;
      return fail(ErrorCode::invalid_argument, "`exclude` names `{}`, which is no axis of the matrix", shown(key));
    }
    const Match found = match(entry);
    matches += found.count;
    if (matches > kMostMatches) {
      return fail(ErrorCode::limit, "`exclude` matches more than {} combinations in all", kMostMatches);
    }
    found.for_each(axes_, [&](std::uint32_t index) { removed[index] = true; });
  }
  all_kept_ = false;
  for (std::uint32_t i = 0; i < product; ++i) {
    if (!removed[i]) kept_.push_back(i);
  }
  from_product_ = static_cast<std::uint32_t>(kept_.size());
  return {};
}

Result<void> MatrixCombos::apply_includes() {
  std::uint64_t matches = 0;
  for (std::uint32_t i = 0; i < include_.size(); ++i) {
    if (Result<void> good = check_entry(include_[i], "include"); !good) return good;
    const Match found = match(include_[i]);
    if (found.extends_only && from_product_ != 0) {
      add_common(i);
      continue;
    }
    matches += found.count;
    if (matches > kMostMatches) {
      return fail(ErrorCode::limit, "`include` matches more than {} combinations in all", kMostMatches);
    }
    bool extends = false;
    const bool adds =
        include_[i].size() > axes_.size() ||
        std::any_of(include_[i].items().begin(), include_[i].items().end(), [&](const auto& item) {
          return std::none_of(axes_.begin(), axes_.end(), [&](const Axis& a) { return a.name == item.key(); });
        });
    found.for_each(axes_, [&](std::uint32_t index) {
      if (!all_kept_ && !std::binary_search(kept_.begin(), kept_.end(), index)) return;
      extends = true;
      if (adds) extended_.emplace_back(index, i);
    });
    if (!extends) included_.push_back(i);
  }
  std::sort(extended_.begin(), extended_.end());
  common_label_ = label_of_others(common_);
  return {};
}

// Finds equal combinations among the included ones, and equal labels.
Result<void> MatrixCombos::number_included() {
  const std::uint64_t size = std::uint64_t{from_product_} + included_.size();
  if (size > limits::kInstancesPerTask) return too_many(size);
  size_ = static_cast<std::uint32_t>(size);
  const auto entry = [&](std::uint32_t i) -> const Value& { return include_[included_[i]]; };
  const auto count = static_cast<std::uint32_t>(included_.size());
  const auto combination = [&](std::uint32_t i) {
    return entry(i).is_object() ? identity(entry(i)) : fmt::format("{{\"{}\":{}}}", kItem, identity(entry(i)));
  };
  const auto equal = repetitions(count, combination);
  if (!equal.empty()) {
    const auto& [again, first] = equal.front();
    return fail(ErrorCode::invalid_argument, "the combinations {} and {} of the matrix are equal: {}",
                from_product_ + first + 1, from_product_ + again + 1, shown(combination(first)));
  }
  for (const auto& [again, first] :
       repetitions(count, [&](std::uint32_t i) { return full_label(from_product_ + i); })) {
    ambiguous_.push_back(from_product_ + again);
  }
  if (from_product_ == 0) return {};
  // One may look like one of the product, with "1" where that has 1.
  std::vector<std::unordered_set<std::string>> axis_labels(axes_.size());
  for (std::size_t a = 0; a < axes_.size() && count != 0; ++a) {
    for (const Value& value : axes_[a].values) axis_labels[a].insert(encode_label(value));
  }
  const std::size_t repeated = ambiguous_.size();
  for (std::uint32_t i = 0; i < count; ++i) {
    bool like_product = true;
    for (std::size_t a = 0; a < axes_.size() && like_product; ++a) {
      const auto given = entry(i).find(axes_[a].name);
      like_product = given != entry(i).end() && axis_labels[a].contains(encode_label(*given));
    }
    if (like_product) ambiguous_.push_back(from_product_ + i);
  }
  std::inplace_merge(ambiguous_.begin(), ambiguous_.begin() + static_cast<std::ptrdiff_t>(repeated), ambiguous_.end());
  return {};
}

void MatrixCombos::add_common(std::uint32_t rule) {
  for (const auto& [key, value] : include_[rule].items()) {
    common_[key] = value;
    common_rules_[key] = rule;
  }
}

std::span<const std::pair<std::uint32_t, std::uint32_t>> MatrixCombos::extensions(std::uint32_t product_index) const {
  const auto [first, last] = std::equal_range(extended_.begin(), extended_.end(), std::pair(product_index, 0u),
                                              [](const auto& a, const auto& b) { return a.first < b.first; });
  return {first, last};
}

Value MatrixCombos::at(std::uint32_t index) const {
  assert(index < size_);
  if (index >= from_product_) {
    const Value& entry = include_[included_[index - from_product_]];
    if (entry.is_object()) return entry;
    Value out = Value::object();
    out[kItem] = entry;
    return out;
  }
  const std::uint32_t place = product_index(index);
  Value out = common_;
  std::uint32_t rest = place;
  for (std::size_t a = axes_.size(); a-- > 0;) {
    const auto radix = static_cast<std::uint32_t>(axes_[a].values.size());
    out[axes_[a].name] = axes_[a].values[rest % radix];
    rest /= radix;
  }
  for (const auto& [index_of_product, rule] : extensions(place)) {
    for (const auto& [key, value] : include_[rule].items()) {
      // The later entry counts. On the axes they are equal.
      const auto common = common_rules_.find(key);
      if (common == common_rules_.end() || common->second < rule) out[key] = value;
    }
  }
  return out;
}

}  // namespace baton::workflow
