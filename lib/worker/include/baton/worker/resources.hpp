// What the host can give, and who has it.
#pragma once
#include <baton/wire/messages.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::worker {

struct Gpu {
  std::uint32_t index = 0;  // as CUDA_VISIBLE_DEVICES means it; at most 63
  std::string name;
};

struct HostResources {
  std::int64_t cpu_milli = 0;  // by affinity and the cgroups' quotas
  std::int64_t memory_bytes = 0;
  std::vector<Gpu> gpus;
};

HostResources detect_resources();

// What one attempt got.
struct Grant {
  wire::Capacity needs;
  std::uint64_t gpu_devices = 0;  // bit per device index
};

// Adds up what is given away. Nothing is overcommitted, except by attempts of an earlier session that still run.
class Allocator {
 public:
  Allocator() = default;
  // `configured`: zeros are filled in from the host; negative GPUs mean none.
  Allocator(const wire::Capacity& configured, const HostResources& host);

  [[nodiscard]] const wire::Capacity& capacity() const { return capacity_; }
  [[nodiscard]] std::vector<std::string> gpu_names() const;
  // Why it could not even be given to an attempt alone; empty if it could.
  [[nodiscard]] std::string never_fits(const wire::Capacity& needs) const;
  // nullopt: not now. Needs of one GPU and more are rounded up to whole devices; less shares one device with others.
  std::optional<Grant> take(const wire::Capacity& needs);
  // Counts what an adopted attempt has, whether it fits or not.
  void adopt(const Grant& grant);
  void give_back(const Grant& grant);

 private:
  struct Device {
    Gpu gpu;
    std::int64_t used_milli = 0;
  };
  std::optional<std::uint64_t> choose_devices(std::int64_t gpu_milli) const;
  void count(const Grant& grant, std::int64_t sign);

  wire::Capacity capacity_;
  wire::Capacity used_;
  std::vector<Device> devices_;
};

// "2", "0.5": thousandths for people and programs.
std::string format_milli(std::int64_t milli);
// "0,3": set bits, for CUDA_VISIBLE_DEVICES.
std::string format_devices(std::uint64_t devices);

}  // namespace baton::worker
