// The two archives that turn fields into bytes and back. fields.hpp says which fields a message has; both archives walk
// the same list, so encoder and decoder cannot disagree.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace baton::wire {

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void operator()(bool value) { out_.push_back(value ? '\1' : '\0'); }
  void operator()(const std::string& value) {
    varint(value.size());
    out_ += value;
  }
  void operator()(Duration value) { (*this)(static_cast<std::int64_t>(value.count())); }
  void operator()(TimePoint value) { (*this)(value.time_since_epoch()); }
  void operator()(AttemptId value) { varint(value.value()); }
  template <class T>
    requires std::is_integral_v<T>
  void operator()(T value) {
    if constexpr (std::is_signed_v<T>) {
      varint(zigzag(value));
    } else {
      varint(value);
    }
  }
  template <class E>
    requires std::is_enum_v<E>
  void operator()(E value) {
    out_.push_back(static_cast<char>(value));
  }
  template <class A, class B>
  void operator()(const std::pair<A, B>& value) {
    (*this)(value.first);
    (*this)(value.second);
  }
  template <class T>
  void operator()(const std::vector<T>& values) {
    varint(values.size());
    for (const T& value : values) (*this)(value);
  }
  template <class K, class V>
  void operator()(const std::map<K, V>& values) {
    varint(values.size());
    for (const auto& value : values) (*this)(value);
  }
  template <class T>
    requires requires(Encoder& archive, const T& message) { fields(archive, message); }
  void operator()(const T& message) {
    fields(*this, message);
  }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }

  std::string& out_;
};

// After the first malformed field everything reads as empty and ok() stays false. A count is believed only as far as
// the bytes that are left could hold so many elements, and as all elements together take memory in proportion to the
// frame: an empty string is one byte in a frame and 32 here.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes), room_(kLeastRoom + bytes.size() * kRoomOfByte) {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool finished() const { return ok_ && bytes_.empty(); }

  void operator()(bool& value) {
    const std::uint8_t raw = byte();
    if (raw > 1) ok_ = false;
    value = raw == 1;
  }
  void operator()(std::string& value) {
    const std::size_t size = count(1);
    value.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
  }
  void operator()(Duration& value) {
    std::int64_t ticks = 0;
    (*this)(ticks);
    value = Duration(ticks);
  }
  void operator()(TimePoint& value) {
    Duration since_epoch{0};
    (*this)(since_epoch);
    value = TimePoint(since_epoch);
  }
  void operator()(AttemptId& value) { value = AttemptId(varint()); }
  template <class T>
    requires std::is_integral_v<T>
  void operator()(T& value) {
    if constexpr (std::is_signed_v<T>) {
      value = narrow<T>(unzigzag(varint()));
    } else {
      value = narrow<T>(varint());
    }
  }
  template <class E>
    requires std::is_enum_v<E>
  void operator()(E& value) {
    const std::uint8_t raw = byte();
    if (raw > static_cast<std::uint8_t>(last_of(E{}))) {
      ok_ = false;
    } else {
      value = static_cast<E>(raw);
    }
  }
  template <class A, class B>
  void operator()(std::pair<A, B>& value) {
    (*this)(value.first);
    (*this)(value.second);
  }
  template <class T>
  void operator()(std::vector<T>& values) {
    const std::size_t size = count(sizeof(T));
    values.clear();
    for (std::size_t i = 0; i < size && ok_; ++i) (*this)(values.emplace_back());
  }
  template <class K, class V>
  void operator()(std::map<K, V>& values) {
    const std::size_t size = count(sizeof(std::pair<const K, V>));
    values.clear();
    for (std::size_t i = 0; i < size && ok_; ++i) {
      std::pair<K, V> value;
      (*this)(value);
      // The encoder writes keys in order and once each; anything else did not come from it.
      if (!values.empty() && !(values.rbegin()->first < value.first)) ok_ = false;
      values.insert_or_assign(values.end(), std::move(value.first), std::move(value.second));
    }
  }
  template <class T>
    requires requires(Decoder& archive, T& message) { fields(archive, message); }
  void operator()(T& message) {
    fields(*this, message);
  }

 private:
  std::uint8_t byte() {
    if (bytes_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      if (shift == 63 && part > 1) break;
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if ((part & 0x80) == 0) return ok_ ? value : 0;
    }
    ok_ = false;
    return 0;
  }
  template <class T, class Wide>
  T narrow(Wide wide) {
    if (!std::in_range<T>(wide)) ok_ = false;
    return ok_ ? static_cast<T>(wide) : T{};
  }
  // A number of bytes or elements; every element takes at least one byte in the frame, and this many in memory.
  std::size_t count(std::size_t element_bytes) {
    const std::uint64_t size = varint();
    if (size > bytes_.size() || size * element_bytes > room_) ok_ = false;
    if (!ok_) return 0;
    room_ -= static_cast<std::size_t>(size) * element_bytes;
    return static_cast<std::size_t>(size);
  }

  // More than the elements of any honest frame need: the smallest inventory entry takes 11 times its bytes. What is
  // small may be anything.
  static constexpr std::size_t kRoomOfByte = 16;
  static constexpr std::size_t kLeastRoom = 4u << 20;

  std::string_view bytes_;
  std::size_t room_;
  bool ok_ = true;
};

}  // namespace baton::wire
