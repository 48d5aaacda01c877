// libudev: the monitor of uevents that udev has processed, and its database.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct udev;
struct udev_monitor;

namespace stratis {

struct UdevDeviceRecord {
  std::optional<std::string> action;
  bool initialized = false;
  std::optional<std::string> devnode;
  // major and minor
  std::optional<std::pair<uint32_t, uint32_t>> number;
  std::string sys_path;
  std::vector<std::pair<std::string, std::string>> properties;
};

struct UdevEvents {
  std::vector<UdevDeviceRecord> devices;
  // The kernel dropped messages.
  bool overflow = false;
};

// Events of one subsystem. libudev's objects must not be used by two threads at a time; this class sees to it.
class UdevEventSource {
 public:
  explicit UdevEventSource(std::string subsystem);
  UdevEventSource(const UdevEventSource&) = delete;
  UdevEventSource& operator=(const UdevEventSource&) = delete;
  ~UdevEventSource();

  // Open as long as this object lives.
  int Descriptor();
  // Takes what is queued, without waiting.
  UdevEvents Receive();

 private:
  std::mutex mutex_;
  const std::string subsystem_;
  udev* context_;
  udev_monitor* monitor_;
};

// Devices of a subsystem that have all of these properties.
std::vector<UdevDeviceRecord> EnumerateUdevDevices(
    const std::string& subsystem, const std::vector<std::pair<std::string, std::string>>& properties);

// Nothing when there is no such block device.
std::optional<UdevDeviceRecord> FindUdevBlockDevice(uint32_t major, uint32_t minor);

// Makes the kernel send a synthetic event of a block device (kernel documentation, ABI/testing/sysfs-uevent): the name of
// the action, and perhaps a UUID and variables. Returns when it is sent.
void RequestUevent(uint32_t major, uint32_t minor, const std::string& request);

}  // namespace stratis
