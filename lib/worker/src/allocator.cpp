#include <fmt/format.h>

#include <baton/base/mutation.hpp>
#include <baton/worker/resources.hpp>

#include <algorithm>

namespace baton::worker {
namespace {

constexpr std::int64_t kWhole = 1000;
constexpr std::size_t kMaxDevices = 64;  // bits of Grant::gpu_devices

std::int64_t whole_devices(std::int64_t gpu_milli) { return gpu_milli / kWhole + (gpu_milli % kWhole != 0 ? 1 : 0); }

}  // namespace

Allocator::Allocator(const wire::Capacity& configured, const HostResources& host) : capacity_(configured) {
  if (capacity_.cpu_milli <= 0) capacity_.cpu_milli = host.cpu_milli;
  if (capacity_.memory_bytes <= 0) capacity_.memory_bytes = host.memory_bytes;
  std::size_t devices = host.gpus.size();
  if (capacity_.gpu_milli != 0)
    devices = static_cast<std::size_t>(std::max<std::int64_t>(0, capacity_.gpu_milli) / kWhole);
  if (capacity_.gpu_milli == wire::Capacity::kNone) devices = 0;
  devices = std::min(devices, kMaxDevices);
  for (std::size_t i = 0; i < std::min(devices, host.gpus.size()); ++i) devices_.push_back({host.gpus[i], 0});
  // More are configured than were found: they get the numbers that those have left.
  for (std::uint32_t index = 0; devices_.size() < devices; ++index) {
    const auto has_it = [index](const Device& device) { return device.gpu.index == index; };
    if (std::any_of(devices_.begin(), devices_.end(), has_it)) continue;
    devices_.push_back({Gpu{index, fmt::format("gpu{}", index)}, 0});
  }
  capacity_.gpu_milli = static_cast<std::int64_t>(devices) * kWhole;
}

std::vector<std::string> Allocator::gpu_names() const {
  std::vector<std::string> names;
  names.reserve(devices_.size());
  for (const Device& device : devices_) names.push_back(device.gpu.name);
  return names;
}

std::string Allocator::never_fits(const wire::Capacity& needs) const {
  if (needs.cpu_milli < 0 || needs.memory_bytes < 0 || needs.gpu_milli < 0) return "asks for a negative amount";
  if (needs.cpu_milli > capacity_.cpu_milli) {
    return fmt::format("needs {} CPUs, the worker has {}", format_milli(needs.cpu_milli),
                       format_milli(capacity_.cpu_milli));
  }
  if (needs.memory_bytes > capacity_.memory_bytes) {
    return fmt::format("needs {} bytes of memory, the worker has {}", needs.memory_bytes, capacity_.memory_bytes);
  }
  if (whole_devices(needs.gpu_milli) > static_cast<std::int64_t>(devices_.size())) {
    return fmt::format("needs {} GPUs, the worker has {}", format_milli(needs.gpu_milli), devices_.size());
  }
  for (const auto& [name, amount] : needs.custom_milli) {
    const auto has = capacity_.custom_milli.find(name);
    const std::int64_t limit = has == capacity_.custom_milli.end() ? 0 : has->second;
    if (amount < 0) return "asks for a negative amount";
    if (amount > limit) {
      return fmt::format("needs {} of {}, the worker has {}", format_milli(amount), name, format_milli(limit));
    }
  }
  return {};
}

std::optional<Grant> Allocator::take(const wire::Capacity& needs) {
  if (needs.cpu_milli > capacity_.cpu_milli - used_.cpu_milli) return std::nullopt;
  if (needs.memory_bytes > capacity_.memory_bytes - used_.memory_bytes) return std::nullopt;
  for (const auto& [name, amount] : needs.custom_milli) {
    if (amount > capacity_.custom_milli[name] - used_.custom_milli[name]) return std::nullopt;
  }
  const auto devices = choose_devices(needs.gpu_milli);
  if (!devices) return std::nullopt;
  Grant grant{needs, *devices};
  count(grant, 1);
  return grant;
}

std::optional<std::uint64_t> Allocator::choose_devices(std::int64_t gpu_milli) const {
  if (gpu_milli == 0) return 0;
  if (mutated(Mutation::share_device)) return 1;
  if (gpu_milli < kWhole) {
    // The fullest device that still has room, so that whole ones stay free.
    const Device* best = nullptr;
    for (const Device& device : devices_) {
      const bool fits = device.used_milli + gpu_milli <= kWhole;
      if (fits && (best == nullptr || device.used_milli > best->used_milli)) best = &device;
    }
    if (best == nullptr) return std::nullopt;
    return std::uint64_t{1} << best->gpu.index;
  }
  std::uint64_t chosen = 0;
  std::int64_t missing = whole_devices(gpu_milli);
  for (const Device& device : devices_) {
    if (missing == 0) break;
    if (device.used_milli != 0) continue;
    chosen |= std::uint64_t{1} << device.gpu.index;
    --missing;
  }
  if (missing > 0) return std::nullopt;
  return chosen;
}

void Allocator::adopt(const Grant& grant) { count(grant, 1); }
void Allocator::give_back(const Grant& grant) { count(grant, -1); }

void Allocator::count(const Grant& grant, std::int64_t sign) {
  used_.cpu_milli += sign * grant.needs.cpu_milli;
  used_.memory_bytes += sign * grant.needs.memory_bytes;
  for (const auto& [name, amount] : grant.needs.custom_milli) used_.custom_milli[name] += sign * amount;
  const std::int64_t share = std::min(grant.needs.gpu_milli, kWhole);
  for (Device& device : devices_) {
    if ((grant.gpu_devices >> device.gpu.index & 1) != 0) device.used_milli += sign * share;
  }
}

std::string format_milli(std::int64_t milli) { return fmt::format("{}", static_cast<double>(milli) / 1000.0); }

std::string format_devices(std::uint64_t devices) {
  std::string text;
  for (std::uint32_t index = 0; index < kMaxDevices; ++index) {
    if ((devices >> index & 1) == 0) continue;
    if (!text.empty()) text += ',';
    text += std::to_string(index);
  }
  return text;
}

}  // namespace baton::worker
