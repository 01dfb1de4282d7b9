#include <baton/base/quantity.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace baton {
namespace {

__extension__ using Wide = unsigned __int128;

struct Suffix {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Suffix, 11> kByteSuffixes{{{"", 1},
                                                {"k", 1'000},
                                                {"M", 1'000'000},
                                                {"G", 1'000'000'000},
                                                {"T", 1'000'000'000'000},
                                                {"P", 1'000'000'000'000'000},
                                                {"Ki", 1ULL << 10},
                                                {"Mi", 1ULL << 20},
                                                {"Gi", 1ULL << 30},
                                                {"Ti", 1ULL << 40},
                                                {"Pi", 1ULL << 50}}};

// digits / scale, exactly: "1.50" is 15 / 10.
struct Decimal {
  std::uint64_t digits = 0;
  std::uint64_t scale = 1;
};

enum class Reading { good, malformed, too_large, too_fine };

// A decimal number without sign or exponent, and what follows it.
Reading split(std::string_view text, Decimal& number, std::string_view& suffix) {
  constexpr std::uint64_t kMost = 1'000'000'000'000'000'000;
  const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  suffix = text.substr(end);
  std::string_view digits = text.substr(0, end);
  const std::size_t point = digits.find('.');
  if (digits.find_first_not_of('.') == std::string_view::npos || digits.find('.', point + 1) < end)
    return Reading::malformed;
  if (point != std::string_view::npos) digits = digits.substr(0, std::max(point, digits.find_last_not_of('0') + 1));
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i == point) continue;
    if (number.digits >= kMost / 10 || number.scale >= kMost / 10)
      return i < point ? Reading::too_large : Reading::too_fine;
    number.digits = number.digits * 10 + static_cast<std::uint64_t>(digits[i] - '0');
    if (i > point) number.scale *= 10;
  }
  return Reading::good;
}

}  // namespace

Result<std::int64_t> parse_milli(std::string_view text) {
  constexpr std::int64_t kMost = 1'000'000'000'000;
  Decimal number;
  std::string_view suffix;
  const Reading reading = split(text, number, suffix);
  if (reading == Reading::malformed || (!suffix.empty() && suffix != "m")) {
    return fail(ErrorCode::invalid_argument, "`{}` is not a quantity such as 2, 0.5 or 500m", text);
  }
  const Wide scaled = Wide{number.digits} * (suffix == "m" ? 1 : 1000);
  if (reading == Reading::too_large || scaled / number.scale > kMost) {
    return fail(ErrorCode::limit, "`{}` is too large", text);
  }
  if (reading == Reading::too_fine || scaled % number.scale != 0) {
    return fail(ErrorCode::invalid_argument, "`{}` is finer than a thousandth", text);
  }
  return static_cast<std::int64_t>(scaled / number.scale);
}

Result<std::int64_t> parse_bytes(std::string_view text) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  Decimal number;
  std::string_view suffix;
  const Reading reading = split(text, number, suffix);
  for (const Suffix& known : kByteSuffixes) {
    if (reading == Reading::malformed || known.name != suffix) continue;
    if (reading == Reading::too_fine) return fail(ErrorCode::invalid_argument, "`{}` has too many decimals", text);
    const Wide bytes = (Wide{number.digits} * known.factor + (number.scale - 1)) / number.scale;  // rounded up
    if (reading == Reading::too_large || bytes > Wide{kMost}) return fail(ErrorCode::limit, "`{}` is too large", text);
    return static_cast<std::int64_t>(bytes);
  }
  return fail(ErrorCode::invalid_argument, "`{}` is not an amount of bytes such as 512Mi, 4Gi or 1.5G", text);
}

std::string format_milli(std::int64_t milli) {
  std::string text = fmt::format("{}", milli / 1000);
  if (milli % 1000 == 0) return text;
  std::string fraction = fmt::format("{:03}", milli % 1000);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + "." + fraction;
}

std::string format_bytes(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kNames{"", "Ki", "Mi", "Gi", "Ti", "Pi"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= (unit == 0 ? 1024 : 1023.95) && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  std::string number = fmt::format("{:.1f}", value);
  if (number.ends_with(".0")) number.erase(number.size() - 2);
  return number + std::string(kNames[unit]);
}

}  // namespace baton
