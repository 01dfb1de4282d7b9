#include "matrix_label.hpp"

#include <fmt/format.h>
#include <baton/workflow/matrix.hpp>

#include <algorithm>
#include <unordered_set>

namespace baton::workflow {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_.:/+-").find(c) != std::string_view::npos;
}

void append_label(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ',';
  out += encode_label(key);
  out += '=';
  out += value;
}

}  // namespace

std::string encode_label(const Value& value) {
  return value.is_string() ? encode_label(std::string_view(value.get_ref<const std::string&>()))
                           : encode_label(std::string_view(value.is_null() ? "null" : to_text(value)));
}

std::string encode_label(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (out.size() > kLabelBytes) break;  // it will be cut anyway
    if (is_plain(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::vector<std::string> label_values(const std::vector<Value>& values) {
  std::vector<std::string> out;
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::string label = encode_label(values[i]);
    if (!seen.insert(label).second) label += fmt::format("~v{}", i);
    out.push_back(std::move(label));
  }
  return out;
}

std::string cut_label(std::string label, std::uint32_t index, bool ambiguous) {
  if (label.size() <= kLabelBytes && !ambiguous) return label;
  const std::string suffix = fmt::format("~{}", index);
  if (label.size() + suffix.size() > kLabelBytes) {
    label.resize(kLabelBytes - suffix.size());
    const std::size_t percent = label.rfind('%');  // not in the middle of an encoded character
    if (percent != std::string::npos && percent + 3 > label.size()) label.resize(percent);
  }
  return label + suffix;
}

std::string MatrixCombos::label_of_others(const Value& object) const {
  std::string out;
  for (auto item = object.begin(); item != object.end(); ++item) {
    const auto same = [&](const Axis& axis) { return axis.name == item.key(); };
    if (std::none_of(axes_.begin(), axes_.end(), same)) append_label(out, item.key(), encode_label(*item));
    if (out.size() > kLabelBytes) break;  // it will be cut anyway
  }
  return out;
}

std::string MatrixCombos::full_label(std::uint32_t index) const {
  std::string out;
  const auto append_others = [&](const std::string& others) {
    if (!others.empty()) out += (out.empty() ? "" : ",") + others;
  };
  if (index < from_product_) {
    const std::uint32_t place = product_index(index);
    std::uint32_t rest = place;
    std::uint32_t radix = product_size();
    for (std::size_t a = 0; a < axes_.size(); ++a) {
      radix /= static_cast<std::uint32_t>(axes_[a].values.size());
      append_label(out, axes_[a].name, labels_[a][rest / radix]);
      rest %= radix;
    }
    append_others(extensions(place).empty() ? common_label_ : label_of_others(at(index)));
    return out;
  }
  const Value& entry = include_[included_[index - from_product_]];
  if (!entry.is_object()) {
    append_label(out, kItem, encode_label(entry));
    return out;
  }
  for (const Axis& axis : axes_) {
    const auto given = entry.find(axis.name);
    if (given != entry.end()) append_label(out, axis.name, encode_label(*given));
  }
  append_others(label_of_others(entry));
  return out;
}

std::string MatrixCombos::label(std::uint32_t index) const {
  return cut_label(full_label(index), index, std::binary_search(ambiguous_.begin(), ambiguous_.end(), index));
}

}  // namespace baton::workflow
